"""MySQL and MariaDB (client/server protocol 10): the greeting, and a login that is meant to be refused.

Whoever leaves after the greeting is counted as a broken connection, and after ``max_connect_errors`` of them the server
shuts our address out, so the handshake is brought to its end: without a password, with a name that nobody has.
"""

from __future__ import annotations

from dataclasses import dataclass

from probes.attempt import Attempt, BadSettings, Down, shown
from probes.certificates import TlsOptions
from probes.stream import Stream, connect
from probes.tls import secure

PORT = 3306
_LONGEST = 65_536
_SSL = 0x0800
_CAPABILITIES = 0x00000001 | 0x00000200 | 0x00008000 | 0x00080000
"""CLIENT_LONG_PASSWORD, CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH."""
_UTF8 = 33
_KEEPS_ITS_RULES = frozenset({1044, 1045, 1130, 1251, 1524, 1698, 3118, 3159, 4151})
"""Access denied in its forms, our address is not allowed, another authentication or TLS is wanted, account locked."""
_BEGUN_WITH_ZERO = ("caching_sha2_password", "sha256_password", "mysql_clear_password")


@dataclass(frozen=True, slots=True, kw_only=True)
class MysqlSettings(TlsOptions):
    """How a database server is spoken to.

    Parameters:
        security: ``none``, or ``starttls``: TLS must be there, and the certificate is checked.
        username: who is said to come; without a password, so that the server refuses it.
    """

    security: str = "none"
    username: str = "haidang"


@dataclass(frozen=True, slots=True)
class Greeting:
    """The server's first words."""

    version: str
    capabilities: int
    plugin: str


async def mysql(attempt: Attempt, settings: MysqlSettings) -> None:
    """Read the greeting and bring the handshake to its end; that it refuses us by its rules is *up*: it lives."""
    if settings.security not in ("none", "starttls"):
        raise BadSettings(f"security is none of none, starttls: {shown(settings.security)}")
    if not settings.username or "\0" in settings.username:
        raise BadSettings(f"{shown(settings.username) or 'nothing'} is no name of a user")
    async with await connect(attempt, settings.port or PORT) as stream:
        with attempt.phase("banner", "waiting for the greeting"):
            number, body = await _packet(stream)
        if body[:1] == b"\xff":
            _refused(attempt, body)
            return
        said = greeting(body)
        attempt.fields["version"] = shown(said.version)
        attempt.fields["starttls"] = bool(said.capabilities & _SSL)
        wanted = _CAPABILITIES | (_SSL if settings.security == "starttls" else 0)
        head = wanted.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + bytes((_UTF8,)) + bytes(23)
        if settings.security == "starttls":
            if not said.capabilities & _SSL:
                raise Down("it does not offer TLS")
            await stream.write(_framed(number + 1, head))
            await secure(attempt, stream, settings)
            number += 1
        with attempt.phase("login", "waiting for the answer to the login"):
            name = settings.username.encode() + b"\0"
            login = head + name + b"\0" + said.plugin.encode("ascii", "replace") + b"\0"
            await stream.write(_framed(number + 1, login))
            number, body = await _packet(stream)
            if body[:1] == b"\xfe":  # it wants another way: no password in that way either
                plugin = body[1:].partition(b"\0")[0].decode("latin-1")
                await stream.write(_framed(number + 1, b"\0" if plugin in _BEGUN_WITH_ZERO else b""))
                number, body = await _packet(stream)
        if body[:1] == b"\xff":
            _refused(attempt, body)
        elif body[:1] not in (b"\x00", b"\x01", b"\xfe"):
            raise Down(f"its answer to the login is not MySQL's: {shown(body, 40)}")
        else:
            attempt.doing = "taking leave"
            await stream.write(_framed(0, b"\x01"))  # COM_QUIT


def greeting(body: bytes) -> Greeting:
    """Read HandshakeV10.

    Raises:
        Down: it is none.
    """
    version, end, rest = body[1:].partition(b"\0")
    if body[:1] != b"\x0a" or not end or len(rest) < 15:
        raise Down(f"its greeting is not MySQL's: {shown(body, 40)}")
    capabilities = int.from_bytes(rest[13:15], "little") | int.from_bytes(rest[18:20], "little") << 16
    more = max(13, rest[20] - 8) if len(rest) > 20 else 0
    plugin = rest[31 + more :].partition(b"\0")[0] if capabilities & 0x00080000 else b""
    return Greeting(version.decode("utf-8", "replace"), capabilities, shown(plugin, 60) or "mysql_native_password")


def _refused(attempt: Attempt, body: bytes) -> None:
    if len(body) < 3:
        raise Down("it refuses us without a word")
    code = int.from_bytes(body[1:3], "little")
    words = body[9:] if body[3:4] == b"#" else body[3:]
    attempt.fields["error_code"] = code
    if code not in _KEEPS_ITS_RULES:
        raise Down(f"it refuses connections: {shown(words)} ({code})")


async def _packet(stream: Stream) -> tuple[int, bytes]:
    head = await stream.exactly(4)
    size = int.from_bytes(head[:3], "little")
    if not 1 <= size <= _LONGEST:
        raise Down(f"its answer is not MySQL's: {shown(head)}")
    return head[3], await stream.exactly(size)


def _framed(number: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes((number & 0xFF,)) + body
