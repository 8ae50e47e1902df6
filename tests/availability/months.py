"""Random months, and a model that looks at every second of one: as slow and as plain as can be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from availability.objectives import Figures, measured, scope
from availability.periods import Hours, Period, month_named, service_time
from availability.spans import merged
from availability.timeline import Correction, of_check
from haidang.model import CheckId, Interval, State

S = 10**9
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
CHECK = CheckId("router", "icmp")
UNKNOWN, UP, DOWN, OUT = 0, 1, 2, 3
_CODE = {State.UP: UP, State.DEGRADED: UP, State.DOWN: DOWN, State.UNREACHABLE: DOWN}

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Story:
    """What happened in and around a month; times in seconds from its start.

    Parameters:
        name: of the month.
        first: when the ledger's first interval begins.
        lengths: its intervals, one after the other; the last one runs.
        now: where knowledge ends.
        excluded: maintenance, each from and to; they may overlap.
        corrections: from, to, state, in the order they were made.
        hours: of service; none: always.
        watched: since when the target is watched, ``None``: since before the month.
    """

    name: str
    first: int
    lengths: tuple[tuple[int, State], ...]
    now: int
    excluded: tuple[Pair, ...]
    corrections: tuple[tuple[int, int, State], ...]
    hours: tuple[Hours, ...]
    watched: int | None

    def period(self) -> Period:
        return month_named(self.name, HANOI)

    def intervals(self) -> list[Interval]:
        at, out = self.first, []
        start = self.period().start_ns
        for index, (length, state) in enumerate(self.lengths):
            end = None if index == len(self.lengths) - 1 else start + (at + length) * S
            out.append(Interval(CHECK, state, start + at * S, end, ""))
            at += length
        return out

    def figures(self, objective: float = 99.9) -> Figures:
        """What the product says."""
        period = self.period()
        zero, now_ns = period.start_ns, period.start_ns + self.now * S
        until = max(zero, min(period.end_ns, now_ns))
        timeline = of_check(
            self.intervals(), zero, until,
            [Correction(zero + a * S, zero + b * S, state) for a, b, state in self.corrections],
        )  # fmt: skip
        counts = scope(
            period, service_time(period, self.hours, HANOI),
            merged((zero + a * S, zero + b * S) for a, b in self.excluded),
            None if self.watched is None else zero + self.watched * S,
        )  # fmt: skip
        return measured(timeline, counts, now_ns, objective)

    def seconds(self) -> bytearray:
        """One byte for every second of the month up to now, and `OUT` for those that do not count."""
        period = self.period()
        length = (period.end_ns - period.start_ns) // S
        seconds = bytearray(length)
        at = self.first
        for index, (lasts, state) in enumerate(self.lengths):
            end = length if index == len(self.lengths) - 1 else at + lasts
            _mark(seconds, at, end, _CODE.get(state, UNKNOWN))
            at += lasts
        for begin, end, state in self.corrections:
            _mark(seconds, begin, end, _CODE.get(state, UNKNOWN))
        return self._out(seconds)

    def counted(self) -> int:
        """Seconds of the whole month that count."""
        return self._out(bytearray((self.period().end_ns - self.period().start_ns) // S)).count(0)

    def _out(self, seconds: bytearray) -> bytearray:
        if self.hours:
            open_ = bytearray(len(seconds))
            midnight = (self.period().start_ns // S + 7 * 3600) // 86400  # Hanoi has been seven hours ahead since 1975
            for day in range(-1, len(seconds) // 86400 + 1):
                for one in self.hours:
                    if (midnight + day + 3) % 7 in one.days:  # 1 January 1970 was a Thursday
                        _mark(open_, day * 86400 + one.start, day * 86400 + one.end, 1)
            for gap in re.finditer(rb"\x00+", open_):
                _mark(seconds, gap.start(), gap.end(), OUT)
        for begin, end in self.excluded:
            _mark(seconds, begin, end, OUT)
        if self.watched is not None:
            _mark(seconds, 0, self.watched, OUT)
        return seconds


def _mark(seconds: bytearray, begin: int, end: int, code: int) -> None:
    begin, end = max(0, min(begin, len(seconds))), max(0, min(end, len(seconds)))
    if begin < end:
        seconds[begin:end] = bytes((code,)) * (end - begin)


def brute(story: Story) -> tuple[int, int, int, int, int]:
    """Count second by second: up, down, unknown, outages, and the length of the month that counts."""
    elapsed = story.seconds()[: max(0, story.now)]
    known = elapsed.translate(None, bytes((UNKNOWN, OUT)))  # only time that is known to be up separates two outages
    down = known.count(DOWN)
    outages = known.startswith(bytes((DOWN,))) + known.count(bytes((UP, DOWN)))
    return len(known) - down, down, elapsed.count(UNKNOWN), outages, story.counted()


_STATES = st.sampled_from(list(State))
_LONGEST = 31 * 86400
_LENGTH = st.one_of(st.integers(0, 120), st.integers(0, 20_000), st.integers(0, _LONGEST))


def _pairs(most: int) -> st.SearchStrategy[tuple[Pair, ...]]:
    pair = st.tuples(st.integers(-86400, _LONGEST + 86400), _LENGTH).map(lambda one: (one[0], one[0] + one[1]))
    return st.lists(pair, max_size=most).map(tuple)


def _hours() -> st.SearchStrategy[tuple[Hours, ...]]:
    days = st.frozensets(st.integers(0, 6), min_size=1)
    one = st.tuples(days, st.integers(0, 86399), st.integers(1, 86400)).map(
        lambda drawn: Hours(drawn[0], min(drawn[1], drawn[2] - 1), drawn[2])
    )
    return st.lists(one, max_size=2).map(tuple)


def _corrections() -> st.SearchStrategy[tuple[tuple[int, int, State], ...]]:
    one = st.tuples(st.integers(-3600, _LONGEST), _LENGTH, _STATES).map(lambda d: (d[0], d[0] + d[1], d[2]))
    return st.lists(one, max_size=3).map(tuple)


def stories() -> st.SearchStrategy[Story]:
    """Random months from 1976 to 2099, of 28 to 31 days, complete or not, with everything that can overlap."""
    names = st.tuples(st.integers(1976, 2099), st.integers(1, 12)).map(lambda d: f"{d[0]:04d}-{d[1]:02d}")
    return st.builds(
        Story,
        names,
        st.integers(-3 * 86400, 5 * 86400),
        st.lists(st.tuples(_LENGTH, _STATES), max_size=12).map(tuple),
        st.one_of(st.just(_LONGEST), st.integers(-3600, _LONGEST + 3600)),
        _pairs(4),
        _corrections(),
        _hours(),
        st.one_of(st.none(), st.integers(0, _LONGEST)),
    )


def check(story: Story) -> None:
    """Hold the product's figures against the model's.

    Raises:
        AssertionError: they differ.
    """
    found = story.figures()
    up, down, unknown, outages, counted = brute(story)
    assert (found.up_s, found.down_s, found.unknown_s, found.outages) == (up, down, unknown, outages), story
    assert found.elapsed_s == up + down + unknown
    assert found.period_s == counted
    low, high = found.lowest_percent, found.highest_percent
    if up + down + unknown:
        assert low == 100 * up / (up + down + unknown)
        assert high == 100 * (up + unknown) / (up + down + unknown)
    else:
        assert (low, high) == (None, None)
