"""The lab's province: what it costs to make one, and what a whole one and the daemon before it need together.

Making: the province's data, its network and devices, its configuration, at one tenth, once and ten times the default
shape, each in a process of its own. Running: the default province in namespaces of its own, its name and mail servers
real, and the real daemon with the province's configuration at its default cadence; CPU time (user + system) and
resident memory of both, once a minute after a warm-up, and what each kind of probe
cost. Nothing is broken meanwhile, so no incident may come.

usage: benchmarks/lab_province.py [--minutes N] [--scale S] [--only-live] [--json]
(as root, or where plain users have namespaces)
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from haidang.clock import SystemClock
from lab.control import listen
from lab.network import Unavailable, inside, isolate
from lab.process import serve
from lab.province import RunningProvince, Shape, generate
from lab.province.configuration import MAIN, write_configuration

WARM_UP_S = 75
HERE = [sys.executable, "-P", __file__]


def make(scale: float, folder: Path) -> dict[str, Any]:
    """Make a province once; gives seconds of wall time and MB of memory."""
    times = [time.perf_counter()]
    province = generate(Shape().scaled(scale))
    times.append(time.perf_counter())
    lab = RunningProvince(province, SystemClock())
    times.append(time.perf_counter())
    alone = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for unit in province.units.values():
        if unit.is_device:
            lab.device(unit.id)
    times.append(time.perf_counter())
    with_devices = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write_configuration(province, folder)
    times.append(time.perf_counter())
    generated, built, devices, written = (round(after - before, 3) for before, after in pairwise(times))
    return {
        "scale": scale, "targets": len(province.units), "generate_s": generated, "network_s": built,
        "rss_mb": round(alone), "all_devices_s": devices, "rss_with_all_devices_mb": round(with_devices),
        "configuration_s": written,
    }  # fmt: skip


def be_a_lab(name: str, scale: float, folder: Path) -> None:
    """Run the lab, with all of its services, until killed."""
    province = generate(Shape().scaled(scale))
    write_configuration(province, folder)
    outside = listen(name)
    serve(name, province, folder, SystemClock(), isolate(), outside, lambda _: print("ready", flush=True))


def spent_s(process: psutil.Process) -> float:
    """Return the processor time of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def live(scale: float, minutes: int, folder: Path) -> dict[str, Any]:
    """Run province and daemon, look once a minute, and end both."""
    words = [*HERE, "--serve", f"bench-{os.getpid()}", "--scale", str(scale), "--folder", str(folder)]
    lab = subprocess.Popen(words, stdout=subprocess.PIPE)
    daemon = None
    try:
        assert lab.stdout is not None
        said = b""
        while b"ready\n" not in said:
            heard = os.read(lab.stdout.fileno(), 65536)
            said += heard
            if not heard:
                raise SystemExit(said.decode())
        command = [sys.executable, "-P", "-m", "haidang"]
        config = ["--config", str(folder / MAIN)]
        daemon = subprocess.Popen(
            inside(lab.pid, [*command, "run", *config], with_parent=True), stderr=(folder / "log").open("wb")
        )
        time.sleep(WARM_UP_S)
        watched = {"lab": psutil.Process(lab.pid), "daemon": psutil.Process(daemon.pid)}
        shares: dict[str, list[float]] = {name: [] for name in watched}
        for _ in range(minutes):
            before, began = {name: spent_s(process) for name, process in watched.items()}, time.monotonic()
            time.sleep(60)
            for name, process in watched.items():
                shares[name].append(100 * (spent_s(process) - before[name]) / (time.monotonic() - began))
        sizes = {name: round(process.memory_info().rss / 2**20) for name, process in watched.items()}
        asked = {}
        for what in ("status", "status --self", "incidents --all"):
            words = inside(lab.pid, [*command, *what.split(), *config, "--json"])
            asked[what] = subprocess.run(words, check=False, capture_output=True, text=True).stdout
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(15)
    finally:
        for process in (daemon, lab):
            if process is not None:
                process.kill()
                process.wait()
        if lab.stdout is not None:
            lab.stdout.close()
    own = json.loads(asked["status --self"])
    return {
        "scale": scale, "minutes": minutes, "rss_mb": sizes,
        "core_percent": {name: round(statistics.median(each), 1) for name, each in shares.items()},
        "worst_minute": {name: round(max(each), 1) for name, each in shares.items()},
        "states": {state: count for state, count in json.loads(asked["status"])["summary"].items() if count},
        "incidents": len(json.loads(asked["incidents --all"])),
        "probes": {
            one["probe"]: {key: one[key] for key in ("checks", "slots", "skipped", "worst_late_ms", "cpu_s")}
            for one in own["probes"]
        },
        "lost_here": own["icmp_dropped"] + own["snmp_dropped"], "cpu_other_s": own["cpu_other_s"],
    }  # fmt: skip


def in_a_line(found: dict[str, Any]) -> str:
    """Say in one line what the daemon had to do and what it cost."""
    probes = found["probes"]
    work = ", ".join(f"{one['checks']} {name}" for name, one in sorted(probes.items(), key=lambda it: -it[1]["checks"]))
    dearest = ", ".join(f"{name} {one['cpu_s']:.1f}" for name, one in list(probes.items())[:4])
    return (
        f"{work}: daemon {found['core_percent']['daemon']} % of one core (worst minute "
        f"{found['worst_minute']['daemon']} %), {found['rss_mb']['daemon']} MB; lab {found['core_percent']['lab']} %, "
        f"{found['rss_mb']['lab']} MB; {sum(one['skipped'] for one in probes.values())} slots left out, "
        f"{found['lost_here']} answers lost here; CPU s: {dearest}, beside probes {found['cpu_other_s']:.1f}; "
        f"states {found['states']}, {found['incidents']} incidents"
    )


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=3, help="0: only make provinces, run none")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only-live", action="store_true", help="make none beside the one that is run")
    parser.add_argument("--json", action="store_true")
    for hidden in ("--serve", "--make", "--folder"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.make:
        print(json.dumps(make(float(words.make), Path(words.folder))))
        return 0
    if words.serve:
        try:
            be_a_lab(words.serve, words.scale, Path(words.folder))
        except Unavailable as error:
            print(error)
        return 3
    result: dict[str, Any] = {"made": []}
    for scale in () if words.only_live else (0.1, 1.0, 10.0):
        with tempfile.TemporaryDirectory() as folder:
            command = [*HERE, "--make", str(scale), "--folder", folder]
            row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        result["made"].append(row)
        if not words.json:
            print(", ".join(f"{key} {value}" for key, value in row.items()))
    if words.minutes:
        with tempfile.TemporaryDirectory() as folder:
            result["live"] = live(words.scale, words.minutes, Path(folder))
        if not words.json:
            print(in_a_line(result["live"]))
    if words.json:
        print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
