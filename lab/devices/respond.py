"""Answers to GET, GETNEXT and GETBULK (RFC 3416 §4.2, RFC 1157 §4.1), from a tree and a device's state."""

from __future__ import annotations

from typing import NamedTuple

from lab.devices.behaviour import Behaviour, Oddity
from lab.devices.state import State
from lab.devices.tree import Tree, parent, suffix
from probes.snmp import ber, oid
from probes.snmp.errors import NO_SUCH_NAME, TOO_BIG
from probes.snmp.message import GET, GET_BULK, V1, Pdu

NO_ACCESS = 6
AUTHORIZATION_ERROR = 16
MOST_REPETITIONS = 10_000
_HEADS = [bytes((ber.SEQUENCE, length)) for length in range(0x80)]


class Answer(NamedTuple):
    """What goes into a response: error-status, error-index, and the encoded variables (``None``: the request's own)."""

    status: int
    about: int
    variables: bytes | None


class Reader:
    """One request's look at a device.

    Parameters:
        tree: what the asker may see.
        state, now_ns: whose values, of when.
        version: in v1 there is no Counter64 (RFC 3584 §4.2.2.1).
        behaviour: what is wrong with the answers.
        room: bytes that the variables may take.
    """

    __slots__ = ("_behaviour", "_distort", "_endless", "_now_ns", "_room", "_state", "_tree", "_v1")

    def __init__(self, tree: Tree, state: State, now_ns: int, version: int, behaviour: Behaviour, room: int) -> None:
        self._tree = tree.disordered if Oddity.DISORDERED in behaviour.oddities else tree
        self._state = state
        self._now_ns = now_ns
        self._v1 = version == V1
        self._behaviour = behaviour
        self._distort = behaviour.distort if behaviour.oddities else None
        self._endless = Oddity.ENDLESS in behaviour.oddities
        self._room = room

    def answer(self, asked: Pdu) -> Answer:
        """Answer a request."""
        if Oddity.TOO_BIG in self._behaviour.oddities:
            return self._too_big()
        if asked.tag == GET_BULK:
            return self._bulk(asked)
        found: list[bytes] = []
        size = 0
        for index, (name, _, _) in enumerate(asked.varbinds, 1):
            one = self._get(name) if asked.tag == GET else self._next(name, self._tree.after(name))
            if one is None:
                if self._v1:
                    return Answer(NO_SUCH_NAME, index, None)
                one = _variable(ber.encode(ber.OBJECT_ID, name), self._absent(name, asked.tag)), name, 0
            found.append(one[0])
            size += len(one[0])
            if size > self._room:
                return self._too_big()
        return Answer(0, 0, b"".join(found))

    def _too_big(self) -> Answer:
        return Answer(TOO_BIG, 0, None if self._v1 else b"")

    def _absent(self, name: bytes, tag: int) -> bytes:
        if tag != GET:
            return b"\x82\x00"
        return b"\x81\x00" if parent(name) in self._tree.columns else b"\x80\x00"

    def _get(self, name: bytes) -> tuple[bytes, bytes, int] | None:
        place = self._tree.places.get(name)
        if place is None:
            return None
        value = self._value(place)
        return None if value is None else (_variable(self._tree.named[place], value), name, place)

    def _value(self, place: int) -> bytes | None:
        content = self._tree.contents[place]
        value = content if isinstance(content, bytes) else content(self._state, self._now_ns)
        if value is None:
            return None
        overrides = self._state.overrides
        if overrides:
            value = overrides.get(self._tree.names[place], value)
        if self._v1 and value[0] == ber.COUNTER64:
            return None
        return self._distort(value) if self._distort else value

    def _next(self, name: bytes, place: int) -> tuple[bytes, bytes, int] | None:
        """Find what follows.

        Parameters:
            name: which variable it follows.
            place: where to look first.

        Returns:
            the encoded variable, its name, and where to look for the one after it; ``None`` at the end.
        """
        tree = self._tree
        if self._endless:
            column = parent(name)
            if column in tree.columns and (place >= len(tree) or parent(tree.names[place]) != column):
                number = oid.numbers(name[len(column) :])[0] + 1
                name = column + suffix(number & 0xFFFFFFFF)
                return _variable(ber.encode(ber.OBJECT_ID, name), ber.encode_integer(number)), name, place
        while place < len(tree.names):
            value = self._value(place)
            if value is not None:
                return _variable(tree.named[place], value), tree.names[place], place + 1
            place += 1
        return None

    def _bulk(self, asked: Pdu) -> Answer:
        """Answer GETBULK with as many rows as fit (RFC 3416 §4.2.3)."""
        once = max(0, min(asked.error_status, len(asked.varbinds)))
        names = [name for name, _, _ in asked.varbinds]
        places = [self._tree.after(name) for name in names]
        columns = list(range(once, len(names)))
        rounds = [list(range(once)), *[columns] * max(0, min(asked.error_index, MOST_REPETITIONS))]
        found: list[bytes] = []
        size = 0
        for count, positions in enumerate(rounds):
            ended = count > 0
            for position in positions:
                following = self._next(names[position], places[position])
                if following is None:
                    variable = _variable(ber.encode(ber.OBJECT_ID, names[position]), b"\x82\x00")
                else:
                    variable, names[position], places[position] = following
                    ended = False
                size += len(variable)
                if size > self._room:
                    return Answer(0, 0, b"".join(found)) if found else self._too_big()
                found.append(variable)
            if ended:
                break
        return Answer(0, 0, b"".join(found))


def _variable(named: bytes, value: bytes) -> bytes:
    """Encode a variable from its encoded name and value: the hot end of every answer."""
    length = len(named) + len(value)
    if length < 0x80:
        return _HEADS[length] + named + value
    return ber.encode(ber.SEQUENCE, named + value)
