"""IPv4, IPv6, ICMP, UDP and TCP on the wire: reading what comes out of the TUN device, building what goes in.

Sources: RFC 791, 792, 768, 1071, 1122 (3.2.2), 1812 (4.3), 4443, 8200, 9293.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

ICMP, TCP, UDP, FRAGMENT, ICMPV6, NO_NEXT = 1, 6, 17, 44, 58, 59
_SKIPPED = frozenset({0, 43, 60})  # hop-by-hop, routing, destination options
_V4 = struct.Struct("!BBHHHBBH4s4s")
_V6 = struct.Struct("!IHBB16s16s")
_PORTS = struct.Struct("!HHHH")
_TCP = struct.Struct("!HHIIBBHHH")
_QUOTE_LIMIT_V4 = 576  # RFC 1812 section 4.3.2.3
_QUOTE_LIMIT_V6 = 1280  # RFC 4443 section 2.4 (c)
SMALLEST_MTU = 1280
HOPS = 64


class Malformed(ValueError):
    """A packet that no host would take."""


@dataclass(slots=True)
class Packet:
    """One IP packet, taken apart.

    Attributes:
        v4: IPv4, else IPv6.
        source, destination: 4 or 16 bytes.
        ttl: time to live or hop limit.
        protocol: of the payload, behind all extension headers.
        payload: behind the last header read; for a fragment its part of the payload.
        raw: the whole packet as it came, without trailing bytes.
        offset, more, ident: of a fragment (offset in bytes); 0, False, 0 for a whole packet.
    """

    v4: bool
    source: bytes
    destination: bytes
    ttl: int
    protocol: int
    payload: bytes
    raw: bytes
    offset: int = 0
    more: bool = False
    ident: int = 0

    @property
    def whole(self) -> bool:
        """It is not a fragment."""
        return not (self.offset or self.more)


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071): the ones' complement sum is the number modulo 65535."""
    if len(data) & 1:
        data += b"\0"
    return -int.from_bytes(data, "big") % 0xFFFF


def parse(raw: bytes) -> Packet:
    """Take a packet apart.

    Raises:
        Malformed: too short, lengths that do not fit, a wrong header checksum, endless extension headers.
    """
    if len(raw) >= 20 and raw[0] >> 4 == 4:
        return _parse4(raw)
    if len(raw) >= 40 and raw[0] >> 4 == 6:
        return _parse6(raw)
    raise Malformed("neither IPv4 nor IPv6")


def _parse4(raw: bytes) -> Packet:
    first, _, length, ident, flags, ttl, protocol, _, source, destination = _V4.unpack_from(raw)
    header = (first & 15) * 4
    if header < 20 or not header <= length <= len(raw):
        raise Malformed("IPv4 lengths do not fit")
    if int.from_bytes(raw[:header], "big") % 0xFFFF:
        raise Malformed("IPv4 header checksum")
    raw = raw[:length]
    if not flags & 0x3FFF:
        return Packet(True, source, destination, ttl, protocol, raw[header:], raw)
    more = bool(flags & 0x2000)
    return Packet(True, source, destination, ttl, protocol, raw[header:], raw, (flags & 0x1FFF) * 8, more, ident)


def _parse6(raw: bytes) -> Packet:
    _, length, protocol, ttl, source, destination = _V6.unpack_from(raw)
    end = 40 + length
    if end > len(raw):
        raise Malformed("IPv6 length does not fit")
    raw = raw[:end]
    at = 40
    offset, more, ident = 0, False, 0
    for _ in range(8):
        if protocol == FRAGMENT and at + 8 <= end:
            protocol, _, where, ident = struct.unpack_from("!BBHI", raw, at)
            offset, more = where & 0xFFF8, bool(where & 1)
            at += 8
            if offset:  # what follows is not a header
                break
        elif protocol in _SKIPPED and at + 8 <= end:
            protocol, size = raw[at], (raw[at + 1] + 1) * 8
            at += size
        else:
            break
    if at > end or (protocol in _SKIPPED and not offset):
        raise Malformed("IPv6 extension headers do not end")
    return Packet(False, source, destination, ttl, protocol, raw[at:], raw, offset, more, ident)


def ip_header(
    source: bytes, destination: bytes, protocol: int, size: int, ttl: int, ident: int = 0, at: int = 0
) -> bytes:
    """Return an IP header for ``size`` bytes of payload; ``at`` is IPv4's flags and fragment offset field."""
    if len(source) == 4:
        header = _V4.pack(0x45, 0, 20 + size, ident, at, ttl, protocol, 0, source, destination)
        return header[:10] + checksum(header).to_bytes(2, "big") + header[12:]
    return _V6.pack(6 << 28, size, protocol, ttl, source, destination)


def transport_checksum(source: bytes, destination: bytes, protocol: int, payload: bytes) -> int:
    """Return the checksum of a payload over its pseudo header (RFC 768, RFC 8200 section 8.1); 0 for a good one."""
    return checksum(source + destination + struct.pack("!HI", protocol, len(payload)) + payload)


