"""Scenarios as they are written: read, cast in a province, spread over time, and what is then true."""

from __future__ import annotations

from pathlib import Path

import pytest

from haidang.clock import ManualClock
from lab.province import RunningProvince, Shape, generate
from lab.scenario import (
    Scenario,
    ScenarioInvalid,
    Truth,
    Witness,
    actions,
    choose,
    faults,
    names,
    read_scenario,
)
from lab.scenario.play import perform

TENTH = generate(Shape().scaled(0.1), 1)
WHOLE = generate(Shape(), 1)
WANTED = {
    "single-link-cut", "hub-cut-parent-last", "hub-cut-parent-first", "carrier-outage", "flapping-line", "loss-even",
    "loss-bursty", "latency-creep", "commune-power-failure", "regional-storm", "device-reboot", "counter-wrap",
    "agent-dead", "room-unreachable", "certificate-expiring", "store-away", "mail-away", "mail-greylisted",
    "clock-step", "quiet-day",
}  # fmt: skip


class NoStage:
    """Nothing beside the province."""

    def mail(self, state: str) -> None:
        raise AssertionError(state)

    def step_clock(self, seconds: float) -> None:
        raise AssertionError(seconds)


def written(tmp_path: Path, text: str) -> Scenario:
    path = tmp_path / "one.yaml"
    path.write_text("scenario: one\ntitle: {vi: Một, en: One}\n" + text, encoding="utf-8")
    return read_scenario(str(path))


def test_the_scenarios_that_were_promised_are_there() -> None:
    assert set(names()) >= WANTED


@pytest.mark.parametrize("name", names())
def test_each_scenario_can_be_played_in_a_tenth_and_in_a_whole_province(name: str) -> None:
    scenario = read_scenario(name)
    assert scenario.scenario == name
    assert set(scenario.title) == {"vi", "en"}
    for province in (TENTH, WHOLE):
        cast = choose(scenario, province)
        script = actions(scenario, cast, province.seed)
        assert [one.at_s for one in script] == sorted(one.at_s for one in script)
        for fault in faults(scenario, province, cast, 0):
            shared = {*province.feeders, *province.shape.carriers}
            assert all(cause.partition("/")[0] in province.units.keys() | shared for cause in fault.causes)
            assert any(cause.partition("/")[0] in province.units for cause in fault.causes)
            assert fault.start_ns < fault.end_ns


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lasts: 5\n", "lasts: a time is a number and its unit: 90s, 2m, 6h or 30d"),
        ("lasts: 5m\nlast: 5m\n", "last: Extra inputs are not permitted"),
        ("lasts: 5m\nsteps: [{at: 1m}]\n", "a step does one of cut, mend, set"),
        ("lasts: 5m\ncast: {l: {of: lines}}\nsteps: [{at: 1m, cut: l, mend: l}]\n", "not cut and mend"),
        ("lasts: 5m\nsteps: [{at: 1m, cut: line}]\ncast: {lime: {of: lines}}\n", "did you mean lime?"),
        ("lasts: 5m\nsteps: [{at: 6m, mail: away}]\n", "the mail at 360 s goes on after the end, at 300 s"),
        ("lasts: 5m\nsteps: [{at: 1m, mail: gone}]\n", "steps.0.mail: Input should be 'away', 'greylist' or 'well'"),
        ("lasts: 5m\ncast: {s: {of: sites}}\nsteps: [{at: 1m, power: s}]\n", "state: on or off belongs to power"),
        ("lasts: 5m\ncast: {s: {of: sites, take: 1, share: 3}}\n", "take or share, not both"),
        ("lasts: 5m\ncast: {s: {of: sites}}\nsteps: [{at: 0s, reboot: s, times: 2}]\n", "times needs every"),
        ("lasts: [\n", "cannot be read"),
        ("lasts: 5m\ntruth: [{failed: x, at: 1m}]\n", "nobody in the cast is called 'x'"),
    ],
)
def test_a_scenario_that_cannot_be_used_says_where_and_why(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ScenarioInvalid) as caught:
        written(tmp_path, text)
    assert words in str(caught.value)
    assert "one.yaml" in str(caught.value)


def test_a_scenario_that_is_not_there_is_refused_with_what_was_probably_meant() -> None:
    with pytest.raises(ScenarioInvalid, match="did you mean hub-cut"):
        read_scenario("hub-cutt")


def test_a_part_nobody_fits_is_refused(tmp_path: Path) -> None:
    scenario = written(tmp_path, "lasts: 5m\ncast: {x: {of: lines, carrier: Nobody}}\n")
    with pytest.raises(ScenarioInvalid, match=r"cast\.x: nobody in this province fits"):
        choose(scenario, TENTH)


