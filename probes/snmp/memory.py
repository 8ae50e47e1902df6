"""What a device had when it was last walked: between two walks only the known instances of what changes are asked for.

A GET of known instances costs a third less than a walk, and the names of a large chassis are thousands of rows that
stay the same for months. After a restart of the agent its indexes may mean something else: everything is walked anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from probes.snmp import oid as oids
from probes.snmp.ber import VarBind
from probes.snmp.errors import SnmpError
from probes.snmp.neighbours import Neighbour
from probes.snmp.profile import Match
from probes.snmp.session import PER_REQUEST, Session
from probes.snmp.walk import Column, walk_table

WALK_EVERY = 10
"""Polls from one walk to the next: a new port or a new name shows after so many at the latest."""


class Memory:
    """Remembers one device from poll to poll.

    Parameters:
        walk_every: polls from one walk to the next.

    Attributes:
        near: its neighbours when they were last read; a walk that fails leaves them.
    """

    def __init__(self, walk_every: int = WALK_EVERY) -> None:
        self._walk_every = walk_every
        self._left = 0
        self._who: tuple[str | None, str | None] | None = None
        self._boots: int | None = None
        self._ticks: int | None = None
        self._columns: dict[bytes, Column] = {}
        self.match: Match | None = None
        self.roots: tuple[bytes, ...] = ()
        self.live: frozenset[bytes] = frozenset()
        self.near: tuple[Neighbour, ...] = ()

    def take(self, match: Match | None) -> None:
        """Remember which profile the device got, and which columns that reads."""
        self.match = match
        self.roots = match.profile.roots() if match is not None else ()
        self.live = match.profile.live() if match is not None else frozenset()

    def begin(self, who: tuple[str | None, str | None], boots: int | None, ticks: int | None) -> bool:
        """Begin a poll.

        Parameters:
            who: sysObjectID and sysDescr.
            boots, ticks: snmpEngineBoots and sysUpTime.

        Returns:
            whether everything must be walked: the first time, when it is another device, after a restart, or because
            it is time again.
        """
        restarted = (
            boots != self._boots or (ticks is None) != (self._ticks is None) or (ticks or 0) < (self._ticks or 0)
        )
        self._boots, self._ticks = boots, ticks
        self._left -= 1
        if who != self._who or restarted or self._left <= 0:
            self.near = self.near if who == self._who else ()
            self.forget()
            self._who = who
            self._left = self._walk_every
            return True
        return False

    def forget(self) -> None:
        """Walk everything next time."""
        self._who = None
        self._columns.clear()
        self.take(None)

    async def columns(
        self, session: Session, roots: Collection[bytes], live: Iterable[bytes], deadline: float, errors: list[str]
    ) -> list[Column]:
        """Read columns: walk those that were not yet, ask for the known instances of the others.

        Parameters:
            roots: what is wanted.
            live: those of them that change between walks; of the others the last walk is good enough.
            deadline: time of the event loop.
            errors: gets a sentence for each fault; what was read before it is kept.
        """
        unknown = [root for root in roots if root not in self._columns]
        if unknown:
            for column in await walked(session, unknown, deadline, errors):
                self._columns[column.root] = column
                if column.fault:
                    self._left = 0
        changing = set(live).difference(unknown)
        known = [(root, index) for root in roots if root in changing for index, _, _ in self._columns[root].rows]
        answers = await self._get(session, [root + index for root, index in known], deadline, errors)
        fresh = {root: Column(root) for root in changing}
        for (root, index), (_, tag, value) in zip(known, answers, strict=False):
            if tag < 0x80:
                fresh[root].rows.append((index, tag, value))
            else:
                self._left = 0  # a row is gone: indexes may have moved
        return [fresh.get(root) or self._columns[root] for root in roots]

    async def _get(self, session: Session, names: list[bytes], deadline: float, errors: list[str]) -> list[VarBind]:
        found: list[VarBind] = []
        for start in range(0, len(names), PER_REQUEST):
            try:
                found += await session.get(names[start : start + PER_REQUEST], deadline=deadline)
            except SnmpError as error:
                spent = asyncio.get_running_loop().time() >= deadline
                errors.append("the time budget is spent" if spent else str(error))
                self._left = 0
                break
        return found


async def walked(session: Session, roots: Collection[bytes], deadline: float, errors: list[str]) -> list[Column]:
    """Walk columns; a fault becomes a sentence and never ends the poll."""
    wanted = tuple(roots)
    try:
        columns = await walk_table(session, wanted, deadline=deadline)
    except SnmpError as error:
        errors.append(str(error))
        return [Column(root, fault=str(error)) for root in wanted]
    faults: dict[str, list[bytes]] = {}
    for column in columns:
        if column.fault:
            faults.setdefault(column.fault, []).append(column.root)
    for fault, about in faults.items():
        more = f" and {len(about) - 1} more columns" if len(about) > 1 else ""
        errors.append(f"{oids.decode(about[0])}{more}: {fault}")
    return columns
