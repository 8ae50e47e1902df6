"""Meetings out of calendars: what is read of an event, what is said of the rest, and what stays known."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

import config
from alerting.oncall.rota import moment
from haidang.cli import app
from haidang.clock import ManualClock, SystemClock
from haidang.conferences.calendars import LARGEST, Read, parse
from haidang.conferences.keeping import CalendarAway, Keeping, fetch, on_record
from haidang.conferences.meetings import sittings
from haidang.conferences.sheets import Room, in_words
from haidang.conferences.verdict import Verdict
from haidang.conferences.works import flagged
from haidang.rehearsal import Postbox, rehearse
from lab.lines import Conditions
from lab.network import Network
from storage.accounts import Accounts, Maintenance
from storage.database import Database
from tests.support.http_sink import HANG, http_sink

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
TEXT = """haidang: 1
data_dir: ./data
contacts: [{id: chair, email: Chair@example.org}]
alerting: {mail: {from: haidang@example.org, servers: [{host: 127.0.0.1, security: none}]}}
targets:
  - {id: hub, address: 192.0.2.9}
  - {id: centre-1, name: Hội trường UBND tỉnh, address: 192.0.2.1, role: room, parents: [hub]}
  - {id: chu-1, name: Phòng họp, address: 192.0.2.2, role: room}
  - {id: an-1, name: Phòng họp, address: 192.0.2.3, role: room}
conferences:
  calendars:
    - {id: office, PLACE, organisers: [bacgiang.gov.vn],
       rooms: {"chu@bacgiang.gov.vn": [chu-1], "all rooms": [centre-1, chu-1, an-1]}}
