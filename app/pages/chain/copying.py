"""A chain as Markdown, to be pasted into a ticket or a chat. Pure."""

from collections.abc import Iterator
from typing import Final

from app.pages import writing
from app.pages.chain.folding import folded
from app.pages.chain.rows import FoldRow, GapRow, InferredRow, Mark, PauseRow, RecordRow, Row
from app.pages.chain.summary import Summary, summary_of
from app.pages.chain.waterfall import lay_out
from app.pages.wording import exact, span, utc
from app.query.chain_views import ChainView, RootView

LONGEST: Final = 300


def markdown_of(chain: ChainView) -> str:
    """Root, fix and the records, quiet ones of a long chain told as their number."""
    waterfall = lay_out(chain)
    summary = summary_of(chain, waterfall)
    rows = (line for row in folded(waterfall.rows) if (line := _line(row)))
    parts = [*_head(chain, summary), "", writing.fenced("\n".join(rows))]
    return "\n".join(parts) + "\n"


def _head(chain: ChainView, summary: Summary) -> Iterator[str]:
    yield f"## {code(summary.title)}"
    yield ""
    services = " → ".join(code(name) for name in chain.services)
    yield (
        f"Chain {code(chain.correlation_id)} · {utc(summary.start)} · {span(summary.length)} · "
        f"{exact(len(chain.records))} records · {services}"
    )
    for root in chain.roots:
        yield ""
        yield from _root(root)
    yield from ("", *(f"> {code(note)}" for note in summary.notes)) if summary.notes else ()


def _root(root: RootView) -> Iterator[str]:
    inferred = ", inferred" if root.inferred else ""
    yield f"**Root cause in {code(root.service)}** ({root.confidence}{inferred}): " + code(
        one_line(root.error.message)
    )
    yield from (f"- {code(reason)}" for reason in root.reasons)
    if root.match:
        yield f"- Known issue: {code(root.match.title)} ({root.match.tier})"
    if root.incident_id:
        yield f"- Incident: {root.incident_id}"


def _line(row: Row) -> str:
    match row:
        case RecordRow():
            record = row.record
            mark = _mark(row.mark)
            told = f"{'  ' * row.depth}{record.service}: {one_line(record.message)} {mark}"
            return f"{span(row.since_start):>10}  {record.level.value:<8} {told}".rstrip()
        case GapRow():
            return f"{'':>10}  {'~' * 8} {'  ' * row.depth}{row.gap.reason}"
        case InferredRow():
            return f"{'':>10}  {'~' * 8} {'  ' * row.depth}{row.service}: {row.reason}"
        case PauseRow():
            return f"{'':>10}  {'-' * 8} {span(row.length)} later the ID was used again"
        case FoldRow():
            return f"{'':>10}  … {exact(row.records)} quiet records of {', '.join(row.services)}"
        case _:
            return f"{'':>10}  … records that were not read"


def _mark(mark: Mark) -> str:
    if mark.root:
        return "◀ reports the root" if mark.reports else "◀ root"
    if mark.attempt:
        return f"(attempt {mark.attempt})"
    return "(follows)" if mark.follows else ""


def one_line(text: str) -> str:
    """Its first `LONGEST` characters, without line ends."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def code(text: str) -> str:
    """One line of it as code."""
    return writing.code(one_line(text))
