"""What the equipment measured in a month, for the annexes: power, climate, disks, certificates, quality of the way.

Read from the metric store day by day, so that a province's month never is in memory at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from config import Configuration
from config.schema.reports import Band, Climate
from reports.model import CertificateRow, Label, LoadRow, QualityRow, ReadingRow, at
from storage.metrics import Curve, MetricStore, Query

_DAY_NS, _HOUR_S = 86_400 * 10**9, 3600
_POWER = ("ups_charge", "ups_runtime", "ups_load", "ups_on_battery", "battery")
_DISKS = ("disk", "raid", "storage")
_ROOM = "environment"
"""The role of targets that measure a room; a switch's inside is no climate."""
_STATE = "state"
"""The unit of a number that stands for a word: it has no mean; whether the device is content with it is told."""
_CERTIFICATES = ("x509_cert", "http_response", "net_response")
"""Measurements that may say when a certificate ends."""
_PING = ("percent_packet_loss", "percentile50_ms", "jitter_ms")


@dataclass(frozen=True, slots=True)
class Equipment:
    """What was measured in a month, beside the ledger."""

    loads: Sequence[LoadRow] = ()
    readings: Sequence[ReadingRow] = ()
    certificates: Sequence[CertificateRow] = ()
    quality: Mapping[str, QualityRow] = field(default_factory=dict)
    """By target."""


@dataclass(slots=True)
class _Sums:
    """Mean, extremes and hours of one curve, a day at a time.

    Every hour weighs the same: a target that is looked at each second while it fails would be at its worst most of the
    time otherwise.
    """

    total: float = 0.0
    low: float = float("inf")
    high: float = float("-inf")
    hours: int = 0
    outside: int = 0
    last: float = 0.0
    last_ns: int = 0

    def take(self, curve: Curve, outside: Callable[[float], bool] = lambda _: False) -> None:
        self.total += sum(curve.mean)
        self.low, self.high = min(self.low, *curve.low), max(self.high, *curve.high)
        self.hours += len(curve.mean)
        self.outside += sum(outside(mean) for mean in curve.mean)
        self.last, self.last_ns = curve.high[-1], curve.times_ns[-1]

    @property
    def mean(self) -> float:
        return round(self.total / self.hours, 3)

    def add(self, other: _Sums) -> None:
        """Take in another curve of the same thing; of its last value nothing."""
        self.total += other.total
        self.hours += other.hours
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)


async def readings(configuration: Configuration, store: MetricStore, start_ns: int, end_ns: int) -> list[ReadingRow]:
    """Read what sensors of power, rooms and disks said in a month.

    Raises:
        StoreError: the store cannot answer.
    """
    found: list[ReadingRow] = []
    climate = configuration.reports.climate
    for group, kinds in (("power", _POWER), ("climate", ("temperature", "humidity")), ("disks", _DISKS)):
        for kind in kinds:
            tags = {"kind": kind, **({"role": _ROOM} if group == "climate" else {})}
            curves = await _sums(
                store, "sensor", ("value", "status_code"), tags, start_ns, end_ns, _band(climate, kind)
            )
            found += _rows(configuration, group, kind, curves, start_ns, end_ns, _band(climate, kind))
    curves = await _sums(store, "disk", ("used_percent",), {}, start_ns, end_ns, None)
    renamed = {
        (tuple({**dict(tags), "sensor": dict(tags).get("path", ""), "unit": "%"}.items()), "value"): sums
        for (tags, _), sums in curves.items()
    }
    found += _rows(configuration, "disks", "storage", renamed, start_ns, end_ns, None)
    return found


Found = dict[tuple[tuple[tuple[str, str], ...], str], _Sums]
"""By the tags of a series and the name of a field."""


async def _sums(
    store: MetricStore, measurement: str, fields: tuple[str, ...], tags: Mapping[str, str], start_ns: int, end_ns: int,
    band: Band | None,
) -> Found:  # fmt: skip
    found: Found = {}
    for begin in range(start_ns, end_ns, _DAY_NS):
        query = Query(measurement, begin, min(begin + _DAY_NS, end_ns), fields, tags, step_s=_HOUR_S)
        for curve in await store.read(query):
            if not curve.times_ns:
                continue
            limits = band if curve.field == "value" else None
            sums = found.setdefault((curve.series.tags, curve.field), _Sums())
            if curve.field == "status_code":  # 0 is well, 3 is not known
                sums.take(curve, lambda mean: mean > 0)
            elif limits is not None:
                low, high = limits.low, limits.high
                sums.take(curve, lambda mean, low=low, high=high: not low <= mean <= high)  # type: ignore[misc]
            else:
                sums.take(curve)
    return found


