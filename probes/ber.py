"""As much of BER (X.690) as an LDAP bind needs. SNMP has its own codec, made for speed."""

from __future__ import annotations

from probes.attempt import Down
from probes.stream import Stream

MOST = 65_536


def tlv(tag: int, content: bytes) -> bytes:
    """Encode one element with a tag of one byte."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def take(data: bytes) -> tuple[int, bytes, bytes]:
    """Take the first element off.

    Returns:
        its tag, its content, what follows it.

    Raises:
        ValueError: it is cut off or not of a kind that LDAP uses.
    """
    if len(data) < 2:
        raise ValueError("cut off")
    tag, length, at = data[0], data[1], 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or len(data) < 2 + size:
            raise ValueError("a length that LDAP does not use")
        length, at = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
    if len(data) < at + length:
        raise ValueError("cut off")
    return tag, data[at : at + length], data[at + length :]


async def read(stream: Stream) -> bytes:
    """Read one LDAP message, with its head.

    Raises:
        Down: what comes is none.
    """
    head = await stream.exactly(2)
    size = head[1] & 0x7F if head[1] & 0x80 else 0
    if head[0] != 0x30 or size > 4 or head[1] == 0x80:
        raise Down("what it says is not LDAP")
    more = await stream.exactly(size)
    length = int.from_bytes(more, "big") if size else head[1]
    if length > MOST:
        raise Down(f"what it says is not LDAP: a message of {length} bytes")
    return head + more + await stream.exactly(length)


def ldap_result(message: bytes) -> tuple[int, int, str]:
    """Read an LDAPResult out of a message (RFC 4511 §4.1.9).

    Returns:
        the tag of the operation, the result code, the server's words.

    Raises:
        Down: it holds none.
    """
    try:
        _, inner, _ = take(message)
        _, _, after = take(inner)
        kind, operation, _ = take(after)
        tag, code, rest = take(operation)
        _, _, rest = take(rest)
        _, words, _ = take(rest)
    except ValueError as error:
        raise Down(f"its answer of LDAP is broken: {error}") from error
    if tag != 0x0A or not 1 <= len(code) <= 4:
        raise Down("its answer of LDAP is broken: no result code")
    return kind, int.from_bytes(code, "big"), words.decode("utf-8", "replace")
