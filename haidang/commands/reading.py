"""Commands that read what is on record; they work while the daemon runs and when it does not."""

from __future__ import annotations

import sqlite3
import textwrap
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from config import Configuration
from haidang import show
from haidang.commands.common import (
    WIDEST,
    ConfigOption,
    JsonOption,
    clean,
    coloured,
    fail,
    print_json,
    print_table,
    read_config,
)
from haidang.commands.requests import request
from haidang.control import ControlError, ask
from haidang.life import DataDirectory
from haidang.settings import store_settings
from storage.database import DatabaseError, open_reader, unread
from storage.ledger import LedgerReader
from storage.metrics import StoreError, offline_status

MOST_NUMBERS = 8
"""Open incidents that the summary names."""
SILENT_NS = 30 * 10**9
"""A running daemon that has written no sign of life for so long cannot: it writes one each few seconds."""
ANSWER_S = 1.0
"""How long a command waits for what it would only like to know as well."""
_WORST = ("down", "unreachable", "unknown", "degraded", "maintenance", "up")

store = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="How the metric store is doing.")


@contextmanager
def ledger(configuration: Configuration) -> Iterator[sqlite3.Connection]:
    """Open the ledger for reading; ends the command when it cannot be read."""
    try:
        connection = open_reader(configuration.data_dir / "haidang.db")
    except DatabaseError as error:
        fail(str(error))
    try:
        yield connection
    except sqlite3.Error as error:
        fail(unread(configuration.data_dir / "haidang.db", error))
    finally:
        connection.close()


def holder(configuration: Configuration) -> int | None:
    """Return the running daemon's process, ``None`` when none runs; ends the command when we may not look."""
    try:
        return DataDirectory(configuration.data_dir).holder()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        fail(f"{configuration.data_dir}: {why}; reading needs the rights of the daemon's user (sudo -u haidang …)")


