"""The SNMP engine: one UDP socket per address family for all devices.

A request waits in one table under its request-id (v3: msgID); an answer counts only when the id, the source address
and the version fit. Deadlines are swept in ticks: no timer, no descriptor and no task per request.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from weakref import WeakValueDictionary

import structlog

from probes.meter import Meter
from probes.snmp import ber, message, usm
from probes.snmp.deadlines import Deadlines
from probes.snmp.errors import BerError, NotAsked
from probes.snmp.keys import KeyRing
from probes.snmp.link import Link, OnErrors, OnPacket, SocketLink
from probes.snmp.message import RESPONSE, V3, Bodies
from probes.snmp.requests import Counters, Opener, Peer, Reply, Request
from probes.snmp.sockets import Address, parse_address

logger = structlog.get_logger(__name__)

MOST_IN_FLIGHT = 1_000
MOST_PER_DEVICE = 2  # small agents drop what comes while they work
JITTER = 0.1


class SnmpEngine:
    """Sends requests to thousands of agents and pairs the answers with them.

    Use on the event loop: sessions call `exchange`; `close` at the end. Sockets are opened when the first agent of a
    family is named.

    Parameters:
        most_in_flight: requests of all devices under way at once; the others wait their turn.
        most_per_device: requests of one device under way at once.
        open_link: opens the socket of a family; the lab's simulated time puts a link without a socket there.
        meter: charged with the work that reading and waiting make.
    """

    def __init__(
        self, *, most_in_flight: int = MOST_IN_FLIGHT, most_per_device: int = MOST_PER_DEVICE,
        open_link: Callable[[int, OnPacket, OnErrors], Link] | None = None, meter: Meter | None = None,
    ) -> None:  # fmt: skip
        meter = meter or Meter()
        self._open_link = open_link or partial(SocketLink, meter=meter)
        self.counters = Counters()
        self.keys = KeyRing()
        self.bodies = Bodies()
        self._most_in_flight = most_in_flight
        self._most_per_device = most_per_device
        self._links: dict[int, Link] = {}
        self._peers: WeakValueDictionary[Address, Peer] = WeakValueDictionary()
        self._requests: dict[int, Request] = {}
        self._in_flight = 0
        self._waiting: deque[Request] = deque()
        self._deadlines = Deadlines(partial(meter.run, "snmp", self._sweep))
        self._random = random.Random()
        self._closed = False

    def peer(self, address: str, port: int = 161) -> Peer:
        """Name an agent.

        Raises:
            ValueError: not a numeric address.
            OSError: this machine has no such address family.
        """
        if self._closed:
            raise RuntimeError("the SNMP engine is closed")
        family, name, answers_from = parse_address(address, port)
        peer = self._peers.get(answers_from)
        if peer is None:
            link = self._links.get(family)
            if link is None:
                link = self._links[family] = self._open_link(family, self._receive, self._note_errors)
            peer = self._peers[answers_from] = Peer(link, name, answers_from)
        return peer

    def new_id(self) -> int:
        """Draw a request-id (and msgID) that is not in use and cannot be guessed from the last; always 4 bytes."""
        while True:
            number = self._random.getrandbits(30) | 0x40000000
            if number not in self._requests:
                return number

    async def exchange(
        self, peer: Peer, message_id: int, version: int, packet: bytes, *, timeout_s: float, tries: int,
        deadline: float = float("inf"), opener: Opener | None = None,
    ) -> Reply:  # fmt: skip
        """Ask, ask again, and return the answer.

        The pauses between the tries grow (1 : 2 : 3 …) and add up to ``timeout_s``, counted from the first packet.

        Parameters:
            peer: whom.
            message_id: from `new_id`, as encoded in ``packet``.
            version: on the wire; an answer of another version does not count (it could evade authentication).
            timeout_s, tries: how long to wait in all, how many packets at most.
            deadline: time of the event loop at which to give up in any case.
            opener: opens a v3 answer; ``None`` from it means that the answer is not to be believed.

        Raises:
            NoAnswer: nothing valid came in time.
            NotAsked: no packet left this machine.
        """
        if self._closed:
            raise NotAsked("the SNMP engine is closed")
        loop = asyncio.get_running_loop()
        if deadline <= loop.time():  # an agent that answers at once could otherwise outrun every budget
            raise NotAsked("the time budget is spent")
        request = Request(
            message_id, version, packet, peer, opener, timeout_s, tries, deadline, loop.create_future()
        )  # fmt: skip
        self._requests[message_id] = request
        if peer.in_flight >= self._most_per_device:
            peer.waiting.append(request)
            self._deadlines.add(message_id, deadline)
        elif self._in_flight >= self._most_in_flight:
            self._waiting.append(request)
            self._deadlines.add(message_id, deadline)
        else:
            self._launch(request, loop.time())
        try:
            return await request.answer
        finally:
            self._end(request)

    @property
    def in_flight(self) -> int:
        """Requests that are not over yet, those that wait their turn included."""
        return len(self._requests)

    def drops(self) -> int:
        """Packets that the kernel dropped in our receive buffers so far."""
        return sum(link.drops for link in self._links.values())

    def close(self) -> None:
        """Close the sockets; requests under way end with `NotAsked`."""
        self._closed = True
        self._deadlines.close()
        for link in self._links.values():
            link.close()
        for request in list(self._requests.values()):
            if not request.answer.done():
                request.answer.set_exception(NotAsked("the SNMP engine was closed"))
        self._links.clear()

    # sending

    def _launch(self, request: Request, now: float) -> None:
        request.flying = True
        request.peer.in_flight += 1
        if request.peer.in_flight == 1:
            request.peer.trouble = ""
        request.counts = True
        self._in_flight += 1
        request.began = now
        request.drops = request.peer.link.drops
        request.malformed_before = request.peer.malformed
        self._send(request, now)

    def _send(self, request: Request, now: float) -> None:
        """Send a try and set the time for the next."""
        peer = request.peer
        request.tries -= 1
        trouble = peer.link.send(request.packet, peer.address)
        if trouble:
            self.counters.unsent += 1
            peer.trouble = trouble
        else:
            request.sent += 1
            self.counters.sent += 1
            if request.sent > 1:
                self.counters.retransmitted += 1
        end = min(request.began + request.timeout_s, request.deadline)
        left = request.tries
        if left and now < end:
            # with n tries left after this one, this pause is 1 part of all that remain: later pauses are longer
            number = request.sent or 1
            parts = sum(range(number, number + left + 1))
            pause = (end - now) * number / parts
            due = now + pause * (1 + JITTER * (2 * self._random.random() - 1))
        else:
            due = end
        request.due = min(due, end)
        self._deadlines.add(request.message_id, request.due)

    def _sweep(self) -> None:
        """Look at the requests that are due; what lies in the receive buffers counts, however late we are."""
        for link in self._links.values():
            link.drain()
        now = asyncio.get_running_loop().time()
        for message_id in self._deadlines.take(now):
            request = self._requests.get(message_id)
            if request is not None and request.due <= now and not request.answer.done():
                self._due(request, now)

    def _due(self, request: Request, now: float) -> None:
        if request.flying and request.tries and now < min(request.began + request.timeout_s, request.deadline):
            self._release(request)
            self._send(request, now)
            return
        request.due = float("inf")
        if not request.flying:
            request.answer.set_exception(NotAsked(f"{request.peer} was not asked: too many requests before this one"))
        elif not request.sent:
            request.answer.set_exception(NotAsked(f"cannot send to {request.peer}: {request.peer.trouble}"))
        else:
            request.answer.set_exception(request.silence(now))

    def _end(self, request: Request) -> None:
        """Forget a request and let the next ones go."""
        self._requests.pop(request.message_id, None)
        if not request.flying:
            return
        request.flying = False
        request.peer.in_flight -= 1
        self._release(request)
        if not self._closed:
            self._next(request.peer.waiting)

    def _release(self, request: Request) -> None:
        """Give a request's place to another device's: after an answer, or when silence is all that can be expected."""
        if request.counts:
            request.counts = False
            self._in_flight -= 1
        while not self._closed and self._in_flight < self._most_in_flight and self._next(self._waiting):
            pass

    def _next(self, queue: deque[Request]) -> bool:
        """Launch the first of a queue that still wants to go."""
        while queue:
            request = queue[0]
            if request.answer.done():
                queue.popleft()
                continue
            if request.peer.in_flight >= self._most_per_device:
                queue.popleft()
                request.peer.waiting.append(request)
                continue
            if self._in_flight >= self._most_in_flight:
                if queue is not self._waiting:
                    queue.popleft()
                    self._waiting.append(request)
                return False
            queue.popleft()
            self._launch(request, asyncio.get_running_loop().time())
            return True
        return False

    # receiving

    def _receive(self, data: bytes, source: Address) -> None:
        self.counters.received += 1
        try:
            self._take(data, source)
        except BerError as error:
            self.counters.malformed += 1
            self._blame(source, error)

    def _take(self, data: bytes, source: Address) -> None:
        """Pair an answer with its request.

        Raises:
            BerError: not well-formed.
        """
        version, pos, end = message.open_message(data)
        if version == V3:
            header = usm.read_header(data, pos, end)
            request = self._find(header.message_id, source, version)
            if request is None or request.opener is None:
                return
            opened = request.opener(data, header)
            if opened is None or (opened[0].tag == RESPONSE and opened[0].request_id != header.message_id):
                request.rejected += 1
                self.counters.unauthenticated += 1
                return
            request.answer.set_result(opened)
        else:
            _, pos = ber.read_octets(data, pos, end)
            head = message.read_head(data, pos, end)
            request = self._find(head.request_id, source, version)
            if request is None:
                return
            if head.tag != RESPONSE:
                raise BerError(f"a PDU {head.tag:#04x} where an answer belongs")
            request.answer.set_result((head.pdu(data), None))
        request.peer.trouble = ""

    def _find(self, message_id: int, source: Address, version: int) -> Request | None:
        """Find the request that this answers; what nobody asked for is counted."""
        request = self._requests.get(message_id)
        if request is None or request.answer.done() or not request.flying:
            self.counters.stale += 1
            return None
        if request.peer.answers_from != source or request.version != version:
            self.counters.spoofed += 1
            return None
        return request

    def _blame(self, source: Address, error: BerError) -> None:
        """Note a malformed answer at who sent it, so that the verdict can say so."""
        peer = self._peers.get(source)
        if peer is not None:
            peer.malformed += 1
            logger.debug("malformed SNMP answer", peer=str(peer), error=str(error))

    def _note_errors(self, found: Mapping[str, str]) -> None:
        """Note ICMP errors, by address, at the agents that are being asked."""
        for request in self._requests.values():
            peer = request.peer
            peer.trouble = found.get(peer.answers_from[0], peer.trouble)
