"""Rates from counters: two readings of an interface become bits and packets per second, or nothing.

A missing rate is better than a wrong one. Between two readings the agent may have restarted, the counters may have
been cleared, a 32-bit counter may have gone round more than once, and an agent may count backwards (RFC 2863 §3.1.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from probes.snmp.interfaces import Interface
from probes.snmp.poll import PollResult

_TICKS_WRAP = 1 << 32
_SMALLEST_PACKET_BITS = 672  # 64 bytes and the gap between two, on Ethernet
CLOCK_DRIFT = 0.02  # an agent's clock against ours
CLOCK_SLACK_TICKS = 1_000  # and what an answer may be late
OVERSPEED = 1.10  # agents refresh their counters every few seconds: a poll can catch a little more than fits

OCTETS = {"in_bps": "in_octets", "out_bps": "out_octets"}
PACKETS = {
    "in_ucast_pps": "in_ucast_packets", "out_ucast_pps": "out_ucast_packets",
    "in_multicast_pps": "in_multicast_packets", "out_multicast_pps": "out_multicast_packets",
    "in_broadcast_pps": "in_broadcast_packets", "out_broadcast_pps": "out_broadcast_packets",
}  # fmt: skip
FAULTS = {
    "in_errors_ps": "in_errors", "out_errors_ps": "out_errors",
    "in_discards_ps": "in_discards", "out_discards_ps": "out_discards",
}  # fmt: skip


class Dropped(StrEnum):
    """Why there is no rate."""

    FIRST = "first reading"
    RESTART = "the agent restarted"
    DISCONTINUITY = "the agent says that its counters were interrupted"
    CHANGED = "the counters changed their width"
    BACKWARDS = "the counter went back"
    ALIASED = "a 32-bit counter may have gone round more than once between two polls"
    OVERSPEED = "more than the interface's speed"


@dataclass(frozen=True, slots=True)
class Reading:
    """An interface at one moment.

    Parameters:
        at_s: monotonic seconds.
        agent_ticks: sysUpTime then, 1/100 s; ``None`` when the agent has none.
        engine_boots: snmpEngineBoots then.
        interface: its counters.
    """

    at_s: float
    agent_ticks: int | None
    engine_boots: int | None
    interface: Interface


@dataclass(frozen=True, slots=True)
class Rates:
    """What two readings give.

    Parameters:
        values: rate per second by name (`OCTETS` in bit/s, the others as they are).
        dropped: why a rate is missing, by its name; counters that the agent does not have are in neither.
    """

    values: Mapping[str, float]
    dropped: Mapping[str, Dropped]


def readings(result: PollResult) -> dict[int, Reading]:
    """Take what a poll found as readings, by ifIndex; their moment is the middle of the time it took to read them."""
    who = result.identity
    at_s = (result.began + result.ended) / 2
    return {one.index: Reading(at_s, who.agent_ticks, who.engine_boots, one) for one in result.interfaces}


def restarted(earlier: Reading, later: Reading) -> bool:
    """Tell whether the agent restarted between two readings.

    sysUpTime wraps after 497 days: a wrap continues as fast as our clock, a restart begins near 0.
    """
    if None not in (earlier.engine_boots, later.engine_boots) and earlier.engine_boots != later.engine_boots:
        return True
    if earlier.agent_ticks is None or later.agent_ticks is None:
        return False
    passed = (later.at_s - earlier.at_s) * 100
    slack = CLOCK_SLACK_TICKS + passed * CLOCK_DRIFT
    counted = (later.agent_ticks - earlier.agent_ticks) % _TICKS_WRAP
    if abs(counted - passed) <= slack:
        return False
    return later.agent_ticks < earlier.agent_ticks or later.agent_ticks <= passed + slack


def rates(earlier: Reading | None, later: Reading) -> Rates:
    """Make the rates of an interface from two readings of it.

    Parameters:
        earlier: the reading before, ``None`` for the first.
        later: the newest one.
    """
    names = {**OCTETS, **PACKETS, **FAULTS}
    present = [rate for rate, counter in names.items() if getattr(later.interface, counter) is not None]
    if earlier is None or later.at_s <= earlier.at_s:
        return Rates({}, dict.fromkeys(present, Dropped.FIRST))
    if restarted(earlier, later):
        return Rates({}, dict.fromkeys(present, Dropped.RESTART))
    before, after = earlier.interface, later.interface
    if before.discontinuity_ticks != after.discontinuity_ticks:
        return Rates({}, dict.fromkeys(present, Dropped.DISCONTINUITY))
    seconds = later.at_s - earlier.at_s
    found: dict[str, float] = {}
    dropped: dict[str, Dropped] = {}
    for rate in present:
        was, now = getattr(before, names[rate]), getattr(after, names[rate])
        if was is None:
            dropped[rate] = Dropped.FIRST
            continue
        unit_bits = 8 if rate in OCTETS else _SMALLEST_PACKET_BITS
        ceiling = after.speed_bps / unit_bits * OVERSPEED if after.speed_bps else None
        if rate in FAULTS:
            one = _one(was, now, 32, seconds, ceiling, rare=True)
        elif before.counter_bits != after.counter_bits:
            one = Dropped.CHANGED
        else:
            one = _one(was, now, after.counter_bits or 32, seconds, ceiling, rare=False)
        if isinstance(one, Dropped):
            dropped[rate] = one
        else:
            found[rate] = one * 8 if rate in OCTETS else one
    return Rates(found, dropped)


def _one(was: int, now: int, bits: int, seconds: float, ceiling: float | None, *, rare: bool) -> float | Dropped:
    """Make one rate in counts per second.

    Parameters:
        ceiling: the most the interface can do per second; ``None`` when its speed is unknown.
        rare: a counter of faults; it is believed not to go round as long as it does not step back.
    """
    delta = now - was
    if bits == 64:
        if delta < 0:
            return Dropped.BACKWARDS
    elif rare:
        if delta < 0:
            if ceiling is None or ceiling * seconds >= 1 << 32:
                return Dropped.BACKWARDS
            delta += 1 << 32
    else:
        if ceiling is None or ceiling * seconds >= 1 << 32:
            return Dropped.ALIASED
        delta %= 1 << 32
    per_second = delta / seconds
    if ceiling is not None and per_second > ceiling:
        return Dropped.OVERSPEED
    return per_second
