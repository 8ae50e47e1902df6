"""A ledger with a past: outages written into ``haidang.db`` as the daemon would have."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from haidang.model import CheckId, State, Transition
from storage.database import Database
from storage.ledger import Ledger

S = 10**9
Down = tuple[str, int, int]
"""A target, and the seconds at which it went down and came back."""


def write(folder: Path, targets: Iterable[str], start_s: int, end_s: int, outages: Iterable[Down]) -> None:
    """Write the history of targets that were pinged from start to end, and then the daemon ended.

    Parameters:
        folder: the data directory.
        targets: what was watched, up but for its outages.
        start_s, end_s: UTC seconds.
        outages: not overlapping; one that ends after ``end_s`` still runs then.
    """
    folder.mkdir(exist_ok=True)
    database = Database(folder / "haidang.db", "haidang")
    database.connection.execute("PRAGMA synchronous=OFF")
    ledger = Ledger(database)
    ledger.begin(start_s * S, "1")
    checks = [CheckId(target, "icmp") for target in targets]
    ledger.watch(checks, start_s * S)
    changes = [(start_s, check.target, State.UP) for check in checks]
    for target, from_s, to_s in outages:
        changes.append((from_s, target, State.DOWN))
        if to_s <= end_s:
            changes.append((to_s, target, State.UP))
    with database.transaction():
        for at_s, target, state in sorted(changes):
            at_ns = at_s * S
            ledger.record(
                Transition(CheckId(target, "icmp"), state, None, at_ns, min(at_ns + 40 * S, end_s * S), "no answer")
            )
    ledger.end(end_s * S)
    database.close()
