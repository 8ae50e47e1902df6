"""SNMP: CPU time per varbind of our engine beside prometheus-snmp-exporter and snmpbulkwalk, in one run, on loopback.

500 devices, each GET sysUpTime and 10 columns x 48 interfaces (481 varbinds), in v2c and in v3 authPriv (SHA-256,
AES-128). The figure is the CPU time (user + system) of the process that asks; the farm of agents and whoever scrapes
the exporter are processes of their own. "first" has new sessions: every engine is discovered and every key derived.
snmpbulkwalk walks ifXTable, one process for each device, its start included; it cannot do otherwise.

usage: benchmarks/snmp.py [--rounds N] [--devices N] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.snmp_farm import PORTS, USER
from probes.snmp import Access, Session, SnmpEngine, User, mib, oid, walk_table

IN_PARALLEL = 50
COLUMNS = [
    *(f"1.3.6.1.2.1.2.2.1.{column}" for column in (7, 8, 13, 14, 19, 20)),
    *(f"1.3.6.1.2.1.31.1.1.1.{column}" for column in (1, 6, 10, 15)),
]
VARBINDS = 1 + len(COLUMNS) * PORTS
LEVELS = {"v2c": None, "v3": USER}


def address(number: int) -> str:
    """Name the device: one of 127.1.0.0/16."""
    return f"127.1.{number // 250}.{1 + number % 250}"


def free_port(kind: socket.SocketKind) -> int:
    """Find a free port of loopback."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def running(*command: str, ready: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program while it is needed; ``ready`` is in the line that it prints first."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **more}
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if ready in line:
                break
        else:
            raise RuntimeError(f"{command[0]} did not start")
        yield process
    finally:
        process.terminate()
        process.wait()


