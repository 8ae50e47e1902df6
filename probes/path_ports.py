"""The way to an address by UDP or TCP: what a firewall between makes of a service's own packets.

A socket for each packet, because the sender's port is what tells them apart: routers quote eight bytes of it. Their
answers come out of the socket's error queue (ip(7), IP_RECVERR), so that no right is needed: TCP is a plain connect
with a small time to live. A few hops are asked at a time: a server sees as many connections beyond its own hop only.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

from probes.hops import EXCEEDED, ROUND_S, Hop, Tracer
from probes.sockets import IP_RECVERR, IPV6_RECVERR, errors

_WINDOW = 4  # with three rounds six packets at most reach the end: Linux refuses so many in a row, then one a second
_AGAIN_NS = 950_000_000
"""TCP sends its SYN again after one second (RFC 6298): an answer from then on tells no time, the first one is lost."""
_PORT_UNREACHABLE = "port unreachable"
_QUESTIONS: Mapping[int, bytes] = {
    53: b"\x4d\x61\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01",  # SOA of the root
    123: b"\x23".ljust(48, b"\0"),  # RFC 5905: version 4, client
}
"""What a server at a port answers, so that an open port is seen; any other gets zeros."""


class PortTracer(Tracer):
    """Finds a way by datagrams or connections to a port.

    Parameters:
        address: where to, numeric.
        most_hops: how far.
        tcp: connections, else datagrams.
        port: of the end.
    """

    def __init__(self, address: str, most_hops: int, *, tcp: bool, port: int) -> None:
        super().__init__(address, most_hops)
        self._tcp = tcp
        self._port = port
        self._family = socket.AF_INET6 if self.version == 6 else socket.AF_INET
        kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
        self._name = socket.getaddrinfo(address, port, self._family, kind, 0, socket.AI_NUMERICHOST)[0][4]
        self.address = str(self._name[0])  # as the kernel writes it
        self._asked: dict[socket.socket, tuple[Hop, int]] = {}
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        """Close every socket."""
        for sock in tuple(self._asked):
            self._drop(sock)

    async def run(self, rounds: int, until: float) -> None:
        """Ask each hop so many times, further ones only while the end is not found.

        Raises:
            OSError: this machine has no route there.
        """
        first = 0
        while not self.end and first < len(self.hops):
            await self._round(self.hops[first : first + _WINDOW], until)
            first += _WINDOW
        for _ in range(rounds - 1):
            await self._round(self.hops[: self.end or None], until)
        await self.settle(until)

    async def _round(self, hops: list[Hop], until: float) -> None:
        if time.monotonic() >= until:
            return
        for hop in hops:
            self._send(hop)
        await self.wait(min(ROUND_S, until - time.monotonic()), whole=True)

    def _send(self, hop: Hop) -> None:
        sock = socket.socket(self._family, socket.SOCK_STREAM if self._tcp else socket.SOCK_DGRAM)
        began = time.perf_counter_ns()
        try:
            sock.setblocking(False)
            if self.version == 6:
                sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hop.number)
            else:
                sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hop.number)
            with suppress(BlockingIOError):
                sock.connect(self._name)
            if not self._tcp:
                sock.send(_QUESTIONS.get(self._port, bytes(32)))
        except ConnectionRefusedError:  # by this machine itself
            sock.close()
            hop.sent += 1
            self.note(hop, self.address, time.perf_counter_ns() - began)
            self._ended(hop, f"port {self._port} refuses")
            return
        except BaseException:
            sock.close()
            raise
        hop.sent += 1
        self._asked[sock] = (hop, began)
        if self._tcp:
            self._loop.add_writer(sock.fileno(), self._heard, sock)
        else:
            self._loop.add_reader(sock.fileno(), self._heard, sock)

    def _heard(self, sock: socket.socket) -> None:
        hop, began = self._asked[sock]
        took_ns = time.perf_counter_ns() - began
        said = [error for error in errors(sock) if error.kind >= 0]
        words = self._answer(sock)
        self._drop(sock)
        for error in said[:1]:
            self._note(hop, error.offender, took_ns)
            text = error.text.partition(", says ")[0]
            if error.offender == self.address and text == _PORT_UNREACHABLE:
                self._ended(hop, f"port {self._port} refuses")
            elif error.kind != EXCEEDED[self.version]:
                hop.words = text
        if not said and words:
            self._note(hop, self.address, took_ns)
            self._ended(hop, words)
        self.heard.set()

    def _note(self, hop: Hop, address: str, took_ns: int) -> None:
        self.note(hop, address, took_ns)
        if self._tcp and took_ns > _AGAIN_NS:
            hop.rtts_ms.pop()

    def _answer(self, sock: socket.socket) -> str:
        """Return what the end itself answered, in words; empty: nothing."""
        problem = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if self._tcp:
            answers = {0: f"port {self._port} is open", errno.ECONNREFUSED: f"port {self._port} refuses"}
            return answers.get(problem, "")
        try:
            sock.recv(1)
        except OSError:
            return ""
        return f"port {self._port} answers"

    def _ended(self, hop: Hop, words: str) -> None:
        hop.words = words
        self.end = min(self.end or hop.number, hop.number)

    def _drop(self, sock: socket.socket) -> None:
        del self._asked[sock]
        (self._loop.remove_writer if self._tcp else self._loop.remove_reader)(sock.fileno())
        sock.close()
