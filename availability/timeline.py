"""How good something was at each moment of a period, as far as is known: one check, or a system of many.

A piece of time has two bounds between 0 (down) and 1 (up): *low* takes what is unknown for down, *high* takes it for
up. So up time is the sum of the lows, downtime the sum of what the highs lack, and unknown time the rest; and a system
is its members' lows and highs put together by its formula, which needs no rule of its own for unknown members.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from availability.spans import Spans, intersection
from haidang.model import Interval, State

DOWN = frozenset({State.DOWN, State.UNREACHABLE})
UP = frozenset({State.UP, State.DEGRADED})


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time of one quality; ``0 <= low <= high <= 1``."""

    start_ns: int
    end_ns: int
    low: float
    high: float


Timeline = tuple[Piece, ...]
"""Pieces that follow each other without a gap."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person put right afterwards: from then to then it was in this state, whatever had been measured."""

    start_ns: int
    end_ns: int
    state: State


@dataclass(frozen=True, slots=True)
class Sums:
    """A timeline added up over some time, nanoseconds (weighted ones where the formula is weighted)."""

    up_ns: float
    down_ns: float
    unknown_ns: float
    outages: int


def of_check(
    intervals: Iterable[Interval], start_ns: int, end_ns: int, corrections: Sequence[Correction] = ()
) -> Timeline:
    """Make the timeline of one check.

    Parameters:
        intervals: the ledger's, in order of their start, not overlapping; the running one counts to the end.
        start_ns, end_ns: what the timeline covers; time without an interval is unknown.
        corrections: in the order they were made; a later one has the last word.
    """
    out: list[Piece] = []
    at = start_ns
    for interval in intervals:
        begin = max(interval.start_ns, at)
        end = end_ns if interval.end_ns is None else min(interval.end_ns, end_ns)
        if end <= begin:
            continue
        if begin > at:
            out.append(Piece(at, begin, 0, 1))
        out.append(Piece(begin, end, *_bounds(interval.state)))
        at = end
    if at < end_ns:
        out.append(Piece(at, end_ns, 0, 1))
    for correction in corrections:
        out = _corrected(out, correction)
    return tuple(out)


def combined(members: Sequence[tuple[int, Timeline]], judge: Callable[[int, int], float]) -> Timeline:
    """Put the timelines of members together. All of them end at the same time.

    Parameters:
        members: each with its weight, a whole number. A member whose timeline begins later was none before that.
            Members that are themselves weighted sums are not taken.
        judge: from the weight of the members that are up, and of all there are, to the quality of the whole; never
            falls when more are up.
    """
    changes: dict[int, list[int]] = {}
    end_ns = 0
    for weight, timeline in members:
        low = high = 0
        for index, piece in enumerate(timeline):
            change = changes.setdefault(piece.start_ns, [0, 0, 0])
            change[0] += weight * (int(piece.low) - low)
            change[1] += weight * (int(piece.high) - high)
            change[2] += 0 if index else weight
            low, high, end_ns = int(piece.low), int(piece.high), piece.end_ns
    times = sorted(changes)
    out: list[Piece] = []
    low = high = there = 0
    for at, until in zip(times, [*times[1:], end_ns], strict=bool(times)):
        low, high, there = low + changes[at][0], high + changes[at][1], there + changes[at][2]
        # Where nothing weighs anything, nothing is known of the whole.
        quality: tuple[float, float] = (judge(low, there), judge(high, there)) if there else (0, 1)
        if out and (out[-1].low, out[-1].high) == quality:
            out[-1] = Piece(out[-1].start_ns, until, *quality)
        else:
            out.append(Piece(at, until, *quality))
    return tuple(out)


