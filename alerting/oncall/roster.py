"""The configuration's rotas in the terms of `alerting.oncall.rota`, together with who stands in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerting.oncall.rota import Hours, Layer, Override, Rota
from config import Configuration
from config.schema.objectives import DAYS, ServiceHours
from config.schema.oncall import Layer as WrittenLayer
from config.schema.oncall import dates
from storage.duty import OverrideRow


@dataclass(frozen=True, slots=True)
class Roster:
    """Everything that says who is on duty: rotas by their ids, and the stand-ins."""

    rotas: Mapping[str, Rota]
    overrides: Sequence[Override]


def roster(configuration: Configuration, rows: Iterable[OverrideRow]) -> Roster:
    """Put rotas and stand-ins together; a stand-in who is no contact any more, or of no rota, is left out."""
    inventory = configuration.inventory
    holidays = dates(configuration.alerting.holidays)
    rotas = {
        rota.id: Rota(
            rota.id, ZoneInfo(rota.timezone) if rota.timezone else configuration.timezone,
            tuple(map(_layer, rota.layers)), holidays,
        )
        for rota in inventory.rotas.values()
    }  # fmt: skip
    known = [row for row in rows if row.rota in rotas and row.person in inventory.contacts]
    return Roster(rotas, [one for row in known if (one := _override(row)) is not None])


def hours_of(written: Iterable[ServiceHours]) -> tuple[Hours, ...]:
    """Return hours as the configuration has them in the terms of a rota."""
    return tuple(
        Hours(frozenset(map(DAYS.index, one.days)), _minutes(one.start), _minutes(one.end)) for one in written
    )  # fmt: skip


def _layer(layer: WrittenLayer) -> Layer:
    return Layer(
        layer.people, datetime.fromisoformat(layer.start), timedelta(seconds=layer.turn_s),
        datetime.fromisoformat(layer.end) if layer.end else None, hours_of(layer.hours), layer.holidays,
    )  # fmt: skip


def _override(row: OverrideRow) -> Override | None:
    end_ns = row.end_ns if row.cancelled_ns is None else min(row.end_ns, row.cancelled_ns)
    return Override(row.number, row.rota, row.person, row.start_ns, end_ns) if end_ns > row.start_ns else None


def _minutes(clock: str) -> int:
    hour, minute = clock.split(":")
    return 60 * int(hour) + int(minute)
