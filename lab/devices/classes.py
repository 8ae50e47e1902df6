"""The kinds of devices a province has. Make each once and share it: its tree is what costs memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from lab.devices.mib import entities, host, interfaces, system, ups
from lab.devices.model import ENTERPRISE, Cells, Disk, Model, Part, Port
from lab.devices.traffic import BACKUP, MEETINGS, STEADY
from lab.devices.tree import Row, Tree

_GIB = 1 << 30
_MBIT, _GBIT = 1_000_000, 1_000_000_000


def assemble(model: Model) -> Model:
    """Give a model its tree."""
    return replace(model, tree=Tree.of(_rows(model)))


def _rows(model: Model) -> Iterator[Row]:
    yield from system(model)
    yield from interfaces(model)
    if model.processors:
        yield from host(model)
    yield from entities(model)
    yield from ups(model)


def router(lines: Sequence[int] = (100 * _MBIT, 100 * _MBIT)) -> Model:
    """Make a router.

    Parameters:
        lines: bits per second of each leased line, ports 1 and up; the office's own port comes behind them.
    """
    uplinks = [
        Port(index, f"wan{index}", f"WAN line {index}", speed, load_in=0.5 / (index * index), load_out=0.2 / index)
        for index, speed in enumerate(lines, 1)
    ]
    inside = Port(len(lines) + 1, "lan0", "Office network", _GBIT, load_in=0.02, load_out=0.05)
    return assemble(Model(
        "router", "Haidang lab router, version 1.0", f"{ENTERPRISE}.1.1", 78, (*uplinks, inside),
        (Part("temp1", "temperature", 38, 4), Part("fan1", "fan", 5_200, 300), Part("psu1", "psu", 12.05, 0.04)),
        (Disk("RAM", 2, 2 * _GIB, 0.45),), processors=1, boot_s=90, dying_gasp=True,
    ))  # fmt: skip


def switch(ports: int = 24, *, uplinks: int = 2, bits: int = 64) -> Model:
    """Make a switch; every fifth port has nothing in it.

    Parameters:
        ports, uplinks: how many of 1 and of 10 Gbit/s.
        bits: 32 for an old one without ifXTable.
    """
    access = [
        Port(
            index, f"Gi1/0/{index}", f"GigabitEthernet1/0/{index}", load_in=0.02, load_out=0.06,
            connected=index % 5 != 0, counter_bits=bits,
        )
        for index in range(1, ports + 1)
    ]  # fmt: skip
    up = [
        Port(
            ports + number, f"Te1/1/{number}", f"TenGigabitEthernet1/1/{number}", 10 * _GBIT, load_in=0.15,
            load_out=0.06, counter_bits=bits,
        )
        for number in range(1, uplinks + 1)
    ]  # fmt: skip
    return assemble(Model(
        "switch", "Haidang lab switch, version 1.0", f"{ENTERPRISE}.1.2", 6, (*access, *up),
        (
            Part("temp1", "temperature", 41, 4), Part("fan1", "fan", 6_000, 300), Part("fan2", "fan", 6_000, 300),
            Part("psu1", "psu", 12.05, 0.04), Part("psu2", "psu", 12.02, 0.04),
        ),
        (Disk("RAM", 2, _GIB, 0.4),), processors=1, boot_s=120, dying_gasp=True,
    ))  # fmt: skip


def firewall(lines: Sequence[int] = (_GBIT,)) -> Model:
    """Make a firewall; ``lines`` as of a router."""
    outside = [Port(index, f"wan{index}", f"Outside {index}", speed, 0.4, 0.2) for index, speed in enumerate(lines, 1)]
    inside = [Port(len(lines) + number, f"lan{number}", f"Zone {number}", _GBIT, 0.1, 0.2) for number in (1, 2, 3)]
    return assemble(Model(
        "firewall", "Haidang lab firewall, version 1.0", f"{ENTERPRISE}.1.3", 76, (*outside, *inside),
        (Part("temp1", "temperature", 44, 5), Part("fan1", "fan", 7_000, 400), Part("psu1", "psu", 12.0, 0.05)),
        (Disk("RAM", 2, 8 * _GIB, 0.5), Disk("/var/log", 4, 64 * _GIB, 0.3)), processors=4, boot_s=150,
    ))  # fmt: skip


def ups_unit(runtime_min: int = 40) -> Model:
    """Make a UPS with a network card, which lives from the UPS itself."""
    return assemble(Model(
        "ups", "Haidang lab UPS 3000, version 1.0", f"{ENTERPRISE}.1.4", 72,
        (_small_port(load=0.0005),), cells=Cells(runtime_min=runtime_min), boot_s=30,
    ))  # fmt: skip


def environment() -> Model:
    """Make a sensor of temperature and humidity in a server room (20–25 °C, 40–55 % by the rules)."""
    return assemble(Model(
        "environment", "Haidang lab environment monitor, version 1.0", f"{ENTERPRISE}.1.5", 72,
        (_small_port(load=0.0002),),
        (
            Part("room", "temperature", 22.5, 1.2), Part("rack", "temperature", 23.2, 1.2),
            Part("air", "humidity", 47, 5),
        ),
        boot_s=15,
    ))  # fmt: skip


def server() -> Model:
    """Make a server with a baseboard controller's sensors and a backup at night."""
    nics = [Port(index, f"eth{index - 1}", f"eth{index - 1}", 10 * _GBIT, 0.05, 0.1, BACKUP) for index in (1, 2)]
    return assemble(Model(
        "server", "Linux lab-server 6.1.0 #1 SMP x86_64 (Haidang lab)", f"{ENTERPRISE}.1.6", 72, tuple(nics),
        (
            Part("inlet", "temperature", 23, 1.5), Part("cpu1", "temperature", 52, 9), Part("fan1", "fan", 8_400, 600),
            Part("fan2", "fan", 8_400, 600), Part("psu1", "psu", 12.1, 0.05), Part("psu2", "psu", 12.1, 0.05),
        ),
        (
            Disk("Physical memory", 2, 128 * _GIB, 0.5), Disk("/", 4, 200 * _GIB, 0.25),
            Disk("/data", 4, 4_096 * _GIB, 0.55),
        ),
        processors=16, boot_s=240,
    ))  # fmt: skip


def camera() -> Model:
    """Make a camera: a steady stream out, 32-bit counters."""
    port = Port(1, "eth0", "eth0", 100 * _MBIT, 0.001, 0.045, STEADY, counter_bits=32, mean_packet=1_200)
    return assemble(Model(
        "camera", "Haidang lab network camera, version 1.0", f"{ENTERPRISE}.1.7", 72, (port,), boot_s=45,
    ))  # fmt: skip


def codec() -> Model:
    """Make a conference room's codec: busy when people meet."""
    port = Port(1, "eth0", "eth0", _GBIT, 0.006, 0.006, MEETINGS, mean_packet=900)
    return assemble(Model(
        "videoconf", "Haidang lab conference codec, version 1.0", f"{ENTERPRISE}.1.8", 72, (port,),
        (Part("temp1", "temperature", 45, 5),), boot_s=75,
    ))  # fmt: skip


CLASSES: dict[str, Callable[[], Model]] = {
    "router": router, "switch": switch, "firewall": firewall, "ups": ups_unit, "environment": environment,
    "server": server, "camera": camera, "videoconf": codec,
}  # fmt: skip
"""Device class → how to make its usual model."""


def _small_port(*, load: float) -> Port:
    return Port(1, "eth0", "eth0", 100 * _MBIT, load, load, STEADY, counter_bits=32, mean_packet=200)
