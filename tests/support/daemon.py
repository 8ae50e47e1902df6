"""The daemon as a process: started, asked, ended, and what it said."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import structlog
from typer.testing import CliRunner

from haidang.cli import app

T = TypeVar("T")

COMMAND = [sys.executable, "-P", "-m", "haidang"]


def until(look: Callable[[], T | None], seconds: float, what: str) -> T:
    """Look again and again until something is found.

    Raises:
        AssertionError: it was not found in time; says what was waited for.
    """
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        select.select([], [], [], 0.05)


class Daemon:
    """One ``haidang run``.

    Parameters:
        config: its configuration file.
        prefix: words before the command, e.g. those that enter a namespace.
        environment: variables added to this process's.
    """

    def __init__(self, config: Path, prefix: Sequence[str] = (), environment: dict[str, str] | None = None) -> None:
        self.config = config
        self.log = config.with_name(f"daemon-{time.monotonic_ns()}.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*prefix, *COMMAND, "run", "--config", str(config)], stdout=log, stderr=log,
                env={**os.environ, **(environment or {})},
            )  # fmt: skip

    def lines(self) -> list[dict[str, Any]]:
        """Return the log lines so far; a line that is no JSON comes as its text."""
        out = []
        for line in self.log.read_text(encoding="utf-8").splitlines():
            try:
                out.append(json.loads(line))
            except ValueError:
                out.append({"event": line})
        return out

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        return [line for line in self.lines() if line.get("event") == name]

    def wait_for(self, event: str, seconds: float = 20) -> dict[str, Any]:
        """Wait for a log line."""

        def look() -> dict[str, Any] | None:
            found = self.events(event)
            if not found and self.process.poll() is not None:
                raise AssertionError(f"the daemon ended with {self.process.returncode}:\n{self.log.read_text()}")
            return found[0] if found else None

        try:
            return until(look, seconds, f'log line "{event}"')
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log.read_text()}") from None

    def end(self, number: int = signal.SIGTERM, seconds: float = 10) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


def typed(*words: str, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command as if it had been typed: here, or behind a prefix in a process of its own.

    A process takes most of a second to begin; what a test asks again and again is asked here.
    """
    if prefix:
        whole = [*prefix, *COMMAND, *words]
        return subprocess.run(whole, capture_output=True, text=True, check=False, timeout=60)
    log = structlog.get_config()
    try:
        done = CliRunner().invoke(app, words)
    finally:
        structlog.configure(**log)  # the command set it up for a standard error that is gone now
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)


def ask(config: Path, *words: str, prefix: Sequence[str] = ()) -> Any:
    """Run a reading command with ``--json`` and return what it says."""
    done = typed(*words, "--config", str(config), "--json", prefix=prefix)
    if done.returncode not in (0, 1):
        raise AssertionError(f"{words} ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)
