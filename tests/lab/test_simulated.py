"""A month passes in a moment, and what is measured in it is what the lab's network was told to do."""

from __future__ import annotations

import asyncio
import math
import socketserver
import statistics
import threading
import time
from collections.abc import Coroutine
from typing import TypeVar

import pytest

from haidang.clock import ManualClock
from haidang.model import Status
from lab.devices import CLASSES, Access, Device
from lab.lines import Conditions
from lab.network import Network
from lab.network.simulator import cross
from lab.simulated import SimulatedLoop, SimulatedPinger, links
from probes.icmp import Burst
from probes.icmp.probe import observe
from probes.snmp import Access as Credentials
from probes.snmp import NoAnswer, Session, SnmpEngine, poll
from probes.threads import in_thread

T = TypeVar("T")
COMMUNE = "10.1.0.2"


def network(conditions: Conditions | None = None) -> Network:
    made = Network(seed=1)
    made.add_place("centre", "10.0.0.1")
    made.add_place("district", "10.1.0.1")
    made.add_line("backbone", "centre", "district", conditions)
    made.add_host(COMMUNE, "district")
    return made


def live(clock: ManualClock, work: Coroutine[object, object, T]) -> T:
    with asyncio.Runner(loop_factory=lambda: SimulatedLoop(clock)) as runner:
        return runner.run(work)


def test_a_month_of_sleep_takes_no_time() -> None:
    clock = ManualClock()
    began = time.monotonic()
    live(clock, asyncio.sleep(30 * 86_400))
    assert clock.monotonic_ns() >= 30 * 86_400 * 10**9
    assert time.monotonic() - began < 5


