"""The whole daemon at work: probes, health, ledger, embedded store; what it costs in processor time and memory.

2,000 pinged targets at 10 s (5 echoes each, the default), 200 of them polled by SNMP at 60 s with 48 interfaces, in a
network namespace of its own. The agents are a farm in another process (`snmp_farm.py`); its cost is not counted.

usage: benchmarks/daemon.py [--minutes N] [--targets N] [--devices N] [--json]   (as root)
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
PORT = 16100
WARM_UP_S = 75


def write_config(folder: Path, targets: int, devices: int) -> Path:
    """Write the configuration and its inventory."""
    (folder / "community").write_text("public\n", encoding="utf-8")
    (folder / "community").chmod(0o600)
    rows = ["id,address,snmp,snmp.port"]
    for number in range(targets):
        address = f"127.{20 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"
        rows.append(f"t{number:05d},{address}," + (f"farm,{PORT}" if number < devices else ","))
    (folder / "targets.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    config = folder / "haidang.yaml"
    config.write_text(
        "haidang: 1\ndata_dir: ./data\ninventory: [targets.csv]\n"
        "credentials:\n  - {id: farm, version: 2c, community: {file: community}}\n",
        encoding="utf-8",
    )
    return config


def processor_s(process: int) -> float:
    """Return the user and system time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(process: int) -> float:
    """Return the resident memory of a process."""
    return (
        int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    )


def measure(folder: Path, inside: list[str], targets: int, devices: int, minutes: int) -> dict[str, object]:
    """Run farm and daemon, look once a minute, and end both."""
    config = write_config(folder, targets, devices)
    farm = subprocess.Popen([*inside, sys.executable, "-P", str(HERE / "snmp_farm.py"), str(PORT)])
    daemon = subprocess.Popen(
        [*inside, sys.executable, "-P", "-m", "haidang", "run", "--config", str(config)],
        stderr=(folder / "log").open("wb"),
    )
    try:
        time.sleep(WARM_UP_S)
        shares, sizes = [], []
        for _ in range(minutes):
            before, began = processor_s(daemon.pid), time.monotonic()
            time.sleep(60)
            shares.append(100 * (processor_s(daemon.pid) - before) / (time.monotonic() - began))
            sizes.append(resident_mb(daemon.pid))
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(10)
        farm.send_signal(signal.SIGTERM)
        farm.wait(10)
    status = subprocess.run(
        [*inside, sys.executable, "-P", "-m", "haidang", "status", "--config", str(config), "--json"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return {
        "targets": targets, "devices": devices, "minutes": minutes,
        "cpu_percent_of_one_core": round(statistics.median(shares), 1), "cpu_worst_minute": round(max(shares), 1),
        "rss_mb": round(max(sizes)), "states": {k: v for k, v in json.loads(status.stdout)["summary"].items() if v},
        "store_bytes": sum(file.stat().st_size for file in (folder / "data").glob("metrics.db*")),
    }  # fmt: skip


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=5)
    parser.add_argument("--targets", type=int, default=2000)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    if os.geteuid() != 0:
        print("this benchmark makes a network namespace: run it as root", file=sys.stderr)
        return 2
    name = f"hd-bench-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        with tempfile.TemporaryDirectory() as folder:
            found = measure(Path(folder), ["ip", "netns", "exec", name], words.targets, words.devices, words.minutes)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
    if words.json:
        print(json.dumps(found))
    else:
        print(
            f"{found['targets']} targets at 10 s, {found['devices']} SNMP devices at 60 s: "
            f"{found['cpu_percent_of_one_core']} % of one core (worst minute {found['cpu_worst_minute']} %), "
            f"RSS {found['rss_mb']} MB, states {found['states']}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
