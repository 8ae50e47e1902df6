"""A conference room's part of a device's page: how it is signalled, how the last bursts to it fared, its meetings."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from config import Target
from dashboards.web.model.board import Now
from dashboards.web.pages import meetings
from dashboards.web.pages.measured import frame, merged, read, window
from dashboards.web.pages.meetings import Record
from dashboards.web.pictures.curves import Line, Mark, dots, lines
from dashboards.web.seat import Seat
from haidang.model import CheckId, State
from storage.metrics import Curve, Query

SIGNALLING = ("sip", "h323", "snmp", "icmp")
"""What is asked of a room, the nearest to a call first."""
_FIELDS = ("loss_percent", "delay_ms", "pdv_p95_ms", "mos")
RECENT_H = 3
_BURST_S = 300
"""Echoes that lie further apart are of two bursts."""


@dataclass(frozen=True, slots=True)
class Burst:
    """The newest burst of one mark, in words.

    Parameters:
        mark: of its packets, e.g. ``ef``.
        at_ns: when it began.
        state: whose sign says whether a meeting would go well, by the limits of `config.schema.conferences`.
        loss, delay, variation, mos: as texts; ``–`` what is not known.
        picture: every echo of it; empty when they are not stored.
    """

    mark: str
    at_ns: int
    state: State
    loss: str
    delay: str
    variation: str
    mos: str
    picture: Markup


@dataclass(frozen=True, slots=True)
class Room:
    """What is said of a room.

    Parameters:
        meets: meetings are held in it; else it is only measured as if.
        signals: its checks with their states.
        bursts: the newest of each mark.
        picture: MOS over the time that is looked at; empty when none is stored.
        coming, past: its meetings.
    """

    meets: bool
    signals: list[tuple[str, Now]]
    bursts: list[Burst]
    picture: Markup
    coming: list[Record]
    past: list[Record]


def is_room(seat: Seat, target: Target) -> bool:
    """Tell whether a device is one that meetings are held in."""
    meets = any(target.id in one.rooms for one in seat.house.configuration.conferences.meetings)
    return meets or target.role.endswith("room")


async def room(seat: Seat, target: Target, hours: int, step_s: int) -> Room:
    """Return what is said of a room.

    Raises:
        StoreError: the metric store cannot answer.
        DeskBusy, DatabaseError: the ledger cannot be read.
    """
    board, words = seat.house.board, seat.words
    coming, past = await meetings.of_rooms(seat, target.id)
    signals = [
        (words.known("probes", probe), board.check(CheckId(target.id, probe)))
        for probe in SIGNALLING if probe in target.probes
    ]  # fmt: skip
    bursts: list[Burst] = []
    picture = Markup("")
    if "quality" in target.probes:
        found = await read(seat, Query("quality", *window(seat, RECENT_H), _FIELDS, {"target": target.id}))
        echoes = await read(seat, Query("smoke", *window(seat, 1), ("rtt_ms", "lost"), {"target": target.id}))
        marks = sorted({dict(curve.series.tags).get("dscp", "") for curve in found})
        bursts = [_burst(seat, mark, _of(found, mark), _of(echoes, mark)) for mark in marks]
        past_mos = await read(
            seat, Query("quality", *window(seat, hours), ("mos",), {"target": target.id}, max(step_s, 300))
        )
        drawn = [Line(mark, merged(_of(past_mos, mark), "mos", "low")) for mark in marks]
        if any(line.values for line in drawn):
            limits = seat.house.configuration.conferences
            title, step = f"MOS {target.label(words.language)}", max([300.0, *(float(one.step_s) for one in past_mos)])
            limit = Mark("limit", limits.watch_mos, words("room.watch_below", mos=words.number(limits.watch_mos)))
            picture = lines(frame(seat, hours, step, title), drawn, words.number, [limit], most=5.0)
    return Room(is_room(seat, target) or bool(coming or past), signals, bursts, picture, coming[:5], past[:8])


def _of(curves: list[Curve], mark: str) -> list[Curve]:
    return [one for one in curves if dict(one.series.tags).get("dscp", "") == mark]


def _burst(seat: Seat, mark: str, curves: list[Curve], echoes: list[Curve]) -> Burst:
    words, limits = seat.words, seat.house.configuration.conferences
    at_ns = max(curve.times_ns[-1] for curve in curves)
    newest = {curve.field: curve.mean[-1] for curve in curves if curve.times_ns[-1] == at_ns}
    loss, mos, delay = (newest.get(name) for name in ("loss_percent", "mos", "delay_ms"))
    bad = (loss or 0) >= limits.no_go_loss or (mos is not None and mos < limits.no_go_mos)
    uneasy = (
        (loss or 0) >= limits.watch_loss or (mos is not None and mos < limits.watch_mos)
        or (delay or 0) >= 1000 * limits.watch_delay_s
    )  # fmt: skip
    state = State.DOWN if bad or mos is None else State.DEGRADED if uneasy else State.UP

    def ms(name: str) -> str:
        return f"{words.number(newest[name], 1)} ms" if name in newest else "–"

    return Burst(
        mark, at_ns, state, "–" if loss is None else f"{words.number(loss, 1)}%", ms("delay_ms"), ms("pdv_p95_ms"),
        "–" if mos is None else words.number(mos, 2), _echoes(seat, mark, echoes),
    )  # fmt: skip


def _echoes(seat: Seat, mark: str, curves: list[Curve]) -> Markup:
    """Draw every echo of the newest burst."""
    times, lost = merged(curves, "rtt_ms", "mean"), merged(curves, "lost", "mean")
    sent = sorted({*times, *lost})
    first = len(sent) - 1
    while first > 0 and sent[first] - sent[first - 1] < _BURST_S * 10**9 / 10:
        first -= 1
    if len(sent) < 2:
        return Markup("")
    burst, words = sent[first:], seat.words

    def seconds(value: float) -> str:
        return f"{words.number(value, 2)} s"

    return dots(burst, times, words.ms, seconds, words("room.echoes", mark=words.known("marks", mark)))
