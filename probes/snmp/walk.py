"""Walks: columns read row by row, side by side, from agents that may be slow, small, lying or endless.

What was read before a fault is kept; the fault is told. Rows must come in MIB order, each of them: comparing only the
end of each answer, as many managers do, misses a step back in its middle.
"""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field

from probes.snmp import oid as oids
from probes.snmp.ber import Value, VarBind
from probes.snmp.errors import NO_SUCH_NAME, TOO_BIG, NoAnswer, Refused, SnmpError
from probes.snmp.message import V1
from probes.snmp.session import Session

Row = tuple[bytes, int, Value]
"""The name without the column's OID (the index), tag, value."""

MOST_ROWS = 20_000
_SPENT = "the time budget is spent"


@dataclass(slots=True)
class Column:
    """What a walk read below one OID.

    Parameters:
        root: the OID.
        rows: in MIB order.
        fault: why it ended early, in words; empty when it is whole.
    """

    root: bytes
    rows: list[Row] = field(default_factory=list)
    fault: str = ""


@dataclass(slots=True)
class _Cursor:
    """Where a walk stands in one column."""

    column: Column
    last: bytes
    most_rows: int
    done: bool = False

    def stop(self, fault: str = "") -> None:
        self.done = True
        self.column.fault = fault

    def take(self, varbinds: Sequence[VarBind], names: Sequence[bytes], *, plain: bool) -> None:
        """Add what came for this column, until its end.

        Parameters:
            varbinds, names: the variables and their names again.
            plain: no name has a byte over 0x7F, so bytes compare like OIDs (see `oid.precedes`).
        """
        column = self.column
        cut = len(column.root)
        if (
            plain and names and names[-1][:cut] == column.root
            and self.last < names[0] and all(map(operator.lt, names, names[1:]))
        ):  # fmt: skip
            # what lies in order between two names of the column is of the column
            column.rows += [(name[cut:], tag, value) for name, tag, value in varbinds]
            self.last = names[-1]
        else:
            self._take_singly(varbinds)
        if len(column.rows) >= self.most_rows and not self.done:
            self.stop(f"over {self.most_rows} rows, read no further")

    def _take_singly(self, varbinds: Sequence[VarBind]) -> None:
        root = self.column.root
        cut = len(root)
        last = self.last
        for name, tag, value in varbinds:
            if tag >= 0x80 or name[:cut] != root:
                self.done = True
                break
            if not oids.precedes(last, name):
                self.stop("the agent goes back in its MIB (OID not increasing)")
                break
            self.column.rows.append((name[cut:], tag, value))
            last = name
        self.last = last


async def walk(session: Session, root: bytes, *, deadline: float = float("inf"), most_rows: int = MOST_ROWS) -> Column:
    """Read everything below an OID.

    Parameters:
        session: whom to ask.
        root: the OID, content bytes.
        deadline: time of the event loop; what was read until then is kept.
        most_rows: an endless MIB ends here.

    Raises:
        SnmpError: only when not even the first answer came.
    """
    (column,) = await walk_table(session, (root,), deadline=deadline, most_rows=most_rows)
    return column


async def walk_table(
    session: Session, roots: Sequence[bytes], *, deadline: float = float("inf"), most_rows: int = MOST_ROWS
) -> list[Column]:
    """Read columns side by side: one request fetches several rows of several columns.

    Parameters, Raises: as `walk`; ``most_rows`` counts for each column.

    Returns:
        a column for each root, in order.
    """
    cursors = [_Cursor(Column(root), root, most_rows) for root in roots]
    heard = session.heard
    answered = False
    before = session.repetitions.mark()
    while True:
        active = [cursor for cursor in cursors if not cursor.done]
        if not active:
            break
        # twice as many variables as rows of a single column: about one full datagram either way
        count = session.repetitions.count
        batch = active[: 2 * count if count > 1 else 1]
        try:
            answered |= await _advance(session, batch, deadline, heard=heard or answered)
        except SnmpError as error:
            session.repetitions.restore(before)
            if not answered:
                raise
            fault = _SPENT if asyncio.get_running_loop().time() >= deadline else str(error)
            for cursor in active:
                cursor.stop(fault)
    return [cursor.column for cursor in cursors]


async def _advance(session: Session, batch: list[_Cursor], deadline: float, *, heard: bool) -> bool:
    """Fetch the next rows of some columns; step down where the agent cannot give so many.

    Returns:
        whether it answered; if not, the step down was made.

    Raises:
        SnmpError: silence, also at the smallest step, or a refusal of the security model.
    """
    width = len(batch)
    repetitions = session.repetitions
    rows = repetitions.count if width == 1 else max(1, 2 * repetitions.count // width)
    access = session.access
    patient = not heard or repetitions.count == 1
    try:
        varbinds = await session.get_bulk(
            [cursor.last for cursor in batch], rows, deadline=deadline,
            timeout_s=access.timeout_s if patient else access.timeout_s / 2,
            tries=access.tries if patient else max(1, access.tries - 1),
        )  # fmt: skip
    except NoAnswer:
        # an answer that is too large for the path gets lost as a whole, again and again: ask for less
        if heard and asyncio.get_running_loop().time() < deadline and repetitions.fewer(for_good=False):
            return False
        raise
    except Refused as refusal:
        _refused(session, batch, refusal)
        return True
    repetitions.good()
    if not varbinds:
        for cursor in batch:
            cursor.stop("the agent gives an empty answer")
        return True
    names = [name for name, _, _ in varbinds]
    plain = b"".join(names).isascii()
    for position, cursor in enumerate(batch):
        cursor.take(varbinds[position::width], names[position::width], plain=plain)
    return True


def _refused(session: Session, batch: list[_Cursor], refusal: Refused) -> None:
    """Deal with an error-status: ask for less, or leave out the column it is about."""
    if refusal.status == TOO_BIG and session.repetitions.fewer(for_good=True):
        return
    at = refusal.index - 1
    about = batch[at : at + 1] if 0 <= at < len(batch) else batch
    for cursor in about:
        ended = session.version == V1 and refusal.status == NO_SUCH_NAME  # RFC 1157: the end of the MIB
        cursor.stop("" if ended else str(refusal))
