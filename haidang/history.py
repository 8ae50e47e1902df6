"""A history on file: JSON lines of observations (as ``haidang probe --json`` prints them) and of known outages.

::

    {"target": "hub", "probe": "icmp", "slot": "2026-10-05T03:00:00Z", "status": "down", "reason": "no answer"}
    {"target": "hub", "start": "2026-10-05T03:00:00Z", "end": "2026-10-05T03:20:00Z"}

Observations stand in the order of their time; outages anywhere. Where there are observations they are what is judged,
and the outages are what it is held against.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from availability.spans import Spans, merged
from haidang.model import Observation, Sample, Status

LONGEST_LINE = 65_536
MOST_LINES = 5_000_000
_YEARS = 10 * 366 * 86_400 * 10**9
"""A longer history is a mistake in its times."""


class HistoryError(Exception):
    """A history cannot be read; the words name file, line and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Known:
    """An outage that is known from elsewhere; times in UTC nanoseconds."""

    target: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Happened:
    """What a file tells."""

    observations: tuple[Observation, ...]
    outages: tuple[Known, ...]

    def bounds(self, margin_ns: int) -> tuple[int, int]:
        """Return start and end, with some time around the outages."""
        starts = [one.slot_ns for one in self.observations] + [one.start_ns - margin_ns for one in self.outages]
        ends = [one.slot_ns for one in self.observations] + [one.end_ns + margin_ns for one in self.outages]
        return min(starts), max(ends)

    def down(self, target: str) -> Spans:
        """Return when a target is known to have been down."""
        return merged((one.start_ns, one.end_ns) for one in self.outages if one.target == target)


def read(path: Path) -> Happened:
    """Read a history.

    Raises:
        HistoryError: it cannot be read, or a line is none of a history.
    """
    observations: list[Observation] = []
    outages: list[Known] = []
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE or number > MOST_LINES:
                    raise HistoryError(f"{path}:{number}: too long: {MOST_LINES} lines of {LONGEST_LINE} bytes at most")
                if not line.strip():
                    continue
                try:
                    _take(json.loads(line), observations, outages)
                except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
                    raise HistoryError(f"{path}:{number}: {_words(error)}") from error
    except OSError as error:
        raise HistoryError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    if not observations and not outages:
        raise HistoryError(f"{path}: tells nothing: neither an observation nor an outage")
    found = Happened(tuple(observations), tuple(outages))
    start_ns, end_ns = found.bounds(0)
    if end_ns - start_ns > _YEARS:
        raise HistoryError(f"{path}: spans more than ten years; is a time wrong?")
    return found


def _take(found: object, observations: list[Observation], outages: list[Known]) -> None:
    if not isinstance(found, dict) or not isinstance(found.get("target"), str):
        raise ValueError("a line is a JSON object with a target")  # noqa: TRY004 words for who wrote the file
    if "slot" in found:
        one = _observation(found)
        if observations and one.slot_ns < observations[-1].slot_ns:
            raise ValueError("observations stand in the order of their time, this one is earlier than the last")
        observations.append(one)
    else:
        start_ns, end_ns = _time(found["start"]), _time(found["end"])
        if start_ns >= end_ns:
            raise ValueError("an outage ends after it begins")
        outages.append(Known(found["target"], start_ns, end_ns))


def _observation(found: Mapping[str, Any]) -> Observation:
    status, slot_ns = Status(found["status"]), _time(found["slot"])
    tries = found.get("samples")
    if tries is None:
        samples: tuple[Sample, ...] = () if status is Status.UNKNOWN else (Sample(slot_ns, status is Status.UP),)
    else:
        samples = tuple(Sample(_time(at), ok is True) for at, ok in tries)
    return Observation(
        found["target"], str(found["probe"]), slot_ns, status, str(found.get("reason", ""))[:500], {}, 0.0, samples
    )


def _time(text: object) -> int:
    if not isinstance(text, str):
        raise ValueError("a time is a text such as 2026-10-05T03:00:00Z")  # noqa: TRY004 words for who wrote the file
    at = datetime.fromisoformat(text)
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000) * 10**6


def _words(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the key {error} is missing"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return "no JSON"
    return str(error)
