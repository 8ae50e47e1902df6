"""A small province in namespaces of its own, and the real daemon before it: real packets, real services, real time."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.control import ControlClient, ControlError
from lab.network import inside
from lab.province import Shape, generate
from lab.services import Mailbox
from probes.snmp import oid
from tests.lab.lab_process import stage
from tests.support.daemon import Daemon, ask, until
from tests.support.parts import require

HERE = Path(__file__).parent
SHAPE: dict[str, Any] = {
    "districts": 1,
    "communes": 3,
    "rooms": 3,
    "cameras": 2,
    "devices": 8,
    "services": 5,
    "ups_percent": 100,
}
FAST = {
    "probing": {
        "icmp": {"cadence": "1s", "echoes": 5, "timeout": "500ms"},
        "snmp": {"cadence": "5s", "timeout": "500ms", "retries": 1, "budget": "3s"},
        "dns": {"cadence": "5s", "timeout": "1s"},
    },
    "confirmation": {"failures": 5, "span": "4s", "fast_cadence": "1s", "clear_span": "3s", "clear_samples": 3},
}
ROUTER, ON_BATTERY = "luc-ngan-chu-router", "1.3.6.1.2.1.33.2.1"


def hear(process: subprocess.Popen[bytes], word: str, seconds: float) -> str:
    """Wait until a process says a word; gives all it has said by then, or until its end."""
    assert process.stdout is not None
    said = ""
    while word not in said:
        assert select.select([process.stdout], [], [], seconds)[0], f"not within {seconds} s: {word}; said {said}"
        heard = os.read(process.stdout.fileno(), 65536)
        said += heard.decode()
        if not heard:
            break
    return said


@contextmanager
def running(words: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def province(folder: Path) -> Iterator[ControlClient]:
    """Run a province; skips where this machine gives none."""
    wanted = {"folder": str(folder), "shape": SHAPE, "settings": FAST}
    with stage(wanted, script="province_stage.py") as lab, ControlClient(lab.name) as client:
        yield client


def states(daemon: Daemon) -> dict[str, str]:
    """The newest state of each check, as the daemon has logged it."""
    return {line["check"]: line["state"] for line in daemon.events("state changed")}


def test_the_daemon_finds_all_well_and_one_cut_line_is_one_incident_and_one_mail(tmp_path: Path) -> None:
    units = generate(Shape(**SHAPE)).units.values()
    checks = (
        len(units) + len([unit for unit in units if unit.access]) + len([unit for unit in units if unit.id == "dns"])
    )
    with province(tmp_path) as lab, Daemon(tmp_path / "haidang.yaml", inside(lab.pid, [])) as daemon:
        letters = Mailbox(tmp_path / "mail").letters
        until(lambda: [*states(daemon).values()] == ["up"] * checks, 60, "everything is up")
        line = next(name for name in lab.ask("names")["names"]["lines"] if name.endswith("-luc-ngan-chu"))
        lab.ask("break", line=line)
        until(letters, 60, "a mail tells of the outage")
        behind = {unit.id for unit in units if unit.site == "luc-ngan-chu"}
        until(
            lambda: {check.partition("/")[0] for check, state in states(daemon).items() if state != "up"} == behind, 30,
            "the commune, and nothing else, is away",
        )  # fmt: skip
        lab.ask("mend", line=line)
        until(lambda: len(letters()) == 2, 60, "a mail tells of the recovery")
        until(lambda: {*states(daemon).values()} == {"up"}, 60, "everything is up again")
        (incident,) = ask(daemon.config, "incidents", "--all")
        assert incident["target"] == ROUTER
        hidden = {check.partition("/")[0] for check in incident["hidden"]}
        assert hidden - {ROUTER} == behind - {ROUTER}  # the router's agent may not have failed often enough
        assert daemon.end() == 0
        assert len(letters()) == 2


def test_traps_reach_the_observer_a_services_fault_is_felt_and_a_slip_is_told_in_words(tmp_path: Path) -> None:
    with province(tmp_path) as lab:
        listener = inside(lab.pid, [sys.executable, "-P", str(HERE / "province_traps.py")], with_parent=True)
        with running(listener) as traps:
            hear(traps, "ready\n", 20)
            lab.ask("power", site="luc-ngan-chu", state="off")
            said = hear(traps, oid.encode(ON_BATTERY).hex() + "3", 10)  # its variables follow
            assert {json.loads(line)[0] for line in said.splitlines()} == {"10.1.1.3"}
        assert lab.ask("status")["status"]["sites"] == {"luc-ngan-chu": "battery"}

        def fetch() -> str:
            curl = [
                require("curl", "curl"),
                "-s",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "-m",
                "3",
                "http://10.0.8.4/",
            ]
            return subprocess.run(inside(lab.pid, curl), check=False, capture_output=True, text=True).stdout

        assert fetch() == "200"
        lab.ask("service", target="lgsp", fault={"away": True})
        assert fetch() == "000"
        lab.ask("service", target="lgsp", fault={})
        assert fetch() == "200"
        with pytest.raises(ControlError, match=r"did you mean luc-ngan-chu-router\?"):
            lab.ask("break", line="luc-ngan-chu-ruoter")
