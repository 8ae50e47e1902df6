"""schemathesis asks everything that the interface says of itself, right and wrong, of a real daemon: no failure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.dashboards.conftest import write
from tests.support.answerer import Answerer
from tests.support.daemon import Daemon, ask

pytestmark = pytest.mark.slow
SETTINGS = """\
[warnings]
enabled = false

[[operations]]
include-path = "/targets/{id}"
parameters = { "path.id" = "names" }

[[operations]]
include-path = "/reports/{month}/{revision}/{name}"
parameters = { "path.month" = "2026-10", "path.revision" = 1, "path.name" = "report-2026-10.json" }

[[operations]]
include-path = "/events"
request-timeout = 1
phases.fuzzing.enabled = false
phases.coverage.generate-duplicate-query-parameters = false
"""


def test_no_request_fails_the_server_and_each_answer_is_as_described(tmp_path: Path) -> None:
    server = Answerer()
    config = write(tmp_path, server.port)
    (tmp_path / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    with Daemon(config) as daemon:
        base = daemon.wait_for("pages are served")["address"]
        scopes = (word for scope in ("read", "operate", "admin", "hook") for word in ("--scope", scope))
        token = ask(config, "user", "token", "tester", *scopes)["token"]
        done = subprocess.run(
            [
                sys.executable, "-P", "-m", "schemathesis.cli", "--config-file", str(tmp_path / "settings.toml"),
                "run", f"{base}/api/v1/openapi.json", "--header", f"Authorization: Bearer {token}", "--checks", "all",
                "--phases", "coverage,fuzzing", "--max-examples", "4", "--generation-deterministic",
                "--continue-on-failure", "--no-color",
            ], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert daemon.end() == 0
        assert [line for line in daemon.lines() if line.get("level") in ("error", "critical")] == []
    server.close()
