"""A message as Slack's incoming webhooks take it: Block Kit. Pure.

What comes from telemetry is text and nothing else: Slack's control characters `& < >` are
escaped, so that no `<!channel>` in an error calls anybody, and no text becomes a link.
https://docs.slack.dev/messaging/formatting-message-text
"""

import re
from typing import Any, Final

from app.alerts.messages import Alert, AlertData

LONGEST_TEXT: Final = 500
"""Characters before escaping, each at most five after it."""
LONGEST_SECTION: Final = 3_000
_HEADINGS: Final = {
    "opened": ":red_circle: Incident opened",
    "regressed": ":repeat: Incident is back",
    "worsened": ":warning: Muted incident got worse",
    "unmuted": ":loud_sound: Incident is no longer muted",
    "acknowledged": ":eyes: Incident acknowledged",
    "resolved": ":white_check_mark: Incident resolved",
    "reopened": ":red_circle: Incident opened again",
    "muted": ":mute: Incident muted",
    "merged": ":link: Incidents merged",
    "split": ":scissors: Incident split",
    "noted": ":memo: Note on an incident",
    "issue_rate": ":chart_with_upwards_trend: Known issue shows often",
    "gap": ":hole: Log records missing",
    "canary_loss": ":rotating_light: The canary lost log records",
    "summary": ":ocean: Many messages",
    "test": ":bell: Test message",
}
_CALLS: Final = re.compile(r"@(?=channel|here|everyone)", re.IGNORECASE)


def escape(text: str) -> str:
    """Text that Slack shows as it is; the first 500 characters of a longer one."""
    cut = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
    safe = cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Bare calls count only where a workspace asks for it; a word joiner costs nothing.
    return _CALLS.sub("@\N{WORD JOINER}", safe)


def slack_body(alert: Alert) -> dict[str, Any]:
    """`text` is what notifications show, `blocks` what the channel does."""
    data = alert.data
    heading = _HEADINGS.get(data.kind, "Alert")
    title = escape(data.title or _own_title(data))
    parts = [f"*{heading}*\n{title}", _facts(data), _issue(data), _more(data)]
    blocks = [_section(part) for part in parts if part]
    if data.link:
        blocks.append(_section(f"<{_url(data.link)}|Open in ProdSentinel>"))
    return {"text": f"{heading}: {title}", "blocks": blocks}


def _own_title(data: AlertData) -> str:
    if data.gap:
        return f"{data.gap.records:,} of {data.gap.service} {data.gap.instance}".rstrip()
    if data.known_issue:
        return data.known_issue.title
    return str(data.incident_id or "ProdSentinel")


def _facts(data: AlertData) -> str:
    named = {
        "Service": data.root_service,
        "Along the chain": ", ".join(data.services),
        "Environment": ", ".join(data.environments),
        "Release": data.release or ", ".join(data.releases),
        "By": data.done_by,
    }
    return "\n".join(f"*{name}:* {escape(value)}" for name, value in named.items() if value)


def _issue(data: AlertData) -> str:
    issue = data.known_issue
    if issue is None:
        return ""
    fix = "\n".join(f"> {line}" for line in escape(issue.fix).splitlines())
    return f"*Known issue:* {escape(issue.title)}\n{fix}".rstrip()


def _more(data: AlertData) -> str:
    lines = [escape(data.note)] if data.note else []
    if data.rate:
        lines.append(f"{data.rate.chains:,} chains in an hour; told from {data.rate.threshold:,}")
    counted = data.counts or data.canary
    lines += [f"• {escape(name)}: {count:,}" for name, count in counted.items()]
    if data.gap:
        lines += [f"• {first} to {last}" for first, last in data.gap.ranges]
    return "\n".join(lines)


def _section(text: str) -> dict[str, Any]:
    # Verbatim: Slack makes no links, channels or people of what merely looks like them.
    return {
        "type": "section",
        "text": {"type": "mrkdwn", "text": text[:LONGEST_SECTION], "verbatim": True},
    }


def _url(link: str) -> str:
    return link.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
