"""The arithmetic of a burst against a slow obvious model."""

from __future__ import annotations

import itertools
import math
import statistics

from hypothesis import given
from hypothesis import strategies as st

from probes.icmp.statistics import burst_fields, wilson


@given(st.lists(st.integers(-1, 10**10), min_size=1, max_size=50), st.data())
def test_the_fields_equal_an_obvious_model(rtts: list[int], data: st.DataObject) -> None:
    answered = [rtt / 1e6 for rtt in rtts if rtt >= 0]
    unknown = data.draw(st.integers(0, len(rtts) - len(answered)))
    fields = burst_fields(rtts, len(rtts), unknown)
    certain = len(rtts) - unknown
    assert fields["packets_sent"] == certain
    assert fields["packets_received"] == len(answered)
    if certain:
        assert math.isclose(float(fields["loss_percent"]), 100 * (certain - len(answered)) / certain)
    else:
        assert "loss_percent" not in fields
    if not answered:
        assert not any(name.startswith("rtt") for name in fields)
        return
    assert math.isclose(float(fields["rtt_min_ms"]), min(answered), abs_tol=1e-9)
    assert math.isclose(float(fields["rtt_max_ms"]), max(answered), abs_tol=1e-9)
    assert math.isclose(float(fields["rtt_mean_ms"]), statistics.fmean(answered), rel_tol=1e-9, abs_tol=1e-9)
    assert math.isclose(float(fields["rtt_median_ms"]), statistics.median(answered), rel_tol=1e-9, abs_tol=1e-9)
    rank = min(k for k in range(1, len(answered) + 1) if k >= 0.95 * len(answered) - 1e-9)
    assert math.isclose(float(fields["rtt_p95_ms"]), sorted(answered)[rank - 1], abs_tol=1e-9)
    steps = [abs(a - b) / 1e6 for a, b in itertools.pairwise(rtts) if a >= 0 and b >= 0]
    if steps:
        assert math.isclose(float(fields["jitter_ms"]), statistics.fmean(steps), rel_tol=1e-9, abs_tol=1e-9)
    else:
        assert "jitter_ms" not in fields


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_wilsons_interval_holds_the_ratio_and_stays_inside_zero_and_one(lost: int, received: int) -> None:
    sent = lost + received
    low, high = wilson(lost, sent)
    assert 0 <= low <= high <= 1
    if sent:
        assert low - 1e-12 <= lost / sent <= high + 1e-12


def test_wilsons_interval_is_the_published_one() -> None:
    low, high = wilson(1, 10)
    assert (round(low, 4), round(high, 4)) == (0.0179, 0.4042)
