"""The SNMP engine: one UDP socket per address family for all devices.

A request waits in one table under its request-id (v3: msgID); an answer counts only when the id, the source address
and the version fit. Deadlines are swept in ticks: no timer, no descriptor and no task per request.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakValueDictionary

import structlog

from probes.icmp.sockets import dropped, errors
from probes.snmp import ber, message, usm
from probes.snmp.errors import BerError, NoAnswer, NotAsked
from probes.snmp.keys import KeyRing
from probes.snmp.message import RESPONSE, V3, Bodies, Pdu
from probes.snmp.sockets import Address, open_socket, parse_address, plain6
from probes.snmp.usm import Claims, Header

logger = structlog.get_logger(__name__)

TICK_S = 0.02
BATCH = 256  # datagrams read in one go: about 10 ms of work, then the loop's turn
MOST_BATCHES = 40  # more than the receive buffer holds: a flood must not hold up the deadlines
MOST_IN_FLIGHT = 1_000
MOST_PER_DEVICE = 2  # small agents drop what comes while they work
JITTER = 0.1

Reply = tuple[Pdu, Claims | None]
Opener = Callable[[bytes, Header], Reply | None]


@dataclass(slots=True)
class Counters:
    """What the engine has seen since it began; metrics of our own."""

    sent: int = 0
    received: int = 0
    retransmitted: int = 0
    stale: int = 0
    spoofed: int = 0
    malformed: int = 0
    unauthenticated: int = 0
    unsent: int = 0


class Peer:
    """One agent's address as the engine sees it; shared by the sessions that speak to it."""

    __slots__ = ("__weakref__", "address", "answers_from", "in_flight", "link", "malformed", "trouble", "waiting")

    def __init__(self, link: Link, address: Address, answers_from: Address) -> None:
        self.link = link
        self.address = address
        self.answers_from = answers_from
        self.in_flight = 0
        self.waiting: deque[Request] = deque()
        self.malformed = 0
        self.trouble = ""

    def __str__(self) -> str:
        host, port = self.address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(slots=True)
class Request:
    """A question under way."""

    message_id: int
    version: int
    packet: bytes
    peer: Peer
    opener: Opener | None
    timeout_s: float
    tries: int
    deadline: float
    answer: asyncio.Future[Reply]
    sent: int = 0
    began: float = 0.0
    due: float = 0.0
    drops: int = 0
    malformed_before: int = 0
    rejected: int = 0
    flying: bool = False


class Link:
    """A socket and what reads it."""

    def __init__(self, family: int) -> None:
        self.family = family
        self.sock = open_socket(family)
        self.drops = dropped(self.sock)


