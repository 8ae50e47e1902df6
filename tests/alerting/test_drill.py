"""The daily drill: by every way to whoever is on duty, acknowledged, or told to others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import time
from pathlib import Path

import pytest

from alerting.drill import Drills, DrillSettings, rows
from alerting.world import Recipient
from haidang.clock import ManualClock
from tests.alerting.province import START, ZONE, Desk

AN = Recipient("an", "an@example.vn", "vi", "mail", (("sms", "+849"),))
CHIEF = Recipient("chief", "chief@example.vn", "en")
SETTINGS = DrillSettings(time(3, 30), ("duty",), 1800.0, ("chief",), ZONE)  # the desk's clock begins at 03:12:05


class Morning:
    """A desk that drills, and a hand on the time."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(START)
        self.desk = Desk(folder, self.clock)
        self.on_duty: Sequence[Recipient] = (AN,)
        self.drills = self.made()

    def made(self) -> Drills:
        drills = Drills(
            self.desk.database, self.clock, self.desk.outbox,
            lambda names, _at: self.on_duty if names == ["duty"] else [CHIEF],
            lambda number, who: f"link-{number}-{who}",
        )  # fmt: skip
        drills.settings = SETTINGS
        return drills

    def passes(self, seconds: int) -> None:
        for _ in range(seconds // 5):
            self.clock.advance(5)
            self.drills.tick()

    def told(self) -> list[tuple[str, str, str]]:
        return self.desk.sql.execute("SELECT contact, channel, step FROM notification ORDER BY id").fetchall()


@pytest.fixture
def morning(tmp_path: Path) -> Iterator[Morning]:
    made = Morning(tmp_path)
    yield made
    made.desk.database.close()


def test_at_its_time_each_way_of_the_one_on_duty_gets_a_message_with_its_own_link(morning: Morning) -> None:
    morning.passes(17 * 60)
    assert morning.told() == []
    morning.passes(60)
    assert morning.told() == [("an", "mail", "drill"), ("an", "sms", "drill")]
    texts = [row[0] for row in morning.desk.sql.execute("SELECT payload FROM notification")]
    assert "link-1-an" in texts[0]
    assert "link-2-an" in texts[1]
    assert all("trước 04:00" in text for text in texts)


def test_only_the_way_that_is_not_acknowledged_in_time_is_told_to_others_once(morning: Morning) -> None:
    morning.passes(20 * 60)
    morning.drills.acknowledge(1, "an")
    morning.passes(3600)
    assert morning.told()[2:] == [("chief", "mail", "missed")]
    kept = rows(morning.desk.sql)
    assert [(row.acknowledged_ns is None, row.missed_ns is None) for row in kept] == [(False, True), (True, False)]
    (text,) = morning.desk.sql.execute("SELECT payload FROM notification WHERE step = 'missed'").fetchone()
    assert "by sms was not acknowledged by 04:00. Delivery: not sent yet" in text


def test_it_is_once_a_day_also_when_the_daemon_is_restarted_in_between(morning: Morning) -> None:
    morning.passes(20 * 60)
    morning.drills = morning.made()
    morning.passes(300)
    assert len(morning.told()) == 2
    morning.drills.acknowledge(1, "an")
    morning.drills.acknowledge(2, "an")
    morning.passes(24 * 3600)
    assert len(morning.told()) == 4


def test_what_cannot_be_acknowledged_is_refused_in_words(morning: Morning) -> None:
    morning.passes(20 * 60)
    with pytest.raises(ValueError, match="there is no drill 9"):
        morning.drills.acknowledge(9, "an")
    morning.drills.acknowledge(1, "an")
    with pytest.raises(ValueError, match="was acknowledged before"):
        morning.drills.acknowledge(1, "an")


def test_with_nobody_on_duty_nothing_is_sent_and_it_is_not_tried_each_second(morning: Morning) -> None:
    morning.on_duty = ()
    morning.passes(3600)
    assert morning.told() == []
