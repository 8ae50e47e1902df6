"""Who is on duty: layers of people who take turns, at hours and on holidays, and overrides before all of them.

Turns and hours follow the clock on the wall of the rota's zone. A time of day that the clock skips or shows twice is
read as RFC 5545 §3.3.5 says: skipped, by the offset before the gap; shown twice, the first of the two. So a night shift
is an hour longer or shorter when clocks change, and nobody is on duty twice or forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of the day on some days of the week.

    Parameters:
        days: of the week, 0 is Monday.
        start, end: minutes since midnight, the end exclusive, at most 1440.
    """

    days: frozenset[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Layer:
    """People who take turns.

    Parameters:
        people: contacts, in the order they follow each other.
        first: when the first of them takes over, on the wall clock; every later hand-over is a multiple of ``turn`` on.
        turn: how long each is on duty.
        last: on the wall clock, from when on this layer is over; ``None``: it goes on.
        hours: in which the layer has somebody on duty; none: always.
        holidays: whether it has on holidays: as on ``any`` day, ``only`` then, or ``except`` then.
    """

    people: tuple[str, ...]
    first: datetime
    turn: timedelta
    last: datetime | None = None
    hours: tuple[Hours, ...] = ()
    holidays: Literal["any", "only", "except"] = "any"


@dataclass(frozen=True, slots=True)
class Rota:
    """Layers, the first that has somebody on duty decides; holidays are dates in the rota's zone."""

    id: str
    zone: ZoneInfo
    layers: tuple[Layer, ...]
    holidays: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody stands in, whatever the layers say; of several the one with the highest number counts."""

    number: int
    rota: str
    person: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Shift:
    """A stretch of time with one person on duty, or with nobody.

    Parameters:
        start_ns, end_ns: UTC nanoseconds, the end exclusive.
        person: the contact; ``None``: nobody.
        by: which part of the rota says so: ``layer 1`` or ``override 3``; empty with nobody.
    """

    start_ns: int
    end_ns: int
    person: str | None
    by: str = ""


def on_duty(rota: Rota, overrides: Iterable[Override], at_ns: int) -> tuple[str | None, str]:
    """Return who is on duty at a time and which part of the rota says so; nobody is ``None`` and an empty text."""
    standing_in = [one for one in overrides if one.rota == rota.id and one.start_ns <= at_ns < one.end_ns]
    if standing_in:
        newest = max(standing_in, key=lambda one: one.number)
        return newest.person, f"override {newest.number}"
    for number, layer in enumerate(rota.layers, 1):
        person = _of_layer(rota, layer, at_ns)
        if person is not None:
            return person, f"layer {number}"
    return None, ""


def shifts(rota: Rota, overrides: Sequence[Override], start_ns: int, end_ns: int) -> list[Shift]:
    """Return who is on duty from one time to another, gaps included; each shift ends where the next begins."""
    edges = {start_ns, end_ns}
    for one in overrides:
        if one.rota == rota.id:
            edges |= {one.start_ns, one.end_ns}
    for layer in rota.layers:
        edges.update(_edges(rota, layer, start_ns, end_ns))
    times = sorted(at_ns for at_ns in edges if start_ns <= at_ns <= end_ns)
    found: list[Shift] = []
    for begin_ns, until_ns in pairwise(times):
        person, by = on_duty(rota, overrides, begin_ns)
        if found and (found[-1].person, found[-1].by) == (person, by):
            found[-1] = Shift(found[-1].start_ns, until_ns, person, by)
        else:
            found.append(Shift(begin_ns, until_ns, person, by))
    return found


def gaps(rota: Rota, overrides: Sequence[Override], start_ns: int, end_ns: int) -> list[Shift]:
    """Return the stretches without anybody on duty."""
    return [shift for shift in shifts(rota, overrides, start_ns, end_ns) if shift.person is None]


def moment(wall: datetime, zone: ZoneInfo) -> int:
    """Return the UTC nanoseconds of a time on the wall clock (see the top for those that are skipped or come twice)."""
    return round(wall.replace(tzinfo=zone, fold=0).timestamp()) * 10**9


def on_the_wall(at_ns: int, zone: ZoneInfo) -> datetime:
    """Return what the clock on the wall shows at a time."""
    return datetime.fromtimestamp(at_ns // 10**9, zone).replace(tzinfo=None, fold=0)


def within(hours: Sequence[Hours], at_ns: int, zone: ZoneInfo) -> bool:
    """Tell whether a time is within some hours; without any it always is."""
    today = on_the_wall(at_ns, zone).date()
    days = (today - _DAY, today, today + _DAY)
    return not hours or any(start <= at_ns < end for day in days for start, end in _spans(hours, day, zone))


def _of_layer(rota: Rota, layer: Layer, at_ns: int) -> str | None:
    if layer.last is not None and at_ns >= moment(layer.last, rota.zone):
        return None
    number = _turn_at(layer, rota.zone, at_ns)
    if number < 0 or not _has_hours(rota, layer, at_ns):
        return None
    return layer.people[number % len(layer.people)]


def _turn_at(layer: Layer, zone: ZoneInfo, at_ns: int) -> int:
    """Return the number of the turn that a time is in; negative before the first."""
    number = (on_the_wall(at_ns, zone) - layer.first) // layer.turn + 1  # a clock that changes moves it by one or two
    while number >= 0 and moment(layer.first + number * layer.turn, zone) > at_ns:
        number -= 1
    while moment(layer.first + (number + 1) * layer.turn, zone) <= at_ns:
        number += 1
    return number


def _has_hours(rota: Rota, layer: Layer, at_ns: int) -> bool:
    if not layer.hours and layer.holidays == "any":
        return True
    today = on_the_wall(at_ns, rota.zone).date()
    days = (today - _DAY, today, today + _DAY)
    return any(start <= at_ns < end for day in days for start, end in _windows(rota, layer, day))


def _windows(rota: Rota, layer: Layer, day: date) -> Iterator[tuple[int, int]]:
    """Yield the stretches of a date in which a layer has somebody on duty."""
    if layer.holidays != "any" and (day in rota.holidays) != (layer.holidays == "only"):
        return
    yield from _spans(layer.hours or (_WHOLE_DAY,), day, rota.zone)


_WHOLE_DAY = Hours(frozenset(range(7)), 0, 1440)


def _spans(hours: Sequence[Hours], day: date, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    midnight = datetime.combine(day, time())
    for one in hours:
        if day.weekday() in one.days:
            start, end = (moment(midnight + timedelta(minutes=minute), zone) for minute in (one.start, one.end))
            yield start, end


def _edges(rota: Rota, layer: Layer, start_ns: int, end_ns: int) -> Iterator[int]:
    """Yield every time at which a layer can change, those in a stretch of time and a few around it."""
    if layer.last is not None:
        yield moment(layer.last, rota.zone)
    last = on_the_wall(end_ns, rota.zone)
    for number in range(max(0, _turn_at(layer, rota.zone, start_ns)), (last - layer.first) // layer.turn + 3):
        yield moment(layer.first + number * layer.turn, rota.zone)
    if layer.hours or layer.holidays != "any":
        day = on_the_wall(start_ns, rota.zone).date() - _DAY
        while day <= last.date() + _DAY:
            for window in _windows(rota, layer, day):
                yield from window
            day += _DAY
