"""Simulated time: how fast the daemon lives before the lab's network.

A quiet stretch of a small province (a fiftieth of the default shape) and of a tenth, at the default cadence and at a
calm one (a ping of 5 echoes each minute, SNMP each 5 minutes). Each runs twice, for a short and for a longer time, in a
process of its own; the difference is what time costs without the start.

usage: benchmarks/lab_rehearsal.py [--hours H] [--json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from haidang import logs
from haidang.drill import rehearse_scenario
from lab.network.network import PREFIXES
from lab.province import Shape, generate
from lab.scenario import read_scenario

CALM = {"probing": {"allow": list(PREFIXES), "icmp": {"cadence": "1m"}, "snmp": {"cadence": "5m"}}}
SHORT_S = 600.0
DAY_S = 86_400


def live(scale: float, calm: bool, lasts_s: float) -> dict[str, Any]:
    """Live through a quiet stretch once."""
    scenario = read_scenario("quiet-day").model_copy(update={"lasts": lasts_s, "settings": CALM if calm else {}})
    province = generate(Shape().scaled(scale), 1)
    with tempfile.TemporaryDirectory() as folder:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        verdict = rehearse_scenario(scenario, province, Path(folder)).verdict
        took = {"wall_s": time.perf_counter() - wall_s, "cpu_s": time.process_time() - cpu_s}
    return {**took, "targets": len(province.units), "incidents": verdict.incidents}


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0, help="of simulated time, for the longer run")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--live", nargs=3, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.live:
        logs.configure("auto", "warning")
        scale, calm, lasts_s = words.live
        print(json.dumps(live(float(scale), calm == "calm", float(lasts_s))))
        return 0
    rows = []
    for scale in (0.02, 0.1):
        for pace in ("default", "calm"):
            runs = []
            for lasts_s in (SHORT_S, words.hours * 3600):
                command = [sys.executable, "-P", __file__, "--live", str(scale), pace, str(lasts_s)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                runs.append(json.loads(done.stdout))
            short, long = runs
            span_s = words.hours * 3600 - SHORT_S
            rows.append({
                "targets": long["targets"], "cadence": pace, "start_s": round(short["wall_s"], 1),
                "incidents": long["incidents"],
                "times_real_time": round(span_s / (long["wall_s"] - short["wall_s"])),
                "cpu_minutes_a_day": round(DAY_S / span_s * (long["cpu_s"] - short["cpu_s"]) / 60, 1),
            })  # fmt: skip
            if not words.json:
                print(", ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    if words.json:
        print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
