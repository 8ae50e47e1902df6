"""The daemon and its meetings, in simulated time: rooms are tried before, and the organiser is told once of each."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from typer.testing import CliRunner

import config
from alerting.channels.base import Message
from alerting.oncall.rota import moment
from config.schema.conferences import Meeting
from haidang.cli import app
from haidang.clock import ManualClock
from haidang.conferences import letters
from haidang.conferences.attending import due
from haidang.conferences.meetings import Sitting
from haidang.conferences.sheets import Room, Sheet
from haidang.conferences.verdict import Reason, Verdict
from haidang.conferences.words import say
from haidang.rehearsal import Postbox, rehearse
from lab.lines import Conditions
from lab.network import Network
from storage.metrics import InMemoryStore

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
S = 10**9
LINES = {
    "good": Conditions(delay_ms=10), "lossy": Conditions(loss_percent=15), "far": Conditions(delay_ms=400),
    "cut": Conditions(loss_percent=100),
}  # fmt: skip
TEXT = """haidang: 1
data_dir: ./data
probing: {icmp: {cadence: 60s, echoes: 1}}
contacts:
  - {id: chair, email: chair@example.org, language: vi}
  - {id: desk, email: desk@example.org, language: en}
alerting: {mail: {from: haidang@example.org, servers: [{host: 127.0.0.1, security: none}]}}
targets:
  - {id: good, name: {vi: Phòng Lục Ngạn, en: Luc Ngan room}, address: 10.1.0.1}
  - {id: lossy, address: 10.2.0.1}
  - {id: far, address: 10.3.0.1}
  - {id: cut, address: 10.4.0.1}
conferences:
  to: [desk]
  meetings:
    - {id: weekly, name: Giao ban, start: "2026-12-07T08:00", every: FREQ=WEEKLY, organiser: chair,
       rooms: [good, lossy, far, cut]}
