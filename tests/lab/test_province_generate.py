"""A province from a few numbers: what is in it, and that what it says of itself is true in its network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haidang.clock import ManualClock
from lab.devices.engine_id import engine_id
from lab.network import Network
from lab.province import Province, Shape, Unit, generate
from lab.province.build import build_network
from lab.province.generate import share_out
from lab.province.names import read_names, slug

SECOND = 1_000_000_000
SMALL = Shape(districts=3, communes=20, rooms=12, cameras=9, devices=24, services=8, dual_percent=40)

shapes = st.builds(
    Shape,
    districts=st.integers(1, 14), communes=st.integers(14, 90), rooms=st.integers(1, 120), cameras=st.integers(1, 60),
    devices=st.integers(8, 90), services=st.integers(5, 30), dual_percent=st.sampled_from((0.0, 30.0, 100.0)),
    ups_percent=st.sampled_from((0.0, 50.0, 100.0)),
)  # fmt: skip


def roles(province: Province) -> Counter[str]:
    return Counter(unit.role for unit in province.units.values())


def test_the_default_province_has_the_numbers_it_was_asked_for() -> None:
    province = generate()
    levels = Counter(site.level for site in province.sites.values())
    assert levels == {"province": 1, "district": 10, "commune": 209, "monitoring": 10}
    found = roles(province)
    assert (found["camera"], found["room"], found["service"]) == (789, 60, 12)
    inside = [unit for unit in province.units.values() if unit.site == "province" and unit.is_device]
    assert len([unit for unit in inside if unit.role not in ("service", "room")]) == 40
    assert {link.carrier for link in province.links.values() if link.carrier} == {"VNPT", "Viettel", "FPT"}
    assert 1_250 <= len(province.units) <= 1_400


def test_a_district_has_two_routes_by_two_carriers_and_most_communes_one() -> None:
    province = generate()
    lines: dict[str, list[str]] = {}
    for link in province.links.values():
        if link.carrier:
            lines.setdefault(link.lower, []).append(link.carrier)
    hubs = [unit.id for unit in province.units.values() if unit.role == "hub-router"]
    assert all(len(set(lines[hub])) == 2 for hub in hubs)
    communes = Counter(len(lines[unit.id]) for unit in province.units.values() if unit.role == "router")
    assert communes[1] > 150
    assert communes[2] > 10
    assert sum(communes.values()) == 209


def test_the_communes_are_those_of_their_districts() -> None:
    province = generate()
    for district in read_names().districts:
        there = {site.name for site in province.sites.values() if site.parent == slug(district.name)}
        assert there - {read_names().monitoring.format(name=district.name)} == set(district.communes)


def test_the_same_seed_gives_the_same_province_and_another_one_another() -> None:
    assert generate(SMALL, 7) == generate(SMALL, 7)
    assert generate(SMALL, 7) != generate(SMALL, 8)


@pytest.mark.parametrize("factor", [0.001, 0.1, 10])
def test_a_scaled_province_has_every_kind_of_the_whole_one(factor: float) -> None:
    shape = Shape().scaled(factor)
    province = generate(shape)
    assert shape.cameras == max(1, round(789 * factor))
    missing = set(roles(generate())) - set(roles(province))
    assert missing <= ({"server-switch"} if factor < 1 else set())
    kinds = {offer.kind for offer in province.offers()}
    assert kinds == {"smtp", "dns", "https", "http", "ntp", "sip", "rtsp"}


@settings(max_examples=25, deadline=None)
@given(shape=shapes, seed=st.integers(0, 100))
def test_every_thing_has_its_own_name_and_address_and_all_that_is_named_exists(shape: Shape, seed: int) -> None:
    province = generate(shape, seed)
    addresses = [address for unit in province.units.values() for address in unit.addresses]
    assert len(addresses) == len(set(addresses))
    assert len([unit for unit in province.units.values() if unit.role == "camera"]) == shape.cameras
    assert len([unit for unit in province.units.values() if unit.role == "room"]) == shape.rooms
    assert len([site for site in province.sites.values() if site.level == "commune"]) == shape.communes
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", name) for name in (*province.units, *province.links))
    assert len({engine_id(name) for name in province.units}) == len(province.units)
    for unit in province.units.values():
        assert unit.site in province.sites
        assert {*unit.parents, unit.place} <= province.units.keys()
        assert not unit.circuit or province.links[unit.circuit].carrier
    for site in province.sites.values():
        assert site.id in province.feeders[site.feeder]
        assert {province.units[name].kind for name in site.ups} <= {"ups"}
    assert sorted(site for sites in province.feeders.values() for site in sites) == sorted(province.sites)


def reached(network: Network, unit: Unit, at_ns: int) -> bool:
    return all(network.round_trip(address, at_ns) is not None for address in unit.addresses)


def hours() -> Iterator[int]:
    """Moments an hour apart: routers have long found another way by the next."""
    clock = ManualClock()
    while True:
        yield clock.utc_ns()
        clock.advance(3_600)


def test_what_the_province_calls_a_parent_is_really_on_the_way() -> None:
    """With one of a unit's parents off it is reached as before if there are two, and not at all without any."""
    province = generate(SMALL)
    network = build_network(province)
    moments = hours()
    detours = 0
    for unit in province.units.values():
        assert reached(network, unit, next(moments)), unit.id
        for parent in unit.parents:
            network.switch(parent, on=False)
            network.round_trip(unit.addresses[0], next(moments))  # routers notice when a packet comes
            assert reached(network, unit, next(moments)) == (len(unit.parents) > 1), (unit.id, parent)
            detours += len(unit.parents) > 1
            network.switch(parent, on=True)
        for parent in unit.parents:
            network.switch(parent, on=False)
        network.round_trip(unit.addresses[0], next(moments))
        assert reached(network, unit, next(moments)) == (not unit.parents), unit.id
        for parent in unit.parents:
            network.switch(parent, on=True)
        network.round_trip(unit.addresses[0], next(moments))
    assert detours > 2 * SMALL.districts


