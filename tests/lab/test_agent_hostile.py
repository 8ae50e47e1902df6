"""Whatever comes to an agent's socket: it answers or is silent, and never raises."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.devices import CLASSES, Access, Device, Grant, Sink
from probes.snmp import User, ber, message, oid
from probes.snmp.keys import KeyRing
from probes.snmp.message import GET_BULK, V1, V2C
from probes.snmp.usm import Claims, Security

NOW = 1_790_000_000_000_000_000
USER = User("usual", "SHA-256", "authpass123", "AES", "privpass123")
RING = KeyRing()
DEVICE = Device(
    CLASSES["camera"](), "camera-1", now_ns=NOW, access=Access(grants=(Grant(USER),)), ring=RING,
    sinks=(Sink("127.0.0.1", user=USER, inform=True), Sink("127.0.0.1", inform=True)),
)  # fmt: skip


def requests() -> list[bytes]:
    """Good requests in v1, v2c and v3."""
    names = [(oid.encode("1.3.6.1.2.1"), ber.NULL, None)]
    pdu = message.encode_pdu(GET_BULK, 0x40000001, 0, 20, names)
    security = Security(USER, RING)
    security.adopt(Claims(DEVICE.authority.engine_id, DEVICE.state.boots, DEVICE.state.engine_time(NOW), True))
    return [
        message.community_message(V1, b"public", message.encode_pdu(0xA1, 0x40000001, 0, 0, names)),
        message.community_message(V2C, b"public", pdu),
        security.seal(0x40000001, pdu),
        security.discovery(0x40000001, pdu),
    ]


REQUESTS = requests()


def test_the_good_requests_are_answered() -> None:
    assert [len(DEVICE.receive(data, NOW)) for data in REQUESTS] == [1, 1, 1, 1]


@given(st.binary(max_size=200))
def test_random_bytes_never_raise(data: bytes) -> None:
    DEVICE.receive(data, NOW)
    DEVICE.acknowledge(data, NOW)


@given(st.sampled_from(REQUESTS), st.integers(0, 1 << 30), st.integers(1, 6))
@settings(max_examples=500)
def test_changed_requests_never_raise_and_never_get_more_than_a_frame(data: bytes, seed: int, changes: int) -> None:
    rng = random.Random(seed)
    changed = bytearray(data)
    for _ in range(changes):
        how = rng.randrange(3)
        at = rng.randrange(len(changed))
        if how == 0:
            changed[at] = rng.randrange(256)
        elif how == 1:
            del changed[at : at + rng.randrange(1, 4)]
        else:
            changed[at:at] = rng.randbytes(rng.randrange(1, 4))
        if not changed:
            return
    for reply in DEVICE.receive(bytes(changed), NOW):
        assert len(reply.data) <= max(1_472, len(changed) + 300)
    DEVICE.acknowledge(bytes(changed), NOW)


def test_an_absurd_getbulk_costs_one_frame() -> None:
    names = [(oid.encode("1.3"), ber.NULL, None)] * 200
    packet = message.encode_pdu(GET_BULK, 7, -5, 0x7FFFFFFF, names)
    (reply,) = DEVICE.receive(message.community_message(V2C, b"public", packet), NOW)
    assert len(reply.data) <= 1_472


def test_an_answer_is_no_longer_than_the_asker_takes() -> None:
    discovery = REQUESTS[3]
    plain = Device(CLASSES["switch"](), "switch-1", now_ns=NOW, access=Access(grants=(Grant(User("plain")),)))
    security = Security(User("plain"), RING)
    security.adopt(Claims(plain.authority.engine_id, plain.state.boots, 0, False))
    names = [(oid.encode("1.3.6.1.2.1.2.2.1"), ber.NULL, None)]
    packet = security.seal(0x40000001, message.encode_pdu(GET_BULK, 0x40000001, 0, 200, names))
    (usual,) = plain.receive(packet, NOW)
    (short,) = plain.receive(packet.replace(b"\x02\x03\x00\xff\xe3", b"\x02\x03\x00\x01\xe4"), NOW)
    assert 1_300 < len(usual.data) <= 1_472
    assert 250 < len(short.data) <= 484
    assert len(plain.receive(discovery, NOW)) == 1
    assert plain.receive(discovery.replace(b"\x04\x01\x04", b"\x04\x01\x00"), NOW) == []  # not reportable


def test_a_message_longer_than_the_agent_takes_is_dropped() -> None:
    names = [(oid.encode("1.3.6.1.2.1.1.1.0"), ber.NULL, None)] * 3_000
    packet = message.community_message(V1, b"public", message.encode_pdu(0xA1, 7, 0, 0, names))
    assert DEVICE.receive(packet, NOW) == []


def test_a_replayed_request_out_of_its_window_is_not_answered_with_data() -> None:
    before = DEVICE.authority.counted.copy()
    (reply,) = DEVICE.receive(REQUESTS[2], NOW + 151 * 1_000_000_000)
    assert len(reply.data) < 200
    counted = {name: count - before.get(name, 0) for name, count in DEVICE.authority.counted.items()}
    assert counted[oid.encode("1.3.6.1.6.3.15.1.1.2.0")] == 1
