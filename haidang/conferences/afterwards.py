"""How a meeting went, room by room, from what was measured and what is on record of it.

Each minute of it has a MOS: the worst of what is known of that minute. That is 1 where the ledger says that the room
could not be reached; that of the bursts marked as the meeting's video is; and that of the pings, where there were
enough of them to say anything about loss. A minute of which nothing is known is not measured, neither good nor bad.
"""

from __future__ import annotations

import sqlite3
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from alerting import records
from config import Configuration
from config.schema.conferences import Conferences
from haidang.conferences.meetings import Sitting
from haidang.conferences.sheets import Room
from haidang.conferences.verdict import Reason, Verdict, line_reasons, worst
from haidang.model import CheckId, FieldValue, State
from haidang.show import utc
from probes.emodel import CODECS, mos, r_factor
from probes.quality import QualitySettings
from storage.ledger import LedgerReader
from storage.metrics import Curve, MetricStore, Query

MINUTE_NS = 60 * 10**9
FEWEST_ECHOES = 20
"""Pings in a minute from which on their loss says something: one lost of twenty is five percent."""
FEWEST_MEASURED = 0.9
"""Share of a meeting that has to be measured for its figures to be good ones."""
MOST_INCIDENTS = 5
"""Incidents named for a room; of more their number."""
_DOWN = frozenset({State.DOWN, State.UNREACHABLE})
_PING = ("packets_transmitted", "percent_packet_loss", "average_response_ms", "jitter_ms")
_BURST = ("loss_percent", "delay_ms", "ipdv_mean_ms", "mos")


@dataclass(frozen=True, slots=True)
class Minute:
    """What is known of one minute of a room: loss and MOS, and what can only be measured while something answers."""

    mos: float
    loss_percent: float
    delay_ms: float | None = None
    variation_ms: float | None = None
    down: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """An incident that touched a room while it met; times in UTC nanoseconds, ``until_ns`` ``None`` while it lasts."""

    number: int
    target: str
    start_ns: int
    until_ns: int | None


async def look_back(
    configuration: Configuration, sitting: Sitting, store: MetricStore | None, sql: sqlite3.Connection
) -> tuple[Room, ...]:
    """Judge how every room of a meeting was connected while it was held.

    Parameters:
        configuration: limits, mark and the rooms.
        store: what was measured; ``None`` when it cannot be asked: then only what is on record counts.
        sql: ``haidang.db``.

    Raises:
        StoreError: the store cannot answer now.
    """
    return tuple(
        [
            await _room(configuration, sitting, name, store, sql)
            for name in dict.fromkeys(sitting.meeting.rooms)
            if name in configuration.inventory.targets
        ]
    )


async def _room(
    configuration: Configuration, sitting: Sitting, name: str, store: MetricStore | None, sql: sqlite3.Connection
) -> Room:
    down = _down_minutes(configuration, sitting, name, LedgerReader(sql))
    pings: list[Curve] = []
    bursts: list[Curve] = []
    if store is not None:
        span = (sitting.start_ns, sitting.end_ns)
        pings = await store.read(Query("ping", *span, _PING, {"target": name}, step_s=60))
        bursts = await store.read(Query("quality", *span, _BURST, {"target": name}, step_s=60))
    minutes = put_together(sitting, down, _by_minute(pings), _by_minute(_marked(bursts, configuration)))
    found = troubles(configuration, sitting, name, sql)
    return judge(name, sitting, minutes, found, configuration, measured=store is not None)