def _rows(
    configuration: Configuration, group: str, kind: str, curves: Found, start_ns: int, end_ns: int, band: Band | None
) -> Iterable[ReadingRow]:
    targets, hours = configuration.inventory.targets, max(1, (end_ns - start_ns) // (_HOUR_S * 10**9))
    for tags in sorted({tags for tags, _ in curves}):
        known = dict(tags)
        target = targets.get(known.get("target", ""))
        value, status = curves.get((tags, "value")), curves.get((tags, "status_code"))
        either = value or status
        if known.get("unit") == _STATE:
            value = None
        if target is None or either is None:
            continue
        yield ReadingRow(
            group=group, kind=kind, id=target.id, target=_label(configuration, target.id),
            sensor=known.get("sensor", ""), unit=known.get("unit", ""),
            lowest=round(value.low, 3) if value else None,
            mean=value.mean if value else None,
            highest=round(value.high, 3) if value else None,
            band_low=band.low if band else None, band_high=band.high if band else None,
            outside_percent=round(100 * value.outside / value.hours, 3) if value and band else None,
            bad_percent=round(100 * status.outside / status.hours, 3) if status else None,
            coverage_percent=round(min(100.0, 100 * either.hours / hours), 2),
        )  # fmt: skip


async def certificates(
    configuration: Configuration, store: MetricStore, start_ns: int, end_ns: int
) -> list[CertificateRow]:
    """Read when certificates end, as they were last seen in the month.

    Raises:
        StoreError: the store cannot answer.
    """
    last: dict[tuple[str, str], _Sums] = {}
    for measurement in _CERTIFICATES:
        for (tags, _), sums in (await _sums(store, measurement, ("expiry",), {}, start_ns, end_ns, None)).items():
            known = dict(tags)
            key = (known.get("target", ""), known.get("probe", measurement))
            if key not in last or sums.last_ns > last[key].last_ns:
                last[key] = sums
    return [
        CertificateRow(
            id=target, target=_label(configuration, target), probe=probe, seen=at(sums.last_ns),
            ends=at(sums.last_ns + round(sums.last) * 10**9), left_s=round(sums.last - (end_ns - sums.last_ns) / 1e9),
        )
        for (target, probe), sums in sorted(last.items()) if target in configuration.inventory.targets
    ]  # fmt: skip


async def quality(
    configuration: Configuration, store: MetricStore, start_ns: int, end_ns: int
) -> dict[str, QualityRow]:
    """Read loss, round trip, jitter and mean opinion score of the way to each target.

    Raises:
        StoreError: the store cannot answer.
    """
    by: dict[str, dict[str, _Sums]] = {}
    for (tags, name), sums in (await _sums(store, "ping", _PING, {}, start_ns, end_ns, None)).items():
        # A target whose site or role became another one in the month has two series.
        by.setdefault(dict(tags).get("target", ""), {}).setdefault(name, _Sums()).add(sums)
    heard: dict[str, list[float]] = {}
    for (tags, _), sums in (await _sums(store, "quality", ("mos",), {}, start_ns, end_ns, None)).items():
        heard.setdefault(dict(tags).get("target", ""), []).append(sums.mean)
    return {
        target: _quality(by.get(target, {}), min(heard.get(target, ()), default=None))
        for target in sorted(by.keys() | heard.keys()) if target in configuration.inventory.targets
    }  # fmt: skip


def _quality(mine: Mapping[str, _Sums], mos: float | None) -> QualityRow:
    return QualityRow(
        loss_percent=_mean(mine, "percent_packet_loss"), rtt_ms=_mean(mine, "percentile50_ms"),
        jitter_ms=_mean(mine, "jitter_ms"), mos=mos,
        worst_loss_percent=round(mine["percent_packet_loss"].high, 3) if "percent_packet_loss" in mine else None,
    )  # fmt: skip


def _mean(sums: Mapping[str, _Sums], name: str) -> float | None:
    return sums[name].mean if name in sums else None


def _band(climate: Climate, kind: str) -> Band | None:
    return {"temperature": climate.temperature, "humidity": climate.humidity}.get(kind)


def _label(configuration: Configuration, target: str) -> Label:
    known = configuration.inventory.targets[target]
    return {language: known.label(language) for language in ("vi", "en")}
