"""The daemon: the one place that wires the rooms together, and its life from start to end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from alerting.channels.base import Channel
from availability.dependencies import judge
from availability.health import HealthEngine
from collectors import load
from collectors.cadence import Cadence
from collectors.names import AddressBook
from collectors.plan import plan, shared_risks
from collectors.points import series
from collectors.profiles import device_profiles
from collectors.receiver import Keeper
from config import Configuration, ConfigurationInvalid
from config import load as load_configuration
from dashboards.web.house import Vitals
from dashboards.web.web import Web, open_web
from haidang import __version__, logs, reporting
from haidang.alarm import Alarm
from haidang.calendar import Calendar
from haidang.clock import Clock
from haidang.control import ControlServer
from haidang.desk import Desk
from haidang.evidence import Sources, Trace, followed
from haidang.foretelling import rows_now
from haidang.heartbeat import Heartbeat
from haidang.life import DataDirectory, ServiceManager
from haidang.maintaining import Maintaining
from haidang.measuring import own_figures
from haidang.model import CheckId, Point, Transition
from haidang.pipeline import Pipeline
from haidang.selfwatch import EVERY_S, Figures
from haidang.settings import listening, receiver_settings, store_settings
from haidang.telling import Telling
from haidang.vitals import vitals
from haidang.watching import Watching
from haidang.ways import channels
from haidang.world import ConfiguredWorld
from probes.icmp import IcmpEngine, IcmpUnavailable, Pinger
from probes.snmp import Library, SnmpEngine
from probes.threads import in_thread
from reports.snapshot import described
from storage import snapshots
from storage.database import Database
from storage.events import EventLog
from storage.ledger import Ledger, LedgerReader
from storage.metrics import MetricStore, StoreError, StoreSettings, open_store

logger = structlog.get_logger(__name__)

BEAT_S = 10.0
"""How often the ledger notes that we live: the most that a crash can make unknown."""
AGAIN_S = 5.0
"""How long a part of the daemon that failed is left alone before it begins again."""
NAMES_S = 300.0
SELF_S = 60.0
END_S = 2.0
"""How long an end may take to flush what is buffered; the whole end stays under 5 s."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What of the daemon touches the world outside; a rehearsal in simulated time puts the lab's parts in their place.

    Parameters:
        database: opens the file of ledger, incidents and outbox.
        icmp, snmp: make the engines, on the event loop.
        store: opens the metric store.
        channels: makes the ways out that a configuration names.
        web: whether pages may be served at all.
        trace: follows the way to an address, ``None`` where there is none.
    """

    database: Callable[[Path, str], Database] = Database
    icmp: Callable[[], Pinger] = IcmpEngine
    snmp: Callable[[], SnmpEngine] = SnmpEngine
    store: Callable[[StoreSettings, Clock], MetricStore] = open_store
    channels: Callable[[Configuration], dict[str, Channel]] = channels
    web: bool = True
    trace: Trace | None = followed


REAL = Parts()


class Daemon:
    """Watches what a configuration says until it is told to stop.

    Parameters:
        path: the configuration file, read again on SIGHUP.
        configuration: what it says now.
        clock: everything's time.
        parts: what touches the outside.
    """

    def __init__(self, path: Path, configuration: Configuration, clock: Clock, parts: Parts = REAL) -> None:
        self._parts = parts
        self._path = path
        self._configuration = configuration
        self._clock = clock
        self._stop = asyncio.Event()
        self._asked_to_reload = asyncio.Event()
        self._names_changed = asyncio.Event()
        self._directory = DataDirectory(configuration.data_dir)
        self._service = ServiceManager(os.environ)

    async def run(self) -> None:
        """Live until SIGTERM or SIGINT.

        Raises:
            AlreadyRunning: another daemon holds the data directory.
            DatabaseError: the ledger cannot be opened.
            OSError: the data directory cannot be used.
        """
        self._directory.hold()
        try:
            self._database = self._parts.database(self._configuration.data_dir / "haidang.db", "haidang")
            try:
                await self._live()
            finally:
                self._database.close()
        finally:
            self._directory.release()

    def stop(self) -> None:
        """End soon, in order; `run` returns then."""
        self._stop.set()

    async def _live(self) -> None:
        self._build()
        known = self._ledger.begin(self._clock.utc_ns(), __version__)
        if self._web is not None:
            self._web.load(LedgerReader(self._database.connection).running())
        self._try_to_ping()
        changes = self._watching.apply(plan(self._configuration), shared_risks(self._configuration), known)
        self._ledger.watch(changes.added, self._clock.utc_ns())
        self._calendar.start()
        self._alarm.started()
        snapshots.keep(self._database, described(self._configuration), self._clock.utc_ns())
        gone = (known.keys() | self._incidents.open_checks()) - set(changes.added) - self._watching.risks
        self._forget(self._desk.others(gone))
        await self._listen()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._asked_to_reload.set)
        gc.collect()
        gc.freeze()  # what lives as long as the process need not be looked at by every collection
        carriers = [self._keep("store", self._store.run), self._keep("sender", self._sender.run)]
        beat_s = min(BEAT_S, (self._service.watchdog_s or BEAT_S) / 3)
        self._heard = receiver_settings(self._configuration)
        self._receive()
        loops = [
            self._keep("receiver", self._keeper.run),
            self._keep("events", lambda: self._every(1.0, self._write_events)),
            self._keep("cadence", self._cadence.run),
            self._keep("tick", lambda: self._every(1.0, self._tick)),
            self._keep("beat", lambda: self._every(beat_s, self._beat)),
            self._keep("names", self._names),
            self._keep("reload", self._reload_when_asked),
            self._keep("heartbeat", self._heartbeat.run),
            self._keep("self", lambda: self._every(SELF_S, self._measure_self)),
            self._keep("selfwatch", lambda: self._every(EVERY_S, self._look_at_self)),
        ]
        if self._web is not None:
            loops += [self._keep("web", self._web.run), self._keep("web-look", self._look_for_pages)]
        logger.info(
            "haidang runs", version=__version__, targets=len(self._configuration.inventory.targets),
            checks=len(changes.added), store=self._store.status().kind, data=str(self._configuration.data_dir),
            process=os.getpid(),
        )  # fmt: skip
        self._service.say("READY=1", self._status())
        await self._stop.wait()
        await self._end(loops, carriers)

    def _build(self) -> None:
        configuration, clock, database = self._configuration, self._clock, self._database
        self._addresses = AddressBook()
        self._cadence = Cadence(clock)
        self._health = HealthEngine(judge, self._hurry)
        self._ledger = Ledger(database)
        self._world = ConfiguredWorld(configuration, LedgerReader(database.connection))
        self._alarm = Alarm(configuration, database, clock, self._world, self._parts.channels)
        self._incidents, self._sender = self._alarm.incidents, self._alarm.sender
        self._unwell = ""
        self._heartbeat = Heartbeat(lambda: self._unwell)
        self._heartbeat.settings = configuration.alerting.heartbeat
        self._store = self._parts.store(store_settings(configuration), clock)
        self._maintaining = Maintaining(
            configuration, database, clock, self._ledger, self._incidents, self._sender.wake
        )  # fmt: skip
        self._desk = Desk(
            configuration, database, clock, self._incidents, self._sender.wake,
            Sources(self._health.state, self._store, self._parts.trace and self._trace),
        )  # fmt: skip
        verbs = self._alarm.verbs(self._maintaining.verbs() | self._desk.verbs(), self._maintaining.read)
        self._worst_late_ns, self._started_ns = 0, clock.utc_ns()
        self._web: Web | None = None
        if self._parts.web:
            self._web = open_web(
                configuration, clock, self._store, self._vitals,
                lambda name, words: verbs[name]({"do": name, **words}), verbs, lambda: self._maintaining.quiet,
            )  # fmt: skip
        if self._web is not None:
            verbs = {**verbs, **self._web.verbs()}
        self._control = ControlServer(configuration.data_dir, verbs)
        self._pipeline = Pipeline(
            clock, database, self._health, self._ledger, self._incidents, self._store, self._sender.wake,
            self._clock_stepped, self._maintaining.silences, self._desk.take, self._wrote,
        )  # fmt: skip
        self._calendar = Calendar(configuration.timezone)
        self._calendar.add("tidy the metric store", self._store.tidy, minute="*", second=7)
        self._telling = Telling(clock, EventLog(database), self._look)
        self._keeper = Keeper(clock, self._telling.take)
        self._calendar.add("tidy the events", self._tidy_events, hour="*", minute=41)
        self._calendar.add("foretell", self._foretell, hour=5, minute=40)
        self._calendar.add("measure the circuits' load", self._measure_load, minute=23)
        self._plan_report()
        self._watching = Watching(
            clock, self._cadence, self._health, self._addresses, self._pipeline.deliver,
            icmp=self._parts.icmp(), snmp=self._parts.snmp(), profiles=device_profiles(configuration),
        )  # fmt: skip

    def _try_to_ping(self) -> None:
        """Say once, with the cure, when pings cannot be sent; everything else goes on, pings are *unknown*."""
        if any("icmp" in target.probes for target in self._configuration.inventory.targets.values()):
            try:
                self._watching.icmp.open(socket.AF_INET)
            except IcmpUnavailable as error:
                logger.error("ping is not possible", reason=error.reason, cure=error.cure)  # noqa: TRY400 all is said

    async def _trace(self, name: str) -> Sequence[str]:
        address = self._addresses.address(name)
        return await self._parts.trace(address) if self._parts.trace and address else ()

    def _look(self, target: str) -> bool:
        return self._watching.look(target)

    async def _tidy_events(self) -> None:
        self._telling.tidy()

    def _receive(self) -> None:
        """Tell the receiver what the configuration says, and whose addresses are whose now."""
        configuration = self._configuration
        known = self._telling.know(
            (address, target.id) for target in configuration.inventory.targets.values()
            if target.address and (address := self._addresses.address(target.address))
        )  # fmt: skip
        self._keeper.use(listening(configuration), self._heard, tuple(known))

    async def _listen(self) -> None:
        """Take requests of commands; without, everything else goes on."""
        try:
            await self._control.start()
        except OSError as error:
            logger.error("commands cannot reach this daemon", reason=str(error))  # noqa: TRY400 all is said

    async def _foretell(self) -> None:
        """Keep the day's forecasts; thousands take some seconds, in a thread, at a quiet hour."""
        configuration, now_ns = self._configuration, self._clock.utc_ns()
        self._maintaining.keep(await in_thread(lambda: rows_now(configuration, now_ns), "forecast"))

    def _plan_report(self) -> None:
        """Make last month's report each day at its time when it is missing: day 1, or later after a longer stop."""
        hour, _, minute = self._configuration.reports.at.partition(":")
        self._calendar.add("the month's report", self._report, hour=int(hour) % 24, minute=int(minute))

    async def _report(self) -> None:
        configuration, now_ns = self._configuration, self._clock.utc_ns()
        month = reporting.is_due(configuration, self._database.connection, now_ns)
        if month is None:
            return
        failed = await reporting.have_made(self._path, month)
        if failed is not None:
            logger.error("the month's report was not made", month=month, reason=failed)
            return
        with self._database.transaction():
            letters = reporting.mail(configuration, self._alarm.outbox, month, self._clock.utc_ns())
        self._sender.wake()
        logger.info("the month's report is made", month=month, letters=letters)

    def _hurry(self, check: CheckId, fast: bool) -> None:
        self._watching.hurry(check, fast)

    async def _reload_when_asked(self) -> None:
        while True:
            await self._asked_to_reload.wait()
            self._asked_to_reload.clear()
            try:
                await self.reload()
            except Exception:  # noqa: BLE001 a reload that fails must leave the watch as it was
                logger.exception("reload failed")

    async def reload(self) -> None:
        """Read the configuration again: parse, check, compare, exchange. An invalid one changes nothing."""
        self._service.say("RELOADING=1", f"MONOTONIC_USEC={self._clock.monotonic_ns() // 1000}")
        try:
            fresh, profiles = await in_thread(self._read, "load")  # thousands of targets take a second
        except ConfigurationInvalid as invalid:
            for error in invalid.errors:
                logger.error("configuration error", error=str(error))  # noqa: TRY400 the place is in the error
            logger.error("configuration not taken, the old one stays", errors=len(invalid.errors))  # noqa: TRY400
        else:
            self._take(fresh, profiles)
        finally:
            self._service.say("READY=1", self._status())

    def _read(self) -> tuple[Configuration, Library]:
        fresh = load_configuration(self._path)
        return fresh, device_profiles(fresh)

    def _take(self, fresh: Configuration, profiles: Library) -> None:
        plans, risks = plan(fresh), shared_risks(fresh)  # whatever can fail does so before anything is exchanged
        old, self._configuration = self._configuration, fresh
        if fresh.data_dir != old.data_dir or fresh.storage != old.storage or fresh.timezone != old.timezone:
            logger.warning("data_dir, storage and timezone change only with a restart")
        logs.configure(fresh.logging.format, fresh.logging.level)
        self._world.use(fresh)
        self._maintaining.use(fresh)
        self._alarm.use(fresh)
        self._heartbeat.settings = fresh.alerting.heartbeat
        self._desk.use(fresh)
        self._watching.use(profiles)
        changes = self._watching.apply(plans, risks)
        self._ledger.watch(changes.added, self._clock.utc_ns())
        self._forget(changes.removed)
        snapshots.keep(self._database, described(fresh), self._clock.utc_ns())
        self._plan_report()
        self._heard = receiver_settings(fresh)
        self._names_changed.set()
        if self._web is not None:
            self._web.use(fresh)
        logger.info(
            "configuration taken", added=len(changes.added), removed=len(changes.removed), changed=len(changes.changed)
        )

    def _forget(self, checks: Collection[CheckId]) -> None:
        """Close what is on record of checks that are no longer watched."""
        if not checks:
            return
        with self._database.transaction():
            self._ledger.retire(checks, self._clock.utc_ns())
            self._incidents.forget(checks)
        self._sender.wake()

    async def _write_events(self) -> None:
        self._telling.tick()

    async def _tick(self) -> None:
        self._pipeline.tick()
        self._maintaining.tick()
        self._alarm.tick()
        self._desk.tick()

    def _clock_stepped(self, before_ns: int, after_ns: int) -> None:
        try:
            self._ledger.clock_stepped(before_ns, after_ns)
            self._alarm.clock_stepped(before_ns, after_ns)
        except sqlite3.Error as error:
            logger.error("the step could not be written into the ledger", error=str(error))  # noqa: TRY400 all is said
        self._calendar.clock_stepped()
        if self._web is not None:
            self._web.load(LedgerReader(self._database.connection).running())
        self._sender.wake()

    async def _beat(self) -> None:
        self._service.say("WATCHDOG=1", self._status())
        store = self._store.status()
        try:
            self._ledger.beat(self._clock.utc_ns(), {"store_kind": store.kind, "store_error": store.last_error})
            self._unwell = ""
        except sqlite3.Error as error:
            self._unwell = f"the ledger cannot be written: {error}"
            logger.error("the sign of life could not be written", error=str(error))  # noqa: TRY400 all is said

    async def _names(self) -> None:
        """Look the targets' names up now and then, and at once when the configuration changed."""
        while True:
            self._names_changed.clear()
            await self._addresses.refresh()
            self._receive()
            try:
                async with asyncio.timeout(NAMES_S):
                    await self._names_changed.wait()
            except TimeoutError:
                continue

    def _wrote(self, transitions: Sequence[Transition]) -> None:
        if self._web is not None:
            self._web.took(transitions)

    async def _look_for_pages(self) -> None:
        while self._web is not None:
            await self._web.look()
            await asyncio.sleep(1.0)

    def _vitals(self) -> Vitals:
        return vitals(
            self._started_ns, self._worst_late_ns, self._cadence, self._watching, self._health, self._pipeline,
            self._store,
        )  # fmt: skip

    async def _measure_self(self) -> None:
        """Store how we are doing."""
        self._worst_late_ns = self._cadence.lag.worst_ns
        fields = own_figures(
            self._cadence, self._watching, self._health, self._pipeline, self._store, self._keeper, self._telling
        )
        self._store.add([Point(series("haidang", {"host": socket.gethostname()}), self._clock.utc_ns(), fields)])

    async def _look_at_self(self) -> None:
        ways = len(self._parts.channels(self._configuration))
        self._desk.look(Figures(self._cadence.take_worst_ms(), self._store.status().last_error, ways))

    async def _measure_load(self) -> None:
        """Store how full the leased lines were, each hour; a store that cannot answer now may the next time."""
        now_ns = self._clock.utc_ns()
        try:
            found = await load.loads(self._configuration, self._store, now_ns)
        except StoreError as error:
            logger.warning("load of the circuits not measured", reason=str(error))
            return
        points = load.points(found, now_ns)
        self._store.add(points)
        self._desk.take(points)

    def _status(self) -> str:
        return f"STATUS=watching {len(self._watching.plans())} checks, {self._health.suspects()} suspect"

    def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Start a loop that lives as long as the daemon: what ends it is logged, and it begins again."""

        async def forever() -> None:
            while True:
                try:
                    await work()
                except Exception:  # noqa: BLE001 one part that fails must not stop the others
                    logger.exception("a part of the daemon failed, begun again", part=name)
                await asyncio.sleep(AGAIN_S)

        return asyncio.create_task(forever(), name=name)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do something at once and then again and again; a failure is logged and does not end it."""
        while True:
            try:
                await work()
            except Exception:  # noqa: BLE001 the loop's top: this round failed, the next may not
                logger.exception("periodic work failed", work=getattr(work, "__name__", ""))
            await asyncio.sleep(seconds)

    async def _end(self, loops: Collection[asyncio.Task[None]], carriers: Collection[asyncio.Task[None]]) -> None:
        """Stop probing, say in the ledger until when we watched, flush, close. Takes under five seconds."""
        self._service.say("STOPPING=1")
        began = self._clock.monotonic_ns()
        for task in loops:
            task.cancel()
        self._control.close()
        self._calendar.close()
        self._watching.close()
        await self._desk.close()
        try:
            self._pipeline.tick()
            self._pipeline.write_all()
            self._ledger.end(self._clock.utc_ns())
        except sqlite3.Error as error:
            logger.error("the end could not be written", error=str(error))  # noqa: TRY400 the error says it all
        for task in carriers:
            task.cancel()
        await asyncio.wait([*loops, *carriers], timeout=END_S)
        if self._web is not None:
            self._web.close()
        await self._store.close(END_S)
        logger.info("haidang ended", took_ms=round((self._clock.monotonic_ns() - began) / 1e6))
