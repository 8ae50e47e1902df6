"""A million mutated packets through the decoder and the receiver: what came of them, processor time, memory.

Three in four are honest packets (answers, reports, traps, informs, of every version and level) with one to four
changes; one in four is grown by the grammar. Each is read as an answer (the engine's way), as a trap and as a log
message (the receiver's). Anything but an answer or a refusal ends the run with its packet.

usage: benchmarks/snmp_fuzz.py [--count N] [--seed N] [--corpus FILE] [--json]

--corpus writes the shortest packet of each outcome: tests/probes/snmp/corpus.txt.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from array import array
from collections import Counter
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.snmp_mutations import LOGS, Reader, grown, mutate, seeds


def run(count: int, seed: int) -> tuple[dict[str, float], dict[tuple[str, str], bytes]]:
    """Read so many packets; returns the figures and the shortest packet of each outcome."""
    chance, reader = random.Random(seed), Reader()
    honest = [*seeds(), *LOGS]
    shortest: dict[tuple[str, str], bytes] = {}
    outcomes: Counter[str] = Counter()
    took = array("d")
    process = psutil.Process()
    early = 0
    for number in range(count):
        data = grown(chance) if number % 4 == 0 else mutate(chance, chance.choice(honest))
        began = time.thread_time()
        try:
            outcome = (reader.answer(data), reader.told(data))
        except Exception:
            print(f"failed on packet {number} of seed {seed}: {data.hex()}", file=sys.stderr)
            raise
        took.append(time.thread_time() - began)
        outcomes[outcome[0] if outcome[0] in ("read", "opened", "not believed") else "refused"] += 1
        kind = (re.sub(r"[0-9a-fx]{2,}|\d", "N", outcome[0]), outcome[1])
        if len(data) < len(shortest.get(kind, b"\0" * 99_999)):
            shortest[kind] = data
        if number == count // 10:
            early = process.memory_info().rss
    grew = process.memory_info().rss - early - took.itemsize * (count - count // 10)
    ordered = sorted(took)
    figures = {
        "packets": count, "median_us": ordered[count // 2] * 1e6, "p99_us": ordered[int(count * 0.99)] * 1e6,
        "p9999_us": ordered[int(count * 0.9999)] * 1e6, "max_ms": ordered[-1] * 1e3,
        "grew_kib_since_a_tenth": grew / 1024, **outcomes,
    }  # fmt: skip
    return figures, shortest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    figures, shortest = run(chosen.count, chosen.seed)
    if chosen.corpus:
        reader = Reader()  # what came before has no part in it
        lines = sorted(f"{data.hex()}\t{reader.answer(data)}\t{reader.told(data)}" for data in shortest.values())
        chosen.corpus.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if chosen.json:
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name:24} {figure:,.1f}")


if __name__ == "__main__":
    main()
