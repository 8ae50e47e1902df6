"""What a kind of device is made of; shared by all devices of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.devices.traffic import OFFICE, Pattern
from lab.devices.tree import Tree

LARGEST_MESSAGE = 1472  # bytes an agent takes and sends: what fits an Ethernet frame
ENTERPRISE = "1.3.6.1.4.1.32473"  # the number for examples and documentation (RFC 5612)


@dataclass(frozen=True, slots=True)
class Port:
    """An interface.

    Parameters:
        index: ifIndex.
        name, descr: ifName, ifDescr.
        speed_bps: nominal bits per second.
        load_in, load_out: share of the speed at the pattern's peak, 0 to 1.
        pattern: its week.
        connected: whether the line was up when the world began.
        counter_bits: 64, or 32 for a device without the 64-bit columns.
        kind: ifType; 6 is Ethernet.
        mean_packet: bytes, from which the packet counters follow.
    """

    index: int
    name: str
    descr: str
    speed_bps: int = 1_000_000_000
    load_in: float = 0.1
    load_out: float = 0.2
    pattern: Pattern = OFFICE
    connected: bool = True
    counter_bits: int = 64
    kind: int = 6
    mtu: int = 1500
    mean_packet: int = 700


@dataclass(frozen=True, slots=True)
class Part:
    """Something inside that is measured: a row of ENTITY-MIB and ENTITY-SENSOR-MIB.

    Parameters:
        name: entPhysicalName, and what `Device.fault` calls it.
        kind: ``temperature`` (°C), ``humidity`` (%), ``fan`` (rpm), ``psu`` or ``voltage`` (V).
        value: what it shows in the middle.
        swing: how far day, night and noise move it.
    """

    name: str
    kind: str
    value: float
    swing: float


@dataclass(frozen=True, slots=True)
class Disk:
    """A row of hrStorageTable: ``kind`` is 2 for RAM, 4 for a fixed disk; ``used`` is the share at the beginning."""

    name: str
    kind: int
    size_bytes: int
    used: float


@dataclass(frozen=True, slots=True)
class Cells:
    """A UPS battery and its load.

    Parameters:
        runtime_min: minutes on battery when full.
        recharge_ratio: how many times longer charging takes than discharging.
        low_min: minutes remaining at which the battery is low (upsConfigLowBattTime).
    """

    runtime_min: int = 40
    recharge_ratio: int = 8
    low_min: int = 5
    load_percent: int = 35


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of device.

    Parameters:
        kind: device class, e.g. ``router``.
        descr, object_id: sysDescr and sysObjectID.
        tree: its variables.
        services: sysServices, a sum of 2**(layer - 1).
        ports, parts, disks: what is in it.
        processors: how many.
        cells: its battery, for a UPS.
        boot_s: seconds from power to the first answer.
        dying_gasp: whether it still sends a trap when its power fails.
    """

    kind: str
    descr: str
    object_id: str
    services: int
    ports: tuple[Port, ...] = ()
    parts: tuple[Part, ...] = ()
    disks: tuple[Disk, ...] = ()
    processors: int = 0
    cells: Cells | None = None
    boot_s: float = 60.0
    dying_gasp: bool = False
    tree: Tree = field(default_factory=lambda: Tree(()), repr=False, compare=False)
