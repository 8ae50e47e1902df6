"""The network as the kernel, fping, traceroute and our own engine see it; and what is left of it after kill -9."""

from __future__ import annotations

import json
import math
import os
import re
import select
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lab.control import ControlClient, ControlError, running
from lab.network import Unavailable, enter, inside, missing
from probes.icmp.statistics import wilson
from tests.lab.lab_process import Lab, stage
from tests.support.parts import require

PROVINCE: dict[str, Any] = {
    "places": {
        "centre": ["10.0.0.1", "fd00::1"],
        "district": ["10.1.0.1", "fd00:1::1"],
        "commune": ["10.1.1.1", "fd00:1:1::1"],
        "far": ["10.2.0.1"],
    },
    "lines": [
        ["trunk", "centre", "district", {}],
        ["branch", "district", "commune", {}],
        ["poor", "centre", "far", {"delay_ms": 20, "jitter_ms": 2, "loss_percent": 5}],
    ],
    "hosts": {
        "10.1.1.9": "commune",
        "fd00:1:1::9": "commune",
        "10.0.0.80": "centre",
        "10.1.1.80": "commune",
        **{f"10.2.0.{last}": "far" for last in range(10, 20)},
    },
    "services": ["10.0.0.80", "10.1.1.80"],
    "converge_s": 0.0,
}
FAR = [f"10.2.0.{last}" for last in range(10, 20)]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with stage(PROVINCE) as made:
        yield made


