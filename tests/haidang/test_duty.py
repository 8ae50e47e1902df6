"""Routes, rotas, stand-ins and silences as the daemon has them, from configuration to outbox and audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerting.links import key_of, verify
from config import load
from config.schema.routing import Heartbeat as HeartbeatSettings
from haidang import handling
from haidang.alarm import Alarm
from haidang.clock import ManualClock
from haidang.control import ControlServer
from haidang.heartbeat import Heartbeat
from haidang.model import CheckId, State, Transition
from haidang.world import ConfiguredWorld
from storage import audit
from storage.database import Database
from storage.ledger import Ledger, LedgerReader
from tests.support.http_sink import http_sink

S = 10**9
CONFIG = """\
haidang: 1
contacts:
  - {id: an, email: an@example.org, ways: [{channel: sms, address: "+849"}, {channel: mail}]}
  - {id: binh, email: binh@example.org, language: en}
  - {id: chief, email: chief@example.org}
rotas: [{id: duty, layers: [{people: [an, binh], from: "2023-01-09 08:00", turn: 7d}]}]
systems: [{id: wan}, {id: other}]
sites: [{id: province}, {id: north, parent: province}]
targets:
  - {id: hub, address: 10.0.0.1, site: north, system: wan}
  - {id: lone, address: 10.0.0.2, system: other}
alerting:
  incidents: {hold: 0}
  url: https://haidang.example.org/
  mail: {from: h@example.org, servers: [{host: 127.0.0.1, security: none}]}
  commands: [{id: sms, argv: [/bin/true]}]
  routes:
    - {id: wan, systems: [wan], sites: [province], steps: [{to: [duty]}, {to: [chief], after: 15m}]}
    - {id: rest, steps: [{to: [chief]}], digest: "07:30"}
