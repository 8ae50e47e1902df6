"""A real systemd as the first process of namespaces of its own, with nothing but the units a test gives it."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.parts import require

_BOOT = """\
echo $$ > "$1/cgroup.procs"
exec unshare --kill-child --fork --pid --mount --uts --net --cgroup --mount-proc sh -c '
mount -t tmpfs run /run && mount -t cgroup2 cgroup2 /sys/fs/cgroup && mkdir -p /run/systemd/ready &&
exec env container=test SYSTEMD_UNIT_PATH="$1" SYSTEMD_LOG_TARGET=console "$2" --system --unit=test.target' sh "$2" "$3"
"""


def _version_2() -> Path | None:
    """Find where cgroup2 is mounted."""
    lines = (line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines())
    return next((Path(words[1]) for words in lines if words[2] == "cgroup2"), None)


@contextmanager
def systemd(units: Mapping[str, str], folder: Path) -> Iterator[list[str]]:
    """Boot systemd with these units; ``test.target`` is what it starts.

    Parameters:
        units: files by name.
        folder: they go there.

    Yields:
        the beginning of a command line that runs beside it.
    """
    require("unshare", "util-linux")
    require("nsenter", "util-linux")
    program, groups = Path("/lib/systemd/systemd"), _version_2()
    if not program.exists() or groups is None or os.geteuid() != 0:
        pytest.skip("booting systemd apart needs root, cgroup2 and Debian's package systemd")
    for name, text in units.items():
        (folder / name).write_text(text, encoding="utf-8")
    group = groups / f"haidang-test-{os.getpid()}-{secrets.token_hex(3)}"
    group.mkdir()
    log = (folder / "systemd.log").open("wb")
    process = subprocess.Popen(
        ["sh", "-c", _BOOT, "sh", str(group), str(folder), str(program)], stdout=log, stderr=log,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield _beside(process, folder / "systemd.log")
    finally:
        process.kill()
        process.wait()
        log.close()
        _remove(group)


def _beside(process: subprocess.Popen[bytes], log: Path) -> list[str]:
    """Wait until it has started what it should, 15 s at most."""
    until = time.monotonic() + 15
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None and time.monotonic() < until:
        inside = children.read_text(encoding="ascii").split()
        if inside:
            command = ["nsenter", "-t", inside[0], "--mount", "--pid", "--cgroup"]
            asked = [*command, "systemctl", "is-active", "test.target"]
            if subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip() == "active":
                return command
        time.sleep(0.05)
    pytest.fail(f"systemd does not start: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")


def _remove(group: Path) -> None:
    until = time.monotonic() + 5
    while group.exists() and time.monotonic() < until:
        for folder, _, _ in os.walk(group, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError:
                time.sleep(0.02)
