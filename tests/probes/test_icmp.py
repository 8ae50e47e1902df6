"""The ICMP engine against the kernel, with fping as the oracle."""

from __future__ import annotations

import asyncio
import socket
import statistics
import time
from collections.abc import Awaitable, Callable

import pytest

from haidang.clock import SystemClock
from haidang.model import Observation, Status
from probes.icmp import Burst, IcmpEngine, IcmpUnavailable, ping
from probes.icmp.probe import observe
from probes.icmp.statistics import wilson
from tests.support.netns import Namespace, joined, namespace
from tests.support.parts import require

CLOCK = SystemClock()


def run_inside(space: Namespace, work: Callable[[IcmpEngine], Awaitable[None]], *, raw: bool | None = None) -> None:
    """Run a coroutine with an engine whose sockets are opened in a namespace."""

    async def main() -> None:
        engine = IcmpEngine(raw=raw)
        try:
            await work(engine)
        finally:
            engine.close()

    with space.entered():
        asyncio.run(main())


async def ping_all(engine: IcmpEngine, addresses: list[str], count: int, **options: float) -> dict[str, Observation]:
    """Ping many addresses at once and wait for all."""
    found: dict[str, Observation] = {}
    over = asyncio.Event()

    def done(burst: Burst) -> None:
        found[burst.address] = observe(burst, burst.address, 0, CLOCK)
        if len(found) == len(addresses):
            over.set()

    for address in addresses:
        engine.start(address, done, count=count, **options)  # type: ignore[arg-type]
    await asyncio.wait_for(over.wait(), 30)
    return found


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "datagram"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_loopback_answers_every_echo_on_both_kinds_of_socket(space: Namespace, raw: bool, address: str) -> None:
    space.run("sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")

    async def work(engine: IcmpEngine) -> None:
        seen = await ping(engine, CLOCK, address, count=5, interval_s=0.01, dscp=46, size=200)
        assert seen.status is Status.UP
        assert (seen.fields["packets_sent"], seen.fields["packets_received"]) == (5, 5)
        assert seen.fields["loss_percent"] == 0.0
        low, median, high = (seen.fields[f"rtt_{name}_ms"] for name in ("min", "median", "max"))
        assert isinstance(low, float)
        assert isinstance(median, float)
        assert isinstance(high, float)
        assert 0 < low <= median <= high < 50
        assert [sample.ok for sample in seen.samples] == [True] * 5
        assert [sample.at_ns for sample in seen.samples] == sorted(sample.at_ns for sample in seen.samples)

    run_inside(space, work, raw=raw)


class Watched(IcmpEngine):
    """Notes at the end of every tick whether the next wake-up is the one for what is due first."""

    def __init__(self) -> None:
        super().__init__()
        self.in_time: list[bool] = []

    def _on_tick(self) -> None:
        super()._on_tick()
        if self._order:
            self.in_time.append(self._timer is not None and self._timer_tick <= self._order[0])


def test_bursts_of_different_intervals_do_not_hold_each_other_up(space: Namespace) -> None:
    async def main() -> list[bool]:
        engine = Watched()
        over = asyncio.Event()
        left = {0.2: 5, 0.02: 40, 0.03: 27, 0.05: 16}

        def done(burst: Burst) -> None:
            left.pop(burst.interval_ns / 1e9)
            if not left:
                over.set()

        for interval_s, count in tuple(left.items()):
            engine.start("127.0.0.1", done, count=count, interval_s=interval_s)
        await asyncio.wait_for(over.wait(), 10)
        engine.close()
        return engine.in_time

    with space.entered():
        in_time = asyncio.run(main())
    assert len(in_time) > 5
    assert all(in_time)


def test_without_the_right_to_open_a_socket_the_error_is_one_line_with_the_command(space: Namespace) -> None:
    async def work(engine: IcmpEngine) -> None:
        with pytest.raises(IcmpUnavailable) as refused:
            await ping(engine, CLOCK, "127.0.0.1")
        assert "sudo sysctl -w net.ipv4.ping_group_range=" in str(refused.value)
        assert "\n" not in str(refused.value)

    run_inside(space, work, raw=False)  # the kernel's default range allows nobody


