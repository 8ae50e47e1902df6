"""What was watched and promised over time: one document whenever it changed. Written by the daemon, never changed."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from storage.database import Database, has_table

LARGEST = 64 * 1024 * 1024
"""Bytes of a document; what claims to be larger is not unpacked."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was in force from a time on."""

    at_ns: int
    sha256: str
    document: Mapping[str, Any]


def digest(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a document in its one canonical form."""
    return hashlib.sha256(_canonical(document)).hexdigest()


def keep(database: Database, document: Mapping[str, Any], now_ns: int) -> bool:
    """Write a document down if it is another one than the last.

    Returns:
        whether it was.
    """
    text = _canonical(document)
    sha256 = hashlib.sha256(text).hexdigest()
    with database.transaction() as sql:
        last = sql.execute("SELECT sha256 FROM snapshot ORDER BY id DESC LIMIT 1").fetchone()
        if last is not None and last[0] == sha256:
            return False
        sql.execute(
            "INSERT INTO snapshot (at_ns, sha256, document) VALUES (?, ?, ?)", (now_ns, sha256, zlib.compress(text, 6))
        )
    return True


def in_force(sql: sqlite3.Connection, start_ns: int, end_ns: int) -> list[Snapshot]:
    """Return what was in force in a period, in order: the last one before it, and those written in it."""
    if not has_table(sql, "snapshot"):
        return []
    rows = sql.execute(
        "SELECT at_ns, sha256, document FROM snapshot WHERE at_ns < ?2 AND id >= "
        "coalesce((SELECT id FROM snapshot WHERE at_ns <= ?1 ORDER BY id DESC LIMIT 1), 0) ORDER BY id",
        (start_ns, end_ns),
    )
    return [Snapshot(at_ns, sha256, _read(document)) for at_ns, sha256, document in rows]


def _read(document: bytes) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(zlib.decompressobj().decompress(document, LARGEST))
    return found


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
