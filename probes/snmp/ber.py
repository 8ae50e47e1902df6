"""BER as SNMP uses it (X.690, RFC 3417 §8): what an agent may send, and not a byte more.

OIDs stay raw content bytes on the whole way: a column is recognised by comparing a prefix, nothing is parsed twice.
Every length is checked against the end of what contains it; nothing recurses, so nothing can be nested too deep.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from probes.snmp import oid as oids
from probes.snmp.errors import BerError

INTEGER = 0x02
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_ID = 0x06
SEQUENCE = 0x30
IP_ADDRESS = 0x40
COUNTER32 = 0x41
GAUGE32 = 0x42
TIME_TICKS = 0x43
OPAQUE = 0x44
COUNTER64 = 0x46
UNSIGNED32 = 0x47
NO_SUCH_OBJECT = 0x80
NO_SUCH_INSTANCE = 0x81
END_OF_MIB_VIEW = 0x82

Value = int | bytes | None
VarBind = tuple[bytes, int, Value]
"""Name (OID content bytes), tag, value: ``int`` for the numeric types, ``None`` for NULL and the three exceptions
(noSuchObject, noSuchInstance, endOfMibView), ``bytes`` for everything else."""


def encode_length(length: int) -> bytes:
    """Encode a definite length in the fewest bytes."""
    if length < 0x80:
        return bytes((length,))
    if length < 0x100:
        return bytes((0x81, length))
    return b"\x82" + length.to_bytes(2, "big")


def encode(tag: int, content: bytes) -> bytes:
    """Encode a type-length-value of up to 65,535 bytes."""
    return bytes((tag,)) + encode_length(len(content)) + content


def encode_integer(number: int, tag: int = INTEGER) -> bytes:
    """Encode an integer in the fewest bytes; a leading zero keeps an unsigned one positive."""
    return encode(tag, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def encode_varbind(name: bytes, value: bytes = b"\x05\x00") -> bytes:
    """Encode a variable: a name and an already encoded value, NULL in a request."""
    return encode(SEQUENCE, encode(OBJECT_ID, name) + value)


def encode_names(names: Iterable[bytes]) -> bytes:
    """Encode a request's variable bindings: the names with NULL values."""
    return encode(SEQUENCE, b"".join(map(encode_varbind, names)))


def long_length(data: bytes, pos: int) -> tuple[int, int]:
    """Read a length in the long form at ``pos``.

    Returns:
        the length and where the content begins.

    Raises:
        BerError: indefinite, reserved, or over 4 bytes.
    """
    count = data[pos] & 0x7F
    if not 1 <= count <= 4:
        raise BerError("indefinite length" if count == 0 else f"a length of {count} bytes")
    start = pos + 1 + count
    if start > len(data):
        raise BerError("cut off in a length")
    return int.from_bytes(data[pos + 1 : start], "big"), start


def read(data: bytes, pos: int, end: int, tag: int) -> tuple[int, int]:
    """Step into the element at ``pos``, which must have this tag and end by ``end``.

    Returns:
        where its content begins and ends.

    Raises:
        BerError: another tag, cut off, or longer than what contains it.
    """
    if pos + 2 > end:
        raise BerError("cut off")
    if data[pos] != tag:
        raise BerError(f"tag {data[pos]:#04x} where {tag:#04x} belongs")
    length = data[pos + 1]
    start = pos + 2
    if length >= 0x80:
        length, start = long_length(data, pos + 1)
    stop = start + length
    if stop > end:
        raise BerError("a length reaches past the end")
    return start, stop


def read_integer(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Read a signed INTEGER of at most 64 bits.

    Returns:
        the number and where the next element begins.

    Raises:
        BerError: it is not one.
    """
    start, stop = read(data, pos, end, INTEGER)
    if not 1 <= stop - start <= 8:
        raise BerError(f"an integer of {stop - start} bytes")
    return int.from_bytes(data[start:stop], "big", signed=True), stop


def read_octets(data: bytes, pos: int, end: int) -> tuple[bytes, int]:
    """Read an OCTET STRING.

    Returns:
        the bytes and where the next element begins.

    Raises:
        BerError: it is not one.
    """
    start, stop = read(data, pos, end, OCTET_STRING)
    return data[start:stop], stop


def parse_varbinds(data: bytes, pos: int, end: int) -> list[VarBind]:
    """Read the content of a variable-bindings list; the hot path, so everything is done in place.

    Parameters:
        data: the message.
        pos, end: where the list's content begins and ends.

    Raises:
        BerError: anything that is not BER, or does not fit its container.
    """
    varbinds: list[VarBind] = []
    add = varbinds.append
    from_bytes = int.from_bytes
    try:
        while pos < end:
            if data[pos] != 0x30:
                raise BerError("a variable that is not a sequence")
            length = data[pos + 1]
            name = pos + 2
            if length >= 0x80:
                length, name = long_length(data, pos + 1)
            pos = name + length
            if pos > end:
                raise BerError("a variable reaches past the end")
            if data[name] != 0x06:
                raise BerError("a variable without a name")
            length = data[name + 1]
            start = name + 2
            if length >= 0x80:
                length, start = long_length(data, name + 1)
            after = start + length
            oid = data[start:after]
            # bytes under 0x80 are whole sub-identifiers: only others can be wrong
            if length == 0 or length > 128 or not oid.isascii():
                oids.check(oid)
            tag = data[after]
            length = data[after + 1]
            start = after + 2
            if length >= 0x80:
                length, start = long_length(data, after + 1)
            if start + length != pos:
                raise BerError("a value that does not fill its variable")
            if 65 <= tag <= 71 and tag not in {68, 69}:
                if not 1 <= length <= 8 and not (length == 9 and data[start] == 0):
                    raise BerError(f"an integer of {length} bytes")
                add((oid, tag, from_bytes(data[start:pos], "big")))
            elif tag == 0x04:
                add((oid, 0x04, data[start:pos]))
            elif tag == 0x02:
                if not 1 <= length <= 8:
                    raise BerError(f"an integer of {length} bytes")
                add((oid, 0x02, from_bytes(data[start:pos], "big", signed=True)))
            else:
                add((oid, tag, _rare(tag, data[start:pos])))
    except IndexError:
        raise BerError("cut off") from None
    return varbinds


def _rare(tag: int, content: bytes) -> bytes | None:
    if tag in (NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB_VIEW, NULL):
        if content:
            raise BerError("a NULL with content")
        return None
    if tag == OBJECT_ID and content:
        oids.check(content)
    if tag & 0x1F == 0x1F:
        raise BerError("a tag of several bytes")
    return content


def encode_value(tag: int, value: Value) -> bytes:
    """Encode a value of `VarBind`'s shape (agents of the lab and the tests use it)."""
    if value is None:
        return bytes((tag, 0))
    return encode(tag, value) if isinstance(value, bytes) else encode_integer(value, tag)


def encode_varbinds(varbinds: Sequence[VarBind]) -> bytes:
    """Encode a variable-bindings list with values."""
    return encode(SEQUENCE, b"".join(encode_varbind(name, encode_value(tag, value)) for name, tag, value in varbinds))
