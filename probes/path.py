"""The way to an address, hop by hop, with the loss at each, and the largest packet that gets through.

Echoes with a small time to live over a datagram or raw ICMP socket of its own; routers' answers come out of its error
queue. All hops of a round are asked at once, a round each 100 ms: a whole path takes as long as one echo.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from probes.icmp.sockets import open_socket
from probes.sockets import errors

ROUND_S = 0.1
_ECHO = struct.Struct("!BBHHH")
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PROBE_ONLY = 10, 23, 3  # linux/in.h: IP_PMTUDISC_PROBE
_EXCEEDED, _UNREACHABLE = {4: 11, 6: 3}, {4: 3, 6: 1}
_TOO_BIG_V4_CODE, _TOO_BIG_V6 = 4, 2
_SMALLEST = {4: 576, 6: 1280}
_PATIENCE_S = 0.5


@dataclass(slots=True)
class Hop:
    """One router on the way, or the end of it.

    Parameters:
        number: of the hop, 1 for the first router.
        sent: echoes that were to expire here.
        rtts_ms: of those that were answered.
        addresses: who answered; several where the way is shared out over several.
        words: what it said beside *time to live exceeded*; empty when nothing.
    """

    number: int
    sent: int = 0
    rtts_ms: list[float] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    words: str = ""

    @property
    def loss_percent(self) -> float:
        """Echoes without an answer. A router may answer few of them and pass on all the others."""
        return 100 * (1 - len(self.rtts_ms) / self.sent) if self.sent else 100.0

    @property
    def rtt_ms(self) -> float | None:
        """The median, ``None`` without an answer."""
        return median(self.rtts_ms) if self.rtts_ms else None


@dataclass(frozen=True, slots=True)
class Path:
    """What was found of a way.

    Parameters:
        address: where to.
        hops: up to the end, or to the last one that answered.
        reached: whether the end answered.
        mtu: the largest packet that got through, bytes with the IP header; ``None``: not looked for, or not found.
    """

    address: str
    hops: tuple[Hop, ...]
    reached: bool
    mtu: int | None = None

    @property
    def last(self) -> Hop | None:
        """The furthest that answered."""
        return next((hop for hop in reversed(self.hops) if hop.addresses), None)

    @property
    def words(self) -> str:
        """Say in a sentence where the way ends."""
        mtu = "" if self.mtu is None else f", packets of {self.mtu} bytes get through"
        if self.reached:
            return f"{self.address} is {len(self.hops)} hops away{mtu}"
        last = self.last
        if last is None:
            return f"nobody on the way to {self.address} answers"
        said = f" and says {last.words}" if last.words else ""
        return f"the way to {self.address} ends behind hop {last.number}, {' '.join(last.addresses)}{said}{mtu}"

    def as_json(self) -> dict[str, Any]:
        """Give it the shape for programs."""
        hops = [
            {
                "hop": hop.number, "addresses": hop.addresses, "sent": hop.sent, "loss_percent": hop.loss_percent,
                "rtt_ms": hop.rtt_ms, "words": hop.words,
            }
            for hop in self.hops
        ]  # fmt: skip
        return {"address": self.address, "reached": self.reached, "mtu": self.mtu, "words": self.words, "hops": hops}


async def trace(
    address: str, deadline: float, *, rounds: int = 3, most_hops: int = 30, mtu: bool = False
) -> Path:  # fmt: skip
    """Follow the way to an address.

    Parameters:
        address: numeric.
        deadline: seconds for everything; what was found until then is returned.
        rounds: echoes to each hop.
        most_hops: how far.
        mtu: also find the largest packet that gets through.

    Raises:
        IcmpUnavailable: no ICMP socket may be opened here.
        OSError: this machine has no route there.
    """
    until = time.monotonic() + deadline
    tracer = _Tracer(address, most_hops)
    try:
        await tracer.run(rounds, until)
        largest = await tracer.largest(until) if mtu and tracer.end else None
    finally:
        tracer.close()
    return tracer.path(largest)


class _Tracer:
    def __init__(self, address: str, most_hops: int) -> None:
        self._address = address
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._version = 6 if family == socket.AF_INET6 else 4
        self._cookie = os.urandom(8)
        self._sock, self._raw = open_socket(family, self._cookie)
        try:
            name = socket.getaddrinfo(address, 0, family, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)[0][4]
            self._sock.connect(name)
            kind, option = (
                (socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER)
                if self._version == 6
                else (socket.IPPROTO_IP, _IP_MTU_DISCOVER)
            )
            self._sock.setsockopt(kind, option, _PROBE_ONLY)
        except BaseException:
            self._sock.close()
            raise
        self._hops = [Hop(number + 1) for number in range(most_hops)]
        self._asked: dict[int, tuple[int, int]] = {}
        self._sequence = int.from_bytes(os.urandom(2), "big") >> 1
        self._id = int.from_bytes(os.urandom(2), "big")
        self.end = 0
        self._sizes: dict[int, bool] = {}
        self._limit = 0
        self._heard = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock.fileno(), self._read)

    def close(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    async def run(self, rounds: int, until: float) -> None:
        for _ in range(rounds):
            if time.monotonic() >= until:
                return
            for hop in self._hops[: self.end or None]:
                hop.sent += 1
                self._send(hop.number, 56)
            await self._wait(min(ROUND_S, until - time.monotonic()), whole=True)
        patience = min(until, time.monotonic() + 1.0)
        while self._missing() and time.monotonic() < patience:
            await self._wait(patience - time.monotonic())

    async def largest(self, until: float) -> int | None:
        """Search between what every network must carry and our own interface's size."""
        low = _SMALLEST[self._version]
        high = self._own_mtu()
        if await self._passes(high, until):
            return high
        if self._limit and low <= self._limit < high and await self._passes(self._limit, until):
            return self._limit
        if not await self._passes(low, until):
            return None
        while high - low > 1 and time.monotonic() < until:
            middle = (low + high) // 2
            low, high = (middle, high) if await self._passes(middle, until) else (low, middle)
        return low

    def path(self, mtu: int | None) -> Path:
        hops = self._hops[: self.end] if self.end else self._hops
        refused = next((index for index, hop in enumerate(hops) if hop.words), None)
        if refused is not None and not self.end:  # it refuses whatever should go further, whoever counts as its hop
            hops = hops[: refused + 1]
        while hops and not hops[-1].addresses:
            hops = hops[:-1]
        return Path(self._address, tuple(hops), bool(self.end), mtu)

    def _missing(self) -> bool:
        return any(len(hop.rtts_ms) < hop.sent for hop in self._hops[: self.end or None])

    def _own_mtu(self) -> int:
        if self._version == 6:
            return self._sock.getsockopt(socket.IPPROTO_IPV6, 24)  # IPV6_MTU
        return self._sock.getsockopt(socket.IPPROTO_IP, 14)  # IP_MTU

    async def _passes(self, size: int, until: float) -> bool:
        """Whether an echo of so many bytes, IP header included, is answered; two tries."""
        header = 48 if self._version == 6 else 28
        for _ in range(2):
            sequence = self._send(64, size - header)
            self._sizes[sequence] = False
            patience = min(until, time.monotonic() + _PATIENCE_S)
            while not self._sizes[sequence] and sequence in self._asked and time.monotonic() < patience:
                await self._wait(patience - time.monotonic())
            if self._sizes[sequence]:
                return True
            if sequence not in self._asked:  # a router said that it is too big
                return False
        return False

    def _send(self, hops: int, size: int) -> int:
        self._sequence = self._sequence + 1 & 0xFFFF
        payload = (self._cookie + self._sequence.to_bytes(8, "big")).ljust(max(16, size), b"\0")
        kind = 128 if self._version == 6 else 8
        packet = _ECHO.pack(kind, 0, 0, self._id, self._sequence) + payload
        if self._raw and self._version == 4:
            packet = _ECHO.pack(kind, 0, _checksum(packet), self._id, self._sequence) + payload
        level, option = (
            (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
            if self._version == 6
            else (socket.IPPROTO_IP, socket.IP_TTL)
        )
        self._sock.setsockopt(level, option, hops)
        self._asked[self._sequence] = (hops, time.perf_counter_ns())
        try:
            self._sock.send(packet)
        except OSError:
            # An error that came meanwhile is reported by the next call: it lies in the queue as well; send again.
            self._read()
            try:
                self._sock.send(packet)
            except OSError:
                self._asked.pop(self._sequence, None)
        return self._sequence

    def _read(self) -> None:
        now = time.perf_counter_ns()
        for error in errors(self._sock):
            place = error.quoted.find(self._cookie)  # a raw socket quotes more than a datagram one
            sequence = int.from_bytes(error.quoted[place + 14 : place + 16], "big") if place >= 0 else -1
            if sequence < 0 and len(error.quoted) >= 8:
                sequence = int.from_bytes(error.quoted[6:8], "big")
            asked = self._asked.pop(sequence, None)
            if asked is None or not error.offender:
                continue
            self._limit = error.info or self._limit
            if sequence in self._sizes:
                continue
            hop = self._hops[asked[0] - 1]
            self._note(hop, error.offender, now - asked[1])
            if error.kind != _EXCEEDED[self._version]:
                hop.words = error.text.partition(", says ")[0]
        for _ in range(256):
            try:
                data, name = self._sock.recvfrom(65_536)
            except OSError:
                break
            place = data.find(self._cookie)
            asked = self._asked.pop(int.from_bytes(data[place + 8 : place + 16], "big"), None) if place >= 0 else None
            if asked is None:
                continue
            sequence = int.from_bytes(data[place + 8 : place + 16], "big")
            if sequence in self._sizes:
                self._sizes[sequence] = True
                continue
            hop = self._hops[asked[0] - 1]
            self._note(hop, name[0], now - asked[1])
            self.end = min(self.end or hop.number, hop.number)
        self._heard.set()

    def _note(self, hop: Hop, address: str, took_ns: int) -> None:
        hop.rtts_ms.append(took_ns / 1e6)
        if address not in hop.addresses and len(hop.addresses) < 8:
            hop.addresses.append(address)

    async def _wait(self, seconds: float, *, whole: bool = False) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._heard.clear()
            try:
                async with asyncio.timeout(left):
                    await self._heard.wait()
            except TimeoutError:
                return
            if not whole:
                return


def _checksum(packet: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet[: len(packet) // 2 * 2]))
    if len(packet) % 2:
        total += packet[-1] << 8
    total = (total >> 16) + (total & 0xFFFF)
    return int(~(total + (total >> 16)) & 0xFFFF)