"""


class House:
    """Alerting as the daemon builds it, without its loops."""

    def __init__(self, folder: Path, text: str = CONFIG) -> None:
        (folder / "haidang.yaml").write_text(text, encoding="utf-8")
        self.configuration = load(folder / "haidang.yaml")
        self.clock = ManualClock(1_700_000_000 * S)  # Wednesday, 15 November 2023 05:13 in Vietnam: an's week
        self.database = Database(folder / "haidang.db", "haidang")
        Ledger(self.database).begin(self.clock.utc_ns(), "1")
        world = ConfiguredWorld(self.configuration, LedgerReader(self.database.connection))
        self.alarm = Alarm(self.configuration, self.database, self.clock, world, lambda _: {})
        self.server = ControlServer(folder, self.alarm.verbs(handling.verbs(self.alarm.incidents), lambda: None))

    def becomes(self, state: State, target: str) -> None:
        now = self.clock.utc_ns()
        self.alarm.incidents.on_transition(
            Transition(CheckId(target, "icmp"), state, None, now - 40 * S, now, "silent")
        )
        self.passes(0)

    def passes(self, seconds: int) -> None:
        for _ in range(max(1, seconds // 30)):
            self.clock.advance(30 if seconds else 0)
            self.alarm.incidents.tick()
            self.alarm.tick()

    def ask(self, do: str, **words: object) -> dict[str, object]:
        return self.server.answer(json.dumps({"do": do, **words}).encode())

    def told(self) -> list[tuple[str, str, str]]:
        sql = self.database.connection
        return sql.execute("SELECT contact, channel, step FROM notification ORDER BY id").fetchall()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.database.close()


def test_an_incident_goes_to_whoever_is_on_duty_by_their_best_way_and_then_to_the_chief(house: House) -> None:
    house.becomes(State.DOWN, "hub")
    assert house.told() == [("an", "sms", "opened")]
    house.passes(900)
    assert house.told()[1:] == [("chief", "mail", "escalated")]


def test_a_stand_in_is_on_duty_from_then_on_until_called_off(house: House) -> None:
    now = house.clock.utc_ns()
    asked = {
        "rota": "duty",
        "person": "binh",
        "start_ns": now,
        "end_ns": now + 7200 * S,
        "reason": "ill",
        "author": "a",
    }
    assert house.ask("oncall.override", **asked) == {"ok": True, "number": 1}
    house.becomes(State.DOWN, "hub")
    assert house.told() == [("binh", "mail", "opened")]
    assert house.ask("oncall.cancel", number=1, reason="well", author="a")["ok"] is True
    house.becomes(State.UP, "hub")
    house.passes(700)
    house.becomes(State.DOWN, "hub")
    assert house.told()[-1] == ("an", "sms", "opened")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rota": "nights"}, "there is no rota nights; there are: duty"),
        ({"person": "dung"}, "there is no contact dung"),
        ({"end_ns": 1_700_000_000 * S}, "in the future"), ({"reason": ""}, "reason is needed"),
        ({"end_ns": "soon"}, "end_ns is needed"),
    ],
)  # fmt: skip
def test_a_stand_in_that_cannot_be_is_refused_in_words_and_not_kept(
    house: House, change: dict[str, object], words: str
) -> None:
    now = house.clock.utc_ns()
    asked = {"rota": "duty", "person": "binh", "start_ns": now, "end_ns": now + S, "reason": "ill", "author": "a"}
    answer = house.ask("oncall.override", **{**asked, **change})
    assert answer["ok"] is False
    assert words in str(answer["error"])
    assert list(audit.entries(house.database.connection)) == []


def test_a_silence_keeps_quiet_until_it_is_called_off(house: House) -> None:
    end_ns = house.clock.utc_ns() + 7200 * S
    answer = house.ask("silence.add", kind="site", name="north", end_ns=end_ns, reason="works", author="an")
    assert answer == {"ok": True, "number": 1}
    house.becomes(State.DOWN, "hub")
    house.passes(1200)
    assert house.told() == []
    assert house.ask("silence.cancel", number=1, reason="done", author="an")["ok"] is True
    house.passes(90)
    assert house.told() == [("an", "sms", "opened")]


def test_a_silence_on_a_system_or_on_a_site_above_keeps_its_budgets_quiet_too(house: House) -> None:
    def finds(what: str) -> None:
        now = house.clock.utc_ns()
        check = CheckId(what, "rule:clock")
        house.alarm.incidents.on_transition(Transition(check, State.DOWN, State.UP, now, now, "nearly lost"))
        house.passes(120)

    until = house.clock.utc_ns() + 3600 * S
    for kind, name in (("system", "wan"), ("site", "province")):
        house.ask("silence.add", kind=kind, name=name, end_ns=until, reason="known", author="an")
    finds("system:wan")
    finds("site:north")
    assert house.told() == []
    finds("system:other")
    house.passes(24 * 3600)
    assert ("chief", "mail", "digest") in house.told(), "what is not silent, and what lasts after the silence"


def test_what_has_no_other_route_comes_in_the_morning(house: House) -> None:
    house.becomes(State.DOWN, "lone")
    assert house.told() == []
    house.passes(3 * 3600)
    assert house.told() == [("chief", "mail", "digest")]


def test_the_link_in_a_message_acknowledges_for_that_contact(house: House, tmp_path: Path) -> None:
    house.becomes(State.DOWN, "hub")
    (text,) = house.database.connection.execute("SELECT payload FROM notification").fetchone()
    link = json.loads(text)["link"]
    assert link.startswith("https://haidang.example.org/ack/")
    assert link in json.loads(text)["text"]
    assert link in json.loads(text)["html"]
    found = verify(key_of(tmp_path), link.rpartition("/")[2], house.clock.utc_ns() / S)
    assert (found.kind, found.number, found.contact) == ("incident", 1, "an")


def test_what_people_change_is_kept_with_who_and_the_chain_holds(house: House) -> None:
    house.alarm.started()
    house.becomes(State.DOWN, "hub")
    assert house.ask("incident.ack", number=1, who="binh", note="on my way")["ok"] is True
    assert house.ask("notify.test", channel="mail", contact="chief", author="an")["ok"] is True
    assert house.ask("notify.test", channel="sms", contact="chief", author="an")["ok"] is False
    house.alarm.use(house.configuration)
    found = [(one.kind, one.author) for one in audit.entries(house.database.connection)]
    assert found == [
        ("configuration.start", "haidang"), ("incident.ack", "binh"), ("notify.test", "an"),
        ("configuration.reload", "haidang"),
    ]  # fmt: skip
    assert audit.verify(house.database.connection).fault == ""
    house.passes(1800)
    assert ("chief", "mail", "escalated") not in house.told()


async def test_the_heartbeat_is_sent_while_all_is_well_and_not_otherwise() -> None:
    trouble = ""
    heart = Heartbeat(lambda: trouble)
    async with http_sink() as sink:
        settings = HeartbeatSettings.model_validate({"url": sink.url, "method": "POST"})
        assert await heart.beat(settings)
        sink.answer = lambda _number: "500 Oops"
        assert not await heart.beat(settings)
        trouble = "the ledger cannot be written"
        assert not await heart.beat(settings)
    assert [one.line.split()[0] for one in sink.requests] == ["POST", "POST"]
    trouble = ""
    assert not await heart.beat(settings)
