"""Annexes that set what was measured beside what is configured: conference rooms, and the connection database."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from config import Configuration, Target
from config.role_files import roles
from reports.equipment import Equipment
from reports.equipment_rows import ConnectionRow, QualityRow, RoomRow
from reports.gather import labelled
from reports.model import TargetRow
from reports.parts import Label

CONFERENCE = "videoconf"
"""The kind of system whose roles are conference rooms and what puts them through; a role of that name is one, too."""


def rooms(targets: Iterable[TargetRow], measured: Equipment) -> Iterator[RoomRow]:
    """Return the conference equipment with the quality of the way to each."""
    for row in targets:
        known = roles().get(row.role)
        if row.role == CONFERENCE or (known is not None and known.collector == CONFERENCE):
            quality = measured.quality.get(row.id, QualityRow())
            yield RoomRow(id=row.id, name=row.name, site=row.site, numbers=row.numbers, quality=quality)


def connections(
    configuration: Configuration, targets: Iterable[Target], measured: Equipment
) -> Iterator[ConnectionRow]:
    """Return every end of every channel that the targets are on."""
    inventory = configuration.inventory
    channels = Counter(site for one in inventory.circuits.values() for site in {one.a, one.b} if site)
    highest: dict[tuple[str, str], float] = defaultdict(float)
    for load in measured.loads:
        key = (load.circuit["vi"], load.target)
        highest[key] = max(highest[key], load.highest_percent)
    for target in targets:
        if not target.circuit:
            continue
        circuit = inventory.circuits[target.circuit]
        name = labelled(circuit.label)
        yield ConnectionRow(
            circuit=circuit.id, name=name, system=circuit.system or "", carrier=circuit.carrier or "",
            contract=circuit.contract or "", a=_site(configuration, circuit.a), b=_site(configuration, circuit.b),
            mbps=circuit.mbps, channels=channels.get(target.site or "", 1), target=target.id,
            load_percent=highest.get((name["vi"], target.id)), quality=measured.quality.get(target.id, QualityRow()),
        )  # fmt: skip


def _site(configuration: Configuration, site: str | None) -> Label | None:
    known = configuration.inventory.sites.get(site or "")
    return labelled(known.label) if known else None
