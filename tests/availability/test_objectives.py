"""A month's figures against a model that looks at every second."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from availability.objectives import figures
from availability.periods import month_at, month_named
from haidang.model import CheckId, Interval, State

S = 1_000_000_000
CHECK = CheckId("router", "icmp")
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


def chain(lengths: list[tuple[int, State]], start: int, running: bool) -> list[Interval]:
    """Make intervals that follow each other, seconds."""
    out = []
    for index, (length, state) in enumerate(lengths):
        last = index == len(lengths) - 1
        end = None if last and running else (start + length) * S
        out.append(Interval(CHECK, state, start * S, end, ""))
        start += length
    return out


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(list(State))), max_size=12),
    st.integers(0, 100), st.integers(1, 150), st.integers(0, 260), st.integers(0, 60), st.booleans(),
)  # fmt: skip
def test_every_second_is_counted_once(
    lengths: list[tuple[int, State]], start: int, period: int, now: int, first: int, running: bool
) -> None:
    ledger = chain(lengths, first, running)
    found = figures(ledger, start * S, (start + period) * S, now * S, 99.0)
    up = down = unknown = outages = 0
    was_down = False
    for second in range(start, max(start, min(start + period, now))):
        state = next(
            (
                one.state
                for one in ledger
                if one.start_ns <= second * S and (one.end_ns is None or second * S < one.end_ns)
            ),
            None,
        )
        is_down = state in (State.DOWN, State.UNREACHABLE)
        up += state in (State.UP, State.DEGRADED)
        down += is_down
        unknown += not is_down and state not in (State.UP, State.DEGRADED)
        outages += is_down and not was_down
        if is_down or state in (State.UP, State.DEGRADED):
            was_down = is_down
    assert (found.up_s, found.down_s, found.unknown_s, found.outages) == (up, down, unknown, outages)
    assert found.elapsed_s == up + down + unknown
    if up + down:
        assert found.availability_percent == pytest.approx(100 * up / (up + down))
        low, middle, high = found.lowest_percent, found.availability_percent, found.highest_percent
        assert low is not None
        assert middle is not None
        assert high is not None
        assert low <= middle + 1e-9
        assert middle <= high + 1e-9
    else:
        assert found.availability_percent is None


def test_the_budget_of_a_thirty_day_month_at_three_nines_is_43_minutes_and_12_seconds() -> None:
    month = month_named("2026-11", HANOI)
    outage = Interval(CHECK, State.DOWN, month.start_ns, month.start_ns + 600 * S, "")
    found = figures([outage], month.start_ns, month.end_ns, month.end_ns, 99.9)
    assert found.budget_s == pytest.approx(43.2 * 60)
    assert found.budget_left_s == pytest.approx(43.2 * 60 - 600)


def test_a_running_outage_is_counted_up_to_now() -> None:
    found = figures([Interval(CHECK, State.DOWN, 10 * S, None, "")], 0, 100 * S, 30 * S)
    assert (found.down_s, found.unknown_s, found.outages) == (20, 10, 1)


def test_a_month_is_the_calendars_in_its_own_time_zone() -> None:
    at = int(datetime(2026, 10, 31, 17, 30, tzinfo=UTC).timestamp()) * S  # 00:30 on 1 November in Hanoi
    month = month_at(at, HANOI)
    assert month.name == "2026-11"
    assert month.start_ns == int(datetime(2026, 10, 31, 17, tzinfo=UTC).timestamp()) * S
    assert (month.end_ns - month.start_ns) / S == 30 * 86400
    assert month_named("2028-02", HANOI).end_ns - month_named("2028-02", HANOI).start_ns == 29 * 86400 * S


@pytest.mark.parametrize("name", ["2026-13", "11-2026", "2026", "", "2026-11-01"])
def test_a_name_that_is_no_month_says_how_to_write_one(name: str) -> None:
    with pytest.raises(ValueError, match="YYYY-MM"):
        month_named(name, HANOI)
