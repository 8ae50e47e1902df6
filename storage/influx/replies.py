"""What a store's answer to a write means. Pure: an answer in, a verdict out.

Sources: influxdb 1.12 services/httpd/handler.go; 2.9 http/write_handler.go and models/points.go; 3.10
influxdb3_server/src/http.rs; VictoriaMetrics app/vminsert; 1.6.7 and VictoriaMetrics 1.79 were tried.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

_MOST_WORDS = 500
_RETRY_AFTER_MAX_S = 600.0
_UNPARSABLE = "unable to parse '"
MAY_NOT = "look at token, or username and password, under storage.influxdb, and at what they may do there"
_DROPPED = re.compile(r"dropped=(\d{1,9})")


class Verdict(Enum):
    """What to do with the lines that were sent."""

    STORED = "all stored"
    PARTLY = "stored but for some lines"
    NOTHING = "nothing stored, some line is bad"
    HALVE = "too large at once"
    HOLD = "a person has to mend it"
    RETRY = "try again later"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, its body cut at a limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict with its facts.

    Parameters:
        words: the server's, for a person.
        bad: index of a line that was sent -> the server's words about it.
        dropped: how many lines were dropped, when it says so.
        retry_after_s: as the server asked, at most 600.
        missing_database: the database is not there (and could be made).
    """

    verdict: Verdict
    words: str
    bad: Mapping[int, str]
    dropped: int = 0
    retry_after_s: float = 0.0
    missing_database: bool = False


def judge(reply: Reply, lines: Sequence[bytes]) -> Judgement:
    """Judge the answer to a write of ``lines``."""
    status = reply.status
    words, data = words_of(reply)
    if status in {201, 202, 204} or (status == 200 and not words and b"<" not in reply.body[:1]):
        return Judgement(Verdict.STORED, "", {})
    if status == 200:
        return Judgement(Verdict.RETRY, f"the answer is not a metric store's: {words}", {})
    if 300 <= status < 400:
        where = reply.headers.get("Location", "")[:200]
        return Judgement(Verdict.HOLD, f"the server sends us elsewhere ({status} {where}): set the url to that", {})
    if status == 413 or (status == 400 and "too large" in words.lower() and "field" not in words.lower()):
        return Judgement(Verdict.HALVE, f"{status}: {words}", {})
    if status in {401, 403, 404, 405, 407}:
        missing = status == 404 and "database not found" in words
        return Judgement(Verdict.HOLD, answer_of(reply), {}, missing_database=missing)
    if status in {400, 422}:
        return _bad_lines(f"{status}: {words}", data, lines)
    return Judgement(Verdict.RETRY, f"{status}: {words}", {}, retry_after_s=retry_after(reply.headers))


def _bad_lines(words: str, data: object, lines: Sequence[bytes]) -> Judgement:
    bad = _listed(data, lines)
    partly = "partial write" in words
    if not bad:
        bad = _quoted(words, lines)
    match = _DROPPED.search(words)
    dropped = max(int(match[1]) if match else 0, len(bad))
    return Judgement(Verdict.PARTLY if partly else Verdict.NOTHING, words, bad, dropped)


def _listed(data: object, lines: Sequence[bytes]) -> dict[int, str]:
    """Read 3.x's list of bad lines (line_number counts from 1)."""
    if isinstance(data, dict):
        data = [data]
    bad: dict[int, str] = {}
    for entry in data if isinstance(data, list) else []:
        if not isinstance(entry, dict):
            continue
        number = entry.get("line_number")
        if isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= len(lines):
            bad[number - 1] = str(entry.get("error_message", ""))[:_MOST_WORDS]
    return bad


def _quoted(words: str, lines: Sequence[bytes]) -> dict[int, str]:
    """Find the lines that 1.x and 2.x name by ``unable to parse 'LINE': why``."""
    known: dict[str, list[int]] = {}
    bad: dict[int, str] = {}
    at = words.find(_UNPARSABLE)
    while at >= 0:
        if not known:
            for index, line in enumerate(lines):
                known.setdefault(line.decode("utf-8", "replace"), []).append(index)
        begin = at + len(_UNPARSABLE)
        after = words.find(_UNPARSABLE, begin)
        limit = after if after >= 0 else len(words)
        end = words.find("': ", begin, limit)
        while end >= 0:
            if words[begin:end] in known:
                why = words[end + 3 : limit].strip()
                bad.update(dict.fromkeys(known[words[begin:end]], why[:_MOST_WORDS]))
                break
            end = words.find("': ", end + 1, limit)
        at = after
    return bad


def answer_of(reply: Reply) -> str:
    """Say what a server refused with, and for 401 and 403 what to look at."""
    said = f"{reply.status}: {words_of(reply)[0]}"
    return f"{said[:_MOST_WORDS]}; {MAY_NOT}" if reply.status in {401, 403} else said


def words_of(reply: Reply) -> tuple[str, object]:
    """Return the server's words and 3.x's list of bad lines, from JSON or plain text."""
    text = reply.body.decode("utf-8", "replace").strip()
    try:
        content = json.loads(text) if text[:1] in {"{", "["} else None
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict):
        error = content.get("error", content.get("message", ""))
        return str(error), content.get("data")
    return (text if reply.status >= 400 else text[:_MOST_WORDS]) or reply.headers.get("X-Influxdb-Error", ""), None


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Return the seconds a server asks us to wait (RFC 9110 §10.2.3: a number or a date), at most 600."""
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except (ValueError, TypeError):
            return 0.0
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = (when - (now or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), _RETRY_AFTER_MAX_S) if seconds == seconds else 0.0  # noqa: PLR0124 not a number
