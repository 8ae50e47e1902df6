"""The way to a target through real routers: namespaces in a row."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from haidang.cli import app
from probes.hops import Path
from probes.path import trace
from tests.support.netns import Namespace, namespace
from tests.support.parts import require


def wire(left: Namespace, right: Namespace, name: str, prefix: str) -> None:
    """Join two machines by a device of this name on both sides."""
    left.ip("link", "add", name, "type", "veth", "peer", "name", name, "netns", right.name)
    for number, side in enumerate((left, right), 1):
        side.ip("addr", "add", f"{prefix}.{number}/24", "dev", name)
        side.ip("link", "set", name, "up")


@contextmanager
def four_in_a_row() -> Iterator[list[Namespace]]:
    """Join four machines; 10.123.1.1 is the first one, 10.123.3.2 the last."""
    with namespace() as a, namespace() as b, namespace() as c, namespace() as d:
        for machine in (a, b, c, d):
            machine.run("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
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


@pytest.fixture
def row() -> Iterator[list[Namespace]]:
    with four_in_a_row() as machines:
        yield machines


@pytest.fixture(scope="module")
def kept() -> Iterator[list[Namespace]]:
    with four_in_a_row() as machines:
        yield machines


@pytest.fixture
def still(kept: list[Namespace]) -> Iterator[list[Namespace]]:
    """The same row for many tests: they may filter, and change nothing else."""
    yield kept
    for machine in kept[1:3]:
        machine.nft("flush ruleset\n")


def follow(space: Namespace, address: str, deadline: float = 4.0, **more: Any) -> Path:
    with space.entered():
        return asyncio.run(trace(address, deadline, **more))


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


def listening(space: Namespace, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """Listen on a machine of the row."""
    with space.entered():
        sock = socket.socket(socket.AF_INET, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", port))
        if kind == socket.SOCK_STREAM:
            sock.listen(100)
        return sock


def debian_says(space: Namespace, *options: str) -> list[set[str]]:
    """Let Debian's traceroute follow the same way; gives the addresses of each hop."""
    said = space.run(require("traceroute", "traceroute"), "-n", "-w", "1", *options, "10.123.3.2")
    return [set(re.findall(r"10\.[0-9.]+", line)) for line in said.splitlines()[1:]]


@pytest.mark.parametrize(
    ("protocol", "port", "options", "end"),
    [
        ("tcp", 443, ("-T", "-p", "443"), "port 443 is open"),
        ("tcp", 8443, ("-T", "-p", "8443"), "port 8443 refuses"),
        ("udp", 33_434, ("-U", "-p", "33434"), "port 33434 refuses"),
        ("icmp", 0, ("-I",), ""),
    ],
)
def test_udp_and_tcp_find_the_same_routers_as_debians_traceroute(
    still: list[Namespace], protocol: str, port: int, options: tuple[str, ...], end: str
) -> None:
    with listening(still[3], 443):
        theirs = debian_says(still[0], *options)
        path = follow(still[0], "10.123.3.2", protocol=protocol, port=port)
    assert [set(hop.addresses) for hop in path.hops] == theirs
    assert [hop.addresses for hop in path.hops] == [["10.123.1.2"], ["10.123.2.2"], ["10.123.3.2"]]
    assert all(hop.loss_percent == 0 and hop.sent == 3 and hop.rtt_ms is not None for hop in path.hops)
    assert (path.reached, path.hops[-1].words) == (True, end)


def test_a_firewall_that_lets_one_port_through_is_seen_at_its_hop(still: list[Namespace]) -> None:
    still[1].nft(
        "table ip t { chain c { type filter hook forward priority 0; ip daddr 10.123.3.2 tcp dport 443 accept;"
        " ip daddr 10.123.3.2 drop; }; }\n"
    )
    with listening(still[3], 443):
        assert follow(still[0], "10.123.3.2", protocol="tcp").words == "10.123.3.2 is 3 hops away"
    for protocol, port in (("tcp", 22), ("udp", 53), ("icmp", 0)):
        path = follow(still[0], "10.123.3.2", protocol=protocol, port=port, rounds=1, most_hops=4)
        assert path.words == "the way to 10.123.3.2 ends behind hop 1, 10.123.1.2"
    still[1].nft(
        "flush ruleset\ntable ip t { chain c { type filter hook forward priority 0; tcp dport 22 reject; }; }\n"
    )
    path = follow(still[0], "10.123.3.2", protocol="tcp", port=22, rounds=1, most_hops=4)
    assert path.words == "the way to 10.123.3.2 ends behind hop 1, 10.123.1.2 and says port unreachable"


