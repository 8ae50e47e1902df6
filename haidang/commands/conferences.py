"""Commands about meetings by video: which there are, and whether their rooms can take part."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from typing import Annotated, Any

import typer
from rich.text import Text

from config import Configuration
from haidang import show
from haidang.catalogue import LANGUAGES
from haidang.clock import SystemClock
from haidang.commands.common import ConfigOption, JsonOption, clean, fail, print_json, print_table, read_config
from haidang.conferences import sheets
from haidang.conferences.meetings import Sitting, sittings
from haidang.conferences.sheets import Room, Sheet
from haidang.conferences.trying import Tried, try_rooms
from haidang.conferences.verdict import Verdict
from haidang.conferences.words import say
from probes.icmp import IcmpEngine
from storage.database import DatabaseError, open_reader

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Meetings by video and their rooms.")
LanguageOption = Annotated[str | None, typer.Option(help="vi or en; default: the configuration's.")]
DAY_NS = 86_400 * 10**9
_COLOURS = {Verdict.GO: "green", Verdict.WATCH: "yellow", Verdict.NO_GO: "bold red"}


@app.command("list")
def list_(
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How far to look ahead.")] = 30,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the meetings that are under way or to come."""
    configuration = read_config(config)
    now_ns = time.time_ns()
    found = _sittings(configuration, now_ns, now_ns + days * DAY_NS)
    if as_json:
        print_json(
            [
                {
                    "meeting": one.meeting.id, "name": one.meeting.label(configuration.language),
                    "start": show.utc(one.start_ns), "end": show.utc(one.end_ns), "rooms": list(one.meeting.rooms),
                }
                for one in found
            ]
        )  # fmt: skip
        return
    if not found:
        known = len(configuration.conferences.meetings)
        typer.echo(
            f"no meeting within {days} days (of {known} configured)" if known
            else "no meetings are configured: add them under conferences.meetings (docs/conferences.md)"
        )  # fmt: skip
        return
    zone = configuration.timezone
    rows = [
        (one.meeting.id, one.meeting.label(configuration.language), show.local(one.start_ns, zone),
         show.local(one.end_ns, zone), len(one.meeting.rooms)) for one in found
    ]  # fmt: skip
    print_table(("meeting", "name", "from", "until", "rooms"), rows, right=(4,))


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
    language = _language(configuration, language)
    known = {one.id: one.rooms for one in configuration.conferences.meetings}
    targets = configuration.inventory.targets
    names = known.get(meeting) or ((meeting,) if meeting in targets else ())
    if not names:
        fail(f"there is no meeting and no room {meeting}; meetings: {', '.join(known) or 'none'}")
    found = asyncio.run(_try(configuration, names))
    now_ns = time.time_ns()
    rooms = tuple(Room(one.room, one.verdict, one.reasons, one.line.fields) for one in found)
    made = Sheet(meeting, now_ns, now_ns, "readiness", 0, now_ns, rooms)
    if as_json:
        print_json(sheets.found(configuration, made, language))
    else:
        _table(configuration, made, language)
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
    count: Annotated[int, typer.Option("--last", min=1, max=1000, help="How many sheets, the newest first.")] = 2,
    language: LanguageOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was found of a meeting's rooms before it, as it was mailed to the organiser."""
    configuration = read_config(config)
    language = _language(configuration, language)
    try:
        with closing(open_reader(configuration.data_dir / "haidang.db")) as sql:
            found = sheets.last(sql, meeting, count)
    except DatabaseError as error:
        fail(str(error))
    known = {one.id: one for one in configuration.conferences.meetings}
    if not found and meeting not in known:
        fail(f"there is no meeting {meeting}; meetings: {', '.join(known) or 'none'}")
    if as_json:
        print_json([sheets.document(configuration, one, language) for one in found])
        return
    if not found:
        typer.echo(f"no sheet of {meeting} yet")
    for one in found:
        title = known[meeting].label(language) if meeting in known else meeting
        zone = configuration.timezone
        left = show.span(max(0, one.start_ns - one.made_ns) / 1e9)
        when = f"{show.local(one.start_ns, zone)} to {show.local(one.end_ns, zone)}"
        typer.echo(f"{title}: {when}, {one.kind} of {show.local(one.made_ns, zone)} ({left} before)")
        _table(configuration, one, language)


def _language(configuration: Configuration, given: str | None) -> str:
    if given not in (None, *LANGUAGES):
        fail(f"--language {given}: {' or '.join(LANGUAGES)}")
    return given or configuration.language


def _table(configuration: Configuration, sheet: Sheet, language: str) -> None:
    rows: list[dict[str, Any]] = sheets.found(configuration, sheet, language)["rooms"]
    print_table(
        ("room", "name", "verdict", "MOS", "loss %", "why"),
        [
            (
                row["room"], row["name"],
                Text(say(language, f"verdicts.{row['verdict']}"), style=_COLOURS[Verdict(row["verdict"])]),
                _number(row["fields"].get("mos")), _number(row["fields"].get("loss_percent")),
                clean("; ".join(row["reasons"])),
            )
            for row in rows
        ],
        right=(3, 4),
    )  # fmt: skip
    typer.echo(sheet.summary(language))


def _number(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else ""


def _sittings(configuration: Configuration, from_ns: int, to_ns: int) -> list[Sitting]:
    try:
        return sittings(configuration, from_ns, to_ns)
    except ValueError as error:
        fail(str(error))