class SnmpEngine:
    """Sends requests to thousands of agents and pairs the answers with them.

    Use on the event loop: sessions call `exchange`; `close` at the end. Sockets are opened when the first agent of a
    family is named.

    Parameters:
        most_in_flight: requests of all devices under way at once; the others wait their turn.
        most_per_device: requests of one device under way at once.
    """

    def __init__(self, *, most_in_flight: int = MOST_IN_FLIGHT, most_per_device: int = MOST_PER_DEVICE) -> None:
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
        self._ticks: dict[int, list[int]] = {}  # message ids: a request that is over must not be kept alive until then
        self._order: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
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
                link = self._links[family] = Link(family)
                asyncio.get_running_loop().add_reader(link.sock.fileno(), self._read, link)
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
            self._look_at(request, deadline)
        elif self._in_flight >= self._most_in_flight:
            self._waiting.append(request)
            self._look_at(request, deadline)
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

    def close(self) -> None:
        """Close the sockets; requests under way end with `NotAsked`."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for link in self._links.values():
            asyncio.get_running_loop().remove_reader(link.sock.fileno())
            link.sock.close()
        for request in list(self._requests.values()):
            if not request.answer.done():
                request.answer.set_exception(NotAsked("the SNMP engine was closed"))
        self._links.clear()
        self._ticks.clear()
        self._order.clear()

    # sending

    def _launch(self, request: Request, now: float) -> None:
        request.flying = True
        request.peer.in_flight += 1
        if request.peer.in_flight == 1:
            request.peer.trouble = ""
        self._in_flight += 1
        request.began = now
        request.drops = request.peer.link.drops
        request.malformed_before = request.peer.malformed
        self._send(request, now)

    def _send(self, request: Request, now: float) -> None:
        """Send a try and set the time for the next."""
        peer = request.peer
        request.tries -= 1
        trouble = self._transmit(request)
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
        self._look_at(request, min(due, end))

    def _transmit(self, request: Request) -> str:
        """Hand the packet to the kernel; returns why it would not take it."""
        link = request.peer.link
        for last in (False, True):
            try:
                link.sock.sendto(request.packet, request.peer.address)
            except OSError as error:
                if last:
                    return (error.strerror or str(error)).lower()
                self._read_errors(
                    link
                )  # an ICMP error about another device surfaces in the next call, whose ever it is
            else:
                break
        return ""

    def _look_at(self, request: Request, due: float) -> None:
        request.due = due
        if due == float("inf"):
            return
        tick = int(due / TICK_S) + 1
        at_tick = self._ticks.get(tick)
        if at_tick is not None:
            at_tick.append(request.message_id)
            return
        self._ticks[tick] = [request.message_id]
        heapq.heappush(self._order, tick)
        if self._order[0] == tick:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._order[0] * TICK_S, self._sweep)

    def _sweep(self) -> None:
        """Look at the requests that are due; what lies in the receive buffers counts, however late we are."""
        self._timer = None
        for link in self._links.values():
            for _ in range(MOST_BATCHES):
                if not self._read(link):
                    break
        now = asyncio.get_running_loop().time()
        for link in self._links.values():
            link.drops = dropped(link.sock)
        last = int(now / TICK_S)
        while self._order and self._order[0] <= last:
            for message_id in self._ticks.pop(heapq.heappop(self._order)):
                request = self._requests.get(message_id)
                if request is not None and request.due <= now and not request.answer.done():
                    self._due(request, now)
        if self._order:
            self._arm()

    def _due(self, request: Request, now: float) -> None:
        if request.flying and request.tries and now < min(request.began + request.timeout_s, request.deadline):
            self._send(request, now)
            return
        request.due = float("inf")
        if not request.flying:
            request.answer.set_exception(NotAsked(f"{request.peer} was not asked: too many requests before this one"))
        elif not request.sent:
            request.answer.set_exception(NotAsked(f"cannot send to {request.peer}: {request.peer.trouble}"))
        else:
            request.answer.set_exception(self._silence(request, now))

    def _silence(self, request: Request, now: float) -> NoAnswer:
        peer = request.peer
        tries = "1 try" if request.sent == 1 else f"{request.sent} tries"
        reason = f"no answer from {peer} within {now - request.began:.1f} s ({tries})"
        malformed = peer.malformed - request.malformed_before
        if malformed:
            reason = f"no valid answer from {peer} within {now - request.began:.1f} s: {malformed} malformed"
        elif request.rejected:
            reason = (
                f"no trustworthy answer from {peer} within {now - request.began:.1f} s: "
                f"{request.rejected} failed authentication"
            )
        elif peer.trouble:
            reason += f": {peer.trouble}"
        silent = not (malformed or request.rejected or peer.trouble)
        return NoAnswer(reason, request.sent, silent=silent, blind=peer.link.drops != request.drops)

    def _end(self, request: Request) -> None:
        """Forget a request and let the next ones go."""
        self._requests.pop(request.message_id, None)
        peer = request.peer
        if not request.flying:
            return
        request.flying = False
        peer.in_flight -= 1
        self._in_flight -= 1
        if self._closed:
            return
        self._next(peer.waiting)
        while self._in_flight < self._most_in_flight and self._next(self._waiting):
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

    def _read(self, link: Link) -> bool:
        """Take what came, up to a batch; returns whether there may be more."""
        receive = link.sock.recvfrom
        for _ in range(BATCH):
            try:
                data, address = receive(65_535)
            except BlockingIOError:
                return False
            except OSError:  # an ICMP error: its words are in the error queue
                self._read_errors(link)
                continue
            self.counters.received += 1
            source = address if link.family == socket.AF_INET else plain6(address)
            try:
                self._take(data, source)
            except BerError as error:
                self.counters.malformed += 1
                self._blame(source, error)
        return True

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

    def _read_errors(self, link: Link) -> None:
        found = {error.destination: error.text for error in errors(link.sock)}
        if found:
            for request in self._requests.values():
                peer = request.peer
                peer.trouble = found.get(peer.answers_from[0], peer.trouble)