def own_cpu(who: int = resource.RUSAGE_SELF) -> float:
    """Tell the CPU seconds used so far."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def cpu_of(pid: int) -> float:
    """Tell the CPU seconds of another process (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def ours(port: int, user: User | None, devices: int) -> dict[str, float]:
    """Poll all devices twice with our engine; microseconds of CPU per varbind."""
    engine = SnmpEngine()
    access = Access(port=port, user=user)
    roots = [oid.encode(column) for column in COLUMNS]
    sessions = [Session(engine, address(number), access) for number in range(devices)]
    figures = {}

    async def work(queue: Iterator[Session]) -> int:
        read = 0
        for session in queue:
            read += len(await session.get([mib.SYS_UP_TIME]))
            for column in await walk_table(session, roots):
                if column.fault:
                    raise RuntimeError(column.fault)
                read += len(column.rows)
        return read

    for cycle in ("first", "next"):
        queue = iter(sessions)
        began = own_cpu()
        read = sum(await asyncio.gather(*(work(queue) for _ in range(IN_PARALLEL))))
        cost = own_cpu() - began
        if read != devices * VARBINDS:
            raise RuntimeError(f"read {read} varbinds of {devices * VARBINDS}")
        figures[cycle] = cost / read * 1e6
    engine.close()
    return figures


def exporter_config() -> str:
    """Write the exporter's module, by hand: the same columns for both versions."""
    kinds = {"1.3.6.1.2.1.31.1.1.1.1": "DisplayString"}
    metrics = [
        {
            "name": "m" + column.replace(".", "_"), "oid": column, "type": kinds.get(column, "counter"), "help": "-",
            "indexes": [{"labelname": "ifIndex", "type": "gauge"}],
        }
        for column in COLUMNS
    ]  # fmt: skip
    metrics.append({"name": "sysUpTime", "oid": "1.3.6.1.2.1.1.3", "type": "gauge", "help": "-"})
    common = {"walk": COLUMNS, "get": ["1.3.6.1.2.1.1.3.0"], "metrics": metrics, "max_repetitions": 25}
    secrets = {
        "security_level": "authPriv", "username": USER.name, "password": USER.auth_password, "auth_protocol": "SHA256",
        "priv_protocol": "AES", "priv_password": USER.priv_password,
    }  # fmt: skip
    modules = {
        "v2c": {**common, "version": 2, "auth": {"community": "public"}},
        "v3": {**common, "version": 3, "auth": secrets},
    }
    return json.dumps(modules)  # JSON is YAML


def scrape(web: int, port: int, level: str, devices: int, pid: int) -> float:
    """Let the exporter poll all devices, 32 at once; microseconds of its CPU per varbind."""

    def one(number: int) -> int:
        url = f"http://127.0.0.1:{web}/snmp?module={level}&target={address(number)}:{port}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return sum(not line.startswith(b"#") and b"scrape" not in line for line in answer)

    began = cpu_of(pid)
    with ThreadPoolExecutor(32) as pool:
        read = sum(pool.map(one, range(devices)))
    if read != devices * VARBINDS:
        raise RuntimeError(f"the exporter gave {read} values of {devices * VARBINDS}")
    return (cpu_of(pid) - began) / read * 1e6


def bulkwalk(port: int, level: str, devices: int) -> float:
    """Walk ifXTable with snmpbulkwalk; microseconds of CPU per varbind."""
    who = {
        "v2c": ["-v2c", "-c", "public"],
        "v3": [
            "-v3", "-u", USER.name, "-l", "authPriv", "-a", "SHA-256", "-A", USER.auth_password, "-x", "AES",
            "-X", USER.priv_password,
        ],
    }[level]  # fmt: skip
    began = own_cpu(resource.RUSAGE_CHILDREN)
    read = 0
    for number in range(devices):
        printed = subprocess.run(
            ["snmpbulkwalk", *who, "-m", "", "-OnQ", "-Cr25", f"{address(number)}:{port}", "1.3.6.1.2.1.31.1.1.1"],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        read += printed.count("\n")
    return (own_cpu(resource.RUSAGE_CHILDREN) - began) / read * 1e6


def measure(rounds: int, devices: int) -> dict[str, list[float]]:
    """Run everything side by side, round by round."""
    port, web = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "snmp.yml"
        config.write_text(exporter_config())
        farm = str(Path(__file__).with_name("snmp_farm.py"))
        root = str(Path(__file__).resolve().parent.parent)
        exporter = ("prometheus-snmp-exporter", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{web}")
        with (
            running(sys.executable, farm, str(port), ready="ready", PYTHONPATH=root),
            running(*exporter, "--log.level=info", ready="istening") as peer,
        ):
            for _ in range(rounds):
                for level, user in LEVELS.items():
                    for cycle, cost in asyncio.run(ours(port, user, devices)).items():
                        figures.setdefault(f"haidang {level} {cycle}", []).append(cost)
                    cost = scrape(web, port, level, devices, peer.pid)
                    figures.setdefault(f"exporter {level}", []).append(cost)
                    cost = bulkwalk(port, level, max(1, devices // 10))
                    figures.setdefault(f"snmpbulkwalk {level}", []).append(cost)
    return figures


def main() -> None:
    """Measure and print medians and ratios."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--devices", type=int, default=500)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    for program, package in (("prometheus-snmp-exporter", "prometheus-snmp-exporter"), ("snmpbulkwalk", "snmp")):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed: apt-get install {package}")
    figures = measure(chosen.rounds, chosen.devices)
    medians = {name: statistics.median(values) for name, values in figures.items()}
    ratios = {
        f"{peer} / haidang {level} {cycle}": medians[f"{peer} {level}"] / medians[f"haidang {level} {cycle}"]
        for level in LEVELS
        for peer in ("exporter", "snmpbulkwalk")
        for cycle in ("first", "next")
    }
    if chosen.json:
        print(json.dumps({"us_cpu_per_varbind": medians, "rounds": figures, "ratios": ratios}))
        return
    print(f"{chosen.devices} devices x {VARBINDS} varbinds, median of {chosen.rounds} rounds, us of CPU per varbind:")
    for name, value in sorted(medians.items()):
        print(f"  {name:22} {value:7.2f}   ({min(figures[name]):.2f} to {max(figures[name]):.2f})")
    for name, value in ratios.items():
        print(f"  {name:34} {value:6.1f} x")


if __name__ == "__main__":
    main()