"""


def at(text: str) -> int:
    return moment(datetime.fromisoformat(text), ZONE)


FROM, TO = at("2026-12-01T00:00"), at("2027-02-01T00:00")


def written(tmp_path: Path, where: str = "file: office.ics") -> config.Configuration:
    (tmp_path / "haidang.yaml").write_text(TEXT.replace("PLACE", where), encoding="utf-8")
    return config.load(tmp_path / "haidang.yaml")


@pytest.fixture
def loaded(tmp_path: Path) -> config.Configuration:
    return written(tmp_path)


def event(*lines: str, uid: str = "1", room: str = "LOCATION:centre-1") -> str:
    return "\r\n".join(
        ["BEGIN:VEVENT", f"UID:{uid}", "SUMMARY:Giao ban tuần", *filter(None, [room]), *lines, "END:VEVENT"]
    )


def calendar(*events: str, head: str = "") -> bytes:
    parts = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *filter(None, [head]), *events, "END:VCALENDAR", ""]
    return "\r\n".join(parts).encode()


def read(loaded: config.Configuration, *events: str, head: str = "") -> Read:
    return parse(calendar(*events, head=head), loaded.conferences.calendars[0], loaded)


def times(found: Read) -> list[str]:
    return [
        f"{datetime.fromtimestamp(one.start_ns // 10**9, ZONE):%m-%d %H:%M}-"
        f"{datetime.fromtimestamp(one.end_ns // 10**9, ZONE):%H:%M}"
        for one in sittings(found.series, FROM, TO)
    ]


MORNING = ("DTSTART;TZID=Asia/Ho_Chi_Minh:20261207T080000", "DTEND;TZID=Asia/Ho_Chi_Minh:20261207T100000")
WEEKLY = (*MORNING, "RRULE:FREQ=WEEKLY;COUNT=4")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (MORNING, ["12-07 08:00-10:00"]),
        (("DTSTART:20261207T010000Z", "DURATION:PT90M"), ["12-07 08:00-09:30"]),
        (("DTSTART:20261207T080000",), ["12-07 08:00-10:00"]),
        (("DTSTART;VALUE=DATE:20261207",), ["12-07 00:00-00:00"]),
        (("DTSTART;TZID=SE Asia Standard Time:20261207T080000", "DURATION:PT1H"), ["12-07 08:00-09:00"]),
        (("DTSTART;TZID=Europe/Berlin:20261207T020000", "DURATION:PT1H"), ["12-07 08:00-09:00"]),
        (WEEKLY, ["12-07 08:00-10:00", "12-14 08:00-10:00", "12-21 08:00-10:00", "12-28 08:00-10:00"]),
        ((*MORNING, "RRULE:FREQ=WEEKLY;UNTIL=20261214T010000Z"), ["12-07 08:00-10:00", "12-14 08:00-10:00"]),
        ((*MORNING, "RRULE:FREQ=WEEKLY;UNTIL=20261213T235959Z"), ["12-07 08:00-10:00"]),
        (
            (*WEEKLY, "EXDATE;TZID=Asia/Ho_Chi_Minh:20261214T080000,20261221T080000", "EXDATE:20261228T010000Z"),
            ["12-07 08:00-10:00"],
        ),
        ((*WEEKLY[:2], "RDATE:20261210T020000Z"), ["12-07 08:00-10:00", "12-10 09:00-11:00"]),
        ((*MORNING, "STATUS:CANCELLED"), []),
    ],
)
def test_an_event_is_held_when_it_says(
    loaded: config.Configuration, lines: tuple[str, ...], expected: list[str]
) -> None:
    found = read(loaded, event(*lines))
    assert times(found) == expected
    assert found.faults == ()


def test_one_of_a_series_can_be_moved_called_off_or_held_elsewhere(loaded: config.Configuration) -> None:
    again = "RECURRENCE-ID;TZID=Asia/Ho_Chi_Minh:202612{}T080000"
    moved = event(again.format(14), "DTSTART:20261215T020000Z", "DTEND:20261215T030000Z", "SEQUENCE:2")
    older = event(again.format(14), "DTSTART:20261216T020000Z", "DTEND:20261216T030000Z", "SEQUENCE:1")
    off = event(again.format(21), *MORNING, "STATUS:CANCELLED")
    same = [line.replace("20261207", "20261228") for line in MORNING]
    elsewhere = event(again.format(28), *same, room="LOCATION:chu-1")
    found = read(loaded, moved, event(*WEEKLY), older, off, elsewhere)
    assert times(found) == ["12-07 08:00-10:00", "12-15 09:00-10:00", "12-28 08:00-10:00"]
    held = sittings(found.series, FROM, TO)
    assert [one.meeting.rooms for one in held] == [("centre-1",), ("centre-1",), ("chu-1",)]
    assert len({one.meeting.id for one in held}) == 1
    assert held[0].meeting.id.startswith("giao-ban-tuan-")
    assert times(read(loaded, event(*WEEKLY, "STATUS:CANCELLED"), moved)) == []
    assert times(read(loaded, event(*WEEKLY), head="METHOD:CANCEL")) == []


@pytest.mark.parametrize(
    ("line", "rooms"),
    [
        ("LOCATION:CENTRE-1", ("centre-1",)),
        ("LOCATION:Hội trường UBND tỉnh\\; phòng khác", ("centre-1",)),
        ("LOCATION:centre-1\\, chu-1", ("centre-1", "chu-1")),
        ("LOCATION:Phòng họp", ()),  # two are called so
        ("RESOURCES:all rooms", ("centre-1", "chu-1", "an-1")),
        ("ATTENDEE;CUTYPE=ROOM;CN=anything:mailto:Chu@bacgiang.gov.vn", ("chu-1",)),
        ("ATTENDEE;CUTYPE=ROOM;PARTSTAT=DECLINED:mailto:chu@bacgiang.gov.vn", ()),
        ("ATTENDEE;CN=an-1:mailto:nobody@example.org", ("an-1",)),
        ("ATTENDEE:mailto:somebody@example.org", ()),
        ("", ()),
    ],
)
def test_the_rooms_are_those_that_an_event_names(
    loaded: config.Configuration, line: str, rooms: tuple[str, ...]
) -> None:
    found = read(loaded, event(*MORNING, room=line))
    assert [one.meeting.rooms for one in found.series] == ([rooms] if rooms else [])
    assert found.events == 1


def test_the_organiser_is_a_contact_or_may_be_told_by_his_domain(loaded: config.Configuration) -> None:
    def told(address: str) -> tuple[str | None, str]:
        (one,) = read(loaded, event(*MORNING, f"ORGANIZER;CN=x:{address}")).series
        return one.meeting.organiser, one.mail

    assert told("mailto:chair@EXAMPLE.org") == ("chair", "")
    assert told("MAILTO:Van.Thu@bacgiang.gov.vn") == (None, "van.thu@bacgiang.gov.vn")
    assert told("mailto:x@evil.example") == told("mailto:a@evil.example@x") == (None, "")
    assert told('mailto:"a b"@bacgiang.gov.vn') == (None, "")


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (("SUMMARY:x",), "no beginning"),
        (("DTSTART:20261207T080000", "DTEND:20261207T070000"), "does not end after it begins"),
        (("DTSTART:20261207T080000", "DTEND:20271207T070000"), "31 days"),
        ((*MORNING, "RRULE:FREQ=SECONDLY"), "FREQ"),
        ((*MORNING, "RRULE:FREQ=DAILY;BYHOUR=1,2,3"), "BYHOUR"),
        (("DTSTART:garbage",), "its DTSTART cannot be read"),
        ((*MORNING, "ATTENDEE;CUTYPE=ROOM;CN=Phòng lạ:mailto:la@example.org"), "nobody knows its room Phòng lạ"),
        (("DTSTART;TZID=Sao Hoả:20261207T080000", "DURATION:PT1H"), "time zone Sao Hoả is not known"),
        ((*MORNING, "EXDATE:" + ",".join(["20261207T010000Z"] * 1001)), "at most 1000"),
    ],
)
def test_what_cannot_be_used_is_said_and_the_rest_is_read(
    loaded: config.Configuration, lines: tuple[str, ...], fault: str
) -> None:
    found = read(loaded, event(*lines), event(*MORNING, uid="2"))
    assert any(fault in one for one in found.faults), found.faults
    assert "12-07 08:00-10:00" in times(found)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "whole iCalendar file"),
        (b"<html>sign in</html>", "whole iCalendar file"),
        (calendar(event(*MORNING))[:-20], "whole iCalendar file"),
        (b"\0\xff" * 40 + b"END:VCALENDAR", "no iCalendar file"),
        (b"x" * (LARGEST + 1), "larger than 1024 KiB"),
        (calendar(*["BEGIN:VEVENT\r\nEND:VEVENT"] * 5001), "5001 events"),
    ],
)
def test_what_is_no_calendar_is_refused_in_words(loaded: config.Configuration, body: bytes, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse(body, loaded.conferences.calendars[0], loaded)


def test_mutated_calendars_are_read_or_refused_and_never_for_long(loaded: config.Configuration) -> None:
    chance = random.Random(8)
    whole = calendar(
        event(*WEEKLY, "EXDATE:20261214T010000Z", "ORGANIZER:mailto:chair@example.org"),
        event("RECURRENCE-ID:20261221T010000Z", *MORNING),
    )
    began = time.process_time()
    for _ in range(500):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(body))
            body[place : place + chance.randint(0, 4)] = bytes(
                chance.choices(b"0123456789TZ;:=,\r\nABCDE\xff\0", k=chance.randint(0, 4))
            )
        try:
            found = parse(bytes(body) + b"\r\nEND:VCALENDAR", loaded.conferences.calendars[0], loaded)
            sittings(found.series, FROM, TO)
        except ValueError:
            continue
    assert time.process_time() - began < 30


async def settled(keeping: Keeping, wanted: Callable[[], bool]) -> None:
    """Let it read until something is so."""
    task = asyncio.create_task(keeping.run())
    try:
        async with asyncio.timeout(5):
            while not wanted():  # noqa: ASYNC110 no event tells it
                await asyncio.sleep(0.01)
    finally:
        task.cancel()


async def test_what_was_read_last_stays_known_while_the_calendar_is_away(tmp_path: Path) -> None:
    path = tmp_path / "office.ics"
    path.write_bytes(calendar(event(*WEEKLY)))
    loaded, database = written(tmp_path), Database(tmp_path / "haidang.db", "haidang")
    told: list[int] = []
    keeping = Keeping(loaded, database, SystemClock(), lambda: told.append(1))
    await settled(keeping, lambda: bool(keeping.calendars and keeping.calendars[0].read_ns))
    assert len(keeping.meetings()) == 1
    assert told
    read_ns = keeping.calendars[0].read_ns

    path.unlink()
    again = Keeping(loaded, database, SystemClock(), lambda: None)
    await settled(again, lambda: bool(again.calendars and again.calendars[0].fault))
    (kept,) = again.calendars
    assert (kept.read_ns, len(kept.found.series)) == (read_ns, 1)
    assert "there is no such file" in kept.fault
    (kept,) = on_record(loaded, database.connection)
    assert (kept.read_ns, len(kept.found.series)) == (read_ns, 1)

    moved = written(tmp_path, "file: other.ics")
    assert on_record(moved, database.connection)[0].found.series == (), "another calendar"
    again.use(written(tmp_path, "file: office.ics, every: 1h"))
    path.write_bytes(calendar(event(*WEEKLY), event(*MORNING, uid="2")))
    await settled(again, lambda: len(again.meetings()) == 2)
    assert again.calendars[0].fault == ""
    database.close()


@pytest.mark.parametrize(
    ("answer", "body", "fault"),
    [
        ("200 OK", b"", ""),
        ("404 Not Found", b"", "answered 404"),
        ("401 Unauthorized", b"", "refused"),
        ("302 Found\r\nLocation: https://elsewhere.example/x?key=secret", b"", "moved to elsewhere.example"),
        ("200 OK", b"x" * (LARGEST + 1), "larger than 1024 KiB"),
        (HANG, b"", "no answer within 1 s"),
    ],
)
async def test_a_calendar_at_an_address_is_fetched_or_it_is_said_why_not(
    tmp_path: Path, answer: str, body: bytes, fault: str
) -> None:
    async with http_sink() as sink:
        sink.answer, sink.body = (lambda _number: answer), body or calendar(event(*MORNING))
        (tmp_path / "address").write_text(f"{sink.url}?key=secret")
        where = "private_url: {file: address}, username: haidang, password: {file: address}, timeout: 1s"
        (wanted,) = written(tmp_path, where).conferences.calendars
        if not fault:
            assert (await fetch(wanted)).startswith(b"BEGIN:VCALENDAR")
            assert sink.requests[0].headers["authorization"].startswith("Basic ")
            return
        with pytest.raises(CalendarAway, match=fault) as error:
            await fetch(wanted)
        assert "secret" not in str(error.value)


def test_the_commands_show_what_calendars_hold_and_what_disturbs_it(tmp_path: Path) -> None:
    def asked(*words: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, ["conferences", *words, "--config", str(tmp_path / "haidang.yaml")])
        return done.exit_code, done.stdout, done.stderr

    loaded = written(tmp_path)
    code, out, _ = asked("read")
    assert (code, "there is no such file" in out) == (1, True)
    soon = datetime.fromtimestamp(time.time() + 3 * 86_400, ZONE)
    lines = (f"DTSTART:{soon:%Y%m%d}T080000", "DURATION:PT1H", "ORGANIZER:mailto:chair@example.org")
    (tmp_path / "office.ics").write_bytes(
        calendar(event(*lines), event(*lines, room="", uid="2"), event("SUMMARY:odd", uid="3"))
    )
    code, out, _ = asked("read")
    assert code == 0
    for words in ("giao-ban-tuan-", "chair", "centre-1", "3 events, 1 of them meetings", "no beginning"):
        assert words in out
    code, _, err = asked("list")
    assert "calendar office was not read yet" in err
    database = Database(loaded.data_dir / "haidang.db", "haidang")
    keeping = Keeping(loaded, database, SystemClock(), lambda: None)
    asyncio.run(settled(keeping, lambda: bool(keeping.calendars and keeping.calendars[0].read_ns)))
    start_ns = at(f"{soon:%Y-%m-%d}T07:30")
    Accounts(database).plan(
        Maintenance(0, "target", "hub", start_ns, start_ns + 3600 * 10**9, "", "Asia/Ho_Chi_Minh", 1, "card", "Hà", 1)
    )
    database.close()
    code, out, err = asked("list", "--json")
    (row,) = json.loads(out)
    assert (row["rooms"], row["maintenance"]) == (["centre-1"], [1])
    assert "odd" in err
    code, out, _ = asked("try", row["meeting"][:-1])
    assert code == 2


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("file: a.ics, url: http://x/", "exactly one of file, url and private_url"),
        ("url: ftp://x/y", "not the address of a calendar"),
        ("url: 'https://user:pass@x/y'", "not the address of a calendar"),
        ("url: https://x/y, username: a", "username and password go together"),
        ("file: a.ics, trust: b.pem", "are for an address"),
        ("file: a.ics, every: 1s", "out of bounds"),
    ],
)
def test_a_calendar_that_cannot_be_is_an_error_at_its_place(tmp_path: Path, where: str, fault: str) -> None:
    (tmp_path / "haidang.yaml").write_text(TEXT.replace("PLACE", where).replace("[chu-1]", "[chu-2]"), encoding="utf-8")
    told = "\n".join(map(str, config.check(tmp_path / "haidang.yaml")))
    assert fault in told
    assert 'there is no target "chu-2" (did you mean "chu-1"?)' in told


def test_the_daemon_tries_the_rooms_of_a_meeting_in_a_calendar_and_says_that_it_could_not_be_read_since(
    tmp_path: Path,
) -> None:
    text = TEXT.replace("PLACE", "file: office.ics, every: 1m").replace("192.0.2.", "10.0.0.")
    path = tmp_path / "haidang.yaml"
    path.write_text(
        f"{text}  burst: 5s\n  before: [5m, 3m]\n  faster: 1\nprobing: {{icmp: {{cadence: 60s, echoes: 1}}}}\n",
        encoding="utf-8",
    )
    file = tmp_path / "office.ics"
    lines = ("DTSTART:20261207T080000", "DURATION:PT1H", "ORGANIZER:mailto:van.thu@bacgiang.gov.vn")
    file.write_bytes(calendar(event(*lines)))
    network = Network(seed=1)
    network.add_place("here", "10.0.1.1")
    for name, address in (("hub", "10.0.0.9"), ("a", "10.0.0.1"), ("b", "10.0.0.2"), ("c", "10.0.0.3")):
        network.add_place(name, address)
        network.add_line(f"line-{name}", "here", name, Conditions(delay_ms=10))

    async def script(_: Postbox) -> None:
        await asyncio.sleep((at("2026-12-07T07:56") - clock.utc_ns()) / 1e9)
        file.unlink()
        await asyncio.sleep((at("2026-12-07T07:58") - clock.utc_ns()) / 1e9)

    clock = ManualClock(at("2026-12-07T07:54:30"))
    mails = [mail for _, mail in rehearse(path, network, clock, script).mails if "-sheet-" in mail.message_id]
    assert [mail.address for mail in mails] == ["van.thu@bacgiang.gov.vn"] * 2
    first, second = (str(mail.payload["text"]) for mail in mails)
    assert "Hội trường UBND tỉnh" in first
    assert "không đọc được lịch office từ 07:5" not in first
    assert "không đọc được lịch office từ 07:5" in second


def test_a_calendar_that_is_away_for_long_is_one_incident_of_our_own_with_its_cure_and_its_end(tmp_path: Path) -> None:
    path, file = tmp_path / "haidang.yaml", tmp_path / "office.ics"
    path.write_text(
        """haidang: 1
