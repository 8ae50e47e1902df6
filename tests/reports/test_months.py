"""The report's figures against a model that looks at every second of random months."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from config import Configuration
from haidang.model import State
from reports.figures import Asked, build
from storage.database import Database
from tests.availability.months import S, Story, brute, stories
from tests.reports.ledgers import configured

TEXT = """\
haidang: 1
data_dir: ./data
systems: [{id: net, objective: 99.9}]
sites: [{id: north}]
circuits: [{id: line, carrier: VNPT, system: net}]
targets: [{id: router, address: 192.0.2.1, site: north, circuit: line}]
"""
_SAID = {State.DEGRADED: State.UP, State.UNREACHABLE: State.DOWN, State.MAINTENANCE: State.UNKNOWN}


@contextmanager
def empty() -> Iterator[tuple[Configuration, Database]]:
    with tempfile.TemporaryDirectory() as folder:
        configuration = configured(Path(folder), TEXT)
        database = Database(configuration.data_dir / "haidang.db", "haidang")
        database.connection.execute("PRAGMA synchronous=OFF")
        try:
            yield configuration, database
        finally:
            database.close()


def tell(database: Database, story: Story) -> None:
    """Write a story into the ledger, in place of the one before."""
    zero = story.period().start_ns
    sql = database.connection
    with database.transaction():
        for table in ("interval", "maintenance", "correction", "watched", "primary_check"):
            sql.execute(f"DELETE FROM {table}")
        # In the middle of every other story the router gets another check: it changes none of its figures.
        split = zero + (story.now // 2) * S
        if story.now % 2 or (story.watched or 0) >= story.now // 2:
            split = -1
        for one in story.intervals():
            for probe, begin, end in (("tcp", one.start_ns, split), ("icmp", max(one.start_ns, split), one.end_ns)):
                last = end if one.end_ns is None or end is None else min(end, one.end_ns)
                if last is None or begin < last:
                    sql.execute(
                        "INSERT INTO interval (target, probe, state, start_ns, end_ns, confirmed_ns, reason) "
                        "VALUES ('router', ?, ?, ?, ?, 0, '')",
                        (probe, one.state, begin, last),
                    )
        for begin, end in story.excluded:
            if begin < end:
                sql.execute(
                    "INSERT INTO maintenance (kind, name, start_ns, end_ns, rule, zone, excluded, reason, author, "
                    "created_ns) VALUES ('target', 'router', ?, ?, '', 'UTC', 1, 'works', 'An', 0)",
                    (zero + begin * S, zero + end * S),
                )
        for begin, end, state in story.corrections:
            if begin < end:
                sql.execute(
                    "INSERT INTO correction (target, probe, start_ns, end_ns, state, reason, author, created_ns) "
                    "VALUES ('router', 'icmp', ?, ?, ?, 'seen on site', 'An', 0)",
                    (zero + begin * S, zero + end * S, _SAID.get(state, state)),
                )
        if story.watched is not None:
            first = "icmp" if split < 0 else "tcp"
            sql.execute("INSERT INTO watched VALUES ('router', ?, ?)", (first, zero + story.watched * S))
        if split >= 0:
            sql.executemany("INSERT INTO primary_check VALUES ('router', ?, ?)", [(0, "tcp"), (split, "icmp")])


def hold(configuration: Configuration, database: Database, story: Story) -> None:
    story = replace(story, hours=())
    tell(database, story)
    now_ns = story.period().start_ns + story.now * S
    report = build(configuration, database.connection, Asked(story.name, now_ns, now_ns))
    up, down, unknown, outages, counted = brute(story)
    [target], [line] = report.targets, report.circuits or [None]
    rows = [target.numbers] if line is None else [target.numbers, line.measured]
    for numbers in rows:
        assert (numbers.up_s, numbers.down_s, numbers.unknown_s, numbers.outages) == (up, down, unknown, outages), story
        assert numbers.period_s == counted
    assert round(sum(day.down_s for row in report.promised for day in row.days)) == (down if report.promised else 0)
    assert round(sum(row.down_s for row in report.outages)) == (down if line else 0), story
    assert all(row.down_s + row.excluded_s > 0 for row in report.outages)
    for row in report.promised:
        assert row.trend[-1].down_s == row.numbers.down_s == down
    again = build(configuration, database.connection, Asked(story.name, now_ns, now_ns))
    assert again == report


@settings(max_examples=60, deadline=None)
@given(stories())
def test_the_figures_of_a_report_equal_a_count_of_every_second(story: Story) -> None:
    with empty() as (configuration, database):
        hold(configuration, database, story)


@pytest.mark.slow
def test_the_figures_of_a_report_equal_a_count_of_every_second_of_a_thousand_months() -> None:
    with empty() as (configuration, database):

        @settings(max_examples=1_000, deadline=None)
        @given(stories())
        def each(story: Story) -> None:
            hold(configuration, database, story)

        each()
