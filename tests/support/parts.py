"""Real parts the tests talk to: found, or skipped with the line that installs them; in CI a missing one fails."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def require(program: str, debian_package: str) -> str:
    """Find a real server's program.

    Parameters:
        program: its name, e.g. ``snmpd``; sbin folders are searched too.
        debian_package: what to install when it is missing.

    Returns:
        its path.
    """
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin")
    if path is None:
        missing(f"{program} is not installed: apt-get install {debian_package}")
    return path


def missing(message: str) -> NoReturn:
    """Leave a test out because a part is missing; fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
