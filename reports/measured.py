"""A kept report beside one that is made anew, when what was measured then can no longer be read.

Availability is the ledger's, which keeps every interval. What the equipment measured is the metric store's, which may
be away, or past its retention; a program of before may not have read it at all. What is not there is no other figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from reports.equipment_rows import CertificateRow, ConnectionRow, LoadRow, QualityRow, ReadingRow, RoomRow
from reports.model import Change, Report
from reports.notes import INCIDENTS
from reports.seal import LATER, differences

Row = TypeVar("Row", LoadRow, ReadingRow, CertificateRow)
Way = TypeVar("Way", RoomRow, ConnectionRow)


class Beside(NamedTuple):
    """A kept report and the month worked out again.

    Parameters:
        fresh: the new one, with what was measured taken from the kept one where it can no longer be read (in full).
        gone: how many rows that were.
        changed: what both have, and is another figure now; at most 500.
    """

    fresh: Report
    gone: int
    changed: tuple[Change, ...]


def beside(before: Report, fresh: Report) -> Beside:
    """Set a month worked out again beside the kept report; neither what is gone nor what is new counts as changed."""
    fresh, gone = _taken_over(before, fresh)
    return Beside(fresh, gone, differences(before, _comparable(before, fresh)))


def _taken_over(before: Report, fresh: Report) -> tuple[Report, int]:
    known = {row.id for row in fresh.targets}
    loads, a = _rows([row for row in before.loads if row.target in known], fresh.loads)
    readings, b = _rows([row for row in before.readings if row.id in known], fresh.readings)
    certificates, c = _rows([row for row in before.certificates if row.id in known], fresh.certificates)
    rooms, d = _ways({(row.id,): row for row in before.rooms}, {(row.id,): row for row in fresh.rooms})
    connections, e = _ways(
        {(row.circuit, row.target): row for row in before.connections},
        {(row.circuit, row.target): row for row in fresh.connections},
    )
    update = {
        "loads": loads, "readings": readings, "certificates": certificates, "rooms": rooms, "connections": connections
    }  # fmt: skip
    return fresh.model_copy(update=update), a + b + c + d + e


def _key(row: LoadRow | ReadingRow | CertificateRow) -> tuple[str, ...]:
    if isinstance(row, LoadRow):
        return row.circuit["vi"], row.target, row.interface, row.direction
    if isinstance(row, ReadingRow):
        return row.group, row.kind, row.id, row.sensor
    return row.id, row.probe


def _known(row: LoadRow | ReadingRow | CertificateRow) -> float:
    """Return how much of the month a row was made of."""
    if isinstance(row, LoadRow):
        return row.windows
    return row.coverage_percent if isinstance(row, ReadingRow) else row.seen.timestamp()


def _rows(before: Sequence[Row], fresh: Sequence[Row]) -> tuple[tuple[Row, ...], int]:
    """Take rows over that are gone, or were made of more."""
    now = {_key(row): row for row in fresh}
    lost = {_key(row): row for row in before if _key(row) not in now or _known(now[_key(row)]) < _known(row)}
    place = {_key(row): number for number, row in enumerate(before)}
    merged = sorted({**now, **lost}.items(), key=lambda one: place.get(one[0], len(place)))
    return tuple(row for _, row in merged), len(lost)


def _ways(before: Mapping[tuple[str, ...], Way], fresh: Mapping[tuple[str, ...], Way]) -> tuple[tuple[Way, ...], int]:
    """Take over how the way to a room or the end of a channel was."""
    found, lost = [], 0
    for key, row in fresh.items():
        update: dict[str, Any] = {}
        if old := before.get(key):
            # A mean of pings does not say how many there were: the one that was sealed stays, unless there was none.
            if old.quality not in (QualityRow(), row.quality):
                update["quality"] = old.quality
            then, now = getattr(old, "load_percent", None), getattr(row, "load_percent", None)
            if then is not None and (now or 0) < then:
                update["load_percent"] = then
        found.append(row.model_copy(update=update) if update else row)
        lost += bool(update)
    return tuple(found), lost


def _comparable(before: Report, fresh: Report) -> Report:
    """Leave out of a new report what the kept one has nothing of."""
    update: dict[str, Any] = {}
    for part in ("loads", "readings", "certificates"):
        known = {_key(row) for row in getattr(before, part)}
        update[part] = tuple(row for row in getattr(fresh, part) if _key(row) in known)
    rooms = {row.id: row for row in before.rooms}
    ends = {(row.circuit, row.target): row for row in before.connections}
    update["rooms"] = tuple(_as_little(rooms.get(row.id), row) for row in fresh.rooms)
    update["connections"] = tuple(_as_little(ends.get((row.circuit, row.target)), row) for row in fresh.connections)
    if not any(note.key in INCIDENTS for note in before.notes):
        update["notes"] = tuple(note for note in fresh.notes if note.key not in INCIDENTS)
    update |= {part: () for part in LATER if part not in before.model_fields_set}
    return fresh.model_copy(update=update)


def _as_little(old: Way | None, row: Way) -> Way:
    if old is None:
        return row
    update: dict[str, Any] = {"quality": QualityRow()} if old.quality == QualityRow() else {}
    if getattr(old, "load_percent", 0) is None:
        update["load_percent"] = None
    return row.model_copy(update=update)
