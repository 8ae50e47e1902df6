"""What a wall clock that is set back does to the record of a check. Pure: rows in, rows out.

The clock will show the times between where it is now and where it was once more, and each may stand in the record only
once. So what is on record is moved back by the step, each row with its length, until something older gives the time:

1. a jump forward in the day before, which this step undoes: it never was. What was recorded since moves back over it;
2. without one, the newest stretch that did not begin just now and is no outage, or that nobody recorded: it was
   watched, and is shortened. An outage never is;
3. at the beginning of the record there is room.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from haidang.model import State

JUMP = "the clock jumped by "
"""How the reason of time begins that a clock left out, see `storage.ledger.Ledger.clock_stepped`."""

UNDONE_NS = 86_400 * 10**9
"""A jump forward is undone by a step back that comes after no more time than this; older records are left alone."""
FRESH_NS = 120 * 10**9
"""What began no longer ago is moved, not shortened: a failure that is not confirmed yet will be dated back into it."""

_OUTAGE = (State.DOWN, State.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the record; times in UTC nanoseconds, ``end_ns`` is ``None`` while it runs."""

    number: int
    state: State
    reason: str
    start_ns: int
    end_ns: int | None


@dataclass(frozen=True, slots=True)
class Move:
    """Where a row of the record belongs now; with ``end_ns`` not after ``start_ns`` nothing is left of it."""

    row: Row
    start_ns: int
    end_ns: int | None


def moves(newest_first: Iterable[Row], before_ns: int, after_ns: int) -> tuple[list[Move], int]:
    """Work out what a step back moves in the record of one check.

    Parameters:
        newest_first: the check's rows, which do not overlap; read only as far as needed.
        before_ns, after_ns: what the clock would have shown, and what it shows.

    Returns:
        the moves, oldest first, and by how much the beginning of the record moved.
    """
    rows = iter(newest_first)
    seen: list[Row] = []
    undone = _undone(rows, seen, before_ns, before_ns - after_ns)
    found: list[Move] = []
    debt_ns = before_ns - after_ns
    fresh_ns = after_ns - FRESH_NS
    next_ns = before_ns
    for row in chain(seen, rows):
        end_ns = before_ns if row.end_ns is None else row.end_ns
        if not undone and end_ns < fresh_ns:
            debt_ns -= min(debt_ns, next_ns - end_ns)  # a gap in the record
        if not debt_ns:
            break
        gives = row.number in undone or (not undone and row.state not in _OUTAGE and row.start_ns < fresh_ns)
        undone.discard(row.number)
        moved_end_ns = None if row.end_ns is None else end_ns - debt_ns
        if gives:
            debt_ns -= min(debt_ns, end_ns - row.start_ns)
        if debt_ns or row.end_ns is not None:
            found.append(Move(row, row.start_ns - debt_ns, moved_end_ns))
        next_ns = row.start_ns
    return found[::-1], debt_ns


def _undone(rows: Iterable[Row], seen: list[Row], before_ns: int, step_ns: int) -> set[int]:
    """Find the jumps that a step undoes, the newest first; the rows that were looked at are put into ``seen``."""
    found: set[int] = set()
    lived_ns = 0
    next_ns = before_ns
    for row in rows:
        seen.append(row)
        end_ns = before_ns if row.end_ns is None else row.end_ns
        lived_ns += next_ns - end_ns
        if lived_ns > UNDONE_NS or step_ns <= 0:
            break
        if row.state is State.UNKNOWN and row.reason.startswith(JUMP):
            found.add(row.number)
            step_ns -= end_ns - row.start_ns
        else:
            lived_ns += end_ns - row.start_ns
        next_ns = row.start_ns
    return found
