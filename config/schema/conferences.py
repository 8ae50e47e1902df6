"""Meetings by video: when they are, which rooms take part, and how well a line must do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, field_validator

from config.errors import quoted
from config.schema.named import Named
from config.schema.values import Refusal, Section, Slug, line, number, seconds

MARKS = Literal["best-effort", "cs3", "af31", "af41", "ef"]


class Meeting(Named):
    """One meeting, or a series of them."""

    start: Annotated[str, line(40)] = Field(description="on the wall clock of timezone: 2026-12-01T08:00")
    lasting_s: Annotated[float, seconds(60, 86400)] = Field(7200.0, alias="lasting", description="how long")
    every: Annotated[str, line(500)] | None = Field(None, description="RRULE of a series: FREQ=WEEKLY;BYDAY=MO")
    rooms: tuple[Slug, ...] = Field(description="targets that take part")
    organiser: Slug | None = Field(None, description="the contact who is mailed whether its rooms are ready")

    @field_validator("start")
    @classmethod
    def _on_the_wall(cls, value: str) -> str:
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            raise Refusal(f"{quoted(value)} is not a time: write 2026-12-01T08:00") from None
        if found.tzinfo is not None:
            raise Refusal(f"{quoted(value)} has a zone: times here are on the wall clock of timezone")
        return value


class Conferences(Section):
    """Meetings by video."""

    meetings: tuple[Meeting, ...] = Field((), description="those that stand here")
    to: tuple[Slug, ...] = Field((), description="contacts who are mailed about every meeting, beside its organiser")
    before_s: tuple[Annotated[float, seconds(60, 86400)], ...] = Field(
        (3600.0, 900.0), alias="before", description="how long before a meeting its rooms are tried; [] never"
    )
    faster: Annotated[float, number(1, 20)] = Field(
        4.0, description="so many times as often its rooms are probed while it is held"
    )
    burst_s: Annotated[float, seconds(1, 600)] = Field(60.0, alias="burst", description="how long a room is tried")
    interval_s: Annotated[float, seconds(0.01, 1)] = Field(0.05, alias="interval", description="between two echoes")
    mark: MARKS = Field("af41", description="how the echoes are marked: as the meeting's video is")
    watch_loss: Annotated[float, number(0, 100)] = Field(1.0, description="percent lost from which a room is watched")
    no_go_loss: Annotated[float, number(0, 100)] = Field(5.0, description="percent lost from which it cannot take part")
    watch_mos: Annotated[float, number(1, 5)] = Field(3.6, description="watched below (some users dissatisfied)")
    no_go_mos: Annotated[float, number(1, 5)] = Field(2.6, description="cannot take part below (nearly all are)")
    watch_delay_s: Annotated[float, seconds(0.001, 10)] = Field(
        0.15, alias="watch_delay", description="one-way delay from which it is watched (ITU-T G.114)"
    )
