"""Meetings by video: when they are, which room can take part and why not, and that work is not planned into them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import config
from alerting.incidents import Incidents
from alerting.notifier import Notifier
from alerting.oncall.rota import moment
from alerting.outbox import Outbox
from alerting.policy import Policy
from config.schema.conferences import Conferences
from haidang.clock import ManualClock
from haidang.conferences.meetings import configured, sittings, ways_to
from haidang.conferences.verdict import Verdict, reasons, worst
from haidang.conferences.words import say
from haidang.maintaining import Maintaining
from haidang.model import FieldValue, Observation, Status
from haidang.world import ConfiguredWorld
from storage.database import Database
from storage.ledger import Ledger, LedgerReader

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
TEXT = """haidang: 1
data_dir: ./data
targets:
  - {id: hub, address: 192.0.2.1}
  - {id: room, address: 192.0.2.2, parents: [hub]}
  - {id: other, address: 192.0.2.3}
conferences:
  meetings:
    - {id: weekly, start: "2026-12-07T08:00", lasting: 2h, every: FREQ=WEEKLY;BYDAY=MO, rooms: [room]}
    - {id: once, start: "2026-12-08T14:00", rooms: [room, other]}
"""


def at(text: str) -> int:
    return moment(datetime.fromisoformat(text), ZONE)


@pytest.fixture
def loaded(tmp_path: Path) -> config.Configuration:
    (tmp_path / "haidang.yaml").write_text(TEXT, encoding="utf-8")
    return config.load(tmp_path / "haidang.yaml")


def seen(probe: str, status: Status, reason: str = "", warning: str = "", **fields: FieldValue) -> Observation:
    return Observation("room", probe, 0, status, reason, fields, 0.0, warning=warning)


GOOD = seen("quality", Status.UP, loss_percent=0.0, mos=4.3, delay_ms=5.0)


def test_a_series_and_a_single_meeting_come_in_their_order(loaded: config.Configuration) -> None:
    found = sittings(configured(loaded), at("2026-12-01T00:00"), at("2026-12-15T00:00"))
    assert [(one.meeting.id, one.start_ns) for one in found] == [
        ("weekly", at("2026-12-07T08:00")), ("once", at("2026-12-08T14:00")), ("weekly", at("2026-12-14T08:00")),
    ]  # fmt: skip
    under_way = sittings(configured(loaded), at("2026-12-07T09:59"), at("2026-12-07T10:30"))
    assert [one.meeting.id for one in under_way] == ["weekly"]
    assert sittings(configured(loaded), at("2026-12-07T10:00"), at("2026-12-07T10:30")) == []


def test_a_room_depends_on_all_it_is_reached_through(loaded: config.Configuration) -> None:
    assert ways_to(loaded, ["room"]) == {"room", "hub"}


def test_a_room_that_is_not_there_and_a_time_that_is_none_are_told(tmp_path: Path) -> None:
    wrong = TEXT.replace("[room, other]", "[rom]").replace('"2026-12-07T08:00"', '"monday"')
    (tmp_path / "haidang.yaml").write_text(wrong, encoding="utf-8")
    told = "\n".join(map(str, config.check(tmp_path / "haidang.yaml")))
    assert 'there is no target "rom" (did you mean "room"?)' in told
    assert '"monday" is not a time' in told


@pytest.mark.parametrize(
    ("line", "signals", "verdict", "word"),
    [
        (GOOD, [seen("sip", Status.UP)], Verdict.GO, ""),
        (GOOD, [seen("sip", Status.DOWN, "it answered 503")], Verdict.NO_GO, "503"),
        (seen("quality", Status.DOWN, "no reply"), [], Verdict.NO_GO, "behind hop 3"),
        (seen("quality", Status.DOWN, "no reply"), [seen("sip", Status.UP)], Verdict.WATCH, "pings"),
        (seen("quality", Status.UNKNOWN, "no route"), [], Verdict.WATCH, "no route"),
        (seen("quality", Status.UP, loss_percent=2.0, mos=4.0), [], Verdict.WATCH, "2.0 %"),
        (seen("quality", Status.UP, loss_percent=8.0, mos=3.0), [], Verdict.NO_GO, "8.0 %"),
        (seen("quality", Status.UP, loss_percent=0.0, mos=4.0, delay_ms=151.0), [], Verdict.WATCH, "151"),
        (GOOD, [seen("sip", Status.UP, warning="certificate ends")], Verdict.WATCH, "certificate ends"),
    ],
)
def test_each_finding_gives_its_verdict_with_the_reason(
    line: Observation, signals: list[Observation], verdict: Verdict, word: str
) -> None:
    found = reasons(line, signals, "the way ends behind hop 3", Conferences())
    assert worst(found) is verdict
    for language in ("vi", "en"):
        assert say(language, f"verdicts.{verdict.value}")
    assert word in "; ".join(say("en", f"reasons.{one.key}", **one.gaps) for one in found)
    assert all(say("vi", f"reasons.{one.key}", **one.gaps) for one in found)


def test_work_on_the_way_to_a_room_is_refused_while_it_meets_unless_forced(
    loaded: config.Configuration, tmp_path: Path
) -> None:
    clock = ManualClock(at("2026-12-01T00:00"))
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger = Ledger(database)
    ledger.begin(clock.utc_ns(), "1")
    world = ConfiguredWorld(loaded, LedgerReader(database.connection))
    notifier = Notifier(Outbox(database, clock, "example.org"), world, ZONE)
    incidents = Incidents(database, clock, world, notifier, Policy())
    keeper = Maintaining(loaded, database, clock, ledger, incidents, lambda: None, lambda: configured(loaded))
    add = keeper.verbs()["maintenance.add"]

    def asked(name: str, start: str, hours: int, **more: object) -> dict[str, object]:
        return {
            "kind": "target", "name": name, "start_ns": at(start), "end_ns": at(start) + hours * 3600 * 10**9,
            "rule": "", "excluded": True, "reason": "new card", "author": "Hà", **more,
        }  # fmt: skip

    for start in ("2026-12-07T06:30", "2026-12-14T09:59"):  # an hour before it begins, and before it ends
        with pytest.raises(ValueError, match=r"meetings are held then: weekly .* or say --force"):
            add(asked("hub", start, 1))
    assert add(asked("hub", "2026-12-07T10:00", 1))["meetings"] == []
    assert add(asked("other", "2026-12-07T08:00", 1))["meetings"] == []
    assert add(asked("hub", "2026-12-07T07:30", 1, force=True))["meetings"] == ["weekly 07/12/2026 08:00"]
    database.close()


@given(st.floats(0, 100), st.floats(0, 100))
def test_more_loss_is_never_judged_better(one: float, other: float) -> None:
    low, high = sorted((one, other))
    verdicts = [
        worst(reasons(seen("quality", Status.UP, loss_percent=loss, mos=4.0), [], "", Conferences()))
        for loss in (low, high)
    ]
    order = tuple(Verdict)
    assert order.index(verdicts[0]) <= order.index(verdicts[1])
