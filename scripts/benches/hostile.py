"""Lines that make a careless pattern slow: one piece, over and over, with an end that fails."""

KIB = 1024
SIZES = tuple(KIB * 4**step for step in range(6))
"""1 KiB, 4 KiB, … 1 MiB."""

SHAPES = {
    "digits": "1",
    "hex": "deadbeef0",
    "colons": "a1:",
    "quotes": "\" '",
    "slashes": "/a1",
    "dots": "1.",
    "brackets": "[({",
    "spaces": " ",
    "base64": "aGVsbG8gd29ybGQ0Nw",
    "a=": "a=",
    "nested JSON": '{"a1":[',
    "traceback lines": '  File "/srv/a1/b.py", line 7, in f\n    g(1)\n',
    "at-signs": "a1@b.",
    "dashes": "a1-",
    "escapes": '\\n\\"',
    "causes": "Caused by: a.B: c\n\tat a.B.c(D.java:1)\n",
}


def hostile(piece: str, size: int) -> str:
    """A line of `size` characters whose end spoils whatever looked like a match."""
    return (piece * (size // len(piece) + 1))[: size - 1] + "\u2603"
