"""Meetings as the daemon attends to them: rooms are tried before, the organiser is told, and all look closer meanwhile.

A sheet is due so long before a meeting as ``conferences.before`` says, and made once: the row that keeps it and the
letters that tell of it are one transaction. A daemon that was away makes, when it is back, the newest one that is due.
Afterwards there is one more, of how the meeting went, as soon as what was measured of its end is certain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from alerting.catalogue import Catalogue
from alerting.outbox import Outbox
from config import Configuration
from haidang.clock import Clock
from haidang.conferences import afterwards, letters, sheets, works
from haidang.conferences.calendars import LONGEST_NS
from haidang.conferences.keeping import Keeping
from haidang.conferences.meetings import Sitting
from haidang.conferences.sheets import Kind, Room, Sheet
from haidang.conferences.trying import try_rooms
from haidang.conferences.verdict import Verdict
from haidang.conferences.words import say
from probes.icmp import Pinger
from probes.threads import in_thread
from storage.database import Database
from storage.metrics import MetricStore, StoreError

logger = structlog.get_logger(__name__)

NS = 10**9
EVERY_S = 5.0
AT_ONCE = 30
"""Rooms tried at the same time, of all meetings: at the default interval 600 echoes a second beside what is watched."""
HORIZON_NS = 600 * NS
"""How far ahead meetings are worked out at once: rules are not searched at every look."""
BEFORE_NS = 86_400 * NS
"""As long before a meeting as its rooms may be tried."""
AGAIN_S = 60.0
"""How long a trying that failed is left alone."""
SETTLE_NS = 120 * NS
"""After a meeting's end: what failed in its last minute is confirmed by then, and what was measured can be read."""
LATE_NS = 86_400 * NS
"""How long after a meeting it is still said how it went, by a daemon that was away."""
PATIENCE_NS = 3600 * NS
"""How long after a meeting a metric store that is away is waited for."""

Due = tuple[str, int, int]
"""Meeting, its start, and how long before it in seconds."""


