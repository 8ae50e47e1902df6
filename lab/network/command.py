"""Runs a command inside a running lab: ``python -m lab.network.command [--with-parent] PID COMMAND…``.

With ``--check`` it only tries whether a lab's network can be had on this machine: exit status 0, or 3 and what is
missing on the first line and its cure on the second.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import structlog

from lab.network import system
from lab.network.namespace import Unavailable, enter, isolate
from lab.network.network import Network


async def check() -> int:
    """Bring an empty network up and down again."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        network = Network()
        network.start(isolate())
        network.close()
    except Unavailable as error:
        sys.stdout.write(f"{error.what}\n{error.cure}\n")
        return 3
    return 0


def main(words: list[str]) -> int:
    """Enter and become the command; returns only when that fails."""
    if words == ["--check"]:
        return asyncio.run(check())
    with_parent = words[:1] == ["--with-parent"]
    words = words[1:] if with_parent else words
    if len(words) < 2 or not words[0].isdecimal():
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        enter(int(words[0]))
        if with_parent:
            system.die_with_parent(signal.SIGTERM)
        os.execvp(words[1], words[1:])  # noqa: S606 that is its purpose
    except Unavailable as error:
        sys.stderr.write(f"{error}\n")
    except OSError as error:
        sys.stderr.write(f"{words[1]}: {error.strerror}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
