"""Commands about meetings by video: which there are, and whether their rooms can take part."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

import typer
from rich.text import Text

from config import Configuration
from haidang import show
from haidang.clock import SystemClock
from haidang.commands.common import ConfigOption, JsonOption, clean, fail, print_json, print_table, read_config
from haidang.conferences.meetings import Sitting, sittings
from haidang.conferences.trying import Tried, try_rooms
from haidang.conferences.verdict import Verdict
from haidang.conferences.words import say
from probes.icmp import IcmpEngine

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Meetings by video and their rooms.")
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
    zone = configuration.timezone
    rows = [
        (one.meeting.id, one.meeting.label(configuration.language), show.local(one.start_ns, zone),
         show.local(one.end_ns, zone), len(one.meeting.rooms)) for one in found
    ]  # fmt: skip
    print_table(("meeting", "name", "from", "until", "rooms"), rows, right=(4,))


@app.command("try")
def try_(
    meeting: Annotated[str, typer.Argument(metavar="MEETING|ROOM", help="Id of a meeting, or of one room.")],
    language: Annotated[str | None, typer.Option(help="vi or en; default: the configuration's.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try all rooms of a meeting hard, now, and say who can take part.

    Takes as long as conferences.burst says. Ends with 1 when a room is not ready.
    """
    configuration = read_config(config)
    if language not in (None, "vi", "en"):
        fail(f"--language {language}: vi or en")
    known = {one.id: one.rooms for one in configuration.conferences.meetings}
    targets = configuration.inventory.targets
    names = known.get(meeting) or ((meeting,) if meeting in targets else ())
    if not names:
        fail(f"there is no meeting and no room {meeting}; meetings: {', '.join(known) or 'none'}")
    found = asyncio.run(_try(configuration, names))
    order = sorted(found, key=lambda one: (-tuple(Verdict).index(one.verdict), one.room))
    _say(configuration, order, language or configuration.language, as_json=as_json)
    raise typer.Exit(0 if all(one.verdict is Verdict.GO for one in found) else 1)


async def _try(configuration: Configuration, names: tuple[str, ...]) -> list[Tried]:
    engine = IcmpEngine()
    try:
        rooms = [configuration.inventory.targets[name] for name in names]
        return await try_rooms(configuration, rooms, engine, SystemClock())
    finally:
        engine.close()


def _say(configuration: Configuration, found: list[Tried], language: str, *, as_json: bool) -> None:
    counts = {one: sum(tried.verdict is one for tried in found) for one in Verdict}
    summary = say(language, "summary", go=counts[Verdict.GO], watch=counts[Verdict.WATCH], no_go=counts[Verdict.NO_GO])
    rows: list[dict[str, Any]] = [
        {
            "room": one.room, "name": configuration.inventory.targets[one.room].label(language),
            "verdict": one.verdict.value,
            "reasons": [say(language, f"reasons.{why.key}", **why.gaps) for why in one.reasons],
            "fields": dict(one.line.fields),
        }
        for one in found
    ]  # fmt: skip
    if as_json:
        print_json({"summary": summary, "counts": {one.value: n for one, n in counts.items()}, "rooms": rows})
        return
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
    typer.echo(summary)


def _number(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else ""


def _sittings(configuration: Configuration, from_ns: int, to_ns: int) -> list[Sitting]:
    try:
        return sittings(configuration, from_ns, to_ns)
    except ValueError as error:
        fail(str(error))
