"""What devices and people may write to act where it is shown."""

from __future__ import annotations

import re

EVIL = {
    "headers": "x\r\nBcc: all@example.org\r\n\r\n<h1>owned</h1>",
    "nul": "a\0b\0c",
    "turning": "router\u202egnp.exe\u2066\u2069\u200f",
    "colours": "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b31m",
    "huge": "A" * 65_536,
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{7*7}}{number}",
    "marks": "a" + "\u0301" * 500,
    "surrogate": "\ud800\udcff",
}
# Control characters except line ends and tabs, bidirectional controls and isolates, zero-width characters.
ACTING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