def put_together(
    sitting: Sitting, down: Iterable[int], pings: Mapping[int, Mapping[str, float]],
    bursts: Mapping[int, Mapping[str, float]],
) -> dict[int, Minute]:  # fmt: skip
    """Make of everything that is known of a room one `Minute` for each of which something is.

    Parameters:
        down: minutes in which it could not be reached, each by its beginning in UTC nanoseconds.
        pings, bursts: what was measured, by minute and field; ``mos`` is the lowest of the minute, others are means.
    """
    gone, found = frozenset(down), {}
    for at_ns in range(sitting.start_ns // MINUTE_NS * MINUTE_NS, sitting.end_ns, MINUTE_NS):
        ping, burst = pings.get(at_ns, {}), bursts.get(at_ns, {})
        enough = ping.get("packets_transmitted", 0) >= FEWEST_ECHOES
        scores = [score for score in (_of_pings(ping) if enough else None, _of_bursts(burst)) if score is not None]
        if at_ns in gone:
            scores.append(1.0)
        if not scores:
            continue
        loss = ping.get("percent_packet_loss") if enough else burst.get("loss_percent")
        round_trip = ping.get("average_response_ms")
        found[at_ns] = Minute(
            min(scores), 100.0 if loss is None else loss,
            burst.get("delay_ms", None if round_trip is None else round_trip / 2),
            burst.get("ipdv_mean_ms", ping.get("jitter_ms")), at_ns in gone,
        )  # fmt: skip
    return found


def judge(
    name: str, sitting: Sitting, minutes: Mapping[int, Minute], found: Sequence[Trouble], configuration: Configuration,
    *, measured: bool = True,
) -> Room:  # fmt: skip
    """Say of one room how it was, with every reason.

    Parameters:
        minutes: those of which something is known.
        found: incidents that touched it.
        measured: whether the metric store could be asked.
    """
    limits, zone = configuration.conferences, configuration.timezone
    lasted = max(1, round((sitting.end_ns - sitting.start_ns) / MINUTE_NS))
    figures: dict[str, FieldValue] = {"minutes": lasted, "minutes_measured": min(lasted, len(minutes))}
    why: list[Reason] = []
    if minutes:
        figures |= _figures(minutes, limits)
        down = int(figures["minutes_down"])
        at_ns = min(minutes, key=lambda one: (minutes[one].mos, -minutes[one].loss_percent, one))
        if down:
            why.append(Reason(Verdict.NO_GO, "was_down", {"minutes": str(down)}))
        why += line_reasons(figures, limits)
        if figures["minutes_below"]:
            gaps = {
                "minutes": str(figures["minutes_below"]), "limit": f"{limits.watch_mos:g}",
                "mos": f"{minutes[at_ns].mos:.1f}", "at": _hour(at_ns, zone),
            }  # fmt: skip
            why.append(Reason(Verdict.WATCH, "below", gaps))
        figures |= {"worst_at": utc(at_ns) or "", "mos_lowest": round(minutes[at_ns].mos, 2)}
    for one in found[:MOST_INCIDENTS]:
        until = "…" if one.until_ns is None else _hour(one.until_ns, zone)
        gaps = {"number": str(one.number), "target": one.target, "from": _hour(one.start_ns, zone), "until": until}
        why.append(Reason(Verdict.WATCH, "incident", gaps))
    if len(found) > MOST_INCIDENTS:
        why.append(Reason(Verdict.WATCH, "more_incidents", {"count": str(len(found) - MOST_INCIDENTS)}))
    if not measured:
        why.append(Reason(Verdict.WATCH, "store_away"))
    elif len(minutes) < FEWEST_MEASURED * lasted:
        gaps = {"measured": str(figures["minutes_measured"]), "minutes": str(lasted)}
        why.append(Reason(Verdict.WATCH, "unmeasured", gaps))
    why.sort(key=lambda one: tuple(Verdict).index(one.verdict), reverse=True)
    return Room(name, worst(why), tuple(why), figures)


def troubles(configuration: Configuration, sitting: Sitting, room: str, sql: sqlite3.Connection) -> list[Trouble]:
    """Return the incidents by which a room failed, itself or behind something else, while it met; each once."""
    reader, target = LedgerReader(sql), configuration.inventory.targets[room]
    found: dict[int, Trouble] = {}
    for probe in target.probes:
        for one in reader.between(CheckId(room, probe), sitting.start_ns, sitting.end_ns):
            leading = None if one.incident is None or one.state not in _DOWN else records.root(sql, one.incident)
            if leading is not None:
                until_ns = leading.ended_ns
                found[leading.number] = Trouble(leading.number, leading.check.target, leading.since_ns, until_ns)
    return sorted(found.values(), key=lambda one: (one.start_ns, one.number))


def _down_minutes(configuration: Configuration, sitting: Sitting, room: str, reader: LedgerReader) -> frozenset[int]:
    """Return the minutes in at least half of which a room could not be reached."""
    spent: dict[int, int] = {}
    for one in reader.between(configuration.inventory.targets[room].primary, sitting.start_ns, sitting.end_ns):
        if one.state not in _DOWN:
            continue
        start_ns, end_ns = max(one.start_ns, sitting.start_ns), min(one.end_ns or sitting.end_ns, sitting.end_ns)
        for at_ns in range(start_ns // MINUTE_NS * MINUTE_NS, end_ns, MINUTE_NS):
            lasted_ns = min(at_ns + MINUTE_NS, end_ns) - max(at_ns, start_ns)
            spent[at_ns] = spent.get(at_ns, 0) + lasted_ns
    return frozenset(at_ns for at_ns, lasted_ns in spent.items() if 2 * lasted_ns >= MINUTE_NS)


def _figures(minutes: Mapping[int, Minute], limits: Conferences) -> dict[str, FieldValue]:
    """Put the minutes together; what nothing was answered for is not there."""
    rows = list(minutes.values())
    figures: dict[str, FieldValue] = {
        "mos": round(statistics.fmean(one.mos for one in rows), 2),
        "loss_percent": round(statistics.fmean(one.loss_percent for one in rows), 2),
        "minutes_down": sum(one.down for one in rows), "minutes_below": sum(one.mos < limits.watch_mos for one in rows),
    }  # fmt: skip
    delays = [one.delay_ms for one in rows if one.delay_ms is not None]
    variations = [one.variation_ms for one in rows if one.variation_ms is not None]
    if delays:
        figures["delay_ms"] = round(statistics.median(delays), 1)
    if variations:
        figures["variation_ms"] = round(statistics.fmean(variations), 1)
    return figures


def _of_pings(ping: Mapping[str, float]) -> float | None:
    """Return the MOS of a minute by its pings (ITU-T G.107), with the codec and the buffer of the bursts."""
    loss, round_trip = ping.get("percent_packet_loss"), ping.get("average_response_ms")
    if loss is None:
        return None
    if round_trip is None:
        return 1.0 if loss >= 100 else None
    settings = QualitySettings()
    codec = CODECS[settings.codec]
    return mos(r_factor(round_trip / 2 + settings.jitter_buffer_ms + codec.delay_ms, loss, codec))


def _of_bursts(burst: Mapping[str, float]) -> float | None:
    """Return the MOS of a minute by its worst burst; one without any answer has none of its own."""
    return 1.0 if burst.get("most_loss_percent", 0.0) >= 100 else burst.get("mos")


def _marked(curves: Sequence[Curve], configuration: Configuration) -> list[Curve]:
    """Return those of the bursts that are marked as the meeting's video is; all of them when none is."""
    mark = configuration.conferences.mark
    return [one for one in curves if ("dscp", mark) in one.series.tags] or list(curves)


def _by_minute(curves: Iterable[Curve]) -> dict[int, dict[str, float]]:
    """Set the fields of one minute beside each other; several series of a room (tags that changed) are put together."""
    found: dict[int, dict[str, float]] = {}
    for curve in curves:
        rows = zip(curve.times_ns, curve.count, curve.mean, curve.low, curve.high, strict=True)
        for at_ns, count, mean, low, high in rows:
            minute = found.setdefault(at_ns, {})
            if curve.field == "packets_transmitted":
                minute[curve.field] = minute.get(curve.field, 0.0) + mean * count
            elif curve.field == "mos":
                minute["mos"] = min(low, minute.get("mos", low))
            else:
                minute[curve.field] = mean
                if curve.field == "loss_percent":
                    minute["most_loss_percent"] = max(high, minute.get("most_loss_percent", high))
    return found


def _hour(at_ns: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at_ns // 10**9, zone):%H:%M}"