"""


def at(text: str) -> int:
    return moment(datetime.fromisoformat(text), ZONE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "haidang.yaml").write_text(TEXT, encoding="utf-8")
    return tmp_path / "haidang.yaml"


def live(
    path: Path, start: str, until: str, breaks: dict[str, str] | None = None, store: InMemoryStore | None = None
) -> list[tuple[int, Message]]:
    """Let the daemon live from one time to another; gives the mails about meetings with their time.

    Parameters:
        breaks: lines to break, each at its time, in order.
        store: takes what is measured.
    """
    network = Network(seed=1)
    network.add_place("centre", "10.0.0.1")
    for number, (name, conditions) in enumerate(LINES.items(), 1):
        network.add_place(name, f"10.{number}.0.1")
        network.add_line(f"line-{name}", "centre", name, conditions)

    async def script(_: Postbox) -> None:
        for name, when in (breaks or {}).items():
            await asyncio.sleep((at(when) - clock.utc_ns()) / S)
            network.line(f"line-{name}").cut()
        await asyncio.sleep((at(until) - clock.utc_ns()) / S)

    clock = ManualClock(at(start))
    kept = store or InMemoryStore(10_000)
    mails = rehearse(path, network, clock, script, store=lambda _settings, _clock: kept).mails
    return [(at_ns, one) for at_ns, one in mails if one.message_id.startswith("<0-sheet-")]


def test_the_organiser_hears_an_hour_and_a_quarter_before_and_only_once_over_a_restart(path: Path) -> None:
    first = live(path, "2026-12-07T06:50", "2026-12-07T07:10")
    assert {(one.contact, one.language) for _, one in first} == {("chair", "vi"), ("desk", "en")}
    assert len(first) == 2
    for at_ns, mail in first:
        assert at("2026-12-07T07:01") <= at_ns < at("2026-12-07T07:01:30"), "a burst of a minute, then at once"
        assert mail.payload["subject"].endswith(say(mail.language, "summary", go=1, watch=1, no_go=2))
    texts = {mail.language: str(mail.payload["text"]) for _, mail in first}
    bad, ready = texts["en"].split("GO (1):\n")
    for words in ("NO-GO: cut (cut)\n    cannot be reached", "NO-GO: lossy (lossy)\n", "WATCH: far (far)\n"):
        assert words in bad
    assert "packets are lost" in bad
    assert "one-way delay of 200 ms" in bad
    assert ready.splitlines()[0].strip() == "Luc Ngan room"
    assert "SẴN SÀNG (1):\n    Phòng Lục Ngạn" in texts["vi"]
    assert "KHÔNG SẴN SÀNG: cut (cut)\n    không liên lạc được" in texts["vi"]

    assert live(path, "2026-12-07T07:12", "2026-12-07T07:40") == [], "told before the restart"
    last = live(path, "2026-12-07T07:41", "2026-12-07T08:30")
    assert [mail.contact for _, mail in last] == ["chair", "desk"]
    assert all(at("2026-12-07T07:46") <= at_ns < at("2026-12-07T07:46:30") for at_ns, _ in last)

    done = CliRunner().invoke(app, ["conferences", "sheet", "weekly", "--config", str(path), "--json"])
    assert done.exit_code == 0, done.stderr
    kept = json.loads(done.stdout)
    assert [(one["kind"], one["before_s"], one["start"]) for one in kept] == [
        ("readiness", 900, "2026-12-07T01:00:00Z"), ("readiness", 3600, "2026-12-07T01:00:00Z"),
    ]  # fmt: skip
    assert [(room["room"], room["verdict"]) for room in kept[0]["rooms"]] == [
        ("cut", "no-go"), ("lossy", "no-go"), ("far", "watch"), ("good", "go"),
    ]  # fmt: skip
    done = CliRunner().invoke(app, ["conferences", "sheet", "weekly", "--config", str(path), "--last", "1"])
    assert "Giao ban: 07/12/2026 08:00:00" in done.stdout
    assert "1 sẵn sàng, 1 theo dõi, 2 không sẵn sàng" in done.stdout


def test_rooms_are_watched_closer_and_taken_more_seriously_while_they_meet(path: Path) -> None:
    text = TEXT.replace("rooms: [good, lossy, far, cut]", "rooms: [good, far]").replace(
        "weekly, name", "weekly, lasting: 30m, name"
    )
    path.write_text(
        text.replace("icmp: {cadence: 60s, echoes: 1}", "icmp: {cadence: 20s, echoes: 1}"), encoding="utf-8"
    )
    store = InMemoryStore(100_000)
    live(path, "2026-12-07T07:50", "2026-12-07T08:40", {"good": "2026-12-07T08:20", "far": "2026-12-07T08:36"}, store)

    def pings(target: str, start: str, until: str) -> int:
        return sum(
            point.series.measurement == "ping"
            and ("target", target) in point.series.tags
            and at(start) <= point.time_ns < at(until)
            for point in store.points
        )

    assert pings("far", "2026-12-07T07:51", "2026-12-07T07:59") == pytest.approx(24, abs=1)
    assert pings("far", "2026-12-07T08:01", "2026-12-07T08:09") == pytest.approx(96, abs=2)
    assert pings("far", "2026-12-07T08:31", "2026-12-07T08:35") == pytest.approx(12, abs=1)
    done = CliRunner().invoke(app, ["incidents", "--all", "--config", str(path), "--json"])
    severities = {one["target"]: one["severity"] for one in json.loads(done.stdout)}
    assert severities["good"] == "major"
    assert severities["far"] == severities["cut"] == "warning"


def test_a_daemon_that_comes_back_late_tells_once_how_it_is_now(path: Path) -> None:
    found = live(path, "2026-12-07T07:50", "2026-12-07T08:10")
    assert [mail.contact for _, mail in found] == ["chair", "desk"], "the sheet of an hour before is not made up for"
    assert live(path, "2026-12-07T08:11", "2026-12-07T09:00") == [], "it has begun"


def test_what_cannot_be_shown_is_said(path: Path) -> None:
    done = CliRunner().invoke(app, ["conferences", "sheet", "weekly", "--config", str(path)])
    assert done.exit_code == 2
    assert "haidang.db" in done.stderr
    live(path, "2026-12-08T08:00", "2026-12-08T08:01")
    done = CliRunner().invoke(app, ["conferences", "sheet", "weekly", "--config", str(path)])
    assert (done.exit_code, done.stdout) == (0, "no sheet of weekly yet\n")
    done = CliRunner().invoke(app, ["conferences", "sheet", "wekly", "--config", str(path)])
    assert done.exit_code == 2
    assert "there is no meeting wekly; meetings: weekly" in done.stderr


def test_readers_who_cannot_be_told_are_errors(path: Path) -> None:
    wrong = TEXT.replace("organiser: chair", "organiser: chiar").replace(", email: desk@example.org", "")
    path.write_text(wrong, encoding="utf-8")
    told = "\n".join(map(str, config.check(path)))
    assert 'there is no contact "chiar" (did you mean "chair"?)' in told
    assert 'the contact "desk" has no email' in told


def test_a_hostile_reason_can_neither_act_in_the_mail_nor_forge_a_line(path: Path) -> None:
    loaded = config.load(path)
    why = Reason(Verdict.NO_GO, "signalling", {"probe": "SIP", "reason": "<script>alert(1)</script>\r\nGO: cut\x1b[2J"})
    rooms = (Room("cut", Verdict.NO_GO, (why,), {}),)
    start_ns = at("2026-12-07T08:00")
    sheet = Sheet("weekly", start_ns, start_ns + 3600 * S, "readiness", 900, start_ns - 840 * S, rooms)
    letter = letters.write(loaded, loaded.conferences.meetings[0], sheet, "en")
    assert "<script>" not in letter.html
    assert "&lt;script&gt;alert(1)" in letter.html
    assert "\x1b" not in letter.text
    assert not any(line.startswith("GO") for line in letter.text.splitlines())
    assert "14 min before it begins" in letter.text


def test_both_languages_have_the_same_words() -> None:
    def keys(data: object, path: str = "") -> set[str]:
        if not isinstance(data, dict):
            return {path}
        return {key for name, value in data.items() for key in keys(value, f"{path}.{name}")}

    folder = Path(letters.__file__).parent / "catalogues"
    vi, en = (keys(YAML(typ="safe").load((folder / f"{one}.yaml").read_text("utf-8"))) for one in ("vi", "en"))
    assert vi == en


@given(st.lists(st.integers(60, 86_400), max_size=4), st.integers(-90_000, 90_000))
def test_the_latest_trying_that_has_come_is_due_until_the_meeting_begins(before: list[int], now_s: int) -> None:
    sitting = Sitting(Meeting(id="m", start="2026-12-07T08:00", rooms=()), 0, 7200 * S)
    found = due(sitting, before, now_s * S)
    come = [one for one in before if -one <= now_s < 0]
    assert found == (min(come) if come else None)
