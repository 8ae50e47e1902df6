"""What the equipment measured in a month, for the annexes: power, climate, disks, certificates, quality of the way.

Read from the metric store some days at a time, so that a province's month never is in memory at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from config import Configuration
from config.schema.reports import Band, Climate
from reports.equipment_rows import CertificateRow, LoadRow, QualityRow, ReadingRow
from reports.parts import Label, at
from storage.metrics import Curve, MetricStore, Query, StoreError

_HOUR_S = 3600
_MOST_HOURS, _AT_ONCE = 192, 200_000
"""The most hours, and about the most values, that are read at once."""
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
        if curve.times_ns[-1] > self.last_ns:
            self.last, self.last_ns = curve.high[-1], curve.times_ns[-1]

    @property
    def mean(self) -> float:
        return round(self.total / self.hours, 3)


async def readings(configuration: Configuration, store: MetricStore, start_ns: int, end_ns: int) -> list[ReadingRow]:
    """Read what sensors of power, rooms and disks said in a month.

    Raises:
        StoreError: the store cannot answer.
    """
    found: list[ReadingRow] = []
    climate = configuration.reports.climate
    for group, kinds in (("power", _POWER), ("climate", ("temperature", "humidity")), ("disks", _DISKS)):
        for kind in kinds:
            band = _band(climate, kind)
            tags = {"kind": kind, **({"role": _ROOM} if group == "climate" else {})}
            curves = await _sums(
                store, "sensor", ("value", "status_code"), ("target", "sensor", "unit"), start_ns, end_ns, tags, band
            )
            found += _rows(configuration, group, kind, curves, start_ns, end_ns, band)
    curves = await _sums(store, "disk", ("used_percent",), ("target", "path"), start_ns, end_ns)
    renamed = {((*names, "%"), "value"): sums for (names, _), sums in curves.items()}
    found += _rows(configuration, "disks", "storage", renamed, start_ns, end_ns, None)
    return found


Names = tuple[str, ...]
Found = dict[tuple[Names, str], _Sums]
"""By the values of some tags of a series, and the name of a field."""


async def _sums(
    store: MetricStore, measurement: str, fields: Names, by: Names, start_ns: int, end_ns: int,
    tags: Mapping[str, str] | None = None, band: Band | None = None,
) -> Found:  # fmt: skip
    """Sum up every series of a measurement, those together that differ in no tag of ``by``.

    A target whose site or role became another one in the month has two of them.
    """
    found: Found = {}
    begin, hours, most = start_ns, 24, _MOST_HOURS
    while begin < end_ns:
        # To the end of a day in UTC: the embedded store has its summaries by those, and need not open one twice.
        wide = hours * _HOUR_S * 10**9
        end = min(begin // wide * wide + wide, end_ns)
        query = Query(measurement, begin, end, fields, tags or {}, step_s=_HOUR_S)
        try:
            curves = [curve for curve in await store.read(query) if curve.times_ns]
        except StoreError:
            if hours == 1:
                raise
            hours = most = max(1, hours // 4)  # it may have been too much for one answer
            continue
        hourly = sum(len(curve.times_ns) for curve in curves) * _HOUR_S * 10**9 / (end - begin)
        days = int(_AT_ONCE // max(1.0, 24 * hourly))
        begin, hours = end, min(most, 24 * max(1, days))
        for curve in curves:
            known = dict(curve.series.tags)
            sums = found.setdefault((tuple(known.get(tag, "") for tag in by), curve.field), _Sums())
            if curve.field == "status_code":  # 0 is well, 3 is not known
                sums.take(curve, lambda mean: mean > 0)
            elif band is not None and curve.field == "value":
                sums.take(curve, lambda mean: not band.low <= mean <= band.high)
            else:
                sums.take(curve)
    return found


def _rows(
    configuration: Configuration, group: str, kind: str, curves: Found, start_ns: int, end_ns: int, band: Band | None
) -> Iterable[ReadingRow]:
    targets, hours = configuration.inventory.targets, max(1, (end_ns - start_ns) // (_HOUR_S * 10**9))
    for names in sorted({names for names, _ in curves}):
        target, (_, sensor, unit) = targets.get(names[0]), names
        value, status = curves.get((names, "value")), curves.get((names, "status_code"))
        either = value or status
        if unit == _STATE:
            value = None
        if target is None or either is None:
            continue
        yield ReadingRow(
            group=group, kind=kind, id=target.id, target=_label(configuration, target.id),
            sensor=sensor, unit=unit,
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
    last: dict[Names, _Sums] = {}
    for measurement in _CERTIFICATES:
        seen = await _sums(store, measurement, ("expiry",), ("target", "probe"), start_ns, end_ns)
        for ((target, probe), _), sums in seen.items():
            key = (target, probe or measurement)
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
    for ((target,), name), sums in (await _sums(store, "ping", _PING, ("target",), start_ns, end_ns)).items():
        by.setdefault(target, {})[name] = sums
    heard: dict[str, list[float]] = {}
    for ((target, _), _), sums in (
        await _sums(store, "quality", ("mos",), ("target", "dscp"), start_ns, end_ns)
    ).items():
        heard.setdefault(target, []).append(sums.mean)
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
