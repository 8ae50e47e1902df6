"""Commands that read what is on record; they work while the daemon runs and when it does not."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any

import typer

from config import Configuration
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
from haidang.life import DataDirectory
from haidang.settings import store_settings
from storage.database import DatabaseError, open_reader
from storage.ledger import LedgerReader
from storage.metrics import StoreError, offline_status

store = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The metric store.")


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
        fail(f"{configuration.data_dir / 'haidang.db'}: cannot be read ({error})")
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
    as_json: JsonOption = False,
) -> None:
    """Say how everything is now. Ends with 1 when a check is not up or nobody watches."""
    configuration = read_config(config)
    process = holder(configuration)
    with ledger(configuration) as sql:
        found = show.status(configuration, sql, process, time.time_ns())
    if as_json:
        print_json(found)
    else:
        _show_status(configuration, found, everything=everything)
    well = all(check["state"] == "up" for target in found["targets"] for check in target["checks"])
    raise typer.Exit(0 if well and found["daemon"]["running"] else 1)


def _show_status(configuration: Configuration, found: dict[str, Any], *, everything: bool) -> None:
    zone = configuration.timezone
    if not found["daemon"]["running"]:
        seen = found["daemon"]["last_sign_of_life"]
        when = show.local(_ns(seen), zone) if seen else "never"
        typer.echo(f"The daemon is not running (last sign of life: {when}). What follows is the last known state.")
    counts = [f"{count} {state}" for state, count in found["summary"].items() if count]
    unknown = sum(check["state"] == "unknown" for target in found["targets"] for check in target["checks"])
    typer.echo((", ".join(counts) or "no targets") + (f"; {unknown} checks unknown" if unknown else ""))
    rows = [
        (
            coloured(check["state"]), target["name"], check["probe"], target["site"] or "",
            show.since(_ns(check["since"]), zone, time.time_ns()), check["reason"] or "", check["cause"] or "",
        )
        for target in found["targets"]
        for check in target["checks"]
        if everything or check["state"] != "up"
    ]  # fmt: skip
    if rows:
        print_table(("state", "target", "check", "site", "since", "reason", "hidden behind"), rows)
    if found["incidents"]:
        typer.echo("open incidents: " + ", ".join(f"#{number}" for number in found["incidents"]))


def events(
    target: Annotated[str | None, typer.Argument(metavar="TARGET", help="Only this one's.")] = None,
    config: ConfigOption = None,
    most: Annotated[int, typer.Option("--most", "-n", min=1, max=10_000, help="How many, the newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show what devices told by themselves: traps, informs, log messages."""
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
    print_table(("last", "target", "severity", "name", "times", "what"), rows, right=(4,))


@store.command("status")
def store_status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say how the metric store is doing: spooled, written, rejected, oldest unsent, last canary read back.

    Ends with 1 when the running daemon cannot write to it.
    """
    configuration = read_config(config)
    try:
        found = offline_status(store_settings(configuration))
    except (DatabaseError, StoreError) as error:
        fail(str(error))
    if holder(configuration) is not None:
        with ledger(configuration) as sql:
            says = LedgerReader(sql).says()
        kind, error_text = str(says.get("store_kind", found.kind)), str(says.get("store_error", ""))
        found = replace(found, kind=kind, last_error=error_text)
    if as_json:
        data = asdict(found)
        for name in ("oldest_unsent", "last_canary"):
            data[name] = show.utc(data.pop(f"{name}_ns"))
        print_json(data)
        raise typer.Exit(1 if found.last_error else 0)
    zone = configuration.timezone
    rows = [
        ("store", found.kind), ("spooled", found.spooled), ("written", found.written), ("rejected", found.rejected),
        ("refused", found.refused), ("oldest unsent", show.local(found.oldest_unsent_ns, zone) or "none"),
        ("last canary read back", show.local(found.last_canary_ns, zone) or "none yet"),
        ("error", clean(found.last_error) or "none"),
    ]  # fmt: skip
    for name, value in rows:
        typer.echo(f"{name:22} {value}")
    raise typer.Exit(1 if found.last_error else 0)


def _ns(text: str | None) -> int | None:
    return None if text is None else round(datetime.fromisoformat(text).timestamp()) * 10**9
