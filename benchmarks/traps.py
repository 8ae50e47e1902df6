"""Traps: what one costs the receiver process, beside pysnmp, and what 1,000 a second do to polling.

A sender process sends v2c linkDown traps from 100 addresses of loopback. First to a receiver of pysnmp's, then to ours;
the figure is the CPU time (user + system) of the process that receives. Meanwhile this process polls a farm of agents
(480 varbinds a device), as the daemon does, in turns of quiet and storm: the polls' wall time is compared.

usage: benchmarks/traps.py [--seconds N] [--rounds N] [--rate N] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.snmp import COLUMNS, address, cpu_of, free_port, own_cpu, running
from collectors.receiver import Event, Keeper, Listening, ReceiverSettings
from haidang.clock import SystemClock
from probes.snmp import Access, Session, SnmpEngine, ber, message, mib, oid, walk_table
from probes.snmp.notifications import TRAP_V2

SENDERS = [f"127.9.0.{number}" for number in range(1, 101)]
POLLS_PER_S = 10
TRAP_OID, LINK_DOWN = oid.encode("1.3.6.1.6.3.1.1.4.1.0"), oid.encode("1.3.6.1.6.3.1.1.5.3")
PYSNMP = """
import sys
from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config
from pysnmp.entity.engine import SnmpEngine
from pysnmp.entity.rfc3413 import ntfrcv
engine = SnmpEngine()
transport = udp.UdpAsyncioTransport().open_server_mode(("127.0.0.1", int(sys.argv[1])))
config.add_transport(engine, udp.DOMAIN_NAME, transport)
config.add_v1_system(engine, "area", "public")
ntfrcv.NotificationReceiver(engine, lambda *_: None)
engine.transport_dispatcher.job_started(1)
print("ready", flush=True)
engine.open_dispatcher()
"""


def trap() -> bytes:
    """Make a linkDown trap as switches send it."""
    row = [(oid.encode(f"1.3.6.1.2.1.2.2.1.{column}.7"), ber.INTEGER, 1) for column in (1, 7, 8)]
    varbinds: list[ber.VarBind] = [
        (mib.SYS_UP_TIME, ber.TIME_TICKS, 123_456), (TRAP_OID, ber.OBJECT_ID, LINK_DOWN), *row,
        (oid.encode("1.3.6.1.2.1.2.2.1.2.7"), ber.OCTET_STRING, b"GigabitEthernet1/0/7"),
    ]  # fmt: skip
    return message.community_message(message.V2C, b"public", message.encode_pdu(TRAP_V2, 5, 0, 0, varbinds))


def send(port: int, seconds: float, rate: int) -> int:
    """Send traps in bursts of 10 ms; returns how many."""
    sockets = []
    for source in SENDERS:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((source, 0))
        sockets.append(sock)
    datagram, sent, began = trap(), 0, time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        while sent < passed * rate:
            sockets[sent % len(sockets)].sendto(datagram, ("127.0.0.1", port))
            sent += 1
        time.sleep(0.01)
    return sent


async def sending(port: int, seconds: float, rate: int) -> int:
    """Send in a process of its own; returns how many were sent."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", __file__, "--send", str(port), "--seconds", str(seconds), "--rate", str(rate),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    return int(said)


async def pysnmp(seconds: float, rate: int) -> float:
    """Let pysnmp receive; microseconds of its CPU a trap."""
    port = free_port(socket.SOCK_DGRAM)
    with running(sys.executable, "-c", PYSNMP, str(port), ready="ready") as process:
        before = cpu_of(process.pid)
        sent = await sending(port, seconds, rate)
        await asyncio.sleep(1)
        return (cpu_of(process.pid) - before) / sent * 1e6


async def poll_on(engine: SnmpEngine, port: int, seconds: float) -> list[float]:
    """Poll devices at a steady pace; returns how long each poll took, milliseconds."""
    roots = [oid.encode(column) for column in COLUMNS]
    sessions = [Session(engine, address(number), Access(port=port)) for number in range(100)]

    async def one(session: Session) -> float:
        began = time.perf_counter()
        columns = await walk_table(session, roots)
        assert not any(column.fault for column in columns)
        return (time.perf_counter() - began) * 1e3

    tasks = []
    for number in range(round(seconds * POLLS_PER_S)):
        tasks.append(asyncio.create_task(one(sessions[number % len(sessions)])))
        await asyncio.sleep(1 / POLLS_PER_S)
    return list(await asyncio.gather(*tasks))


async def measure(seconds: float, rounds: int, rate: int) -> dict[str, float]:
    """Run everything; medians over the rounds."""
    port, farm_port = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    taken: list[Event] = []
    figures: dict[str, list[float]] = {}
    figures["pysnmp_us_a_trap"] = [await pysnmp(min(seconds, 5), 200)]
    keeper = Keeper(SystemClock(), taken.append)
    keeper.use(Listening(traps=(("127.0.0.1", port),)), ReceiverSettings(), SENDERS)
    keeping = asyncio.create_task(keeper.run())
    while not keeper.counted:  # noqa: ASYNC110 another process is waited for
        await asyncio.sleep(0.05)
    receiver = keeper.process_id or 0
    engine = SnmpEngine()
    farm = str(Path(__file__).with_name("snmp_farm.py"))
    sent = 0
    with running(sys.executable, farm, str(farm_port), ready="ready", PYTHONPATH=sys.path[0]):
        await poll_on(engine, farm_port, 2)
        for _ in range(rounds):
            ours = own_cpu()
            quiet = await poll_on(engine, farm_port, seconds)
            calm = own_cpu() - ours
            before, ours, began = cpu_of(receiver), own_cpu(), len(taken)
            storm, came = await asyncio.gather(poll_on(engine, farm_port, seconds), sending(port, seconds, rate))
            await asyncio.sleep(1.5)
            sent += came
            figures.setdefault("receiver_us_a_trap", []).append((cpu_of(receiver) - before) / came * 1e6)
            figures.setdefault("daemon_us_a_trap", []).append((own_cpu() - ours - calm) / came * 1e6)
            figures.setdefault("arrived_percent", []).append((len(taken) - began) / came * 100)
            for name, polls in (("quiet", quiet), ("storm", storm)):
                figures.setdefault(f"poll_{name}_median_ms", []).append(statistics.median(polls))
                figures.setdefault(f"poll_{name}_p99_ms", []).append(statistics.quantiles(polls, n=100)[98])
    engine.close()
    keeping.cancel()
    await asyncio.wait([keeping])
    medians = {name: statistics.median(values) for name, values in figures.items()}
    lost = {name: float(keeper.counted.get(name, 0)) for name in ("lost", "limited", "malformed", "strangers")}
    return {**medians, "sent": float(sent), **lost}


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--rate", type=int, default=1_000)
    options.add_argument("--json", action="store_true")
    options.add_argument("--send", type=int, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.send:
        print(send(chosen.send, chosen.seconds, chosen.rate))
        return
    figures = asyncio.run(measure(chosen.seconds, chosen.rounds, chosen.rate))
    if chosen.json:
        print(json.dumps(figures))
        return
    for name, figure in figures.items():
        print(f"{name:24} {figure:12,.2f}")


if __name__ == "__main__":
    main()
