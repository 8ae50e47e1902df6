"""A rota as a calendar file, and back."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerting.oncall.calendar import Person, Read, export, read
from alerting.oncall.rota import Layer, Rota, moment, shifts

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
PEOPLE = [Person("an", "Nguyễn Văn An", "an@example.vn"), Person("binh", "Trần Thị Bình", "")]
HOUR = 3600 * 10**9


def wall(text: str) -> int:
    return moment(datetime.fromisoformat(text), ZONE)


FROM, TO = wall("2026-11-01 00:00"), wall("2027-03-01 00:00")


def event(*lines: str) -> bytes:
    text = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", "UID:1", *lines])
    return f"{text}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n".encode()


def test_what_was_exported_is_read_back_as_the_same_shifts() -> None:
    rota = Rota("duty", ZONE, (Layer(("an", "binh"), datetime(2026, 11, 2, 8), timedelta(hours=12)),))  # noqa: DTZ001
    expected = shifts(rota, [], wall("2026-11-02 08:00"), wall("2026-11-12 08:00"))
    data = export("duty", "Trực ban", expected, {one.id: one for one in PEOPLE}, FROM)
    assert b"ATTENDEE" in data
    found = read(data, PEOPLE, ZONE, FROM, TO)
    assert [(one.person, one.start_ns, one.end_ns) for one in found] == [
        (one.person, one.start_ns, one.end_ns) for one in expected
    ]
    assert export("duty", "Trực ban", expected, {one.id: one for one in PEOPLE}, FROM) == data


def test_a_whole_day_is_one_on_the_wall_clock_of_the_rota() -> None:
    [found] = read(event("SUMMARY:binh", "DTSTART;VALUE=DATE:20261124"), PEOPLE, ZONE, FROM, TO)
    assert found == Read("binh", "binh", wall("2026-11-24 00:00"), wall("2026-11-25 00:00"))


def test_a_time_with_a_zone_is_that_zones_and_one_without_the_rotas() -> None:
    utc = event("SUMMARY:An", "ATTENDEE:MAILTO:AN@example.vn", "DTSTART:20261124T010000Z", "DTEND:20261124T020000Z")
    here = event("SUMMARY:An", "ATTENDEE:mailto:an@example.vn", "DTSTART:20261124T080000", "DURATION:PT1H")
    for data in (utc, here):
        [found] = read(data, PEOPLE, ZONE, FROM, TO)
        assert (found.person, found.start_ns, found.end_ns - found.start_ns) == ("an", wall("2026-11-24 08:00"), HOUR)


def test_a_series_is_read_occurrence_by_occurrence() -> None:
    weekly = event("SUMMARY:an", "DTSTART:20261101T200000", "DTEND:20261102T080000", "RRULE:FREQ=WEEKLY;UNTIL=20261122")
    found = read(weekly, PEOPLE, ZONE, wall("2026-11-05 00:00"), TO)
    assert [one.start_ns for one in found] == [wall(f"2026-11-{day} 20:00") for day in ("08", "15", "22")]


def test_the_end_of_a_series_is_read_as_calendars_write_it() -> None:
    nightly = event(
        "SUMMARY:an", "DTSTART;TZID=Asia/Ho_Chi_Minh:20261101T020000", "DURATION:PT1H",
        "RRULE:FREQ=DAILY;UNTIL=20261102T190000Z",
    )  # fmt: skip
    assert [one.start_ns for one in read(nightly, PEOPLE, ZONE, FROM, TO)] == [
        wall(f"2026-11-{day} 02:00") for day in ("01", "02", "03")
    ]
    counted = event("SUMMARY:an", "DTSTART:20261101T020000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2")
    assert len(read(counted, PEOPLE, ZONE, FROM, TO)) == 2


def test_single_dates_are_taken_from_a_series_added_to_it_and_moved() -> None:
    series = event(
        "SUMMARY:an", "DTSTART:20261101T080000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5",
        "EXDATE:20261102T080000,20261103T080000", "RDATE:20261120T080000",
        "END:VEVENT", "BEGIN:VEVENT", "UID:1", "RECURRENCE-ID:20261104T080000", "SUMMARY:binh",
        "DTSTART:20261104T120000", "DURATION:PT2H",
        "END:VEVENT", "BEGIN:VEVENT", "UID:1", "RECURRENCE-ID:20261105T080000", "SUMMARY:an", "STATUS:CANCELLED",
        "DTSTART:20261105T080000", "DURATION:PT1H",
    )  # fmt: skip
    found = [(one.person, one.start_ns) for one in read(series, PEOPLE, ZONE, FROM, TO)]
    assert found == [
        ("an", wall("2026-11-01 08:00")), ("an", wall("2026-11-20 08:00")), ("binh", wall("2026-11-04 12:00")),
    ]  # fmt: skip


def test_what_repeats_in_utc_repeats_in_utc() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    weekly = event("SUMMARY:an", "DTSTART:20260323T010000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=2")
    first, second = read(weekly, PEOPLE, berlin, moment(datetime.fromisoformat("2026-01-01"), berlin), TO)
    assert second.start_ns - first.start_ns == 7 * 24 * HOUR, "the clocks of Berlin change in between"


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (event("SUMMARY:somebody", "DTSTART;VALUE=DATE:20261124"), "names nobody"),
        (event("SUMMARY:an"), "no beginning"),
        (event("SUMMARY:an", "DTSTART:20261124T080000", "DTEND:20261124T070000"), "does not end after"),
        (event("SUMMARY:an", "DTSTART:20261124T080000", "DURATION:PT1H", "RRULE:FREQ=SECONDLY"), "FREQ"),
        (
            event("SUMMARY:an", "DTSTART:20261124T080000", "DURATION:PT1H", "RDATE;VALUE=PERIOD:20261124T080000Z/PT5H"),
            "PERIOD",
        ),
        (
            event(
                "SUMMARY:an",
                "DTSTART:20261124T080000",
                "DURATION:PT1H",
                "RECURRENCE-ID;RANGE=THISANDFUTURE:20261124T080000",
            ),
            "THISANDFUTURE",
        ),
    ],
)
def test_an_event_that_cannot_be_a_stand_in_says_why(data: bytes, fault: str) -> None:
    [found] = read(data, PEOPLE, ZONE, FROM, TO)
    assert fault in found.fault
    assert not found.person


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"BEGIN:VCALENDAR\r\nnonsense", b"x" * ((1 << 20) + 1)])
def test_what_is_no_calendar_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"(?i)calendar"):
        read(data, PEOPLE, ZONE, FROM, TO)


def test_a_hostile_summary_comes_out_harmless() -> None:
    [found] = read(event("SUMMARY:\x1b[31mred", "DTSTART;VALUE=DATE:20261124"), PEOPLE, ZONE, FROM, TO)
    assert "\x1b" not in found.summary + found.fault
