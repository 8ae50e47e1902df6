"""Text that devices, servers and files sent, made safe to show: it must not act on a header, a terminal or an eye."""

from __future__ import annotations

import re
import unicodedata

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # ECMA-48 control sequences (colours, cursor)
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # strings: window titles, links
    r"|\x1b[ -/]*[0-~]?"
)
_SPACE = frozenset({"Cc", "Zs", "Zl", "Zp"})
_GONE = frozenset({"Cf", "Cs", "Co", "Cn"})  # bidirectional controls, zero-width characters, lone surrogates, …
_MARKS_IN_A_ROW = 4  # Vietnamese needs two


def clean(text: str, limit: int = 300) -> str:
    """Make foreign text one harmless line.

    Terminal escapes, control, format and bidirectional characters go; white space is folded; stacks of combining
    marks are cut. What remains is NFC, so that Vietnamese looks the same everywhere.

    Parameters:
        text: anything.
        limit: the most characters that remain; what is cut is marked by ``…``.
    """
    text = unicodedata.normalize("NFC", text[: 8 * limit])
    if len(text) <= limit and text.isprintable() and not any(map(unicodedata.combining, text)):
        return " ".join(text.split())  # nearly everything, and a hundred times faster
    kept: list[str] = []
    marks = 0
    for char in _ESCAPES.sub(" ", text):
        category = unicodedata.category(char)
        if category in _GONE:
            continue
        marks = marks + 1 if category.startswith("M") else 0
        if marks <= _MARKS_IN_A_ROW:
            kept.append(" " if category in _SPACE else char)
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"
