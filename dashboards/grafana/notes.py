"""Incidents and maintenance as annotations on the dashboards."""

from __future__ import annotations

import html
import sqlite3
from collections.abc import Iterator

from alerting import records
from alerting.world import in_language
from availability.maintenance import occurrences
from dashboards.grafana.push import Note
from storage.accounts import AccountsReader

_MS = 1_000_000
_DAY_NS = 86_400 * 10**9
_MOST = 5000


def notes(sql: sqlite3.Connection, language: str, now_ns: int, days: int) -> Iterator[Note]:
    """Tell of the incidents and the maintenance of the last days, and of the maintenance of the next 31.

    Parameters:
        sql: any connection to ``haidang.db``.
        language: ``vi`` or ``en``.
        now_ns: UTC.
        days: how far back.
    """
    from_ns = now_ns - days * _DAY_NS
    for one in records.incidents(sql, resolved=True, limit=_MOST):
        end_ns = one.ended_ns or one.resolved_ns or one.since_ns
        if one.merged_into is None and (one.open or end_ns >= from_ns):
            name = in_language(one.subject.name, language) or str(one.check)
            place = in_language(one.subject.site, language)
            text = f"#{one.number} {', '.join(filter(None, (name, place)))}: {one.reason}"
            yield _note("incident", f"incident-{one.number}", one.since_ns, end_ns, text)
    for work in AccountsReader(sql).maintenance():
        for start_ns, end_ns in occurrences(work, from_ns, now_ns + 31 * _DAY_NS):
            text = f"{work.kind}:{work.name}: {work.reason}"
            key = f"maintenance-{work.number}-{start_ns // 10**9}"
            yield _note("maintenance", key, start_ns, end_ns, text)


def _note(kind: str, key: str, start_ns: int, end_ns: int, text: str) -> Note:
    # Grafana shows an annotation's text as HTML.
    return Note(f"haidang-{key}", kind, start_ns // _MS, end_ns // _MS, html.escape(text[:1000], quote=False))
