"""Calendars as they were read last: fetched every few minutes, and kept in the database for while one is away."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import structlog

from alerting.text import clean
from config import Configuration, SecretUnavailable
from config.schema.conferences import MeetingCalendar, calendar_address
from config.source import Unreadable, read_bytes
from haidang.clock import Clock
from haidang.conferences.calendars import LARGEST, Read, parse
from haidang.conferences.meetings import Series, configured
from haidang.show import span
from probes.threads import in_thread
from storage.database import Database

logger = structlog.get_logger(__name__)

NS = 10**9
LOOK_S = 5.0
AGAIN_S = 600.0
"""A calendar that could not be read is tried again after this, however seldom it is read otherwise."""


class CalendarAway(Exception):
    """A calendar cannot be read; the text says why, and no secret."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A calendar as it is known.

    Parameters:
        id: its name in the configuration.
        found: what was read from it last.
        read_ns: when that was, UTC nanoseconds; 0: never.
        fault: why it could not be read since; empty when the last try was well.
    """

    id: str
    found: Read
    read_ns: int
    fault: str = ""


class Keeping:
    """Reads the calendars that a configuration names, again and again.

    Parameters:
        configuration: the one in force.
        database: keeps what was read.
        clock: the time.
        changed: called when other meetings are known than before.
    """

    def __init__(
        self, configuration: Configuration, database: Database, clock: Clock, changed: Callable[[], None]
    ) -> None:
        self._configuration = configuration
        self._database = database
        self._clock = clock
        self._changed = changed
        self._again_ns: dict[str, int] = {}
        self._away_ns: dict[str, int] = {}
        """Since when those that cannot be read have been so, by the monotonic clock."""
        self._bodies: dict[str, bytes] = {}
        """As they are in the database: an hour's readings of a calendar that stays the same write it once."""
        self._kept: tuple[Kept, ...] = ()
        self._fresh = asyncio.Event()

    @property
    def calendars(self) -> tuple[Kept, ...]:
        """What is known of each calendar."""
        return self._kept

    def away(self) -> dict[str, tuple[float, str] | None]:
        """Say of each calendar how long it has been away, as a part of what it may be, and why.

        0 when it could be read, ``None`` when it has not been tried yet.
        """
        kept = {one.id: one for one in self._kept}
        return {one.id: self._away(one, kept.get(one.id)) for one in self._configuration.conferences.calendars}

    def _away(self, calendar: MeetingCalendar, kept: Kept | None) -> tuple[float, str] | None:
        if kept is None or not (kept.fault or kept.read_ns):
            return None
        if not kept.fault:
            return 0.0, ""
        lasting_s = max((self._clock.monotonic_ns() - self._away_ns.get(kept.id, 0)) / NS, 1e-3)
        reason = f"the calendar {kept.id} has not been read for {span(lasting_s)}: {kept.fault}"
        return lasting_s / calendar.away_s, reason

    def meetings(self) -> list[Series]:
        """Return every meeting there is, those of the configuration and those of the calendars."""
        return [*configured(self._configuration), *(one for kept in self._kept for one in kept.found.series)]

    def use(self, configuration: Configuration) -> None:
        """Go by another configuration from now on; its calendars are read at once."""
        self._configuration = configuration
        self._again_ns, self._bodies = {}, {}
        names = {one.id for one in configuration.conferences.calendars}
        self._kept = tuple(one for one in self._kept if one.id in names)
        self._fresh.set()

    async def run(self) -> None:
        """Read until cancelled; what was kept before is known at once."""
        configuration = None
        while True:
            if configuration is not self._configuration:
                configuration = self._configuration
                self._fresh.clear()
                self._tidy(configuration)
                kept = await in_thread(partial(known, configuration, _rows(self._database.connection)), "calendars")
                if configuration is not self._configuration:
                    continue
                self._kept = tuple(kept)
                away, self._away_ns = self._away_ns, {}
                for one in kept:
                    if one.fault:
                        self._away_ns[one.id] = away.get(one.id) or self._since(one.read_ns)
                self._changed()
            for calendar in configuration.conferences.calendars:
                if self._again_ns.get(calendar.id, 0) <= self._clock.monotonic_ns():
                    self._again_ns[calendar.id] = self._clock.monotonic_ns() + round(calendar.every_s * NS)
                    await self._read(configuration, calendar)
                    if calendar.id in self._away_ns:
                        again_ns = self._clock.monotonic_ns() + round(AGAIN_S * NS)
                        self._again_ns[calendar.id] = min(self._again_ns.get(calendar.id, again_ns), again_ns)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S if configuration.conferences.calendars else None):
                    await self._fresh.wait()

    def _tidy(self, configuration: Configuration) -> None:
        names = [one.id for one in configuration.conferences.calendars]
        with self._database.transaction() as sql:
            marks = ", ".join("?" * len(names))
            sql.execute(f"DELETE FROM conference_calendar WHERE id NOT IN ({marks})", names)

    async def _read(self, configuration: Configuration, calendar: MeetingCalendar) -> None:
        before = next((one for one in self._kept if one.id == calendar.id), Kept(calendar.id, Read(), 0))
        now_ns = self._clock.utc_ns()
        try:
            body = await fetch(calendar)
            found = await in_thread(lambda: parse(body, calendar, configuration), "calendar")
        except (CalendarAway, ValueError) as error:
            after = Kept(calendar.id, before.found, before.read_ns, clean(str(error), 300))
            if after.fault != before.fault:
                logger.error("calendar not read, what is known stays", calendar=calendar.id, reason=after.fault)  # noqa: TRY400 all is said
            if before.read_ns:
                self._note(calendar, None, before.read_ns, now_ns, after.fault)
            else:
                self._note(calendar, b"", 0, now_ns, after.fault)
        else:
            after = Kept(calendar.id, found, now_ns)
            self._note(calendar, body if body != self._bodies.get(calendar.id) else None, now_ns, now_ns, "")
            self._bodies[calendar.id] = body
            if before.fault or not before.read_ns or found != before.found:
                logger.info(
                    "calendar read", calendar=calendar.id, events=found.events,
                    meetings=len({one.meeting.id for one in found.series}), faults=list(found.faults[:20]),
                )  # fmt: skip
        if configuration is self._configuration:
            if after.fault:
                self._away_ns.setdefault(calendar.id, self._since(now_ns))
            else:
                self._away_ns.pop(calendar.id, None)
            self._kept = (*(one for one in self._kept if one.id != calendar.id), after)
            if after.found != before.found:
                self._changed()

    def _since(self, at_ns: int) -> int:
        """Turn a time of the wall clock into one of the monotonic clock; 0, never, is now."""
        ago_ns = self._clock.utc_ns() - at_ns if at_ns else 0
        return self._clock.monotonic_ns() - max(0, ago_ns)

    def _note(self, calendar: MeetingCalendar, body: bytes | None, read_ns: int, tried_ns: int, fault: str) -> None:
        with self._database.transaction() as sql:
            if body is None:
                sql.execute(
                    "UPDATE conference_calendar SET read_ns = ?, tried_ns = ?, fault = ? WHERE id = ?",
                    (read_ns, tried_ns, fault, calendar.id),
                )
                return
            sql.execute(
                "INSERT OR REPLACE INTO conference_calendar (id, place, body, read_ns, tried_ns, fault) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (calendar.id, place(calendar), body, read_ns, tried_ns, fault),
            )


