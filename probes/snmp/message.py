"""SNMP messages: PDUs, and the community wrapping of v1 and v2c (RFC 1157, 1901, 3416)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from probes.snmp import ber
from probes.snmp.ber import VarBind
from probes.snmp.errors import BerError

GET = 0xA0
GET_NEXT = 0xA1
RESPONSE = 0xA2
GET_BULK = 0xA5
REPORT = 0xA8

V1, V2C, V3 = 0, 1, 3
_MOST_BODIES = 20_000


class Pdu(NamedTuple):
    """A PDU that came in; for GETBULK the two numbers are non-repeaters and max-repetitions."""

    tag: int
    request_id: int
    error_status: int
    error_index: int
    varbinds: list[VarBind]


class Head(NamedTuple):
    """The front of a PDU: what is needed to tell whether the rest is worth reading."""

    tag: int
    request_id: int
    error_status: int
    error_index: int
    start: int
    end: int

    def pdu(self, data: bytes) -> Pdu:
        """Read the variables too.

        Raises:
            BerError: they are not well-formed.
        """
        varbinds = ber.parse_varbinds(data, self.start, self.end)
        return Pdu(self.tag, self.request_id, self.error_status, self.error_index, varbinds)


def read_head(data: bytes, pos: int, end: int) -> Head:
    """Read a PDU up to its variables.

    Raises:
        BerError: not a PDU.
    """
    if pos >= end:
        raise BerError("no PDU")
    tag = data[pos]
    pos, end = ber.read(data, pos, end, tag)
    request_id, pos = ber.read_integer(data, pos, end)
    status, pos = ber.read_integer(data, pos, end)
    index, pos = ber.read_integer(data, pos, end)
    start, stop = ber.read(data, pos, end, ber.SEQUENCE)
    return Head(tag, request_id, status, index, start, stop)


def open_message(data: bytes) -> tuple[int, int, int]:
    """Open any SNMP message.

    Returns:
        its version, and where what follows the version begins and ends.

    Raises:
        BerError: not a message.
    """
    pos, end = ber.read(data, 0, len(data), ber.SEQUENCE)
    version, pos = ber.read_integer(data, pos, end)
    return version, pos, end


class Bodies:
    """Request PDUs, encoded once: polls ask the same questions again and again, only the request-id differs."""

    def __init__(self) -> None:
        self._parts: dict[tuple[int, int, int, tuple[bytes, ...]], tuple[bytes, bytes]] = {}

    def pdu(self, tag: int, request_id: int, first: int, second: int, names: tuple[bytes, ...]) -> bytes:
        """Encode a request.

        Parameters:
            tag: `GET`, `GET_NEXT` or `GET_BULK`.
            request_id: with bit 30 set and no higher one, so that it always takes four bytes.
            first, second: non-repeaters and max-repetitions of a GETBULK, else 0.
            names: OIDs as content bytes.
        """
        key = (tag, first, second, names)
        parts = self._parts.get(key)
        if parts is None:
            after = ber.encode_integer(first) + ber.encode_integer(second) + ber.encode_names(names)
            before = bytes((tag,)) + ber.encode_length(6 + len(after)) + b"\x02\x04"
            if len(self._parts) >= _MOST_BODIES:
                self._parts.clear()
            parts = self._parts[key] = (before, after)
        return parts[0] + request_id.to_bytes(4, "big") + parts[1]


def community_message(version: int, community: bytes, pdu: bytes) -> bytes:
    """Wrap a PDU for v1 or v2c."""
    return ber.encode(
        ber.SEQUENCE, ber.encode_integer(version) + ber.encode(ber.OCTET_STRING, community) + pdu
    )  # fmt: skip


def encode_pdu(tag: int, request_id: int, first: int, second: int, varbinds: Sequence[VarBind]) -> bytes:
    """Encode any PDU with values: what agents of the lab and of the tests send."""
    numbers = b"".join(map(ber.encode_integer, (request_id, first, second)))
    return ber.encode(tag, numbers + ber.encode_varbinds(varbinds))
