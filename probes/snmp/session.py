"""A session with one agent: GET, GETNEXT and GETBULK in v1, v2c or v3, each inside one deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from probes.snmp import ber, message
from probes.snmp.ber import VarBind
from probes.snmp.engine import SnmpEngine
from probes.snmp.errors import NO_SUCH_NAME, TOO_BIG, NoAnswer, Refused, Reported, SnmpError
from probes.snmp.keys import User
from probes.snmp.message import GET, GET_BULK, GET_NEXT, REPORT, V1, V2C, V3, Pdu
from probes.snmp.repetitions import Repetitions
from probes.snmp.requests import Reply
from probes.snmp.usm import NOT_IN_TIME, UNKNOWN_ENGINE, Claims, Security, report_reason

Question = tuple[int, int, int, tuple[bytes, ...]]
"""PDU tag, non-repeaters and max-repetitions (0 unless GETBULK), names."""

PER_REQUEST = 40  # variables in one GET: fits every agent's datagram
_MOST_ROUNDS = 6  # messages of one v3 request: discovery, resynchronisation, both again after a restart, and the answer


@dataclass(frozen=True, slots=True)
class Access:
    """How an agent is asked.

    Parameters:
        community: for v1 and v2c.
        user: for v3; when given, the version is 3.
        version: ``1`` or ``2c``, else.
        port: UDP port.
        timeout_s: how long a request may take in all.
        tries: packets sent in that time at most.

    Raises:
        ValueError: a number out of range.
    """

    community: str = field(default="public", repr=False)
    user: User | None = None
    version: str = "2c"
    port: int = 161
    timeout_s: float = 6.0
    tries: int = 3

    def __post_init__(self) -> None:
        if self.user is None and self.version not in ("1", "2c"):
            raise ValueError(f"SNMP version {self.version!r} needs a user; without one it is 1 or 2c")
        if not (0 < self.timeout_s <= 600 and 1 <= self.tries <= 20 and 1 <= self.port <= 65_535):
            raise ValueError("timeout must be up to 600 s, tries 1 to 20, port 1 to 65535")
        if len(self.community.encode()) > 255:
            raise ValueError("a community has at most 255 bytes")


class Session:
    """Speaks with one agent and remembers what it learned about it.

    Parameters:
        engine: sends and receives.
        address: numeric IPv4 or IPv6 address.
        access: how to ask.

    Raises:
        ValueError: not a numeric address.
        OSError: this machine has no such address family.
    """

    def __init__(self, engine: SnmpEngine, address: str, access: Access) -> None:
        self.engine = engine
        self.access = access
        self.peer = engine.peer(address, access.port)
        self.repetitions = Repetitions()
        self.version = V3 if access.user else V1 if access.version == "1" else V2C
        self.security = Security(access.user, engine.keys) if access.user else None
        self.resyncs = 0
        self.heard = False  # it answered last time: if it is silent now, the question may be too large
        self.proven = False  # it has answered with these secrets: they are not to blame for silence
        self._community = access.community.encode()
        self._discovering = asyncio.Lock()

    def explain(self, error: SnmpError) -> str:
        """Put an error into words, with what cannot be told from it."""
        if not isinstance(error, NoAnswer) or not error.silent or self.proven:
            return str(error)
        if self.security is None:
            return f"{error}; a wrong community looks the same"
        user = self.security.user
        if self.security.engine_id and (user.priv or user.context):
            return f"{error}; a wrong privacy password or context looks the same"
        return str(error)

    async def get(self, names: Sequence[bytes], *, deadline: float = float("inf")) -> list[VarBind]:
        """Read variables; those the agent does not have come back as noSuchObject or noSuchInstance, in order.

        Parameters:
            names: OIDs as content bytes, any number; asked in portions, halved where the agent finds them too big.
            deadline: time of the event loop at which to give up.

        Raises:
            SnmpError: see `probes.snmp.errors`.
        """
        found: list[VarBind] = []
        for start in range(0, len(names), PER_REQUEST):
            found += await self._get_portion(tuple(names[start : start + PER_REQUEST]), deadline)
        return found

    async def _get_portion(self, names: tuple[bytes, ...], deadline: float) -> list[VarBind]:
        try:
            found = (await self._ask(GET, 0, 0, names, deadline)).varbinds
        except Refused as refusal:
            if refusal.status == TOO_BIG and len(names) > 1:
                half = len(names) // 2
                first = await self._get_portion(names[:half], deadline)
                return first + await self._get_portion(names[half:], deadline)
            missing = refusal.index - 1
            if refusal.status != NO_SUCH_NAME or not 0 <= missing < len(names):
                raise
            # v1 refuses the whole request for one missing variable (RFC 1157 §4.1.2): ask for the others
            others = names[:missing] + names[missing + 1 :]
            found = await self._get_portion(others, deadline) if others else []
            found.insert(missing, (names[missing], ber.NO_SUCH_OBJECT, None))
            return found
        if [name for name, _, _ in found] == list(names):
            return found
        # cut short without tooBig, or other variables than asked for: ask again for what is missing
        given = {name: (name, tag, value) for name, tag, value in found}
        absent = tuple(name for name in names if name not in given)
        if absent and len(absent) < len(names):
            given.update((varbind[0], varbind) for varbind in await self._get_portion(absent, deadline))
        return [given.get(name, (name, ber.NO_SUCH_INSTANCE, None)) for name in names]

    async def get_next(self, names: Sequence[bytes], *, deadline: float = float("inf")) -> list[VarBind]:
        """Read what follows each name.

        Raises:
            SnmpError: see `probes.snmp.errors`; v1 agents refuse with noSuchName at the end of their MIB.
        """
        return (await self._ask(GET_NEXT, 0, 0, tuple(names), deadline)).varbinds

    async def get_bulk(
        self, names: Sequence[bytes], repetitions: int, *, non_repeaters: int = 0, deadline: float = float("inf"),
        timeout_s: float | None = None, tries: int | None = None,
    ) -> list[VarBind]:  # fmt: skip
        """Read the next rows after each name; in v1, which has no GETBULK, one row.

        Raises:
            SnmpError: see `probes.snmp.errors`.
        """
        if self.version == V1:
            return (await self._ask(GET_NEXT, 0, 0, tuple(names), deadline, timeout_s, tries)).varbinds
        return (
            await self._ask(GET_BULK, non_repeaters, repetitions, tuple(names), deadline, timeout_s, tries)
        ).varbinds

    async def _ask(
        self, tag: int, first: int, second: int, names: tuple[bytes, ...], deadline: float,
        timeout_s: float | None = None, tries: int | None = None,
    ) -> Pdu:  # fmt: skip
        timeout_s = timeout_s or self.access.timeout_s
        tries = tries or self.access.tries
        question = (tag, first, second, names)
        try:
            if self.security is None:
                pdu = await self._ask_plainly(question, deadline, timeout_s, tries)
            else:
                pdu = await self._ask_securely(self.security, question, deadline, timeout_s, tries)
        except NoAnswer:
            self.heard = False
            raise
        self.heard = self.proven = True
        if pdu.error_status:
            raise Refused(pdu.error_status, pdu.error_index)
        return pdu

    async def _ask_plainly(self, question: Question, deadline: float, timeout_s: float, tries: int) -> Pdu:
        number = self.engine.new_id()
        tag, first, second, names = question
        packet = message.community_message(
            self.version, self._community, self.engine.bodies.pdu(tag, number, first, second, names)
        )
        pdu, _ = await self.engine.exchange(
            self.peer, number, self.version, packet, timeout_s=timeout_s, tries=tries, deadline=deadline
        )
        return pdu

    async def _ask_securely(
        self, security: Security, question: Question, deadline: float, timeout_s: float, tries: int
    ) -> Pdu:
        """Ask in v3: find the engine, follow its clock or its change, all before one deadline (RFC 3414 §4, §3.2)."""
        engine = self.engine
        loop = asyncio.get_running_loop()
        began = loop.time()
        reported: Reported | None = None
        repairs = {NOT_IN_TIME: 2, UNKNOWN_ENGINE: 2}
        for _ in range(_MOST_ROUNDS):
            left = timeout_s - (loop.time() - began)
            if left <= 0:
                break
            if not security.engine_id:
                await self._discover(security, deadline, left, tries)
                continue
            number = engine.new_id()
            tag, first, second, names = question
            packet = security.seal(number, engine.bodies.pdu(tag, number, first, second, names))
            pdu, claims = await self._exchange(security, number, packet, deadline, left, tries)
            if pdu.tag != REPORT:
                return pdu
            name = pdu.varbinds[0][0]
            reported = Reported(f"{self.peer} refuses: {report_reason(name, security.user)}")
            if not repairs.get(name):
                raise reported
            repairs[name] -= 1
            self.resyncs += 1
            if name == NOT_IN_TIME:
                security.set_time(claims)
            elif claims.engine_id != security.engine_id and claims.engine_id:
                security.adopt(claims)
            else:
                security.engine_id = b""
        raise reported or NoAnswer(f"no answer from {self.peer} within {timeout_s:.1f} s", 1)

    async def _discover(self, security: Security, deadline: float, left: float, tries: int) -> None:
        """Learn the engine's identity; requests that start together discover once."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with self._discovering:
            if security.engine_id:
                return
            number = self.engine.new_id()
            packet = security.discovery(number, self.engine.bodies.pdu(GET, number, 0, 0, ()))
            left = max(0.1, left - (loop.time() - began))
            pdu, claims = await self._exchange(security, number, packet, deadline, left, tries)
            name = pdu.varbinds[0][0] if pdu.tag == REPORT else b""
            if not name or not claims.engine_id:  # whatever is reported, some agents have their own idea of it
                words = report_reason(name, security.user) if name else "it answers the discovery with data"
                raise Reported(f"{self.peer} refuses: {words}")
            security.adopt(claims)

    async def _exchange(
        self, security: Security, number: int, packet: bytes, deadline: float, timeout_s: float, tries: int
    ) -> tuple[Pdu, Claims]:
        reply: Reply = await self.engine.exchange(
            self.peer, number, V3, packet, timeout_s=timeout_s, tries=tries, deadline=deadline, opener=security.open
        )
        pdu, claims = reply
        assert claims is not None  # noqa: S101 Security.open always gives them
        return pdu, claims