async def fetch(calendar: MeetingCalendar) -> bytes:
    """Read a calendar's text from where it is.

    Raises:
        CalendarAway: it cannot be had, or is too large.
    """
    if calendar.file is not None:
        path = Path(calendar.file)
        try:
            return await in_thread(lambda: read_bytes(path, LARGEST), "calendar")
        except (Unreadable, OSError) as error:
            raise CalendarAway(f"{path}: {error}") from error
    try:
        address = calendar.url or calendar_address(calendar.private_url.read() if calendar.private_url else "")
        login = (calendar.username, calendar.password.read()) if calendar.username and calendar.password else None
        trust = calendar.trust
        context = await in_thread(lambda: ssl.create_default_context(cafile=trust), "calendar")
    except SecretUnavailable as error:
        raise CalendarAway(str(error)) from error
    except ValueError as error:
        raise CalendarAway(f"private_url: {error}") from error
    except OSError as error:
        raise CalendarAway(f"trust: {calendar.trust} cannot be used: {error}") from error
    host = urlsplit(address).hostname
    try:
        async with (
            asyncio.timeout(calendar.timeout_s),
            httpx2.AsyncClient(timeout=calendar.timeout_s, trust_env=False, verify=context, auth=login) as client,
            client.stream("GET", address, headers={"User-Agent": "haidang", "Accept": "text/calendar"}) as answer,
        ):
            if answer.status_code != 200:
                raise CalendarAway(f"{host}: {_refused(answer)}")
            body = bytearray()
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > LARGEST:
                    raise CalendarAway(f"{host}: it is larger than {LARGEST // 1024} KiB")
            return bytes(body)
    except TimeoutError as error:
        raise CalendarAway(f"{host}: no answer within {calendar.timeout_s:g} s") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
        # The library's words may hold the address, which can be a secret.
        words = str(error).replace(address, "…") or type(error).__name__
        raise CalendarAway(f"{host}: {clean(words, 200)}") from error


