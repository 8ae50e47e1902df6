"""The machine this daemon runs on, read through psutil; its units by systemd, its clock by the kernel."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from haidang.clock import Clock
from haidang.model import FieldValue
from probes import units as systemd
from probes.filling import Filling
from probes.kernel_clock import read_clock


@dataclass(frozen=True, slots=True)
class Reading:
    """One group of numbers: measurement and field names are Telegraf's (cpu, mem, disk, net …)."""

    measurement: str
    tags: tuple[tuple[str, str], ...]
    fields: Mapping[str, FieldValue]


class HostReader:
    """Reads this machine; keeps the CPU times of the last reading, because use is a difference, and how disks filled.

    Not for the event loop: a dead network file system can hold `read` for long. One reader belongs to one thread at a
    time.

    Parameters:
        clock: for how disks fill.
        processes: names of programs that must run.
        units: of systemd that must be active.

    Attributes:
        troubles: what the last reading found of processes and units that is not as it should be, in words.
    """

    def __init__(self, clock: Clock, *, processes: Sequence[str] = (), units: Sequence[str] = ()) -> None:
        self._clock = clock
        self._processes = processes
        self._units = units
        self._times: object | None = None
        self._fillings: dict[tuple[str, str], Filling] = {}
        self.troubles: list[str] = []

    def read(self) -> list[Reading]:
        """Take a reading. What the machine does not offer is left out; nothing is raised."""
        self.troubles = []
        parts = (
            self._cpu, _system, _memory, self._disks, _transfers, _interfaces, _temperatures, self._named,
            self._systemd, _clock,
        )  # fmt: skip
        return [reading for part in parts for reading in _guarded(part)]

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

    def _disks(self) -> Iterator[Reading]:
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
            fields: dict[str, FieldValue] = {
                "total": usage.total, "used": usage.used, "free": usage.free, "used_percent": usage.percent,
                "inodes_total": inodes.f_files, "inodes_free": inodes.f_ffree,
                "inodes_used": inodes.f_files - inodes.f_ffree,
            }  # fmt: skip
            if inodes.f_files:  # btrfs and others make inodes as they need them
                fields["inodes_used_percent"] = 100.0 * (inodes.f_files - inodes.f_ffree) / inodes.f_files
            filling = self._fillings.setdefault((partition.device, partition.mountpoint), Filling())
            days = filling.days_until_full(self._clock.monotonic_ns() / 1e9, usage.used, usage.free)
            if days is not None:
                fields["days_until_full"] = days
            yield Reading("disk", tags, fields)

    def _named(self) -> Iterator[Reading]:
        """Look for the processes by name, as the kernel and their command line have it; memory of all of a name."""
        if not self._processes:
            return
        counts, memory = dict.fromkeys(self._processes, 0), dict.fromkeys(self._processes, 0)
        for process in psutil.process_iter(["name"]):
            name = process.info["name"]
            if name not in counts:
                continue
            with suppress(psutil.Error):  # it ended meanwhile, or is a zombie: neither runs
                if process.status() != psutil.STATUS_ZOMBIE:
                    memory[name] += process.memory_info().rss
                    counts[name] += 1
        for name, count in counts.items():
            if not count:
                self.troubles.append(f"no process {name} runs")
            fields = {"pid_count": count, "running": int(count > 0), "memory_rss": memory[name]}
            yield Reading("procstat_lookup", (("exe", name),), fields)

    def _systemd(self) -> Iterator[Reading]:
        if not systemd.booted():
            if self._units:
                self.troubles.append("systemd does not run this machine: nothing is known of its units")
            return
        try:
            failed, found = systemd.failed_units(), systemd.units(self._units)
        except (OSError, ValueError) as error:
            if self._units:
                self.troubles.append(str(error))
            return
        yield Reading("systemd", (), {"failed_units": failed})
        for unit in found:
            if unit.words:
                self.troubles.append(unit.words)
            fields: dict[str, FieldValue] = {
                "active_code": systemd.ACTIVE.get(unit.active, -1), "load": unit.load, "active": unit.active,
                "sub": unit.sub,
            }  # fmt: skip
            yield Reading("systemd_units", (("name", unit.name),), fields)


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
    yield Reading("processes", (), {"total": len(psutil.pids())})
    work = psutil.cpu_stats()
    yield Reading("kernel", (), {"context_switches": work.ctx_switches, "interrupts": work.interrupts})


def _memory() -> Iterator[Reading]:
    memory = psutil.virtual_memory()
    yield Reading(
        "mem", (),
        {
            "total": memory.total, "available": memory.available, "used": memory.used, "free": memory.free,
            "used_percent": memory.percent, "available_percent": 100.0 * memory.available / max(1, memory.total),
            "buffered": memory.buffers, "cached": memory.cached, "active": memory.active, "inactive": memory.inactive,
        },
    )  # fmt: skip
    swap = psutil.swap_memory()
    yield Reading(
        "swap", (),
        {
            "total": swap.total, "used": swap.used, "free": swap.free, "used_percent": swap.percent,
            "in": swap.sin, "out": swap.sout,
        },
    )  # fmt: skip


def _transfers() -> Iterator[Reading]:
    """Read the disks' counters since the start of the machine; a device that never carried anything is left out."""
    for name, io in (psutil.disk_io_counters(perdisk=True, nowrap=False) or {}).items():
        if not io.read_count and not io.write_count:  # loop and RAM devices that nobody uses
            continue
        fields = {
            "reads": io.read_count, "writes": io.write_count, "read_bytes": io.read_bytes,
            "write_bytes": io.write_bytes, "read_time": io.read_time, "write_time": io.write_time,
            "io_time": io.busy_time,
        }  # fmt: skip
        yield Reading("diskio", (("name", name),), fields)


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


def _temperatures() -> Iterator[Reading]:
    """Read the kernel's sensors (hwmon, thermal zones): °C, with the limits a sensor has."""
    for chip, sensors in psutil.sensors_temperatures().items():
        for number, sensor in enumerate(sensors, 1):
            limits = {"high": sensor.high, "critical": sensor.critical}
            fields = {"temp": sensor.current, **{name: limit for name, limit in limits.items() if limit}}
            label = sensor.label or (str(number) if len(sensors) > 1 else "")
            name = "_".join(part for part in (chip, label.strip().lower().replace(" ", "_")) if part)
            yield Reading("temp", (("sensor", name),), fields)


def _clock() -> Iterator[Reading]:
    clock = read_clock()
    yield Reading(
        "kernel_clock", (),
        {
            "synchronized": int(clock.synchronized), "offset_ms": clock.offset_ms, "max_error_ms": clock.max_error_ms,
            "estimated_error_ms": clock.estimated_error_ms, "frequency_ppm": clock.frequency_ppm,
        },
    )  # fmt: skip