class Attending:
    """Attends to meetings.

    Parameters:
        configuration: the one in force; exchanged on a reload.
        database: ``haidang.db``.
        clock: the time.
        outbox: takes the letters.
        told: called when letters wait.
        engine: sends the bursts; shared with what is watched.
        keeping: knows the meetings.
        store: has what was measured.
        follow: whether the way to a room that does not answer can be followed.
        hold: called with the rooms in which a meeting is held, whenever they are others, and when the configuration is.
    """

    def __init__(
        self, configuration: Configuration, database: Database, clock: Clock, outbox: Outbox,
        told: Callable[[], None], engine: Pinger, *, keeping: Keeping, store: MetricStore, follow: bool,
        hold: Callable[[frozenset[str], float], None],
    ) -> None:  # fmt: skip
        self._configuration = configuration
        self._database = database
        self._clock = clock
        self._outbox = outbox
        self._told = told
        self._engine = engine
        self._keeping = keeping
        self._store = store
        self._follow = follow
        self._hold = hold
        self._held: tuple[frozenset[str], float] = (frozenset(), 1.0)
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._sittings: Sequence[Sitting] = ()
        self._planned: tuple[int, int] = (0, 0)
        self._at_work: dict[Due, asyncio.Task[None]] = {}
        self._done: set[Due] = set()

    def use(self, configuration: Configuration) -> None:
        """Go by another configuration from now on; what is being tried goes on unless its meeting is gone."""
        self._configuration = configuration
        self.replan()

    def replan(self) -> None:
        """Work the meetings out anew: others are known than before."""
        self._planned = (0, 0)

    async def look(self) -> None:
        """Begin what is due; call it every few seconds."""
        await self._plan()
        now_ns = self._clock.utc_ns()
        self._attend(now_ns)
        for sitting in self._sittings:
            before_s = due(sitting, self._configuration.conferences.before_s, now_ns)
            kind: Kind = "readiness"
            if before_s is None and sitting.end_ns + SETTLE_NS <= now_ns < sitting.end_ns + LATE_NS:
                before_s, kind = 0, "quality"
            if before_s is None:
                continue
            key = (sitting.meeting.id, sitting.start_ns, before_s)
            if key in self._at_work or key in self._done:
                continue
            if sheets.is_kept(self._database.connection, sitting.meeting.id, sitting.start_ns, kind, before_s):
                self._done.add(key)
                continue
            work = self._try(sitting, before_s) if kind == "readiness" else self._look_back(sitting)
            task = asyncio.create_task(work, name=f"meeting {sitting.meeting.id}")
            self._at_work[key] = task
            task.add_done_callback(lambda _, key=key: self._at_work.pop(key, None))  # type: ignore[misc]

    def _attend(self, now_ns: int) -> None:
        """Have the rooms of meetings that are held now watched more closely."""
        under_way = [one for one in self._sittings if one.start_ns <= now_ns < one.end_ns]
        rooms = frozenset(name for one in under_way for name in one.meeting.rooms)
        held_now = (rooms, self._configuration.conferences.faster)
        if held_now == self._held or not (rooms or self._held[0]):
            return
        self._held = held_now
        self._hold(*held_now)
        logger.info(
            "rooms in which a meeting is held", meetings=[one.meeting.id for one in under_way], rooms=len(rooms)
        )

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._at_work.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _plan(self) -> None:
        """Work out which meetings touch the time around, in a thread: a daily series of years takes a while."""
        now_ns, (from_ns, to_ns) = self._clock.utc_ns(), self._planned
        if from_ns <= now_ns < to_ns:
            return
        configuration = self._configuration
        meetings = self._keeping.meetings()
        if not meetings and not self._sittings:
            return
        self._planned = (now_ns, now_ns + HORIZON_NS)  # a replan that comes meanwhile puts it back

        def work() -> list[Sitting]:
            found: list[Sitting] = []
            for series in meetings:
                try:
                    found += series.held(now_ns - LATE_NS, now_ns + BEFORE_NS + HORIZON_NS)
                except ValueError as error:
                    logger.error("meeting left out", meeting=series.meeting.id, reason=str(error))  # noqa: TRY400 all is said
            return found

        found = await in_thread(work, "meetings")
        if configuration is self._configuration:
            # Calendars drop what is over: one that was known until its end is still told of.
            times = {(one.meeting.id, one.start_ns) for one in found}
            over = (one for one in self._sittings if one.end_ns <= now_ns < one.end_ns + LATE_NS)
            found += [one for one in over if (one.meeting.id, one.start_ns) not in times]
            self._sittings = found
            self._done = {key for key in self._done if key[1] > now_ns - BEFORE_NS - LATE_NS - LONGEST_NS}

    async def _try(self, sitting: Sitting, before_s: int) -> None:
        meeting, configuration = sitting.meeting, self._configuration
        began_ns = self._clock.monotonic_ns()
        try:
            rooms = [configuration.inventory.targets[name] for name in dict.fromkeys(meeting.rooms)]
            tried = await try_rooms(
                configuration, rooms, self._engine, self._clock, gate=self._gate, follow=self._follow
            )  # fmt: skip
            found = tuple(Room(one.room, one.verdict, one.reasons, one.line.fields) for one in tried)
            now_ns = self._clock.utc_ns()
            found = works.flagged(configuration, sitting, found, self._database.connection)
            sheet = Sheet(meeting.id, sitting.start_ns, sitting.end_ns, "readiness", before_s, now_ns, found)
            now = await self._now(sitting)
            if now is None:
                logger.info("meeting is gone, its rooms are not told of", meeting=meeting.id)
                return
            mailed = self._keep(now, sheet)
        except Exception:  # noqa: BLE001 the task's top: it is tried again
            logger.exception("rooms of a meeting could not be tried", meeting=meeting.id)
            await asyncio.sleep(AGAIN_S)
            return
        counts = sheet.counts()
        logger.info(
            "rooms of a meeting tried", meeting=meeting.id, before_s=before_s, rooms=len(found),
            no_go=counts[Verdict.NO_GO], watch=counts[Verdict.WATCH], letters=mailed,
            took_s=round((self._clock.monotonic_ns() - began_ns) / NS, 1),
        )  # fmt: skip

    async def _look_back(self, sitting: Sitting) -> None:
        meeting, configuration = sitting.meeting, self._configuration
        sql, late_ns = self._database.connection, self._clock.utc_ns() - sitting.end_ns
        try:
            try:
                rooms = await afterwards.look_back(configuration, sitting, self._store, sql)
            except StoreError as error:
                if late_ns < PATIENCE_NS:
                    logger.warning("how a meeting went is not known yet", meeting=meeting.id, reason=str(error))
                    await asyncio.sleep(AGAIN_S)
                    return
                rooms = await afterwards.look_back(configuration, sitting, None, sql)
            if not any(one.figures["minutes_measured"] for one in rooms):  # nobody watched: nothing to be told
                self._done.add((meeting.id, sitting.start_ns, 0))
                return
            now_ns = self._clock.utc_ns()
            sheet = Sheet(meeting.id, sitting.start_ns, sitting.end_ns, "quality", 0, now_ns, rooms)
            mailed = self._keep(sitting, sheet)
        except Exception:  # noqa: BLE001 the task's top: it is tried again
            logger.exception("how a meeting went could not be worked out", meeting=meeting.id)
            await asyncio.sleep(AGAIN_S)
            return
        counts = sheet.counts()
        logger.info(
            "a meeting is over", meeting=meeting.id, rooms=len(rooms), poor=counts[Verdict.NO_GO],
            fair=counts[Verdict.WATCH], letters=mailed,
        )  # fmt: skip

    async def _now(self, sitting: Sitting) -> Sitting | None:
        """Return a meeting as the configuration now in force has it; ``None`` when it is not held then any more."""
        await self._plan()
        return next(
            (one for one in self._sittings if (one.meeting.id, one.start_ns) == (sitting.meeting.id, sitting.start_ns)),
            None,
        )

    def _keep(self, sitting: Sitting, sheet: Sheet) -> int:
        """Put a sheet on record and into the outbox, once."""
        mailed = 0
        with self._database.transaction() as sql:
            if sheets.keep(sql, sheet):
                mailed = letters.mail(self._configuration, self._outbox, sitting, sheet, self._notes)
        self._told()
        return mailed

    def _notes(self, language: str) -> list[str]:
        """Say which calendars could not be read: then a meeting may have been moved or called off since."""
        times = Catalogue(language, self._configuration.timezone)
        return [
            say(language, "calendar_away", calendar=one.id, since=times.minute(one.read_ns), reason=one.fault)
            for one in self._keeping.calendars if one.fault and one.read_ns
        ]  # fmt: skip


def due(sitting: Sitting, before_s: Sequence[float], now_ns: int) -> int | None:
    """Return which trying of a meeting's rooms is due: the latest whose time has come; none once it has begun."""
    come = [round(one) for one in before_s if sitting.start_ns - round(one) * NS <= now_ns < sitting.start_ns]
    return min(come, default=None)