def test_the_loss_of_each_hop_is_counted(still: list[Namespace]) -> None:
    still[2].nft(
        "table ip t { chain c { type filter hook output priority 0; icmp type time-exceeded"
        " numgen inc mod 2 0 drop; }; }\n"
    )
    for protocol in ("tcp", "udp"):
        path = follow(still[0], "10.123.3.2", protocol=protocol, rounds=4)
        assert [(hop.sent, hop.loss_percent) for hop in path.hops] == [(4, 0), (4, 50), (4, 0)]


def test_an_open_udp_port_answers_its_own_question(still: list[Namespace]) -> None:
    with listening(still[3], 53, socket.SOCK_DGRAM) as server:
        child = os.fork()
        if child == 0:  # pragma: no cover a name server of one line, in a process of its own
            try:
                while True:
                    data, name = server.recvfrom(512)
                    server.sendto(data[:2] + b"\x80" + data[3:], name)
            finally:
                os._exit(0)
        try:
            path = follow(still[0], "10.123.3.2", protocol="udp", port=53)
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
    assert (path.reached, len(path.hops), path.hops[-1].words) == (True, 3, "port 53 answers")


def test_ipv6_ways_are_followed_too(still: list[Namespace]) -> None:
    for left, right, name, prefix in ((0, 1, "one", "fd00:1"), (1, 2, "two", "fd00:2")):
        still[left].ip("addr", "add", f"{prefix}::1/64", "dev", name, "nodad")
        still[right].ip("addr", "add", f"{prefix}::2/64", "dev", name, "nodad")
    still[1].run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
    still[0].ip("-6", "route", "add", "default", "via", "fd00:1::2")
    still[2].ip("-6", "route", "add", "default", "via", "fd00:2::1")
    for protocol in ("tcp", "udp", "icmp"):
        path = follow(still[0], "fd00:2:0::2", protocol=protocol)
        assert [hop.addresses for hop in path.hops] == [["fd00:1::2"], ["fd00:2::2"]], protocol
        assert path.reached


def test_this_machine_itself_is_one_hop_away(still: list[Namespace]) -> None:
    for protocol in ("tcp", "udp"):
        path = follow(still[0], "127.0.0.1", protocol=protocol, port=9)
        assert (path.words, path.hops[0].words) == ("127.0.0.1 is 1 hop away", "port 9 refuses")


def open_files() -> int:
    return sum(1 for _ in pathlib.Path("/proc/self/fd").iterdir())


def test_the_deadline_ends_a_way_by_ports_and_no_socket_is_left(still: list[Namespace]) -> None:
    still[1].nft("table ip t { chain c { type filter hook prerouting priority 0; drop; }; }\n")
    before = open_files()
    for protocol in ("tcp", "udp"):
        began = time.monotonic()
        path = follow(still[0], "10.123.3.2", 0.5, protocol=protocol)
        assert time.monotonic() - began < 0.7
        assert path.words == "nobody on the way to 10.123.3.2 answers"
    assert open_files() == before


def test_the_command_follows_by_tcp_without_any_right_and_refuses_what_makes_no_sense(still: list[Namespace]) -> None:
    unprivileged = (require("setpriv", "util-linux"), "--bounding-set=-net_raw,-net_admin", sys.executable)
    command = still[0].command(*unprivileged, "-m", "haidang", "probe", "path", "10.123.3.2", "--protocol", "tcp")
    with listening(still[3], 443):
        done = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)
    said = json.loads(done.stdout)
    assert [hop["addresses"] for hop in said["hops"]][-1] == ["10.123.3.2"]
    assert (said["protocol"], said["port"]) == ("tcp", 443)
    for more, words in (
        (("udp", "--mtu"), "the largest packet is found by echoes"),
        (("sctp",), "sctp is no way to ask: icmp, udp or tcp"),
        (("icmp", "--port", "7"), "echoes have no port"),
    ):
        refused = CliRunner().invoke(app, ["probe", "path", "127.0.0.1", "--protocol", *more])
        assert (refused.exit_code, words in refused.stderr) == (2, True), refused.stderr
