"""The command that says how available everything was."""

from __future__ import annotations

import math
import textwrap
import time
from datetime import datetime
from typing import Annotated, Any

import typer

from haidang import show, statements
from haidang.commands.common import ConfigOption, JsonOption, clean, fail, print_json, print_table, read_config
from haidang.commands.reading import holder, ledger

_HEADS = ("name", "available", "bounds", "down", "no.", "goal", "left", "verdict")


def availability(
    month: Annotated[str | None, typer.Option(help="YYYY-MM; this month when nothing is said.")] = None,
    quarter: Annotated[str | None, typer.Option(help="YYYY-Qn.")] = None,
    year: Annotated[str | None, typer.Option(help="YYYY.")] = None,
    last: Annotated[str | None, typer.Option(metavar="Nd", help="The last N times 24 hours, e.g. 30d.")] = None,
    system: Annotated[str | None, typer.Option(help="Only this system and its targets.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how available everything was in a period. Ends with 1 when an objective is missed."""
    configuration = read_config(config)
    if system is not None and system not in configuration.inventory.systems:
        fail(f"no system {system}: there are {', '.join(configuration.inventory.systems) or 'none'}")
    asked = {"--month": month, "--quarter": quarter, "--year": year, "--last": last}
    given = [(option, name) for option, name in asked.items() if name is not None]
    if len(given) > 1:
        fail(f"{' and '.join(option for option, _ in given)}: name one period")
    now_ns = time.time_ns()
    this_month = f"{datetime.fromtimestamp(now_ns // 10**9, configuration.timezone):%Y-%m}"
    option, name = given[0] if given else ("--month", this_month)
    running = holder(configuration) is not None
    with ledger(configuration) as sql:
        try:
            named = statements.named(option.removeprefix("--"), name, configuration.timezone, now_ns)
        except ValueError as error:
            fail(f"{option}: {error}")
        if named.period.start_ns > now_ns:
            fail(f"{option}: {name} has not begun")
        found = statements.availability(configuration, sql, named, now_ns, running=running, system=system)
    if as_json:
        print_json(found)
    else:
        _show(found)
    missed = any(row.get("verdict") == "missed" for row in (*found["targets"], *found["objectives"]))
    raise typer.Exit(1 if missed else 0)


def _show(found: dict[str, Any]) -> None:
    so_far = "" if found["complete"] else ", so far"
    _say(f"{found['period']} ({found['timezone']}){so_far}: {found['formula']}")
    print_table(_HEADS, (_row(row) for row in found["targets"]), right=range(1, 7))
    promised = {row["about"] for row in found["objectives"]}
    for row in found["systems"]:
        if f"system {row['system']}" not in promised:
            typer.echo(f"\nsystem {clean(row['name'])}")
            _one(row)
    for row in found["objectives"]:
        typer.echo(f"\nobjective {clean(row['name'])} ({clean(row['about'])})")
        _say(row["formula"])
        _one(row)
    typer.echo(
        "\nbounds: unknown time all down, all up. left: of the whole period's budget;\n"
        "the accrued one, coverage and all seconds are in --json."
    )


def _one(row: dict[str, Any]) -> None:
    if not row["members"]:
        typer.echo("nothing in it was watched in this period")
        return
    worst = f"; the worst is {row['worst_site']}" if row["worst_site"] else ""
    _say(clean(row["members_formula"] + worst))
    print_table(_HEADS, [_row(row)], right=range(1, 7))


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    low, high = row["lowest_percent"], row["highest_percent"]
    bounds = "" if low is None or row["unknown_s"] <= 0 else f"{_cut(low, 2)}-{_cut(high, 2)}"
    left = row["budget_left_s"]
    return (
        row["name"], percent(row["availability_percent"], 4), bounds, show.span(row["down_s"]), str(row["outages"]),
        percent(row["objective_percent"], 2), "" if left is None else show.span(left), row["verdict"] or "",
    )  # fmt: skip


def percent(value: float | None, digits: int) -> str:
    """Write a percentage, cut and not rounded: 99.99996 is not 100."""
    return "" if value is None else f"{_cut(value, digits)} %"


def _cut(value: float, digits: int) -> str:
    return f"{math.floor(value * 10**digits) / 10**digits:.{digits}f}"


def _say(text: str) -> None:
    typer.echo(textwrap.fill(text, 80))