def _refused(answer: httpx2.Response) -> str:
    if answer.status_code in (401, 403):
        return f"refused ({answer.status_code}): check username and password, or the address"
    if answer.status_code in (301, 302, 303, 307, 308):
        there = urlsplit(answer.headers.get("location", "")).hostname or "another page"
        return f"moved to {clean(there, 100)} ({answer.status_code}): write the new address"
    return f"answered {answer.status_code}"


def place(calendar: MeetingCalendar) -> str:
    """Say where a calendar is, without what may be secret."""
    return calendar.file or calendar.url or str(calendar.private_url)


def known(configuration: Configuration, rows: Sequence[tuple[str, str, bytes, int, str]]) -> list[Kept]:
    """Return what was kept of the calendars of a configuration; of a place that is another one now, nothing."""
    kept = {name: (where, body, read_ns, fault) for name, where, body, read_ns, fault in rows}
    found = []
    for calendar in configuration.conferences.calendars:
        where, body, read_ns, fault = kept.get(calendar.id, ("", b"", 0, ""))
        if where != place(calendar):
            found.append(Kept(calendar.id, Read(), 0))
        elif not read_ns:
            found.append(Kept(calendar.id, Read(), 0, fault))
        else:
            try:
                found.append(Kept(calendar.id, parse(body, calendar, configuration), read_ns, fault))
            except ValueError as error:
                found.append(Kept(calendar.id, Read(), read_ns, str(error)))
    return found


def on_record(configuration: Configuration, sql: sqlite3.Connection) -> list[Kept]:
    """Return what a daemon has kept of the calendars; for commands and pages, which do not fetch."""
    return known(configuration, _rows(sql))


def meetings_on_record(configuration: Configuration, sql: sqlite3.Connection) -> list[Series]:
    """Return every meeting there is, those of calendars as a daemon has kept them."""
    return [*configured(configuration), *(one for kept in on_record(configuration, sql) for one in kept.found.series)]


def _rows(sql: sqlite3.Connection) -> list[tuple[str, str, bytes, int, str]]:
    if sql.execute("SELECT 1 FROM sqlite_master WHERE name = 'conference_calendar'").fetchone() is None:
        return []
    return sql.execute("SELECT id, place, body, read_ns, fault FROM conference_calendar").fetchall()
