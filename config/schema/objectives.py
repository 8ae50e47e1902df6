"""What availability was promised: over which period, in which hours, by whose clock, and what does not count."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.errors import quoted
from config.schema.named import Named
from config.schema.values import Refusal, Section, Slug, line, number, whole, written

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")


def _clock(value: str) -> str:
    if not _CLOCK.fullmatch(value):
        raise Refusal(f'{quoted(value)} is not a time of day: write "07:30", up to "24:00"')
    return value


Clock = Annotated[str, written(_clock, {"type": "string", "pattern": f"^({_CLOCK.pattern})$"})]


class ServiceHours(Section):
    """Hours in which service is owed, on some days of the week."""

    days: tuple[Day, ...] = Field(DAYS, description="of the week")
    start: Clock = Field("00:00", alias="from", description="time of day on the wall clock")
    end: Clock = Field("24:00", alias="to", description="time of day, exclusive, later than from")

    @model_validator(mode="after")
    def _forward(self) -> ServiceHours:
        if self.start >= self.end:
            raise Refusal("to is not later than from: for a night write two entries, one to 24:00 and one from 00:00")
        if not self.days:
            raise Refusal("an empty list: leave the key out for every day", key="days")
        return self


class Objective(Named):
    """One promise of availability."""

    system: Slug | None = Field(None, description="what it is about: exactly one of system, site, circuit, …")
    site: Slug | None = Field(None, description="all targets there and at the sites below")
    circuit: Slug | None = Field(None, description="all targets on this line")
    carrier: Annotated[str, line()] | None = Field(None, description="all targets on this carrier's lines")
    target: Slug | None = Field(None, description="one target")
    percent: Annotated[float, number(1, 100)] = Field(description="availability promised")
    period: Literal["month", "quarter", "year", "rolling"] = Field("month", description="of the calendar, or rolling")
    days: Annotated[int, whole(1, 3660)] = Field(30, description="length of a rolling period, times 24 hours")
    hours: tuple[ServiceHours, ...] = Field((), description="in which it holds; empty: always")
    exclude: tuple[Literal["planned", "retroactive"], ...] = Field(
        ("planned", "retroactive"), description="maintenance that does not count, of that which was entered as excluded"
    )
    view: Literal["measured", "contractual"] = Field("measured", description="printed with every figure")
    clock: Literal["failure", "ticket"] = Field("failure", description="when an outage begins to count")
    month_minutes: Annotated[int, whole(1, 44_640)] | None = Field(
        None, description="length every month is agreed to have, e.g. 43200; default: the calendar's"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Objective:
        if len(self.about()) != 1:
            raise Refusal("name exactly one of system, site, circuit, carrier and target")
        if self.month_minutes is not None and self.period != "month":
            raise Refusal("only a period of a month has a fixed length", key="month_minutes")
        if self.month_minutes is not None and self.hours:
            raise Refusal("a fixed length and service hours contradict each other", key="month_minutes")
        if "days" in self.model_fields_set and self.period != "rolling":
            raise Refusal("only period: rolling has a number of days", key="days")
        return self

    def about(self) -> list[tuple[str, str]]:
        """Return kind and id of what it is about; exactly one in a checked objective."""
        kinds = ("system", "site", "circuit", "carrier", "target")
        return [(kind, name) for kind in kinds if (name := getattr(self, kind)) is not None]
