"""What of the daemon touches the world outside, in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alerting.channels.base import Channel
from config import Configuration
from haidang.clock import Clock
from haidang.evidence import Trace, followed
from haidang.ways import channels
from probes.icmp import IcmpEngine, Pinger
from probes.meter import Meter
from probes.snmp import SnmpEngine
from storage.database import Database
from storage.metrics import MetricStore, StoreSettings, open_store


@dataclass(frozen=True, slots=True)
class Parts:
    """What of the daemon touches the world outside; a rehearsal in simulated time puts the lab's parts in their place.

    Parameters:
        database: opens the file of ledger, incidents and outbox.
        icmp, snmp: make the engines, on the event loop; what they work is charged to the meter.
        store: opens the metric store.
        channels: makes the ways out that a configuration names.
        web: whether pages may be served at all.
        trace: follows the way to an address, ``None`` where there is none.
    """

    database: Callable[[Path, str], Database] = Database
    icmp: Callable[[Meter], Pinger] = lambda meter: IcmpEngine(meter=meter)
    snmp: Callable[[Meter], SnmpEngine] = lambda meter: SnmpEngine(meter=meter)
    store: Callable[[StoreSettings, Clock], MetricStore] = open_store
    channels: Callable[[Configuration], dict[str, Channel]] = channels
    web: bool = True
    trace: Trace | None = followed


REAL = Parts()
