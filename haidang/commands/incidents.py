"""Commands about incidents: the list, one in full, and what people do with one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from haidang import show
from haidang.commands.common import (
    ConfigOption,
    JsonOption,
    clean,
    coloured,
    fail,
    print_json,
    print_table,
    read_config,
)
from haidang.commands.group import Group
from haidang.commands.reading import ledger, of_itself, unwritten
from haidang.commands.requests import moment, request, span_ns, user

if TYPE_CHECKING:  # typer brings its own copy of click
    from typer._click.core import Command, Context


class _ByNumber(Group):
    """``incidents 12`` and ``incidents #12`` are ``incidents show 12``."""

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """See click: find the command that the words name."""
        if args and args[0].lstrip("#").isdigit():
            args = ["show", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_ByNumber, invoke_without_command=True, rich_markup_mode=None,
    help="List incidents: what failed, since when, who was told. Ends with 1 when one is open. A NUMBER shows one.",
    subcommand_metavar="[NUMBER | COMMAND [ARGS]...]",
)  # fmt: skip

SHOWN = 20
"""Names listed; --json has all."""

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="As people say it: 12 or #12.")]
Author = Annotated[str | None, typer.Option("--author", help="Who says so; default: the user.")]


@app.callback()
def listed(
    ctx: typer.Context,
    config: ConfigOption = None,
    resolved: Annotated[bool, typer.Option("--all", "-a", help="The resolved and the merged ones too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List incidents."""
    ctx.obj = config
    if ctx.invoked_subcommand is not None:
        return
    configuration = read_config(config)
    now_ns = time.time_ns()
    with ledger(configuration) as sql:
        found = show.incidents(configuration, sql, now_ns, resolved=resolved)
    shown = [one for one in found if resolved or one["merged_into"] is None]
    if as_json:
        print_json(shown)
    elif not shown:
        typer.echo("no incidents" if resolved else "no open incidents")
    else:
        zone = configuration.timezone
        rows = [
            (
                f"#{one['number']}", _now(one), coloured(one["severity"]), f"{one['name']} ({one['probe']})",
                one["site"], show.since(_ns(one["since"]), zone, now_ns), show.span(one["duration_s"]), one["reason"],
                str(len(one["hidden"])) if one["hidden"] else "",
                one["acknowledged_by"] or "" if one["acknowledged"] else "", _told(one["messages"]),
            )
            for one in shown
        ]  # fmt: skip
        heads = (
            "no.", "now", "severity", "what", "site", "since", "lasts", "reason", "hidden", "acknowledged", "told"
        )  # fmt: skip
        print_table(heads, rows, right=(6, 8), spare=(10, 8, 6, 4))
    own = of_itself(configuration)
    if own.get("ledger_error"):
        typer.echo(unwritten(own["ledger_error"], own["transitions_waiting"]), err=True)
    raise typer.Exit(1 if own.get("ledger_error") or any(one["open"] for one in shown) else 0)


@app.command("show")
def show_one(ctx: typer.Context, number: Number, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show all that is on record of one.

    Impact, evidence, timeline, who was told. Ends with 1 while it is open.
    """
    configuration = read_config(config or ctx.obj)
    with ledger(configuration) as sql:
        found = show.incidents(configuration, sql, time.time_ns(), resolved=True, number=_number(number))
    if not found:
        fail(f"there is no incident {number}; haidang incidents --all lists them")
    one = found[0]
    if as_json:
        print_json(one)
        raise typer.Exit(1 if one["open"] else 0)
    zone = configuration.timezone

    def at(text: str | None) -> str:
        return show.local(_ns(text), zone)

    impact = one["impact"] or {}
    figures = {
        "targets": impact.get("targets"), "sites cut off": impact.get("sites"), "people": impact.get("people"),
        "percent of a system": round(impact.get("system_percent") or 0, 1) or None,
    }  # fmt: skip
    budget = impact.get("budget_percent")
    rows = [
        ("incident", f"#{one['number']} {one['name']} ({one['target']}/{one['probe']})"),
        ("now", str(_now(one))),
        ("site", one["site"]),
        ("since", f"{at(one['since'])}, {show.span(one['duration_s'])}"),
        ("first", at(one["first"]) if one["first"] != one["since"] else ""),
        ("until", at(one["until"])),
        ("severity", f"{one['severity']}: " + ", ".join(f"{name} {n}" for name, n in figures.items() if n)),
        ("budget left", "" if budget is None else f"{budget:.1f} % of the month's downtime"),
        ("reason", one["reason"]),
        ("goes on in", f"#{one['merged_into']}" if one["merged_into"] else ""),
        ("merged", _some([f"#{child}" for child in one["merged"]])),
        ("fault of", one["owner"] + (f" (says {one['owner_by']})" if one["owner_by"] else "")),
        ("acknowledged", _acknowledged(one, at)),
        ("next message", at(one["next_message"])),
        ("hidden", f"{len(one['hidden'])}: {_some(one['hidden'])}" if one["hidden"] else ""),
        ("still hidden", _still(one)),
    ]
    for name, value in rows:
        if value:
            typer.echo(clean(f"{name:14} {value}"))
    if one["evidence"]:
        typer.echo("\nevidence")
        print_table(
            ("found", "kind", "what"),
            [(at(part["at"]), part["kind"], line) for part in one["evidence"] for line in part["lines"]],
        )
    typer.echo("\ntimeline")
    lines = [line for line in one["timeline"] if line["kind"] not in ("hidden", "regained")]
    print_table(("at", "what", "words"), [(at(line["at"]), line["kind"], line["text"]) for line in lines])
    if one["messages"]:
        typer.echo("\ntold")
        print_table(
            ("step", "who", "address", "state", "done", "error"),
            [
                (line["step"], line["contact"], line["address"], line["state"], at(line["done"]), line["error"])
                for line in one["messages"]
            ],
        )
    raise typer.Exit(1 if one["open"] else 0)


def ack(
    number: Number,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME|DURATION", help="2h, 90m, 2026-11-30T08:00; else to its end."),
    ] = None,
    note: Annotated[str, typer.Option("--note", help="What there is to say.")] = "",
    author: Author = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Acknowledge an incident: you look after it.

    Nobody is reminded of it any more, or not before --until.
    """
    configuration = read_config(config)
    until_ns = None
    if until is not None:
        lasting_ns = span_ns(until)
        until_ns = moment(until, configuration.timezone) if lasting_ns is None else time.time_ns() + lasting_ns
    answer = request(
        configuration, "incident.ack", number=_number(number), until_ns=until_ns, note=note, who=author or user()
    )
    if as_json:
        print_json(answer)
        return
    end = "it is over" if until_ns is None else show.local(until_ns, configuration.timezone)
    typer.echo(f"incident {answer['number']} acknowledged until {end}")


@app.command()
def note(
    ctx: typer.Context,
    number: Number,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="In quotes; one line.")],
    author: Author = None,
    config: ConfigOption = None,
) -> None:
    """Add to the timeline of an incident what a person has to say."""
    request(
        read_config(config or ctx.obj), "incident.note", number=_number(number), note=text, who=author or user()
    )  # fmt: skip
    typer.echo(f"incident {_number(number)}: noted")


@app.command()
def own(
    ctx: typer.Context,
    number: Number,
    owner: Annotated[str, typer.Argument(metavar="OWNER", help="carrier, power, own-works, third-party or unknown.")],
    why: Annotated[str, typer.Option("--why", help="The reason, a ticket number.")] = "",
    author: Author = None,
    config: ConfigOption = None,
) -> None:
    """Say whose fault an incident is; the last word on it."""
    request(
        read_config(config or ctx.obj), "incident.own", number=_number(number), owner=owner, note=why,
        who=author or user(),
    )  # fmt: skip
    typer.echo(f"incident {_number(number)}: {owner}")


def _still(one: Mapping[str, Any]) -> str:
    """Say what is hidden still, when some are back while it lasts."""
    left = one["still_hidden"]
    return f"{len(left)}: {_some(left)}" if one["open"] and len(left) < len(one["hidden"]) else ""


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _number(text: str) -> int:
    digits = text.lstrip("#")
    if not digits.isdigit() or len(digits) > 15:
        fail(f'"{text}" is not the number of an incident; haidang incidents lists them')
    return int(digits)


def _now(one: dict[str, Any]) -> Text:
    if one["open"] and one["merged_into"]:
        return Text(f"in #{one['merged_into']}")
    return coloured("down" if one["open"] else "up")


def _acknowledged(one: dict[str, Any], at: Callable[[str | None], str]) -> str:
    if not one["acknowledged_by"]:
        return ""
    until = at(one["acknowledged_until"]) or "it is over"
    return f"by {one['acknowledged_by']} until {until}" + ("" if one["acknowledged"] or not one["open"] else ", past")


def _told(messages: list[dict[str, Any]]) -> str:
    done = sum(message["state"] == "sent" for message in messages)
    failed = sum(message["state"] == "failed" for message in messages)
    return f"{done}/{len(messages)} sent" + (f", {failed} failed" if failed else "") if messages else "nobody"


def _ns(text: str | None) -> int | None:
    return None if text is None else round(datetime.fromisoformat(text).timestamp()) * 10**9
