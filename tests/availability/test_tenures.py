"""Which check speaks for a target when: a target that gets a better check keeps its past."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from availability.tenures import FOREVER_NS, spoken, tenures
from availability.timeline import added_up, of_check
from haidang.model import CheckId, Interval, State

END = 60
PROBES = ("icmp", "rtsp", "http")
PING, STREAM = CheckId("camera", "icmp"), CheckId("camera", "rtsp")

_SINCE = st.fixed_dictionaries({}, optional={probe: st.integers(0, END) for probe in PROBES})
_SPOKE = st.lists(st.tuples(st.integers(0, END), st.sampled_from(PROBES)), max_size=5, unique_by=lambda one: one[0])
_SECONDS = st.text("ud?", min_size=END, max_size=END)
_STATES = {"u": State.UP, "d": State.DOWN, "?": State.UNKNOWN}


def held(primary: CheckId, spoke: list[tuple[int, str]], watched: dict[str, int]) -> list[tuple[str, int | None, int]]:
    return [(one.check.probe, one.start_ns, one.end_ns) for one in tenures(primary, spoke, watched)]


def test_one_check_of_which_nothing_is_on_record_speaks_since_ever() -> None:
    assert held(PING, [], {}) == [("icmp", None, FOREVER_NS)]


def test_what_was_pinged_until_it_got_a_better_check_counts_by_its_pings_until_then() -> None:
    watched = {"icmp": 100, "rtsp": 500}
    expected = [("icmp", 100, 500), ("rtsp", 500, FOREVER_NS)]
    assert held(STREAM, [(100, "icmp"), (500, "rtsp")], watched) == expected
    assert held(STREAM, [], watched) == expected, "a version of before wrote nothing down"
    assert held(STREAM, [(500, "rtsp")], watched) == expected, "the first that was written down came after that version"


def test_until_the_daemon_has_taken_a_configuration_the_check_of_before_speaks() -> None:
    assert held(STREAM, [(100, "icmp")], {"icmp": 100}) == [("icmp", 100, FOREVER_NS)]
    assert held(STREAM, [], {"icmp": 100}) == [("icmp", 100, FOREVER_NS)]


def test_what_was_watched_all_along_speaks_only_since_it_became_the_one_that_counts() -> None:
    watched = {"icmp": 100, "http": 100}
    assert held(CheckId("camera", "http"), [(100, "icmp"), (300, "http")], watched) == [
        ("icmp", 100, 300), ("http", 300, FOREVER_NS)
    ]  # fmt: skip


def test_a_step_back_to_the_former_check_leaves_each_its_time() -> None:
    assert held(PING, [(0, "icmp"), (200, "rtsp"), (300, "icmp")], {"icmp": 0, "rtsp": 210}) == [
        ("icmp", 0, 210), ("rtsp", 210, 300), ("icmp", 300, FOREVER_NS)
    ]  # fmt: skip


@given(_SPOKE.map(sorted), _SINCE)
def test_tenures_follow_each_other_without_a_gap(spoke: list[tuple[int, str]], watched: dict[str, int]) -> None:
    found = tenures(PING, spoke, watched)
    assert found[-1].end_ns == FOREVER_NS
    for before, after in itertools.pairwise(found):
        assert before.end_ns == after.start_ns
        assert (before.start_ns or 0) < before.end_ns
        assert before.check != after.check


@given(_SPOKE.map(sorted), _SINCE, st.fixed_dictionaries(dict.fromkeys(PROBES, _SECONDS)))
def test_every_second_is_told_by_the_check_that_spoke_then(
    spoke: list[tuple[int, str]], watched: dict[str, int], seconds: dict[str, str]
) -> None:
    found = tenures(PING, spoke, watched)
    begin = found[0].start_ns or 0
    timeline = of_check(spoken(found, lambda *asked: record(seconds, *asked), begin, END), begin, END)
    sums = added_up(timeline, ((begin, END),) if begin < END else ())
    told = [seconds[speaker(spoke, watched, at)][at] for at in range(begin, END)]
    assert (sums.up_ns, sums.down_ns, sums.unknown_ns) == tuple(map(told.count, "ud?"))


def speaker(spoke: list[tuple[int, str]], watched: dict[str, int], at: int) -> str:
    """Return the probe of the newest word whose check was watched by then."""
    words = [
        (min(watched.values(), default=END), min(watched, key=lambda one: (watched[one], one != "icmp"), default=""))
    ]
    for number, (from_, probe) in enumerate(spoke or [(watched.get("icmp", END if watched else 0), "icmp")]):
        since = watched.get(probe, from_)
        words.append((max(since, from_) if number else since, probe))
    return [probe for begin, probe in words if begin <= at][-1]


def record(seconds: dict[str, str], check: CheckId, start: int, end: int) -> list[Interval]:
    """Return one interval a second, the last one running, as a ledger would that forgets to put them together."""
    return [
        Interval(check, _STATES[letter], at, at + 1 if at + 1 < END else None, "")
        for at, letter in enumerate(seconds[check.probe])
        if at < end and (at + 1 > start)
    ]
