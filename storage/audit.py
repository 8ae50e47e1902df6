"""The audit log: what people changed, each entry chained to the one before by a hash.

``hash = SHA-256(hash before ‖ canonical JSON of the entry)``, the first over 64 zeros. Whoever changes, deletes or
moves a row breaks the chain from there on; whoever cuts rows off the end is found by a hash noted elsewhere: in the
file `HEAD` beside the database, and by whoever notes what ``haidang audit verify`` prints. A person with the rights to
rewrite all these files can rewrite the whole chain: that is found only by a hash that was noted on another machine.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from storage.database import Database

logger = structlog.get_logger(__name__)

START = "0" * 64
HEAD = "audit.head"
"""The file in the data directory that says how far the log had come: ``NUMBER HASH``."""
_COLUMNS = "id, at_ns, kind, author, data, hash"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Parameters:
        number: 1, 2, 3 …
        at_ns: when.
        kind: what was done, e.g. ``maintenance.add``.
        author: by whom.
        data: canonical JSON of the rest.
        hash: chains it to the entry before.
    """

    number: int
    at_ns: int
    kind: str
    author: str
    data: str
    hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the log found: entries that are in order, the last hash, and the fault (empty: none)."""

    entries: int
    head: str
    fault: str = ""


class Audit:
    """Adds entries. The only writer of the table.

    Parameters:
        database: ``haidang.db``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._noted: tuple[int, str] | None = None
        self._spoilt = False

    def note_head(self) -> None:
        """Write down beside the database how far the log has come; call it every second, outside a transaction.

        A log that does not go on from what was noted keeps that note, so that `verify` can tell.
        """
        sql, folder = self._database.connection, self._database.path.parent
        head = sql.execute("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1").fetchone()
        if head is None or head == self._noted or self._spoilt:
            return
        try:
            before = self._noted or noted_head(folder)
            if before and sql.execute("SELECT hash FROM audit WHERE id = ?", before[:1]).fetchone() != before[1:]:
                self._spoilt = True
                logger.error("the audit log does not go on from where it was: haidang audit verify", noted=before[0])
                return
            fresh = folder / f"{HEAD}.new"
            fresh.write_text(f"{head[0]} {head[1]}\n", "ascii")
            fresh.replace(folder / HEAD)
            self._noted = head
        except OSError as error:
            logger.debug("audit head not noted, tried again", error=str(error))

    def add(self, at_ns: int, kind: str, author: str, data: Mapping[str, Any]) -> Entry:
        """Add an entry; part of the caller's transaction, so that it is there exactly if the change is."""
        with self._database.transaction() as sql:
            row = sql.execute("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1").fetchone()
            number, before = (row[0] + 1, row[1]) if row else (1, START)
            text = canonical(data)
            entry = Entry(number, at_ns, kind, author, text, chained(before, number, at_ns, kind, author, text))
            sql.execute(
                f"INSERT INTO audit ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
                (entry.number, entry.at_ns, entry.kind, entry.author, entry.data, entry.hash),
            )
        return entry


def entries(sql: sqlite3.Connection) -> Iterator[Entry]:
    """Yield all entries in order, also those that somebody made unreadable: what is no UTF-8 becomes surrogates."""
    columns = "id, at_ns, CAST(kind AS BLOB), CAST(author AS BLOB), CAST(data AS BLOB), CAST(hash AS BLOB)"
    for number, at_ns, *texts in sql.execute(f"SELECT {columns} FROM audit ORDER BY id"):
        yield Entry(number, at_ns, *(text.decode("utf-8", "surrogateescape") for text in texts))


def noted_head(folder: Path) -> tuple[int, str] | None:
    """Return how far the log had come when that was noted in the data directory; ``None``: nothing that can be read."""
    try:
        number, digest = (folder / HEAD).read_text("ascii").split()
        return int(number), digest
    except (OSError, ValueError):
        return None


def verify(sql: sqlite3.Connection, noted: str = "", beside: tuple[int, str] | None = None) -> Verdict:
    """Check the whole log.

    Parameters:
        sql: any connection to ``haidang.db``.
        noted: a hash that was noted before, in whole or its first 8 digits and more; it must still be in the chain.
        beside: what `noted_head` says; read it before the connection is opened.
    """
    before, count, found = START, 0, not noted
    for entry in entries(sql):
        if entry.number != count + 1:
            return Verdict(count, before, f"entry {count + 1} is missing: {entry.number} follows {count}")
        expected = chained(before, entry.number, entry.at_ns, entry.kind, entry.author, entry.data)
        if entry.hash != expected:
            return Verdict(count, before, f"entry {entry.number} is not what was written, or not where it was written")
        before, count = entry.hash, entry.number
        if beside is not None and beside[0] == count and beside[1] != before:
            return Verdict(count, before, f"entry {count} is not the one that was noted in {HEAD}: written anew")
        found = found or before.startswith(noted)
    if beside is not None and beside[0] > count:
        cut = f"the last entries are missing: {count} of {beside[0]} that {HEAD} has noted are there; they were cut off"
        return Verdict(count, before, f"{cut}, or an older backup was put back")
    if not found:
        return Verdict(count, before, f"no entry has the noted hash {noted}: entries were cut off or written anew")
    return Verdict(count, before)


def chained(before: str, number: int, at_ns: int, kind: str, author: str, data: str) -> str:
    """Return the hash of an entry that follows another."""
    line = canonical({"number": number, "at_ns": at_ns, "kind": kind, "author": author, "data": data})
    return hashlib.sha256(f"{before}{line}".encode()).hexdigest()


def canonical(data: Mapping[str, Any]) -> str:
    """Write data as JSON in the one form that is hashed (keys sorted, no spaces, ASCII)."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
