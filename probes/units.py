"""Units of systemd, asked of its own ``systemctl``, without a shell and with a deadline."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DEADLINE_S = 5.0
BOOTED = Path("/run/systemd/system")  # sd_booted(3)
ACTIVE: Mapping[str, int] = {
    "active": 0, "reloading": 1, "inactive": 2, "failed": 3, "activating": 4, "deactivating": 5,
}  # fmt: skip
"""Telegraf's codes (systemd_units)."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: its name as it was asked for, and systemd's words for it."""

    name: str
    load: str
    active: str
    sub: str

    @property
    def words(self) -> str:
        """Say what is wrong with it; empty: it is active."""
        if self.load == "not-found":
            return f"there is no unit {self.name}"
        fine = self.active in ("active", "reloading") or (self.active == "activating" and self.sub != "auto-restart")
        return "" if fine else f"the unit {self.name} is {self.active} ({self.sub})"


def booted() -> bool:
    """Tell whether systemd runs this machine."""
    return BOOTED.is_dir()


def failed_units() -> int:
    """Count the units that failed.

    Raises:
        OSError, ValueError: systemd does not say, in time or at all.
    """
    said = next(blocks(_ask("--property=NFailedUnits"))).get("NFailedUnits", "")
    if not said.isdecimal():
        raise ValueError("systemctl does not say how many units failed")
    return int(said)


def units(names: Sequence[str]) -> list[Unit]:
    """Ask for units; one of an unknown name is *not-found*.

    Parameters:
        names: as systemctl takes them; without a suffix it is ``.service``.

    Raises:
        OSError, ValueError: systemd does not say, in time or at all.
    """
    if not names:
        return []
    found = list(blocks(_ask("--property=LoadState,ActiveState,SubState", "--", *names)))
    if len(found) != len(names):
        raise ValueError(f"systemctl told of {len(found)} units, asked for were {len(names)}")
    return [
        Unit(name, block.get("LoadState", ""), block.get("ActiveState", ""), block.get("SubState", ""))
        for name, block in zip(names, found, strict=True)
    ]


def blocks(text: str) -> Iterator[dict[str, str]]:
    """Read what ``systemctl show`` prints: KEY=VALUE, an empty line between units."""
    for block in text.strip("\n").split("\n\n"):
        yield dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)


def _ask(*words: str) -> str:
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        raise FileNotFoundError("systemctl is not on this machine")
    try:
        done = subprocess.run(  # noqa: S603 no shell, and names stand behind --
            [systemctl, "show", "--no-pager", *words], check=True, capture_output=True, text=True, timeout=DEADLINE_S,
            stdin=subprocess.DEVNULL, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        raise OSError(f"systemctl does not say: {error}") from error
    return done.stdout
