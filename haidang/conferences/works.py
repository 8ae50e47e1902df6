"""Planned work that disturbs a meeting: told of with the rooms it disturbs, whichever of the two was there first."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from availability.maintenance import occurrences
from config import Configuration
from haidang.conferences.meetings import Sitting, disturbed
from haidang.conferences.sheets import Room
from haidang.conferences.verdict import Reason, Verdict, worst
from storage.accounts import AccountsReader, Maintenance

BEFORE_NS = 3600 * 10**9
"""Rooms are tried before a meeting: work then disturbs it as well."""


@dataclass(frozen=True, slots=True)
class Work:
    """Planned work in a meeting's time; ``start_ns`` and ``end_ns`` are those of the occurrence."""

    work: Maintenance
    start_ns: int
    end_ns: int


def during(configuration: Configuration, sitting: Sitting, planned: Sequence[Maintenance]) -> Mapping[str, list[Work]]:
    """Return, by room, the planned work that disturbs it from an hour before a meeting to its end."""
    found: dict[str, list[Work]] = {}
    rooms = sitting.meeting.rooms
    for one in planned:
        for start_ns, end_ns in occurrences(one, sitting.start_ns - BEFORE_NS, sitting.end_ns):
            for room in disturbed(configuration, one.kind, one.name, rooms):
                found.setdefault(room, []).append(Work(one, start_ns, end_ns))
    return found


def flagged(
    configuration: Configuration, sitting: Sitting, rooms: Sequence[Room], sql: sqlite3.Connection
) -> tuple[Room, ...]:
    """Add to what was found of rooms the planned work that disturbs them."""
    disturbing = during(configuration, sitting, AccountsReader(sql).maintenance())
    zone = configuration.timezone

    def one(room: Room) -> Room:
        why = [
            Reason(
                Verdict.WATCH, "works",
                {"number": str(found.work.number), "what": f"{found.work.kind} {found.work.name}",
                 "from": f"{datetime.fromtimestamp(found.start_ns // 10**9, zone):%H:%M}",
                 "until": f"{datetime.fromtimestamp(found.end_ns // 10**9, zone):%H:%M %d/%m}"},
            )
            for found in disturbing.get(room.room, ())[:3]
        ]  # fmt: skip
        reasons = (*room.reasons, *why)
        return replace(room, reasons=reasons, verdict=worst(reasons))

    return tuple(map(one, rooms))
