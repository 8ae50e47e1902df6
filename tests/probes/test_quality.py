"""The E-model against published figures, and what a burst says of a line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haidang.clock import SystemClock
from haidang.model import Status
from probes.emodel import CODECS, mos, r_factor
from probes.icmp import IcmpEngine
from probes.quality import QualitySettings, burst_ratio, judge, quality
from tests.probes.test_icmp import run_inside
from tests.support.netns import Namespace

MS = 1_000_000


def test_the_default_of_g107_is_93_2() -> None:
    assert r_factor() == pytest.approx(93.2, abs=0.05)


@pytest.mark.parametrize(
    ("r", "published"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (100, 4.5)]
)
def test_mos_is_that_of_table_b1(r: float, published: float) -> None:
    assert mos(r) == pytest.approx(published, abs=0.01)


@pytest.mark.parametrize(
    ("codec", "loss", "ie_eff"),
    [("g729a", 0, 11), ("g729a", 2, 19), ("g711", 1, 17.92), ("g723.1", 0, 15), ("gsm-efr", 10, 50)],
)
def test_codec_and_random_loss_cost_what_g107_and_g113_say(codec: str, loss: float, ie_eff: float) -> None:
    assert r_factor() - r_factor(0, loss, CODECS[codec]) == pytest.approx(ie_eff, abs=0.01)


@given(st.floats(0, 2000), st.floats(0, 2000), st.floats(0, 99), st.floats(0, 1), st.sampled_from(sorted(CODECS)))
def test_more_delay_and_more_loss_are_never_better(
    delay: float, more: float, loss: float, further: float, name: str
) -> None:
    codec = CODECS[name]
    # The recommendation itself gives 0.06 more at 1 ms than at none.
    assert r_factor(delay + more, loss, codec) <= r_factor(delay, loss, codec) + 0.1
    assert r_factor(delay, loss + further, codec) <= r_factor(delay, loss, codec) + 1e-9
    assert 1 <= mos(r_factor(delay, loss, codec)) <= 4.5


def test_a_burst_is_judged_by_what_a_receiver_would_hear() -> None:
    settings = QualitySettings(jitter_buffer_ms=40, codec="g711")
    sent = [index * 20 * MS for index in range(10)]
    rtts = [10 * MS] * 10
    good = judge(sent, rtts, settings)
    assert (good["delay_ms"], good["pdv_p95_ms"], good["ipdv_max_ms"], good["reordered_percent"]) == (5, 0, 0, 0)
    assert good["mouth_to_ear_ms"] == 5 + 40 + 20
    rtts[3] = 75 * MS  # comes after 4, 5 and 6, and too late
    rtts[8] = -1
    bad = judge(sent, rtts, settings)
    assert bad["reordered_percent"] == pytest.approx(100 / 9)
    assert bad["late_percent"] == 10
    assert (bad["ipdv_max_ms"], bad["burst_ratio"]) == (65, 1.0)
    assert float(bad["mos"]) < float(good["mos"])


def test_losses_that_come_together_are_told_apart() -> None:
    assert burst_ratio([True, False, True, True]) == 1.0
    assert burst_ratio([True] * 5 + [False] * 5) == pytest.approx(2.5)
    assert burst_ratio([False] * 3) == burst_ratio([True]) == 1.0


def test_a_lossy_line_is_worse_than_a_clean_one(space: Namespace) -> None:
    settings = QualitySettings(count=100, interval_s=0.01, timeout_s=0.3)

    async def clean(engine: IcmpEngine) -> None:
        seen, rtts = await quality(engine, SystemClock(), "127.0.0.1", settings)
        assert (seen.status, seen.probe, len(rtts)) == (Status.UP, "quality", 100)
        assert float(seen.fields["mos"]) > 4.3

    async def lossy(engine: IcmpEngine) -> None:
        seen, rtts = await quality(engine, SystemClock(), "127.0.0.1", settings)
        assert rtts.count(None) == 20
        assert float(seen.fields["mos"]) < 3.6
        seen, _ = await quality(engine, SystemClock(), "127.0.0.1", replace(settings, dscp=0, count=10))
        assert seen.fields["packets_received"] == 10  # only what is marked EF was dropped

    run_inside(space, clean)
    space.nft(
        "table ip t { chain c { type filter hook input priority 0;\n"
        "ip dscp ef icmp type echo-request numgen inc mod 10 < 2 drop; }; }\n"
    )
    run_inside(space, lossy)
