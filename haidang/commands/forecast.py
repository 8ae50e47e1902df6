"""Commands that look ahead: what is at risk, and whether a planned window can be afforded."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import asdict, astuple
from typing import Annotated, Any

import typer

from availability.books import Books
from collectors.losses import BadShare, losses
from config import Configuration
from haidang import calibration, show, statements
from haidang.commands.common import ConfigOption, JsonOption, clean, fail, print_json, print_table, read_config
from haidang.commands.metrics import ask_store
from haidang.commands.reading import holder, ledger
from haidang.commands.requests import For, From, On, To, bounds, covered
from haidang.control import ControlError, ask
from haidang.foretelling import Foretelling, Foretold, costs
from storage.accounts import AccountsReader
from storage.metrics import StoreError

AT_A_TIME = 500
LIKELY = 0.01
"""What is less likely than this is shown only when everything is asked for."""


def forecast(
    system: Annotated[str | None, typer.Option(help="Only this system and its targets.")] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also what is in no danger.")] = False,
    past: Annotated[bool, typer.Option("--past", help="How good the forecasts of past periods were.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what will probably miss its objective. Ends with 1 when something is lost, or more likely lost than not.

    Every forecast is kept by the running daemon, so that it can be held against what came.
    """
    configuration = read_config(config)
    if system is not None and system not in configuration.inventory.systems:
        fail(f"no system {system}: there are {', '.join(configuration.inventory.systems) or 'none'}")
    now_ns, running = time.time_ns(), holder(configuration) is not None
    if past:
        _show_past(configuration, now_ns, as_json=as_json)
        return
    with ledger(configuration) as sql:
        foretelling = _foretelling(configuration, sql, now_ns, running=running, losses=_losses(configuration))
        found = [*foretelling.promises(system), *foretelling.targets(system)]
    kept = _keep(configuration, found) if running else False
    rows = [statements.foretold(configuration, one) for one in found]
    if as_json:
        print_json({"at": show.utc(now_ns), "timezone": str(configuration.timezone), "kept": kept, "forecasts": rows})
    else:
        _show(configuration, found, everything=everything, now_ns=now_ns)
        if not kept:
            typer.echo("not kept: only a running daemon writes (haidang run)")
    raise typer.Exit(1 if any((one.miss or 0) > 0.5 for one in found) else 0)


def what_if(
    on: On, start: From, to: To = None, lasting: For = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Say what planned work would cost each objective if it counted. Ends with 1 when one would be lost."""
    configuration = read_config(config)
    kind, name = covered(on)
    start_ns, end_ns = bounds(configuration.timezone, start, to, lasting)
    now_ns, running = time.time_ns(), holder(configuration) is not None
    with ledger(configuration) as sql:
        foretelling = _foretelling(configuration, sql, now_ns, running=running)
        try:
            found = costs(configuration, foretelling, kind, name, start_ns, end_ns, now_ns)
        except ValueError as error:
            fail(str(error))
    rows: list[dict[str, Any]] = [
        {
            "objective": one.promise.id, "period": one.period.name, "budget_left_s": round(one.left_s, 3),
            "costs_s": round(one.costs_s, 3), "left_after_s": round(one.left_s - one.costs_s, 3), "miss": one.miss,
            "miss_after": one.miss_after, "affordable": one.affordable,
        }
        for one in found
    ]  # fmt: skip
    if as_json:
        print_json(rows)
    elif not rows:
        typer.echo("no objective is about this")
    else:
        heads = ("objective", "period", "left", "costs", "left after", "P(miss)", "after")
        print_table(
            heads,
            (
                (
                    row["objective"], row["period"], show.span(row["budget_left_s"]), show.span(row["costs_s"]),
                    show.span(row["left_after_s"]), _chance(row["miss"]), _chance(row["miss_after"]),
                )
                for row in rows
            ),
            right=range(2, 7),
        )  # fmt: skip
        typer.echo("costs: as if it all were down and counted; excluded maintenance costs nothing of the budget.")
    raise typer.Exit(0 if all(row["affordable"] for row in rows) else 1)


def _foretelling(
    configuration: Configuration, sql: sqlite3.Connection, now_ns: int, *, running: bool,
    losses: dict[str, BadShare] | None = None,
) -> Foretelling:  # fmt: skip
    books = statements.books(configuration, sql, now_ns, running=running)
    return Foretelling(configuration, books, now_ns, losses=losses)


def _losses(configuration: Configuration) -> dict[str, BadShare]:
    try:
        return ask_store(configuration, losses)
    except StoreError as error:
        typer.echo(f"without burn rates of loss: {error}", err=True)
        return {}


def _keep(configuration: Configuration, found: list[Foretold]) -> bool:
    rows = [astuple(row) for one in found if (row := one.row()) is not None]
    try:
        for first in range(0, len(rows), AT_A_TIME):
            ask(configuration.data_dir, "forecast.keep", {"rows": rows[first : first + AT_A_TIME]})
    except ControlError as error:
        typer.echo(f"not kept: {error}", err=True)
        return False
    return True


def _show(configuration: Configuration, found: list[Foretold], *, everything: bool, now_ns: int) -> None:
    zone = configuration.timezone
    shown = [
        one
        for one in found
        if everything or one.down_s is not None or one.burning or one.lossy or one.miss is None or one.miss >= LIKELY
    ]
    if not shown:
        typer.echo(f"{len(found)} objectives looked at, none at risk")
        return
    rows = []
    for one in shown:
        left_s = one.figures.budget_left_s
        burning = ", ".join(
            f"{what}{burn.pair.name} {burn.long_rate:.0f}x"
            for what, rates in (("", one.burning), ("loss ", one.lossy))
            for burn in rates
        )
        left = "" if left_s is None else show.span(left_s)
        rows.append(
            (
                statements.promised(configuration, one), one.period.name, left, _chance(one.miss),
                "" if one.down_s is None else show.span(one.down_s), show.since(one.lost_at_ns, zone, now_ns), burning,
            )
        )  # fmt: skip
    print_table(("what", "period", "left", "P(miss)", "down for", "lost at", "burning"), rows, right=(2, 3, 4))
    if any(one.miss is None for one in shown):
        typer.echo("?: too little history, under 5 pooled outages or 3 months")
    typer.echo(clean(f"{len(found)} objectives looked at"))


def _show_past(configuration: Configuration, now_ns: int, *, as_json: bool) -> None:
    with ledger(configuration) as sql:
        books = Books(configuration, sql, now_ns, now_ns)
        rows = calibration.tenths(calibration.held(configuration, books, AccountsReader(sql).forecasts(), now_ns))
    off = calibration.error(rows)
    if as_json:
        print_json({"calibration_error": round(off, 4), "tenths": [asdict(row) for row in rows]})
    elif not rows:
        typer.echo("no forecast was kept of a period that is over")
    else:
        shown = [(_chance(row.said), _chance(row.came), str(row.count)) for row in rows]
        print_table(("said", "came", "forecasts"), shown, right=range(3))
        typer.echo(f"calibration error {off:.3f}")


def _chance(miss: float | None) -> str:
    return "?" if miss is None else f"{100 * miss:.0f} %"
