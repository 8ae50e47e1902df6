"""Microsoft SQL Server: PRELOGIN ([MS-TDS] §2.2.6.5), which a server answers before anybody logs in."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from probes.attempt import Attempt, Down, Settings, shown
from probes.stream import connect

PORT = 1433
_LONGEST = 4096
_HEADER = struct.Struct(">BBHHBB")
_OPTION = struct.Struct(">BHH")
_PRELOGIN, _RESPONSE, _LAST = 0x12, 0x04, 0x01
_VERSION, _ENCRYPTION, _END = 0, 1, 0xFF
_ENCRYPTIONS = ("off", "on", "not supported", "required")


@dataclass(frozen=True, slots=True, kw_only=True)
class MssqlSettings(Settings):
    """What every probe has; there is nothing else to be told."""


async def mssql(attempt: Attempt, settings: MssqlSettings) -> None:
    """Send PRELOGIN and read the server's version and whether it encrypts."""
    async with await connect(attempt, settings.port or PORT) as stream:
        with attempt.phase("answer", "waiting for the answer to PRELOGIN"):
            await stream.write(prelogin({_VERSION: bytes(6), _ENCRYPTION: b"\x00"}, _PRELOGIN))
            head = await stream.exactly(_HEADER.size)
            kind, _, size, _, _, _ = _HEADER.unpack(head)
            if kind != _RESPONSE or not _HEADER.size < size <= _LONGEST:
                raise Down(f"its answer is not SQL Server's: {shown(head)}")
            options = read(await stream.exactly(size - _HEADER.size))
    version, encryption = options.get(_VERSION, b""), options.get(_ENCRYPTION, b"")
    if len(version) < 4:
        raise Down("its answer to PRELOGIN has no version in it")
    attempt.fields["version"] = f"{version[0]}.{version[1]}.{int.from_bytes(version[2:4], 'big')}"
    if encryption and encryption[0] < len(_ENCRYPTIONS):
        attempt.fields["encryption"] = _ENCRYPTIONS[encryption[0]]


def prelogin(options: dict[int, bytes], kind: int) -> bytes:
    """Make a packet of PRELOGIN.

    Parameters:
        options: data by token.
        kind: of the packet.
    """
    table, data = b"", b""
    for token, value in options.items():
        table += _OPTION.pack(token, _OPTION.size * len(options) + 1 + len(data), len(value))
        data += value
    body = table + bytes((_END,)) + data
    return _HEADER.pack(kind, _LAST, _HEADER.size + len(body), 0, 0, 0) + body


def read(body: bytes) -> dict[int, bytes]:
    """Read the options of PRELOGIN: data by token.

    Raises:
        Down: they are broken.
    """
    found: dict[int, bytes] = {}
    at = 0
    while body[at : at + 1] != b"\xff":
        if at + _OPTION.size > len(body):
            raise Down("its answer to PRELOGIN is broken: no end of its options")
        token, offset, size = _OPTION.unpack_from(body, at)
        if offset + size > len(body):
            raise Down("its answer to PRELOGIN is broken: an option lies outside of it")
        found[token] = body[offset : offset + size]
        at += _OPTION.size
    return found