def test_timers_run_in_the_order_of_their_time_and_see_it() -> None:
    clock = ManualClock()
    seen: list[tuple[str, float]] = []

    async def wait(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((name, round(asyncio.get_running_loop().time() - 1.0, 3)))

    async def all_of_them() -> None:
        await asyncio.gather(wait("late", 3600), wait("soon", 0.25), wait("middle", 60))

    live(clock, all_of_them())
    assert seen == [("soon", 0.25), ("middle", 60.0), ("late", 3600.0)]


def test_a_deadline_that_passes_in_simulated_time_ends_the_wait() -> None:
    async def hang() -> None:
        async with asyncio.timeout(5):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        live(ManualClock(), hang())


def test_a_step_of_the_wall_clock_moves_no_timer() -> None:
    clock = ManualClock()

    async def wait() -> float:
        began = clock.monotonic_ns()
        asyncio.get_running_loop().call_later(1, clock.step, -7200)
        await asyncio.sleep(10)
        return (clock.monotonic_ns() - began) / 1e9

    assert live(clock, wait()) == pytest.approx(10, abs=1e-6)


def test_time_stands_still_for_a_thread_at_work() -> None:
    clock = ManualClock()

    async def work() -> float:
        ticking = asyncio.create_task(tick())
        began = clock.monotonic_ns()
        found = await asyncio.to_thread(lambda: sum(range(1_000_000)))
        again = await in_thread(lambda: sum(range(1_000_000)), "again")
        ticking.cancel()
        assert found == again
        return (clock.monotonic_ns() - began) / 1e9

    assert live(clock, work()) < 0.2, "at most the tick that was due"


async def tick() -> None:
    for _ in range(100_000):
        await asyncio.sleep(0.1)


def test_a_thread_that_hangs_does_not_stop_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.simulated.loop.THREAD_S", 0.01)
    over = threading.Event()

    async def hang() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await in_thread(over.wait, "hangs")
        over.set()

    live(ManualClock(), hang())


def test_a_real_server_answers_before_a_simulated_deadline_passes() -> None:
    class Echo(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(line)

    async def ask(port: int) -> list[bytes]:
        ticking = asyncio.create_task(tick())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answers = []
        for number in range(20):
            writer.write(b"%d\n" % number)
            async with asyncio.timeout(1):
                answers.append(await reader.readline())
        writer.close()
        ticking.cancel()
        return answers

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            assert live(ManualClock(), ask(server.server_address[1])) == [b"%d\n" % number for number in range(20)]
        finally:
            server.shutdown()
            serving.join()


def ping(net: Network, address: str = COMMUNE, *, count: int = 5, cut_after_s: float | None = None) -> Burst:
    clock = ManualClock()
    pinger = SimulatedPinger(net, clock)

    async def one() -> Burst:
        over: asyncio.Future[Burst] = asyncio.get_running_loop().create_future()
        if cut_after_s is not None:
            asyncio.get_running_loop().call_later(cut_after_s, net.line("backbone").cut)
        pinger.start(address, over.set_result, count=count, interval_s=1.0, timeout_s=2.0)
        return await over

    burst = live(clock, one())
    seen = observe(burst, "x", 0, clock)
    assert len(seen.samples) == count
    return burst


def test_round_trips_are_those_of_the_line() -> None:
    burst = ping(network(Conditions(delay_ms=20)))
    assert burst.rtts_ns == [20_000_000] * 5


def test_loss_is_that_of_the_line() -> None:
    burst = ping(network(Conditions(delay_ms=1, loss_percent=20)), count=5000)
    assert 0.18 < burst.rtts_ns.count(-1) / 5000 < 0.22


def test_echoes_after_a_cut_in_the_middle_of_a_burst_are_lost() -> None:
    burst = ping(network(), cut_after_s=1.5)
    assert [rtt >= 0 for rtt in burst.rtts_ns] == [True, True, False, False, False]


def test_echoes_after_a_mend_in_the_middle_of_a_burst_come_back() -> None:
    net = network()
    net.line("backbone").cut()
    clock = ManualClock()
    net.round_trip(COMMUNE, clock.monotonic_ns())  # routers notice
    clock.advance(60)
    pinger = SimulatedPinger(net, clock)

    async def one() -> Burst:
        over: asyncio.Future[Burst] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(1.5, net.line("backbone").mend)
        pinger.start(COMMUNE, over.set_result, count=5)
        return await over

    assert [rtt >= 0 for rtt in live(clock, one()).rtts_ns] == [False, False, True, True, True]


def test_delays_that_change_in_the_middle_of_a_burst_are_measured_from_then_on() -> None:
    net = network(Conditions(delay_ms=10))
    clock = ManualClock()
    pinger = SimulatedPinger(net, clock)

    async def one() -> Burst:
        over: asyncio.Future[Burst] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(2.5, lambda: net.line("backbone").set(delay_ms=70))
        pinger.start(COMMUNE, over.set_result, count=5)
        return await over

    assert live(clock, one()).rtts_ns == [10_000_000] * 3 + [70_000_000] * 2


def test_what_a_whole_way_adds_up_to_is_what_its_lines_add_one_by_one() -> None:
    net = network(Conditions(delay_ms=20, jitter_ms=2, correlation=0.4))
    net.add_place("commune", "10.1.0.9")
    net.add_line("access", "district", "commune", Conditions(delay_ms=8, jitter_ms=1))
    host = net.host("10.1.0.9")
    route = net.topology.route(host, 0)
    at_once = net.round_trips(host, 0, 20_000)
    assert at_once is not None
    one_by_one = [
        back - at
        for at in range(0, 20_000 * 10**9, 10**9)
        for there in cross(route.forth, at, 84)
        for back in cross(route.back, there, 84)
    ]
    for trips in ([float(trip) for trip in at_once if trip is not None], [float(trip) for trip in one_by_one]):
        assert statistics.fmean(trips) == pytest.approx(28e6, rel=0.002)
        assert statistics.stdev(trips) == pytest.approx(math.sqrt(2**2 + 1**2) * 1e6, rel=0.03)
        assert statistics.correlation(trips[1:], trips[:-1]) == pytest.approx(0.4 * 4 / 5, abs=0.03)


@pytest.mark.parametrize(
    "conditions",
    [
        Conditions(loss_percent=5), Conditions(loss_percent=5, burst_s=5), Conditions(rate_mbit=10),
        Conditions(delay_ms=5, jitter_ms=1, distribution="pareto"), Conditions(duplicate_percent=1),
        Conditions(delay_ms=1, jitter_ms=1), Conditions(delay_ms=5, reorder_percent=1),
    ],
)  # fmt: skip
def test_nothing_is_foreseen_where_each_packet_has_its_own_fate(conditions: Conditions) -> None:
    net = network(conditions)
    assert net.round_trips(net.host(COMMUNE), 0, 5) is None


def test_nothing_is_foreseen_while_routers_look_for_another_way() -> None:
    net = network()
    net.line("backbone").cut()
    host = net.host(COMMUNE)
    assert net.round_trips(host, 0, 5) is None
    assert net.round_trips(host, 2 * 10**9, 5) is None
    assert net.round_trips(host, 4 * 10**9, 5) == [None] * 5


def test_an_address_nobody_has_never_answers() -> None:
    burst = ping(network(), "10.99.0.1")
    assert observe(burst, "x", 0, ManualClock()).status is Status.DOWN


def test_a_stopped_burst_says_nothing() -> None:
    clock = ManualClock()
    pinger = SimulatedPinger(network(), clock)

    async def stop() -> list[Burst]:
        over: list[Burst] = []
        pinger.stop(pinger.start(COMMUNE, over.append, count=3))
        await asyncio.sleep(60)
        return over

    assert live(clock, stop()) == []


def test_the_snmp_engine_polls_a_device_through_the_network_until_its_line_is_cut() -> None:
    clock = ManualClock()
    net = network(Conditions(delay_ms=30))
    device = Device(CLASSES["router"](), "hub", now_ns=clock.utc_ns(), access=Access())
    net.host(COMMUNE).serve(
        161, lambda data, _: [(reply.delay_s, reply.data) for reply in device.receive(data, clock.utc_ns())]
    )

    async def look() -> tuple[int, float]:
        engine = SnmpEngine(open_link=links(net, clock))
        session = Session(engine, COMMUNE, Credentials("public"))
        began = asyncio.get_running_loop().time()
        found = await poll(session, budget_s=20)
        took = asyncio.get_running_loop().time() - began
        net.line("backbone").cut()
        with pytest.raises(NoAnswer):
            await poll(session, budget_s=20)
        engine.close()
        return len(found.interfaces), took

    interfaces, took = live(clock, look())
    assert interfaces == len(device.state.model.ports)
    assert took == pytest.approx(round(took / 0.03) * 0.03, abs=0.002)  # whole round trips, and nothing else
