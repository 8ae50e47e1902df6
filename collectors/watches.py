"""Watches: one check of one target, kept at its cadence. Each starts its probe and hands on what came back.

A watch never waits and never raises: a probe that cannot be done is an observation with status *unknown*.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from collectors.names import AddressBook
from collectors.points import dns_point, ping_point, series
from collectors.toll import Tolls
from haidang.clock import Clock
from haidang.model import CheckId, Observation, Point, Sample, Status
from probes import dns
from probes.host import HostReader
from probes.icmp import Burst, IcmpUnavailable, Pinger
from probes.icmp.probe import observe
from probes.threads import in_thread

logger = structlog.get_logger(__name__)

Deliver = Callable[[Observation, Sequence[Point]], None]
"""Takes an observation and the points that come of it; called on the event loop."""


class Watch(Protocol):
    """One check at work."""

    check: CheckId

    def start(self, slot_ns: int) -> None:
        """Begin a slot of the normal cadence."""
        ...

    def start_fast(self, slot_ns: int) -> None:
        """Begin a slot while the check is suspect: the cheapest try that tells up from down."""
        ...

    def stop(self) -> None:
        """Give up what is under way."""
        ...


@dataclass(frozen=True, slots=True)
class PingSettings:
    """How a target is pinged: ``echoes`` spread over ``cadence_s``."""

    cadence_s: float = 10.0
    echoes: int = 5
    timeout_s: float = 2.0
    size: int = 56
    dscp: int = 0


class PingWatch:
    """Pings a target."""

    def __init__(
        self, check: CheckId, name: str, settings: PingSettings, tags: Mapping[str, str], *, engine: Pinger,
        addresses: AddressBook, clock: Clock, deliver: Deliver,
    ) -> None:  # fmt: skip
        self.check = check
        self._name = name
        self._settings = settings
        self._series = series("ping", {**tags, "url": name})
        self._engine = engine
        self._addresses = addresses
        self._clock = clock
        self._deliver = deliver
        self._bursts: dict[int, tuple[Burst, int]] = {}

    def start(self, slot_ns: int) -> None:
        """See `Watch.start`."""
        echoes = self._settings.echoes
        self._ping(slot_ns, echoes, self._settings.cadence_s / echoes)

    def start_fast(self, slot_ns: int) -> None:
        """See `Watch.start_fast`."""
        self._ping(slot_ns, 1, 0)

    def stop(self) -> None:
        """See `Watch.stop`."""
        for burst, _ in self._bursts.values():
            self._engine.stop(burst)
        self._bursts.clear()

    def _ping(self, slot_ns: int, count: int, interval_s: float) -> None:
        address = self._addresses.address(self._name)
        settings = self._settings
        if address is None:
            self._cannot(slot_ns, f"the name {self._name} has no address yet")
            return

        def done(burst: Burst) -> None:
            self._bursts.pop(burst.token, None)
            observation = observe(burst, self.check.target, slot_ns, self._clock)
            self._deliver(observation, (ping_point(self._series, observation),))

        try:
            burst = self._engine.start(
                address, done, count=count, interval_s=interval_s, timeout_s=settings.timeout_s,
                size=settings.size, dscp=settings.dscp,
            )  # fmt: skip
        except IcmpUnavailable as error:
            self._cannot(slot_ns, error.reason)  # the cure is said once, at the start
            return
        except (ValueError, OSError) as error:
            self._cannot(slot_ns, str(error))
            return
        if burst.answered < count:
            self._bursts[burst.token] = (burst, slot_ns)

    def _cannot(self, slot_ns: int, reason: str) -> None:
        self._deliver(Observation(self.check.target, "icmp", slot_ns, Status.UNKNOWN, reason, {}, 0.0), ())


class TaskWatch:
    """Base of the watches whose probe is a coroutine: one at a time; a slot that finds it busy is skipped, counted."""

    tolls: Tolls | None = None
    """Charged with the work and told of the slots left out; set before the first start."""

    def __init__(self, check: CheckId, deliver: Deliver) -> None:
        self.check = check
        self._deliver = deliver
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether a probe is at work."""
        return self._task is not None and not self._task.done()

    def begin(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run a probe unless the last one is still at it."""
        if self.busy:
            if self.tolls is not None:
                self.tolls.left_out(self.check.probe)
            return
        guarded = self._guard(work)
        if self.tolls is not None:
            guarded = self.tolls.meter.steps(self.check.probe, guarded)
        self._task = asyncio.create_task(guarded, name=str(self.check))

    def stop(self) -> None:
        """See `Watch.stop`."""
        if self._task is not None:
            self._task.cancel()

    async def _guard(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            await work()
        except Exception:  # noqa: BLE001 one probe's fault must not end the daemon's task tree
            logger.exception("probe failed", check=str(self.check))


@dataclass(frozen=True, slots=True)
class DnsSettings:
    """What a DNS server is asked."""

    cadence_s: float = 60.0
    timeout_s: float = 3.0
    name: str = "."
    record: str = "SOA"
    port: int = 53


class DnsWatch(TaskWatch):
    """Asks a DNS server."""

    def __init__(
        self, check: CheckId, name: str, settings: DnsSettings, tags: Mapping[str, str], *, addresses: AddressBook,
        clock: Clock, deliver: Deliver,
    ) -> None:  # fmt: skip
        super().__init__(check, deliver)
        self._name = name
        self._settings = settings
        self._series = series(
            "dns_query", {**tags, "server": name, "domain": settings.name, "record_type": settings.record}
        )
        self._addresses = addresses
        self._clock = clock

    def start(self, slot_ns: int) -> None:
        """See `Watch.start`."""
        self.begin(lambda: self._ask(slot_ns))

    start_fast = start

    async def _ask(self, slot_ns: int) -> None:
        settings = self._settings
        address = self._addresses.address(self._name)
        if address is None:
            reason = f"the name {self._name} has no address yet"
            self._deliver(Observation(self.check.target, "dns", slot_ns, Status.UNKNOWN, reason, {}, 0.0), ())
            return
        observation = await dns.query(
            self._clock, self.check.target, address, name=settings.name, record=settings.record, port=settings.port,
            timeout_s=settings.timeout_s, slot_ns=slot_ns,
        )  # fmt: skip
        self._deliver(observation, (dns_point(self._series, observation),))


@dataclass(frozen=True, slots=True)
class HostSettings:
    """How often this machine is read, which programs must run and which units of systemd be active."""

    cadence_s: float = 30.0
    processes: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


class HostWatch(TaskWatch):
    """Reads this machine, in a thread: a dead network file system can hold the system call."""

    def __init__(
        self, check: CheckId, settings: HostSettings, tags: Mapping[str, str], *, clock: Clock, deliver: Deliver
    ) -> None:  # fmt: skip
        super().__init__(check, deliver)
        self._tags = dict(tags)
        self._clock = clock
        self._reader = HostReader(clock, processes=settings.processes, units=settings.units)

    def start(self, slot_ns: int) -> None:
        """See `Watch.start`."""
        self.begin(lambda: self._read(slot_ns))

    start_fast = start

    async def _read(self, slot_ns: int) -> None:
        began = self._clock.monotonic_ns()
        readings = await in_thread(self._reader.read, "read this machine")
        duration_ms = (self._clock.monotonic_ns() - began) / 1e6
        trouble = "; ".join(self._reader.troubles)
        observation = Observation(
            self.check.target, "host", slot_ns, Status.UP, trouble, {"groups": len(readings)}, duration_ms,
            (Sample(self._clock.utc_ns(), ok=True),), warning=trouble,
        )  # fmt: skip
        points = [
            Point(series(reading.measurement, {**self._tags, **dict(reading.tags)}), slot_ns, reading.fields)
            for reading in readings
        ]
        self._deliver(observation, points)


@dataclass(frozen=True, slots=True)
class Unusable:
    """A check that cannot be probed as things are: which probe, and what must be done."""

    probe: str
    reason: str


class UnusableWatch:
    """Says in every slot that the check cannot be probed, and why."""

    def __init__(self, check: CheckId, why: Unusable, deliver: Deliver) -> None:
        self.check = check
        self._why = why
        self._deliver = deliver

    def start(self, slot_ns: int) -> None:
        """See `Watch.start`."""
        unknown = Observation(self.check.target, self._why.probe, slot_ns, Status.UNKNOWN, self._why.reason, {}, 0.0)
        self._deliver(unknown, ())

    start_fast = start

    def stop(self) -> None:
        """See `Watch.stop`."""
