"""The daily drill: a message to whoever is on duty by each of their ways, to be acknowledged, or others hear of it.

What proves that an alarm arrives is not that mail was accepted but that the person on duty said so, by every way that
an alarm may take. Each message is a row that stays for the record.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import time
from zoneinfo import ZoneInfo

import structlog

from alerting.catalogue import LANGUAGES, Catalogue
from alerting.oncall.rota import on_the_wall
from alerting.outbox import Outbox
from alerting.text import clean
from alerting.world import Recipient, Step
from haidang.clock import Clock
from storage.database import Database

logger = structlog.get_logger(__name__)

NS = 10**9
LATEST_S = 3600
"""A drill that could not begin at its time still begins within this."""


@dataclass(frozen=True, slots=True)
class DrillSettings:
    """When and whom.

    Parameters:
        at: time of day.
        to: rotas and contacts that are drilled.
        within_s: how long there is to acknowledge.
        escalate: rotas and contacts told of what was not.
        zone: whose clock the time is on.
    """

    at: time
    to: tuple[str, ...]
    within_s: float = 1800.0
    escalate: tuple[str, ...] = ()
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Ho_Chi_Minh"))


@dataclass(frozen=True, slots=True)
class DrillRow:
    """One drill message; times in UTC nanoseconds, ``None``: not so.

    Parameters:
        number: what it is acknowledged by.
        day: the date in the configuration's zone.
        duty: the rota or contact that was drilled.
        contact, channel: who, by which way.
        began_ns, due_ns: when it was written, and until when it was to be acknowledged.
        acknowledged_ns, missed_ns: when it was, and when others were told that it was not.
        state: of its message in the outbox.
    """

    number: int
    day: str
    duty: str
    contact: str
    channel: str
    began_ns: int
    due_ns: int
    acknowledged_ns: int | None
    missed_ns: int | None
    state: str


class Drills:
    """Begins drills and sees what became of them. The only writer of their table.

    Parameters:
        database, clock, outbox: where, when, and by what.
        people: who is meant by rotas and contacts at a time (`alerting.notifier.Router.people`).
        link: makes the link to acknowledge a drill with, for a contact; an empty text: there is none.
    """

    def __init__(
        self, database: Database, clock: Clock, outbox: Outbox,
        people: Callable[[Sequence[str], int], Sequence[Recipient]], link: Callable[[int, str], str],
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._outbox = outbox
        self._people = people
        self._link = link
        self._begun = ""
        self.settings: DrillSettings | None = None

    def tick(self) -> bool:
        """Do what is due; call it every second. Tells whether a message was put into the outbox."""
        settings, now_ns = self.settings, self._clock.utc_ns()
        if settings is None:
            return False
        wall = on_the_wall(now_ns, settings.zone)
        day = wall.date().isoformat()
        since_s = (wall.hour - settings.at.hour) * 3600 + (wall.minute - settings.at.minute) * 60 + wall.second
        told = False
        if day != self._begun and 0 <= since_s < LATEST_S:
            told = self._begin(settings, day, now_ns)
            self._begun = day
        late = self._rows("WHERE acknowledged_ns IS NULL AND missed_ns IS NULL AND due_ns <= ?", now_ns)
        for row in late:
            self._missed(settings, row, now_ns)
        return told or bool(late)

    def acknowledge(self, number: int, who: str) -> DrillRow:
        """Note that a drill message arrived.

        Raises:
            ValueError: there is no such drill, or it was acknowledged before; with words for the one who asked.
        """
        found = self._rows("WHERE drill.id = ?", number)
        if not found:
            raise ValueError(f"there is no drill {number}")
        if found[0].acknowledged_ns is not None:
            raise ValueError(f"drill {number} was acknowledged before")
        now_ns = self._clock.utc_ns()
        with self._database.transaction() as sql:
            sql.execute("UPDATE drill SET acknowledged_ns = ? WHERE id = ?", (now_ns, number))
        took_s = (now_ns - found[0].began_ns) // NS
        logger.info("drill acknowledged", drill=number, contact=found[0].contact, who=clean(who, 100), took_s=took_s)
        return found[0]

    def _begin(self, settings: DrillSettings, day: str, now_ns: int) -> bool:
        due_ns = now_ns + round(settings.within_s * NS)
        count = 0
        with self._database.transaction() as sql:
            for duty in settings.to:
                people = self._people([duty], now_ns)
                if not people:
                    logger.error("drill without anybody on duty", duty=duty)
                for person in people:
                    for channel, address in ((person.channel, person.address), *person.ways):
                        way = Recipient(person.contact, address, person.language, channel)
                        count += self._send(sql, settings, day, duty, way, now_ns, due_ns)
        logger.info("drill begun", day=day, messages=count)
        return count > 0

    def _send(
        self, sql: sqlite3.Connection, settings: DrillSettings, day: str, duty: str, way: Recipient, now_ns: int,
        due_ns: int,
    ) -> bool:  # fmt: skip
        row = sql.execute(
            "INSERT OR IGNORE INTO drill (day, duty, contact, channel, address, began_ns, due_ns) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (day, duty, way.contact, way.channel, way.address, now_ns, due_ns),
        ).fetchone()
        if row is None:  # begun before the daemon was restarted
            return False
        words = _catalogue(way.language, settings.zone)
        link = self._link(row[0], way.contact)
        gaps = {
            "product": words.say("product"), "number": row[0], "until": words.clock(due_ns)["hour"], "duty": duty,
            "day": words.clock(now_ns)["day"], "channel": way.channel, "link": link,
        }  # fmt: skip
        lines = [words.say("drill.text", **gaps)]
        if link:
            lines.append(words.say("drill.link", **gaps))
        lines.append(words.say("drill.command", **gaps))
        payload = {"subject": words.say("drill.subject", **gaps), "text": "\n\n".join(lines) + "\n", "link": link}
        message_id = self._outbox.put(None, Step.DRILL, way, payload, now_ns)
        sql.execute("UPDATE drill SET message_id = ? WHERE id = ?", (message_id, row[0]))
        return True

    def _missed(self, settings: DrillSettings, row: DrillRow, now_ns: int) -> None:
        with self._database.transaction() as sql:
            for recipient in self._people(settings.escalate, now_ns):
                words = _catalogue(recipient.language, settings.zone)
                gaps = {
                    "product": words.say("product"), "number": row.number, "contact": row.contact, "duty": row.duty,
                    "channel": row.channel, "day": words.clock(row.began_ns)["day"],
                    "until": words.clock(row.due_ns)["hour"],
                    "state": words.say(f"states.{row.state}"),
                }  # fmt: skip
                payload = {
                    "subject": words.say("missed.subject", **gaps),
                    "text": words.say("missed.text", **gaps) + "\n",
                }
                self._outbox.put(None, Step.MISSED, recipient, payload, now_ns)
            sql.execute("UPDATE drill SET missed_ns = ? WHERE id = ?", (now_ns, row.number))
        logger.error(
            "drill not acknowledged", drill=row.number, contact=row.contact, channel=row.channel, sent=row.state
        )

    def _rows(self, where: str, *values: object) -> list[DrillRow]:
        return rows(self._database.connection, where, *values)


def rows(sql: sqlite3.Connection, where: str = "", *values: object) -> list[DrillRow]:
    """Return drill messages in order."""
    found = sql.execute(
        "SELECT drill.id, day, duty, drill.contact, drill.channel, began_ns, due_ns, acknowledged_ns, missed_ns, "
        "coalesce(state, 'waiting') FROM drill LEFT JOIN notification USING (message_id) "
        f"{where} ORDER BY drill.id",
        values,
    )
    return [DrillRow(*row) for row in found]


def _catalogue(language: str, zone: ZoneInfo) -> Catalogue:
    return Catalogue(language if language in LANGUAGES else "en", zone)
