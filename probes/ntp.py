"""NTP (RFC 5905, client mode): whether a time server has the time, and how far ours is from it."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from probes.attempt import Attempt, Down, Settings, shown
from probes.datagrams import ask

PORT = 123
UNSYNCHRONIZED = 16
_PACKET = struct.Struct("!BBbb4s4s4sQQQQ")
_EPOCH_S = 2_208_988_800  # 1900 to 1970
_ERA_S = 1 << 32
_KISSES = {
    "RATE": "it asks us to come less often", "DENY": "it denies us access", "RSTR": "it restricts access",
    "ACST": "an anycast server", "INIT": "it has just started and has no time yet", "STEP": "its clock was just set",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NtpSettings(Settings):
    """What is expected.

    Parameters:
        max_offset_s: warn when its time is further from this machine's.
        max_stratum: warn when it is further from a reference clock, 1 to 15.
    """

    max_offset_s: float = 1.0
    max_stratum: int = 15


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said; seconds of its clock since 1970, and when it came by ours."""

    leap: int
    stratum: int
    reference: bytes
    delay_s: float
    dispersion_s: float
    received_s: float
    transmitted_s: float
    ours_s: float


async def ntp(attempt: Attempt, settings: NtpSettings) -> None:
    """Ask for the time. The transmit time stamp we send is random, so that an answer proves it read ours."""
    sent: dict[int, float] = {}

    def question(_address: str, _port: int) -> bytes:
        cookie = int.from_bytes(os.urandom(8), "big") or 1
        sent[cookie] = attempt.clock.utc_ns() / 1e9
        return _PACKET.pack(0x23, 0, 6, -20, bytes(4), bytes(4), bytes(4), 0, 0, 0, cookie)

    def accept(data: bytes) -> tuple[float, Reply] | None:
        now_s = attempt.clock.utc_ns() / 1e9
        found = read(data, now_s)
        return None if found is None or found[0] not in sent else (sent[found[0]], found[1])

    left_s, reply = await ask(attempt, settings.port or PORT, question, accept)
    fields = attempt.fields
    fields["stratum"] = reply.stratum
    if reply.stratum == 0:
        code = reply.reference.rstrip(b"\0").decode("ascii", "replace")
        raise Down(f"it gives no time: {shown(code)}" + (f", {_KISSES[code]}" if code in _KISSES else ""))
    if reply.leap == 3 or reply.stratum >= UNSYNCHRONIZED:
        raise Down(f"it is not synchronized itself (stratum {reply.stratum}, leap {reply.leap})")
    # RFC 5905 §8: offset and delay of the exchange.
    offset_s = ((reply.received_s - left_s) + (reply.transmitted_s - reply.ours_s)) / 2
    fields["offset_ms"] = offset_s * 1e3
    fields["delay_ms"] = max(0.0, (reply.ours_s - left_s) - (reply.transmitted_s - reply.received_s)) * 1e3
    fields["root_delay_ms"] = reply.delay_s * 1e3
    fields["root_dispersion_ms"] = reply.dispersion_s * 1e3
    fields["leap"] = reply.leap
    if abs(offset_s) > settings.max_offset_s:
        ahead = "ahead of" if offset_s > 0 else "behind"
        attempt.warnings.append(f"its time is {abs(offset_s):.3f} s {ahead} this machine's: one of the two is wrong")
    if reply.stratum > settings.max_stratum:
        attempt.warnings.append(f"its stratum is {reply.stratum}, at most {settings.max_stratum} is wanted")


def read(data: bytes, now_s: float) -> tuple[int, Reply] | None:
    """Read an answer; ``None`` for what is none.

    Parameters:
        data: the datagram.
        now_s: our own time, which says the era of its 32-bit seconds (RFC 5905 §6).

    Returns:
        the time stamp it answers to, and what it says.
    """
    if len(data) < _PACKET.size:
        return None
    first, stratum, _, _, delay, dispersion, reference, _, origin, received, transmitted = _PACKET.unpack_from(data)
    if first & 7 != 4 or not 1 <= first >> 3 & 7 <= 4 or (stratum and not transmitted):
        return None
    return origin, Reply(
        first >> 6, stratum, reference, int.from_bytes(delay, "big") / 65536, int.from_bytes(dispersion, "big") / 65536,
        _seconds(received, now_s), _seconds(transmitted, now_s), now_s,
    )  # fmt: skip


def _seconds(stamp: int, near_s: float) -> float:
    seconds = stamp / _ERA_S - _EPOCH_S
    return seconds + round((near_s - seconds) / _ERA_S) * _ERA_S