def test_a_share_is_drawn_by_the_seed_and_a_step_spreads_over_it(tmp_path: Path) -> None:
    scenario = written(
        tmp_path,
        "lasts: 30m\ncast: {s: {of: sites, level: commune, share: 30}}\n"
        "steps: [{at: 1m, over: 5m, power: s, state: 'off'}]\n",
    )
    cast = choose(scenario, WHOLE)
    assert len(cast["s"]) == 63  # 30 % of 209
    assert cast == choose(scenario, WHOLE)
    assert cast != choose(scenario, generate(Shape(), 2))
    times = [one.at_s for one in actions(scenario, cast, 1)]
    assert (times[0], round(times[-1])) == (60, 355)
    assert [one.name for one in actions(scenario, cast, 1)] != sorted(cast["s"])


def test_a_step_that_repeats_happens_so_often(tmp_path: Path) -> None:
    scenario = written(
        tmp_path,
        "lasts: 30m\ncast: {l: {of: lines, take: 1}}\n"
        "steps: [{at: 0s, cut: l, every: 2m, times: 3}, {at: 30s, mend: l, every: 2m, times: 3}]\n",
    )
    script = actions(scenario, choose(scenario, TENTH), 1)
    assert [(one.at_s, one.step.verb) for one in script] == [
        (0, "cut"), (30, "mend"), (120, "cut"), (150, "mend"), (240, "cut"), (270, "mend"),
    ]  # fmt: skip


def test_the_cause_of_a_cut_line_is_its_end_where_it_has_one() -> None:
    one = read_scenario("backbone-line-cut")
    both, single = read_scenario("hub-lines-cut"), read_scenario("single-link-cut")
    (fault,) = faults(one, TENTH, choose(one, TENTH), 0)
    assert fault.causes == {"viettel-luc-ngan-end/icmp"}
    (fault,) = faults(both, TENTH, choose(both, TENTH), 0)
    assert fault.causes == {"viettel-luc-ngan-end/icmp", "fpt-luc-ngan-end/icmp", "Viettel/carrier", "FPT/carrier"}
    (fault,) = faults(single, TENTH, choose(single, TENTH), 0)
    assert fault.causes == {"luc-ngan-chu-router/icmp"}


def test_a_fault_is_seen_by_the_probe_that_the_scenario_names() -> None:
    scenario = read_scenario("certificate-expiring")
    cast = choose(scenario, TENTH)
    (fault,) = faults(scenario, TENTH, cast, 0)
    assert fault.causes == {f"{cast['web'][0]}/rule:certificate"}


def test_the_witness_times_a_power_failure_by_the_battery_not_by_the_mains() -> None:
    scenario = read_scenario("commune-power-failure")
    clock = ManualClock()
    running = RunningProvince(TENTH, clock, tell=lambda _unit, _event: None)
    witness = Witness(running, clock)
    cast = choose(scenario, TENTH)
    (site,) = cast["site"]
    start_ns = witness.now_ns()
    script = actions(scenario, cast, 1)
    for second in range(3 * 3600):
        clock.advance(1)
        running.advance()
        while script and script[0].at_s <= second:
            perform(running, script.pop(0), NoStage())
        witness.look()
    truth = Truth(
        start_ns, witness.now_ns(), tuple(faults(scenario, TENTH, cast, start_ns)), tuple(witness.outages()),
        {unit.id: unit.system for unit in TENTH.units.values()},
    ).refined()  # fmt: skip
    runtime_s = TENTH.units[f"{site}-ups"].runtime_min * 60
    assert (truth.faults[0].start_ns - start_ns) / 1e9 == pytest.approx(60 + runtime_s, abs=3)
    down = truth.down_s()
    assert set(down) == {unit.id for unit in TENTH.units.values() if unit.site == site}
    router = f"{site}-router"
    boot_s = 90
    assert down[router] == pytest.approx(7200 - 60 - runtime_s + boot_s, abs=5)


def test_the_witness_is_not_misled_by_a_step_of_the_wall_clock() -> None:
    clock = ManualClock()
    running = RunningProvince(TENTH, clock, tell=lambda _unit, _event: None)
    witness = Witness(running, clock)
    witness.look()
    running.cut("viettel-luc-ngan")
    running.cut("fpt-luc-ngan")
    witness.look()
    clock.advance(30)
    clock.step(7200)
    clock.advance(30)
    running.mend("viettel-luc-ngan")
    for _ in range(10):
        clock.advance(1)
        witness.look()
    hub = [one for one in witness.outages() if one.unit == "luc-ngan-router"]
    assert [(one.end_ns - one.start_ns) / 1e9 for one in hub] == [pytest.approx(60, abs=5)]
