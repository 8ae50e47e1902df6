"""The daemon: the one place that wires the rooms together, and its life from start to end."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import structlog

from availability.dependencies import judge
from availability.health import HealthEngine
from collectors.cadence import Cadence
from collectors.names import AddressBook
from collectors.plan import plan, shared_risks
from collectors.points import series
from collectors.profiles import device_profiles
from collectors.toll import Tolls
from config import Configuration, ConfigurationInvalid
from config import load as load_configuration
from dashboards.web.house import Vitals
from dashboards.web.web import Web, open_web
from haidang import __version__, logs
from haidang.alarm import Alarm
from haidang.almanac import Almanac
from haidang.clock import Clock
from haidang.conferences import attending
from haidang.conferences.attending import Attending
from haidang.conferences.keeping import Keeping
from haidang.control import ControlServer
from haidang.desk import Desk
from haidang.evidence import Sources
from haidang.heartbeat import Heartbeat
from haidang.life import DataDirectory, ServiceManager
from haidang.loops import keep, keep_every
from haidang.maintaining import Maintaining
from haidang.measuring import own_figures, toll_figures
from haidang.model import CheckId, Point, Transition
from haidang.parts import REAL, Parts
from haidang.pipeline import Pipeline
from haidang.receiving import Receiving
from haidang.refusals import Refusals
from haidang.selfwatch import EVERY_S, Figures
from haidang.settings import store_settings
from haidang.standing import EVERY_S as STANDING_S
from haidang.standing import StandingMetrics
from haidang.vitals import told, vitals
from haidang.watching import Watching
from haidang.world import ConfiguredWorld
from probes.icmp import IcmpUnavailable
from probes.meter import Meter
from probes.snmp import Library
from probes.threads import in_thread
from reports.snapshot import described
from storage import snapshots
from storage.ledger import Ledger, LedgerReader

logger = structlog.get_logger(__name__)

BEAT_S = 10.0
"""How often the ledger notes that we live: the most that a crash can make unknown."""
SELF_S = 60.0
END_S = 2.0
"""How long an end may take to flush what is buffered; the whole end stays under 5 s."""


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
        self._on_record(changes.added)
        self._almanac.start()
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
        carriers = [keep("store", self._store.run), keep("sender", self._sender.run)]
        beat_s = min(BEAT_S, (self._service.watchdog_s or BEAT_S) / 3)
        self._receiving.tell()
        loops = [
            keep("receiver", self._receiving.keeper.run),
            keep_every("events", 1.0, self._receiving.telling.tick),
            keep("cadence", self._cadence.run),
            keep_every("tick", 1.0, self._tick),
            keep_every("beat", beat_s, self._beat),
            keep("names", self._receiving.names),
            keep("reload", self._reload_when_asked),
            keep("heartbeat", self._heartbeat.run),
            keep_every("self", SELF_S, self._measure_self),
            keep_every("selfwatch", EVERY_S, self._look_at_self),
            keep_every("standing", STANDING_S, self._standing.look),
            keep("calendars", self._calendars.run),
            keep_every("meetings", attending.EVERY_S, self._attending.look),
        ]
        if self._web is not None:
            loops += [keep("web", self._web.run), keep_every("web-look", 1.0, self._web.look)]
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
        self._refusals = Refusals(database.path, clock)
        database.outcome = self._refusals.note
        self._addresses = AddressBook()
        self._cadence = Cadence(clock)
        self._health = HealthEngine(judge, self._hurry)
        self._ledger = Ledger(database)
        self._world = ConfiguredWorld(configuration, LedgerReader(database.connection))
        self._alarm = Alarm(configuration, database, clock, self._world, self._parts.channels)
        self._incidents, self._sender = self._alarm.incidents, self._alarm.sender
        self._heartbeat = Heartbeat(self._unwell)
        self._heartbeat.settings = configuration.alerting.heartbeat
        self._store = self._parts.store(store_settings(configuration), clock)
        self._standing = StandingMetrics(configuration, clock, self._store.add, socket.gethostname())
        self._calendars = Keeping(configuration, database, clock, lambda: self._attending.replan())  # noqa: PLW0108 made further down
        self._maintaining = Maintaining(
            configuration, database, clock, self._ledger, self._incidents, self._sender.wake, self._calendars.meetings
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
                lambda *told: self._receiving.telling.hand_in(*told),  # noqa: PLW0108 made further down
                lambda target: self._watching.neighbours(target),  # noqa: PLW0108 made further down
                self._alarm.keep,
            )  # fmt: skip
        if self._web is not None:
            verbs = {**verbs, **self._web.verbs()}
        self._control = ControlServer(configuration.data_dir, {**verbs, "self": lambda _: told(self._vitals())})
        self._pipeline = Pipeline(
            clock, database, self._health, self._ledger, self._incidents, self._store, self._sender.wake,
            self._clock_stepped, self._maintaining.silences, self._desk.take, self._wrote,
        )  # fmt: skip
        self._receiving = Receiving(configuration, clock, database, self._addresses, self._look)
        self._almanac = Almanac(
            self._path, configuration, clock, database, self._store, self._alarm.outbox, self._sender.wake,
            self._maintaining.keep, self._desk.take, self._receiving.telling.tidy,
        )  # fmt: skip
        meter = Meter()
        self._watching = Watching(
            clock, self._cadence, self._health, self._addresses, self._pipeline.deliver,
            icmp=self._parts.icmp(meter), snmp=self._parts.snmp(meter), profiles=device_profiles(configuration),
            tolls=Tolls(meter),
        )  # fmt: skip
        self._attending = Attending(
            configuration, database, clock, self._alarm.outbox, self._sender.wake, self._watching.icmp,
            keeping=self._calendars, store=self._store, follow=self._parts.trace is not None, hold=self._hold,
        )  # fmt: skip

    def _try_to_ping(self) -> None:
        """Say once, with the cure, when pings cannot be sent; everything else goes on, pings are *unknown*."""
        if any("icmp" in target.probes for target in self._configuration.inventory.targets.values()):
            try:
                self._watching.icmp.open(socket.AF_INET)
            except IcmpUnavailable as error:
                logger.error("ping is not possible", reason=error.reason, cure=error.cure)  # noqa: TRY400 all is said

    def _hold(self, rooms: frozenset[str], factor: float) -> None:
        """Take the rooms in which a meeting is held more seriously."""
        self._world.meeting = rooms
        self._watching.press(rooms, factor)

    async def _trace(self, name: str) -> Sequence[str]:
        address = self._addresses.address(name)
        return await self._parts.trace(address) if self._parts.trace and address else ()

    def _look(self, target: str) -> bool:
        return self._watching.look(target)

    async def _listen(self) -> None:
        """Take requests of commands; without, everything else goes on."""
        try:
            await self._control.start()
        except OSError as error:
            logger.error("commands cannot reach this daemon", reason=str(error))  # noqa: TRY400 all is said

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
        self._standing.configuration = fresh
        self._watching.use(profiles)
        changes = self._watching.apply(plans, risks)
        self._on_record(changes.added)
        self._forget(changes.removed)
        snapshots.keep(self._database, described(fresh), self._clock.utc_ns())
        self._almanac.use(fresh)
        self._calendars.use(fresh)
        self._attending.use(fresh)
        self._receiving.use(fresh)
        if self._web is not None:
            self._web.use(fresh)
        logger.info(
            "configuration taken",
            sections=old.differing(fresh),
            checks_added=len(changes.added),
            checks_removed=len(changes.removed),
            checks_changed=len(changes.changed),
        )

    def _on_record(self, added: Iterable[CheckId]) -> None:
        """Note what is watched from now on, and which check speaks for each target."""
        now_ns = self._clock.utc_ns()
        with self._database.transaction():
            self._ledger.watch(added, now_ns)
            self._ledger.judge_by((one.primary for one in self._configuration.inventory.targets.values()), now_ns)

    def _forget(self, checks: Collection[CheckId]) -> None:
        """Close what is on record of checks that are no longer watched."""
        if not checks:
            return
        with self._database.transaction():
            self._ledger.retire(checks, self._clock.utc_ns())
            self._incidents.forget(checks)
        self._sender.wake()

    def _tick(self) -> None:
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
        self._desk.clock_stepped(before_ns, after_ns)
        self._almanac.clock_stepped()
        if self._web is not None:
            self._web.load(LedgerReader(self._database.connection).running())
        self._sender.wake()

    def _beat(self) -> None:
        self._service.say("WATCHDOG=1", self._status())
        store = self._store.status()
        try:
            self._ledger.beat(self._clock.utc_ns(), {"store_kind": store.kind, "store_error": store.last_error})
        except sqlite3.Error as error:
            logger.debug("the sign of life could not be written", error=str(error))

    def _unwell(self) -> str:
        return f"the ledger cannot be written: {self._refusals.error}" if self._refusals.error else ""

    def _wrote(self, transitions: Sequence[Transition]) -> None:
        self._desk.changed(transitions)
        if self._web is not None:
            self._web.took(transitions)

    def _vitals(self) -> Vitals:
        return vitals(
            self._started_ns, self._worst_late_ns, self._cadence, self._watching, self._health, self._pipeline,
            self._store, self._refusals.error,
        )  # fmt: skip

    def _measure_self(self) -> None:
        """Store how we are doing."""
        self._worst_late_ns = self._cadence.lag.worst_ns
        host, now_ns = {"host": socket.gethostname()}, self._clock.utc_ns()
        fields = own_figures(
            self._cadence, self._watching, self._health, self._pipeline, self._store, self._receiving.keeper,
            self._receiving.telling, now_ns,
        )  # fmt: skip
        points = [Point(series("haidang", host), now_ns, fields)]
        points += [
            Point(series("haidang_probe", {**host, "probe": toll.probe}), now_ns, toll_figures(toll))
            for toll in self._watching.tolls()
        ]
        self._store.add(points)
        self._watching.turn_over()

    def _look_at_self(self) -> None:
        ways = len(self._parts.channels(self._configuration))
        error, away = self._store.status().last_error, self._calendars.away()
        self._desk.look(Figures(self._cadence.take_worst_ms(), error, ways, away))

    def _status(self) -> str:
        return f"STATUS=watching {len(self._watching.plans())} checks, {self._health.suspects()} suspect"

    async def _end(self, loops: Collection[asyncio.Task[None]], carriers: Collection[asyncio.Task[None]]) -> None:
        """Stop probing, say in the ledger until when we watched, flush, close. Takes under five seconds."""
        self._service.say("STOPPING=1")
        began = self._clock.monotonic_ns()
        for task in loops:
            task.cancel()
        self._control.close()
        self._almanac.close()
        await self._attending.close()
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
