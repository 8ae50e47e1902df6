"""The outbox: a message is on disk before anything is sent, and stays there for the record.

A row's life; every arrow is a committed compare-and-set, so no two senders take the same row::

    waiting --claim--> sending --sent--> sent
       ^                  |  `---failed--> failed
       `------retry-------'

A contact's next way is another row: put in when this one failed, when its channel seems dead, or when it has waited too
long; this one goes on being tried unless it failed.

A row found *sending* at the start was in flight when the daemon was killed: whether it arrived is not known, so it is
sent again with the same id.
"""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from alerting.channels.base import Message
from alerting.world import Recipient, Step
from haidang.clock import Clock
from storage.database import Database

LONGEST_WAIT_NS = 15 * 60 * 10**9
"""No retry is ever planned further ahead. One that seems to be means that the wall clock was set back: it is due."""

_COLUMNS = (
    "id, incident, step, contact, channel, address, language, message_id, payload, created_ns, attempts"
)  # fmt: skip
_ERROR_LENGTH = 500


class Outbox:
    """Writes and reads the outbox.

    Parameters:
        database: ``haidang.db``, shared with ledger and incidents.
        clock: says when.
        domain: the right side of message ids: a name that is the sender's own.
        second_way_s: how long a message may wait before the contact's next way is taken as well.
    """

    def __init__(self, database: Database, clock: Clock, domain: str, second_way_s: float = 240.0) -> None:
        self._database = database
        self._clock = clock
        self.second_way_s = second_way_s
        self.domain = _dots(domain) or "haidang.invalid"

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection it reads and writes by: what it shows includes the transaction under way."""
        return self._database.connection

    def put(
        self, incident: int | None, step: Step, recipient: Recipient, payload: Mapping[str, Any], created_ns: int
    ) -> str:  # fmt: skip
        """Put a message in; part of the caller's transaction, so that it is there exactly if its cause is.

        Parameters:
            incident: its number; ``None`` for what belongs to none.

        Returns:
            its message id.
        """
        message_id = f"<{incident or 0}-{step}-{_dots(recipient.contact) or 'x'}-{secrets.token_hex(8)}@{self.domain}>"
        now_ns = self._clock.utc_ns()
        with self._database.transaction() as sql:
            sql.execute(
                "INSERT INTO notification (incident, step, contact, channel, address, language, message_id, payload, "
                "created_ns, next_ns, ways, second_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    incident, step, recipient.contact, recipient.channel, recipient.address, recipient.language,
                    message_id, json.dumps(payload, ensure_ascii=False), created_ns, now_ns,
                    json.dumps(recipient.ways), self._second_ns(now_ns) if recipient.ways else None,
                ),
            )  # fmt: skip
        return message_id

    def told(self, incident: int, step: Step) -> list[tuple[Recipient, str]]:
        """Return who was told a step of an incident, each with the id of the message.

        A contact who was told by several ways comes with each of them; only the last has further ways.
        """
        rows = self._database.connection.execute(
            "SELECT contact, address, language, channel, ways, message_id FROM notification "
            "WHERE incident = ? AND step = ? ORDER BY id",
            (incident, step),
        ).fetchall()
        last = {row[0]: number for number, row in enumerate(rows)}
        return [
            (Recipient(contact, address, language, channel, _ways(ways) if last[contact] == number else ()), message_id)
            for number, (contact, address, language, channel, ways, message_id) in enumerate(rows)
        ]

    def take_second_ways(self, dead: Collection[str] = ()) -> int:
        """Take the next way of every contact whose message has waited too long, or whose channel is dead.

        Parameters:
            dead: the channels of which nothing can be hoped now.

        Returns:
            how many messages were put in.
        """
        now_ns = self._clock.utc_ns()
        rows = self._database.connection.execute(
            "SELECT id, second_ns, channel FROM notification WHERE second_ns IS NOT NULL AND state != 'sent' "
            "ORDER BY id"
        ).fetchall()
        late = [
            number for number, second_ns, channel in rows
            if second_ns <= now_ns or second_ns > now_ns + 2 * round(self.second_way_s * 1e9) or channel in dead
        ]  # fmt: skip
        if not late:
            return 0
        with self._database.transaction():
            return sum(map(self._second_way, late))

    def _second_way(self, number: int) -> int:
        """Take the next way for one message, and before it for earlier ones of the same story that have none yet."""
        with self._database.transaction() as sql:
            rows = sql.execute(
                "SELECT id, incident, step, contact, language, payload, created_ns, ways FROM notification "
                "WHERE second_ns IS NOT NULL AND state != 'sent' AND id <= ?1 AND (id = ?1 OR (incident, contact, "
                "channel) = (SELECT incident, contact, channel FROM notification WHERE id = ?1)) ORDER BY id",
                (number,),
            ).fetchall()
            for row, incident, step, contact, language, payload, created_ns, ways in rows:
                (channel, address), *rest = _ways(ways)
                recipient = Recipient(contact, address, language, channel, tuple(rest))
                told = {key: value for key, value in json.loads(payload).items() if key != "references"}
                self.put(incident, Step(step), recipient, told, created_ns)
                sql.execute("UPDATE notification SET second_ns = NULL WHERE id = ?", (row,))
        return len(rows)

    def _second_ns(self, now_ns: int) -> int:
        return now_ns + round(self.second_way_s * 1e9)

    def recover(self) -> int:
        """Put back what was in flight when the daemon ended; call it once, before anything is claimed.

        Returns:
            how many there were.
        """
        with self._database.transaction() as sql:
            return sql.execute(
                "UPDATE notification SET state = 'waiting', next_ns = ? WHERE state = 'sending'",
                (self._clock.utc_ns(),),
            ).rowcount

    def try_now(self, channel: str | None = None) -> None:
        """Forget the waits of retries, of all channels or of one: what made them fail may have been mended."""
        with self._database.transaction() as sql:
            sql.execute(
                "UPDATE notification SET next_ns = ?1 WHERE state = 'waiting' AND next_ns > ?1 "
                "AND (?2 IS NULL OR channel = ?2)",
                (self._clock.utc_ns(), channel),
            )

    def due(
        self, limit: int, busy: Collection[tuple[str, str]] = (), free: Mapping[str, int] | None = None
    ) -> list[Message]:  # fmt: skip
        """Return what should be sent now, the longest due first.

        At most one message for each mailbox, and none before every earlier message of the same incident to the same
        mailbox is done: nobody reads of the recovery before the failure.

        Parameters:
            limit: at most so many.
            busy: (channel, address) of the mailboxes that are being sent to.
            free: how many each channel takes now; one that is not named takes any number.
        """
        left = dict(free or {})
        sql = self._database.connection
        mailboxes = sql.execute("SELECT DISTINCT channel, address FROM notification WHERE state = 'waiting'").fetchall()
        sending_to = set(busy)
        first = (
            self._first_due(sql, *mailbox) for mailbox in mailboxes
            if mailbox not in sending_to and left.get(mailbox[0], 1) > 0
        )  # fmt: skip
        found: list[Message] = []
        for _, message in sorted((row for row in first if row), key=lambda row: (row[0], row[1].id)):
            if left.get(message.channel, 1) > 0 and len(found) < limit:
                found.append(message)
                if message.channel in left:
                    left[message.channel] -= 1
        return found

    def _first_due(self, sql: sqlite3.Connection, channel: str, address: str) -> tuple[int, Message] | None:
        """Return one mailbox's message that has been due the longest, with that time."""
        now_ns = self._clock.utc_ns()
        row = sql.execute(
            f"SELECT next_ns, {_COLUMNS} FROM notification AS mine WHERE state = 'waiting' AND channel = ? "
            "AND address = ? AND (next_ns <= ? OR next_ns > ?) "
            "AND NOT EXISTS (SELECT 1 FROM notification AS earlier WHERE earlier.incident = mine.incident "
            "AND earlier.channel = mine.channel AND earlier.address = mine.address AND earlier.id < mine.id "
            "AND earlier.state IN ('waiting', 'sending')) ORDER BY next_ns, id LIMIT 1",
            (channel, address, now_ns, now_ns + LONGEST_WAIT_NS),
        ).fetchone()
        return (row[0], _message(row[1:])) if row else None

    def next_ns(self) -> int | None:
        """Return the next planned time later than now; ``None`` when nothing is planned."""
        (planned,) = self._database.connection.execute(
            "SELECT min(due_ns) FROM (SELECT min(next_ns) AS due_ns FROM notification WHERE state = 'waiting' "
            "AND next_ns > ?1 UNION ALL SELECT min(second_ns) FROM notification WHERE second_ns > ?1 "
            "AND state != 'sent')",
            (self._clock.utc_ns(),),
        ).fetchone()
        return None if planned is None else int(planned)

    def claim(self, messages: Sequence[Message]) -> list[Message]:
        """Take messages for sending, committed before this returns.

        Returns:
            those that were still waiting, with this attempt counted.
        """
        with self._database.transaction() as sql:
            claimed = [
                sql.execute(
                    "UPDATE notification SET state = 'sending', attempts = attempts + 1 "
                    f"WHERE id = ? AND state = 'waiting' RETURNING {_COLUMNS}",
                    (message.id,),
                ).fetchone()
                for message in messages
            ]
        return [_message(row) for row in claimed if row]

    def sent(self, message: Message) -> None:
        """Note that the other side has taken it."""
        self._finish(message, "sent", "")

    def failed(self, message: Message, error: str) -> None:
        """Note that it will never be taken; the contact's next way is taken at once."""
        with self._database.transaction():
            self._finish(message, "failed", error)
            self._second_way(message.id)

    def retry(self, message: Message, at_ns: int, error: str, *, hopeless: bool = False) -> None:
        """Plan the next attempt.

        Parameters:
            message, at_ns, error: what, when, and why it did not go this time.
            hopeless: the contact's next way is taken at once as well.
        """
        with self._database.transaction() as sql:
            if hopeless:
                self._second_way(message.id)
            sql.execute(
                "UPDATE notification SET state = 'waiting', next_ns = ?, last_error = ? "
                "WHERE id = ? AND state = 'sending'",
                (at_ns, error[:_ERROR_LENGTH], message.id),
            )

    def counts(self) -> dict[str, int]:
        """Count the messages by state."""
        rows = self._database.connection.execute("SELECT state, count(*) FROM notification GROUP BY state")
        return dict(rows.fetchall())

    def _finish(self, message: Message, state: str, error: str) -> None:
        with self._database.transaction() as sql:
            sql.execute(
                "UPDATE notification SET state = ?1, done_ns = ?2, last_error = ?3, "
                "second_ns = iif(?1 = 'sent', NULL, second_ns) WHERE id = ?4 AND state = 'sending'",
                (state, self._clock.utc_ns(), error[:_ERROR_LENGTH], message.id),
            )


def _ways(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((channel, address) for channel, address in json.loads(text))


def _message(row: tuple[Any, ...]) -> Message:
    (
        number, incident, step, contact, channel, address, language, message_id, payload, created_ns, attempts,
    ) = row  # fmt: skip
    return Message(
        number, incident, step, contact, channel, address, language, message_id, json.loads(payload), created_ns,
        attempts,
    )  # fmt: skip


def _dots(text: str) -> str:
    """Reduce a name to what may stand in a message id (RFC 5322 §3.2.3, dot-atom, without its odd characters)."""
    return re.sub(r"[.-]{2,}", "-", re.sub(r"[^A-Za-z0-9.-]", "-", text))[:60].strip(".-")
