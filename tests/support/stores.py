"""Real metric stores for tests: InfluxDB 1.6 and VictoriaMetrics on free ports, in folders of their own."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.parts import require

_START_S = 30.0
_INFLUX_CONF = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
"""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """A server that can be killed and started again on the same folder and port, with other variables if need be."""

    command: Callable[[int], list[str]]
    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(self.port), stdout=log, stderr=log, cwd=self.folder, env={**os.environ, **self.environment}
            )  # fmt: skip
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
                connection.request("GET", "/ping")
                status = connection.getresponse().status
                connection.close()
                if status == 204:
                    return
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
        self.kill()
        raise AssertionError(f"{self.command(self.port)[0]} did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        """End it in order: what it acknowledged is on its disk."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(_START_S)
            self.process = None

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextmanager
def influxdb(folder: Path) -> Iterator[Server]:
    """A running InfluxDB 1.x."""
    program = require("influxd", "influxdb")
    rpc = free_port()

    def command(port: int) -> list[str]:
        conf = folder / "influx.conf"
        conf.write_text(_INFLUX_CONF.format(rpc=rpc, port=port, folder=folder))
        return [program, "-config", str(conf)]

    yield from _running(command, folder)


@contextmanager
def victoriametrics(folder: Path) -> Iterator[Server]:
    """A running VictoriaMetrics that keeps what is old."""
    program = require("victoria-metrics", "victoria-metrics")

    def command(port: int) -> list[str]:
        return [
            program, f"-storageDataPath={folder}/data", f"-httpListenAddr=127.0.0.1:{port}",
            "-search.latencyOffset=0s", "-retentionPeriod=100y",
        ]  # fmt: skip

    yield from _running(command, folder)


def _running(command: Callable[[int], list[str]], folder: Path) -> Iterator[Server]:
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(command, free_port(), folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
