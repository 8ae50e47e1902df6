"""What people do with an incident: take it on, say something of it, say whose fault it is."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from alerting import journal, records
from alerting.records import FOREVER_NS, Incident, Owner
from alerting.text import clean

OURSELVES = "haidang"
"""Says whose fault it is when the evidence does."""


def acknowledge(
    sql: sqlite3.Connection, number: int, who: str, now_ns: int, until_ns: int | None, note: str
) -> Incident:  # fmt: skip
    """See `alerting.incidents.Incidents.acknowledge`."""
    found = records.root(sql, number)
    if found is None:
        raise ValueError(f"there is no incident {number}")
    if not found.open:
        raise ValueError(f"incident {found.number} is over")
    until_ns = FOREVER_NS if until_ns is None else until_ns
    if until_ns <= now_ns:
        raise ValueError("an acknowledgement ends in the future, not in the past")
    who = clean(who, 100)
    sql.execute(
        "UPDATE incident SET acknowledged_by = ?, acknowledged_ns = ?, acknowledged_until_ns = ? WHERE id = ?",
        (who, now_ns, until_ns, found.number),
    )
    if not found.pending:
        journal.due(sql, found, None, None if until_ns >= FOREVER_NS else until_ns)
    journal.note(sql, found, now_ns, "acknowledged", f"{who}: {note}" if note else who)
    return replace(found, acknowledged_by=who, acknowledged_until_ns=until_ns)


def remark(sql: sqlite3.Connection, number: int, who: str, now_ns: int, text: str) -> None:
    """See `alerting.incidents.Incidents.remark`."""
    journal.note(sql, _known(sql, number), now_ns, "note", f"{clean(who, 100)}: {clean(text, 1000)}")


def attribute(sql: sqlite3.Connection, number: int, who: str, now_ns: int, owner: Owner, why: str) -> bool:
    """See `alerting.incidents.Incidents.attribute`."""
    found = _known(sql, number)
    if who == OURSELVES and found.owner_by not in ("", OURSELVES):
        return False
    sql.execute("UPDATE incident SET owner = ?, owner_by = ? WHERE id = ?", (owner, clean(who, 100), number))
    words = f"{owner.value}, says {clean(who, 100)}"
    journal.note(sql, found, now_ns, "owner", f"{words}: {clean(why, 500)}" if why else words)
    return True


def _known(sql: sqlite3.Connection, number: int) -> Incident:
    found = records.incident(sql, number)
    if found is None:
        raise ValueError(f"there is no incident {number}")
    return found
