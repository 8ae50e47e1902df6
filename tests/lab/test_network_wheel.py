"""The timer wheel: all comes back, in order, at its time to a twentieth of a millisecond."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from lab.network.wheel import TICK_NS, Wheel


@given(st.lists(st.integers(0, 10**9)), st.integers(1, 10**8))
def test_each_item_comes_back_once_in_order_of_time_and_never_far_from_it(times: list[int], step: int) -> None:
    wheel: Wheel[int] = Wheel()
    for at in times:
        wheel.add(at, at)
    found: list[int] = []
    now = 0
    while wheel.next_ns is not None:
        now = max(now + step, wheel.next_ns)
        for item in wheel.due(now):
            found.append(item)
            assert item <= now + 25_000  # at most half a tick early
        assert wheel.next_ns is None or wheel.next_ns > now
    assert sorted(found) == sorted(times)
    assert all(later > earlier - TICK_NS for earlier, later in itertools.pairwise(found))


def test_the_next_time_is_within_half_a_tick_of_the_earliest_items() -> None:
    wheel: Wheel[str] = Wheel()
    wheel.add(20_000_000, "late")
    wheel.add(1_234_567, "early")
    assert wheel.next_ns is not None
    assert abs(wheel.next_ns - 1_234_567) <= 25_000
    assert list(wheel.due(1_200_000)) == []
    assert list(wheel.due(1_260_000)) == ["early"]


def test_what_is_added_while_due_items_are_taken_out_is_taken_too_when_due() -> None:
    wheel: Wheel[int] = Wheel()
    wheel.add(0, 1)
    found = []
    for item in wheel.due(1_000_000):
        found.append(item)
        if item < 5:
            wheel.add(item * 100_000, item + 1)
    assert found == [1, 2, 3, 4, 5]
