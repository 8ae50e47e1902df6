"""What prometheus-blackbox-exporter says of a target, for comparing."""

from __future__ import annotations

import urllib.request

from tests.support.peers import HOST


def exporter_says(port: int, module: str, target: str) -> dict[str, float]:
    """Have the exporter probe something, and read the numbers without labels."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/probe?module={module}&target={target}", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    found = {}
    for line in lines:
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found
