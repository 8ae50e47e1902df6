"""What is wrong with Haidang itself is told like any other incident, after the time that each thing is given."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import config
from alerting import records
from alerting.incidents import OWN
from alerting.policy import Policy
from alerting.severity import Impact
from haidang.clock import ManualClock
from haidang.conferences.keeping import Keeping
from haidang.model import CheckId, State
from haidang.selfwatch import EVERY_S, Figures, SelfWatch
from tests.alerting.province import AN, Desk
from tests.support.http_sink import http_sink

WELL = Figures(5.0, "", 2)
GIB = 1024**3


class Bench(Desk):
    """Looks at itself every ten seconds."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.world.readers = (AN,)
        self.free = 50 * GIB
        self.start()

    def start(self) -> None:
        self.watch = SelfWatch(
            self.database, self.clock, self.incidents, lambda: None, lambda _: (100 * GIB, 0, self.free)
        )

    def live(self, seconds: float, figures: Figures = WELL) -> None:
        assert isinstance(self.clock, ManualClock)
        for _ in range(round(seconds / EVERY_S)):
            self.clock.advance(EVERY_S)
            self.watch.look(figures)

    def told(self) -> list[tuple[str, str]]:
        return self.sql.execute(
            "SELECT probe, step FROM notification JOIN incident ON incident.id = incident ORDER BY notification.id"
        ).fetchall()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.database.close()


def test_when_all_is_well_nobody_is_told_anything(bench: Bench) -> None:
    bench.live(3600)
    assert bench.told() == []


def test_probes_that_stay_late_are_told_after_a_minute_and_one_that_was_late_is_not(bench: Bench) -> None:
    bench.live(30, Figures(9000.0, "", 2))
    bench.live(300)
    assert bench.told() == []
    bench.live(80, Figures(9000.0, "", 2))
    assert bench.told() == [("lag", "opened")]
    bench.live(400)
    assert bench.told() == [("lag", "opened"), ("lag", "resolved")]


def test_a_store_that_is_away_is_told_after_five_minutes(bench: Bench) -> None:
    bench.live(290, Figures(0.0, "connection refused", 2))
    assert bench.told() == []
    bench.live(40, Figures(0.0, "connection refused", 2))
    assert bench.told() == [("store", "opened")]
    [incident] = records.incidents(bench.sql)
    assert (incident.check, incident.reason) == (CheckId("haidang", "store"), "connection refused")


def test_a_disk_that_fills_up_is_told_with_what_is_left(bench: Bench) -> None:
    bench.free = 2 * GIB
    bench.live(60)
    assert bench.told() == [("space", "opened")]
    [incident] = records.incidents(bench.sql)
    assert incident.reason.startswith("2048 MiB of 102400 MiB are free in ")


def test_a_channel_whose_messages_wait_is_told_when_there_is_another_way(bench: Bench) -> None:
    bench.becomes(State.DOWN)
    [message] = bench.outbox.claim(bench.outbox.due(1))
    bench.outbox.retry(message, bench.clock.utc_ns(), "451 greylisted")
    bench.live(590)
    assert bench.told()[1:] == []
    bench.live(60, Figures(5.0, "", 1))
    assert bench.told()[1:] == [], "of the only way out nobody can be told"
    bench.live(30)
    assert bench.told()[1:] == [("channel", "opened")]


@pytest.mark.parametrize(("probe", "level"), [("space", "major"), ("channel", "major"), ("store", "minor")])
def test_what_makes_us_blind_or_dumb_is_no_mere_warning(probe: str, level: str) -> None:
    assert Policy().judge(CheckId(OWN, probe), Impact()) == level


def test_after_a_restart_it_is_the_same_incident(bench: Bench) -> None:
    bench.free = 2 * GIB
    bench.live(60)
    bench.start()
    bench.live(600)
    assert bench.told() == [("space", "opened")]
    bench.free = 50 * GIB
    bench.live(90)
    assert bench.told() == [("space", "opened"), ("space", "resolved")]


EMPTY = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n"


class Office:
    """Calendars at a real server, read by the bench's clock."""

    def __init__(self, bench: Bench, folder: Path, port: int) -> None:
        self._bench, self._path, self._port = bench, folder / "haidang.yaml", port
        self.keeping = Keeping(self.configured("a", "b"), bench.database, bench.clock, lambda: None)

    def configured(self, *names: str) -> config.Configuration:
        lines = [f"{{id: {name}, url: 'http://127.0.0.1:{self._port}/{name}', away: 1h}}" for name in names]
        self._path.write_text(f"haidang: 1\nconferences: {{calendars: [{', '.join(lines)}]}}\n", encoding="utf-8")
        return config.load(self._path)

    async def read(self, *names: str) -> None:
        """Read each of these calendars once, and no other."""
        assert isinstance(self._bench.clock, ManualClock)
        self._bench.clock.advance(1)
        self.keeping.use(self.configured(*names))
        tried = f"SELECT count(*) FROM conference_calendar WHERE tried_ns = {self._bench.clock.utc_ns()}"
        task = asyncio.create_task(self.keeping.run())
        async with asyncio.timeout(5):
            while self._bench.sql.execute(tried).fetchone() != (len(names),):  # noqa: ASYNC110 no event tells it
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def live(self, seconds: float) -> None:
        for _ in range(round(seconds / EVERY_S)):
            self._bench.live(EVERY_S, replace(WELL, calendars=self.keeping.away()))


async def test_each_calendar_that_is_away_for_long_is_told_by_its_name_and_is_over_when_it_is_read(
    bench: Bench, tmp_path: Path
) -> None:
    async with http_sink() as sink:
        gone: set[str] = set()
        sink.answer = lambda number: (
            "404 Not Found" if sink.requests[number - 1].line.split()[1].strip("/") in gone else "200 OK"
        )
        sink.body = EMPTY
        office = Office(bench, tmp_path, sink.port)
        office.live(20)
        await office.read("a", "b")
        office.live(20)
        gone = {"b"}
        await office.read("a", "b")
        office.live(3500)
        await office.read("a", "b")
        assert bench.told() == []
        office.live(120)
        assert bench.told() == [("calendar:b", "opened")]
        [incident] = records.incidents(bench.sql)
        assert incident.reason == "the calendar b has not been read for 01:00:01: 127.0.0.1: answered 404"

        bench.start()
        office.keeping = Keeping(office.configured("a", "b"), bench.database, bench.clock, lambda: None)
        office.live(20)
        await office.read("a", "b")
        office.live(60)
        assert bench.told() == [("calendar:b", "opened")], "after a restart it is the same"
        gone = {"a"}
        await office.read("a", "b")
        office.live(20)
        assert bench.told() == [("calendar:b", "opened"), ("calendar:b", "resolved")]
        office.live(3600)
        assert bench.told()[2:] == [("calendar:a", "opened")]
        await office.read("b")
        office.live(20)
        assert bench.told()[3:] == [("calendar:a", "resolved")], "it is not read any more"
