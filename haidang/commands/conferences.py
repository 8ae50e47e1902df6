"""Commands about meetings by video: which there are, and whether their rooms can take part."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Annotated, Any

import typer
from rich.text import Text

from config import Configuration
from config.schema.conferences import MeetingCalendar
from haidang import show
from haidang.clock import SystemClock
from haidang.commands.common import (
    ConfigOption,
    JsonOption,
    LanguageOption,
    clean,
    fail,
    print_json,
    print_table,
    read_config,
)
from haidang.commands.reading import ledger
from haidang.conferences import sheets
from haidang.conferences.calendars import Read, parse
from haidang.conferences.keeping import CalendarAway, Kept, fetch, known, on_record
from haidang.conferences.letters import COLUMNS, shown
from haidang.conferences.meetings import Series, Sitting, configured, sittings
from haidang.conferences.meetings import known as known_meetings
from haidang.conferences.sheets import Room, Sheet
from haidang.conferences.trying import Tried, try_rooms
from haidang.conferences.verdict import Verdict
from haidang.conferences.words import say
from haidang.conferences.works import during
from probes.icmp import IcmpEngine
from storage.accounts import AccountsReader, Maintenance
from storage.database import DatabaseError, open_reader

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Meetings by video and their rooms.")
DAY_NS = 86_400 * 10**9
_COLOURS = {Verdict.GO: "green", Verdict.WATCH: "yellow", Verdict.NO_GO: "bold red"}


@app.command("list")
def list_(
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How far to look ahead.")] = 30,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the meetings that are under way or to come.

    With the planned work that disturbs them; of calendars, what the daemon read last.
    """
    configuration = read_config(config)
    now_ns = time.time_ns()
    kept, planned = _record(configuration)
    found = [
        (one, sorted({work.work.number for works in during(configuration, one, planned).values() for work in works}))
        for one in _sittings(_meetings(configuration, kept), now_ns, now_ns + days * DAY_NS)
    ]
    if as_json:
        print_json(
            [
                {
                    "meeting": one.meeting.id, "name": one.meeting.label(configuration.language),
                    "start": show.utc(one.start_ns), "end": show.utc(one.end_ns), "rooms": list(one.meeting.rooms),
                    "maintenance": numbers,
                }
                for one, numbers in found
            ]
        )  # fmt: skip
    elif not found:
        known_ones = len(known_meetings(_meetings(configuration, kept)))
        typer.echo(
            f"no meeting within {days} days (of {known_ones} known)" if known_ones or kept
            else "no meetings are known: add them under conferences.meetings or .calendars (docs/conferences.md)"
        )  # fmt: skip
    else:
        zone = configuration.timezone
        rows = [
            (one.meeting.id, one.meeting.label(configuration.language), show.local(one.start_ns, zone),
             show.local(one.end_ns, zone), len(one.meeting.rooms), ", ".join(map(str, numbers)))
            for one, numbers in found
        ]  # fmt: skip
        print_table(("meeting", "name", "from", "until", "rooms", "maintenance"), rows, right=(4,))
    for one in kept:
        _say_calendar(one, configuration)


