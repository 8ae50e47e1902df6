"""A device's SNMP agent: a datagram in, datagrams out. It knows no socket and no clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lab.devices import traps
from lab.devices.behaviour import HONEST, Behaviour, Oddity, cut
from lab.devices.model import LARGEST_MESSAGE
from lab.devices.respond import AUTHORIZATION_ERROR, NO_ACCESS, Answer, Reader
from lab.devices.state import State
from lab.devices.tree import EVERYTHING, View
from probes.snmp import ber, message
from probes.snmp.authority import Authority, Engine
from probes.snmp.errors import NO_SUCH_NAME, BerError
from probes.snmp.keys import User
from probes.snmp.message import GET, GET_BULK, GET_NEXT, RESPONSE, V1, V2C, V3, Head

SET = 0xA3
DUPLICATE_DELAY_S = 0.002
_REQUESTS = frozenset((GET, GET_NEXT, GET_BULK, SET))


class Reply(NamedTuple):
    """What the agent sends back.

    Parameters:
        data: the datagram.
        delay_s: how much later than the request came.
        wrong_source: it must leave from another address than it was asked at.
    """

    data: bytes
    delay_s: float
    wrong_source: bool


@dataclass(frozen=True, slots=True)
class Grant:
    """A user of v3 and what it may see; a request at a lower level than the user's is refused (RFC 3415)."""

    user: User
    view: View = EVERYTHING


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask.

    Parameters:
        communities: of v1 and v2c, and what each sees.
        grants: users of v3.
        authentication_traps: whether a wrong community is told (snmpEnableAuthenTraps).
    """

    communities: Mapping[str, View] = field(default_factory=lambda: {"public": EVERYTHING})
    grants: tuple[Grant, ...] = ()
    authentication_traps: bool = True


@dataclass(slots=True)
class Counters:
    """What an agent has seen.

    Parameters:
        requests: datagrams taken.
        malformed: of these, no SNMP, or encrypted with another key.
        refused: of these, not answered for another reason: community, size, kind.
        dropped: not taken: silent, lossy, or without power.
    """

    requests: int = 0
    malformed: int = 0
    refused: int = 0
    dropped: int = 0


class Agent:
    """Answers for one device.

    Parameters:
        state: the device.
        access: who may ask.
        authority: its v3 engine.
        engine: tells that engine's clock at a time.
        rng: draws what is lost and where datagrams are cut.
    """

    def __init__(
        self, state: State, access: Access, authority: Authority, engine: Callable[[int], Engine], rng: random.Random
    ) -> None:
        self.behaviour: Behaviour = HONEST
        self.counters = Counters()
        self._state = state
        self._communities = {name.encode(): view for name, view in access.communities.items()}
        self._views = {grant.user.name.encode(): grant.view for grant in access.grants}
        self._tells = access.authentication_traps
        self._authority = authority
        self._engine = engine
        self._rng = rng

    def receive(self, data: bytes, now_ns: int) -> list[Reply]:
        """Take a datagram; what is not SNMP is counted and dropped, as agents do."""
        behaviour = self.behaviour
        if not self._state.alive or behaviour.silent or (behaviour.loss and self._rng.random() < behaviour.loss):
            self.counters.dropped += 1
            return []
        self.counters.requests += 1
        try:
            answer = self._answer(data, now_ns) if len(data) <= LARGEST_MESSAGE else b""
        except BerError:
            self.counters.malformed += 1
            return []
        if not answer:
            self.counters.refused += 1
            return []
        oddities = behaviour.oddities
        if Oddity.TRUNCATED in oddities:
            answer = cut(answer, self._rng)
        reply = Reply(answer, behaviour.delay_s, Oddity.WRONG_SOURCE in oddities)
        if Oddity.DUPLICATE in oddities:
            return [reply, reply._replace(delay_s=reply.delay_s + DUPLICATE_DELAY_S)]
        return [reply]

    def _answer(self, data: bytes, now_ns: int) -> bytes:
        """Make the answering datagram; empty for none.

        Raises:
            BerError: not well-formed.
        """
        version, pos, end = message.open_message(data)
        if version == V3:
            return self._answer_v3(data, pos, end, now_ns)
        if version not in (V1, V2C):
            raise BerError(f"version {version}")
        community, pos = ber.read_octets(data, pos, end)
        view = self._communities.get(community)
        if view is None:
            if self._tells:
                self._state.tell(traps.AUTHENTICATION_FAILURE, now_ns)
            return b""
        room = LARGEST_MESSAGE - 40 - len(community)
        pdu = self._respond(data, message.read_head(data, pos, end), version, view, now_ns, room)
        return message.community_message(version, community, pdu) if pdu else b""

    def _answer_v3(self, data: bytes, pos: int, end: int, now_ns: int) -> bytes:
        engine = self._engine(now_ns)
        question = self._authority.open(data, pos, end, engine)
        if isinstance(question, bytes):
            return question
        head = message.read_head(question.plain, question.start, question.end)
        keys = question.keys
        view = self._views[keys.name] if question.flags == keys.level else None
        room = self._authority.room(question, LARGEST_MESSAGE)
        pdu = self._respond(question.plain, head, V3, view, now_ns, room)
        if not pdu:
            return b""
        return self._authority.seal(question.message_id, question.flags, keys, pdu, engine)

    def _respond(self, data: bytes, head: Head, version: int, view: View | None, now_ns: int, room: int) -> bytes:
        """Answer a PDU; empty when it is none that is answered.

        Parameters:
            view: what the asker may see; ``None`` when it asks at a lower level than it could.
        """
        if head.tag not in _REQUESTS or (head.tag == GET_BULK and version == V1):
            return b""
        if view is None:
            answer = Answer(AUTHORIZATION_ERROR, 0, None)
        elif head.tag == SET:
            answer = Answer(NO_SUCH_NAME if version == V1 else NO_ACCESS, 1, None)
        else:
            tree = self._state.tree.within(view)
            reader = Reader(tree, self._state, now_ns, version, self.behaviour, room)
            answer = reader.answer(head.pdu(data))
        wrong = Oddity.WRONG_ID in self.behaviour.oddities
        return _response(data, head, answer, head.request_id + 1 & 0x7FFFFFFF if wrong else head.request_id)


def _response(data: bytes, head: Head, answer: Answer, request_id: int) -> bytes:
    variables = data[head.start : head.end] if answer.variables is None else answer.variables
    numbers = b"".join(map(ber.encode_integer, (request_id, answer.status, answer.about)))
    return ber.encode(RESPONSE, numbers + ber.encode(ber.SEQUENCE, variables))
