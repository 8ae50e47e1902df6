"""Sheets: what was found of each room of a meeting, before it or after it, and the record of them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from config import Configuration
from haidang.conferences.verdict import Reason, Verdict
from haidang.conferences.words import say
from haidang.model import FieldValue
from haidang.reasons import told
from haidang.show import utc

Kind = Literal["readiness", "quality"]
_DECIMAL = re.compile(r"[0-9]+\.[0-9]+")
_OF_KIND = {"readiness": "", "quality": "quality."}
"""Where the words of a kind stand in the catalogue."""


@dataclass(frozen=True, slots=True)
class Room:
    """What was found of a room.

    Parameters:
        room: id of the target.
        figures: by the names that probes use, e.g. ``mos``, ``loss_percent``, ``delay_ms``.
    """

    room: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    figures: Mapping[str, FieldValue]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was found of all rooms of a meeting; times in UTC nanoseconds.

    Parameters:
        before_s: how long before the meeting it was due; 0 for its quality, which is known afterwards.
    """

    meeting: str
    start_ns: int
    end_ns: int
    kind: Kind
    before_s: int
    made_ns: int
    rooms: tuple[Room, ...]

    def ordered(self) -> list[Room]:
        """Return the rooms, the worst first."""
        return sorted(self.rooms, key=lambda one: (-tuple(Verdict).index(one.verdict), one.room))

    def counts(self) -> dict[Verdict, int]:
        """Count the rooms by their verdict."""
        return {verdict: sum(one.verdict is verdict for one in self.rooms) for verdict in Verdict}

    def summary(self, language: str) -> str:
        """Say the counts in one line."""
        counts = self.counts()
        return say(
            language, f"{_OF_KIND[self.kind]}summary", go=counts[Verdict.GO], watch=counts[Verdict.WATCH],
            no_go=counts[Verdict.NO_GO],
        )  # fmt: skip

    def word(self, verdict: Verdict, language: str) -> str:
        """Say a verdict as a sheet of this kind does."""
        return say(language, f"{_OF_KIND[self.kind]}verdicts.{verdict.value}")


def in_words(room: Room, language: str) -> list[str]:
    """Say why a room has its verdict."""
    mark = say(language, "decimal_mark")

    def written(gap: str) -> str:
        return gap.replace(".", mark) if _DECIMAL.fullmatch(gap) else told(gap, language)

    return [
        say(language, f"reasons.{why.key}", **{name: written(gap) for name, gap in why.gaps.items()})
        for why in room.reasons
    ]


def called(configuration: Configuration, room: str, language: str) -> str:
    """Name a room; one that is no longer configured by its id."""
    target = configuration.inventory.targets.get(room)
    return room if target is None else target.label(language)


def document(configuration: Configuration, sheet: Sheet, language: str) -> dict[str, Any]:
    """Write a sheet for programs."""
    return {
        "meeting": sheet.meeting, "start": utc(sheet.start_ns), "end": utc(sheet.end_ns), "kind": sheet.kind,
        "before_s": sheet.before_s, "made": utc(sheet.made_ns), **found(configuration, sheet, language),
    }  # fmt: skip


def found(configuration: Configuration, sheet: Sheet, language: str) -> dict[str, Any]:
    """Write what was found of the rooms for programs, the worst first."""
    return {
        "summary": sheet.summary(language), "counts": {one.value: n for one, n in sheet.counts().items()},
        "rooms": [
            {
                "room": one.room, "name": called(configuration, one.room, language), "verdict": one.verdict.value,
                "reasons": in_words(one, language), "fields": dict(one.figures),
            }
            for one in sheet.ordered()
        ],
    }  # fmt: skip


def keep(sql: sqlite3.Connection, sheet: Sheet) -> bool:
    """Put a sheet on record, in the caller's transaction.

    Returns:
        False when it had been before: it is not to be told again.
    """
    rooms = [
        {
            "room": one.room, "verdict": one.verdict.value, "figures": dict(one.figures),
            "reasons": [{"verdict": why.verdict.value, "key": why.key, "gaps": dict(why.gaps)} for why in one.reasons],
        }
        for one in sheet.rooms
    ]  # fmt: skip
    done = sql.execute(
        "INSERT OR IGNORE INTO conference_sheet (meeting, start_ns, end_ns, kind, before_s, made_ns, rooms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (sheet.meeting, sheet.start_ns, sheet.end_ns, sheet.kind, sheet.before_s, sheet.made_ns,
         json.dumps(rooms, ensure_ascii=False)),
    )  # fmt: skip
    return done.rowcount > 0


def is_kept(sql: sqlite3.Connection, meeting: str, start_ns: int, kind: Kind, before_s: int) -> bool:
    """Tell whether a sheet is on record."""
    found = sql.execute(
        "SELECT 1 FROM conference_sheet WHERE meeting = ? AND start_ns = ? AND kind = ? AND before_s = ?",
        (meeting, start_ns, kind, before_s),
    )
    return found.fetchone() is not None


def last(sql: sqlite3.Connection, meeting: str, limit: int) -> list[Sheet]:
    """Return the newest sheets of a meeting, the newest first; none from a file of a version without them."""
    if sql.execute("SELECT 1 FROM sqlite_master WHERE name = 'conference_sheet'").fetchone() is None:
        return []
    rows = sql.execute(
        "SELECT meeting, start_ns, end_ns, kind, before_s, made_ns, rooms FROM conference_sheet WHERE meeting = ? "
        "ORDER BY start_ns DESC, made_ns DESC LIMIT ?",
        (meeting, limit),
    )
    return [
        Sheet(name, start_ns, end_ns, kind, before_s, made_ns, tuple(map(_room, json.loads(rooms))))
        for name, start_ns, end_ns, kind, before_s, made_ns, rooms in rows
    ]


def _room(data: Mapping[str, Any]) -> Room:
    reasons: Sequence[Mapping[str, Any]] = data["reasons"]
    return Room(
        data["room"], Verdict(data["verdict"]),
        tuple(Reason(Verdict(why["verdict"]), why["key"], why["gaps"]) for why in reasons), data["figures"],
    )  # fmt: skip