@app.command()
def read(
    calendar: Annotated[str, typer.Argument(metavar="[CALENDAR]", help="Id of one; all if none is named.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read the calendars now and show what they hold.

    Which meetings there are, and what of them cannot be used. Nothing is kept: to try a
    configuration. Ends with 1 when one cannot be read.
    """
    configuration = read_config(config)
    named = {one.id: one for one in configuration.conferences.calendars}
    if calendar and calendar not in named:
        fail(f"there is no calendar {calendar}; calendars: {', '.join(named) or 'none'}")
    now_ns = time.time_ns()
    kept = [_fetched(one, configuration, now_ns) for name, one in named.items() if calendar in ("", name)]
    if as_json:
        print_json(
            [
                {
                    "calendar": one.id, "error": one.fault, "events": one.found.events,
                    "left_out": list(one.found.faults),
                    "meetings": [
                        {"meeting": name, "name": meeting.label(configuration.language), "rooms": list(meeting.rooms),
                         "organiser": meeting.organiser or mails.get(name, ""), "next": show.utc(ahead.get(name))}
                        for name, meeting in known_meetings(one.found.series).items()
                    ],
                }
                for one in kept
                for mails, ahead in [(_mails(one), _next(one, now_ns))]
            ]
        )  # fmt: skip
    elif not named:
        typer.echo("no calendars are configured: add them under conferences.calendars (docs/conferences.md)")
    else:
        zone = configuration.timezone
        for one in kept:
            mails, ahead = _mails(one), _next(one, now_ns)
            if one.fault:
                typer.echo(f"{one.id}: {one.fault}")
                continue
            rows = [
                (name, meeting.label(configuration.language), show.local(ahead.get(name), zone),
                 meeting.organiser or mails.get(name, ""), " ".join(meeting.rooms))
                for name, meeting in known_meetings(one.found.series).items()
            ]  # fmt: skip
            print_table(("meeting", "name", "next", "organiser", "rooms"), rows)
            typer.echo(f"{one.id}: {one.found.events} events, {len(rows)} of them meetings in rooms that are known")
            for fault in one.found.faults:
                typer.echo(f"{one.id}: {clean(fault)}")
    raise typer.Exit(1 if any(one.fault for one in kept) else 0)


@app.command("try")
def try_(
    meeting: Annotated[str, typer.Argument(metavar="MEETING|ROOM", help="Id of a meeting, or of one room.")],
    language: LanguageOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try all rooms of a meeting hard, now, and say who can take part.

    Takes as long as conferences.burst says. Ends with 1 when a room is not ready.
    """
    configuration = read_config(config)
    spoken = language or configuration.language
    meetings = known_meetings(_meetings(configuration, _record(configuration)[0]))
    targets = configuration.inventory.targets
    names = meetings[meeting].rooms if meeting in meetings else (meeting,) if meeting in targets else ()
    if not names:
        fail(f"there is no meeting and no room {meeting}; meetings: {', '.join(meetings) or 'none'}")
    found = asyncio.run(_try(configuration, names))
    now_ns = time.time_ns()
    rooms = tuple(Room(one.room, one.verdict, one.reasons, one.line.fields) for one in found)
    made = Sheet(meeting, now_ns, now_ns, "readiness", 0, now_ns, rooms)
    if as_json:
        print_json(sheets.found(configuration, made, spoken))
    else:
        _table(configuration, made, spoken)
    raise typer.Exit(0 if all(one.verdict is Verdict.GO for one in found) else 1)


async def _try(configuration: Configuration, names: tuple[str, ...]) -> list[Tried]:
    engine = IcmpEngine()
    try:
        rooms = [configuration.inventory.targets[name] for name in names]
        return await try_rooms(configuration, rooms, engine, SystemClock())
    finally:
        engine.close()


@app.command()
def sheet(
    meeting: Annotated[str, typer.Argument(metavar="MEETING", help="Id of a meeting.")],
    count: Annotated[int, typer.Option("--last", min=1, max=1000, help="How many sheets, the newest first.")] = 3,
    language: LanguageOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how ready a meeting's rooms were, and how it went.

    As it was mailed to the organiser before it and after it.
    """
    configuration = read_config(config)
    spoken = language or configuration.language
    try:
        with closing(open_reader(configuration.data_dir / "haidang.db")) as sql:
            found = sheets.last(sql, meeting, count)
            meetings = _meetings(configuration, on_record(configuration, sql))
    except DatabaseError as error:
        fail(str(error))
    named = known_meetings(meetings)
    if not found and meeting not in named:
        fail(f"there is no meeting {meeting}; meetings: {', '.join(named) or 'none'}")
    if as_json:
        print_json([sheets.document(configuration, one, spoken) for one in found])
        return
    if not found:
        typer.echo(f"no sheet of {meeting} yet")
    for one in found:
        title = named[meeting].label(spoken) if meeting in named else meeting
        zone = configuration.timezone
        when = f"{show.local(one.start_ns, zone)} to {show.local(one.end_ns, zone)}"
        left = f" ({show.span((one.start_ns - one.made_ns) / 1e9)} before)" if one.kind == "readiness" else ""
        typer.echo(f"{title}: {when}, {one.kind} of {show.local(one.made_ns, zone)}{left}")
        _table(configuration, one, spoken)


def _table(configuration: Configuration, sheet: Sheet, language: str) -> None:
    rows: list[dict[str, Any]] = sheets.found(configuration, sheet, language)["rooms"]
    columns = COLUMNS if sheet.kind == "quality" else ("mos", "loss_percent")
    names = [say(language, f"columns.{name}") for name in columns]
    print_table(
        ("room", "name", "verdict", *names, "why"),
        [
            (
                row["room"], row["name"],
                Text(sheet.word(Verdict(row["verdict"]), language), style=_COLOURS[Verdict(row["verdict"])]),
                *(shown(row["fields"], name, language, configuration.timezone) for name in columns),
                clean("; ".join(row["reasons"])),
            )
            for row in rows
        ],
        right=range(3, 3 + len(names)),
    )  # fmt: skip
    typer.echo(sheet.summary(language))


def _record(configuration: Configuration) -> tuple[list[Kept], list[Maintenance]]:
    """Return what a daemon has on record of calendars and planned work; nothing where none has run yet."""
    if not (configuration.data_dir / "haidang.db").exists():
        return known(configuration, ()), []
    with ledger(configuration) as sql:
        return on_record(configuration, sql), AccountsReader(sql).maintenance()


def _meetings(configuration: Configuration, kept: list[Kept]) -> list[Series]:
    return [*configured(configuration), *(one for calendar in kept for one in calendar.found.series)]


def _say_calendar(one: Kept, configuration: Configuration) -> None:
    """Say, beside the answer, what of a calendar the reader must know to trust it."""
    if one.fault:
        since = f"last read {show.local(one.read_ns, configuration.timezone)}" if one.read_ns else "never read"
        typer.echo(f"calendar {one.id} cannot be read, {since}: {clean(one.fault)}", err=True)
    elif not one.read_ns:
        typer.echo(
            f"calendar {one.id} was not read yet: the daemon does that (haidang conferences read: now)", err=True
        )
    for fault in one.found.faults:
        typer.echo(f"calendar {one.id}: {clean(fault)}", err=True)


def _fetched(calendar: MeetingCalendar, configuration: Configuration, now_ns: int) -> Kept:
    try:
        return Kept(calendar.id, parse(asyncio.run(fetch(calendar)), calendar, configuration), now_ns)
    except (CalendarAway, ValueError) as error:
        return Kept(calendar.id, Read(), 0, clean(str(error)))


def _mails(one: Kept) -> dict[str, str]:
    return {series.meeting.id: series.mail for series in one.found.series if series.mail}


def _next(one: Kept, now_ns: int) -> dict[str, int]:
    """Return when each meeting of a calendar is held next, within a year."""
    found: dict[str, int] = {}
    for sitting in _sittings(one.found.series, now_ns, now_ns + 366 * DAY_NS):
        found.setdefault(sitting.meeting.id, sitting.start_ns)
    return found


def _sittings(meetings: Sequence[Series], from_ns: int, to_ns: int) -> list[Sitting]:
    try:
        return sittings(meetings, from_ns, to_ns)
    except ValueError as error:
        fail(str(error))
