"""Whether this machine's clock is kept right: what the kernel knows of it, adjtimex(2). No right is needed to ask."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

_STA_UNSYNC, _STA_NANO = 0x0040, 0x2000  # linux/timex.h


class _Timex(ctypes.Structure):
    """``struct timex`` as glibc and musl have it on 64 and 32 bit."""

    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("constant", ctypes.c_long),
        ("precision", ctypes.c_long), ("tolerance", ctypes.c_long), ("rest", ctypes.c_byte * 256),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class KernelClock:
    """What the kernel says of its clock.

    Parameters:
        synchronized: a daemon (chronyd, systemd-timesyncd, ntpd) keeps it right, and said so lately.
        offset_ms: what is still to be slewed.
        max_error_ms, estimated_error_ms: as the daemon says; the first grows while nobody does.
        frequency_ppm: by how much it is made to run faster.
    """

    synchronized: bool
    offset_ms: float
    max_error_ms: float
    estimated_error_ms: float
    frequency_ppm: float


def read_clock() -> KernelClock:
    """Ask the kernel.

    Raises:
        OSError: it does not say (a sandbox that forbids the call).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    asked = _Timex(modes=0)
    if libc.adjtimex(ctypes.byref(asked)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    unit = 1e6 if asked.status & _STA_NANO else 1e3
    return KernelClock(
        not asked.status & _STA_UNSYNC, asked.offset / unit, asked.maxerror / 1e3, asked.esterror / 1e3,
        asked.freq / 65_536,
    )  # fmt: skip
