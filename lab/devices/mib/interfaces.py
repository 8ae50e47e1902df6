"""Interfaces: ifTable and ifXTable (RFC 2863)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lab.devices.mib.values import cells, gauge, integer, scalars, text, ticks
from lab.devices.model import Model, Port
from lab.devices.tree import Content, Getter, Row, suffix
from probes.snmp import ber

_IF_ENTRY = "1.3.6.1.2.1.2.2.1"
_IF_X_ENTRY = "1.3.6.1.2.1.31.1.1.1"
_BITS = {ber.COUNTER32: 0xFFFFFFFF, ber.COUNTER64: 0xFFFFFFFFFFFFFFFF}
# bytes of traffic for one: 19 of 20 packets are unicast; a clean line has an error in 100 GB
_MULTICAST, _BROADCAST, _ERROR, _DISCARD = 70_000, 350_000, 100_000_000_000, 20_000_000_000


def interfaces(model: Model) -> Iterator[Row]:
    """Give the rows of all ports; a model without 64-bit counters has no ifXTable, as small devices do."""
    if not model.ports:
        return
    yield from scalars("1.3.6.1.2.1.2", {1: integer(len(model.ports))})
    for port in model.ports:
        yield from cells(_IF_ENTRY, suffix(port.index), _row(port))
        if port.counter_bits == 64:
            yield from cells(_IF_X_ENTRY, suffix(port.index), _extended_row(port))


def _row(port: Port) -> dict[int, Content]:
    index = port.index
    received, sent = _counters(port, ber.COUNTER32)
    return {
        1: integer(index), 2: text(port.descr), 3: integer(port.kind), 4: integer(port.mtu), 5: gauge(port.speed_bps),
        6: lambda state, _: text(b"\x02" + (state.phase & 0xFFFFFFFF).to_bytes(4, "big") + bytes((index & 0xFF,))),
        7: lambda state, _: integer(1 if state.port(index).admin_up else 2),
        8: lambda state, _: integer(1 if state.port(index).up else 2),
        9: lambda state, _: _moment(state.port(index).changed_ns, state.ticks(state.port(index).changed_ns)),
        10: received(1), 11: received(port.mean_packet), 13: received(_DISCARD), 14: received(_ERROR),
        15: ber.encode_integer(0, ber.COUNTER32),
        16: sent(1), 17: sent(port.mean_packet), 19: sent(_DISCARD), 20: sent(_ERROR),
    }  # fmt: skip


def _extended_row(port: Port) -> dict[int, Content]:
    index = port.index
    received, sent = _counters(port, ber.COUNTER32)
    received_64, sent_64 = _counters(port, ber.COUNTER64)
    return {
        1: text(port.name),
        2: received(_MULTICAST), 3: received(_BROADCAST), 4: sent(_MULTICAST), 5: sent(_BROADCAST),
        6: received_64(1), 7: received_64(port.mean_packet), 8: received_64(_MULTICAST), 9: received_64(_BROADCAST),
        10: sent_64(1), 11: sent_64(port.mean_packet), 12: sent_64(_MULTICAST), 13: sent_64(_BROADCAST),
        14: integer(1), 15: gauge(port.speed_bps // 1_000_000), 16: integer(2), 17: integer(1),
        18: lambda state, _: text(state.aliases.get(index, "")),
        19: lambda state, _: _moment(state.port(index).cleared_ns, state.ticks(state.port(index).cleared_ns)),
    }  # fmt: skip


def _moment(at_ns: int, at_ticks: int) -> bytes:
    """Encode a TimeStamp; 0 for what did not happen since the agent began."""
    return ticks(at_ticks if at_ns else 0)


def _counters(port: Port, tag: int) -> tuple[Callable[[int], Getter], Callable[[int], Getter]]:
    """Make the counters of both directions: one count for so many bytes, as wide as the tag."""
    index, mask = port.index, _BITS[tag]
    encode = ber.encode_integer

    def received(octets: int) -> Getter:
        return lambda state, now: encode(state.port(index).received.octets(now // 1_000_000) // octets & mask, tag)

    def sent(octets: int) -> Getter:
        return lambda state, now: encode(state.port(index).sent.octets(now // 1_000_000) // octets & mask, tag)

    return received, sent
