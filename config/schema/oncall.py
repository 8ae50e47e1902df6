"""Who is on duty when: rotas, their layers, holidays."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.errors import quoted
from config.schema.named import Named
from config.schema.objectives import ServiceHours
from config.schema.values import Refusal, Section, Slug, say_seconds, seconds, written
from config.schema.zones import Zone

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
_WALL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}")
LONGEST_HOLIDAY = timedelta(days=60)


def _wall_time(value: str) -> str:
    try:
        fine = bool(_WALL.fullmatch(value)) and 2000 <= datetime.fromisoformat(value).year < 2100
    except ValueError:
        fine = False
    if not fine:
        raise Refusal(f'{quoted(value)} is not a time: write "2026-11-30 08:00"')
    return value.replace("T", " ")


WallTime = Annotated[str, written(_wall_time, {"type": "string", "pattern": f"^{_WALL.pattern}$"})]


def _holiday(value: str) -> str:
    try:
        first, last = _from_to(value)
    except ValueError:
        raise Refusal(
            f'{quoted(value)} is neither a date nor a stretch of them: write "2027-09-02" or "2027-02-04/2027-02-10"'
        ) from None
    if not timedelta() <= last - first <= LONGEST_HOLIDAY:
        raise Refusal(f"{quoted(value)} does not end after it begins, within {LONGEST_HOLIDAY.days} days")
    return value


Holiday = Annotated[str, written(_holiday)]


def _from_to(value: str) -> tuple[date, date]:
    first, _, last = value.partition("/")
    return date.fromisoformat(first), date.fromisoformat(last or first)


def dates(holidays: Iterable[str]) -> frozenset[date]:
    """Return the single dates of what stands under ``holidays``."""
    found: set[date] = set()
    for holiday in holidays:
        first, last = _from_to(holiday)
        found.update(first + timedelta(days=number) for number in range((last - first).days + 1))
    return frozenset(found)


class Layer(Section):
    """People who take turns."""

    people: tuple[Slug, ...] = Field(description="contacts, in the order they follow each other")
    start: WallTime = Field(
        alias="from", description="when the first of them takes over; later hand-overs are at the same time of day"
    )
    turn_s: Annotated[float, seconds(HOUR_S, 366 * DAY_S)] = Field(
        7 * DAY_S, alias="turn", description="how long each is on duty, in whole hours: 12h, 1d, 7d"
    )
    end: WallTime | None = Field(None, alias="to", description="from when on this layer is over")
    hours: tuple[ServiceHours, ...] = Field((), description="in which it has somebody on duty; empty: always")
    holidays: Literal["any", "only", "except"] = Field(
        "any", description="whether it has on holidays: as on any day, only then, or except then"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Layer:
        if not self.people:
            raise Refusal("nobody given: at least one contact is needed", key="people")
        if self.turn_s % HOUR_S:
            raise Refusal(f"{say_seconds(self.turn_s)} is not a number of whole hours", key="turn")
        if self.end is not None and self.end <= self.start:
            raise Refusal("to is not later than from", key="to")
        return self


class Rota(Named):
    """Who is on duty: the first layer that has somebody decides."""

    timezone: Zone | None = Field(None, description="whose wall clock it follows; default: the configuration's")
    layers: tuple[Layer, ...] = Field(description="the first that has somebody on duty decides")

    @model_validator(mode="after")
    def _some(self) -> Rota:
        if not self.layers:
            raise Refusal("no layer given: at least one {people: …, from: …} is needed", key="layers")
        return self