data_dir: ./data
contacts: [{id: oncall, email: oncall@example.org}]
alerting: {to: [oncall], mail: {from: haidang@example.org, servers: [{host: 127.0.0.1, security: none}]}}
targets: [{id: hub, address: 10.0.0.9}]
probing: {icmp: {cadence: 60s, echoes: 1}}
conferences:
  before: []
  calendars:
    - {id: office, file: office.ics, every: 1m, away: 5m, rooms: {x: [hub]}}
    - {id: other, file: other.ics, every: 1m}
""",
        encoding="utf-8",
    )
    file.write_bytes(calendar(event(*WEEKLY, room="LOCATION:x")))
    network = Network(seed=1)
    network.add_place("here", "10.0.1.1")
    network.add_place("hub", "10.0.0.9")
    network.add_line("line", "here", "hub", Conditions(delay_ms=10))
    early: list[str] = []

    async def script(postbox: Postbox) -> None:
        await asyncio.sleep(90)
        file.rename(tmp_path / "moved.ics")
        await asyncio.sleep(5 * 60)
        early.extend(mail.step for _, mail in postbox.mails)
        await asyncio.sleep(5 * 60)
        (tmp_path / "moved.ics").rename(file)
        await asyncio.sleep(2 * 60)

    mails = rehearse(path, network, ManualClock(at("2026-12-07T12:00")), script).mails
    assert early == [], "not before it has been away for long"
    opened, resolved = (str(mail.payload["text"]) for _, mail in mails)
    for words in (
        "KHÔNG ĐỌC ĐƯỢC LỊCH HỌP",
        "lịch office không đọc được đã 00:05:",
        "không có tệp này",
        "haidang conferences read",
    ):
        assert words in opened
    assert "KHÔNG ĐỌC ĐƯỢC LỊCH HỌP: lịch office (lịch họp)" in str(mails[0][1].payload["subject"])
    assert "ĐÃ KHÔI PHỤC: lịch office" in resolved


def test_work_that_was_planned_before_the_meeting_was_is_told_with_the_rooms_it_disturbs(
    loaded: config.Configuration, tmp_path: Path
) -> None:
    database = Database(tmp_path / "works.db", "haidang")
    start_ns = at("2026-12-07T07:30")
    work = Maintenance(
        0, "target", "hub", start_ns, start_ns + 3600 * 10**9, "", "Asia/Ho_Chi_Minh", 1, "card", "Hà", 1
    )
    Accounts(database).plan(work)
    both = event(*MORNING, room="LOCATION:centre-1,chu-1")
    (sitting,) = sittings(read(loaded, both).series, FROM, TO)
    rooms = [Room(name, Verdict.GO, (), {}) for name in ("centre-1", "chu-1")]
    disturbed, other = flagged(loaded, sitting, rooms, database.connection)
    assert (disturbed.verdict, other.verdict) == (Verdict.WATCH, Verdict.GO)
    assert in_words(disturbed, "en") == ["planned work 1 on target hub, 07:30 to 08:30 07/12"]
    database.close()
