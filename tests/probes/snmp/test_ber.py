"""The codec: equal to pysnmp's where both speak, and nothing but `BerError` for everything else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto import rfc1902, rfc1905
from pysnmp.proto.api import v2c

from probes.snmp import BerError, ber, message, oid
from probes.snmp.ber import VarBind
from tests.support.snmp_mutations import Reader

NUMBERS = st.integers(0, 0xFFFFFFFF)
NAMES = st.builds(
    lambda head, rest: ".".join(map(str, (1, head, *rest))), st.integers(0, 39), st.lists(NUMBERS, max_size=12)
)
VALUES = st.one_of(
    st.tuples(st.just(ber.INTEGER), st.integers(-(1 << 31), (1 << 31) - 1)),
    st.tuples(st.sampled_from((ber.COUNTER32, ber.GAUGE32, ber.TIME_TICKS)), NUMBERS),
    st.tuples(st.just(ber.COUNTER64), st.integers(0, (1 << 64) - 1)),
    st.tuples(st.just(ber.OCTET_STRING), st.binary(max_size=300)),
    st.tuples(st.just(ber.OPAQUE), st.binary(max_size=20)),
    st.tuples(st.just(ber.IP_ADDRESS), st.binary(min_size=4, max_size=4)),
    st.tuples(st.just(ber.OBJECT_ID), NAMES.map(oid.encode)),
    st.tuples(st.sampled_from((ber.NO_SUCH_OBJECT, ber.NO_SUCH_INSTANCE, ber.END_OF_MIB_VIEW)), st.none()),
)
VARBINDS = st.lists(st.tuples(NAMES.map(oid.encode), VALUES).map(lambda both: (both[0], *both[1])), max_size=20)
_THEIRS = {
    ber.INTEGER: rfc1902.Integer32, ber.COUNTER32: rfc1902.Counter32, ber.GAUGE32: rfc1902.Gauge32,
    ber.TIME_TICKS: rfc1902.TimeTicks, ber.COUNTER64: rfc1902.Counter64, ber.OCTET_STRING: rfc1902.OctetString,
    ber.OPAQUE: rfc1902.Opaque, ber.IP_ADDRESS: rfc1902.IpAddress,
}  # fmt: skip
_EXCEPTIONS = {
    ber.NO_SUCH_OBJECT: rfc1905.noSuchObject, ber.NO_SUCH_INSTANCE: rfc1905.noSuchInstance,
    ber.END_OF_MIB_VIEW: rfc1905.endOfMibView,
}  # fmt: skip


def theirs(varbind: VarBind) -> tuple[object, object]:
    name, tag, value = varbind
    their_name = rfc1902.ObjectName(oid.decode(name))
    if tag in _EXCEPTIONS:
        return their_name, _EXCEPTIONS[tag]
    if tag == ber.OBJECT_ID:
        assert isinstance(value, bytes)
        return their_name, rfc1902.ObjectIdentifier(oid.decode(value))
    return their_name, _THEIRS[tag](value)


def parse(data: bytes) -> list[VarBind]:
    start, end = ber.read(data, 0, len(data), ber.SEQUENCE)
    return ber.parse_varbinds(data, start, end)


@given(VARBINDS, st.integers(0x40000000, 0x7FFFFFFF))
@settings(max_examples=150, deadline=None)
def test_messages_are_encoded_and_read_as_pysnmp_does(varbinds: list[VarBind], request_id: int) -> None:
    pdu = v2c.ResponsePDU()
    v2c.apiPDU.set_defaults(pdu)
    v2c.apiPDU.set_request_id(pdu, request_id)
    v2c.apiPDU.set_varbinds(pdu, [theirs(varbind) for varbind in varbinds])
    whole = v2c.Message()
    v2c.apiMessage.set_defaults(whole)
    v2c.apiMessage.set_community(whole, b"public")
    v2c.apiMessage.set_pdu(whole, pdu)
    their_bytes = encoder.encode(whole)
    our_pdu = message.encode_pdu(message.RESPONSE, request_id, 0, 0, varbinds)
    assert message.community_message(message.V2C, b"public", our_pdu) == their_bytes
    _, pos, end = message.open_message(their_bytes)
    _, pos = ber.read_octets(their_bytes, pos, end)
    assert message.read_head(their_bytes, pos, end).pdu(their_bytes) == (0xA2, request_id, 0, 0, varbinds)


@given(st.lists(NAMES.map(oid.encode), max_size=12), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_pysnmp_understands_our_questions(names: list[bytes], repetitions: int) -> None:
    pdu = message.Bodies().pdu(message.GET_BULK, 0x40000001, 0, repetitions, tuple(names))
    data = message.community_message(message.V2C, b"public", pdu)
    read, rest = decoder.decode(data, asn1Spec=v2c.Message())
    assert rest == b""
    their_pdu = v2c.apiMessage.get_pdu(read)
    assert int(v2c.apiBulkPDU.get_max_repetitions(their_pdu)) == repetitions
    asked = [str(name) for name, _ in v2c.apiBulkPDU.get_varbinds(their_pdu)]
    assert asked == [oid.decode(name) for name in names]


@given(NAMES)
def test_an_oid_comes_back_as_it_went(name: str) -> None:
    assert oid.decode(oid.encode(name)) == name


@given(st.lists(NUMBERS, min_size=1, max_size=6), st.lists(NUMBERS, min_size=1, max_size=6))
def test_mib_order_is_the_order_of_the_numbers_not_of_the_bytes(one: list[int], two: list[int]) -> None:
    first, second = (oid.encode(".".join(map(str, (1, 3, *numbers)))) for numbers in (one, two))
    assert oid.precedes(first, second) == (one < two)


@pytest.mark.parametrize("text", ["", "1", "3.1", "1.40", "1.3.4294967296", "1.3.-1", "1.3.x", ".".join(["1"] * 129)])
def test_what_is_no_oid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an object identifier"):
        oid.encode(text)


def variable(content: str) -> bytes:
    """Wrap a variable's content, hexadecimal, as it is into a list of one."""
    return ber.encode(ber.SEQUENCE, ber.encode(ber.SEQUENCE, bytes.fromhex(content)))


