"""What is known of the leased lines: ``haidang circuits --load`` and ``haidang inventory export``."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from collectors.load import Load, loads
from config import Configuration
from haidang.commands.common import ConfigOption, JsonOption, coloured, fail, print_json, print_table, read_config
from haidang.commands.metrics import ask_store
from haidang.connections import COLUMNS, connections
from storage.metrics import StoreError

inventory = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The connection database: leased lines and their quality."
)


def circuits(
    load: Annotated[bool, typer.Option("--load", help="95th percentile of 5-minute samples over 7 days.")] = False,
    limit: Annotated[float, typer.Option(min=1, max=100, help="Percent of the contracted capacity.")] = 90.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the leased lines; with --load how full they were. Ends with 1 when one is over the limit."""
    configuration = read_config(config)
    known = configuration.inventory.circuits
    if not load:
        rows = [
            (one.id, one.label(configuration.language), one.carrier or "", one.contract or "", one.a or "", one.b or "",
             one.mbps or "") for one in known.values()
        ]  # fmt: skip
        heads = ("circuit", "name", "carrier", "contract", "a", "b", "mbps")
        if as_json:
            print_json(
                [{key: cell if cell != "" else None for key, cell in zip(heads, row, strict=True)} for row in rows]
            )
        else:
            print_table(heads, rows, right=(6,), spare=(3,), none=_NONE)
        return
    found = _measured(configuration)
    if as_json:
        print_json([_as_json(one, limit) for one in found])
    else:
        _show(configuration, found, limit)
    raise typer.Exit(1 if any((one.worst_percent or 0) > limit for one in found) else 0)


def _measured(configuration: Configuration) -> list[Load]:
    try:
        return ask_store(configuration, lambda store, now_ns: loads(configuration, store, now_ns))
    except StoreError as error:
        fail(str(error))


def _as_json(one: Load, limit: float) -> dict[str, Any]:
    return {
        "circuit": one.circuit, "target": one.target or None, "interface": one.interface or None, "mbps": one.mbps,
        "in_p95_bps": one.in_p95_bps, "out_p95_bps": one.out_p95_bps, "in_p95_percent": one.percent(one.in_p95_bps),
        "out_p95_percent": one.percent(one.out_p95_bps), "coverage_percent": round(one.coverage_percent, 2),
        "limit_percent": limit, "over": None if one.worst_percent is None else one.worst_percent > limit,
        "reason": one.reason or None,
    }  # fmt: skip


def _show(configuration: Configuration, found: list[Load], limit: float) -> None:
    known, language = configuration.inventory.circuits, configuration.language
    rows = []
    for one in found:
        worst = one.worst_percent
        state = "unknown" if worst is None else "bad" if worst > limit else "ok"
        rows.append(
            (
                coloured(state), known[one.circuit].label(language), one.target, one.interface,
                f"{one.mbps:g}" if one.mbps else "", _mbps(one.in_p95_bps), _mbps(one.out_p95_bps),
                "" if worst is None else f"{worst:.1f} %", f"{one.coverage_percent:.1f} %", one.reason,
            )
        )  # fmt: skip
    heads = ("load", "circuit", "end", "interface", "Mbit/s", "in P95", "out P95", "of capacity", "measured", "why not")
    print_table(heads, rows, right=range(4, 9), spare=(8, 3, 2), none=_NONE)


_NONE = "no circuits are configured: add them under circuits (docs/configuration.md)"


def _mbps(bps: float | None) -> str:
    return "" if bps is None else f"{bps / 1e6:.2f}"


@inventory.command("export")
def export(
    form: Annotated[Literal["csv", "json"], typer.Option("--format", help="csv or json.")] = "csv",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write; else standard output.")] = None,
    config: ConfigOption = None,
) -> None:
    """Write the connection database.

    Each channel, its bandwidth and the quality measured over 7 days.
    """
    configuration = read_config(config)
    try:
        rows = ask_store(configuration, lambda store, now_ns: connections(configuration, store, now_ns))
    except StoreError as error:
        fail(str(error))
    if form == "json":
        text = json.dumps(rows, ensure_ascii=False, indent=2) + "\n"
    else:
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([_cell(row[column]) for column in COLUMNS] for row in rows)
        text = table.getvalue()
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{out}: cannot be written ({(error.strerror or str(error)).lower()})")


def _cell(value: object) -> object:
    """Keep a spreadsheet from taking a name for a formula."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value else value
