"""Tries rooms hard, all at once: a marked burst, their signalling, and the way to those that do not answer."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from collectors.plan import service_settings
from config import Configuration, SecretUnavailable, Target
from haidang.clock import Clock
from haidang.conferences.verdict import Reason, Verdict, reasons, worst
from haidang.model import Observation, Status
from probes.icmp import IcmpUnavailable, Pinger
from probes.kinds import PROBES, probe
from probes.path import trace
from probes.quality import CODE_POINTS, QualitySettings, quality
from probes.threads import in_thread

SIGNALLING = ("sip", "h323")
AT_ONCE = 100
PATH_S = 5.0
NAME_S = 5.0


@dataclass(frozen=True, slots=True)
class Tried:
    """What trying a room came to."""

    room: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    line: Observation


async def try_rooms(
    configuration: Configuration, rooms: Sequence[Target], engine: Pinger, clock: Clock,
    *, gate: asyncio.Semaphore | None = None, follow: bool = True,
) -> list[Tried]:  # fmt: skip
    """Try rooms; a room that cannot be tried is *watch*, with the reason.

    Parameters:
        gate: lets in so many rooms at once, of everybody who tries some; `AT_ONCE` when it is not given.
        follow: whether the way to a room that does not answer is followed.
    """
    gate = gate or asyncio.Semaphore(AT_ONCE)

    async def one(room: Target) -> Tried:
        async with gate:
            return await _try(configuration, room, engine, clock, follow=follow)

    return list(await asyncio.gather(*map(one, rooms)))


async def _try(
    configuration: Configuration, room: Target, engine: Pinger, clock: Clock, *, follow: bool
) -> Tried:  # fmt: skip
    limits, address = configuration.conferences, room.address
    if address is None:
        line = Observation(room.id, "quality", clock.utc_ns(), Status.UNKNOWN, "", {}, 0.0)
        return Tried(room.id, Verdict.WATCH, (Reason(Verdict.WATCH, "no_address"),), line)
    settings = QualitySettings(
        count=max(2, round(limits.burst_s / limits.interval_s)), interval_s=limits.interval_s,
        dscp=CODE_POINTS[limits.mark],
    )  # fmt: skip
    signals = asyncio.gather(*(_signal(configuration, room, kind, clock) for kind in SIGNALLING if kind in PROBES))
    try:
        numeric = await _numeric(address)
        line, _ = await quality(engine, clock, numeric, settings)
    except (OSError, ValueError, IcmpUnavailable) as error:
        numeric = ""
        line = Observation(room.id, "quality", clock.utc_ns(), Status.UNKNOWN, str(error), {}, 0.0)
    said = [found for found in await signals if found is not None]
    path = ""
    if follow and line.status is Status.DOWN and numeric:
        try:
            path = (await trace(numeric, PATH_S)).words
        except (OSError, IcmpUnavailable):
            path = ""
    why = reasons(line, said, path, limits)
    return Tried(room.id, worst(why), tuple(why), line)


async def _signal(configuration: Configuration, room: Target, kind: str, clock: Clock) -> Observation | None:
    service = next((found for name, found in room.services.items() if name == kind), None)
    if service is None:
        return None
    try:
        settings = service_settings(kind, service, configuration.path.parent).settings
        return await probe(kind, clock, room.id, room.address or "", settings)
    except (SecretUnavailable, ValueError) as error:
        return Observation(room.id, kind, clock.utc_ns(), Status.UNKNOWN, str(error), {}, 0.0)


async def _numeric(address: str) -> str:
    """Return an address as numbers; a name is asked for in a thread, which may hang as long as it likes."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        pass
    try:
        found = await asyncio.wait_for(in_thread(lambda: socket.getaddrinfo(address, None), "room"), NAME_S)
    except TimeoutError:
        raise OSError(f"the name {address} was not found within {NAME_S:g} s") from None
    return str(found[0][4][0])
