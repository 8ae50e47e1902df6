"""Bursts to a target: how voice would fare, each echo kept, and what is too bad said in words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from collectors.names import AddressBook
from collectors.quality import QualityPlan, QualityWatch
from haidang.clock import ManualClock
from haidang.model import CheckId, Observation, Point, Status
from lab.lines import Conditions
from lab.network import Network
from lab.simulated import SimulatedLoop, SimulatedPinger
from probes.quality import QualitySettings

ADDRESS = "10.0.0.2"


def measured(loss_percent: float = 0.0, delay_ms: float = 20.0) -> tuple[Observation, Sequence[Point]]:
    """Measure a line of the lab once, in simulated time."""
    clock = ManualClock()
    network = Network(7)
    network.add_place("observer", "10.0.0.1")
    network.add_place("room", ADDRESS)
    network.add_line("line", "observer", "room", Conditions(delay_ms=delay_ms, loss_percent=loss_percent))
    found: list[tuple[Observation, Sequence[Point]]] = []

    async def once() -> None:
        plan = QualityPlan(300, ("ef", "af41"), QualitySettings(count=50), 3.6)
        addresses = AddressBook()
        addresses.want({ADDRESS})
        watch = QualityWatch(
            CheckId("room", "quality"), ADDRESS, plan, {"target": "room"}, engine=SimulatedPinger(network, clock),
            addresses=addresses, clock=clock, deliver=lambda seen, points: found.append((seen, points)),
        )  # fmt: skip
        watch.start(clock.utc_ns())
        await asyncio.sleep(20)  # in simulated time: both bursts and their timeouts

    with asyncio.Runner(loop_factory=lambda: SimulatedLoop(clock)) as runner:
        runner.run(once())
    [one] = found
    return one


def test_a_good_line_is_up_without_a_word_and_each_mark_has_its_figures() -> None:
    seen, points = measured()
    assert (seen.status, seen.warning) == (Status.UP, "")
    of_mark = {dict(one.series.tags)["dscp"]: one.fields for one in points if one.series.measurement == "quality"}
    assert set(of_mark) == {"ef", "af41"}
    assert all(float(fields["mos"]) > 4 and fields["loss_percent"] == 0 for fields in of_mark.values())


def test_every_echo_is_kept_with_the_time_it_was_sent() -> None:
    _, points = measured(loss_percent=20)
    smoke = [one for one in points if one.series.measurement == "smoke" and dict(one.series.tags)["dscp"] == "ef"]
    assert len(smoke) == 50
    times = [one.time_ns for one in smoke]
    assert times == sorted(set(times))
    lost = [one for one in smoke if one.fields["lost"]]
    assert 0 < len(lost) < 25
    assert all("rtt_ms" not in one.fields for one in lost)


def test_a_line_that_spoils_voice_is_up_with_a_reason_that_says_why() -> None:
    seen, _ = measured(loss_percent=20)
    assert seen.status is Status.UP
    assert "ef: MOS" in seen.warning
    assert "below 3.6" in seen.warning


def test_a_line_without_an_answer_is_down_and_one_sample() -> None:
    seen, _ = measured(loss_percent=100)
    assert (seen.status, [sample.ok for sample in seen.samples]) == (Status.DOWN, [False])
