"""The way to an address, hop by hop, with the loss at each, and the largest packet that gets through.

Echoes with a small time to live over a datagram or raw ICMP socket of its own; routers' answers come out of its error
queue. All hops of a round are asked at once, a round each 100 ms: a whole path takes as long as one echo. By UDP and
TCP see `probes.path_ports`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections.abc import Mapping

from probes.hops import EXCEEDED, ROUND_S, Path, Tracer
from probes.icmp.sockets import open_socket
from probes.path_ports import PortTracer
from probes.sockets import errors

_ECHO = struct.Struct("!BBHHH")
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PROBE_ONLY = 10, 23, 3  # linux/in.h: IP_PMTUDISC_PROBE
_SMALLEST = {4: 576, 6: 1280}
_PATIENCE_S = 0.5
PROTOCOLS: Mapping[str, int] = {"icmp": 0, "udp": 33_434, "tcp": 443}
"""How a way may be asked, and the port where none is given."""


async def trace(
    address: str, deadline: float, *, rounds: int = 3, most_hops: int = 30, mtu: bool = False, protocol: str = "icmp",
    port: int = 0,
) -> Path:  # fmt: skip
    """Follow the way to an address.

    Parameters:
        address: numeric.
        deadline: seconds for everything; what was found until then is returned.
        rounds: packets to each hop.
        most_hops: how far.
        mtu: also find the largest packet that gets through; by echoes only.
        protocol: one of `PROTOCOLS`.
        port: of udp and tcp; 0: the one of `PROTOCOLS`.

    Raises:
        IcmpUnavailable: no ICMP socket may be opened here.
        OSError: this machine has no route there.
        ValueError: there is no such protocol, or it has no such thing.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"{protocol} is no way to ask: icmp, udp or tcp")
    if protocol == "icmp" and port:
        raise ValueError("echoes have no port: choose --protocol udp or tcp")
    if protocol != "icmp" and mtu:
        raise ValueError("the largest packet is found by echoes: leave --protocol out, or --mtu")
    until = time.monotonic() + deadline
    tracer: _Echoes | PortTracer
    if protocol == "icmp":
        tracer = _Echoes(address, most_hops)
    else:
        tracer = PortTracer(address, most_hops, tcp=protocol == "tcp", port=port or PROTOCOLS[protocol])
    try:
        await tracer.run(rounds, until)
        largest = await tracer.largest(until) if mtu and isinstance(tracer, _Echoes) and tracer.end else None
    finally:
        tracer.close()
    return tracer.path(largest)


class _Echoes(Tracer):
    def __init__(self, address: str, most_hops: int) -> None:
        super().__init__(address, most_hops)
        family = socket.AF_INET6 if self.version == 6 else socket.AF_INET
        self._cookie = os.urandom(8)
        self._sock, self._raw = open_socket(family, self._cookie)
        try:
            name = socket.getaddrinfo(address, 0, family, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)[0][4]
            self._sock.connect(name)
            kind, option = (
                (socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER)
                if self.version == 6
                else (socket.IPPROTO_IP, _IP_MTU_DISCOVER)
            )
            self._sock.setsockopt(kind, option, _PROBE_ONLY)
        except BaseException:
            self._sock.close()
            raise
        self._asked: dict[int, tuple[int, int]] = {}
        self._sequence = int.from_bytes(os.urandom(2), "big") >> 1
        self._id = int.from_bytes(os.urandom(2), "big")
        self._sizes: dict[int, bool] = {}
        self._limit = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock.fileno(), self._read)

    def close(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    async def run(self, rounds: int, until: float) -> None:
        for _ in range(rounds):
            if time.monotonic() >= until:
                return
            for hop in self.hops[: self.end or None]:
                hop.sent += 1
                self._send(hop.number, 56)
            await self.wait(min(ROUND_S, until - time.monotonic()), whole=True)
        await self.settle(until)

    async def largest(self, until: float) -> int | None:
        """Search between what every network must carry and our own interface's size."""
        low = _SMALLEST[self.version]
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

    def _own_mtu(self) -> int:
        if self.version == 6:
            return self._sock.getsockopt(socket.IPPROTO_IPV6, 24)  # IPV6_MTU
        return self._sock.getsockopt(socket.IPPROTO_IP, 14)  # IP_MTU

    async def _passes(self, size: int, until: float) -> bool:
        """Whether an echo of so many bytes, IP header included, is answered; two tries."""
        header = 48 if self.version == 6 else 28
        for _ in range(2):
            sequence = self._send(64, size - header)
            self._sizes[sequence] = False
            patience = min(until, time.monotonic() + _PATIENCE_S)
            while not self._sizes[sequence] and sequence in self._asked and time.monotonic() < patience:
                await self.wait(patience - time.monotonic())
            if self._sizes[sequence]:
                return True
            if sequence not in self._asked:  # a router said that it is too big
                return False
        return False

    def _send(self, hops: int, size: int) -> int:
        self._sequence = self._sequence + 1 & 0xFFFF
        payload = (self._cookie + self._sequence.to_bytes(8, "big")).ljust(max(16, size), b"\0")
        kind = 128 if self.version == 6 else 8
        packet = _ECHO.pack(kind, 0, 0, self._id, self._sequence) + payload
        if self._raw and self.version == 4:
            packet = _ECHO.pack(kind, 0, _checksum(packet), self._id, self._sequence) + payload
        level, option = (
            (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if self.version == 6 else (socket.IPPROTO_IP, socket.IP_TTL)
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
            hop = self.hops[asked[0] - 1]
            self.note(hop, error.offender, now - asked[1])
            if error.kind != EXCEEDED[self.version]:
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
            hop = self.hops[asked[0] - 1]
            self.note(hop, name[0], now - asked[1])
            self.end = min(self.end or hop.number, hop.number)
        self.heard.set()


def _checksum(packet: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet[: len(packet) // 2 * 2]))
    if len(packet) % 2:
        total += packet[-1] << 8
    total = (total >> 16) + (total & 0xFFFF)
    return int(~(total + (total >> 16)) & 0xFFFF)
