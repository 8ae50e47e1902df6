"""Packets on the wire: checksums as the RFCs have them, fragments in any order, nothing that breaks the reader."""

from __future__ import annotations

import ipaddress
import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.network.fragments import MOST_AT_ONCE, TIMEOUT_NS, Reassembler
from lab.network.packets import (
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    Malformed,
    Packet,
    checksum,
    echo_reply,
    icmp_error,
    icmp_message,
    ip_header,
    packets,
    parse,
    tcp_reset,
    transport_checksum,
    udp_datagram,
    udp_payload,
)

ENDS = {
    4: (ipaddress.ip_address("10.255.255.254").packed, ipaddress.ip_address("10.1.2.3").packed),
    6: (ipaddress.ip_address("fd00::fe").packed, ipaddress.ip_address("fd00:1::9").packed),
}
FAMILIES = pytest.mark.parametrize("family", [4, 6])


def rfc1071(data: bytes) -> int:
    """Add 16-bit words with end-around carry, as RFC 1071 section 4.1 writes it."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def echo_request(family: int, data: bytes) -> Packet:
    """Make an echo request that has come whole."""
    source, destination = ENDS[family]
    message = icmp_message(source, destination, 8 if family == 4 else 128, 0, b"\x12\x34\0\7" + data)
    (raw,) = packets(source, destination, ICMP if family == 4 else ICMPV6, message, 64, 65535, 1)
    return parse(raw)


@given(st.binary(max_size=200).filter(any))
def test_the_checksum_is_that_of_rfc_1071(data: bytes) -> None:
    assert checksum(data) == rfc1071(data)


@given(family=st.sampled_from([4, 6]), data=st.binary(max_size=1400))
def test_an_echo_reply_has_the_requests_data_and_a_right_checksum(family: int, data: bytes) -> None:
    request = echo_request(family, data)
    reply = echo_reply(request)
    assert reply is not None
    assert reply[0] == (0 if family == 4 else 129)
    assert reply[4:] == request.payload[4:]
    if family == 4:
        assert rfc1071(reply) == 0
    else:
        pseudo = request.destination + request.source + struct.pack("!I3xB", len(reply), ICMPV6)
        assert rfc1071(pseudo + reply) == 0


@given(family=st.sampled_from([4, 6]), data=st.binary(min_size=8, max_size=64), bit=st.integers(0, 8 * 40 - 1))
def test_a_damaged_echo_or_datagram_is_not_answered(family: int, data: bytes, bit: int) -> None:
    for packet, read in (
        (echo_request(family, data), echo_reply),
        (parse(packets(*ENDS[family], UDP, udp_datagram(*ENDS[family], (5, 161), data), 64, 1500, 1)[0]), udp_payload),
    ):
        assert read(packet) is not None
        damaged = bytearray(packet.payload)
        at = bit % (8 * len(damaged))
        damaged[at // 8] ^= 1 << at % 8
        packet.payload = bytes(damaged)
        if read is udp_payload and family == 4 and packet.payload[6:8] == b"\0\0":
            continue  # IPv4: "no checksum"
        assert read(packet) is None


@given(
    family=st.sampled_from([4, 6]), size=st.integers(0, 9000), mtu=st.integers(1280, 1500), seed=st.integers(0, 2**32)
)
def test_fragments_fit_the_mtu_and_make_the_packet_again_in_any_order_with_duplicates(
    family: int, size: int, mtu: int, seed: int
) -> None:
    rng = Random(seed)
    payload = rng.randbytes(size)
    made = packets(*ENDS[family], UDP, payload, 64, mtu, 77)
    assert all(len(raw) <= mtu for raw in made)
    fragments = [parse(raw) for raw in made]
    if len(fragments) == 1:
        assert fragments[0].whole
        assert fragments[0].payload == payload
        return
    gatherer = Reassembler()
    mixed = rng.sample(fragments, len(fragments))
    results = []
    for position, fragment in enumerate(mixed):
        assert not fragment.whole
        results.append(gatherer.add(fragment, 0))
        if position < len(mixed) - 1:
            assert gatherer.add(fragment, 0) is None
    whole = [result for result in results if result is not None]
    assert len(whole) == 1
    assert whole[0].payload == payload
    assert whole[0].whole
    assert whole[0].protocol == UDP


def fragment(offset: int, data: bytes, *, more: bool, ident: int = 1) -> Packet:
    """Make a fragment by hand."""
    return Packet(True, *ENDS[4], 64, UDP, data, b"", offset, more, ident)


def test_overlapping_oversized_and_misaligned_fragments_make_no_packet() -> None:
    for parts in (
        [fragment(0, bytes(16), more=True), fragment(8, bytes(16), more=False)],
        [fragment(0, bytes(16), more=True), fragment(65528, bytes(16), more=False)],
        [fragment(0, bytes(15), more=True), fragment(16, bytes(8), more=False)],
        [fragment(8, b"", more=False), fragment(0, bytes(8), more=True)],
        [fragment(0, bytes(8), more=True), fragment(24, bytes(8), more=False)],
        [fragment(0, bytes(16), more=True), fragment(8, bytes(8), more=True), fragment(24, bytes(8), more=False)],
    ):
        gatherer = Reassembler()
        assert [gatherer.add(part, 0) for part in parts] == [None] * len(parts)


def test_what_no_packet_can_hold_is_not_sent() -> None:
    assert packets(*ENDS[4], UDP, bytes(65_536), 64, 1500, 1) == []
    assert packets(*ENDS[4], UDP, bytes(65_515), 64, 1500, 1) != []


def test_unfinished_packets_are_forgotten_by_age_and_by_number() -> None:
    gatherer = Reassembler()
    assert gatherer.add(fragment(0, bytes(8), more=True), 0) is None
    assert gatherer.add(fragment(8, bytes(8), more=False), TIMEOUT_NS) is None
    gatherer = Reassembler()
    for ident in range(10 * MOST_AT_ONCE):
        gatherer.add(fragment(0, bytes(8), more=True, ident=ident), 0)
    assert gatherer.add(fragment(8, bytes(8), more=False, ident=0), 0) is None
    assert gatherer.add(fragment(8, bytes(8), more=False, ident=10 * MOST_AT_ONCE - 1), 0) is not None


@given(st.binary(max_size=120), st.sampled_from([None, 4, 6]))
def test_any_bytes_are_parsed_or_refused(data: bytes, family: int | None) -> None:
    raw = data
    if family == 4:
        raw = ip_header(*ENDS[4], data[0] if data else 1, len(data), 64) + data
    elif family == 6:
        raw = ip_header(*ENDS[6], [0, 43, 44, 60, 17, 58][len(data) % 6], len(data), 64) + data
    try:
        packet = parse(raw)
    except Malformed:
        return
    udp_payload(packet)
    echo_reply(packet)
    tcp_reset(packet)
    icmp_error(ENDS[family or 4][1], packet, 3, 3)


@FAMILIES
def test_an_error_quotes_the_packet_and_is_never_sent_about_an_error(family: int) -> None:
    router = ENDS[family][1]
    request = echo_request(family, bytes(2000))
    message = icmp_error(router, request, 11 if family == 4 else 3, 0)
    assert message is not None
    assert request.raw.startswith(message[8:])
    assert len(message) == (576 - 20 if family == 4 else 1280 - 40)
    total = checksum(message) if family == 4 else transport_checksum(router, request.source, ICMPV6, message)
    assert total == 0
    about_error = packets(*ENDS[family], ICMP if family == 4 else ICMPV6, message, 64, 1500, 1)[0]
    assert icmp_error(router, parse(about_error), 3, 1) is None
    later = packets(*ENDS[family], UDP, bytes(4000), 64, 1500, 1)[1]
    assert icmp_error(router, parse(later), 3, 1) is None


def test_ipv6_headers_before_the_payload_are_skipped_but_not_for_ever() -> None:
    datagram = udp_datagram(*ENDS[6], (5, 161), b"hello")
    chain = bytes([60, 0]) + bytes(6) + bytes([UDP, 1]) + bytes(14) + datagram
    packet = parse(ip_header(*ENDS[6], 0, len(chain), 64) + chain)
    assert packet.protocol == UDP
    assert udp_payload(packet) == (5, 161, b"hello")
    endless = (bytes([60, 0]) + bytes(6)) * 40
    with pytest.raises(Malformed):
        parse(ip_header(*ENDS[6], 60, len(endless), 64) + endless)
    cut = bytes([UDP, 9]) + bytes(6)
    with pytest.raises(Malformed):
        parse(ip_header(*ENDS[6], 60, len(cut), 64) + cut)


@FAMILIES
@pytest.mark.parametrize(
    ("flags", "expected"), [(2, (0, 1001, 20)), (16, (500, 0, 4)), (17, (500, 0, 4)), (1, (0, 1001, 20))]
)
def test_a_closed_tcp_port_resets_as_rfc_9293_says(family: int, flags: int, expected: tuple[int, int, int]) -> None:
    segment = struct.pack("!HHIIBBHHH", 4000, 80, 1000, 500, 5 << 4, flags, 100, 0, 0)
    total = transport_checksum(*ENDS[family], TCP, segment)
    segment = segment[:16] + total.to_bytes(2, "big") + segment[18:]
    reset = tcp_reset(parse(packets(*ENDS[family], TCP, segment, 64, 1500, 1)[0]))
    assert reset is not None
    source, destination, sequence, acknowledged, _, kind, *_ = struct.unpack("!HHIIBBHHH", reset)
    assert (source, destination) == (80, 4000)
    assert (sequence, acknowledged, kind) == expected
    client, server = ENDS[family]
    assert transport_checksum(server, client, TCP, reset) == 0
    assert tcp_reset(parse(packets(server, client, TCP, reset, 64, 1500, 1)[0])) is None
