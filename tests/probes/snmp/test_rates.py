"""Rates: right ones from honest counters, none from counters that cannot be trusted."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from probes.snmp.interfaces import Interface, build
from probes.snmp.rates import Dropped, Reading, rates

GIGABIT = 1_000_000_000
WRAP32, WRAP64, TICKS = 1 << 32, 1 << 64, 1 << 32
SECONDS = st.floats(5, 600)


def port(octets: int | None, *, bits: int = 64, speed: int | None = GIGABIT, **more: int | None) -> Interface:
    bare = build(7, {})
    return replace(bare, in_octets=octets, counter_bits=bits, speed_bps=speed, **more)  # type: ignore[arg-type]


def pair(
    was: Interface, now: Interface, seconds: float = 60, ticks: int = 10_000_000, later_ticks: int | None = None
) -> tuple[Reading, Reading]:
    after = (ticks + round(seconds * 100)) % TICKS if later_ticks is None else later_ticks
    return Reading(1_000.0, ticks, 3, was), Reading(1_000.0 + seconds, after, 3, now)


@given(st.integers(0, WRAP64 - 1), st.floats(0, 1), SECONDS, st.integers(0, TICKS - 1))
def test_a_64_bit_counter_gives_its_rate_also_when_the_uptime_wraps(
    start: int, load: float, seconds: float, ticks: int
) -> None:
    octets = int(load * GIGABIT / 8 * seconds)
    if start + octets >= WRAP64:
        return
    found = rates(*pair(port(start), port(start + octets), seconds, ticks))
    assert found.dropped == {}
    assert abs(found.values["in_bps"] - octets * 8 / seconds) < 1


@given(st.integers(0, WRAP32 - 1), st.floats(0, 1), st.floats(5, 300), st.integers(0, TICKS - 1))
def test_a_32_bit_counter_may_go_round_once_where_it_cannot_go_round_twice(
    start: int, load: float, seconds: float, ticks: int
) -> None:
    hundred = 100_000_000
    octets = int(load * hundred / 8 * seconds)
    was, now = (port(value % WRAP32, bits=32, speed=hundred) for value in (start, start + octets))
    found = rates(*pair(was, now, seconds, ticks))
    assert found.dropped == {}
    assert abs(found.values["in_bps"] - octets * 8 / seconds) < 1


@given(st.integers(0, WRAP32 - 1), st.integers(0, WRAP32 - 1), st.sampled_from([None, 10 * GIGABIT]))
def test_a_32_bit_counter_that_could_alias_gives_nothing(was: int, now: int, speed: int | None) -> None:
    found = rates(*pair(port(was, bits=32, speed=speed), port(now, bits=32, speed=speed)))
    assert (found.values, found.dropped) == ({}, {"in_bps": Dropped.ALIASED})


@given(st.integers(0, WRAP64 - 1), st.integers(0, WRAP64 - 1), SECONDS, st.sampled_from([32, 64]))
def test_no_rate_is_ever_negative_or_over_the_speed(was: int, now: int, seconds: float, bits: int) -> None:
    limit = 1 << bits
    found = rates(*pair(port(was % limit, bits=bits), port(now % limit, bits=bits), seconds))
    assert set(found.values) | set(found.dropped) == {"in_bps"}
    for value in found.values.values():
        assert 0 <= value <= GIGABIT * 1.1001


@given(st.integers(1, WRAP64 - 1), st.integers(1, 1_000))
def test_a_64_bit_counter_that_goes_back_gives_nothing(was: int, back: int) -> None:
    found = rates(*pair(port(was), port(max(0, was - back))))
    assert found.dropped == {"in_bps": Dropped.BACKWARDS}


@given(st.integers(10_000, TICKS - 1), st.floats(30, 600), st.floats(0, 1))
def test_after_a_restart_there_is_no_rate_whatever_the_counters_say(ticks: int, seconds: float, share: float) -> None:
    later = int(share * seconds * 100)
    if abs((later - ticks) % TICKS - seconds * 100) <= 1_000 + seconds * 2:
        return  # looks like a wrap, to the second
    found = rates(*pair(port(5_000), port(6_000), seconds, ticks, later))
    assert found.dropped == {"in_bps": Dropped.RESTART}


def test_another_boot_count_is_a_restart() -> None:
    was, now = pair(port(1), port(2))
    assert rates(was, replace(now, engine_boots=4)).dropped == {"in_bps": Dropped.RESTART}


def test_a_discontinuity_of_one_interface_drops_its_rates() -> None:
    found = rates(*pair(port(1, discontinuity_ticks=0), port(2, discontinuity_ticks=99_000)))
    assert found.dropped == {"in_bps": Dropped.DISCONTINUITY}


def test_counters_that_change_their_width_are_not_mixed() -> None:
    found = rates(*pair(port(1, bits=32), port(2, bits=64)))
    assert found.dropped == {"in_bps": Dropped.CHANGED}


def test_the_first_reading_and_a_column_that_appears_give_nothing_yet() -> None:
    was, now = pair(port(None), port(5))
    assert rates(None, now).dropped == {"in_bps": Dropped.FIRST}
    assert rates(was, now).dropped == {"in_bps": Dropped.FIRST}
    assert rates(*pair(port(5), port(None))).dropped == {}


def test_error_counters_of_a_port_of_unknown_speed_count_while_they_rise() -> None:
    was, now = port(None, speed=None, in_errors=10), port(None, speed=None, in_errors=40)
    assert rates(*pair(was, now)).values == {"in_errors_ps": 0.5}
    assert rates(*pair(now, was)).dropped == {"in_errors_ps": Dropped.BACKWARDS}


def test_without_any_uptime_the_counters_speak_for_themselves() -> None:
    was, now = pair(port(0), port(7_500_000))
    bare = [replace(reading, agent_ticks=None, engine_boots=None) for reading in (was, now)]
    assert rates(*bare).values == {"in_bps": 1_000_000.0}
