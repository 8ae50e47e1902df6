"""Notifications, the side that receives: traps and informs of v1, v2c and v3 taken apart, informs acknowledged.

RFC 1157 §4.1.6 (v1 traps), RFC 3416 §4.2.6–7, RFC 3584 §3.1 (v1 seen as v2), RFC 3414 (whose engine vouches: a trap's
sender, but an inform's receiver). No sockets and no clock in here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from probes.snmp import ber, message, oid, usm
from probes.snmp.authority import Authority, Engine
from probes.snmp.ber import VarBind
from probes.snmp.errors import BerError, Unproven
from probes.snmp.keys import KeyRing, User
from probes.snmp.message import RESPONSE, V1, V2C, V3

TRAP_V1, INFORM, TRAP_V2 = 0xA4, 0xA6, 0xA7
_SYS_UP_TIME = oid.encode("1.3.6.1.2.1.1.3.0")
_TRAP_OID = oid.encode("1.3.6.1.6.3.1.1.4.1.0")
_STANDARD_TRAPS = oid.encode("1.3.6.1.6.3.1.1.5")
_ENTERPRISE_SPECIFIC = 6
_MOST_ENGINES = 4_096


class Notification(NamedTuple):
    """What a device told.

    Parameters:
        name: snmpTrapOID, content bytes; a v1 trap's is made of its parts.
        uptime_ticks: sysUpTime, 1/100 s; ``None`` when it was not given.
        varbinds: the variables without those two.
        inform: it waits for a receipt.
        user: the v3 user that it is proven to come from; empty when anybody could have sent it.
    """

    name: bytes
    uptime_ticks: int | None
    varbinds: list[VarBind]
    inform: bool
    user: str = ""


class Notifications:
    """Takes notifications apart.

    Parameters:
        engine_id: ours; senders of v3 informs ask for it.
        users: of v3. A user with authentication is only heard at its full level.
        engine: tells our engine's boots and time, for informs.
    """

    def __init__(self, engine_id: bytes, users: Iterable[User], engine: Callable[[], tuple[int, int]]) -> None:
        self._keys = KeyRing()
        self._users = {user.name.encode(): user for user in users}
        self._authority = Authority(engine_id, self._users.values(), self._keys, any_context=True)
        self._engine = engine
        self._senders: OrderedDict[tuple[bytes, bytes], usm.Security] = OrderedDict()

    def take(self, data: bytes) -> tuple[Notification | None, bytes]:
        """Take a datagram.

        Returns:
            what was told, ``None`` for a question about our engine; and what is to be sent back, empty for nothing.

        Raises:
            BerError: no notification, or not well-formed.
            Unproven: of v3, and not to be believed.
        """
        version, pos, end = message.open_message(data)
        if version == V3:
            return self._take_v3(data, pos, end)
        if version not in (V1, V2C):
            raise BerError(f"version {version}")
        community, pos = ber.read_octets(data, pos, end)
        if version == V1:
            return _read_v1(data, pos, end), b""
        head = message.read_head(data, pos, end)
        found = _read_v2(head.tag, head.pdu(data).varbinds)
        return found, message.community_message(V2C, community, _receipt(data, head)) if found.inform else b""

    def _take_v3(self, data: bytes, pos: int, end: int) -> tuple[Notification | None, bytes]:
        header = usm.read_header(data, pos, end)
        parameters = usm.read_parameters(data, header)
        if header.flags & usm.REPORTABLE or parameters.engine_id == self._authority.engine_id:
            return self._take_inform(data, pos, end)
        user = self._users.get(parameters.user)
        if user is None:
            raise Unproven("unknown user")
        at = (parameters.engine_id, parameters.user)
        security = self._senders.get(at)
        known = security is not None
        if security is None:
            security = usm.Security(user, self._keys)
            security.adopt(usm.Claims(parameters.engine_id, parameters.boots, parameters.time, authentic=False))
        opened = security.open(data, header, TRAP_V2)
        if opened is None or opened[0].tag != TRAP_V2:
            raise Unproven("wrong key or level, or an old message")
        if known:
            self._senders.move_to_end(at)
        elif user.auth:  # only who proved a key gets a place: engine IDs cost a forger nothing
            self._senders[at] = security
            if len(self._senders) > _MOST_ENGINES:
                self._senders.popitem(last=False)
        found = _read_v2(TRAP_V2, opened[0].varbinds)
        return found._replace(user=user.name if user.auth else ""), b""

    def _take_inform(self, data: bytes, pos: int, end: int) -> tuple[Notification | None, bytes]:
        boots, seconds = self._engine()
        engine = Engine(self._authority.engine_id, boots, seconds)
        question = self._authority.open(data, pos, end, engine)
        if isinstance(question, bytes):
            return None, question
        keys = question.keys
        if question.flags != keys.level:
            raise Unproven("a lower level than the user's")
        head = message.read_head(question.plain, question.start, question.end)
        if head.tag != INFORM:
            raise BerError(f"a PDU {head.tag:#04x} where an inform belongs")
        found = _read_v2(INFORM, head.pdu(question.plain).varbinds)
        receipt = _receipt(question.plain, head)
        reply = self._authority.seal(
            question.message_id, question.flags, keys, receipt, engine,
            context_engine=question.context_engine, context=question.context,
        )  # fmt: skip
        return found._replace(user=keys.name.decode() if keys.level else ""), reply


def _read_v1(data: bytes, pos: int, end: int) -> Notification:
    """Read a Trap-PDU, its name made as RFC 3584 §3.1 says."""
    pos, end = ber.read(data, pos, end, TRAP_V1)
    start, pos = ber.read(data, pos, end, ber.OBJECT_ID)
    enterprise = data[start:pos]
    oid.check(enterprise)
    _, pos = ber.read(data, pos, end, ber.IP_ADDRESS)
    generic, pos = ber.read_integer(data, pos, end)
    specific, pos = ber.read_integer(data, pos, end)
    start, pos = ber.read(data, pos, end, ber.TIME_TICKS)
    ticks = int.from_bytes(data[start:pos][-4:], "big")
    start, stop = ber.read(data, pos, end, ber.SEQUENCE)
    if 0 <= generic < _ENTERPRISE_SPECIFIC:
        name = _STANDARD_TRAPS + bytes((generic + 1,))
    elif 0 <= specific <= 0x7FFFFFFF:
        name = enterprise + b"\x00" + oid.sub_identifier(specific)
    else:
        raise BerError("a specific-trap number out of range")
    return Notification(name, ticks, ber.parse_varbinds(data, start, stop), inform=False)


def _read_v2(tag: int, varbinds: list[VarBind]) -> Notification:
    """Read the variables of an SNMPv2-Trap or an inform; where the two that must be first stand does not matter."""
    if tag not in (TRAP_V2, INFORM):
        raise BerError(f"a PDU {tag:#04x} where a notification belongs")
    name, ticks, others = b"", None, []
    for varbind in varbinds:
        at, kind, value = varbind
        if at == _TRAP_OID and kind == ber.OBJECT_ID and isinstance(value, bytes) and not name:
            name = value
        elif at == _SYS_UP_TIME and isinstance(value, int) and ticks is None:
            ticks = value
        else:
            others.append(varbind)
    if not name:
        raise BerError("a notification without its name (snmpTrapOID)")
    return Notification(name, ticks, others, inform=tag == INFORM)


def _receipt(data: bytes, head: message.Head) -> bytes:
    """Acknowledge an inform: the same variables back (RFC 3416 §4.2.7)."""
    numbers = ber.encode_integer(head.request_id) + b"\x02\x01\x00" * 2
    return ber.encode(RESPONSE, numbers + ber.encode(ber.SEQUENCE, data[head.start : head.end]))