def test_ten_thousand_addresses_three_echoes_each_lose_nothing(space: Namespace) -> None:
    addresses = [f"127.{2 + i // 60000}.{i // 250 % 250}.{1 + i % 250}" for i in range(10_000)]

    async def work(engine: IcmpEngine) -> None:
        found = await ping_all(engine, addresses, 3, interval_s=0)
        assert sum(int(seen.fields["packets_received"]) for seen in found.values()) == 30_000
        assert engine.drops() == 0
        assert engine.in_flight == 0

    run_inside(space, work)


@pytest.mark.parametrize("percent", [5, 20, 50])
def test_loss_agrees_with_fping_and_with_the_truth(space: Namespace, percent: int) -> None:
    fping = require("fping", "fping")
    space.nft(
        "table ip t { chain c { type filter hook input priority 0; "
        f"icmp type echo-request numgen random mod 100 < {percent} drop; }}; }}\n"
    )
    addresses = [f"127.9.0.{i}" for i in range(1, 201)]
    lines = space.run("sh", "-c", f"{fping} -q -C 10 -i0 -p20 -t300 {' '.join(addresses)} 2>&1 || true")
    theirs = sum(line.split(":", 1)[1].split().count("-") for line in lines.splitlines() if ":" in line)
    ours: list[int] = []

    async def work(engine: IcmpEngine) -> None:
        found = await ping_all(engine, addresses, 10, interval_s=0.02, timeout_s=0.3)
        ours.append(sum(10 - int(seen.fields["packets_received"]) for seen in found.values()))
        sent = sum(int(seen.fields["packets_sent"]) for seen in found.values())
        assert sent == 2000

    run_inside(space, work)
    for lost in (ours[0], theirs):
        low, high = wilson(lost, 2000, z=4.0)
        assert low <= percent / 100 <= high


@pytest.mark.alone
def test_the_median_round_trip_agrees_with_fping_within_a_tenth_of_a_millisecond(space: Namespace) -> None:
    fping = require("fping", "fping")
    line = space.run("sh", "-c", f"{fping} -q -C 100 -p10 127.0.0.1 2>&1").split(":", 1)[1]
    theirs = statistics.median(float(word) for word in line.split())

    async def work(engine: IcmpEngine) -> None:
        seen = await ping(engine, CLOCK, "127.0.0.1", count=100, interval_s=0.01)
        assert abs(float(seen.fields["rtt_median_ms"]) - theirs) < 0.1

    run_inside(space, work)


@pytest.mark.alone
def test_a_loop_blocked_for_200_ms_does_not_stretch_the_round_trip_times(space: Namespace) -> None:
    async def work(engine: IcmpEngine) -> None:
        async def hog() -> None:
            for _ in range(3):
                until = time.perf_counter() + 0.2
                while time.perf_counter() < until:
                    pass
                await asyncio.sleep(0)

        addresses = [f"127.3.0.{i}" for i in range(1, 21)]
        pinging = asyncio.create_task(ping_all(engine, addresses, 10, interval_s=0.05))
        await asyncio.sleep(0)
        await hog()
        found = await pinging
        medians = [float(seen.fields["rtt_median_ms"]) for seen in found.values()]
        assert statistics.median(medians) < 0.2
        assert sum(int(seen.fields["packets_received"]) for seen in found.values()) == 200

    run_inside(space, work)


def test_an_overflow_of_our_own_buffer_is_unknown_and_never_loss(space: Namespace) -> None:
    async def work(engine: IcmpEngine) -> None:
        await ping(engine, CLOCK, "127.0.0.1", count=1)
        link = engine.links[socket.AF_INET]
        link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        found = await ping_all(engine, [f"127.4.0.{i}" for i in range(1, 201)], 1, timeout_s=0.2)
        missing = [seen for seen in found.values() if not seen.fields["packets_received"]]
        assert missing, "the buffer was meant to overflow"
        assert {seen.status for seen in missing} == {Status.UNKNOWN}
        assert all("loss_percent" not in seen.fields and not seen.samples for seen in missing)
        assert all("our own receive buffer overflowed" in seen.reason for seen in missing)
        assert engine.drops() > 0

    run_inside(space, work)


