"""What is said before TLS begins in protocols that start in clear."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from probes import ber
from probes.attempt import Down, shown
from probes.stream import Stream
from probes.words import reply

_STARTTLS_OID = b"1.3.6.1.4.1.1466.20037"
_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


async def smtp(stream: Stream) -> None:
    """SMTP (RFC 3207)."""
    await reply(stream, "220", "greeting")
    await stream.write(b"EHLO monitor.invalid\r\n")
    await reply(stream, "250", "answer to EHLO")
    await stream.write(b"STARTTLS\r\n")
    await reply(stream, "220", "answer to STARTTLS")


async def imap(stream: Stream) -> None:
    """IMAP (RFC 3501 §6.2.1)."""
    greeting = await stream.line()
    if not greeting.startswith("* OK"):
        raise Down(f"not a greeting of IMAP: {shown(greeting)}")
    await stream.write(b"a1 STARTTLS\r\n")
    while not (line := await stream.line()).startswith("a1 "):
        if not line.startswith("* "):
            raise Down(f"not an answer of IMAP: {shown(line)}")
    if not line.startswith("a1 OK"):
        raise Down(f"it refuses STARTTLS: {shown(line[3:])}")


async def ldap(stream: Stream) -> None:
    """LDAP: the extended operation StartTLS (RFC 4511 §4.14)."""
    request = ber.tlv(0x77, ber.tlv(0x80, _STARTTLS_OID))
    await stream.write(ber.tlv(0x30, ber.tlv(0x02, b"\x01") + request))
    kind, code, words = ber.ldap_result(await ber.read(stream))
    if kind != 0x78:
        raise Down("not an answer of LDAP to StartTLS")
    if code != 0:
        raise Down(f"it refuses StartTLS: code {code} {shown(words)}".rstrip())


async def postgres(stream: Stream) -> None:
    """PostgreSQL: SSLRequest (Frontend/Backend Protocol, "SSL Session Encryption")."""
    await stream.write(_SSL_REQUEST)
    answer = await stream.exactly(1)
    if answer == b"N":
        raise Down("it refuses TLS: ssl is off there")
    if answer != b"S":
        raise Down(f"not an answer of PostgreSQL: {shown(answer)}")


STARTTLS: Mapping[str, Callable[[Stream], Awaitable[None]]] = {
    "smtp": smtp, "imap": imap, "ldap": ldap, "postgres": postgres,
}  # fmt: skip
