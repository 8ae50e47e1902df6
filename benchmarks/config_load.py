"""How long a configuration of 10,000 targets takes to load and check: as YAML in included files, and as one CSV table.

``.venv/bin/python benchmarks/config_load.py [TARGETS]`` prints medians of 5 loads, each in a fresh process.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

RUNS = 5
TARGETS_PER_FILE = 5000
HEAD = """haidang: 1
credentials: [{id: core, version: 2c, community: {env: COMMUNITY}}]
systems: [{id: wan, name: Mạng WAN, objective: 99.9}]
sites:
"""
LOAD = """
import json, resource, sys, time
from pathlib import Path
import config
wall, cpu = time.perf_counter(), time.process_time()
found = config.load(Path(sys.argv[1]))
print(json.dumps({
    "targets": len(found.inventory.targets),
    "wall_s": time.perf_counter() - wall,
    "cpu_s": time.process_time() - cpu,
    "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def sites() -> str:
    return "".join(f"  - {{id: site-{number}, name: Xã số {number}, level: commune}}\n" for number in range(200))


def write_yaml(folder: Path, count: int) -> Path:
    main = folder / "haidang.yaml"
    names = []
    for first in range(0, count, TARGETS_PER_FILE):
        rows = ["targets:\n"]
        for number in range(first, min(first + TARGETS_PER_FILE, count)):
            extra = f"    parents: [cam-{number % 100:05d}]\n" if number >= 100 else ""
            extra += "    snmp: {credential: core}\n" if number % 5 == 0 else ""
            rows += [
                (
                    f"  - id: cam-{number:05d}\n    name: Camera ngã tư số {number}\n"
                    f"    address: {address(number + 1)}\n"
                    f"    site: site-{number % 200}\n    system: wan\n    role: camera\n{extra}"
                )
            ]
        name = f"targets-{first}.yaml"
        (folder / name).write_text("".join(rows), encoding="utf-8")
        names.append(name)
    main.write_text(HEAD + sites() + f"include: [{', '.join(names)}]\n", encoding="utf-8")
    return main


def write_csv(folder: Path, count: int) -> Path:
    main = folder / "haidang.yaml"
    rows = ["id,name,address,site,system,role,parents,snmp\n"]
    for number in range(count):
        parent = f"cam-{number % 100:05d}" if number >= 100 else ""
        access = "core" if number % 5 == 0 else ""
        rows.append(
            f"cam-{number:05d},Camera ngã tư số {number},{address(number + 1)},"
            f"site-{number % 200},wan,camera,{parent},{access}\n"
        )
    (folder / "cameras.csv").write_text("".join(rows), encoding="utf-8")
    main.write_text(HEAD + sites() + "inventory: [cameras.csv]\n", encoding="utf-8")
    return main


def measure(main: Path) -> list[dict[str, float]]:
    command = [sys.executable, "-c", LOAD, str(main)]
    root = Path(__file__).parent.parent
    return [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=root).stdout)
        for _ in range(RUNS)
    ]


def run() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    parser = "C" if YAML(typ="safe", pure=False).Parser.__name__ == "CParser" else "Python"
    print(f"{count} targets, medians of {RUNS} loads, YAML parser in {parser}")
    for name, write in (("yaml", write_yaml), ("csv", write_csv)):
        with tempfile.TemporaryDirectory() as folder:
            runs = measure(write(Path(folder), count))
        figures = {key: statistics.median(one[key] for one in runs) for key in runs[0]}
        print(
            f"{name:5} {figures['targets']:>7.0f} targets  wall {figures['wall_s']:.2f} s  "
            f"CPU {figures['cpu_s']:.2f} s  RSS {figures['rss_mb']:.0f} MB"
        )


if __name__ == "__main__":
    run()
