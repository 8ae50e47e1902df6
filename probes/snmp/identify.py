"""Which profile a device gets, and what it says about itself: model, serial number, software."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from probes.snmp import oid as oids
from probes.snmp.errors import SnmpError
from probes.snmp.profile import Fact, Library, Match
from probes.snmp.rows import LONGEST_NAME, LONGEST_TEXT, Cell, Row
from probes.snmp.session import Session
from probes.snmp.walk import walk_table


async def identify(
    session: Session, library: Library, sys_object_id: str | None, sys_descr: str | None, *, deadline: float
) -> Match | None:
    """Find the most specific match: by sysObjectID, sysDescr, and what the device has below some OIDs.

    Only the probes that can decide are asked for, all together.

    Parameters:
        session: whom to ask.
        library: the profiles.
        sys_object_id, sys_descr: what the device said.
        deadline: time of the event loop.
    """
    possible = candidates(library, sys_object_id, sys_descr)
    probes = tuple(dict.fromkeys(one.probe for one in possible if one.probe is not None))
    there: set[bytes] = set()
    if probes:
        try:
            columns = await walk_table(session, probes, deadline=deadline, most_rows=1)
        except SnmpError:
            columns = []  # what answers nothing here has nothing there; the poll tells of silence
        there = {column.root for column in columns if column.rows}
    return next((one for one in possible if one.probe is None or one.probe in there), None)


def candidates(library: Library, sys_object_id: str | None, sys_descr: str | None) -> list[Match]:
    """List what may match, the best first, up to the first that needs no probe."""
    name = b"" if sys_object_id is None else oids.encode(sys_object_id)
    words = " ".join((sys_descr or "")[:LONGEST_TEXT].split())
    found = []
    for match in library.matches:
        below = name[: len(match.prefix)] == match.prefix
        if below and (match.descr is None or match.descr.search(words)):
            found.append(match)
            if match.probe is None:
                break
    return found


def facts(
    wanted: Mapping[str, Iterable[Fact]], cells: Mapping[bytes, Mapping[bytes, Cell]], sys_descr: str | None
) -> dict[str, str | None]:
    """Read facts from what was walked: name → the first that is there, ``None`` where none is."""
    return {name: next(filter(None, (_fact(one, cells, sys_descr) for one in several)), None)
            for name, several in wanted.items()}  # fmt: skip


def _fact(fact: Fact, cells: Mapping[bytes, Mapping[bytes, Cell]], sys_descr: str | None) -> str | None:
    texts: Iterable[str]
    if fact.source is None:
        texts = (" ".join((sys_descr or "")[:LONGEST_TEXT].split()),)
    else:
        rows = [Row(cells, index, 0) for index in cells.get(fact.source.root, {})]
        texts = (row.text(fact.source) for row in rows if all(map(row.holds, fact.where)))
    for text in texts:
        match = fact.pattern.search(text) if fact.pattern else None
        found = text if fact.pattern is None else match[match.lastindex or 0] if match else ""
        if found:
            return found[:LONGEST_NAME]
    return None
