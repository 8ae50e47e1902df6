"""Answers made of lines: a three-digit code and words, as SMTP has them (RFC 5321 §4.2)."""

from __future__ import annotations

import re

from probes.attempt import Down, shown
from probes.stream import Stream

MOST_LINES = 100
_REPLY = re.compile(r"([2-5][0-9]{2})([ -]?)(.*)", re.DOTALL)


async def reply(stream: Stream, expected: str, what: str) -> list[str]:
    """Read one answer.

    Parameters:
        stream: where it comes from.
        expected: the code it should have.
        what: it is, in words.

    Returns:
        the words of each line.

    Raises:
        Down: another code, or no answer of this kind.
    """
    lines: list[str] = []
    while len(lines) < MOST_LINES:
        line = await stream.line()
        match = _REPLY.fullmatch(line)
        if match is None:
            raise Down(f"its {what} is none of this protocol: {shown(line)}")
        lines.append(match[3])
        if match[2] != "-":
            if match[1] != expected:
                raise Down(f"its {what} is {match[1]} {shown(match[3])}".rstrip())
            return lines
    raise Down(f"its {what} has more than {MOST_LINES} lines")
