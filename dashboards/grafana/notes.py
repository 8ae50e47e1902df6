"""Incidents and maintenance as annotations on the dashboards."""

from __future__ import annotations

import html
import sqlite3
from collections.abc import Iterator

from alerting import records
from alerting.records import Incident
from alerting.world import in_language
from availability.maintenance import occurrences
from dashboards.grafana.push import Note
from storage.accounts import AccountsReader, Maintenance

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
            words = incident_words(one, language)
            yield _note("incident", f"incident-{one.number}", one.since_ns, end_ns, words)
    for work in AccountsReader(sql).maintenance():
        for start_ns, end_ns in occurrences(work, from_ns, now_ns + 31 * _DAY_NS):
            key = f"maintenance-{work.number}-{start_ns // 10**9}"
            yield _note("maintenance", key, start_ns, end_ns, work_words(work))


def incident_words(one: Incident, language: str) -> str:
    """Say an incident in one line, as HTML: as such Grafana shows an annotation's text."""
    name = in_language(one.subject.name, language) or str(one.check)
    place = in_language(one.subject.site, language)
    return _html(f"#{one.number} {', '.join(filter(None, (name, place)))}: {one.reason}")


def work_words(work: Maintenance) -> str:
    """Say a piece of maintenance in one line, as HTML."""
    return _html(f"{work.kind}:{work.name}: {work.reason}")


def _html(text: str) -> str:
    return html.escape(text[:1000], quote=False)


def _note(kind: str, key: str, start_ns: int, end_ns: int, text: str) -> Note:
    return Note(f"haidang-{key}", kind, start_ns // _MS, end_ns // _MS, text)
