"""How commands end: 2 when they name what is not there, and with JSON for programs also when there is nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from haidang.cli import app
from storage.database import Database
from storage.ledger import Ledger
from tests.support.daemon import Daemon, typed
from tests.support.netns import Namespace

CONFIG = """\
haidang: 1
data_dir: ./data
web: {listen: "127.0.0.1:0"}
systems: [{id: wan}]
contacts: [{id: an, email: an@example.org}]
rotas: [{id: duty, layers: [{people: [an], from: "2026-01-05 08:00", turn: 7d}]}]
alerting: {mail: {from: h@example.org, servers: [{host: 127.0.0.1}]}}
targets: [{id: loopback, address: 127.0.0.1, system: wan}]
"""
WORK = ("--from", "2026-10-05T10:30", "--for", "90m", "--reason", "power", "--author", "an")

READ = (
    "incidents 77", "why 77", "why nothing", "explain nothing", "events nothing", "availability --system nothing",
    "forecast --system nothing", "report --system nothing", "oncall now nothing", "oncall next nothing",
    "oncall export nothing --out x.ics", "conferences sheet nothing", "conferences read nothing",
    "conferences try nothing", "notify test nothing", "report verify nothing.pdf", "report compare nothing.csv",
    "availability --month 2199-01", "report --month 2199-01", "replay nothing.jsonl",
    "rules test nothing.yaml", "import nothing.csv", "config check nothing.yaml",
)  # fmt: skip
ASKED = (
    ("ack", "77"),
    ("incidents", "note", "77", "seen"),
    ("incidents", "own", "77", "carrier"),
    ("maintenance", "add", "site:nothing", *WORK),
    ("maintenance", "cancel", "77", "--reason", "done"),
    ("maintenance", "correct", "nothing", "up", *WORK),
    ("maintenance", "ticket", "nothing", "VNPT-77"),
    ("silence", "add", "target:nothing", "--for", "1h", "--reason", "known"),
    ("silence", "cancel", "77", "--reason", "done"),
    ("oncall", "override", "nothing", "an", "--for", "1h", "--reason", "ill"),
    ("oncall", "override", "duty", "nobody", "--for", "1h", "--reason", "ill"),
    ("oncall", "cancel", "77", "--reason", "well"),
    ("oncall", "drilled", "77"),
    ("notify", "test", "mail", "--to", "nobody"),
    ("user", "remove", "nobody"),
    ("user", "remove", "nobody", "--token"),
    ("user", "totp-off", "nobody"),
    ("user", "adopt", "nobody"),
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration before whose ledger nothing has happened yet."""
    path = tmp_path / "haidang.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    (tmp_path / "data").mkdir()
    database = Database(tmp_path / "data" / "haidang.db", "haidang")
    Ledger(database).begin(1_790_000_000 * 10**9, "1")
    database.close()
    Database(tmp_path / "data" / "metrics.db", "metrics").close()
    return path


def refused(config: Path, *words: str) -> None:
    done = typed(*words, *(() if words[:2] == ("config", "check") else ("--config", str(config))))
    assert (done.returncode, done.stdout) == (2, ""), words
    assert words[-1] == "--token" or any(word in done.stderr for word in ("77", "no")), words
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", READ)
def test_a_command_that_names_what_is_not_there_ends_with_two(config: Path, words: str) -> None:
    refused(config, *words.split())


def test_what_the_daemon_is_asked_about_and_is_not_there_ends_with_two_and_without_a_daemon_with_one(
    config: Path, space: Namespace
) -> None:
    with Daemon(config, space.command()) as daemon:
        daemon.wait_for("haidang runs", 30)
        for words in ASKED:
            refused(config, *words)
        assert daemon.end() == 0
    for words in ASKED:
        done = typed(*words, "--config", str(config))
        assert (done.returncode, done.stdout) == (1, ""), words
        assert "no daemon runs" in done.stderr


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command that takes ``--json`` and needs nothing else said."""
    options = {option for one in command.params for option in one.opts}
    if path and "--json" in options and not any(one.required for one in command.params):
        yield path
    for name in getattr(command, "commands", ()):
        yield from leaves(command.commands[name], (*path, name))


OF_THE_DAEMON = {("user", "link"), ("user", "list"), ("user", "tokens")}
ELSEWHERE = {"probe", "lab", "doctor", "dashboards", "import", "profile", "config"}
"""They ask the network, the lab, the machine or files, and have tests of their own."""


def test_every_reading_command_prints_json_when_there_is_nothing(tmp_path: Path, config: Path) -> None:
    config.write_text("haidang: 1\ndata_dir: ./data\n", encoding="utf-8")
    found = [path for path in leaves(typer.main.get_command(app)) if path[0] not in ELSEWHERE]
    more = [("status", "--self"), ("forecast", "--past"), ("circuits", "--load"), ("incidents", "--all")]
    assert len(found) > 20
    for path in (*found, *more):
        words = [*path, *(["--format", "json", "--out", str(tmp_path)] if path == ("report",) else [])]
        done = typed(*words, "--config", str(config), "--json")
        if path in OF_THE_DAEMON or path == ("status", "--self"):
            assert (done.returncode, done.stdout) == (1, ""), path
            continue
        assert done.returncode in (0, 1), (path, done.stderr)
        json.loads(done.stdout)


def test_without_rotas_nobody_is_on_duty_and_that_is_said(config: Path, tmp_path: Path) -> None:
    config.write_text("haidang: 1\ndata_dir: ./data\n", encoding="utf-8")
    for words, status in ((("oncall", "now"), 1), (("oncall", "next"), 0)):
        told = typed(*words, "--config", str(config))
        assert (told.returncode, told.stdout) == (status, "no rotas are configured: see rotas in docs/oncall.md\n")
        assert json.loads(typed(*words, "--config", str(config), "--json").stdout) == []
    done = typed("export", str(tmp_path / "out"), "--config", str(config), "--json")
    assert (done.returncode, json.loads(done.stdout)) == (1, {"files": [], "rows": {}})
    assert "there is nothing to export" in done.stderr


@pytest.mark.parametrize(("package", "words"), [("typst", ("report",)), ("xlsxwriter", ("export", "out.xlsx"))])
def test_a_package_that_is_missing_is_one_line_with_the_cure_and_no_traceback(
    config: Path, package: str, words: tuple[str, ...]
) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv = {['haidang', *words, '--config', str(config)]!r}; "
        "from haidang.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    first, cure = done.stderr.splitlines()
    assert first.startswith(f"this installation of haidang is broken: {package} is missing")
    assert cure.startswith("cure: run systemd/install.sh again")