@pytest.fixture(autouse=True)
def mended(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave the shared lab's lines as they were."""
    yield
    if "lab" in request.fixturenames:
        with ControlClient(request.getfixturevalue("lab").name) as client:
            for line in ("trunk", "branch"):
                client.ask("reset", line=line)


def assert_as_programmed(trips: list[float | None], who: str) -> None:
    """20 ms ± 2 ms within 1 ms, 5 % loss within its 99.99 % interval."""
    good = [trip for trip in trips if trip is not None]
    low, high = wilson(len(trips) - len(good), len(trips), 3.9)
    assert low < 0.05 < high, f"{who} lost {len(trips) - len(good)} of {len(trips)}"
    assert statistics.mean(good) == pytest.approx(20, abs=1), who
    assert statistics.median(good) == pytest.approx(20, abs=1), who
    assert statistics.stdev(good) == pytest.approx(2, abs=1), who


@pytest.mark.alone
def test_fping_and_our_engine_measure_what_was_programmed(lab: Lab) -> None:
    program = require("fping", "fping")
    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(lab.run, program, "-q", "-C", "150", "-p", "25", "-t", "500", "-i", "1", *FAR)
        ours = lab.python("network_ping.py", ",".join(FAR), "150", "0.025")
        told = theirs.result().stderr
    assert_as_programmed([trip for trips in ours.values() for trip in trips], "our engine")
    rows = [line.split(" : ")[1].split() for line in told.splitlines() if " : " in line]
    trips = [None if word == "-" else float(word) for row in rows for word in row]
    assert len(trips) == 1500, told
    assert_as_programmed(trips, "fping")


def test_addresses_without_faults_answer_every_echo_of_a_burst_to_all(lab: Lab) -> None:
    addresses = ["10.0.0.1", "10.1.0.1", "10.1.1.1", "10.1.1.9", "10.0.0.80", "fd00:1:1::9", "fd00::1"]
    found = lab.python("network_ping.py", ",".join(addresses), "100", "0")
    for address in addresses:
        assert None not in found[address], address
        assert statistics.median(found[address]) < 50


@pytest.mark.parametrize("size", [4000, 60_000])
@pytest.mark.parametrize("address", ["10.1.1.9", "fd00:1:1::9"])
def test_echoes_beyond_the_mtu_come_back_whole(lab: Lab, address: str, size: int) -> None:
    done = lab.run(require("fping", "fping"), "-q", "-c", "3", "-p", "20", "-b", str(size), address)
    assert "3/3/0%" in done.stderr


@pytest.mark.parametrize(
    ("address", "hops"),
    [
        ("10.1.1.9", ["10.0.0.1", "10.1.0.1", "10.1.1.1", "10.1.1.9"]),
        ("fd00:1:1::9", ["fd00::1", "fd00:1::1", "fd00:1:1::1", "fd00:1:1::9"]),
    ],
)
def test_a_walk_with_growing_time_to_live_shows_the_hops(lab: Lab, address: str, hops: list[str]) -> None:
    assert lab.python("network_talk.py", "walk", address, "4") == hops


@pytest.mark.parametrize("kind", ["", "-I", "-T"])
def test_traceroute_shows_the_hops(lab: Lab, kind: str) -> None:
    program = require("traceroute", "traceroute")
    told = lab.run(program, "-n", "-q", "1", "-w", "2", *filter(None, [kind]), "10.1.1.9").stdout
    assert re.findall(r"^ *\d+ +(\S+)", told, re.MULTILINE) == ["10.0.0.1", "10.1.0.1", "10.1.1.1", "10.1.1.9"]


def test_datagrams_reach_the_handler_also_in_fragments_and_closed_ports_refuse(lab: Lab) -> None:
    assert lab.python("network_talk.py", "udp", "10.1.1.9", "900") == ["10.255.255.254", 1800]
    assert lab.python("network_talk.py", "udp", "fd00:1:1::9", "20000") == ["fd00:ffff::fe", 40000]
    assert lab.python("network_talk.py", "udp", "10.0.0.1", "10") == "ConnectionRefusedError"


def test_real_udp_servers_answer_also_in_fragments(lab: Lab) -> None:
    for size in (10, 1400, 20_000, 20_000):
        assert lab.python("network_talk.py", "repeat", "10.1.1.80", str(size)) == ["10.255.255.254", size]
    assert lab.python("network_talk.py", "udp", "10.1.1.80", "10") == ["10.255.255.254", 20]  # the handler's port


def test_a_host_sends_datagrams_of_its_own(lab: Lab) -> None:
    assert lab.python("network_talk.py", "trap", "10.1.1.9", lab.name) == [["10.1.1.9", 161], "up"]


def test_real_tcp_servers_answer_through_the_lines_and_a_cut_line_stops_them(lab: Lab) -> None:
    assert lab.python("network_talk.py", "tcp", "10.1.1.80", "8080") == ["hello ", 100_006]
    assert lab.python("network_talk.py", "tcp", "10.1.1.80", "81") == "ConnectionRefusedError"
    assert lab.python("network_talk.py", "tcp", "10.1.1.9", "80") == "ConnectionRefusedError"
    with ControlClient(lab.name) as client:
        client.ask("break", line="trunk")
        assert lab.python("network_talk.py", "tcp", "10.1.1.80", "8080") == "TimeoutError"
        assert lab.python("network_talk.py", "tcp", "10.0.0.80", "8080") == ["hello ", 100_006]
        client.ask("break", line="trunk", answer="host-unreachable")
        assert lab.python("network_talk.py", "tcp", "10.1.1.80", "8080") == "OSError"  # no route to host
        client.ask("mend", line="trunk")
    assert lab.python("network_talk.py", "tcp", "10.1.1.80", "8080") == ["hello ", 100_006]


def test_a_cut_line_takes_all_behind_it_and_fping_names_the_router_before(lab: Lab) -> None:
    program = require("fping", "fping")
    with ControlClient(lab.name) as client:
        client.ask("break", line="branch", answer="host-unreachable")
        done = lab.run(program, "-c1", "-t500", "10.1.1.9", "10.1.1.1", "10.1.0.1")
        assert "ICMP Host Unreachable from 10.1.0.1 for ICMP Echo sent to 10.1.1.9" in done.stderr
        assert re.findall(r"^(\S+) +: xmt/rcv/%loss = 1/(\d)", done.stderr, re.MULTILINE) == [
            ("10.1.1.9", "0"), ("10.1.1.1", "0"), ("10.1.0.1", "1"),
        ]  # fmt: skip
        client.ask("break", line="branch")
        assert "Unreachable" not in lab.run(program, "-c1", "-t500", "10.1.1.9").stderr
        client.ask("mend", line="branch")
    assert lab.run(program, "-c1", "10.1.1.9").returncode == 0


def host_network() -> list[str]:
    """Describe this machine's own network, without what counts up by itself."""
    ip, nft = require("ip", "iproute2"), require("nft", "nftables")
    commands = [[ip, "-o", "link"], [ip, "-o", "addr"], [ip, "route"], [ip, "-6", "route"], [nft, "list", "ruleset"]]
    return [subprocess.run(words, check=False, capture_output=True, text=True).stdout for words in commands]


def processes_inside(namespace: str) -> list[str]:
    """Return the processes that live in a network namespace."""
    found = []
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            if str(link.readlink()) == namespace:
                found.append(link.parts[2])
        except OSError:
            continue
    return found


def test_after_kill_9_nothing_of_the_lab_is_left() -> None:
    before = host_network()
    named = set(Path("/run/netns").glob("*")) if Path("/run/netns").exists() else set()
    with stage(PROVINCE) as made:
        assert host_network() == before
        own = str(Path(f"/proc/{made.pid}/ns/net").readlink())
        assert own != str(Path("/proc/self/ns/net").readlink())
        assert processes_inside(own) == [str(made.pid)]
        assert made.name in running()
        with ControlClient(made.name) as client:
            assert client.pid == made.pid
            made.process.kill()
            made.process.wait()
            with pytest.raises(ControlError, match=r"ended|does not answer"):
                client.ask("status")
        assert processes_inside(own) == []
    assert made.name not in running()
    assert host_network() == before
    assert not [path for path in set(Path("/run/netns").glob("*")) - named if made.name in path.name]


def test_a_command_started_inside_ends_with_the_one_that_started_it(lab: Lab) -> None:
    words = [sys.executable, "-P", "-c", "import signal; print('in', flush=True); signal.pause()"]
    starter = (
        "import subprocess, sys, json\n"
        "child = subprocess.Popen(json.loads(sys.argv[1]), stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); sys.stdin.read()"
    )
    command = json.dumps(inside(lab.pid, words, with_parent=True))
    with subprocess.Popen(
        [sys.executable, "-c", starter, command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        descriptor = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert select.select([descriptor], [], [], 10)[0], "the command outlived its parent"
    finally:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        os.close(descriptor)


def test_a_plain_user_gets_the_same_network_in_a_user_namespace() -> None:
    program = require("fping", "fping")
    with stage(PROVINCE, unprivileged=True) as made:
        status = Path(f"/proc/{made.pid}/status").read_text("ascii")
        if os.geteuid() == 0:
            assert re.search(r"^Uid:\t65534\t65534", status, re.MULTILINE)
        assert Path(f"/proc/{made.pid}/ns/user").readlink() != Path("/proc/self/ns/user").readlink()
        done = made.run(program, "-c2", "-p20", "10.1.1.9", "fd00:1:1::9")
        assert done.stderr.count("2/2/0%") == 2, done.stderr
        done = made.run("cat", "/proc/sys/net/ipv4/ping_group_range")
        assert done.stdout.split() == ["0", "0"]  # the one group there is: datagram sockets are open to all inside


def test_what_cannot_be_entered_is_said_in_words() -> None:
    with pytest.raises(Unavailable, match="there is no process 4194305; start the lab first"):
        enter(4194305)
    done = subprocess.run(inside(4194305, ["true"]), check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "there is no process 4194305; start the lab first: haidang lab up\n")


def test_the_check_beforehand_agrees_and_leaves_this_process_where_it_was(lab: Lab) -> None:
    before = Path("/proc/self/ns/net").readlink()
    assert missing() is None
    assert Path("/proc/self/ns/net").readlink() == before


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("namespace.DEVICE = Path('/dev/net/no-tun')", "there is no /dev/net/no-tun; run: modprobe tun"),
        ("namespace.DEVICE = Path('/dev')", "/dev cannot be opened"),
        ("threading.Thread(target=threading.Event().wait, daemon=True).start()", "this process has threads already"),
    ],
)
def test_without_tun_or_namespaces_one_line_says_what_is_missing(spoil: str, words: str) -> None:
    script = (
        "import threading\nfrom pathlib import Path\nfrom lab.network import namespace\n"
        "from lab.network import system\n"
        f"{spoil}\n"
        "real = system.unshare\n"
        "def unshare(flags):\n"
        "    if flags == system.CLONE_NEWNET: raise PermissionError(1, 'Operation not permitted')\n"
        "    real(flags)\n"
        "system.unshare = unshare\n"
        "try: namespace.isolate()\n"
        "except namespace.Unavailable as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], check=False, capture_output=True, text=True)
    if "may not be opened" in done.stdout or "namespaces" in done.stdout:
        pytest.skip(done.stdout)
    assert words in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1


@pytest.mark.alone
def test_a_measured_spread_is_not_the_simulators_own(lab: Lab) -> None:
    """On a line without conditions the simulator adds well under a millisecond, so what is measured is the program."""
    found = lab.python("network_ping.py", "10.1.1.9", "100", "0.01")
    trips = sorted(found["10.1.1.9"])
    assert trips[50] < 1
    assert math.isfinite(trips[-1])
