"""SNMP: what a slow, a silent and a lying device do to the polls of their neighbours.

Polls of 100 honest devices (480 varbinds each), five at a time, alone and beside 30 bad ones that are polled all the
while: 10 that answer each request just before its timeout, 10 that never answer, 10 whose answers are cut off or go
back in their MIB. In turns, in one run; the figures are the honest ones' wall time for a whole round (median, mean of
the best fifth), this process's CPU time in it, and how many packets were sent.

usage: benchmarks/snmp_neighbours.py [--rounds N] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.snmp import COLUMNS, address, free_port, own_cpu, running
from haidang import logs
from probes.snmp import Access, Session, SnmpEngine, SnmpError, ber, message, oid, walk_table
from probes.snmp.message import RESPONSE

DEVICES, PARALLEL = 100, 5
BAD, FIRST_PORT, KINDS = 30, 20_161, ("slow", "silent", "lying")
TIMEOUT_S = 2.0
ROOTS = [oid.encode(column) for column in COLUMNS]


class Bad(asyncio.DatagramProtocol):
    """A bad device: ``slow``, ``silent`` or ``lying``."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer late, never, or wrongly."""
        self.asked += 1
        if self.kind == "silent":
            return
        version, pos, end = message.open_message(data)
        community, pos = ber.read_octets(data, pos, end)
        asked = message.read_head(data, pos, end).pdu(data)
        varbinds: list[ber.VarBind] = [
            (name + bytes((1 + self.asked % 2,)), ber.INTEGER, 5) for name, _, _ in asked.varbinds
        ]
        pdu = message.encode_pdu(RESPONSE, asked.request_id, 0, 0, varbinds)
        answer = message.community_message(version, community, pdu)
        if self.kind == "slow":
            asyncio.get_running_loop().call_later(TIMEOUT_S * 0.95, self._transport.sendto, answer, addr)
        else:
            self._transport.sendto(answer[: -self.asked % 3 * 5 or None], addr)


async def serve(first: int) -> None:
    """Be the bad devices, on 30 ports from one on, until ended."""
    loop = asyncio.get_running_loop()
    for number in range(BAD):
        kind = KINDS[number % len(KINDS)]
        await loop.create_datagram_endpoint(partial(Bad, kind), local_addr=("127.8.0.1", first + number))
    print("ready", flush=True)
    await asyncio.Event().wait()


async def bother(session: Session) -> None:
    """Poll a bad device again and again."""
    while True:
        with suppress(SnmpError):
            await walk_table(session, ROOTS, deadline=asyncio.get_running_loop().time() + 30)
        await asyncio.sleep(0.5)


async def round_of(engine: SnmpEngine, port: int) -> tuple[float, float, int]:
    """Poll the honest devices once; returns wall and CPU seconds, and the packets sent meanwhile."""
    sessions = iter([Session(engine, address(number), Access(port=port)) for number in range(DEVICES)])

    async def work(queue: Iterator[Session]) -> None:
        for session in queue:
            if any(column.fault for column in await walk_table(session, ROOTS)):
                raise RuntimeError("an honest device was not read whole")

    began, cpu, sent = time.perf_counter(), own_cpu(), engine.counters.sent
    await asyncio.gather(*(work(sessions) for _ in range(PARALLEL)))
    return time.perf_counter() - began, own_cpu() - cpu, engine.counters.sent - sent


async def measure(rounds: int) -> dict[str, float]:
    """Run honest rounds alone and beside bad devices, in turns."""
    engine, port = SnmpEngine(), free_port(socket.SOCK_DGRAM)
    alone, beside = [], []
    farm = str(Path(__file__).with_name("snmp_farm.py"))
    with (
        running(sys.executable, farm, str(port), ready="ready", PYTHONPATH=sys.path[0]),
        # Bad devices are machines of their own: what they compute must not be taken from the honest ones' processor.
        running("nice", "-n", "19", sys.executable, "-P", __file__, "--serve", str(FIRST_PORT), ready="ready"),
    ):
        await round_of(engine, port)
        for _ in range(rounds):
            alone.append(await round_of(engine, port))
            access = [Access(port=FIRST_PORT + number, timeout_s=TIMEOUT_S, tries=2) for number in range(BAD)]
            tasks = [asyncio.create_task(bother(Session(engine, "127.8.0.1", one))) for one in access]
            await asyncio.sleep(2.5)
            beside.append(await round_of(engine, port))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    engine.close()
    figures = {}
    for number, name in enumerate(("wall_s", "cpu_s", "sent")):
        for phase, rows in (("alone", alone), ("beside", beside)):
            figures[f"{phase}_{name}"] = float(statistics.median(row[number] for row in rows))
        figures[f"ratio_{name}"] = figures[f"beside_{name}"] / figures[f"alone_{name}"]
    # On a machine with other work the median of wall times is the scheduler's; the best rounds are the engine's.
    for phase, rows in (("alone", alone), ("beside", beside)):
        figures[f"{phase}_best_wall_s"] = statistics.mean(sorted(row[0] for row in rows)[: max(1, rounds // 5)])
    figures["ratio_best_wall_s"] = figures["beside_best_wall_s"] / figures["alone_best_wall_s"]
    return figures


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--json", action="store_true")
    options.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.serve:
        asyncio.run(serve(chosen.serve))
    logs.configure("json", "warning")  # each malformed answer is a debug line
    figures = asyncio.run(measure(chosen.rounds))
    if chosen.json:
        print(json.dumps(figures))
        return
    for name, figure in figures.items():
        print(f"{name:16} {figure:10,.3f}")


if __name__ == "__main__":
    main()
