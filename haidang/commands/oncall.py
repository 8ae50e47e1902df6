"""Commands about who is on duty: now, next, stand-ins, calendars, drills."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from alerting.drill import rows
from alerting.oncall import calendar
from alerting.oncall.calendar import Person
from alerting.oncall.roster import Roster, roster
from alerting.oncall.rota import Rota, Shift, gaps, moment, on_the_wall, shifts
from config import Configuration
from haidang import show
from haidang.commands.common import ConfigOption, JsonOption, fail, print_json, print_table, read_config
from haidang.commands.reading import ledger
from haidang.commands.requests import Author, For, Reason, To, bounds, request, user
from haidang.commands.requests import moment as moment_of
from haidang.duty import on_call
from storage.database import DatabaseError, open_reader
from storage.duty import OverrideRow, overrides

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Who is on duty, stand-ins, drills.")

DAY_NS = 86_400 * 10**9
LONGEST_DAYS = 367
"""No stand-in is longer, and hardly a turn."""
RotaArgument = Annotated[str, typer.Argument(metavar="ROTA", help="Its id.")]
_NO_ROTAS = "no rotas are configured: see rotas in docs/oncall.md"
Days = Annotated[int, typer.Option("--days", min=1, max=366, help="How far to look ahead.")]


@app.command()
def now(
    rota: Annotated[str | None, typer.Argument(metavar="ROTA", help="Only this one.")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="At another time: 2026-11-30T02:00")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say who is on duty.

    Ends with 1 when nobody is.
    """
    configuration = read_config(config)
    at_ns = time.time_ns() if at is None else moment_of(at, configuration.timezone)
    everything = _roster(configuration)
    _wanted(everything, rota)
    found = on_call(configuration, everything, at_ns, rota)
    if as_json:
        print_json(found)
    else:
        zone = configuration.timezone
        print_table(
            ("rota", "on duty", "until", "by"),
            (
                (
                    row["rota"], row["name"] or "NOBODY",
                    show.local(moment_of(row["until"], zone), zone) if row["until"] else "", row["by"] or "",
                )
                for row in found
            ), none=_NO_ROTAS,
        )  # fmt: skip
    raise typer.Exit(0 if found and all(row["person"] is not None for row in found) else 1)


