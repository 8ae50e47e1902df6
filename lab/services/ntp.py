"""An NTP server: the lab's time, as wrong as it is told to be (RFC 5905 §7.3, §14 client/server mode)."""

from __future__ import annotations

import struct
from typing import ClassVar, Literal

from pydantic import Field

from lab.services.doors import Peer
from lab.services.server import Server
from lab.services.words import Fault, Words

PORT = 123
UNSYNCHRONIZED = 16  # MAXSTRAT; on the wire it is 0
_HEADER = struct.Struct(">BBbbII4sQQQQ")
_CLIENT, _SERVER, _ALARM = 3, 4, 3
_1970 = 2_208_988_800  # seconds since 1900
_PRECISION = -20  # about a microsecond, log2 s
_DISPERSION = 1 << 6  # about a millisecond, 16.16 s


class NtpOptions(Words):
    """What a time server is."""

    stratum: int = Field(2, ge=1, le=UNSYNCHRONIZED, description="1 has a clock of its own, 16 is not synchronized")


class NtpFault(Fault):
    """What is wrong with a time server."""

    offset_s: float = Field(0.0, ge=-1e9, le=1e9, description="how much its clock is ahead of the lab's, seconds")
    stratum: int | None = Field(None, ge=1, le=UNSYNCHRONIZED, description="instead of its own")


class NtpServer(Server[NtpOptions, NtpFault]):
    """A time server. It answers clients only: no control or private modes that could be misused."""

    transports: ClassVar[tuple[Literal["tcp", "udp"], ...]] = ("udp",)

    def datagram(self, data: bytes, peer: Peer) -> tuple[bytes, Peer] | None:
        """See `Server.datagram`."""
        if len(data) < _HEADER.size or data[0] & 7 != _CLIENT or not 1 <= data[0] >> 3 & 7 <= 4:
            self.malformed += 1
            return None
        if self.fault.silent:
            return None
        self.answered += 1
        stratum = self.options.stratum if self.fault.stratum is None else self.fault.stratum
        synchronized = stratum < UNSYNCHRONIZED
        reference = b"LAB\0" if stratum == 1 else b"\x7f\x7f\x01\x01" if synchronized else b"INIT"
        now_ns = self.around.clock.utc_ns() + round(self.fault.offset_s * 1e9)
        received, sent = _timestamp(now_ns), _timestamp(now_ns + round(self.fault.delay_s * 1e9))
        version, poll = data[0] & 0x38, struct.unpack_from(">b", data, 2)[0]
        origin: int = _HEADER.unpack_from(data)[10]
        header = _HEADER.pack(
            (0 if synchronized else _ALARM) << 6 | version | _SERVER, stratum % UNSYNCHRONIZED, poll, _PRECISION,
            0, _DISPERSION, reference, received - (16 << 32) & _ALL if synchronized else 0, origin, received, sent,
        )  # fmt: skip
        return header, peer


_ALL = (1 << 64) - 1


def _timestamp(utc_ns: int) -> int:
    """Turn UTC nanoseconds into 32.32 seconds since 1900, in whichever era (RFC 5905 §6)."""
    seconds, ns = divmod(utc_ns, 1_000_000_000)
    return (((seconds + _1970) << 32) + (ns << 32) // 1_000_000_000) & _ALL
