"""System calls that Python 3.11 has no function for."""

from __future__ import annotations

import ctypes
import os
import struct

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG = 1
_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK_CLOEXEC = 0o2004000
_TFD_TIMER_ABSTIME = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Leave this process's namespaces for new ones.

    Raises:
        OSError: not allowed, or (for user namespaces) the process has threads.
    """
    _checked(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int = 0) -> None:
    """Move this thread into a namespace.

    Raises:
        OSError: not allowed.
    """
    _checked(_libc.setns(descriptor, kind), "setns")


def die_with_parent(signal: int) -> None:
    """Have the kernel send this process a signal when its parent ends."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl")


class Timer:
    """A timer descriptor of the monotonic clock.

    asyncio's own timers are rounded up to the next millisecond by epoll, which is more than the lab may be wrong by.
    """

    def __init__(self) -> None:
        self.fd = _checked(_libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK_CLOEXEC), "timerfd_create")

    def set(self, at_ns: int) -> None:
        """Let the descriptor become readable at a time, monotonic; one that has passed counts as now."""
        value = struct.pack("=qqqq", 0, 0, *divmod(max(1, at_ns), 1_000_000_000))
        _checked(_libc.timerfd_settime(self.fd, _TFD_TIMER_ABSTIME, value, None), "timerfd_settime")

    def clear(self) -> None:
        """Take note that it was readable."""
        try:
            os.read(self.fd, 8)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)
