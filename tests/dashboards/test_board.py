"""The board: what is worked out change by change is what counting everything anew would find."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from availability.check import FAILED
from config import Configuration, load
from dashboards.web.model.board import Board, Now
from dashboards.web.model.desk import MOST_KEPT, Desk
from haidang.clock import ManualClock
from haidang.model import CheckId, State, Transition
from storage.database import Database

TEXT = """\
haidang: 1
data_dir: ./data
systems: [{id: wan}, {id: cameras}]
sites: [{id: centre}, {id: hub, parent: centre}]
credentials: [{id: core, community: {env: COMMUNITY}}]
targets:
  - {id: router, address: 127.0.0.1, site: hub, system: wan, snmp: {credential: core}}
  - {id: switch, address: 127.0.0.2, site: hub, system: wan, parents: [router]}
  - {id: camera, address: 127.0.0.3, site: hub, system: cameras, parents: [switch]}
  - {id: portal, address: 127.0.0.4, probes: [icmp, dns]}
"""


def configuration(folder: Path) -> Configuration:
    path = folder / "haidang.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return load(path)


CHECKS = [CheckId(target, probe) for target, probes in (
    ("router", ("icmp", "snmp")), ("switch", ("icmp",)), ("camera", ("icmp",)), ("portal", ("icmp", "dns")),
    ("gone", ("icmp",)),
) for probe in probes]  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(CHECKS), st.sampled_from(list(State))), max_size=30))
def test_the_counts_are_those_of_a_slow_count(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[CheckId, State]]
) -> None:
    board = Board(configuration(tmp_path_factory.mktemp("board")))
    known: dict[CheckId, State] = {}
    for number, (check, state) in enumerate(changes):
        board.take([Transition(check, state, None, number, number, "")])
        known[check] = state
    found: Counter[State] = Counter()
    wan: Counter[State] = Counter()
    for target in board.inventory.targets.values():
        state = known.get(target.primary, State.UNKNOWN)
        if state is State.UP and any(known.get(CheckId(target.id, probe)) in FAILED for probe in target.probes):
            state = State.DEGRADED
        assert board.target(target).state is state
        found[state] += 1
        wan[state] += target.system == "wan"
    assert {state: board.counts().get(state, 0) for state in State} == {state: found[state] for state in State}
    assert {state: board.counts("wan").get(state, 0) for state in State} == {state: wan[state] for state in State}


def test_a_site_is_lost_with_the_ways_into_it_and_not_with_one_camera(tmp_path: Path) -> None:
    board = Board(configuration(tmp_path))

    def say(target: str, state: State) -> None:
        board.take([Transition(CheckId(target, "icmp"), state, None, 1, 1, "")])

    assert board.site("hub").state is State.UNKNOWN
    for target in ("router", "switch", "camera"):
        say(target, State.UP)
    assert board.site("hub").state is State.UP
    say("camera", State.DOWN)
    assert (board.site("hub").state, board.site("hub").bad) == (State.DEGRADED, 1)
    say("router", State.UNREACHABLE)
    assert board.site("hub").state is State.UNREACHABLE
    say("router", State.DOWN)
    assert board.site("hub").state is State.DOWN


def test_a_check_that_was_never_judged_is_unknown(tmp_path: Path) -> None:
    board = Board(configuration(tmp_path))
    assert board.check(CheckId("router", "icmp")) == Now(State.UNKNOWN)
    assert board.counts()[State.UNKNOWN] == 4


async def test_sums_over_a_month_are_asked_for_once_in_half_a_minute_and_anew_after_a_reload(tmp_path: Path) -> None:
    clock = ManualClock()
    known = configuration(tmp_path)
    Database(tmp_path / "data" / "haidang.db", "haidang").close()
    desk = Desk(known, clock)
    asked: list[str] = []

    async def ask(key: str) -> int:
        def answer(_: sqlite3.Connection) -> int:
            asked.append(key)
            return len(asked)

        return await desk.recent(key, answer)

    assert [await ask("a"), await ask("a"), await ask("b")] == [1, 1, 2]
    clock.advance(29)
    assert await ask("a") == 1
    clock.advance(2)
    assert await ask("a") == 3
    desk.use(known)
    assert await ask("a") == 4
    for number in range(MOST_KEPT):
        await ask(str(number))
    assert await ask("a") == 4 + MOST_KEPT + 1, "the oldest had to make room"
