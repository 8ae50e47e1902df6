"""The way to a target through real routers: namespaces in a row."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from probes.path import Path, trace
from tests.support.netns import Namespace, namespace


def wire(left: Namespace, right: Namespace, name: str, prefix: str) -> None:
    """Join two machines by a device of this name on both sides."""
    left.ip("link", "add", name, "type", "veth", "peer", "name", name, "netns", right.name)
    for number, side in enumerate((left, right), 1):
        side.ip("addr", "add", f"{prefix}.{number}/24", "dev", name)
        side.ip("link", "set", name, "up")


@pytest.fixture
def row() -> Iterator[list[Namespace]]:
    """Four machines in a row; 10.123.1.1 is the first one, 10.123.3.2 the last."""
    with namespace() as a, namespace() as b, namespace() as c, namespace() as d:
        wire(a, b, "one", "10.123.1")
        wire(b, c, "two", "10.123.2")
        wire(c, d, "three", "10.123.3")
        for router in (b, c):
            router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        for router in (b, c, d):
            router.run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0")
        a.ip("route", "add", "default", "via", "10.123.1.2")
        b.ip("route", "add", "10.123.3.0/24", "via", "10.123.2.2")
        c.ip("route", "add", "10.123.1.0/24", "via", "10.123.2.1")
        d.ip("route", "add", "default", "via", "10.123.3.1")
        yield [a, b, c, d]


def follow(space: Namespace, address: str, deadline: float = 4.0, *, mtu: bool = False) -> Path:
    with space.entered():
        return asyncio.run(trace(address, deadline, mtu=mtu))


def test_every_router_on_the_way_is_named(row: list[Namespace]) -> None:
    path = follow(row[0], "10.123.3.2")
    assert path.reached
    assert [hop.addresses for hop in path.hops] == [["10.123.1.2"], ["10.123.2.2"], ["10.123.3.2"]]
    assert all(hop.loss_percent == 0 and hop.rtt_ms is not None and hop.rtt_ms < 100 for hop in path.hops)
    assert path.words == "10.123.3.2 is 3 hops away"


def test_where_a_way_ends_is_told(row: list[Namespace]) -> None:
    row[2].nft("table ip t { chain c { type filter hook forward priority 0; drop; }; }\n")
    began = time.monotonic()
    path = follow(row[0], "10.123.3.2")
    assert time.monotonic() - began < 4.1
    assert not path.reached
    assert path.words == "the way to 10.123.3.2 ends behind hop 2, 10.123.2.2"


def test_what_a_router_says_is_told(row: list[Namespace]) -> None:
    row[1].ip("route", "del", "10.123.3.0/24")
    path = follow(row[0], "10.123.3.2")
    assert not path.reached
    assert path.words.startswith("the way to 10.123.3.2 ends behind hop 1, 10.123.1.2 and says network unreachable")


def test_the_largest_packet_is_found_also_where_nobody_says_so(row: list[Namespace]) -> None:
    row[1].ip("link", "set", "two", "mtu", "1400")
    assert follow(row[0], "10.123.3.2", mtu=True).mtu == 1400
    row[1].nft(
        "table ip t { chain c { type filter hook output priority 0; icmp type destination-unreachable drop; }; }\n"
    )
    assert follow(row[0], "10.123.3.2", deadline=20, mtu=True).mtu == 1400


def test_the_deadline_ends_it(row: list[Namespace]) -> None:
    row[1].nft("table ip t { chain c { type filter hook prerouting priority 0; drop; }; }\n")
    began = time.monotonic()
    path = follow(row[0], "10.123.3.2", 0.5)
    assert time.monotonic() - began < 0.7
    assert path.words == "nobody on the way to 10.123.3.2 answers"
