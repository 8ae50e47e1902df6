"""An SNMP agent (v1, v2c) on the test's own event loop, as honest or as hostile as a test wants it."""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from probes.snmp import ber, message, oid
from probes.snmp.ber import Value, VarBind
from probes.snmp.message import GET, GET_BULK, RESPONSE, V1, Pdu

Mib = Mapping[str, tuple[int, Value]]
Misbehaviour = Callable[["Agent", Pdu, bytes], Sequence[bytes]]
"""Gets the question and the honest answer, returns what is sent instead."""

LARGEST_ANSWER = 1_400
TOO_BIG = 1
NO_SUCH_NAME = 2


class Agent(asyncio.DatagramProtocol):
    """Serves a MIB.

    Parameters:
        mib: OID as text → tag and value.
        community: any other gets no answer, as from real devices.
        misbehave: changes what is sent.
        too_big_over: answers with more variables are refused with tooBig.
    """

    def __init__(
        self, mib: Mib, *, community: str = "public", misbehave: Misbehaviour | None = None, too_big_over: int = 10_000
    ) -> None:
        rows = sorted((oid.numbers(oid.encode(name)), oid.encode(name), *value) for name, value in mib.items())
        self.keys = [row[0] for row in rows]
        self.rows: list[VarBind] = [(row[1], row[2], row[3]) for row in rows]
        self.community = community.encode()
        self.misbehave = misbehave
        self.too_big_over = too_big_over
        self.asked: list[Pdu] = []
        self._heard = asyncio.Event()
        self.port = 0
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        version, pos, end = message.open_message(data)
        community, pos = ber.read_octets(data, pos, end)
        if community != self.community:
            return
        asked = message.read_head(data, pos, end).pdu(data)
        self.asked.append(asked)
        self._heard.set()
        status, index, varbinds = self.answer(asked, version)
        pdu = message.encode_pdu(RESPONSE, asked.request_id, status, index, varbinds)
        honest = message.community_message(version, community, pdu)
        for packet in self.misbehave(self, asked, honest) if self.misbehave else (honest,):
            self.send(packet, addr)

    def send(self, packet: bytes, addr: tuple[str, int]) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.sendto(packet, addr)

    async def until_asked(self, times: int) -> None:
        """Wait until so many questions came."""
        while len(self.asked) < times:
            self._heard.clear()
            await asyncio.wait_for(self._heard.wait(), 5)

    def answer(self, asked: Pdu, version: int) -> tuple[int, int, list[VarBind]]:
        """Give error-status, error-index and variables (RFC 3416 §4.2)."""
        if asked.tag == GET:
            found = [self._get(name) for name, _, _ in asked.varbinds]
        elif asked.tag == GET_BULK:
            found = self._bulk(asked)
        else:
            found = [self._next(name) for name, _, _ in asked.varbinds]
        if len(found) > self.too_big_over:
            return TOO_BIG, 0, []
        if version == V1:
            for index, (_, tag, _) in enumerate(found, 1):
                if tag >= 0x80:
                    return NO_SUCH_NAME, index, list(asked.varbinds)
        return 0, 0, found

    def _get(self, name: bytes) -> VarBind:
        at = bisect.bisect_left(self.keys, oid.numbers(name))
        if at < len(self.rows) and self.rows[at][0] == name:
            return self.rows[at]
        return name, ber.NO_SUCH_INSTANCE, None

    def _next(self, name: bytes) -> VarBind:
        at = bisect.bisect_right(self.keys, oid.numbers(name))
        return self.rows[at] if at < len(self.rows) else (name, ber.END_OF_MIB_VIEW, None)

    def _bulk(self, asked: Pdu) -> list[VarBind]:
        once, repetitions = asked.error_status, asked.error_index
        found = [self._next(name) for name, _, _ in asked.varbinds[:once]]
        names = [name for name, _, _ in asked.varbinds[once:]]
        size = 0
        for _ in range(repetitions):
            row = [self._next(name) for name in names]
            for varbind in row:
                size += len(ber.encode_varbinds([varbind]))
                if size > LARGEST_ANSWER and found:
                    return found
                found.append(varbind)
            names = [name for name, _, _ in row]
        return found


@asynccontextmanager
async def serving(agent: Agent, address: str = "127.0.0.1") -> AsyncIterator[Agent]:
    """Let an agent answer on a free port."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: agent, local_addr=(address, 0))
    try:
        yield agent
    finally:
        transport.close()


def recording(path: Path) -> dict[str, tuple[int, Value]]:
    """Read an ``.snmprec`` file: ``OID|tag|value`` a line, ``x`` after the tag for hexadecimal."""
    mib: dict[str, tuple[int, Value]] = {}
    for line in path.read_bytes().decode("utf-8", "surrogateescape").split("\n"):
        name, _, rest = line.rstrip("\r").partition("|")
        kind, _, text = rest.partition("|")
        if not kind:
            continue
        tag = int(kind.rstrip("x"))
        raw = bytes.fromhex(text) if kind.endswith("x") else text.encode("utf-8", "surrogateescape")
        mib[name] = (tag, _value(tag, raw, text, packed=kind.endswith("x")))
    return mib


def _value(tag: int, raw: bytes, text: str, *, packed: bool) -> Value:
    if packed or tag in (ber.OCTET_STRING, ber.OPAQUE):
        return raw
    if tag == ber.NULL:
        return None
    if tag == ber.OBJECT_ID:
        return oid.encode(text) if text else b""
    if tag == ber.IP_ADDRESS:
        return bytes(map(int, text.split(".")))
    return int(text)


def interfaces(count: int, *, bits: int = 64, speed_mbps: int = 1_000) -> dict[str, tuple[int, Value]]:
    """Make the MIB of a switch with ``count`` ports, odd ones up."""
    mib: dict[str, tuple[int, Value]] = {
        "1.3.6.1.2.1.1.1.0": (ber.OCTET_STRING, b"switch of the tests"),
        "1.3.6.1.2.1.1.2.0": (ber.OBJECT_ID, oid.encode("1.3.6.1.4.1.99999.1")),
        "1.3.6.1.2.1.1.3.0": (ber.TIME_TICKS, 123_456),
        "1.3.6.1.2.1.1.5.0": (ber.OCTET_STRING, "trạm-1".encode()),
    }
    for index in range(1, count + 1):
        entry, extended = f"1.3.6.1.2.1.2.2.1.{{}}.{index}", f"1.3.6.1.2.1.31.1.1.1.{{}}.{index}"
        mib[entry.format(1)] = (ber.INTEGER, index)
        mib[entry.format(2)] = (ber.OCTET_STRING, b"GigabitEthernet1/0/%d" % index)
        mib[entry.format(5)] = (ber.GAUGE32, min(speed_mbps * 1_000_000, 0xFFFFFFFF))
        mib[entry.format(7)] = (ber.INTEGER, 1)
        mib[entry.format(8)] = (ber.INTEGER, 1 if index % 2 else 2)
        mib[entry.format(10)] = (ber.COUNTER32, index * 1_000)
        mib[entry.format(16)] = (ber.COUNTER32, index * 2_000)
        if bits == 64:
            mib[extended.format(1)] = (ber.OCTET_STRING, b"Gi1/0/%d" % index)
            mib[extended.format(6)] = (ber.COUNTER64, (1 << 40) + index)
            mib[extended.format(10)] = (ber.COUNTER64, (1 << 41) + index)
            mib[extended.format(15)] = (ber.GAUGE32, speed_mbps)
    return mib
