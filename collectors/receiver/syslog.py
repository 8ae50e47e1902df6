"""Syslog messages: RFC 5424, and what devices send that call it RFC 3164."""

from __future__ import annotations

import re
from typing import NamedTuple

_PRIORITY = re.compile(rb"<(\d{1,3})>")
_RFC5424 = re.compile(r"1 (\S{1,64}) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) ")
# Cisco counts and may mark a clock that is not set: "000123: *Mar  1 00:00:00.123 UTC: "
_CISCO = re.compile(r"(?:\d{1,10}: )?(?=[*.]?[A-Z][a-z]{2} )")
_TIME = re.compile(
    r"[*.]?(?:[A-Z][a-z]{2} {1,2}\d{1,2} (?:\d{4} )?\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?: [A-Z]{2,5})?|"
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-]\d{2}:\d{2})?)(?:: | )"
)
_TAG = re.compile(r"([A-Za-z0-9_./%-]{1,48})(?:\[\d{1,10}\])?: ?")
_HOST = re.compile(r"([A-Za-z0-9][A-Za-z0-9._:-]{0,254}) (?=\S)")
_HIGHEST_PRIORITY = 191
_DEFAULT_PRIORITY = 13  # RFC 3164 §4.3.3: user-level, notice


class SyslogMessage(NamedTuple):
    """A message.

    Parameters:
        severity: 0 emergency to 7 debug.
        program: who says so, empty when not said.
        text: its words.
    """

    severity: int
    program: str
    text: str


def parse(data: bytes) -> SyslogMessage:
    """Read a message. There is no wrong one: what is not understood is text (RFC 3164 §4.3).

    The time and host in it are left out: its arrival and its source say that better.
    """
    match = _PRIORITY.match(data)
    if match and int(match[1]) > _HIGHEST_PRIORITY:
        match = None
    priority = int(match[1]) if match else _DEFAULT_PRIORITY
    rest = data[match.end() :] if match else data
    try:
        text = rest.decode()
    except UnicodeDecodeError:
        text = rest.decode("latin-1")
    modern = _RFC5424.match(text)
    if modern:
        program = "" if modern[3] == "-" else modern[3]
        return SyslogMessage(priority & 7, program, _after_structured_data(text[modern.end() :]))
    cisco = _CISCO.match(text)
    pos = cisco.end() if cisco else 0
    time = _TIME.match(text, pos)
    if time:
        pos = time.end()
        host = None if text.startswith("%", pos) or _TAG.match(text, pos) else _HOST.match(text, pos)
        pos = host.end() if host else pos
    tag = _TAG.match(text, pos)
    return SyslogMessage(priority & 7, tag[1] if tag else "", text[tag.end() if tag else pos :].strip())


def _after_structured_data(text: str) -> str:
    """Skip the STRUCTURED-DATA of RFC 5424 §6.3: elements in brackets, quoted values with escapes in them."""
    if text.startswith("-"):
        return text[1:].lstrip().removeprefix("\ufeff")
    pos, quoted = 0, False
    while pos < len(text):
        char = text[pos]
        if quoted and char == "\\":
            pos += 1
        elif char == '"':
            quoted = not quoted
        elif char == "]" and not quoted and text[pos + 1 : pos + 2] != "[":
            return text[pos + 1 :].lstrip().removeprefix("\ufeff")
        elif pos == 0 and char != "[":
            break
        pos += 1
    return text.strip()