def status(
    config: ConfigOption = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Every target, not only what is not up.")] = False,
    own: Annotated[bool, typer.Option("--self", help="What the daemon itself costs, by kind of probe.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say how everything is now. Ends with 1 when a check is not up or nobody watches.

    With --self: how late probes start, what is left out or lost here, and the processor time of each kind of probe.
    """
    configuration = read_config(config)
    if own:
        _status_of_self(configuration, as_json=as_json)
        return
    with ledger(configuration) as sql:
        found = how_all_is(configuration, sql)
    if as_json:
        print_json(found)
    else:
        _show_status(configuration, found, everything=everything)
    well = all(check["state"] == "up" for target in found["targets"] for check in target["checks"])
    raise typer.Exit(0 if well and found["daemon"]["running"] and not found["daemon"]["error"] else 1)


def how_all_is(configuration: Configuration, sql: sqlite3.Connection) -> dict[str, Any]:
    """Tell how everything is now, with what the running daemon says of itself.

    On a full disk the record stands still and the daemon goes on: then only it knows.
    """
    process = holder(configuration)
    found = show.status(configuration, sql, process, time.time_ns())
    own = of_itself(configuration) if process is not None else {}
    found["daemon"] |= {"error": own.get("ledger_error") or None, "changes_waiting": own.get("transitions_waiting", 0)}
    return found


def of_itself(configuration: Configuration) -> dict[str, Any]:
    """Ask the running daemon how it is; empty when it does not answer, or not to us."""
    try:
        return ask(configuration.data_dir, "self", {}, ANSWER_S)
    except ControlError:
        return {}


def _show_status(configuration: Configuration, found: dict[str, Any], *, everything: bool) -> None:
    for line in summary_lines(configuration, found):
        typer.echo(line)
    rows = list(worst_first(found, everything=everything))
    if rows:
        console = Console(soft_wrap=False)
        if not console.is_terminal:
            console.width = WIDEST  # a file or a pipe has no edge
        console.print(status_table(configuration, rows, console.width))


def _status_of_self(configuration: Configuration, *, as_json: bool) -> None:
    found = request(configuration, "self")
    found.pop("ok")
    if as_json:
        print_json(found)
        return
    zone, now_ns = configuration.timezone, time.time_ns()
    started_ns = _ns(found["started"]) or now_ns
    ran_s = max(1.0, (now_ns - started_ns) / 1e9)
    rows = [
        ("runs since", f"{show.local(started_ns, zone)}, version {found['version']}"),
        (
            "processor",
            (f"{found['cpu_s']:.1f} s, {100 * found['cpu_s'] / ran_s:.1f} % of one core since then; "
            f"{found['cpu_other_s']:.1f} s of it beside the probes below"),
        ),
        ("memory", f"{found['rss_bytes'] / 2**20:.0f} MiB"),
        ("checks", f"{found['checks']}, {found['suspects']} suspect"),
        ("slots", f"{found['slots']} started, {found['slots_skipped']} left out"),
        ("latest start", f"{found['worst_late_ms']:.0f} ms late in this minute and the one before"),
        ("lost here", f"{found['icmp_dropped']} echo replies, {found['snmp_dropped']} SNMP answers"),
        (
            "waiting",
            (f"{found['transitions_waiting']} changes of state, {found['store_buffered']} points in memory, "
            f"{found['store_spooled']} in the spool; {found['store_refused']} points had no room, "
            f"{found['store_rejected']} were rejected"),
        ),
        ("ledger error", clean(found["ledger_error"]) or "none"),
        ("store error", clean(found["store_error"]) or "none"),
    ]  # fmt: skip
    for name, value in rows:
        typer.echo(textwrap.fill(value, 80, initial_indent=f"{name:14}", subsequent_indent=" " * 14))
    print_table(
        ("probe", "checks", "slots", "left out", "late ms", "worst", "CPU s", "core %"),
        [
            (
                one["probe"], one["checks"], one["slots"], one["skipped"],
                f"{1000 * one['late_s'] / max(1, one['slots']):.1f}", f"{one['worst_late_ms']:.1f}",
                f"{one['cpu_s']:.2f}", f"{100 * one['cpu_s'] / ran_s:.2f}",
            ) for one in found["probes"]
        ], right=range(1, 8),
    )  # fmt: skip


def unwritten(error: str, waiting: int) -> str:
    """Say that the record stands still while the daemon goes on."""
    return (
        f"The daemon cannot write ({clean(error)}): it goes on watching; changes of state that wait in its memory: "
        f"{waiting}. What is shown here is from before."
    )


def summary_lines(configuration: Configuration, found: dict[str, Any]) -> list[str]:
    """Say in a line or two how everything is."""
    lines = []
    seen = _ns(found["daemon"]["last_sign_of_life"])
    if found["daemon"]["running"]:
        if found["daemon"]["error"]:
            lines.append(unwritten(found["daemon"]["error"], found["daemon"]["changes_waiting"]))
        elif seen and time.time_ns() - seen > SILENT_NS:
            when = show.local(seen, configuration.timezone)
            lines.append(f"The daemon runs but has written nothing since {when}: haidang doctor, and its log, say why.")
    else:
        when = show.local(seen, configuration.timezone) if seen else "never"
        lines.append(f"The daemon is not running (last sign of life: {when}). What follows is the last known state.")
    counts = [f"{count} {state}" for state, count in found["summary"].items() if count]
    unknown = sum(check["state"] == "unknown" for target in found["targets"] for check in target["checks"])
    lines.append(
        (", ".join(counts) or "no targets")
        + (f"; {unknown} check{'s' if unknown > 1 else ''} unknown" if unknown else "")
    )
    if found["incidents"]:
        numbers = [f"#{number}" for number in found["incidents"]]
        more = f" and {len(numbers) - MOST_NUMBERS} more" if len(numbers) > MOST_NUMBERS else ""
        lines.append("open incidents: " + ", ".join(numbers[:MOST_NUMBERS]) + more)
    return lines


KNOWN_BY = 24
"""Of a target's name so much is shown first: what is down matters more than all of the reason."""
WIDE = 100
"""A line of fewer characters says of what is hidden only behind what: the reason is that of what hides it."""

Row = tuple[dict[str, Any], dict[str, Any]]
"""A target and one of its checks, as `show.status` tells of them."""


def worst_first(found: dict[str, Any], *, everything: bool) -> Iterator[Row]:
    """Yield the checks that are not up, or all of them, the worst first; among equals as configured."""
    order = {state: number for number, state in enumerate(_WORST)}
    rows = [
        (target, check) for target in found["targets"] for check in target["checks"]
        if everything or check["state"] != "up"
    ]  # fmt: skip
    yield from sorted(rows, key=lambda row: order.get(row[1]["state"], 0))


def status_table(configuration: Configuration, rows: Iterable[Row], width: int) -> Table:
    """Make a table of checks that fits a width: one line for each, what is too long ends with …."""
    zone, now_ns = configuration.timezone, time.time_ns()

    def why(check: dict[str, Any]) -> tuple[str, str]:
        reason, cause = check["reason"] or "", check["cause"] or ""
        return (f"behind {cause}", "") if cause and width < WIDE else (reason, cause)

    cells = [
        (
            coloured(check["state"]), target["name"], check["probe"], target["site"] or "",
            show.since(_ns(check["since"]), zone, now_ns), *why(check),
        )
        for target, check in rows
    ]  # fmt: skip
    heads = ("state", "target", "check", "site", "since", "reason", "hidden behind")
    fixed, shared = (0, 2, 4), (1, 3, 5, 6)
    widest = [
        max([cell_len(head), *(cell_len(str(row[number])) for row in cells)]) for number, head in enumerate(heads)
    ]
    for number in (3, 5, 6):  # what no row has needs no column
        if not any(str(row[number]) for row in cells):
            widest[number] = 0
    room = width - sum(widest[number] for number in fixed) - (len(heads) - 1)
    lengths = shares([widest[number] for number in shared], (KNOWN_BY, 11, 9, 8), room)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0), collapse_padding=True)
    for number, head in enumerate(heads):
        most = widest[number] if number in fixed else lengths[shared.index(number)]
        if most > 0:
            table.add_column(head, width=most, no_wrap=True, overflow="ellipsis")
    kept = [number for number in range(len(heads)) if number in fixed or lengths[shared.index(number)] > 0]
    for row in cells:
        table.add_row(
            *(cell if isinstance(cell, Text) else Text(clean(str(cell))) for cell in (row[number] for number in kept))
        )
    return table


def shares(wanted: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Share the room of a line among columns: each gets its least, what is left goes where most is cut off.

    A column whose least has no room is left out, the last first.
    """
    given = [min(want, at_least) for want, at_least in zip(wanted, least, strict=True)]
    for number in reversed(range(1, len(given))):
        if sum(given) > room:
            given[number] = 0
    left = room - sum(given)
    while left > 0:
        number = max(range(len(given)), key=lambda one: wanted[one] - given[one] if given[one] else 0)
        if not given[number] or wanted[number] <= given[number]:
            break
        given[number] += 1
        left -= 1
    return given


def events(
    target: Annotated[str | None, typer.Argument(metavar="TARGET", help="Only this one's.")] = None,
    config: ConfigOption = None,
    most: Annotated[int, typer.Option("--most", "-n", min=1, max=10_000, help="How many, the newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show the traps and log messages that devices sent."""
    configuration = read_config(config)
    if target is not None and target not in configuration.inventory.targets:
        fail(f"there is no target {target!r} in the configuration; haidang status --all names them")
    holder(configuration)
    with ledger(configuration) as sql:
        found = show.events(configuration, sql, target, most=most)
    if as_json:
        print_json(found)
        return
    receivers = configuration.receivers
    if not found and receivers.traps is None and receivers.syslog is None:
        typer.echo("nothing is received: add receivers: to the configuration (docs/configuration.md)")
        return
    zone, now_ns = configuration.timezone, time.time_ns()
    rows = [
        (
            show.since(_ns(one["last"]), zone, now_ns), one["target"], coloured(one["severity"]), one["name"],
            f"{one['count']} ×" if one["count"] > 1 else "",
            "; ".join(filter(None, (one["meaning"], one["text"]))),
        )
        for one in found
    ]  # fmt: skip
    print_table(
        ("last", "target", "severity", "name", "times", "what"), rows, right=(4,), spare=(4,),
        none=f"nothing was told of {target}" if target else "nothing was told yet",
    )  # fmt: skip


@store.command("status")
def store_status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say how the metric store is doing.

    Spooled, written, rejected, oldest unsent, last canary read back. Ends with 1 when the running daemon cannot write
    to it.
    """
    configuration = read_config(config)
    try:
        found = offline_status(store_settings(configuration))
    except (DatabaseError, StoreError) as error:
        fail(str(error))
    if holder(configuration) is not None:
        with ledger(configuration) as sql:
            says = LedgerReader(sql).says()
        says |= of_itself(configuration)  # on a full disk it knows more than it can write down
        found = replace(
            found, kind=str(says.get("store_kind", found.kind)), last_error=str(says.get("store_error", "")),
            buffered=int(says.get("store_buffered", found.buffered)),
        )  # fmt: skip
    if as_json:
        data = asdict(found)
        for name in ("oldest_unsent", "last_canary"):
            data[name] = show.utc(data.pop(f"{name}_ns"))
        print_json(data)
        raise typer.Exit(1 if found.last_error else 0)
    zone = configuration.timezone
    rows = [
        ("store", found.kind), ("in memory", found.buffered), ("spooled", found.spooled), ("written", found.written),
        ("rejected", found.rejected), ("refused", found.refused),
        ("oldest unsent", show.local(found.oldest_unsent_ns, zone) or "none"),
        ("last canary read back", show.local(found.last_canary_ns, zone) or "none yet"),
        ("error", clean(found.last_error) or "none"),
    ]  # fmt: skip
    for name, value in rows:
        typer.echo(f"{name:22} {value}")
    raise typer.Exit(1 if found.last_error else 0)


def _ns(text: str | None) -> int | None:
    return None if text is None else round(datetime.fromisoformat(text).timestamp()) * 10**9
