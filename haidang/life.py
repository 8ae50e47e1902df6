"""Living as a service: telling systemd how we are, being the only one on a data directory, noticing clock steps."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path

from haidang.clock import Clock


class AlreadyRunning(Exception):
    """Another daemon holds the data directory; the text names it."""


class DataDirectory:
    """The data directory, held by one daemon at a time through a lock that ends with the process, however it ends.

    Parameters:
        path: the directory; made when missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def hold(self) -> None:
        """Take the directory for this process.

        Raises:
            AlreadyRunning: another daemon has it.
            OSError: it cannot be made or written.
        """
        self.path.mkdir(mode=0o750, parents=True, exist_ok=True)
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        os.fchmod(handle, 0o640)
        if not _locked(handle, fcntl.LOCK_EX, tries=20):
            holder = os.read(handle, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(handle)
            raise AlreadyRunning(
                f"{self.path}: another haidang uses this data directory (process {holder}); "
                "stop it, or give this one a data_dir of its own"
            )
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._lock = handle

    def release(self) -> None:
        """Let the directory go."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def holder(self) -> int | None:
        """Return the process that holds it now; ``None`` when no daemon runs.

        Raises:
            PermissionError: we may not look.
        """
        try:
            handle = os.open(self.path / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            if _locked(handle, fcntl.LOCK_SH):
                return None
            text = os.read(handle, 32).decode("ascii", "replace").strip()
            return int(text) if text.isdigit() else 0
        finally:
            os.close(handle)


def _locked(handle: int, kind: int, tries: int = 1) -> bool:
    """Try to lock a file; more than once where a command that only looks may hold it for a moment."""
    for left in reversed(range(tries)):
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if left:
                time.sleep(0.05)
        else:
            return True
    return False


class ServiceManager:
    """Speaks the sd_notify protocol (man sd_notify); says nothing where nobody listens.

    Parameters:
        environment: usually ``os.environ``.
    """

    def __init__(self, environment: os._Environ[str] | dict[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        watchdog = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(watchdog) / 1e6 if watchdog.isdigit() and ours else None
        """Seconds within which a sign of life is expected; ``None`` when nobody waits for one."""

    def say(self, *lines: str) -> None:
        """Send one message, e.g. ``READY=1`` and ``STATUS=…``. Never fails: the watch goes on without it."""
        if not self._address:
            return
        name = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(lines).encode(), name)
        except OSError:
            return


class StepDetector:
    """Notices when the wall clock jumps against the monotonic one.

    Parameters:
        clock: both clocks.
        tolerance_s: smaller differences are the normal slewing of NTP.
    """

    def __init__(self, clock: Clock, tolerance_s: float = 1.0) -> None:
        self._clock = clock
        self._tolerance_ns = round(tolerance_s * 1e9)
        self._offset_ns = clock.utc_ns() - clock.monotonic_ns()

    def look(self) -> tuple[int, int] | None:
        """Tell of a step since the last look.

        Returns:
            what the wall clock would show now without the step, and what it shows, UTC nanoseconds; else ``None``.
        """
        utc, monotonic = self._clock.utc_ns(), self._clock.monotonic_ns()
        before, self._offset_ns = self._offset_ns, utc - monotonic
        if abs(self._offset_ns - before) <= self._tolerance_ns:
            return None
        return monotonic + before, utc
