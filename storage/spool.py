"""The spool: line protocol on its way to a remote store, accepted once its commit returned, deleted once acknowledged.

The functions run in the spool's one thread (`storage.metrics_buffer.Worker`). Bodies are compressed; a batch that is
sent again is the same bytes again.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from storage.database import Database
from storage.metrics_buffer import count

MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines that are sent together.

    Parameters:
        number: its place in the order of sending; never used twice.
    """

    number: int
    points: int
    lines: list[bytes]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A line that the store would not have, and why; ``points`` is more than one when it stands for others unnamed."""

    line: bytes
    reason: str
    points: int = 1


@dataclass(frozen=True, slots=True)
class SpoolState:
    """What the spool holds."""

    points: int
    size: int
    oldest_ns: int | None
    counters: dict[str, int]


def append(database: Database, groups: Sequence[tuple[Sequence[bytes], int]], max_bytes: int, refused: int) -> int:
    """Accept batches; the oldest make room when the spool would be larger than ``max_bytes``.

    Parameters:
        groups: lines of each batch and the time of its oldest point.
        refused: points refused since the last call, to be counted with it.

    Returns:
        points that were dropped to make room.
    """
    connection = database.connection
    with database.transaction():
        for lines, oldest_ns in groups:
            body = zlib.compress(b"\n".join(lines), 1)
            connection.execute(
                "INSERT INTO batch (points, oldest_ns, size, body) VALUES (?, ?, ?, ?)",
                (len(lines), oldest_ns, len(body), body),
            )
        dropped = _make_room(connection, max_bytes)
        count(database, refused=refused + dropped)
    return dropped


def _make_room(connection: sqlite3.Connection, max_bytes: int) -> int:
    (size,) = connection.execute("SELECT value FROM counter WHERE name = 'spooled_bytes'").fetchone()
    dropped = 0
    while size > max_bytes:
        number, points, freed = connection.execute("SELECT id, points, size FROM batch ORDER BY id LIMIT 1").fetchone()
        connection.execute("DELETE FROM batch WHERE id = ?", (number,))
        size -= freed
        dropped += points
    return dropped


def next_batch(database: Database, after: int) -> Batch | None:
    """Return the oldest batch with a number greater than ``after``. A damaged one is given up and counted."""
    while True:
        row = database.connection.execute(
            "SELECT id, points, body FROM batch WHERE id > ? ORDER BY id LIMIT 1", (after,)
        ).fetchone()
        if row is None:
            return None
        number, points, body = row
        try:
            stream = zlib.decompressobj()
            text = stream.decompress(body, MOST_BYTES)
            if stream.eof:
                return Batch(number, points, text.split(b"\n"))
        except zlib.error:
            pass
        with database.transaction():
            database.connection.execute("DELETE FROM batch WHERE id = ?", (number,))
            count(database, refused=points)


def settle(
    database: Database, batch: Batch, dead: Sequence[DeadLetter], at_ns: int, most_dead: int, canary_ns: int | None
) -> None:
    """Delete an acknowledged batch, keep what the store would not have, count both: one fact.

    Parameters:
        at_ns: now, for the dead letters.
        most_dead: dead letters kept; the oldest go first.
        canary_ns: time of the newest canary that was read back.
    """
    with database.transaction():
        gone = database.connection.execute("DELETE FROM batch WHERE id = ?", (batch.number,)).rowcount
        rejected = sum(one.points for one in dead)
        # a batch that made room while it was on its way was counted as refused; it arrived after all
        count(database, written=batch.points - rejected, rejected=rejected, refused=0 if gone else -batch.points)
        if canary_ns:
            database.connection.execute(
                "INSERT OR REPLACE INTO counter (name, value) VALUES ('canary', ?)", (canary_ns,)
            )
        if dead:
            _bury(database, dead, at_ns, most_dead)


def _bury(database: Database, dead: Sequence[DeadLetter], at_ns: int, most_dead: int) -> None:
    connection = database.connection
    connection.executemany(
        "INSERT INTO dead_letter (at_ns, line, reason) VALUES (?, ?, ?)",
        [(at_ns, one.line.decode("utf-8", "replace"), one.reason) for one in dead],
    )
    (held,) = connection.execute("SELECT count(*) FROM dead_letter").fetchone()
    if held > most_dead:
        connection.execute(
            "DELETE FROM dead_letter WHERE id IN (SELECT id FROM dead_letter ORDER BY id LIMIT ?)", (held - most_dead,)
        )
        count(database, dead_letters_dropped=held - most_dead)


def state(connection: sqlite3.Connection) -> SpoolState:
    """Read what the spool holds; also for another process, read-only."""
    counted = dict(connection.execute("SELECT name, value FROM counter"))
    oldest = connection.execute("SELECT oldest_ns FROM batch ORDER BY id LIMIT 1").fetchone()
    return SpoolState(
        counted.pop("spooled_points", 0), counted.pop("spooled_bytes", 0), oldest[0] if oldest else None, counted
    )


def dead_letters(connection: sqlite3.Connection, limit: int = 100) -> list[tuple[int, str, str]]:
    """Return the newest dead letters: when, the line, the store's words."""
    return connection.execute(
        "SELECT at_ns, line, reason FROM dead_letter ORDER BY id DESC LIMIT ?", (limit,)
    ).fetchall()
