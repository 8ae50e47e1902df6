"""How a meeting went: the minutes put together, and the sheet that is mailed when it is over."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import config
from alerting.channels.base import Message
from alerting.oncall.rota import moment
from config.schema.conferences import Meeting
from haidang.cli import app
from haidang.clock import Clock, ManualClock
from haidang.conferences.afterwards import MINUTE_NS, Minute, Trouble, judge, put_together
from haidang.conferences.meetings import Sitting
from haidang.conferences.sheets import in_words
from haidang.conferences.verdict import Verdict
from haidang.rehearsal import Postbox, rehearse
from lab.lines import Conditions
from lab.network import Network
from storage.metrics import Curve, InMemoryStore, MetricStore, Query, StoreError, StoreSettings

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
S = 10**9
TEXT = """haidang: 1
data_dir: ./data
contacts: [{id: chair, email: chair@example.org, language: vi}]
alerting: {mail: {from: haidang@example.org, servers: [{host: 127.0.0.1, security: none}]}}
targets:
  - {id: good, name: Phòng Lục Ngạn, address: 10.1.0.1, quality: {cadence: 1m, marks: [ef, af41]}}
  - {id: lossy, address: 10.2.0.1}
  - {id: cut, address: 10.3.0.1}
conferences:
  before: []
  meetings:
    - {id: weekly, name: Giao ban, start: "2026-12-07T08:00", lasting: 30m, organiser: chair, rooms: [good, lossy, cut]}
