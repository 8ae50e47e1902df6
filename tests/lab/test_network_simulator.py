"""The simulator without a device: ways, hops, breaks, detours, answers; time is given, so nothing here waits."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.lines import Answer, Conditions
from lab.network import Address, Reply
from lab.network.packets import (
    ICMP,
    ICMPV6,
    UDP,
    Packet,
    icmp_message,
    ip_header,
    packets,
    parse,
    udp_datagram,
    udp_payload,
)
from lab.network.simulator import Simulator, Work
from lab.network.topology import Topology

MS = 1_000_000
SECOND = 1000 * MS
OBSERVER = "10.255.255.254"
OBSERVER6 = "fd00:ffff::fe"


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


class Stage:
    """A province in small: centre — district — commune, and a second way to the commune over another district.

    What the simulator puts off is done in order of time, up to the moment asked about.
    """

    def __init__(self, seed: str = "1") -> None:
        self.topology = topology = Topology(seed, 3 * SECOND)
        topology.add_place("centre", "10.0.0.1", "fd00::1")
        topology.add_place("district", "10.1.0.1", "fd00:1::1")
        topology.add_place("other", "10.2.0.1")
        topology.add_place("commune", "10.1.1.1", "fd00:1:1::1")
        topology.add_line("trunk", "centre", "district", Conditions(delay_ms=10))
        topology.add_line("first", "district", "commune", Conditions(delay_ms=4))
        topology.add_line("trunk-2", "centre", "other", Conditions(delay_ms=10))
        topology.add_line("second", "other", "commune", Conditions(delay_ms=40), cost=10)
        self.host = topology.add_host("10.1.1.9", "commune")
        topology.add_host("fd00:1:1::9", "commune")
        topology.add_host("10.1.1.11", "commune", via="first")
        topology.add_host("10.1.1.12", "commune", via="second")
        self.work: list[tuple[int, int, Work]] = []
        self.ident = 0
        self.simulator = Simulator(topology, self._later)

    def _later(self, at_ns: int, work: Work) -> None:
        self.work.append((at_ns, len(self.work), work))

    def out(self) -> list[tuple[int, Packet]]:
        """Return what comes back to the observer, and when."""
        got = []
        while self.work:
            self.work.sort()
            at_ns, _, work = self.work.pop(0)
            if isinstance(work, bytes):
                got.append((at_ns, parse(work)))
            else:
                work(at_ns)
        return got

    def echo(self, address: str, at_ns: int = 0, ttl: int = 64, size: int = 56) -> list[tuple[int, Packet]]:
        """Ping an address."""
        source = packed(OBSERVER if "." in address else OBSERVER6)
        v4 = len(source) == 4
        message = icmp_message(source, packed(address), 8 if v4 else 128, 0, b"\0\1\0\2" + bytes(size))
        self.ident += 1
        for raw in packets(source, packed(address), ICMP if v4 else ICMPV6, message, ttl, 1500, self.ident):
            self.simulator.receive(raw, at_ns)
        return self.out()

    def ask(self, address: str, data: bytes, at_ns: int = 0) -> list[tuple[int, Packet]]:
        """Send a datagram to port 161."""
        source = packed(OBSERVER if "." in address else OBSERVER6)
        datagram = udp_datagram(source, packed(address), (4000, 161), data)
        self.ident += 1
        for raw in packets(source, packed(address), UDP, datagram, 64, 1500, self.ident):
            self.simulator.receive(raw, at_ns)
        return self.out()

    def trip_ms(self, address: str, at_ns: int) -> float | None:
        """Return the round-trip time of an echo, ``None`` without an echo reply."""
        replies = [(at, one) for at, one in self.echo(address, at_ns) if one.payload[0] in (0, 129)]
        return (replies[0][0] - at_ns) / MS if replies else None


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.mark.parametrize(
    ("address", "hops"),
    [
        ("10.1.1.9", ["10.0.0.1", "10.1.0.1", "10.1.1.1"]),
        ("10.1.1.1", ["10.0.0.1", "10.1.0.1"]),
        ("10.0.0.1", []),
        ("10.1.1.12", ["10.0.0.1", "10.2.0.1", "10.1.1.1"]),
        ("fd00:1:1::9", ["fd00::1", "fd00:1::1", "fd00:1:1::1"]),
    ],
)
def test_the_time_to_live_ends_at_each_router_in_turn_and_then_reaches_the_host(
    stage: Stage, address: str, hops: list[str]
) -> None:
    v4 = "." in address
    for ttl, hop in enumerate(hops, 1):
        ((at_ns, error),) = stage.echo(address, ttl=ttl)
        assert error.source == packed(hop)
        assert error.payload[:2] == (b"\x0b\0" if v4 else b"\x03\0")
        assert parse(error.payload[8:]).destination == packed(address)
        assert at_ns == (0, 10 * MS, 14 * MS)[ttl - 1] if "12" not in address else True
    ((_, reply),) = stage.echo(address, ttl=len(hops) + 1)
    assert reply.source == packed(address)
    assert reply.payload[0] == (0 if v4 else 129)
    assert reply.ttl == 64 - len(hops)


def test_delays_add_up_on_the_way_and_a_hosts_own_line_counts_too(stage: Stage) -> None:
    assert stage.trip_ms("10.1.1.9", 0) == 14
    stage.host.access.set(delay_ms=6)
    assert stage.trip_ms("10.1.1.9", 0) == 20
    assert stage.trip_ms("10.1.1.1", 0) == 14


@pytest.mark.parametrize("answer", list(Answer))
def test_a_broken_line_is_silent_or_the_router_before_it_says_so(stage: Stage, answer: Answer) -> None:
    stage.topology.lines["trunk"].cut(answer)
    found = stage.echo("10.1.1.11")
    if answer is Answer.SILENT:
        assert found == []
        return
    ((_, error),) = found
    assert error.source == packed("10.0.0.1")
    assert error.payload[0] == 3
    assert error.payload[1] == {Answer.NET: 0, Answer.HOST: 1, Answer.PROHIBITED: 13}[answer]
    ((_, error6),) = stage.echo("fd00:1::1")
    assert error6.payload[0] == 1


def test_hops_before_a_break_still_show_in_a_traceroute(stage: Stage) -> None:
    stage.topology.lines["first"].cut()
    assert [packet.source for _, packet in stage.echo("10.1.1.11", ttl=1)] == [packed("10.0.0.1")]
    assert [packet.source for _, packet in stage.echo("10.1.1.11", ttl=2)] == [packed("10.1.0.1")]
    assert stage.echo("10.1.1.11", ttl=3) == []


def test_with_a_second_way_routers_take_it_after_a_while_and_come_back(stage: Stage) -> None:
    line = stage.topology.lines["first"]
    line.cut()
    assert stage.trip_ms("10.1.1.9", 10 * SECOND) is None
    assert stage.trip_ms("10.1.1.9", 12 * SECOND) is None
    assert stage.trip_ms("10.1.1.9", 13 * SECOND) == 50
    assert stage.trip_ms("10.1.1.11", 13 * SECOND) is None  # the circuit's own end stays dead
    assert stage.trip_ms("10.1.1.12", 13 * SECOND) == 50
    line.mend()
    assert stage.trip_ms("10.1.1.11", 20 * SECOND) == 14
    assert stage.trip_ms("10.1.1.9", 20 * SECOND) == 50
    assert stage.trip_ms("10.1.1.9", 23 * SECOND) == 14


def test_with_both_ways_cut_packets_die_at_the_break_until_one_is_mended(stage: Stage) -> None:
    for name in ("first", "trunk-2"):
        stage.topology.lines[name].cut(Answer.HOST)
    for at in (1, 5, 9):
        assert {packet.source for _, packet in stage.echo("10.1.1.9", at * SECOND)} == {packed("10.1.0.1")}
    stage.topology.lines["trunk-2"].mend()
    assert stage.trip_ms("10.1.1.9", 10 * SECOND) is None
    assert stage.trip_ms("10.1.1.9", 14 * SECOND) == 50


def test_a_router_without_current_says_nothing_and_takes_all_that_has_no_other_way(stage: Stage) -> None:
    stage.topology.switch_place("district", on=False)
    assert stage.echo("10.1.0.1", 10 * SECOND) == []
    assert stage.echo("10.1.1.9", 10 * SECOND) == []
    assert stage.trip_ms("10.1.1.9", 13 * SECOND) == 50
    assert stage.echo("10.1.1.11", 13 * SECOND) == []
    assert [packet.source for _, packet in stage.echo("10.1.1.11", 13 * SECOND, ttl=1)] == [packed("10.0.0.1")]
    assert stage.echo("10.1.1.11", 13 * SECOND, ttl=2) == []
    stage.topology.switch_place("district", on=True)
    assert stage.trip_ms("10.1.0.1", 20 * SECOND) == 10
    assert stage.trip_ms("10.1.1.9", 24 * SECOND) == 14


def test_a_line_that_is_cut_before_a_dark_router_still_says_so(stage: Stage) -> None:
    stage.topology.switch_place("district", on=False)
    stage.topology.lines["trunk"].cut(Answer.HOST)
    assert [packet.source for _, packet in stage.echo("10.1.0.1")] == [packed("10.0.0.1")]


def test_a_host_without_current_is_the_only_one_that_is_gone(stage: Stage) -> None:
    told: list[bytes] = []

    def hear(data: bytes, _: Address) -> Iterable[Reply]:
        told.append(data)
        return ()

    stage.host.serve(161, hear)
    stage.topology.switch_host(stage.host, on=False)
    assert stage.echo("10.1.1.9") == []
    assert stage.ask("10.1.1.9", b"anybody?") == []
    assert told == []
    assert stage.trip_ms("10.1.1.1", SECOND) == 14
    stage.topology.switch_host(stage.host, on=True)
    assert stage.trip_ms("10.1.1.9", 2 * SECOND) == 14


def test_nobody_elses_packets_pass_through_a_stub(stage: Stage) -> None:
    stage.topology.add_place("office", "10.3.0.1", stub=True)
    stage.topology.add_line("near", "district", "office")
    stage.topology.add_line("far", "other", "office")
    stage.topology.lines["trunk"].cut()
    stage.topology.lines["second"].cut()
    stage.echo("10.3.0.1", 0)
    assert stage.trip_ms("10.3.0.1", 4 * SECOND) == 10
    assert stage.trip_ms("10.1.0.1", 4 * SECOND) is None


def test_the_place_where_the_observer_is_cannot_be_switched_off(stage: Stage) -> None:
    with pytest.raises(ValueError, match="centre is where the observer is: cut its lines instead"):
        stage.topology.switch_place("centre", on=False)


@given(
    st.lists(st.sampled_from(["trunk", "first", "trunk-2", "second", "district", "other"]), max_size=12),
    st.integers(0, 5),
)
@settings(deadline=None)
def test_whatever_was_broken_and_mended_an_hour_later_the_network_is_as_at_first(names: list[str], gap_s: int) -> None:
    stage = Stage()
    lines, places = stage.topology.lines, stage.topology.places

    def toggle(name: str) -> None:
        if name in places:
            stage.topology.switch_place(name, on=places[name].dark)
        else:
            (lines[name].mend if lines[name].outage else lines[name].cut)()

    for step, name in enumerate(names):
        toggle(name)
        stage.echo("10.1.1.9", step * gap_s * SECOND)
    later = 3600 * SECOND
    down = {name for name, line in lines.items() if line.outage} | {name for name, one in places.items() if one.dark}
    stage.trip_ms("10.1.1.9", later)
    found = stage.trip_ms("10.1.1.9", later + 4 * SECOND)
    expected = (
        14 if not down & {"trunk", "first", "district"} else 50 if not down & {"trunk-2", "second", "other"} else None
    )
    assert found == expected
    for name in down:
        toggle(name)
    stage.trip_ms("10.1.1.9", later + 10 * SECOND)
    assert stage.trip_ms("10.1.1.9", later + 14 * SECOND) == 14


def test_a_handler_gets_the_datagram_when_it_arrives_and_its_replies_leave_when_it_says(stage: Stage) -> None:
    asked: list[tuple[bytes, Address]] = []

    def handler(data: bytes, asker: Address) -> Iterable[Reply]:
        asked.append((data, asker))
        return [(0, b"now"), (0.5, b"late"), (0.25, b"wrong", "10.1.1.77")]

    stage.host.serve(161, handler)
    found = stage.ask("10.1.1.9", b"get")
    assert asked == [(b"get", (OBSERVER, 4000))]
    told = [(at // MS, packet.source, udp_payload(packet)) for at, packet in found]
    assert told == [
        (14, packed("10.1.1.9"), (161, 4000, b"now")),
        (264, packed("10.1.1.77"), (161, 4000, b"wrong")),
        (514, packed("10.1.1.9"), (161, 4000, b"late")),
    ]


def test_a_reply_that_is_to_leave_during_an_outage_is_lost(stage: Stage) -> None:
    stage.host.serve(161, lambda data, _: [(2.0, data)])
    datagram = udp_datagram(packed(OBSERVER), stage.host.packed, (4000, 161), b"get")
    stage.simulator.receive(packets(packed(OBSERVER), stage.host.packed, UDP, datagram, 64, 1500, 1)[0], 0)
    stage.topology.lines["trunk"].cut()
    stage.topology.lines["trunk-2"].cut()
    assert stage.out() == []


def test_a_handler_that_fails_costs_only_its_own_answer(stage: Stage) -> None:
    def broken(_: bytes, __: Address) -> Iterable[Reply]:
        yield 0.0, b"one"
        raise RuntimeError("device bug")

    stage.host.serve(161, broken)
    assert stage.ask("10.1.1.9", b"get") == []
    assert stage.trip_ms("10.1.1.9", 0) == 14


@pytest.mark.parametrize("reply", [(0, b"x", "fd00::1"), (0, b"x", "no address"), (0, bytes(65_600))])
def test_replies_that_cannot_be_packed_are_left_out(stage: Stage, reply: Reply) -> None:
    stage.host.serve(161, lambda _, __: [reply, (0, b"good")])
    told = [udp_payload(packet) for _, packet in stage.ask("10.1.1.9", b"get")]
    assert told == [(161, 4000, b"good")]


def test_a_closed_port_is_refused_by_the_host_itself(stage: Stage) -> None:
    ((at_ns, error),) = stage.ask("10.1.1.9", b"get")
    assert (error.source, error.payload[:2], at_ns) == (packed("10.1.1.9"), b"\x03\x03", 14 * MS)
    ((_, error6),) = stage.ask("fd00:1:1::9", b"get")
    assert error6.payload[:2] == b"\x01\x04"


@pytest.mark.parametrize("address", ["10.1.1.9", "fd00:1:1::9"])
def test_large_echoes_and_datagrams_travel_in_fragments(stage: Stage, address: str) -> None:
    found = stage.echo(address, size=5000)
    assert len(found) == 4
    assert sum(len(packet.payload) for _, packet in found) == 5008
    stage.topology.hosts[packed(address)].serve(161, lambda data, _: [(0, data)])
    assert len(stage.ask(address, bytes(5000))) == 4


def test_a_lost_fragment_costs_the_whole_echo(stage: Stage) -> None:
    stage.host.access.set(loss_percent=50)
    for at in range(300):
        stage.echo("10.1.1.9", at * SECOND, size=5000)
    assert 55 < stage.simulator.counts.echoes < 100  # all four must pass that direction: (1/√2)⁴ = 25 %


def test_each_line_of_a_seed_has_the_same_luck_in_every_run() -> None:
    def run() -> list[float | None]:
        stage = Stage("42")
        stage.topology.lines["first"].set(loss_percent=20, jitter_ms=1)
        return [stage.trip_ms("10.1.1.9", at * SECOND) for at in range(100)]

    first = run()
    assert first == run()
    assert 5 < first.count(None) < 40


def test_a_place_without_a_line_is_not_reached(stage: Stage) -> None:
    stage.topology.add_place("island", "10.9.0.1")
    assert stage.echo("10.9.0.1") == []
    assert stage.echo("10.9.9.9") == []


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda topology: topology.add_place("centre"), "a place 'centre' already"),
        (lambda topology: topology.add_place("new", "10.0.0.1"), "a host 10.0.0.1 already"),
        (lambda topology: topology.add_place("new", "10.0.1.1", "10.0.1.2"), "at most one address of each family"),
        (lambda topology: topology.add_line("first", "centre", "commune"), "a line 'first' already"),
        (lambda topology: topology.add_line("new", "centre", "nowhere"), "no place 'nowhere'"),
        (lambda topology: topology.add_host("10.3.0.1", "nowhere"), "no place 'nowhere'"),
        (lambda topology: topology.add_host("10.3.0.1", "commune", via="trunk"), "no line 'trunk' ends at commune"),
        (lambda topology: topology.add_host("10.3.0.300", "commune"), "10.3.0.300"),
    ],
)
def test_a_network_that_cannot_be_is_refused_in_words(
    stage: Stage, build: Callable[[Topology], object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        build(stage.topology)


@given(seed=st.integers(0, 2**64))
@settings(max_examples=200, deadline=None)
def test_no_packet_breaks_the_simulator(seed: int) -> None:
    rng = Random(seed)
    stage = Stage()
    stage.host.serve(161, lambda data, _: [(0, data)])
    for _ in range(10):
        address = rng.choice(["10.1.1.9", "fd00:1:1::9", "10.1.0.1"])
        source = packed(OBSERVER if "." in address else OBSERVER6)
        protocol = rng.choice([0, 1, 6, 17, 43, 44, 50, 58, 59, 60, 132])
        body = rng.randbytes(rng.randrange(80))
        raw = bytearray(ip_header(source, packed(address), protocol, len(body), rng.randrange(1, 8)) + body)
        for _ in range(rng.randrange(3)):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        stage.simulator.receive(bytes(raw), 0)
    stage.out()
    assert stage.simulator.counts.received == 10