NAME = "06032b0601"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bytes.fromhex("3080060105050000"), "indefinite length"),
        (bytes.fromhex("30850000000005060105"), "a length of 5 bytes"),
        (bytes.fromhex("3005060300"), "reaches past the end"),
        (bytes.fromhex("30"), "cut off"),
        (ber.encode(ber.SEQUENCE, bytes.fromhex("3009" + NAME + "0500")), "reaches past the end"),
        (ber.encode(ber.SEQUENCE, bytes.fromhex("0205" + NAME)), "not a sequence"),
        (variable("020101" + "0500"), "without a name"),
        (variable("0500"), "without a name"),
        (variable(NAME + "0501"), "does not fill its variable"),
        (variable(NAME + "0500" + "00"), "does not fill its variable"),
        (variable(NAME + "0480aabb0000"), "indefinite length"),
        (variable(NAME + "0484ffffffff"), "does not fill its variable"),
        (variable(NAME), "cut off"),
        (variable("0684ffffffff"), "cut off"),
        (variable(NAME + "0200"), "an integer of 0 bytes"),
        (variable(NAME + "4100"), "an integer of 0 bytes"),
        (variable(NAME + "0209010000000000000000"), "an integer of 9 bytes"),
        (variable(NAME + "4609010000000000000000"), "an integer of 9 bytes"),
        (variable(NAME + "460a00ffffffffffffffffff"), "an integer of 10 bytes"),
        (variable("0600" + "0500"), "cut off, padded"),
        (variable("06032b0681" + "0500"), "cut off, padded"),
        (variable("06032b8001" + "0500"), "padded"),
        (variable("06062b9080808000" + "0500"), "over 32 bits"),
        (variable("06072b818080808000" + "0500"), "over 32 bits"),
        (variable("068181" + "01" * 129 + "0500"), "not an object identifier"),
        (variable(NAME + "06032b0681"), "cut off, padded"),
        (variable(NAME + "050100"), "NULL with content"),
        (variable(NAME + "810100"), "NULL with content"),
        (variable(NAME + "1f8100"), "does not fill|several bytes"),
    ],
)
def test_bytes_that_lie_about_themselves_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(BerError, match=words):
        parse(data)


def test_what_real_agents_send_oddly_but_rightly_is_read() -> None:
    assert parse(variable(NAME + "4609" + "00" + "ff" * 8))[0][2] == (1 << 64) - 1
    assert parse(variable(NAME + "4104ffffffff"))[0][2] == 0xFFFFFFFF  # an unsigned number without its leading zero
    assert parse(bytes.fromhex("3082000b308200070682000129" + "0500"))[0][0] == b"\x29"  # lengths longer than needed
    assert parse(variable(NAME + "0600"))[0][2] == b""  # zeroDotZero, as some agents write it


def test_nesting_costs_nothing_and_breaks_nothing() -> None:
    nested = b"\x05\x00"
    while len(nested) < 60_000:
        nested = ber.encode(ber.SEQUENCE, nested)
    with pytest.raises(BerError):
        parse(nested)
    (only,) = parse(ber.encode(ber.SEQUENCE, ber.encode_varbind(b"\x2b", nested)))
    assert isinstance(only[2], bytes)  # an unknown type is bytes, nobody looks inside


READER = Reader()
"""Made once: its passwords cost a hash over 1 MiB each."""


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_noise_is_refused(data: bytes) -> None:
    if READER.answer(data) in ("read", "opened", "not believed"):
        assert data[:1] == b"0"