"""


def at(text: str) -> int:
    return moment(datetime.fromisoformat(text), ZONE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "haidang.yaml").write_text(TEXT, encoding="utf-8")
    return tmp_path / "haidang.yaml"


class Away(InMemoryStore):
    """A store that takes everything and answers nothing."""

    async def read(self, query: Query) -> list[Curve]:
        raise StoreError("the store is away")

    def add(self, points: object) -> None:
        """Take nothing."""


def live(path: Path, start: str, until: str, store: MetricStore) -> list[tuple[int, Message]]:
    """Let the daemon live over a meeting in which one line is cut for five minutes and another loses packets."""
    network = Network(seed=1)
    network.add_place("centre", "10.0.0.1")
    for number, name in enumerate(("good", "lossy", "cut"), 1):
        network.add_place(name, f"10.{number}.0.1")
        network.add_line(f"line-{name}", "centre", name, Conditions(delay_ms=10, loss_percent=8 * (name == "lossy")))

    async def script(_: Postbox) -> None:
        for when, does in (("2026-12-07T08:10", "cut"), ("2026-12-07T08:15", "mend")):
            if clock.utc_ns() < at(when):
                await asyncio.sleep((at(when) - clock.utc_ns()) / S)
                getattr(network.line("line-cut"), does)()
        await asyncio.sleep(max(0, at(until) - clock.utc_ns()) / S)

    def opened(_settings: StoreSettings, _clock: Clock) -> MetricStore:
        return store

    clock = ManualClock(at(start))
    mails = rehearse(path, network, clock, script, store=opened).mails
    return [(at_ns, one) for at_ns, one in mails if one.message_id.startswith("<0-sheet-")]


def test_the_organiser_hears_once_how_each_room_was_connected(path: Path) -> None:
    store = InMemoryStore(200_000)
    ((at_ns, mail),) = live(path, "2026-12-07T07:58", "2026-12-07T08:40", store)
    assert at("2026-12-07T08:32") <= at_ns < at("2026-12-07T08:33")
    assert mail.contact == "chair"
    assert "1 tốt, 0 trung bình, 2 kém" in mail.payload["subject"]
    assert "MOS thấp nhất" not in mail.payload["text"]
    assert "<th" in mail.payload["html"]
    done = CliRunner().invoke(app, ["conferences", "sheet", "weekly", "--config", str(path), "--json"])
    (sheet,) = json.loads(done.stdout)
    assert (sheet["kind"], sheet["before_s"]) == ("quality", 0)
    rooms = {one["room"]: one for one in sheet["rooms"]}
    good, lossy, cut = (rooms[name]["fields"] for name in ("good", "lossy", "cut"))
    assert [rooms[name]["verdict"] for name in ("good", "lossy", "cut")] == ["go", "no-go", "no-go"]
    assert (good["minutes"], good["minutes_measured"], good["minutes_below"], good["loss_percent"]) == (30, 30, 0, 0)
    assert good["mos"] > 4
    assert good["delay_ms"] == pytest.approx(5, abs=1)
    assert lossy["loss_percent"] == pytest.approx(8, abs=1.5)
    assert lossy["mos"] < good["mos"]
    assert cut["minutes_down"] in (4, 5)
    assert cut["mos_lowest"] == 1
    assert cut["worst_at"].startswith("2026-12-07T01:1")
    assert any(one.startswith("sự cố 1: cut, 08:10 đến 08:15") for one in rooms["cut"]["reasons"])
    assert f"mất liên lạc {cut['minutes_down']} phút" in rooms["cut"]["reasons"]
    shown = CliRunner().invoke(app, ["conferences", "sheet", "weekly", "--config", str(path), "--language", "en"])
    assert "1 good, 0 fair, 2 poor" in shown.stdout
    assert "POOR" in shown.stdout
    assert live(path, "2026-12-07T08:41", "2026-12-07T08:50", store) == [], "told before the restart"


def test_while_the_store_is_away_the_sheet_waits_and_is_then_made_of_the_record_of_outages(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("haidang.conferences.attending.PATIENCE_NS", 600 * S)
    ((at_ns, mail),) = live(path, "2026-12-07T08:06", "2026-12-07T08:45", Away())
    assert at("2026-12-07T08:40") <= at_ns < at("2026-12-07T08:43")
    assert "không đọc được số liệu đo" in mail.payload["text"]
    assert "sự cố 1: cut" in mail.payload["text"]


def test_a_daemon_that_was_not_there_says_nothing_of_it(path: Path) -> None:
    assert live(path, "2026-12-07T08:31", "2026-12-07T08:40", InMemoryStore(10_000)) == []


PINGED = {"packets_transmitted": 120.0, "percent_packet_loss": 0.0, "average_response_ms": 10.0}
SITTING = Sitting(Meeting(id="m", start="2026-12-07T08:00", rooms=("good",)), 0, 10 * MINUTE_NS)


def test_a_minute_is_as_good_as_the_worst_that_is_known_of_it() -> None:
    burst = {"mos": 3.0, "loss_percent": 2.0, "delay_ms": 40.0, "ipdv_mean_ms": 9.0}
    found = put_together(SITTING, [2 * MINUTE_NS], {0: PINGED, MINUTE_NS: PINGED}, {MINUTE_NS: burst})
    assert found[0].mos > 4
    assert found[MINUTE_NS] == Minute(3.0, 0.0, 40.0, 9.0)
    assert found[2 * MINUTE_NS] == Minute(1.0, 100.0, None, None, down=True)
    assert found.keys() == {0, MINUTE_NS, 2 * MINUTE_NS}


def test_a_few_pings_of_which_one_was_lost_are_no_bad_minute() -> None:
    few = {**PINGED, "packets_transmitted": 4.0, "percent_packet_loss": 25.0}
    assert put_together(SITTING, [], {0: few}, {}) == {}


@given(st.dictionaries(st.integers(0, 9), st.floats(1, 4.5), max_size=10), st.integers(0, 8))
def test_every_minute_below_is_counted_and_the_worst_one_named(scores: dict[int, float], incidents: int) -> None:
    minutes = {at_minute * MINUTE_NS: Minute(score, 0.0) for at_minute, score in scores.items()}
    troubles = [Trouble(number, "hub", 0, None) for number in range(incidents)]
    room = judge("good", SITTING, minutes, troubles, LOADED)
    assert room.figures["minutes_measured"] == len(scores)
    if scores:
        assert room.figures["minutes_below"] == sum(score < 3.6 for score in scores.values())
        assert room.figures["mos_lowest"] == round(min(scores.values()), 2)
    if len(scores) < 9 or incidents or any(score < 3.6 for score in scores.values()):
        assert room.verdict is not Verdict.GO
    assert len(room.reasons) <= 5 + 6
    for language in ("vi", "en"):
        assert all(in_words(room, language))


@pytest.fixture(autouse=True, scope="module")
def _loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    global LOADED  # noqa: PLW0603 Hypothesis and a fixture of each example do not go together
    path = tmp_path_factory.mktemp("loaded") / "haidang.yaml"
    path.write_text(TEXT, encoding="utf-8")
    LOADED = config.load(path)


LOADED: config.Configuration
