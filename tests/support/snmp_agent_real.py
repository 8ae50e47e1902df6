"""A real net-snmp agent on loopback, in a folder of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.parts import require

USERS = (
    ("sha256", "SHA-256", "AES"),
    ("sha512", "SHA-512", "AES-256"),
    ("sha1", "SHA", "AES"),
    ("sha224", "SHA-224", "AES-192"),
    ("sha384", "SHA-384", "AES-256-C"),
    ("sha1long", "SHA", "AES-256"),
    ("cisco", "SHA", "AES-192-C"),
    ("md5", "MD5", "AES"),
    ("old", "MD5", "DES"),
    ("olddes", "SHA", "DES"),
)
PAIRS = (
    *USERS,
    *(
        (f"{auth}.{priv}", auth, priv)
        for auth in ("MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512")
        for priv in ("DES", "AES", "AES-192", "AES-256", "AES-192-C", "AES-256-C")
        if (auth, priv) not in {(one, other) for _, one, other in USERS}
    ),
)
AUTH_PASSWORD = "authpass123"
PRIV_PASSWORD = "privpass456"


class Snmpd:
    """A running (or stopped) snmpd; its engine ID and boots live in ``folder``.

    Parameters:
        folder, port: its own.
        more: further lines of its configuration.
    """

    def __init__(self, folder: Path, port: int, more: Sequence[str] = ()) -> None:
        self.folder = folder
        self.port = port
        self.more = more
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and return when its log says that it listens."""
        snmpd = require("snmpd", "snmpd")
        lines = [
            f"agentaddress udp:127.0.0.1:{self.port}", "rocommunity public 127.0.0.1",
            "sysName haidang-test", "sysLocation hall", "master no", *self.more,
        ]  # fmt: skip
        for name, auth, priv in PAIRS:
            lines.append(f"createUser {name} {auth} {AUTH_PASSWORD} {priv} {PRIV_PASSWORD}")
            lines.append(f"rouser {name} noauth")
        lines += [f"createUser signed SHA-256 {AUTH_PASSWORD}", "rouser signed auth"]
        lines += ["createUser nobody", "rouser nobody noauth"]
        configuration = self.folder / "snmpd.conf"
        configuration.write_text("\n".join(lines) + "\n")
        log = self.folder / "snmpd.log"
        state = self.folder / "state"
        log.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [snmpd, "-f", "-Lf", str(log)],  # -C would leave out the persisted boots too
            env={**os.environ, "SNMPCONFPATH": f"{self.folder}:{state}", "SNMP_PERSISTENT_DIR": str(state)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 10
        while not (log.exists() and "NET-SNMP version" in log.read_text()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"snmpd did not start: {log.read_text() if log.exists() else 'no log'}")
            os.sched_yield()

    def forget(self) -> None:
        """Lose what was persisted: the next start has another engine ID. Call it while stopped."""
        (self.folder / "state" / "snmpd.conf").unlink()

    def set_back(self) -> None:
        """Count the boots from 0 again, with the same engine ID. Call it while stopped."""
        kept = self.folder / "state" / "snmpd.conf"
        kept.write_text(re.sub(r"engineBoots \d+", "engineBoots 0", kept.read_text()))

    def stop(self) -> None:
        """End it; what it persists is written."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
            self.process = None


def free_port() -> int:
    """Find a UDP port that nobody uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def snmpd(folder: Path, *more: str) -> Iterator[Snmpd]:
    """Run an agent for a while; further lines of its configuration may be given."""
    agent = Snmpd(folder, free_port(), more)
    agent.start()
    try:
        yield agent
    finally:
        agent.stop()