def excused(timeline: Timeline, spans: Spans) -> Timeline:
    """Let downtime within some time not count against a member of a whole: there it is as good as up."""
    out: list[Piece] = []
    for piece in timeline:
        if piece.high >= 1:
            out.append(piece)
            continue
        at = piece.start_ns
        for start, end in intersection(((piece.start_ns, piece.end_ns),), spans):
            if at < start:
                out.append(Piece(at, start, piece.low, piece.high))
            out.append(Piece(start, end, 1, 1))
            at = end
        if at < piece.end_ns:
            out.append(Piece(at, piece.end_ns, piece.low, piece.high))
    return tuple(out)


def from_ticket(timeline: Timeline, tickets_ns: Sequence[int]) -> Timeline:
    """Let the clock of each outage start when it was reported, as contracts agree it.

    Parameters:
        timeline: of one target.
        tickets_ns: when its outages were reported, in order. An outage nobody reported does not count.

    Returns:
        the timeline with downtime before its ticket as up; unknown time stays unknown.
    """
    out: list[Piece] = []
    ticket = 0
    reported = False
    for piece in timeline:
        if piece.low >= 1:
            reported = False
        if piece.high >= 1:
            out.append(piece)
            continue
        while ticket < len(tickets_ns) and tickets_ns[ticket] < piece.end_ns and not reported:
            reported = _outage_start(out, piece) <= tickets_ns[ticket]
            ticket += 1
        began = max(piece.start_ns, tickets_ns[ticket - 1]) if reported else piece.end_ns
        if piece.start_ns < began:
            out.append(Piece(piece.start_ns, began, 1, 1))
        if began < piece.end_ns:
            out.append(Piece(began, piece.end_ns, piece.low, piece.high))
    return tuple(out)


def within(timeline: Timeline, start_ns: int, end_ns: int) -> Timeline:
    """Leave out what was before and after some time; pieces at its edges are cut."""
    first = bisect_right(timeline, start_ns, key=lambda piece: piece.end_ns)
    last = bisect_left(timeline, end_ns, key=lambda piece: piece.start_ns)
    return tuple(
        Piece(max(piece.start_ns, start_ns), min(piece.end_ns, end_ns), piece.low, piece.high)
        for piece in timeline[first:last]
    )


def added_up(timeline: Timeline, counted: Spans) -> Sums:
    """Add a timeline up over the time that counts. Only time known to be up separates two outages."""
    up: float = 0
    down: float = 0
    unknown: float = 0
    outages = at = 0
    in_outage = False
    for piece in timeline:
        while at < len(counted) and counted[at][1] <= piece.start_ns:
            at += 1
        span = at
        lasted = 0
        while span < len(counted) and counted[span][0] < piece.end_ns:
            lasted += min(counted[span][1], piece.end_ns) - max(counted[span][0], piece.start_ns)
            span += 1
        if not lasted:
            continue
        up += piece.low * lasted
        down += (1 - piece.high) * lasted
        unknown += (piece.high - piece.low) * lasted
        if piece.high < 1:
            outages += not in_outage
            in_outage = True
        elif piece.low >= 1:
            in_outage = False
    return Sums(up, down, unknown, outages)


def _bounds(state: State) -> tuple[int, int]:
    return (1, 1) if state in UP else (0, 0) if state in DOWN else (0, 1)


def _corrected(pieces: Iterable[Piece], correction: Correction) -> list[Piece]:
    out: list[Piece] = []
    for piece in pieces:
        begin, end = max(piece.start_ns, correction.start_ns), min(piece.end_ns, correction.end_ns)
        if end <= begin:
            out.append(piece)
            continue
        if piece.start_ns < begin:
            out.append(Piece(piece.start_ns, begin, piece.low, piece.high))
        out.append(Piece(begin, end, *_bounds(correction.state)))
        if end < piece.end_ns:
            out.append(Piece(end, piece.end_ns, piece.low, piece.high))
    return out


def _outage_start(before: Sequence[Piece], piece: Piece) -> int:
    """Return when the outage began that a piece belongs to: after the last time that is known to be up."""
    start = piece.start_ns
    for earlier in reversed(before):
        if earlier.low >= 1:
            break
        start = earlier.start_ns
    return start
