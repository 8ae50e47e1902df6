"""Reading the ledger for figures: what is read of many targets in one question is what is read of each alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from availability import books
from availability.books import Books
from availability.periods import month_named
from availability.promises import Promise
from availability.systems import Formula
from availability.timeline import Correction, of_check
from config import load
from haidang.model import CheckId, State, Transition
from storage.accounts import Accounts, CorrectionRow
from storage.database import Database
from storage.ledger import Ledger
from tests.support import history

S = 10**9
DAY_S = 86_400


def test_targets_that_are_read_together_have_the_figures_they_have_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "AT_A_TIME", 3)
    names = [f"t{number}" for number in range(8)]
    (tmp_path / "haidang.yaml").write_text(
        "haidang: 1\ndata_dir: ./data\ntargets:\n"
        + "\n".join(f"  - {{id: {name}, address: 127.0.0.1, probes: [icmp, dns]}}" for name in names)
    )
    configuration = load(tmp_path / "haidang.yaml")
    month = month_named("2026-10", configuration.timezone)
    zero = month.start_ns // S
    rng = random.Random(5)
    outages = [
        (name, at, at + rng.randrange(60, DAY_S))
        for name in names[1:]
        for at in range(zero - 3 * DAY_S + rng.randrange(DAY_S), zero + 25 * DAY_S, 3 * DAY_S)
    ]
    history.write(tmp_path / "data", names[:-1], zero - 5 * DAY_S, zero + 40 * DAY_S, outages)
    database = Database(tmp_path / "data" / "haidang.db", "haidang")
    ledger, accounts = Ledger(database), Accounts(database)
    late, other = CheckId("t7", "icmp"), CheckId("t3", "dns")
    ledger.watch([late], (zero + 9 * DAY_S) * S)
    ledger.record(Transition(late, State.DOWN, None, (zero + 9 * DAY_S) * S, (zero + 9 * DAY_S) * S, "no answer"))
    for days, check in ((-5, CheckId("t3", "icmp")), (4, other), (12, CheckId("t3", "icmp"))):
        ledger.judge_by([check], (zero + days * DAY_S) * S)
    ledger.record(Transition(other, State.DOWN, None, (zero + 5 * DAY_S) * S, (zero + 5 * DAY_S) * S, "no answer"))
    for name, probe in (("t2", "icmp"), ("t4", "dns")):
        accounts.correct(
            CorrectionRow(CheckId(name, probe), zero * S, (zero + DAY_S) * S, State.DOWN, "seen", "an", zero * S)
        )
    for name, at, _ in outages:
        accounts.report(name, (at + 30) * S, "T-2", "an", zero * S)

    now_ns = (zero + 40 * DAY_S) * S
    targets = list(configuration.inventory.targets.values())
    down = set()
    for from_ticket in (False, True):
        promise = Promise("", "system", "", 99.0, from_ticket=from_ticket)
        together = Books(configuration, database.connection, now_ns, now_ns)
        together.of_targets(targets, promise, [month], Formula())
        for target in targets:
            one = Books(configuration, database.connection, now_ns, now_ns)
            alone = one.of_target(target, month, promise)
            assert together.of_target(target, month, promise) == alone, target.id
            if not from_ticket:
                start_ns = max(month.start_ns, one.watched_ns(target.primary) or 0)
                said = one.intervals(target.primary, start_ns, month.end_ns)
                right = [Correction(zero * S, (zero + DAY_S) * S, State.DOWN)] if target.id == "t2" else []
                assert alone.timeline == of_check(said, start_ns, month.end_ns, right), "each check in its own time"
            down.add(alone.figures.down_s)
    assert len(down) == 15, "the stories differ: two of the first target's figures are alike, it was never down"
    database.close()
