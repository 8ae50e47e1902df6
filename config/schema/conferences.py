"""Meetings by video: when they are, which rooms take part, and how well a line must do."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from config.errors import quoted
from config.schema.named import Named
from config.schema.values import Refusal, Section, Slug, line, number, seconds
from config.secrets import Secret, beside_the_file

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


class MeetingCalendar(Section):
    """A calendar (iCalendar, RFC 5545) that meetings are read from: a file, or an address."""

    id: Slug = Field(description="how it is called")
    file: Annotated[str, AfterValidator(beside_the_file)] | None = Field(
        None, description="a file; relative paths are relative to the file that says so"
    )
    url: Annotated[str, line(1000)] | None = Field(None, description="an address: https://cal.example.org/hnth.ics")
    private_url: Secret | None = Field(None, description="an address that is a secret itself, instead of url")
    username: Annotated[str, line(200)] | None = Field(None, description="who asks (Basic)")
    password: Secret | None = Field(None, description="goes with username")
    trust: Annotated[str, AfterValidator(beside_the_file)] | None = Field(
        None, description="PEM file of the authorities to trust; default: this machine's"
    )
    every_s: Annotated[float, seconds(60, 86400)] = Field(600.0, alias="every", description="how often it is read")
    away_s: Annotated[float, seconds(60, 604800)] = Field(
        3600.0, alias="away", description="how long it may not be read before people are told"
    )
    timeout_s: Annotated[float, seconds(1, 120)] = Field(20.0, alias="timeout", description="for all of it")
    rooms: dict[Annotated[str, line(200)], tuple[Slug, ...]] = Field(
        default_factory=dict,
        description="what the calendar calls a room (mail address, name, place): the targets meant; "
        "beside their ids and names",
    )
    organisers: tuple[Annotated[str, line(200)], ...] = Field(
        (), description="mail domains: organisers with an address there are mailed, also those who are no contact"
    )

    @field_validator("url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        return None if value is None else calendar_address(value)

    @model_validator(mode="after")
    def _one_place(self) -> MeetingCalendar:
        if sum(place is not None for place in (self.file, self.url, self.private_url)) != 1:
            raise Refusal("a calendar is at exactly one of file, url and private_url")
        if (self.username is None) != (self.password is None):
            raise Refusal("username and password go together")
        if self.file is not None and (self.username or self.trust):
            raise Refusal("username, password and trust are for an address, not for a file")
        return self


def calendar_address(value: str) -> str:
    """Check the address of a calendar; ``webcal://`` is https.

    Raises:
        Refusal: it is none; its text is not in the message, as it may be a secret.
    """
    found = re.sub(r"^webcals?://", "https://", value.strip(), flags=re.IGNORECASE)
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s#]*)?", found, re.IGNORECASE):
        raise Refusal("this is not the address of a calendar: write https://HOST/PATH, a name and password apart")
    return found


class Conferences(Section):
    """Meetings by video."""

    meetings: tuple[Meeting, ...] = Field((), description="those that stand here")
    calendars: tuple[MeetingCalendar, ...] = Field((), description="those that are kept in calendars")
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
