"""Events of an earlier version stay as they are when hooks are let in beside them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from storage.database import Database, migrations, statements
from storage.events import EventLog, Recorded, recorded


def test_events_of_an_earlier_version_are_still_there_and_hooks_find_room_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "haidang.db"
    scripts = migrations("haidang")
    before = next(number for number, script in enumerate(scripts) if "'hook'" in script)
    old = sqlite3.connect(path)
    for script in scripts[:before]:
        for statement in statements(script):
            old.execute(statement)
    old.execute(f"PRAGMA user_version = {before}")
    old.execute("INSERT INTO event VALUES (7, 'gw', 1, 2, 3, 'trap', '192.0.2.1', 'linkDown', 'warning', 'x', 0)")
    old.commit()
    old.close()
    database = Database(path, "haidang")
    log = EventLog(database)
    log.add(Recorded("gw", 5, 5, 1, "hook", "token:alarm", "building", "critical", "y", True))
    log.write()
    assert [(one.kind, one.count, one.text) for one in recorded(database.connection, "gw")] == [
        ("hook", 1, "y"), ("trap", 3, "x"),
    ]  # fmt: skip
    plan = " ".join(str(row) for row in database.connection.execute(
        "EXPLAIN QUERY PLAN SELECT * FROM event WHERE target = 'gw' ORDER BY id DESC LIMIT 1"
    ))  # fmt: skip
    assert "event_of" in plan, "the index is there again"
    database.close()
