"""The lab's commands, as a newcomer uses them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from lab.network import missing
from tests.support.daemon import COMMAND, typed, until
from tests.support.parts import require

NAME = f"test-{os.getpid()}"


def haidang(*words: str, folder: Path, status: int | None = 0) -> str:
    if words[1] in ("up", "exec"):  # what makes processes of its own
        done = subprocess.run([*COMMAND, *words], cwd=folder, capture_output=True, text=True, check=False)
    else:
        with chdir(folder):
            done = typed(*words)
    assert status in (None, done.returncode), done.stderr + done.stdout
    return done.stdout + done.stderr


def traces() -> tuple[str, str, list[str]]:
    """What of a lab could be seen from outside: devices and addresses, packet filter, control sockets."""
    addresses = subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True, check=True).stdout
    rules = subprocess.run([require("nft", "nftables"), "list", "ruleset"], capture_output=True, text=True, check=False)
    sockets = [line for line in Path("/proc/net/unix").read_text().splitlines() if NAME in line]
    return addresses, rules.stdout, sockets


@pytest.fixture
def possible() -> None:
    require("ip", "iproute2")
    why = missing()
    if why is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(str(why))
        pytest.skip(str(why))


@pytest.fixture
def lab(tmp_path: Path, possible: None) -> Iterator[Path]:
    haidang("lab", "up", "--scale", "0.02", "--name", NAME, "--dir", "lab", folder=tmp_path)
    try:
        yield tmp_path
    finally:
        subprocess.run([*COMMAND, "lab", "down", "--name", NAME], cwd=tmp_path, capture_output=True, check=False)


@pytest.mark.slow
def test_a_lab_comes_up_is_broken_mended_and_goes_without_a_trace(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    before = traces()
    folder: Path = request.getfixturevalue("lab")
    ours = ("--name", NAME)
    assert "all is well" in haidang("lab", "status", *ours, folder=folder)
    assert traces()[:2] == before[:2]
    assert "fine: " in haidang("lab", "exec", *ours, "haidang", "config", "check", "lab/haidang.yaml", folder=folder)
    assert "did you mean viettel-luc-ngan?" in haidang(
        "lab", "break", "viettel-luc-nga", *ours, folder=folder, status=2
    )
    reached = ("lab", "exec", *ours, "haidang", "probe", "icmp", "10.1.0.1", "--count", "1", "--json")
    assert json.loads(haidang(*reached, folder=folder))["status"] == "up"
    haidang("lab", "break", "viettel-luc-ngan", *ours, folder=folder)
    haidang("lab", "break", "fpt-luc-ngan", *ours, folder=folder)
    assert "line fpt-luc-ngan: cut" in haidang("lab", "status", *ours, folder=folder)
    assert json.loads(haidang(*reached, folder=folder, status=1))["status"] == "down"
    haidang("lab", "mend", "viettel-luc-ngan", *ours, folder=folder)
    until(lambda: json.loads(haidang(*reached, folder=folder, status=None))["status"] == "up", 20, "it is mended")
    again = haidang("lab", "up", *ours, folder=folder, status=1)
    assert "runs already; end it with: haidang lab down" in again
    haidang("lab", "down", *ours, folder=folder)
    assert traces() == before
    assert "no lab named" in haidang("lab", "status", *ours, folder=folder, status=2)


def test_a_lab_that_is_killed_leaves_nothing_behind(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    before = traces()
    folder: Path = request.getfixturevalue("lab")
    pid = json.loads(haidang("lab", "status", "--name", NAME, "--json", folder=folder))["process"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: traces() == before, 10, "everything is as before")


@pytest.mark.slow
def test_the_demonstration_without_the_labs_network_says_so_and_goes_on(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("hiding the TUN device needs root: run the tests as root to include this")
    began = time.monotonic()
    hidden = 'mount -t tmpfs none /dev/net && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", hidden, "sh", *COMMAND, "lab", "demo", "--scale", "0.02", "--for", "25"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "The lab's network cannot be had here: there is no /dev/net/tun. The cure: run: modprobe tun" in done.stdout
    assert " up" in done.stdout
    assert time.monotonic() - began < 60


@pytest.mark.slow
@pytest.mark.usefixtures("possible")
def test_the_demonstration_shows_the_daemons_pages_outside_of_the_labs_network(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [*COMMAND, "lab", "demo", "--scale", "0.02"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    try:
        assert demo.stdout is not None
        address = next(line.split()[-1] for line in demo.stdout if line.startswith("The pages, to look at:"))
        with urllib.request.urlopen(address, timeout=60) as page:
            assert "Lục Ngạn" in page.read().decode()
    finally:
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=60)
    assert demo.returncode == 0


def test_a_drill_that_is_ended_early_is_not_judged(tmp_path: Path) -> None:
    drill = subprocess.Popen(
        [*COMMAND, "lab", "run", "quiet-day", "--scale", "0.02", "--dir", "kept", "--json"], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    ledger = tmp_path / "kept" / "data" / "haidang.db-wal"
    until(lambda: ledger.exists() and ledger.stat().st_size > 1_000_000, 60, "the daemon lives")
    drill.terminate()
    out, err = drill.communicate(timeout=60)
    assert (drill.returncode, out) == (1, "")
    assert "ended before it was over, there is nothing to judge" in err


def test_a_scenario_that_is_unknown_or_cannot_be_played_here_is_refused_in_words(tmp_path: Path) -> None:
    assert "did you mean hub-cut" in haidang("lab", "run", "hub-cutt", folder=tmp_path, status=2)
    words = haidang("lab", "run", "clock-step", "--speed", "1", folder=tmp_path, status=2)
    assert "the clock of this machine is not the lab's to move; leave --speed away" in words
    words = haidang("lab", "run", "certificate-expiring", folder=tmp_path, status=2)
    assert "there are no TLS services in simulated time; play it with --speed 1" in words
    assert "--scale 0: a scale is a number above 0" in haidang("lab", "up", "--scale", "0", folder=tmp_path, status=2)


def test_a_drill_prints_the_verdict_as_its_last_line(tmp_path: Path) -> None:
    scenario = tmp_path / "short.yaml"
    scenario.write_text(
        "scenario: short\ntitle: {vi: Ngắn, en: Short}\nlasts: 4m\nwarm_up: 30s\n"
        "cast: {room: {of: units, role: room, take: 1}}\n"
        "steps: [{at: 10s, cut: room}, {at: 2m, mend: room}]\ntruth: [{failed: room, at: 10s, until: 2m}]\n",
        encoding="utf-8",
    )
    out = haidang("lab", "run", str(scenario), "--scale", "0.02", "--dir", "kept", "--json", folder=tmp_path)
    verdict = json.loads(out.splitlines()[-1])
    assert verdict["scenario"] == "short"
    assert verdict["passed"]
    assert verdict["incidents"] == verdict["root_cause_hits"] == 1
    assert verdict["missed"] == verdict["false_alarms"] == 0
    assert verdict["messages"] == 2
    assert verdict["detection_delay_s"]["median"] <= 75
    assert verdict["downtime_error_s"] <= 10
    assert (tmp_path / "kept" / "data" / "haidang.db").exists()


@pytest.mark.soak
def test_in_real_time_with_real_packets_the_verdict_is_the_same(tmp_path: Path) -> None:
    require("ip", "iproute2")
    if missing() is not None and os.environ.get("CI") != "true":
        pytest.skip(str(missing()))
    scenario = tmp_path / "live.yaml"
    scenario.write_text(
        "scenario: live\ntitle: {vi: Thật, en: Live}\nlasts: 190s\nwarm_up: 60s\n"
        "cast: {hub: {of: units, role: hub-router, take: 1}, lines: {of: lines, level: district, take: 2}}\n"
        "steps: [{at: 5s, cut: lines}, {at: 95s, mend: lines}]\ntruth: [{failed: lines, at: 5s, until: 95s}]\n",
        encoding="utf-8",
    )
    out = haidang(
        "lab", "run", str(scenario), "--scale", "0.02", "--speed", "1", "--dir", "kept", "--json", folder=tmp_path
    )
    verdict = json.loads(out.splitlines()[-1])
    assert verdict["passed"], verdict
    assert verdict["incidents"] == 1, "both lines of a hub, cut together"
    # Opened and resolved; when the second line is found more than two seconds after the first, that one and what it
    # takes with it are told as well.
    assert 2 <= verdict["messages"] <= 4
    # An outage of 90 s is too short to be one of a camera; of all others it counts.
    assert verdict["recorded_down_s"]["wan"] == pytest.approx(verdict["true_down_s"]["wan"], rel=0.1)
    mails = list((tmp_path / "kept" / "mail" / "new").iterdir())
    assert len(mails) == verdict["messages"]
