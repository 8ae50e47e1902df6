"""A profile tried on one device or recording: what each of its rules yields, and why something was left out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from probes.snmp import recording
from probes.snmp.ber import VarBind
from probes.snmp.engine import SnmpEngine
from probes.snmp.identify import candidates, facts, identify
from probes.snmp.memory import walked
from probes.snmp.poll import WHO, Identity, read_identity
from probes.snmp.profile import Library, Match, Profile
from probes.snmp.rows import Cell, table
from probes.snmp.sensors import Outcome, outcomes
from probes.snmp.session import Access, Session
from probes.snmp.walk import Column


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it.

    Parameters:
        identity: who the device says it is.
        chosen: the match that the daemon would take for it.
        facts: model, serial, software as the profile finds them.
        outcomes: of each row of each rule, in the profile's order.
        idle: rules, by their place in the profile, of which the device has nothing.
        errors: sentences for a person.
    """

    identity: Identity
    chosen: Match | None
    facts: Mapping[str, str | None]
    outcomes: tuple[Outcome, ...]
    idle: tuple[int, ...]
    errors: tuple[str, ...]


async def on_device(
    address: str, access: Access, profile: Profile, library: Library, *, budget_s: float = 60.0
) -> Trial:
    """Try a profile on a device, whether or not it would be chosen.

    Raises:
        SnmpError: the device does not answer.
        ValueError: not a numeric address.
        OSError: this machine has no such address family.
    """
    engine = SnmpEngine()
    try:
        session = Session(engine, address, access)
        deadline = asyncio.get_running_loop().time() + budget_s
        errors: list[str] = []
        who = read_identity(await session.get(WHO, deadline=deadline))
        chosen = await identify(session, library, who.sys_object_id, who.sys_descr, deadline=deadline)
        cells = table(await walked(session, profile.roots(), deadline, errors))
        return _trial(who, chosen, profile, cells, errors)
    finally:
        engine.close()


def on_recording(path: Path, profile: Profile, library: Library) -> Trial:
    """Try a profile on an ``.snmprec`` file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no recording.
    """
    rows = recording.read(path)
    who = read_identity(rows)
    possible = candidates(library, who.sys_object_id, who.sys_descr)
    chosen = next((one for one in possible if one.probe is None or _has(rows, one.probe)), None)
    return _trial(who, chosen, profile, table(_below(rows, profile.roots())), ())


def _has(rows: Iterable[VarBind], root: bytes) -> bool:
    return any(name[: len(root)] == root for name, _, _ in rows)


def _below(rows: Iterable[VarBind], roots: Iterable[bytes]) -> list[Column]:
    found: dict[bytes, list[VarBind]] = {root: [] for root in roots}
    lengths = sorted({len(root) for root in found})
    for name, tag, value in rows:
        for length in lengths:
            if (root := name[:length]) in found:
                found[root].append((name[length:], tag, value))
    return [Column(root, columns) for root, columns in found.items()]


def _trial(
    who: Identity, chosen: Match | None, profile: Profile, cells: Mapping[bytes, Mapping[bytes, Cell]],
    errors: Sequence[str],
) -> Trial:  # fmt: skip
    found = tuple(outcomes(profile.rules, cells))
    busy = {id(outcome.rule) for outcome in found}
    idle = tuple(number for number, rule in enumerate(profile.rules) if id(rule) not in busy)
    return Trial(who, chosen, facts(profile.facts, cells, who.sys_descr), found, idle, tuple(errors))
