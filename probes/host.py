"""The machine this daemon runs on, read through psutil: CPU, load, memory, swap, disks, interfaces."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

from haidang.model import FieldValue


@dataclass(frozen=True, slots=True)
class Reading:
    """One group of numbers: measurement and field names are Telegraf's (cpu, mem, swap, disk, net, system)."""

    measurement: str
    tags: tuple[tuple[str, str], ...]
    fields: Mapping[str, FieldValue]


class HostReader:
    """Reads this machine; keeps the CPU times of the last reading, because use is a difference.

    Not for the event loop: a dead network file system can hold `read` for long. One reader belongs to one thread at a
    time.
    """

    def __init__(self) -> None:
        self._times: object | None = None

    def read(self) -> list[Reading]:
        """Take a reading. What the machine does not offer is left out; nothing is raised."""
        return [reading for part in (self._cpu, _system, _memory, _disks, _interfaces) for reading in _guarded(part)]

    def _cpu(self) -> Iterator[Reading]:
        times = psutil.cpu_times()
        before, self._times = self._times, times
        if before is None:
            return
        spent = {name: max(0.0, getattr(times, name) - getattr(before, name)) for name in times._fields}
        # guest time is already inside user and nice
        total = sum(value for name, value in spent.items() if not name.startswith("guest"))
        if total > 0:
            fields = {f"usage_{name}": 100.0 * value / total for name, value in spent.items()}
            yield Reading("cpu", (("cpu", "cpu-total"),), fields)


def _guarded(part: Callable[[], Iterator[Reading]]) -> Iterator[Reading]:
    with suppress(OSError, psutil.Error, RuntimeError, AttributeError):
        yield from part()


def _system() -> Iterator[Reading]:
    load1, load5, load15 = psutil.getloadavg()
    yield Reading(
        "system", (),
        {
            "load1": load1, "load5": load5, "load15": load15, "n_cpus": os.cpu_count() or 1,
            "uptime": int(time.time() - psutil.boot_time()),
        },
    )  # fmt: skip


def _memory() -> Iterator[Reading]:
    memory = psutil.virtual_memory()
    yield Reading(
        "mem", (),
        {
            "total": memory.total, "available": memory.available, "used": memory.used, "free": memory.free,
            "used_percent": memory.percent, "available_percent": 100.0 * memory.available / max(1, memory.total),
        },
    )  # fmt: skip
    swap = psutil.swap_memory()
    yield Reading(
        "swap", (), {"total": swap.total, "used": swap.used, "free": swap.free, "used_percent": swap.percent}
    )  # fmt: skip


def _disks() -> Iterator[Reading]:
    seen: set[str] = set()  # bind mounts show one device many times
    for partition in sorted(psutil.disk_partitions(all=False), key=lambda one: len(one.mountpoint)):
        if partition.fstype in ("squashfs", "iso9660") or partition.device in seen:  # images are always full
            continue
        seen.add(partition.device)
        try:
            usage = psutil.disk_usage(partition.mountpoint)
            inodes = os.statvfs(partition.mountpoint)
        except OSError:
            continue
        tags = (("device", partition.device), ("fstype", partition.fstype), ("path", partition.mountpoint))
        yield Reading(
            "disk", tags,
            {
                "total": usage.total, "used": usage.used, "free": usage.free, "used_percent": usage.percent,
                "inodes_total": inodes.f_files, "inodes_free": inodes.f_ffree,
                "inodes_used": inodes.f_files - inodes.f_ffree,
            },
        )  # fmt: skip


def _interfaces() -> Iterator[Reading]:
    states = psutil.net_if_stats()
    for name, counters in psutil.net_io_counters(pernic=True, nowrap=False).items():
        fields: dict[str, FieldValue] = {
            "bytes_sent": counters.bytes_sent, "bytes_recv": counters.bytes_recv,
            "packets_sent": counters.packets_sent, "packets_recv": counters.packets_recv,
            "err_in": counters.errin, "err_out": counters.errout,
            "drop_in": counters.dropin, "drop_out": counters.dropout,
        }  # fmt: skip
        if name in states:
            fields["up"] = int(states[name].isup)
            fields["speed"] = states[name].speed * 1_000_000
        yield Reading("net", (("interface", name),), fields)