def packets(
    source: bytes, destination: bytes, protocol: int, payload: bytes, ttl: int, mtu: int, ident: int
) -> list[bytes]:
    """Return the packet, or its fragments where it does not fit in ``mtu`` bytes; nothing if no packet can hold it."""
    size = len(payload)
    v4 = len(source) == 4
    if size + (20 if v4 else 40) <= mtu:
        return [ip_header(source, destination, protocol, size, ttl, ident & 0xFFFF) + payload]
    if size > 65535 - 20:
        return []
    step = (mtu - (20 if v4 else 48)) & ~7
    made = []
    for offset in range(0, size, step):
        part = payload[offset : offset + step]
        more = offset + step < size
        if v4:
            at = (0x2000 if more else 0) | offset >> 3
            made.append(ip_header(source, destination, protocol, len(part), ttl, ident & 0xFFFF, at) + part)
        else:
            fragment = struct.pack("!BBHI", protocol, 0, offset | more, ident)
            made.append(ip_header(source, destination, FRAGMENT, len(part) + 8, ttl) + fragment + part)
    return made


def icmp_message(source: bytes, destination: bytes, kind: int, code: int, rest: bytes) -> bytes:
    """Return an ICMP or ICMPv6 message; ``rest`` is all behind the checksum."""
    message = bytes((kind, code, 0, 0)) + rest
    total = checksum(message) if len(source) == 4 else transport_checksum(source, destination, ICMPV6, message)
    return message[:2] + total.to_bytes(2, "big") + message[4:]


def echo_reply(packet: Packet) -> bytes | None:
    """Return the answer to an echo request as ICMP message, ``None`` if it is none or is damaged."""
    message = packet.payload
    if len(message) < 8 or message[1]:
        return None
    if packet.v4:
        if message[0] != 8 or checksum(message):
            return None
        total = int.from_bytes(message[2:4], "big") + 0x0800  # the type falls by 8: RFC 1624
        total = (total & 0xFFFF) + (total >> 16)
        return b"\0\0" + total.to_bytes(2, "big") + message[4:]
    if message[0] != 128 or transport_checksum(packet.source, packet.destination, ICMPV6, message):
        return None
    total = int.from_bytes(message[2:4], "big") - 0x0100  # the type grows by 1; the pseudo header is symmetrical
    return b"\x81\0" + (total % 0xFFFF).to_bytes(2, "big") + message[4:]


def icmp_error(router: bytes, packet: Packet, kind: int, code: int) -> bytes | None:
    """Return an ICMP error about a packet, from ``router``; ``None`` where none may be sent (RFC 1122, RFC 4443 2.4 e).

    Parameters:
        kind, code: as of IPv4 or IPv6, as fits the packet.
    """
    if packet.offset or packet.destination[0] >= (0xE0 if packet.v4 else 0xFF) or not any(packet.source):
        return None
    if packet.v4 and packet.protocol == ICMP and packet.payload[:1] not in (b"\x08", b"\r", b"\x11"):
        return None
    if not packet.v4 and packet.protocol == ICMPV6 and packet.payload[:1] < b"\x80":
        return None
    room = _QUOTE_LIMIT_V4 - 28 if packet.v4 else _QUOTE_LIMIT_V6 - 48
    return icmp_message(router, packet.source, kind, code, bytes(4) + packet.raw[:room])


def udp_payload(packet: Packet) -> tuple[int, int, bytes] | None:
    """Return source port, destination port and data of a UDP packet, ``None`` for a damaged one."""
    if len(packet.payload) < 8:
        return None
    source, destination, length, total = _PORTS.unpack_from(packet.payload)
    if not 8 <= length <= len(packet.payload) or not (total or packet.v4):
        return None
    data = packet.payload[:length]
    if total and transport_checksum(packet.source, packet.destination, UDP, data):
        return None
    return source, destination, data[8:]


def udp_datagram(source: bytes, destination: bytes, ports: tuple[int, int], data: bytes) -> bytes:
    """Return a UDP header and its data."""
    length = len(data) + 8
    header = _PORTS.pack(*ports, length, 0)
    total = transport_checksum(source, destination, UDP, header + data) or 0xFFFF
    return header[:6] + total.to_bytes(2, "big") + data


def tcp_reset(packet: Packet) -> bytes | None:
    """Return the answer of a host on whose port nobody listens (RFC 9293 section 3.5.2)."""
    if len(packet.payload) < 20:
        return None
    source, destination, sequence, acknowledged, words, flags, *_ = _TCP.unpack_from(packet.payload)
    header = (words >> 4) * 4
    if flags & 4 or not 20 <= header <= len(packet.payload):
        return None
    if transport_checksum(packet.source, packet.destination, TCP, packet.payload):
        return None
    if flags & 16:
        answer = (acknowledged, 0, 4)
    else:
        length = len(packet.payload) - header + bool(flags & 2) + bool(flags & 1)
        answer = (0, (sequence + length) & 0xFFFFFFFF, 20)
    made = _TCP.pack(destination, source, answer[0], answer[1], 5 << 4, answer[2], 0, 0, 0)
    total = transport_checksum(packet.destination, packet.source, TCP, made)
    return made[:16] + total.to_bytes(2, "big") + made[18:]
