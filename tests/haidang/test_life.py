"""The daemon's life as a process: start, reload, crash, end, and what it says of itself."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.daemon import COMMAND, Daemon, ask, until
from tests.support.netns import Namespace

BASE = """\
haidang: 1
data_dir: ./data
probing: {icmp: {cadence: 1s, echoes: 5, timeout: 500ms}}
confirmation: {failures: 5, span: 4s, fast_cadence: 1s, clear_span: 3s, clear_samples: 3}
targets:
  - {id: loopback, address: 127.0.0.1}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration that watches loopback."""
    path = tmp_path / "haidang.yaml"
    path.write_text(BASE, encoding="utf-8")
    return path


def test_an_orderly_end_takes_less_than_five_seconds_and_keeps_everything(space: Namespace, config: Path) -> None:
    with Daemon(config, space.command()) as daemon:
        daemon.wait_for("state changed")
        began = time.monotonic()
        assert daemon.end() == 0
        assert time.monotonic() - began < 5
        assert daemon.events("haidang ended")
    found = ask(config, "status")
    assert found["daemon"]["running"] is False
    assert found["targets"][0]["state"] == "up"
    with sqlite3.connect(config.parent / "data" / "metrics.db") as metrics:
        (points,) = metrics.execute("SELECT value FROM counter WHERE name = 'written'").fetchone()
    metrics.close()
    assert points >= 1
    assert ask(config, "store", "status")["written"] == points


def test_the_time_between_two_runs_is_unknown_and_never_up(space: Namespace, config: Path) -> None:
    for _ in range(2):
        with Daemon(config, space.command()) as daemon:
            daemon.wait_for("state changed")
            daemon.end(signal.SIGKILL)
    with sqlite3.connect(config.parent / "data" / "haidang.db") as ledger:
        rows = ledger.execute("SELECT state, start_ns, end_ns, reason FROM interval ORDER BY id").fetchall()
    ledger.close()
    assert [row[0] for row in rows] == ["up", "unknown", "up"]
    assert rows[0][2] == rows[1][1]
    assert rows[1][2] == rows[2][1]
    assert rows[1][3] == "the daemon was not running"


def test_a_reload_takes_what_is_new_and_leaves_the_rest_alone(space: Namespace, config: Path) -> None:
    with Daemon(config, space.command()) as daemon:
        daemon.wait_for("state changed")
        config.write_text(BASE + "  - {id: other, address: 127.0.0.2}\n", encoding="utf-8")
        daemon.process.send_signal(signal.SIGHUP)
        taken = daemon.wait_for("configuration taken")
        assert (taken["checks_added"], taken["checks_removed"], taken["checks_changed"]) == (1, 0, 0)
        assert taken["sections"] == ["targets"]
        until(lambda: len(daemon.events("state changed")) == 2, 20, "the new target is up")
        config.write_text(BASE.replace("loopback, address: 127.0.0.1", "third, address: 127.0.0.3"), encoding="utf-8")
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: len(daemon.events("configuration taken")) == 2, 20, "the second reload")
        assert daemon.events("configuration taken")[1]["checks_removed"] == 2
        until(lambda: len(daemon.events("state changed")) == 3, 20, "the third target is up")
        assert daemon.end() == 0
    with sqlite3.connect(config.parent / "data" / "haidang.db") as ledger:
        rows = ledger.execute("SELECT target, state, end_ns IS NULL FROM interval ORDER BY id").fetchall()
    ledger.close()
    assert rows == [("loopback", "up", 0), ("other", "up", 0), ("third", "up", 1)]


def test_a_reload_of_an_invalid_file_says_where_and_keeps_the_old(space: Namespace, config: Path) -> None:
    with Daemon(config, space.command()) as daemon:
        daemon.wait_for("state changed")
        config.write_text(BASE + "  - {id: loopback, adress: 127.0.0.2}\n", encoding="utf-8")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for("configuration not taken, the old one stays")
        said = [line["error"] for line in daemon.events("configuration error")]
        assert any(f"{config}:7:" in line and 'did you mean "address"' in line for line in said), said
        assert daemon.process.poll() is None
        assert daemon.end() == 0


def test_a_second_daemon_on_the_same_data_is_refused_and_names_the_first(space: Namespace, config: Path) -> None:
    with Daemon(config, space.command()) as daemon:
        daemon.wait_for("haidang runs")
        second = subprocess.run(
            [*space.command(), *COMMAND, "run", "--config", str(config)], capture_output=True, text=True, check=False
        )
        assert second.returncode == 1
        assert "another haidang uses this data directory (process" in second.stderr
        assert daemon.process.poll() is None


def test_systemd_is_told_ready_status_watchdog_and_stopping(space: Namespace, config: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20)
        heard = ""
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "20000000"}
        with Daemon(config, space.command(), environment) as daemon:
            while not ("READY=1" in heard and "WATCHDOG=1" in heard):
                heard += listener.recv(4096).decode() + "\n"
            daemon.process.send_signal(signal.SIGHUP)
            while "RELOADING=1" not in heard:
                heard += listener.recv(4096).decode() + "\n"
            assert daemon.end() == 0
            while "STOPPING=1" not in heard:
                heard += listener.recv(4096).decode() + "\n"
        assert "STATUS=watching 1 checks" in heard


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_without_the_right_to_ping_the_rest_goes_on_and_the_cure_is_said_once(space: Namespace, tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(BASE + "  - {id: here, probes: [host]}\n", encoding="utf-8")
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    (tmp_path / "data").mkdir()
    os.chown(tmp_path / "data", 65534, 65534)
    nobody = space.command("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all")
    with Daemon(path, nobody) as daemon:
        until(lambda: len(daemon.events("state changed")) == 2, 20, "both checks have a state")
        by_check = {line["check"]: line for line in daemon.events("state changed")}
        assert by_check["here/host"]["state"] == "up"
        assert by_check["loopback/icmp"]["state"] == "unknown"
        warnings = [line for line in daemon.lines() if "ping_group_range" in str(line)]
        assert any(line["event"] == "ping is not possible" for line in warnings)
        assert len([line for line in warnings if line["event"] == "ping is not possible"]) == 1
        assert daemon.end() == 0
    found = ask(path, "status")
    states = {target["target"]: target["state"] for target in found["targets"]}
    assert states == {"loopback": "unknown", "here": "up"}
