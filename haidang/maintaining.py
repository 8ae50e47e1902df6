"""Maintenance at work: who is not to be woken now, and what is still down when it is over.

While a check is in maintenance its failures are recorded and nobody is told. At the end everything of it that is still
down is looked at anew, as if it had failed at that moment with its true start: then people are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from alerting.incidents import Incidents
from availability import recurrence
from availability.maintenance import LONGEST_S, covers, includes, occurrences
from availability.timeline import DOWN
from config import Configuration
from haidang.clock import Clock
from haidang.conferences.meetings import Series, disturbed
from haidang.conferences.works import BEFORE_NS
from haidang.control import Verb
from haidang.model import CheckId, State, Transition
from storage.accounts import KINDS, Accounts, AccountsReader, CorrectionRow, ForecastRow, Maintenance
from storage.database import Database
from storage.ledger import Ledger, LedgerReader

logger = structlog.get_logger(__name__)

MOST = 1_000
"""Pieces of maintenance that are not over or called off."""

MEETINGS_AHEAD_NS = 366 * 86_400 * 10**9
HORIZON_NS = 3600 * 10**9
"""How far ahead occurrences are worked out at once: rules are not searched every second."""
_ANEW = -1
"""Stands in the place of the numbers of what is under way, so that it is looked at anew."""
_BAD_NEWS = frozenset({State.DOWN, State.UNREACHABLE, State.DEGRADED})


class Maintaining:
    """Keeps what is in maintenance now, and does what people ask of the accounts.

    Parameters:
        configuration: the one in force; exchanged on a reload.
        database: ``haidang.db``.
        clock: the time.
        ledger: notes which incident a late one belongs to.
        incidents: are told what is still down.
        told: called when that may have put messages into the outbox.
        meetings: returns the meetings that work may disturb.
    """

    def __init__(
        self, configuration: Configuration, database: Database, clock: Clock, ledger: Ledger, incidents: Incidents,
        told: Callable[[], None], meetings: Callable[[], Sequence[Series]],
    ) -> None:  # fmt: skip
        self._configuration = configuration
        self._database = database
        self._clock = clock
        self._ledger = ledger
        self._incidents = incidents
        self._told = told
        self._all_meetings = meetings
        incidents.quiet = lambda check: check.target in self._quiet or self._rests(check.target)
        self._accounts = Accounts(database)
        self._reader = AccountsReader(database.connection)
        self._works: list[Maintenance] = self._reader.maintenance()
        self._horizon = (0, 0)
        self._ahead: list[tuple[int, int, Maintenance]] = []
        self._numbers: frozenset[int] = frozenset()
        self._quiet: frozenset[str] = frozenset()
        self.tick()

    def use(self, configuration: Configuration) -> None:
        """Go by another configuration from now on."""
        self._configuration = configuration
        self._numbers = frozenset({_ANEW})  # what is covered may have changed although the maintenance has not
        self.tick()

    def silences(self, transition: Transition) -> bool:
        """Tell whether nobody is to hear of a change: in maintenance, and not told of before it began."""
        # What several share is quiet while all are that fail because of it.
        concerned = {member.target for member in transition.members} or {transition.check.target}
        return (
            transition.state in _BAD_NEWS
            and concerned <= self._quiet
            and transition.check not in self._incidents.open_checks()
        )

    @property
    def quiet(self) -> frozenset[str]:
        """The targets that are in maintenance now."""
        return self._quiet

    def _rests(self, what: str) -> bool:
        """Tell whether a promise (``system:wan``) is about something that is being worked on."""
        if ":" not in what:
            return False
        inventory = self._configuration.inventory
        works = self._under_way(self._clock.utc_ns())
        return any(includes(inventory, work.kind, work.name, what) for work in works)

    def tick(self) -> None:
        """Notice what began and what is over; call it every second."""
        now_ns = self._clock.utc_ns()
        under_way = self._under_way(now_ns)
        numbers = frozenset(work.number for work in under_way)
        if numbers == self._numbers:
            return
        inventory = self._configuration.inventory
        quiet = frozenset(
            target.id
            for target in inventory.targets.values()
            if any(covers(inventory, work.kind, work.name, target) for work in under_way)
        )
        # Taken over only once what is still down has been written: when the disk refuses, the next tick does it again.
        self._look_anew(self._quiet - quiet, now_ns)
        before, self._numbers, self._quiet = self._numbers, numbers, quiet
        if numbers:
            logger.info("maintenance under way", numbers=sorted(numbers), targets=len(quiet))
        elif _ANEW not in before:
            logger.info("no maintenance is under way any more")

    def _under_way(self, now_ns: int) -> list[Maintenance]:
        if not self._horizon[0] <= now_ns < self._horizon[1]:
            self._horizon = now_ns, now_ns + HORIZON_NS
            self._ahead = [
                (start_ns, end_ns, work)
                for work in self._works
                for start_ns, end_ns in occurrences(work, *self._horizon)
            ]
        return [work for start_ns, end_ns, work in self._ahead if start_ns <= now_ns < end_ns]

    def _look_anew(self, targets: frozenset[str], now_ns: int) -> None:
        if not targets:
            return
        failed = [one for one in LedgerReader(self._database.connection).running() if one.state in DOWN]
        anew = [
            one for one in failed
            if one.check.target in targets or (one.cause is not None and one.cause.target in targets)
        ]  # fmt: skip
        causes = {one.cause for one in anew if one.cause is not None}
        anew += [one for one in failed if one.check in causes and one not in anew]
        # Causes first, so that what is hidden behind them or shares them finds their incident.
        anew.sort(key=lambda one: (one.check not in causes, one.state is State.UNREACHABLE, one.check))
        with self._database.transaction():
            for one in anew:
                if one.check in self._incidents.open_checks():
                    continue
                members = tuple(other.check for other in anew if other.cause == one.check)
                again = Transition(
                    one.check, one.state, one.state, one.start_ns, now_ns, one.reason, one.cause, members=members
                )  # fmt: skip
                incident = self._incidents.on_transition(again)
                if incident is not None:
                    self._ledger.attach(one.check, incident)
        if anew:
            self._told()

    def verbs(self) -> dict[str, Verb]:
        """Return what can be asked for over the control socket."""
        return {
            "maintenance.add": self._add, "maintenance.cancel": self._cancel, "maintenance.correct": self._correct,
            "maintenance.ticket": self._ticket, "forecast.keep": self._keep,
        }  # fmt: skip

    def _add(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        kind, name = one_line(request, "kind", 20), one_line(request, "name", 200)
        inventory = self._configuration.inventory
        if kind not in KINDS:
            raise ValueError(f"maintenance is on one of {', '.join(KINDS)}, not on {kind}")
        if not any(covers(inventory, kind, name, target) for target in inventory.targets.values()):
            raise ValueError(f"{kind}:{name} covers no target: nothing would be in maintenance")
        now_ns = self._clock.utc_ns()
        rule = one_line(request, "rule", 500, empty=True)
        work = Maintenance(
            0, kind, name, time_in(request, "start_ns"), time_in(request, "end_ns"), rule,
            str(self._configuration.timezone), int(request.get("excluded") is True), one_line(request, "reason", 500),
            one_line(request, "author", 100), now_ns,
        )  # fmt: skip
        if not 0 < work.end_ns - work.start_ns <= LONGEST_S * 10**9:
            raise ValueError("maintenance ends after it begins, and within 366 days")
        if work.rule:
            recurrence.check(work.rule)
            if not occurrences(work, work.start_ns, work.start_ns + 1):
                raise ValueError("the first occurrence is not one by its own rule: give a start that the rule has")
        if (
            sum(one.cancelled_from_ns is None and (one.rule != "" or one.end_ns > now_ns) for one in self._works)
            >= MOST
        ):
            raise ValueError(f"there are {MOST} pieces of maintenance already: cancel what is not needed")
        meetings = self._meetings(work, now_ns)
        if meetings and request.get("force") is not True:
            raise ValueError(f"meetings are held then: {', '.join(meetings)}; choose another time, or say --force")
        number = self._accounts.plan(work)
        self.read()
        return {"number": number, "retroactive": work.start_ns < now_ns, "meetings": meetings}

    def _meetings(self, work: Maintenance, now_ns: int) -> list[str]:
        """Return the meetings that planned work would disturb: on a room, or on what it is reached through."""
        to_ns = now_ns + MEETINGS_AHEAD_NS
        times = [one for one in occurrences(work, now_ns, to_ns) if one[1] > now_ns]
        found: set[tuple[int, str]] = set()
        for series in self._all_meetings():
            if times and disturbed(self._configuration, work.kind, work.name, series.meeting.rooms):
                found |= {
                    (sitting.start_ns, sitting.meeting.id) for sitting in series.held(now_ns, to_ns)
                    if any(start < sitting.end_ns and end > sitting.start_ns - BEFORE_NS for start, end in times)
                }  # fmt: skip
        zone = self._configuration.timezone
        return [
            f"{name} {datetime.fromtimestamp(at_ns // 10**9, zone):%d/%m/%Y %H:%M}"
            for at_ns, name in sorted(found)[:20]
        ]

    def _cancel(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        number, now_ns = request.get("number"), self._clock.utc_ns()
        if not isinstance(number, int):
            raise ValueError("cancel needs the number of the maintenance")  # noqa: TRY004 words for the one who asked
        from_ns = 0 if request.get("whole") is True else now_ns
        self._accounts.cancel(
            number, from_ns, one_line(request, "reason", 500), one_line(request, "author", 100), now_ns
        )
        self.read()
        return {}

    def _correct(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        target = self._target(request)
        start_ns, end_ns, now_ns = time_in(request, "start_ns"), time_in(request, "end_ns"), self._clock.utc_ns()
        state = one_line(request, "state", 20)
        if state not in (State.UP, State.DOWN, State.UNKNOWN):
            raise ValueError(f"a correction says up, down or unknown, not {state}")
        if not start_ns < end_ns <= now_ns:
            raise ValueError("a correction is about the past: it begins before it ends, and ends by now")
        self._accounts.correct(
            CorrectionRow(
                target, start_ns, end_ns, State(state), one_line(request, "reason", 500),
                one_line(request, "author", 100), now_ns,
            )
        )  # fmt: skip
        return {}

    def _ticket(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        check, at_ns, now_ns = self._target(request), time_in(request, "at_ns"), self._clock.utc_ns()
        if at_ns > now_ns:
            raise ValueError("a ticket was opened by now, not later")
        self._accounts.report(
            check.target, at_ns, one_line(request, "reference", 100), one_line(request, "author", 100), now_ns
        )  # fmt: skip
        return {}

    def _keep(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        rows = request.get("rows")
        if not isinstance(rows, list) or len(rows) > 1000:
            raise ValueError("forecast.keep needs rows, at most 1000 at a time")
        kept = [
            ForecastRow(str(row[0])[:64], str(row[1])[:64], str(row[2])[:20], float(row[3]), float(row[4]), int(row[5]))
            for row in rows
        ]  # fmt: skip
        self.keep(kept)
        return {"kept": len(kept)}

    def keep(self, rows: Iterable[ForecastRow]) -> None:
        """Keep forecasts made now, so that they can be held against what comes."""
        self._accounts.foretold(self._clock.utc_ns(), rows)

    def _target(self, request: Mapping[str, Any]) -> CheckId:
        name = one_line(request, "target", 64)
        target = self._configuration.inventory.targets.get(name)
        if target is None:
            raise ValueError(f"there is no target {name}")
        return target.primary

    def read(self) -> None:
        """Take in what is on record of maintenance."""
        self._works = self._reader.maintenance()
        self._horizon = (0, 0)
        self.tick()


def one_line(request: Mapping[str, Any], key: str, most: int, *, empty: bool = False) -> str:
    """Take one line of text out of a request.

    Raises:
        ValueError: it is missing, too long, or has characters that do not print.
    """
    value = request.get(key, "")
    if not isinstance(value, str) or not (empty or value.strip()) or len(value) > most or not value.isprintable():
        raise ValueError(f"{key} is needed: one line of at most {most} characters")
    return value.strip()


def time_in(request: Mapping[str, Any], key: str) -> int:
    """Take a time out of a request, UTC nanoseconds.

    Raises:
        ValueError: it is missing, or not between 1970 and 2100.
    """
    value = request.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 4_102_444_800 * 10**9:
        raise ValueError(f"{key} is needed: UTC nanoseconds from 1970 to 2100")
    return value