def test_a_lines_end_is_reached_over_that_line_only() -> None:
    province = generate(SMALL)
    network = build_network(province)
    moments = hours()
    ends = [unit for unit in province.units.values() if unit.role == "circuit-end"]
    assert len(ends) >= 2 * SMALL.districts
    for end in ends:
        network.line(end.circuit).cut()
        network.round_trip(end.addresses[0], next(moments))
        at_ns = next(moments)
        assert not reached(network, end, at_ns)
        assert reached(network, province.units[province.links[end.circuit].lower], at_ns)
        network.line(end.circuit).mend()


def test_round_trips_are_a_few_milliseconds_and_longer_further_out() -> None:
    province = generate()
    network = build_network(province)
    times: dict[str, list[int]] = {}
    for unit in province.units.values():
        trip = network.round_trip(unit.addresses[0], SECOND)
        assert trip is not None
        times.setdefault(unit.role, []).append(trip)
    middle = {role: sorted(each)[len(each) // 2] / 1e6 for role, each in times.items()}
    assert middle["server"] < 2 < middle["hub-router"] < middle["router"] < 15


@given(total=st.integers(0, 500), weights=st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_shares_add_up_and_follow_the_weights(total: int, weights: list[int]) -> None:
    shares = share_out(total, weights)
    assert sum(shares) == total
    least = total >= len(weights)
    for share, weight in zip(shares, weights, strict=True):
        exact = (total - least * len(weights)) * weight / sum(weights) + least
        assert abs(share - exact) < 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Shape(cameras=0), "a province has 1 to 400000 cameras, not 0"),
        (lambda: Shape(devices=3), "a province has 8 to 2000 devices, not 3"),
        (lambda: Shape(districts=9, communes=8), "9 districts with 8 communes: each needs one at least"),
        (lambda: Shape(carriers=("VNPT",)), "two routes by two carriers need two carriers at least"),
        (lambda: Shape(carriers=("FPT", "fpt")), "two carriers at least, each once, not ('FPT', 'fpt')"),
        (lambda: Shape().scaled(0), "a scale is a number above 0"),
        (lambda: Shape().scaled(float("nan")), "a scale is a number above 0"),
        (lambda: Shape().scaled(1_000), "a province has 1 to 200 districts, not 10000"),
        (lambda: generate(Shape(districts=1, communes=191)), "the address plan has no room"),
        (lambda: generate(Shape(districts=1, communes=5, cameras=9_601)), "the address plan has room for 9600 cameras"),
    ],
)
def test_a_province_that_cannot_be_is_refused_in_words(make: object, words: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=re.escape(words)):
        make()


def test_names_are_never_twice_also_when_the_list_runs_out() -> None:
    province = generate(Shape().scaled(10))
    for level in ("district", "commune"):
        names = [site.name for site in province.sites.values() if site.level == level]
        within = Counter((site.parent, site.name) for site in province.sites.values() if site.level == level)
        assert max(within.values()) == 1
        assert all(re.fullmatch(r"[^\W\d_]+( [^\W\d_]+)*( \d+)?", name) for name in names)
