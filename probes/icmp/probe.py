"""A burst of echoes as an observation."""

from __future__ import annotations

import asyncio

from haidang.clock import Clock
from haidang.model import Observation, Sample, Status
from probes.icmp.burst import Burst, Pinger
from probes.icmp.statistics import burst_fields


def observe(burst: Burst, target: str, slot_ns: int, clock: Clock) -> Observation:
    """Turn a burst that is over into an observation.

    One answer is enough for *up*. No answer is *down* when at least one echo certainly left here and its reply was
    not dropped by ourselves; otherwise *unknown*.
    """
    now = clock.monotonic_ns()
    to_utc = clock.utc_ns() - now
    sent = burst.index - burst.unsent
    missing = sent - burst.answered
    unknown = missing if burst.blind else 0
    samples = tuple(
        Sample(at + to_utc, rtt >= 0)
        for at, rtt in zip(burst.sent_ns, burst.rtts_ns, strict=False)
        if rtt >= 0 or (at and not burst.blind)
    )
    reason = burst.reason if missing or burst.unsent else ""
    if burst.answered:
        status = Status.UP
    elif sent - unknown > 0:
        status = Status.DOWN
        if not reason:
            reason = "no reply"
    else:
        status = Status.UNKNOWN
    if unknown:
        reason = f"our own receive buffer overflowed: {unknown} missing replies prove nothing"
    fields = burst_fields(burst.rtts_ns, sent, unknown)
    if burst.duplicates:
        fields["duplicates"] = burst.duplicates
    began = burst.sent_ns[0] or now
    return Observation(
        target, "icmp", slot_ns, status, reason, fields, (now - began) / 1e6, samples,
        no_route=burst.no_route and not burst.answered,
    )  # fmt: skip


async def ping(
    engine: Pinger, clock: Clock, address: str, *, count: int = 5, interval_s: float = 1.0, timeout_s: float = 2.0,
    size: int = 56, dscp: int = 0,
) -> Observation:  # fmt: skip
    """Ping one address now.

    Parameters:
        engine: an engine of this loop.
        clock: stamps the observation.
        address, count, interval_s, timeout_s, size, dscp: as in `IcmpEngine.start`.

    Raises:
        IcmpUnavailable, ValueError: as `IcmpEngine.start`.
    """
    options = {"count": count, "interval_s": interval_s, "timeout_s": timeout_s, "size": size, "dscp": dscp}
    return (await observe_burst(engine, clock, address, **options))[0]  # type: ignore[arg-type]


async def observe_burst(
    engine: Pinger, clock: Clock, address: str, *, count: int, interval_s: float, timeout_s: float, size: int,
    dscp: int,
) -> tuple[Observation, Burst]:  # fmt: skip
    """Ping one address now; the burst itself has every echo's time. Parameters and errors as `ping`."""
    over: asyncio.Future[Burst] = asyncio.get_running_loop().create_future()

    def done(burst: Burst) -> None:
        if not over.done():
            over.set_result(burst)

    slot_ns = clock.utc_ns()
    burst = engine.start(
        address, done, count=count, interval_s=interval_s, timeout_s=timeout_s, size=size, dscp=dscp
    )  # fmt: skip
    try:
        return observe(await over, address, slot_ns, clock), burst
    finally:
        engine.stop(burst)
