"""How full a circuit was: the 95th percentile of 5-minute samples per direction over seven days."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.load import FEWEST, SAMPLE_S, WINDOW_S, loads, percentile_95, points
from collectors.points import series
from config import Configuration, load
from haidang.connections import COLUMNS, connections
from haidang.model import Point
from storage.metrics import InMemoryStore

SECOND = 1_000_000_000
NOW = 1_790_000_100 * SECOND
CONFIG = """\
haidang: 1
credentials: [{id: core, version: 2c, community: {env: COMMUNITY}}]
sites: [{id: hub}, {id: luc-ngan}]
circuits:
  - {id: c-1, carrier: VNPT, contract: HD-77/2026, a: hub, b: luc-ngan, mbps: 100}
  - {id: c-2, mbps: 50}
targets:
  - {id: r1, address: 192.0.2.1, circuit: c-1, snmp: {credential: core%s}}
"""

NOBODY = "no target with snmp has this circuit, and no router at its sites a port with its id in the alias"


def configuration(tmp_path: Path, interface: str = "") -> Configuration:
    path = tmp_path / "haidang.yaml"
    path.write_text(CONFIG % (f", interface: {interface}" if interface else ""), encoding="utf-8")
    return load(path)


def store(bps: list[tuple[float, float]], name: str = "Gi0/1", alias: str = "WAN c-1") -> InMemoryStore:
    """Fill a store with the newest samples of five minutes, five points each."""
    made = InMemoryStore()
    line = series("interface", {"target": "r1", "ifName": name, "ifAlias": alias})
    end = NOW // (SAMPLE_S * SECOND) * SAMPLE_S * SECOND
    for number, (inward, outward) in enumerate(bps):
        start = end - (number + 1) * SAMPLE_S * SECOND
        for minute in range(5):
            fields = {"in_bps": inward, "out_bps": outward}
            made.add([Point(line, start + minute * 60 * SECOND, fields)])
    return made


async def test_p95_is_taken_per_direction_over_the_window_against_the_contract(tmp_path: Path) -> None:
    ramp = [(number * 1e6, 5e6) for number in range(1, 101)]
    first, second = await loads(configuration(tmp_path), store(ramp), NOW)
    assert (first.circuit, first.target, first.interface) == ("c-1", "r1", "Gi0/1")
    assert (first.in_p95_bps, first.out_p95_bps) == (95e6, 5e6)
    assert first.worst_percent == 95.0
    assert first.samples == 100
    assert first.coverage_percent == pytest.approx(100 * 100 / 2016)
    assert (second.circuit, second.reason) == (
        "c-2",
        NOBODY,
    )
    assert second.worst_percent is None


async def test_a_minute_of_full_line_in_an_idle_sample_is_one_fifth_of_it(tmp_path: Path) -> None:
    made = store([(0.0, 0.0)] * FEWEST)
    line = made.points[0].series
    made.points = [
        Point(line, point.time_ns, {"in_bps": 100e6 if number % 5 == 0 else 0.0, "out_bps": 0.0})
        for number, point in enumerate(made.points)
    ]
    found, _ = await loads(configuration(tmp_path), made, NOW)
    assert found.in_p95_bps == 20e6


async def test_what_is_older_than_seven_days_and_what_is_not_over_yet_does_not_count(tmp_path: Path) -> None:
    made = store([(10e6, 10e6)] * FEWEST)
    line = made.points[0].series
    for time_ns in (NOW - (WINDOW_S + 600) * SECOND, NOW):
        made.add([Point(line, time_ns, {"in_bps": 99e6, "out_bps": 99e6})])
    found, _ = await loads(configuration(tmp_path), made, NOW)
    assert (found.in_p95_bps, found.samples) == (10e6, FEWEST)


async def test_a_few_samples_give_no_percentile_and_say_so(tmp_path: Path) -> None:
    found, _ = await loads(configuration(tmp_path), store([(1e6, 1e6)] * (FEWEST - 1)), NOW)
    assert found.in_p95_bps is None
    assert found.reason == f"{FEWEST - 1} samples of 5 minutes: at least {FEWEST} are needed"
    assert points([found], NOW) == []


async def test_the_port_is_the_one_that_is_named_or_has_the_circuit_in_its_alias(tmp_path: Path) -> None:
    samples = [(1e6, 2e6)] * FEWEST
    by_contract, _ = await loads(configuration(tmp_path), store(samples, alias="thuê HD-77/2026 VNPT"), NOW)
    assert by_contract.interface == "Gi0/1"
    named, _ = await loads(configuration(tmp_path, "Te1/1"), store(samples, name="Te1/1", alias="x"), NOW)
    assert (named.interface, named.out_p95_bps) == ("Te1/1", 2e6)
    unmeasured, _ = await loads(configuration(tmp_path), InMemoryStore(), NOW)
    assert unmeasured.reason == "no rates of r1 are stored for a whole five minutes yet"
    nothing, _ = await loads(configuration(tmp_path), store(samples, alias="c-10 c-11"), NOW)
    assert "no interface of r1 has the circuit's id or contract in its alias" in nothing.reason
    both = store(samples)
    both.add(store(samples, name="Gi0/2").points)
    several, _ = await loads(configuration(tmp_path), both, NOW)
    assert several.reason.startswith("2 interfaces (Gi0/1, Gi0/2) of r1")


async def test_a_port_that_was_given_another_alias_is_one_port(tmp_path: Path) -> None:
    made = store([(1e6, 1e6)] * FEWEST)
    older = store([(1e6, 1e6)] * 2 * FEWEST, alias="c-1 old").points[FEWEST * 5 :]
    made.add(older)
    found, _ = await loads(configuration(tmp_path), made, NOW)
    assert (found.samples, found.interface) == (2 * FEWEST, "Gi0/1")


async def test_load_is_a_metric(tmp_path: Path) -> None:
    found = await loads(configuration(tmp_path), store([(90e6, 10e6)] * FEWEST), NOW)
    (point,) = points(found, NOW)
    assert (point.series.measurement, dict(point.series.tags)) == (
        "circuit_load", {"circuit": "c-1", "target": "r1", "ifName": "Gi0/1"}
    )  # fmt: skip
    assert point.fields == {
        "in_p95_bps": 90e6, "out_p95_bps": 10e6, "in_p95_percent": 90.0, "out_p95_percent": 10.0,
        "coverage_percent": 0.6, "capacity_bps": 100e6,
    }  # fmt: skip


async def test_the_connection_database_has_channel_bandwidth_and_quality(tmp_path: Path) -> None:
    made = store([(90e6, 10e6)] * FEWEST)
    ping = series("ping", {"target": "r1"})
    for number, loss in enumerate((0.0, 50.0)):
        fields = {"percent_packet_loss": loss, "percentile50_ms": 4.0, "jitter_ms": 0.5}
        made.add([Point(ping, NOW - (number + 1) * 60 * SECOND, fields)])
    first, second = await connections(configuration(tmp_path), made, NOW)
    assert tuple(first) == tuple(second) == COLUMNS
    assert (first["carrier"], first["contract"], first["contracted_mbps"]) == ("VNPT", "HD-77/2026", 100)
    assert (first["in_p95_mbps"], first["load_percent"], first["loss_percent"], first["rtt_ms"]) == (90, 90, 25, 4)
    assert second["loss_percent"] is None


@given(st.lists(st.floats(0, 1e12), min_size=FEWEST, max_size=60))
def test_at_most_a_twentieth_of_the_samples_is_above_the_percentile(samples: list[float]) -> None:
    found = percentile_95(samples)
    assert found in samples
    assert sum(sample > found for sample in samples) <= len(samples) * 0.05
    lower = [sample for sample in samples if sample < found]
    if lower:
        assert sum(sample > max(lower) for sample in samples) > len(samples) * 0.05
