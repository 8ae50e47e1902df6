"""What a burst of echoes tells: round-trip times, loss, delay variation."""

from __future__ import annotations

import math
from collections.abc import Sequence

from haidang.model import FieldValue


def burst_fields(rtts_ns: Sequence[int], sent: int, unknown: int = 0) -> dict[str, FieldValue]:
    """Describe one burst.

    Parameters:
        rtts_ns: round-trip times in order of sending, nanoseconds; -1 for an echo without an answer.
        sent: echoes that left this machine.
        unknown: those of them without an answer of which we cannot say that the network lost them
            (our own receive buffer overflowed); they count neither as sent nor as lost.

    Returns:
        the fields of DESIGN's probe result. Without an answer there are no times; when nothing is certain there
        is no loss either. Median and p95 are sample quantiles (the value at rank ceil(q*n), RFC 2330 section 11.3;
        the median of an even count is the mean of the middle two). ``jitter_ms`` is the mean absolute difference
        of consecutive answered round trips (RFC 3393 section 2.4, applied to round trips).
    """
    certain = sent - unknown
    answered = sorted(rtt for rtt in rtts_ns if rtt >= 0)
    count = len(answered)
    fields: dict[str, FieldValue] = {"packets_sent": certain, "packets_received": count}
    if unknown:
        fields["packets_unknown"] = unknown
    if certain > 0:
        fields["loss_percent"] = 100.0 * (certain - count) / certain if count < certain else 0.0
    if count:
        middle = count >> 1
        median = answered[middle] if count & 1 else (answered[middle - 1] + answered[middle]) / 2
        fields["rtt_min_ms"] = answered[0] / 1e6
        fields["rtt_median_ms"] = median / 1e6
        fields["rtt_p95_ms"] = answered[(count * 19 + 19) // 20 - 1] / 1e6
        fields["rtt_max_ms"] = answered[-1] / 1e6
        fields["rtt_mean_ms"] = sum(answered) / count / 1e6
        total = pairs = 0
        previous = -1
        for rtt in rtts_ns:
            if rtt >= 0 and previous >= 0:
                total += abs(rtt - previous)
                pairs += 1
            previous = rtt
        if pairs:
            fields["jitter_ms"] = total / pairs / 1e6
    return fields


def wilson(lost: int, sent: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the Wilson score interval of a loss ratio, as two ratios between 0 and 1.

    Parameters:
        lost, sent: counts; with nothing sent the interval is (0, 1).
        z: the normal quantile; the default gives 95 %.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    if sent <= 0:
        return 0.0, 1.0
    ratio = lost / sent
    spread = z * math.sqrt(ratio * (1 - ratio) / sent + z * z / (4 * sent * sent))
    centre = ratio + z * z / (2 * sent)
    scale = 1 + z * z / sent
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
