"""A lab in a process of its own, and commands inside it, for the tests."""

from __future__ import annotations

import json
import os
import secrets
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.network import inside
from tests.support.parts import require

HERE = Path(__file__).parent
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


class Lab:
    """A lab in a process of its own."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], words: list[str]) -> None:
        self.name = name
        self.process = process
        self.pid = process.pid
        self._words = words

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside."""
        words = [*self._words, *inside(self.pid, list(command))]
        return subprocess.run(words, check=False, capture_output=True, text=True, timeout=30)

    def python(self, script: str, *words: str) -> Any:
        """Run one of the scripts beside this file inside, and read the JSON it prints."""
        done = self.run(sys.executable, "-P", str(HERE / script), *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


OPEN_DEVICE = [
    "unshare", "--mount", "sh", "-c",
    'mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec "$@"', "sh",
]  # fmt: skip
"""Gives a command a TUN device that everybody may open, as most machines have it, and changes nothing of this one."""


@contextmanager
def stage(
    wanted: dict[str, Any], *, script: str = "network_stage.py", unprivileged: bool = False
) -> Iterator[Lab]:  # fmt: skip
    """Start a lab as a script beside this file builds it; skips where this machine gives none."""
    name = f"test-{os.getpid()}-{secrets.token_hex(4)}"
    words = [require("setpriv", "util-linux"), *NOBODY[1:]] if unprivileged and os.geteuid() == 0 else []
    before = [*OPEN_DEVICE, *words] if words else []
    command = [*before, sys.executable, "-B", str(HERE / script), json.dumps({**wanted, "name": name})]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert process.stdout is not None
        said = ""
        while "ready" not in said:
            assert select.select([process.stdout], [], [], 20)[0], f"the lab does not come up: {said}"
            heard = os.read(process.stdout.fileno(), 65536)
            said += heard.decode()
            if not heard:
                break
        if "ready" not in said:
            assert process.wait(10) == 3, said
            message = f"the lab's network needs TUN and namespaces: {said.strip()}"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        yield Lab(name, process, words)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
