"""A rota as an iCalendar file (RFC 5545): given out for people's own calendars, and stand-ins read from one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vCalAddress

from alerting.oncall.rota import Shift, moment
from alerting.text import clean
from availability import recurrence

_Event: TypeAlias = Any  # the library's types name every value that any property could have
LARGEST = 1 << 20
MOST_EVENTS = 1000
MOST_TIMES = 400
"""Occurrences read of one event, at most those of a year."""


@dataclass(frozen=True, slots=True)
class Person:
    """A contact as a calendar may name it."""

    id: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Read:
    """An event that was read: a stand-in, or why it is none."""

    summary: str
    person: str = ""
    start_ns: int = 0
    end_ns: int = 0
    fault: str = ""


def export(rota: str, name: str, shifts: Iterable[Shift], people: Mapping[str, Person], now_ns: int) -> bytes:
    """Write shifts as a calendar; the same shift always has the same UID, so that a calendar updates it.

    Parameters:
        rota, name: the rota's id, and its name for people.
        shifts: as `alerting.oncall.rota.shifts` gives them; those with nobody on duty are left out.
        people: contacts by id.
        now_ns: stands in DTSTAMP.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Haidang//on call//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", name)
    for shift in shifts:
        if shift.person is None:
            continue
        person = people.get(shift.person, Person(shift.person, shift.person, ""))
        event = Event()
        event.add("uid", f"{rota}-{shift.start_ns // 10**9}-{shift.person}@haidang.invalid")
        event.add("dtstamp", _utc(now_ns))
        event.add("dtstart", _utc(shift.start_ns))
        event.add("dtend", _utc(shift.end_ns))
        event.add("summary", f"{name}: {person.name}")
        event.add("description", f"{shift.person} ({shift.by})")
        if person.email:
            attendee = vCalAddress(f"mailto:{person.email}")
            attendee.params["CN"] = person.name
            event.add("attendee", attendee)
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def read(data: bytes, people: Sequence[Person], zone: ZoneInfo, from_ns: int, to_ns: int) -> list[Read]:
    """Read stand-ins from a calendar: each event whose attendee or summary is one of the people.

    Parameters:
        data: the file, at most `LARGEST` bytes.
        people: who can stand in: found by mail address, else by id or name in the summary.
        zone: of times that have none of their own, and of whole days.
        from_ns, to_ns: only what ends after the one and begins before the other.

    Raises:
        ValueError: it is no calendar that can be read.
    """
    if len(data) > LARGEST:
        raise ValueError(f"the calendar is larger than {LARGEST} bytes")
    try:
        events: list[_Event] = list(Calendar.from_ical(data).walk("VEVENT"))
    except Exception as error:  # noqa: BLE001 the library raises whatever it trips over in a foreign file
        raise ValueError(f"this is no iCalendar file that can be read: {clean(str(error), 200)}") from error
    if len(events) > MOST_EVENTS:
        raise ValueError(f"the calendar has {len(events)} events, at most {MOST_EVENTS} are read")
    replaced: dict[str, set[int]] = {}
    for event in events:
        if "recurrence-id" in event:
            with suppress(ValueError, TypeError, AttributeError, OverflowError):
                replaced.setdefault(str(event.get("uid", "")), set()).add(_moment(event["recurrence-id"].dt, zone))
    return [one for event in events for one in _read(event, people, zone, from_ns, to_ns, replaced)]


def _read(
    event: _Event, people: Sequence[Person], zone: ZoneInfo, from_ns: int, to_ns: int, replaced: Mapping[str, set[int]]
) -> list[Read]:  # fmt: skip
    summary = clean(str(event.get("summary", "")), 100)
    try:
        if str(event.get("status", "")).upper() == "CANCELLED":
            return []
        start_ns, end_ns, own = _span(event, zone)
        times = _times(event, start_ns, own, zone, (from_ns - (end_ns - start_ns), to_ns), replaced)
        wanted = [(at_ns, at_ns + end_ns - start_ns) for at_ns in times]
        wanted = [(begin_ns, until_ns) for begin_ns, until_ns in wanted if until_ns > from_ns and begin_ns < to_ns]
        if not wanted:
            return []
        person = _person(event, summary, people)
        return [Read(summary, person, begin_ns, until_ns) for begin_ns, until_ns in wanted]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        return [Read(summary, fault=clean(str(error), 200) or type(error).__name__)]


def _span(event: _Event, zone: ZoneInfo) -> tuple[int, int, ZoneInfo]:
    """Return when an event begins and ends, and whose wall clock its repetitions follow."""
    if "dtstart" not in event:
        raise ValueError("the event has no beginning")
    start = event["dtstart"].dt
    if "dtend" in event:
        end = event["dtend"].dt
    else:
        end = start + (event["duration"].dt if "duration" in event else timedelta(days=1))
    start_ns, end_ns = _moment(start, zone), _moment(end, zone)
    if end_ns <= start_ns:
        raise ValueError("the event does not end after it begins")
    own = getattr(start, "tzinfo", None)
    if own is UTC:
        own = ZoneInfo("UTC")
    return start_ns, end_ns, own if isinstance(own, ZoneInfo) else zone


def _times(
    event: _Event, start_ns: int, own: ZoneInfo, zone: ZoneInfo, within: tuple[int, int],
    replaced: Mapping[str, set[int]],
) -> list[int]:  # fmt: skip
    """Return when an event begins: once, or as a series does, without the dates that other events replace."""
    if "recurrence-id" in event:
        if "RANGE" in event["recurrence-id"].params:
            raise ValueError("a change of this and all later ones (RANGE=THISANDFUTURE) is not read")
        return [start_ns]
    times = [start_ns]
    if "rrule" in event:
        times = recurrence.starts(event["rrule"].to_ical().decode(), start_ns, *within, own)[:MOST_TIMES]
    gone = {*_dates(event, "exdate", zone), *replaced.get(str(event.get("uid", "")), ())}
    return [at_ns for at_ns in sorted({*times, *_dates(event, "rdate", zone)}) if at_ns not in gone]


def _dates(event: _Event, name: str, zone: ZoneInfo) -> list[int]:
    """Return the single times that are added to a series (RDATE) or taken from it (EXDATE)."""
    found = event.get(name, [])
    times = [one.dt for part in (found if isinstance(found, list) else [found]) for one in part.dts]
    if any(isinstance(at, tuple) for at in times):
        raise ValueError("single times with a length of their own (RDATE;VALUE=PERIOD) are not read")
    return [_moment(at, zone) for at in times]


def _moment(at: date, zone: ZoneInfo) -> int:
    if not isinstance(at, datetime):
        return moment(datetime.combine(at, time()), zone)
    return moment(at, zone) if at.tzinfo is None else round(at.timestamp()) * 10**9


def _person(event: _Event, summary: str, people: Sequence[Person]) -> str:
    attendees = event.get("attendee", [])
    mails = {
        str(one).lower().removeprefix("mailto:") for one in (attendees if isinstance(attendees, list) else [attendees])
    }
    found = [one.id for one in people if one.email and one.email.lower() in mails]
    if not found:
        words = summary.casefold()
        found = [one.id for one in people if words in (one.id, one.name.casefold())]
        found = found or [one.id for one in people if words.endswith(f": {one.name.casefold()}")]
    if len(found) != 1:
        raise ValueError("the event names nobody" if not found else f"the event names several: {', '.join(found)}")
    return found[0]


def _utc(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // 10**9, UTC)
