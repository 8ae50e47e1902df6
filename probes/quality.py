"""The quality of a line for voice and video, from a burst of marked echoes: loss, delay, its variation, order, MOS.

Echoes go and come back: one-way delay is taken as half the round-trip time, and loss is of both ways together, so a
call, which needs each way once, is judged a little too hard, never too kindly.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from haidang.clock import Clock
from haidang.model import FieldValue, Observation
from probes.emodel import CODECS, mos, r_factor
from probes.icmp import Burst, Pinger
from probes.icmp.probe import observe_burst

CODE_POINTS = {"best-effort": 0, "cs3": 24, "af31": 26, "af41": 34, "ef": 46}
"""RFC 2474, 2597, 3246; EF is for voice, AF41 for interactive video (RFC 4594)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySettings:
    """How the burst is sent and heard.

    Parameters:
        count, interval_s: echoes and their distance; voice sends one packet each 20 ms.
        size: payload, bytes; 160 is a packet of G.711.
        dscp: how they are marked.
        timeout_s: wait after the last.
        codec: one of `probes.emodel.CODECS`.
        jitter_buffer_ms: what the receiver waits for late packets; what is later than the fastest by more is lost.
    """

    count: int = 250
    interval_s: float = 0.02
    size: int = 172
    dscp: int = 46
    timeout_s: float = 2.0
    codec: str = "g711-plc"
    jitter_buffer_ms: float = 40.0


async def quality(
    engine: Pinger, clock: Clock, address: str, settings: QualitySettings
) -> tuple[Observation, tuple[float | None, ...]]:
    """Send a burst and judge it.

    Returns:
        the observation, and every round-trip time in ms, ``None`` for an echo without an answer.

    Raises:
        IcmpUnavailable, ValueError: as `IcmpEngine.start`.
    """
    seen, burst = await measure(engine, clock, address, settings)
    return seen, tuple(rtt / 1e6 if rtt >= 0 else None for rtt in burst.rtts_ns[: burst.index])


async def measure(engine: Pinger, clock: Clock, address: str, settings: QualitySettings) -> tuple[Observation, Burst]:
    """Send a burst and judge it; the burst itself has every echo's time. Errors as `quality`."""
    if settings.codec not in CODECS:
        raise ValueError(f"{settings.codec} is none of the codecs {', '.join(CODECS)}")
    seen, burst = await observe_burst(
        engine, clock, address, count=settings.count, interval_s=settings.interval_s, timeout_s=settings.timeout_s,
        size=settings.size, dscp=settings.dscp,
    )  # fmt: skip
    fields = dict(seen.fields)
    if burst.answered:
        # What could not be sent, and what our own buffer dropped, says nothing of the line.
        known = [
            (sent, rtt) for sent, rtt in zip(burst.sent_ns, burst.rtts_ns, strict=False)
            if sent and (rtt >= 0 or not burst.blind)
        ]  # fmt: skip
        fields.update(judge([sent for sent, _ in known], [rtt for _, rtt in known], settings))
    return replace(seen, probe="quality", fields=fields), burst


def judge(sent_ns: Sequence[int], rtts_ns: Sequence[int], settings: QualitySettings) -> dict[str, FieldValue]:
    """Compute what a burst says of a line; -1 for an echo without an answer, at least one has one.

    Delay variation is RFC 3393's, between packets that follow each other (§2.6), with the smallest delay as the other
    usual reference (RFC 5481, PDV); order is RFC 4737's (§3.3): an echo is reordered when one sent later came before.
    """
    codec = CODECS[settings.codec]
    answered = sorted(rtt for rtt in rtts_ns if rtt >= 0)
    fields: dict[str, FieldValue] = {
        "delay_ms": answered[len(answered) // 2] / 2e6,
        "pdv_p95_ms": (answered[(len(answered) * 19 + 19) // 20 - 1] - answered[0]) / 1e6,
    }
    steps = [abs(after - before) for before, after in itertools.pairwise(rtts_ns) if before >= 0 and after >= 0]
    if steps:
        fields["ipdv_mean_ms"] = sum(steps) / len(steps) / 1e6
        fields["ipdv_max_ms"] = max(steps) / 1e6
    arrivals = sorted(
        (sent + rtt, index) for index, (sent, rtt) in enumerate(zip(sent_ns, rtts_ns, strict=True)) if rtt >= 0
    )
    newest = -1
    reordered = 0
    for _, index in arrivals:
        reordered += index < newest
        newest = max(newest, index)
    fields["reordered_percent"] = 100 * reordered / len(arrivals)
    kept = [0 <= rtt <= answered[0] + settings.jitter_buffer_ms * 1e6 for rtt in rtts_ns]
    lost_percent = 100 * kept.count(False) / len(kept)
    fields["late_percent"] = lost_percent - 100 * sum(rtt < 0 for rtt in rtts_ns) / len(rtts_ns)
    fields["burst_ratio"] = burst_ratio(kept)
    ear_ms = answered[0] / 2e6 + settings.jitter_buffer_ms + codec.delay_ms
    rating = r_factor(ear_ms, lost_percent, codec, float(fields["burst_ratio"]))
    return {**fields, "mouth_to_ear_ms": ear_ms, "r_factor": rating, "mos": mos(rating)}


def burst_ratio(kept: Sequence[bool]) -> float:
    """Return BurstR: the mean length of the runs of lost packets over what random loss would give (G.107 §7.5)."""
    lost = sum(not one for one in kept)
    runs = sum(not one and (index == 0 or kept[index - 1]) for index, one in enumerate(kept))
    if not runs or lost == len(kept):
        return 1.0
    return max(1.0, lost / runs * (1 - lost / len(kept)))