@app.command("next")
def next_(
    rota: Annotated[str | None, typer.Argument(metavar="ROTA", help="Only this one.")] = None,
    days: Days = 14,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the shifts that come, gaps included."""
    configuration = read_config(config)
    everything, now_ns = _roster(configuration), time.time_ns()
    found = [
        (one.id, shift)
        for one in _wanted(everything, rota)
        for shift in shifts(one, everything.overrides, now_ns, now_ns + days * DAY_NS)
    ]
    if as_json:
        print_json([_as_json(configuration, name, shift) for name, shift in found])
        return
    zone = configuration.timezone
    print_table(
        ("rota", "from", "to", "on duty", "by"),
        (
            (
                name, show.local(shift.start_ns, zone), show.local(shift.end_ns, zone),
                _name(configuration, shift.person) or "NOBODY", shift.by,
            )
            for name, shift in found
        ), none=_NO_ROTAS,
    )  # fmt: skip


@app.command("override")
def override(
    rota: RotaArgument,
    person: Annotated[str, typer.Argument(metavar="PERSON", help="The contact who stands in.")],
    reason: Reason,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Default: now.")] = None,
    to: To = None,
    lasting: For = None,
    author: Author = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let somebody stand in, whatever the rota says."""
    configuration = read_config(config)
    begin = start or f"{on_the_wall(time.time_ns(), configuration.timezone):%Y-%m-%dT%H:%M:%S}"
    start_ns, end_ns = bounds(configuration.timezone, begin, to, lasting)
    answer = request(
        configuration, "oncall.override", rota=rota, person=person, start_ns=start_ns, end_ns=end_ns, reason=reason,
        author=author or user(),
    )  # fmt: skip
    if as_json:
        print_json(answer)
    else:
        until = show.local(end_ns, configuration.timezone)
        typer.echo(f"stand-in {answer['number']}: {person} is on duty for {rota} until {until}")


@app.command()
def cancel(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Of the stand-in.")],
    reason: Reason,
    author: Author = None,
    config: ConfigOption = None,
) -> None:
    """Call a stand-in off from now on."""
    request(read_config(config), "oncall.cancel", number=number, reason=reason, author=author or user())
    typer.echo(f"stand-in {number} called off")


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the stand-ins that run or are to come."""
    configuration = read_config(config)
    found = _rows(configuration, time.time_ns())
    if as_json:
        print_json(
            [
                {
                    "number": one.number, "rota": one.rota, "person": one.person, "from": show.utc(one.start_ns),
                    "to": show.utc(one.end_ns), "reason": one.reason, "author": one.author,
                    "cancelled": one.cancelled_by or None,
                }
                for one in found
            ]
        )  # fmt: skip
        return
    zone = configuration.timezone
    print_table(
        ("no.", "rota", "stands in", "from", "to", "why"),
        (
            (
                one.number, one.rota, one.person, show.local(one.start_ns, zone), show.local(one.end_ns, zone),
                f"{one.reason} ({one.author})" + (f"; called off by {one.cancelled_by}" if one.cancelled_by else ""),
            )
            for one in found
        ), right=[0], none="nobody stands in",
    )  # fmt: skip


@app.command()
def export(
    rota: RotaArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The .ics file to write.")],
    days: Days = 90,
    config: ConfigOption = None,
) -> None:
    """Write the shifts that come as an iCalendar file."""
    configuration = read_config(config)
    everything = _roster(configuration)
    [one] = _wanted(everything, rota)
    today = on_the_wall(time.time_ns(), one.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    start_ns, end_ns = moment(today, one.zone), moment(today + timedelta(days=days), one.zone)
    # The shift under way comes from its true beginning on: by that a calendar knows it again tomorrow.
    whole = shifts(one, everything.overrides, moment(today - timedelta(days=LONGEST_DAYS), one.zone), end_ns)
    found = [shift for shift in whole if shift.end_ns > start_ns]
    name = configuration.inventory.rotas[rota].label(configuration.language)
    people = {person.id: person for person in _people(configuration)}
    data = calendar.export(rota, name, found, people, time.time_ns())
    try:
        out.write_bytes(data)
    except OSError as error:
        fail(f"{out}: {(error.strerror or str(error)).lower()}")
    typer.echo(f"wrote {out}: {sum(shift.person is not None for shift in found)} shifts")


@app.command("import")
def import_(
    rota: RotaArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The .ics file to read.")],
    days: Days = 90,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    author: Author = None,
    config: ConfigOption = None,
) -> None:
    """Read stand-ins from an iCalendar file.

    What differs from the rota becomes one. Ends with 1 when an event could not be read.
    """
    configuration = read_config(config)
    everything, now_ns = _roster(configuration), time.time_ns()
    [one] = _wanted(everything, rota)
    try:
        with file.open("rb") as source:
            data = source.read(calendar.LARGEST + 1)
        found = calendar.read(data, _people(configuration), one.zone, now_ns, now_ns + days * DAY_NS)
    except OSError as error:
        fail(f"{file}: {(error.strerror or str(error)).lower()}")
    except ValueError as error:
        fail(f"{file}: {error}")
    faults = 0
    for event in found:
        if event.fault:
            faults += 1
            typer.echo(f'not read: "{event.summary}": {event.fault}', err=True)
            continue
        planned = shifts(one, everything.overrides, max(now_ns, event.start_ns), event.end_ns)
        when = f"{show.local(event.start_ns, one.zone)} to {show.local(event.end_ns, one.zone)}"
        if all(shift.person == event.person for shift in planned):
            typer.echo(f"as planned: {event.person}, {when}")
        elif dry_run:
            typer.echo(f"would stand in: {event.person}, {when}")
        else:
            answer = request(
                configuration, "oncall.override", rota=rota, person=event.person, start_ns=event.start_ns,
                end_ns=event.end_ns, reason=f"calendar: {event.summary}"[:500], author=author or user(),
            )  # fmt: skip
            typer.echo(f"stand-in {answer['number']}: {event.person}, {when}")
    raise typer.Exit(1 if faults else 0)


@app.command()
def drills(
    days: Annotated[int, typer.Option("--days", min=1, max=3660, help="How far back.")] = 31,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the drills, and whether they were acknowledged.

    Who was asked by which way. Ends with 1 when one was missed.
    """
    configuration = read_config(config)
    with ledger(configuration) as sql:
        found = rows(sql, "WHERE began_ns >= ?", time.time_ns() - days * DAY_NS)
    zone = configuration.timezone
    if as_json:
        print_json(
            [
                {
                    "number": one.number, "day": one.day, "duty": one.duty, "contact": one.contact,
                    "channel": one.channel, "delivery": one.state,
                    "acknowledged": show.utc(one.acknowledged_ns) if one.acknowledged_ns else None,
                    "missed": one.missed_ns is not None,
                }
                for one in found
            ]
        )  # fmt: skip
    else:
        print_table(
            ("no.", "day", "for", "contact", "by", "delivery", "acknowledged"),
            (
                (
                    one.number, one.day, one.duty, one.contact, one.channel, one.state,
                    show.local(one.acknowledged_ns, zone) if one.acknowledged_ns
                    else "MISSED" if one.missed_ns else f"until {show.local(one.due_ns, zone)}",
                )
                for one in found
            ), right=[0], none=f"no drill in {days} days",
        )  # fmt: skip
    raise typer.Exit(1 if any(one.missed_ns and not one.acknowledged_ns for one in found) else 0)


@app.command()
def drilled(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Stands in the drill message.")],
    who: Annotated[str | None, typer.Option("--who", help="Who says so; default: the user.")] = None,
    config: ConfigOption = None,
) -> None:
    """Acknowledge a drill message."""
    answer = request(read_config(config), "drill.ack", number=number, who=who or user())
    typer.echo(f"drill {number} acknowledged: {answer['contact']} by {answer['channel']}")


def nobody(configuration: Configuration, now_ns: int, days: int = 366) -> list[str]:
    """Say when rotas have nobody on duty in the year to come, each rota in one line, for ``config check``."""
    everything = roster(configuration, _rows(configuration, now_ns))
    found = []
    for one in everything.rotas.values():
        empty = gaps(one, everything.overrides, now_ns, now_ns + days * DAY_NS)
        if empty:
            hours = sum(shift.end_ns - shift.start_ns for shift in empty) / 3.6e12
            begin, end = (show.local(at_ns, one.zone) for at_ns in (empty[0].start_ns, empty[0].end_ns))
            found.append(
                f"rota {one.id}: nobody is on duty for {hours:g} hours of the next {days} days, in {len(empty)} gaps; "
                f"the first from {begin} to {end}"
            )
    return found


def _as_json(configuration: Configuration, rota: str, shift: Shift) -> dict[str, Any]:
    return {
        "rota": rota, "from": show.utc(shift.start_ns), "to": show.utc(shift.end_ns), "person": shift.person,
        "name": _name(configuration, shift.person), "by": shift.by or None,
    }  # fmt: skip


def _roster(configuration: Configuration) -> Roster:
    return roster(configuration, _rows(configuration, 0))


def _rows(configuration: Configuration, after_ns: int) -> list[OverrideRow]:
    """Return the stand-ins on record; none before the daemon has run for the first time."""
    try:
        sql = open_reader(configuration.data_dir / "haidang.db")
    except DatabaseError:
        return []
    try:
        (known,) = sql.execute("SELECT count(*) FROM sqlite_master WHERE name = 'duty_override'").fetchone()
        return overrides(sql, after_ns) if known else []
    finally:
        sql.close()


def _wanted(everything: Roster, rota: str | None) -> list[Rota]:
    if rota is None:
        return list(everything.rotas.values())
    if rota not in everything.rotas:
        fail(f"there is no rota {rota}; there are: {', '.join(everything.rotas) or 'none'}")
    return [everything.rotas[rota]]


def _name(configuration: Configuration, person: str | None) -> str | None:
    contact = configuration.inventory.contacts.get(person or "")
    return contact.label(configuration.language) if contact else person


def _people(configuration: Configuration) -> list[Person]:
    return [
        Person(one.id, one.label(configuration.language), one.email or "")
        for one in configuration.inventory.contacts.values()
    ]
