"""Runs a command inside a running lab: ``python -m lab.network.command [--with-parent] PID COMMAND…``."""

from __future__ import annotations

import os
import signal
import sys

from lab.network import system
from lab.network.namespace import Unavailable, enter


def main(words: list[str]) -> int:
    """Enter and become the command; returns only when that fails."""
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
