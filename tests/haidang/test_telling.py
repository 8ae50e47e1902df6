"""What a device tells by itself makes us look, in measure."""

from __future__ import annotations

from pathlib import Path

import pytest

from collectors.receiver import Event
from haidang.clock import ManualClock
from haidang.telling import MOST_LOOKS, Telling
from storage.database import Database
from storage.events import EventLog, recorded


class Listener:
    """A telling, and what it looked at."""

    def __init__(self, folder: Path, targets: int = 2) -> None:
        self.clock = ManualClock()
        self.database = Database(folder / "haidang.db", "haidang")
        self.looked: list[str] = []
        self.busy = False
        self.telling = Telling(self.clock, EventLog(self.database), self._look)
        self.telling.know((f"192.0.2.{number}", f"t{number}") for number in range(targets))

    def _look(self, target: str) -> bool:
        self.looked.append(target)
        return not self.busy

    def hear(self, number: int = 0, *, poll: bool = True, name: str = "linkDown") -> None:
        self.telling.take(Event(self.clock.utc_ns(), f"192.0.2.{number}", "trap", name, "warning", "x", poll=poll))


@pytest.fixture
def listener(tmp_path: Path) -> Listener:
    return Listener(tmp_path, targets=250)


def test_a_trap_makes_its_target_be_looked_at_at_once(listener: Listener) -> None:
    listener.hear(1)
    assert listener.looked == ["t1"]


def test_what_another_program_hands_in_is_kept_as_a_hook_and_its_target_looked_at(listener: Listener) -> None:
    listener.telling.hand_in("t1", "building", "critical", "on battery", "token:alarm")
    assert listener.looked == ["t1"]
    listener.telling.tick()
    (row,) = recorded(listener.database.connection, "t1")
    assert (row.kind, row.source, row.name, row.severity, row.text, row.proven) == (
        "hook", "token:alarm", "building", "critical", "on battery", True,
    )  # fmt: skip


def test_a_flapping_port_is_looked_at_now_and_once_more_afterwards(listener: Listener) -> None:
    for _ in range(40):
        listener.hear()
        listener.clock.advance(0.1)
    assert listener.looked == ["t0"]
    listener.clock.advance(1)
    listener.telling.tick()
    assert listener.looked == ["t0", "t0"]
    listener.clock.advance(60)
    listener.telling.tick()
    assert listener.looked == ["t0", "t0"]


def test_what_is_no_reason_to_look_is_kept_all_the_same(listener: Listener) -> None:
    listener.hear(poll=False, name="authenticationFailure")
    listener.telling.tick()
    assert listener.looked == []
    assert [event.name for event in recorded(listener.database.connection, "t0")] == ["authenticationFailure"]


def test_a_storm_is_looked_at_second_by_second(listener: Listener) -> None:
    for number in range(120):
        listener.hear(number)
    assert len(listener.looked) == MOST_LOOKS
    for expected in (100, 120, 120):
        listener.clock.advance(1)
        listener.telling.tick()
        assert len(listener.looked) == expected


def test_a_probe_that_began_before_the_trap_is_not_the_last_word(listener: Listener) -> None:
    listener.busy = True
    listener.hear()
    listener.busy = False
    listener.clock.advance(6)
    listener.telling.tick()
    assert listener.looked == ["t0", "t0"]


def test_two_targets_with_one_address_are_both_meant_and_strangers_none(tmp_path: Path) -> None:
    listener = Listener(tmp_path)
    listener.telling.know([("192.0.2.0", "a"), ("192.0.2.0", "b")])
    listener.hear(0)
    listener.hear(1)
    assert listener.looked == ["a", "b"]
    assert listener.telling.events == 2
