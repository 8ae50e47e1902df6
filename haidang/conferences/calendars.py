"""Meetings out of a calendar (iCalendar, RFC 5545): each event that names a room of ours is one.

What is read of an event: UID, SUMMARY, DTSTART with DTEND or DURATION, RRULE, RDATE, EXDATE, RECURRENCE-ID, STATUS,
ORGANIZER; its rooms are those whose address or name stands among ATTENDEE, RESOURCES and LOCATION. A time without a
zone, and one whose zone nobody knows, is on the configuration's wall clock. Whatever of a calendar cannot be used is
said and left out, event by event.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from typing import Any, TypeAlias

from icalendar import Calendar

from alerting.oncall.rota import moment
from alerting.text import clean
from availability import recurrence
from config import Configuration
from config.schema.conferences import Meeting, MeetingCalendar
from haidang.conferences.meetings import Series
from haidang.importing.headings import plain

_Event: TypeAlias = Any  # the library's types name every value that any property could have
LARGEST = 1 << 20
MOST_EVENTS = 5000
MOST_DATES = 1000
"""Single dates added to or taken from a series."""
MOST_FAULTS = 100
LASTING = timedelta(hours=2)
"""Of an event that does not say when it ends."""
LONGEST_NS = 31 * 86_400 * 10**9
_ERRORS = (ValueError, KeyError, TypeError, AttributeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Read:
    """What was read from a calendar.

    Parameters:
        series: its meetings.
        events: how many there are in it, with those that are no meetings of ours.
        faults: what could not be used, each with its event.
    """

    series: tuple[Series, ...] = ()
    events: int = 0
    faults: tuple[str, ...] = ()


def parse(body: bytes, settings: MeetingCalendar, configuration: Configuration) -> Read:
    """Read a calendar.

    Parameters:
        body: at most `LARGEST` bytes.
        settings: what it calls the rooms, and whose organisers are told.
        configuration: the rooms, the contacts, the time zone.

    Raises:
        ValueError: it is none that can be read; says why.
    """
    if len(body) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST // 1024} KiB")
    if not body.rstrip().upper().endswith(b"END:VCALENDAR"):
        raise ValueError("this is no whole iCalendar file: it does not end with END:VCALENDAR")
    try:
        calendars = Calendar.from_ical(body, multiple=True)
        events = [event for one in calendars for event in one.walk("VEVENT")]
    except Exception as error:  # the library raises whatever it trips over in a foreign file
        raise ValueError(f"this is no iCalendar file that can be read: {clean(str(error), 200)}") from error
    if len(events) > MOST_EVENTS:
        raise ValueError(f"it has {len(events)} events, at most {MOST_EVENTS} are read")
    if any(str(one.get("method", "")).upper() == "CANCEL" for one in calendars):
        return Read(events=len(events))
    return _Reader(settings, configuration).read(events)


class _Reader:
    def __init__(self, settings: MeetingCalendar, configuration: Configuration) -> None:
        self._settings = settings
        self._configuration = configuration
        self._zone = configuration.timezone
        self._faults: list[str] = []

    def read(self, events: Sequence[_Event]) -> Read:
        by_uid: dict[str, list[_Event]] = {}
        for event in events:
            # Without a UID, which RFC 5545 demands, an event is one of its own.
            by_uid.setdefault(str(event.get("uid", "")) or f"#{id(event)}", []).append(event)
        series: list[Series] = []
        for uid, parts in by_uid.items():
            try:
                series += self._meeting(uid, parts)
            except _ERRORS as error:
                broken = re.search(r"broken property '([A-Z-]{1,30})'", str(error))
                words = f"its {broken[1]} cannot be read" if broken else clean(str(error), 200)
                self._note(parts[0], words or type(error).__name__)
        if len(self._faults) > MOST_FAULTS:
            more = len(self._faults) - MOST_FAULTS
            self._faults = [*self._faults[:MOST_FAULTS], f"and {more} more"]
        return Read(tuple(series), len(events), tuple(self._faults))

    def _meeting(self, uid: str, parts: Sequence[_Event]) -> Iterator[Series]:
        """Return a series and its single changes, each a series of one."""
        newest: dict[int | None, _Event] = {}
        for part in sorted(parts, key=_version):
            again = part.get("recurrence-id")
            newest[None if again is None else self._moment(again.dt, part)] = part
        main = newest.pop(None, None)
        rooms, known = (self._rooms(main), _id(uid, main)) if main is not None else ((), _id(uid, parts[0]))
        if main is not None and rooms and not _cancelled(main):
            yield self._series(main, known, rooms, frozenset(one for one in newest if one is not None))
        for part in newest.values():
            own = self._rooms(part)
            if not own and not any(key in part for key in ("attendee", "location", "resources")):
                own = rooms
            if own and not _cancelled(part) and not (main is not None and _cancelled(main)):
                if str(part["recurrence-id"].params.get("RANGE", "")):
                    self._note(part, "a change of all that follow (RANGE) is taken for this one time only")
                yield self._series(part, known, own, frozenset(), once=True)

    def _series(
        self, event: _Event, known: str, rooms: tuple[str, ...], changed: frozenset[int], *, once: bool = False
    ) -> Series:
        if "dtstart" not in event:
            raise ValueError("it has no beginning (DTSTART) that can be read")
        begin = event["dtstart"].dt
        start_ns, end_ns = self._moment(begin, event), self._end(event)
        if not 0 < end_ns - start_ns <= LONGEST_NS:
            raise ValueError("it does not end after it begins, or lasts longer than 31 days")
        own = getattr(begin, "tzinfo", None)
        zone: tzinfo = own if isinstance(own, tzinfo) else self._zone
        rule = "" if once else self._rule(event)
        if rule:
            recurrence.check(rule)
        without = changed | frozenset(self._dates(event, "exdate"))
        organiser, mail = self._organiser(event)
        meeting = Meeting.model_validate(
            {"id": known, "name": _summary(event), "start": "2000-01-01T00:00", "rooms": rooms, "organiser": organiser}
        )
        added = () if once else tuple(self._dates(event, "rdate"))
        return Series(meeting, start_ns, end_ns - start_ns, zone, rule, added, without, mail)

    def _end(self, event: _Event) -> int:
        begin: date = event["dtstart"].dt
        if "dtend" in event:
            return self._moment(event["dtend"].dt, event)
        if "duration" in event:
            lasting: timedelta = event["duration"].dt
            return self._moment(begin, event) + round(lasting.total_seconds() * 1e9)
        return self._moment(begin + (LASTING if isinstance(begin, datetime) else timedelta(days=1)), event)

    def _rule(self, event: _Event) -> str:
        rule = event.get("rrule")
        if rule is None:
            return ""
        if isinstance(rule, list):
            raise TypeError("it has more than one RRULE")
        return str(rule.to_ical().decode())

    def _dates(self, event: _Event, key: str) -> list[int]:
        found = []
        lists = event.get(key, [])
        for one in lists if isinstance(lists, list) else [lists]:
            for value in one.dts:
                at = value.dt[0] if isinstance(value.dt, tuple) else value.dt
                if not isinstance(at, datetime) and isinstance(event["dtstart"].dt, datetime):
                    at = datetime.combine(at, event["dtstart"].dt.timetz())  # a day alone means the one of that day
                found.append(self._moment(at, event))
        if len(found) > MOST_DATES:
            raise ValueError(f"it has {len(found)} dates in {key.upper()}, at most {MOST_DATES} are read")
        return found

    def _moment(self, at: date, event: _Event) -> int:
        if not isinstance(at, datetime):
            return moment(datetime.combine(at, time()), self._zone)
        if at.tzinfo is not None:
            return round(at.timestamp()) * 10**9
        zone = event["dtstart"].params.get("TZID") if "dtstart" in event else None
        if zone:
            self._note(event, f"its time zone {clean(str(zone), 60)} is not known: {self._zone} is taken")
        return moment(at, self._zone)

    def _organiser(self, event: _Event) -> tuple[str | None, str]:
        """Return the contact who organises, or where he reads mail when he is no contact and may be told."""
        address = _mailbox(event.get("organizer", ""))
        for contact in self._configuration.inventory.contacts.values():
            if address and contact.email is not None and contact.email.casefold() == address:
                return contact.id, ""
        local, at, domain = address.rpartition("@")
        told = at and domain in {one.casefold().lstrip("@") for one in self._settings.organisers}
        return None, address if told and re.fullmatch(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}", local) else ""

    def _rooms(self, event: _Event) -> tuple[str, ...]:
        """Return the rooms of ours that an event names; a room of its own that we do not know is noted."""
        found: list[str] = []
        unknown: list[str] = []
        attendees = event.get("attendee", [])
        for one in attendees if isinstance(attendees, list) else [attendees]:
            words = {key.upper(): str(value) for key, value in one.params.items()}
            if words.get("PARTSTAT", "").upper() == "DECLINED":
                continue
            meant = self._meant(_mailbox(one)) or self._meant(words.get("CN", ""))
            found += meant
            if not meant and words.get("CUTYPE", "").upper() in ("ROOM", "RESOURCE"):
                unknown.append(words.get("CN") or _mailbox(one))
        for place in _places(event):
            found += self._meant(place)
        rooms = tuple(dict.fromkeys(found))
        if unknown and rooms and not _cancelled(event):
            names = ", ".join(clean(one, 60) for one in unknown[:5])
            self._note(event, f"nobody knows its room {names}: name it under conferences.calendars.rooms")
        return rooms

    def _meant(self, name: str) -> tuple[str, ...]:
        return self._names.get(_folded(name), ())

    @cached_property
    def _names(self) -> Mapping[str, tuple[str, ...]]:
        """What a calendar may call a room; a name that two targets share says nothing."""
        named: dict[str, set[str]] = {}
        for target in self._configuration.inventory.targets.values():
            for word in {target.label("vi"), target.label("en")}:
                named.setdefault(_folded(word), set()).add(target.id)
        names = {word: tuple(meant) for word, meant in named.items() if len(meant) == 1}
        names |= {_folded(name): (name,) for name in self._configuration.inventory.targets}
        return {**names, **{_folded(word): meant for word, meant in self._settings.rooms.items()}}

    def _note(self, event: _Event, fault: str) -> None:
        text = f"{_summary(event)}: {fault}"
        if text not in self._faults:
            self._faults.append(text)


def _version(event: _Event) -> tuple[int, datetime]:
    """Say which of two texts of one event is the newer (RFC 5545 §3.8.7.4, RFC 5546 §2.1.5)."""
    try:
        stamp = event["dtstamp"].dt if "dtstamp" in event else date.min
        stamp = stamp if isinstance(stamp, datetime) else datetime.combine(stamp, time())
        stamp = stamp.astimezone(UTC) if stamp.tzinfo else stamp.replace(tzinfo=UTC)
        return int(event.get("sequence", 0)), stamp
    except _ERRORS:
        return 0, datetime.min.replace(tzinfo=UTC)


def _places(event: _Event) -> Iterable[str]:
    """Return what may be a room in the places and resources of an event: whole, and part by part."""
    resources = event.get("resources", [])
    for one in resources if isinstance(resources, list) else [resources]:
        yield from [str(part) for part in getattr(one, "cats", [one])]
    place = str(event.get("location", ""))[:4000]
    yield place
    parts = re.split(r"[;|\n]", place)
    yield from parts
    for part in parts:
        yield from part.split(",")


def _cancelled(event: _Event) -> bool:
    return str(event.get("status", "")).upper() == "CANCELLED"


def _mailbox(value: object) -> str:
    return re.sub(r"^mailto:", "", str(value).strip(), flags=re.IGNORECASE).casefold()


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _summary(event: _Event) -> str:
    return clean(str(event.get("summary", "")), 150).strip() or "an event without a title"


def _id(uid: str, event: _Event) -> str:
    """Make the id of a meeting: readable, and always the same for one UID and title."""
    words = plain(_summary(event)).replace(" ", "-")[:40].strip("-.")
    return f"{words or 'meeting'}-{hashlib.sha256(uid.encode()).hexdigest()[:6]}"
