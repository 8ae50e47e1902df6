"""Informs to one receiver: sent again until it acknowledges them.

In v3 the receiver's engine is the authoritative one: it is discovered first, and its clock is followed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from probes.snmp import ber, message, usm
from probes.snmp.errors import BerError
from probes.snmp.keys import KeyRing, User
from probes.snmp.message import GET, REPORT, RESPONSE, V2C, V3, Pdu
from probes.snmp.usm import Claims, Security

if TYPE_CHECKING:
    from lab.devices.notifier import Sink

_MOST_PENDING = 200
_SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class _Pending:
    pdu: bytes
    due_ns: int
    tries: int


class _Receiver(Security):
    """The receiver's engine, by the lab's time."""

    def __init__(self, user: User, ring: KeyRing) -> None:
        super().__init__(user, ring)
        self.now_ns = 0
        self._ahead_s = 0

    def set_time(self, claims: Claims) -> None:
        """See `Security.set_time`."""
        self.boots = claims.boots
        self._ahead_s = claims.time - self.now_ns // _SECOND_NS

    def engine_time(self) -> int:
        """See `Security.engine_time`."""
        return max(0, self._ahead_s + self.now_ns // _SECOND_NS)


class Informs:
    """What one receiver has not acknowledged yet.

    Parameters:
        sink: the receiver.
        ring: derives keys.
        rng: draws request-ids.
    """

    def __init__(self, sink: Sink, ring: KeyRing, rng: random.Random) -> None:
        self._sink = sink
        self._rng = rng
        self._receiver = _Receiver(sink.user, ring) if sink.user else None
        self._pending: dict[int, _Pending] = {}

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def next_ns(self) -> int | None:
        """When the next one is due, or is given up."""
        return min((one.due_ns for one in self._pending.values()), default=None)

    def add(self, tag: int, variables: bytes, at_ns: int) -> None:
        """Queue an inform; the oldest gives way when too many wait."""
        while len(self._pending) >= _MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        number = self._rng.getrandbits(30) | 0x40000000
        pdu = ber.encode(tag, ber.encode_integer(number) + b"\x02\x01\x00" * 2 + variables)
        self._pending[number] = _Pending(pdu, at_ns, self._sink.tries)

    def take(self, now_ns: int) -> list[tuple[int, bytes]]:
        """Give what is due until now; an inform that was tried often enough is given up."""
        sent: list[tuple[int, bytes]] = []
        pause_ns = round(self._sink.retry_s * _SECOND_NS)
        for number, one in list(self._pending.items()):
            while one.due_ns <= now_ns:
                if not one.tries:
                    self._pending.pop(number)
                    break
                datagram = self._datagram(number, one.pdu, one.due_ns)
                if (one.due_ns, datagram) not in sent:  # all that wait for the receiver's engine ask the same
                    sent.append((one.due_ns, datagram))
                one.tries -= 1
                one.due_ns += pause_ns
        return sent

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take an answer; what is not one is dropped."""
        try:
            self._receive(data, now_ns)
        except BerError:
            return

    def forget(self) -> None:
        """Drop everything, and what was known of the receiver."""
        self._pending.clear()
        if self._receiver is not None:
            self._receiver.engine_id = b""

    def _receive(self, data: bytes, now_ns: int) -> None:
        """Match an answer.

        Raises:
            BerError: not well-formed.
        """
        version, pos, end = message.open_message(data)
        receiver = self._receiver
        if receiver is None:
            community, pos = ber.read_octets(data, pos, end)
            pdu = message.read_head(data, pos, end).pdu(data)
            if version == V2C and community == self._sink.community.encode():
                self._acknowledged(pdu)
            return
        if version != V3:
            return
        receiver.now_ns = now_ns
        opened = receiver.open(data, usm.read_header(data, pos, end))
        if opened is None:
            return
        pdu, claims = opened
        if pdu.tag != REPORT:
            self._acknowledged(pdu)
            return
        found = receiver.engine_id != claims.engine_id
        if found:
            receiver.adopt(claims)
        else:
            receiver.set_time(claims)
        for one in self._pending.values():
            one.due_ns = min(one.due_ns, now_ns)
            if found:
                one.tries = self._sink.tries

    def _acknowledged(self, pdu: Pdu) -> None:
        if pdu.tag == RESPONSE:
            self._pending.pop(pdu.request_id, None)

    def _datagram(self, number: int, pdu: bytes, at_ns: int) -> bytes:
        receiver = self._receiver
        if receiver is None:
            return message.community_message(V2C, self._sink.community.encode(), pdu)
        receiver.now_ns = at_ns
        if receiver.engine_id:
            return receiver.seal(number, pdu)
        return receiver.discovery(1, message.encode_pdu(GET, 1, 0, 0, ()))
