"""Lines do what they are told: long-run loss, bursts, jitter, rates; the same seed meets the same fate."""

from __future__ import annotations

import itertools
import math
import statistics
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.impairments import Bottleneck, IndependentLoss, Jitter, Loss, PacketBurstLoss, TimedBurstLoss
from lab.lines import Conditions, Direction, Line, each_way

MS = 1_000_000


def fates(loss: Loss, count: int, every_ns: int = 10 * MS) -> list[bool]:
    """Send packets at an even pace."""
    return [loss.lost(at * every_ns) for at in range(count)]


def bursts(lost: list[bool]) -> list[int]:
    """Return the lengths of the runs of lost packets."""
    return [len(list(run)) for bad, run in itertools.groupby(lost) if bad]


def round_trip(line: Line, at_ns: int, size: int = 84) -> list[int]:
    """Cross a line forth and back."""
    return [back - at_ns for there in line.forth.cross(at_ns, size) for back in line.back.cross(there, size)]


@given(share=st.floats(0.01, 0.9), seed=st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_independent_loss_has_the_given_share(share: float, seed: int) -> None:
    count = 20_000
    found = sum(fates(IndependentLoss(Random(seed), share), count))
    assert abs(found - count * share) < 5.5 * math.sqrt(count * share * (1 - share))


@given(share=st.floats(0.02, 0.4), burst=st.floats(1.5, 15), seed=st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_bursty_loss_has_the_given_share_and_mean_burst(share: float, burst: float, seed: int) -> None:
    count = 60_000
    lost = fates(PacketBurstLoss(Random(seed), share, burst), count)
    found = bursts(lost)
    spread = math.sqrt(burst * (burst - 1))  # of a geometric burst
    assert abs(statistics.mean(found) - burst) < 5.5 * spread / math.sqrt(len(found)) + 0.01
    # Consecutive fates hang together: their sum varies (1+r)/(1-r) times as much as a coin's.
    r = 1 - 1 / burst - share / (1 - share) / burst
    assert abs(sum(lost) - count * share) < 5.5 * math.sqrt(count * share * (1 - share) * (1 + r) / (1 - r))


@given(share=st.floats(0.02, 0.4), burst_s=st.floats(0.2, 3), seed=st.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_timed_bursts_last_as_long_as_given_however_often_one_looks(share: float, burst_s: float, seed: int) -> None:
    every_ns, count = 20 * MS, 100_000
    lost = fates(TimedBurstLoss(str(seed), share, burst_s), count, every_ns)
    found = [length * every_ns / 1e9 for length in bursts(lost)]
    # What is seen at steps: a geometric number of them, with the chain's own probability of still being bad.
    stay = share + (1 - share) * math.exp(-every_ns / 1e9 / burst_s / (1 - share))
    expected = every_ns / 1e9 / (1 - stay)
    assert abs(statistics.mean(found) - expected) < 5.5 * expected / math.sqrt(len(found)) + 0.02
    sparse = fates(TimedBurstLoss(str(seed), share, burst_s), 2_000, 60_000 * MS)
    assert abs(sum(sparse) - 2_000 * share) < 5.5 * math.sqrt(2_000 * share * (1 - share))


@given(
    burst_s=st.floats(0.5, 10), seed=st.integers(0, 99), more=st.lists(st.integers(0, 3 * 3600 * 1000), max_size=40)
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_bad_times_are_the_same_whatever_packets_come(burst_s: float, seed: int, more: list[int]) -> None:
    looked = [at * 30_000 * MS for at in range(3 * 120)]
    alone, beside = (TimedBurstLoss(str(seed), 0.2, burst_s) for _ in range(2))
    expected = {at_ns: alone.lost(at_ns) for at_ns in looked}
    found = {at_ns: beside.lost(at_ns) for at_ns in sorted({*looked, *(at * MS for at in more)})}
    assert {at_ns: found[at_ns] for at_ns in looked} == expected


@given(
    distribution=st.sampled_from(["normal", "uniform", "pareto"]), keep=st.floats(0, 0.9), seed=st.integers(0, 2**32)
)
@settings(max_examples=30, deadline=None)
def test_jitter_has_the_given_spread_and_correlation_and_no_mean(distribution: str, keep: float, seed: int) -> None:
    count = 60_000
    jitter = Jitter(Random(seed), 2 * MS, distribution, keep)
    drawn = [jitter.draw() / MS for _ in range(count)]
    independent = count * (1 - keep) / (1 + keep)  # as many independent draws would say the same about the mean
    assert abs(statistics.mean(drawn)) < 5.5 * 2 / math.sqrt(independent)
    tolerance = 0.35 if distribution == "pareto" else 0.12  # a heavy tail makes the spread itself uncertain
    assert abs(statistics.stdev(drawn) - 2) < tolerance
    found = statistics.correlation(drawn[:-1], drawn[1:])
    below = {"normal": 0.025, "uniform": 0.045, "pareto": 0.14}[distribution]
    assert keep - below < found < keep + 0.03
    if distribution == "uniform":
        assert max(map(abs, drawn)) <= 2 * math.sqrt(3) + 1e-9


@given(sizes=st.lists(st.integers(40, 1500), min_size=50, max_size=300), seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_a_narrow_place_never_passes_more_than_its_rate_and_bucket(sizes: list[int], seed: int) -> None:
    rng = Random(seed)
    narrow = Bottleneck(1e6, 3000, 50 * MS)
    at = 0
    out: list[tuple[int, int]] = []
    for size in sizes:
        at += rng.randrange(0, 8 * MS)
        wait = narrow.wait(at, size)
        assert wait <= 50 * MS
        if wait >= 0:
            out.append((at + wait, size))
    assert [when for when, _ in out] == sorted(when for when, _ in out)  # a queue keeps the order
    for first in range(0, len(out), 7):
        passed = 0
        for when, size in out[first:]:
            passed += size
            assert passed * 8 <= 1e6 * (when - out[first][0]) / 1e9 + (3000 + out[first][1]) * 8 + 1


def test_a_full_queue_drops_and_a_saturated_line_passes_exactly_its_rate() -> None:
    narrow = Bottleneck(10e6, 3000, 20 * MS)
    waits = [narrow.wait(at * MS // 2, 1250) for at in range(20_000)]  # 20 Mbit/s for 10 s into 10 Mbit/s
    passed = sum(wait >= 0 for wait in waits)
    assert passed * 1250 * 8 / 10 == pytest.approx(10e6, rel=0.005)
    assert max(waits) == pytest.approx(20 * MS, rel=0.06)


def test_a_round_trip_sees_the_numbers_as_they_were_set() -> None:
    line = Line("x", "7", Conditions(delay_ms=20, jitter_ms=2, loss_percent=5))
    found = [trips[0] / MS for at in range(40_000) if (trips := round_trip(line, at * 10 * MS))]
    assert statistics.mean(found) == pytest.approx(20, abs=0.06)
    assert statistics.stdev(found) == pytest.approx(2, abs=0.05)
    assert 1 - len(found) / 40_000 == pytest.approx(0.05, abs=0.005)


@pytest.mark.parametrize("burst", [4.0, 12.0])
def test_bursts_of_a_round_trip_have_the_given_loss_and_nearly_the_given_length(burst: float) -> None:
    line = Line("x", "7", Conditions(loss_percent=5, burst_packets=burst))
    lost = [not round_trip(line, at * 10 * MS) for at in range(200_000)]
    assert sum(lost) / len(lost) == pytest.approx(0.05, abs=0.006)
    assert statistics.mean(bursts(lost)) == pytest.approx(burst, rel=0.1)


def test_duplication_and_reordering_happen_as_often_as_set() -> None:
    line = Line("x", "7", Conditions(duplicate_percent=10, delay_ms=20, reorder_percent=4))
    trips = [round_trip(line, at * 50 * MS) for at in range(30_000)]
    assert sum(len(one) > 1 for one in trips) / len(trips) == pytest.approx(0.1, abs=0.01)
    assert sum(min(one) < 20 * MS for one in trips) / len(trips) == pytest.approx(0.04, abs=0.01)


@given(delays=st.lists(st.floats(0, 500), min_size=1, max_size=6))
@settings(deadline=None)
def test_delays_add_up_along_a_path(delays: list[float]) -> None:
    lines = [Line(str(number), "0", Conditions(delay_ms=delay)) for number, delay in enumerate(delays)]
    at = 0
    for way in [line.forth for line in lines] + [line.back for line in reversed(lines)]:
        (at,) = way.cross(at, 84)
    assert at == pytest.approx(sum(delays) * MS, abs=len(delays))


_CONDITIONS = st.builds(
    Conditions,
    delay_ms=st.floats(0, 100), jitter_ms=st.floats(0, 20),
    distribution=st.sampled_from(["normal", "uniform", "pareto"]),
    correlation=st.floats(0, 0.9), loss_percent=st.floats(0, 60), burst_s=st.sampled_from([0, 0.5]),
    duplicate_percent=st.floats(0, 50), reorder_percent=st.floats(0, 50), rate_mbit=st.sampled_from([0, 1.0]),
)  # fmt: skip


@given(conditions=_CONDITIONS, gaps=st.lists(st.integers(0, 100 * MS), max_size=50))
@settings(deadline=None)
def test_the_same_seed_and_packets_meet_the_same_fate_and_nothing_arrives_before_it_left(
    conditions: Conditions, gaps: list[int]
) -> None:
    def run(seed: str) -> list[tuple[int, ...]]:
        way = Direction(seed)
        way.set(conditions)
        return [way.cross(at, 500) for at in itertools.accumulate(gaps)]

    first = run("1/x/forth")
    assert first == run("1/x/forth")
    assert all(out >= at for at, outs in zip(itertools.accumulate(gaps), first, strict=True) for out in outs)


def test_another_line_of_the_same_seed_has_its_own_luck() -> None:
    one, other = (Line(name, "1", Conditions(loss_percent=50)) for name in "ab")
    assert [one.forth.cross(0, 84) for _ in range(64)] != [other.forth.cross(0, 84) for _ in range(64)]
    assert [one.forth.cross(0, 84) for _ in range(64)] != [one.back.cross(0, 84) for _ in range(64)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss_percent": 101}, "loss_percent must be a number from 0 to 100, not 101"),
        ({"delay_ms": -1}, "delay_ms must be a number from 0 to 60000, not -1"),
        ({"delay_ms": math.nan}, "delay_ms must be a number from 0 to 60000, not nan"),
        ({"delay_ms": "20"}, "delay_ms must be a number from 0 to 60000, not '20'"),
        ({"rate_mbit": True}, "rate_mbit must be a number"),
        ({"correlation": 1}, "correlation must be a number from 0 to 0.999"),
        ({"distribution": "flat"}, "distribution must be normal, uniform or pareto, not 'flat'"),
        ({"burst_packets": 3, "burst_s": 1}, "set burst_packets or burst_s, not both"),
        ({"burst_packets": 0.5}, "burst_packets must be at least 1"),
        ({"burst_packets": 1, "loss_percent": 90}, "90 % loss cannot come in bursts of 1 packets only"),
        ({"los_percent": 1}, "a line has no los_percent"),
    ],
)
def test_what_no_line_can_do_is_refused_in_words_and_changes_nothing(changes: dict[str, object], words: str) -> None:
    line = Line("x", "0", Conditions(delay_ms=5))
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        line.set(**changes)
    assert line.conditions == Conditions(delay_ms=5)


def test_all_lost_is_all_lost_in_bursts_too_and_reset_gives_a_perfect_line() -> None:
    line = Line("x")
    line.set(loss_percent=100, burst_packets=3)
    assert not any(round_trip(line, at * MS) for at in range(1000))
    line.cut()
    line.reset()
    assert round_trip(line, 0) == [0]
    assert not line.outage
    assert line.forth.idle
    assert each_way(0) == 0