def test_silence_is_down_with_the_time_of_each_lost_echo(space: Namespace) -> None:
    space.nft("table ip t { chain c { type filter hook input priority 0; ip daddr 127.5.0.0/16 drop; }; }\n")

    async def work(engine: IcmpEngine) -> None:
        found = await ping_all(engine, ["127.5.0.1", "127.6.0.1"], 3, interval_s=0.02, timeout_s=0.2)
        dead = found["127.5.0.1"]
        assert dead.status is Status.DOWN
        assert dead.reason == "no reply"
        assert dead.fields["loss_percent"] == 100.0
        assert [sample.ok for sample in dead.samples] == [False] * 3
        assert found["127.6.0.1"].status is Status.UP

    run_inside(space, work)


def test_what_the_router_says_is_the_reason_and_stays_with_its_own_target() -> None:
    with namespace() as here, namespace() as router, joined(here, router):
        here.ip("route", "add", "default", "via", "10.123.0.2")
        router.ip("route", "add", "unreachable", "192.0.2.1/32")
        router.ip("route", "add", "prohibit", "192.0.2.2/32")
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.icmp_ratelimit=0")

        async def work(engine: IcmpEngine) -> None:
            found = await ping_all(engine, ["192.0.2.1", "192.0.2.2", "10.123.0.2"], 3, interval_s=0.02, timeout_s=0.3)
            assert found["10.123.0.2"].status is Status.UP
            assert found["10.123.0.2"].fields["loss_percent"] == 0.0
            assert found["192.0.2.1"].status is Status.DOWN
            assert found["192.0.2.1"].reason == "host unreachable, says 10.123.0.2"
            assert found["192.0.2.2"].reason == "prohibited by a filter, says 10.123.0.2"

        run_inside(here, work)


def test_no_route_from_here_is_down_and_says_so_and_harms_nobody_else(space: Namespace) -> None:
    async def work(engine: IcmpEngine) -> None:
        found = await ping_all(engine, ["192.0.2.9", "127.0.0.1"], 2, interval_s=0.02, timeout_s=0.1)
        assert found["192.0.2.9"].status is Status.DOWN
        assert found["192.0.2.9"].reason == "this machine has no way to it: network is unreachable"
        assert found["127.0.0.1"].status is Status.UP

    run_inside(space, work)


def test_a_firewall_on_this_machine_is_our_fault_and_unknown(space: Namespace) -> None:
    space.nft("table ip t { chain c { type filter hook output priority 0; ip daddr 127.7.0.1 drop; }; }\n")

    async def work(engine: IcmpEngine) -> None:
        found = await ping_all(engine, ["127.7.0.1", "127.0.0.1"], 2, interval_s=0.02, timeout_s=0.1)
        blocked = found["127.7.0.1"]
        assert blocked.status is Status.UNKNOWN
        assert blocked.reason == "this machine could not send: operation not permitted (a firewall on this machine?)"
        assert not blocked.samples
        assert found["127.0.0.1"].status is Status.UP

    run_inside(space, work)


def test_somebody_elses_pings_never_reach_our_socket(space: Namespace) -> None:
    fping = require("fping", "fping")

    async def work(engine: IcmpEngine) -> None:
        await ping(engine, CLOCK, "127.0.0.1", count=1)
        other = await asyncio.create_subprocess_exec(
            *space.command(fping, "-q", "-C", "200", "-p10", "-i0", "127.0.0.1"), stderr=asyncio.subprocess.DEVNULL
        )
        seen = await ping(engine, CLOCK, "127.0.0.1", count=10, interval_s=0.01)
        await other.wait()
        link = engine.links[socket.AF_INET]
        assert (seen.fields["packets_received"], link.late, link.malformed) == (10, 0, 0)

    run_inside(space, work)


@pytest.mark.parametrize("address", ["224.0.0.1", "0.0.0.0", "ff02::1", "255.255.255.255", "not an address"])
def test_what_is_not_one_hosts_address_is_refused(space: Namespace, address: str) -> None:
    async def work(engine: IcmpEngine) -> None:
        with pytest.raises(ValueError, match="not"):
            await ping(engine, CLOCK, address)

    run_inside(space, work)


def test_a_failing_consumer_does_not_stop_the_others(space: Namespace) -> None:
    async def work(engine: IcmpEngine) -> None:
        def broken(burst: Burst) -> None:
            raise RuntimeError(burst.address)

        engine.start("127.0.0.8", broken)
        seen = await ping(engine, CLOCK, "127.0.0.1", count=1)
        assert seen.status is Status.UP

    run_inside(space, work)
