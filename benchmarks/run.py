"""Run every benchmark in turn and print what each prints; what it needs is in its own help text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = (
    "config_load.py",
    "availability/verdicts.py",
    "metrics_store.py",
    "icmp.py",
    "snmp.py",
    "snmp_neighbours.py",
    "snmp_fuzz.py",
    "traps.py",
    "lab_network.py",
    "lab_province.py",
    "lab_services.py",
    "lab_rehearsal.py",
    "reports.py",
    "storm.py",
    "web.py",
    "daemon.py",
)


def main() -> int:
    """Run them; the worst exit status is ours."""
    worst = 0
    for script in SCRIPTS:
        print(f"== {script}", flush=True)
        worst = max(worst, subprocess.run([sys.executable, "-P", str(HERE / script)], check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
