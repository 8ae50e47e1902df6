"""Traps and informs on their way out of a device (RFC 1157 §4.1.6, RFC 3416 §4.2.6–7, RFC 3584 §3.2)."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import NamedTuple

from lab.devices.informs import Informs
from lab.devices.traps import Trap
from probes.snmp import ber, message, oid
from probes.snmp.authority import Authority, Engine
from probes.snmp.keys import KeyRing, User
from probes.snmp.message import V1, V2C

V1_TRAP, INFORM, V2_TRAP = 0xA4, 0xA6, 0xA7
_MOST_EVENTS = 10_000
_SYS_UP_TIME, _TRAP_OID = oid.encode("1.3.6.1.2.1.1.3.0"), oid.encode("1.3.6.1.6.3.1.1.4.1.0")
_STANDARD = oid.encode("1.3.6.1.6.3.1.1.5")


@dataclass(frozen=True, slots=True)
class Sink:
    """Where traps go.

    Parameters:
        address: of the receiver; the lab's network takes the datagram there.
        port: UDP port.
        version: ``1``, ``2c``, or ``3`` when there is a user.
        community: for v1 and v2c.
        user: for v3. A trap is signed as the device's own engine, an inform as the receiver's.
        inform: ask for a receipt (not in v1).
        retry_s, tries: how often an inform is sent until it is acknowledged.

    Raises:
        ValueError: informs in v1, or v3 without a user.
    """

    address: str
    port: int = 162
    version: str = "2c"
    community: str = field(default="public", repr=False)
    user: User | None = None
    inform: bool = False
    retry_s: float = 5.0
    tries: int = 3

    def __post_init__(self) -> None:
        if self.user is not None:
            object.__setattr__(self, "version", "3")
        if self.version not in ("1", "2c", "3") or (self.version == "3" and self.user is None):
            raise ValueError(f"SNMP version {self.version!r} is 1 or 2c, or 3 with a user")
        if self.inform and self.version == "1":
            raise ValueError("SNMPv1 has no informs")


class Event(NamedTuple):
    """A datagram that a device sends by itself: when (UTC ns), what, and where to."""

    at_ns: int
    datagram: bytes
    sink: Sink


class Notifier:
    """Sends what one device has to tell to all its sinks.

    Parameters:
        sinks: where to.
        authority: the device's v3 engine, for traps; ``engine`` tells its clock.
        ring: keys, for informs.
        object_id: sysObjectID of the device: v1 calls it the enterprise.
        agent_address: IPv4 address for v1; ``None`` when the device has none.
        rng: draws request-ids.
    """

    def __init__(
        self, sinks: Sequence[Sink], authority: Authority, engine: Callable[[int], Engine], ring: KeyRing,
        object_id: bytes, agent_address: str | None, rng: random.Random,
    ) -> None:  # fmt: skip
        self._sinks = tuple(sinks)
        self._authority = authority
        self._engine = engine
        self._object_id = object_id
        self._address = IPv4Address(agent_address or 0).packed
        self._rng = rng
        self._ready: deque[Event] = deque(maxlen=_MOST_EVENTS)
        self._informs = {sink: Informs(sink, ring, rng) for sink in self._sinks if sink.inform}

    def announce(self, trap: Trap, at_ns: int, ticks: int) -> None:
        """Send a notification to everybody.

        Parameters:
            trap: what.
            at_ns: when; ``ticks`` is sysUpTime then.
        """
        for sink in self._sinks:
            if sink.inform:
                self._informs[sink].add(INFORM, _variables(trap, ticks), at_ns)
            else:
                self._ready.append(Event(at_ns, self._trap(sink, trap, at_ns, ticks), sink))

    def take(self, now_ns: int) -> list[Event]:
        """Give what was to be sent until now, oldest first."""
        events = [event for event in self._ready if event.at_ns <= now_ns]
        for _ in events:
            self._ready.popleft()
        for sink, informs in self._informs.items():
            events += [Event(at_ns, datagram, sink) for at_ns, datagram in informs.take(now_ns)]
        return sorted(events, key=lambda event: event.at_ns)

    def acknowledge(self, data: bytes, now_ns: int) -> None:
        """Take what came back for an inform: a receipt, or a report of the receiver's v3 engine."""
        for informs in self._informs.values():
            informs.receive(data, now_ns)

    @property
    def next_ns(self) -> int | None:
        """When the next datagram is to be sent."""
        times = [informs.next_ns for informs in self._informs.values() if informs.next_ns is not None]
        return min([event.at_ns for event in list(self._ready)[:1]] + times, default=None)

    @property
    def unacknowledged(self) -> int:
        """Informs that wait for their receipt."""
        return sum(len(informs) for informs in self._informs.values())

    def forget(self) -> None:
        """Lose what waits: the device has no power."""
        for informs in self._informs.values():
            informs.forget()

    def _trap(self, sink: Sink, trap: Trap, at_ns: int, ticks: int) -> bytes:
        if sink.version == "1":
            return message.community_message(V1, sink.community.encode(), self._v1_pdu(trap, ticks))
        request_id = self._rng.getrandbits(30) | 0x40000000
        pdu = ber.encode(V2_TRAP, ber.encode_integer(request_id) + b"\x02\x01\x00" * 2 + _variables(trap, ticks))
        if sink.user is None:
            return message.community_message(V2C, sink.community.encode(), pdu)
        keys = self._authority.user(sink.user.name)
        if keys is None:
            raise ValueError(f"the device has no user {sink.user.name!r} to sign traps with")
        return self._authority.seal(request_id, keys.level, keys, pdu, self._engine(at_ns))

    def _v1_pdu(self, trap: Trap, ticks: int) -> bytes:
        """Translate to v1 (RFC 3584 §3.2)."""
        if trap.name.startswith(_STANDARD):
            enterprise, generic, specific = self._object_id, trap.name[-1] - 1, 0
        else:
            enterprise, generic, specific = trap.name[:-1].removesuffix(b"\x00"), 6, trap.name[-1]
        return ber.encode(
            V1_TRAP,
            ber.encode(ber.OBJECT_ID, enterprise) + ber.encode(ber.IP_ADDRESS, self._address)
            + ber.encode_integer(generic) + ber.encode_integer(specific) + ber.encode_integer(ticks, ber.TIME_TICKS)
            + ber.encode(ber.SEQUENCE, b"".join(trap.variables)),
        )  # fmt: skip


def _variables(trap: Trap, ticks: int) -> bytes:
    """Encode what v2 notifications begin with, and what belongs to this one."""
    return ber.encode(
        ber.SEQUENCE,
        ber.encode_varbind(_SYS_UP_TIME, ber.encode_integer(ticks, ber.TIME_TICKS))
        + ber.encode_varbind(_TRAP_OID, ber.encode(ber.OBJECT_ID, trap.name))
        + b"".join(trap.variables),
    )
