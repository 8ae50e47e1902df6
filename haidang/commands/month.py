"""A month's report made for a command, with a sign of how far it is."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from availability.periods import month_named
from config import Configuration
from haidang import reporting
from haidang.commands.common import fail
from haidang.commands.metrics import ask_store
from haidang.commands.reading import holder, ledger
from reports import equipment
from reports.equipment import Equipment
from reports.load import loads
from reports.model import Report
from storage.ledger import LedgerReader
from storage.metrics import MetricStore, StoreError

SHOWN = 20
MonthOption = Annotated[str | None, typer.Option(help="YYYY-MM; last month when nothing is said.")]


def fresh_report(configuration: Configuration, month: str, kind: str, name: str, *, quiet: bool) -> Report:
    """Make the report of a month; ends the command when it cannot be.

    Parameters:
        kind, name: ``system``, ``carrier`` or ``site`` to narrow it to; empty: everything.
        quiet: say nothing of how far it is.
    """
    inventory = configuration.inventory
    try:
        period = month_named(month, configuration.timezone)
    except ValueError as error:
        fail(f"--month: {error}")
    now_ns = time.time_ns()
    if period.start_ns > now_ns:
        fail(f"--month: {month} has not begun")
    known = {
        "": [""], "system": list(inventory.systems), "site": list(inventory.sites),
        "carrier": sorted({one.carrier for one in inventory.circuits.values() if one.carrier}),
    }[kind]  # fmt: skip
    if name not in known and not (kind == "carrier" and name.casefold() in map(str.casefold, known)):
        fail(f"no {kind} {name}: there are {', '.join(known[:SHOWN]) or 'none'}{', …' if len(known) > SHOWN else ''}")
    running = holder(configuration) is not None
    say = _Progress(quiet=quiet)
    with ledger(configuration) as sql:
        sql.execute("BEGIN")  # all of it as of one moment, whatever the daemon writes meanwhile
        known_ns = now_ns if running else LedgerReader(sql).alive_ns()
        say("measurements", 0, 1)
        measured = _measured(configuration, period.start_ns, min(period.end_ns, now_ns), say)
        made = reporting.make(
            configuration, sql, month, now_ns, known_ns, kind=kind, name=name, equipment=measured, progress=say
        )  # fmt: skip
    say.done()
    return made


def _measured(configuration: Configuration, start_ns: int, end_ns: int, say: _Progress) -> Equipment:
    """Read what the equipment measured; without a store that answers, the report says of each part that it is empty."""

    async def asked(store: MetricStore, _now_ns: int) -> Equipment:
        return Equipment(
            await loads(configuration, store, start_ns, end_ns) if configuration.inventory.circuits else (),
            await equipment.readings(configuration, store, start_ns, end_ns),
            await equipment.certificates(configuration, store, start_ns, end_ns),
            await equipment.quality(configuration, store, start_ns, end_ns),
        )

    try:
        return ask_store(configuration, asked)
    except StoreError as error:
        say.done()
        sys.stderr.write(f"load, power, climate, disks, certificates and quality left out: {error}\n")
        return Equipment()


def say_gone(count: int, revision: int) -> str:
    """Say that what was measured can no longer be read, which is no difference."""
    what = "1 row" if count == 1 else f"{count} rows"
    return f"{what} of measurements cannot be read (in full) any more: as sealed in revision {revision}, no difference"


class _Progress:
    """Says on a terminal how far a report is; elsewhere nothing."""

    def __init__(self, *, quiet: bool) -> None:
        self._on = sys.stderr.isatty() and not quiet

    def __call__(self, stage: str, done: int, of: int) -> None:
        if self._on:
            share = f" {100 * done // of} %" if of > 1 else ""
            sys.stderr.write(f"\r\x1b[K{stage}{share}")
            sys.stderr.flush()

    def done(self) -> None:
        if self._on:
            sys.stderr.write("\r\x1b[K")
