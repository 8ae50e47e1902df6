"""What the receiver does with a packet: who may speak, how much, what is handed on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.receiver.buckets import Bucket
from collectors.receiver.catalogue import LOOKED_AT, Catalogue
from collectors.receiver.event import LONGEST_TEXT, Event, EventRefused, decode, encode, printable
from collectors.receiver.intake import LARGEST_PACKET, Intake
from collectors.receiver.settings import ReceiverSettings
from config import load
from haidang.clock import ManualClock
from haidang.receiving import receiver_settings
from haidang.settings import known_events
from probes.snmp import User, ber, message, oid
from probes.snmp.ber import VarBind
from probes.snmp.notifications import INFORM, TRAP_V2

CATALOGUE = Catalogue.ours()
KNOWN = """\
haidang: 1
receivers:
  traps: {}
  known:
    - {oid: 1.3.6.1.4.1.99999.0.7, name: hotAisle, severity: critical, means: {vi: hành lang nóng quá nhiệt}}
    - {oid: 1.3.6.1.6.3.1.1.5.3, name: linkGone, severity: info, poll: false, means: a port is gone}
    - {says: ["BOARD … pulled out"], name: boardPulled, means: a board was pulled out}
"""
TRAP_OID = oid.encode("1.3.6.1.6.3.1.1.4.1.0")


class Door:
    """An intake, and what it handed on."""

    def __init__(self, **settings: object) -> None:
        self.clock = ManualClock()
        self.handed: list[Event] = []
        self.open = True
        self.intake = Intake(ReceiverSettings(), CATALOGUE, self.clock, self._hand)
        self.intake.use(ReceiverSettings(**settings), ["192.0.2.1", "192.0.2.2"])  # type: ignore[arg-type]

    def _hand(self, data: bytes) -> bool:
        if self.open:
            self.handed.append(decode(data))
        return self.open


def trap(name: str = "1.3.6.1.6.3.1.1.5.3", *varbinds: VarBind, tag: int = TRAP_V2) -> bytes:
    pdu = message.encode_pdu(tag, 5, 0, 0, [(TRAP_OID, ber.OBJECT_ID, oid.encode(name)), *varbinds])
    return message.community_message(message.V2C, b"public", pdu)


def test_a_trap_is_told_by_name_with_its_variables_and_can_prove_nothing() -> None:
    door = Door()
    name = (oid.encode("1.3.6.1.2.1.2.2.1.2.7"), ber.OCTET_STRING, "Cổng 7".encode())
    mac = (oid.encode("1.3.6.1.2.1.2.2.1.6.7"), ber.OCTET_STRING, b"\x00\x1b\xff\x80")
    alarm = (oid.encode("1.3.6.1.2.1.33.1.6.2.1.2.1"), ber.OBJECT_ID, oid.encode("1.3.6.1.2.1.33.1.6.3.2"))
    assert door.intake.trap(trap("1.3.6.1.6.3.1.1.5.3", name, mac, alarm), "192.0.2.1") == b""
    text = "ifDescr.7=Cổng 7, 1.3.6.1.2.1.2.2.1.6.7=00 1b ff 80, upsAlarmDescr.1=upsAlarmOnBattery"
    assert door.handed == [Event(door.clock.utc_ns(), "192.0.2.1", "trap", "linkDown", "warning", text)]


def test_strangers_are_counted_and_not_read() -> None:
    door = Door()
    door.intake.trap(trap(), "198.51.100.9")
    door.intake.log(b"<3>x", "198.51.100.9")
    assert (door.handed, door.intake.counters.strangers) == ([], 2)


def test_one_source_that_sends_too_much_takes_nothing_from_another() -> None:
    door = Door(most_per_source=10.0)
    for _ in range(200):
        door.intake.trap(trap(), "192.0.2.1")
    assert len(door.handed) == 50  # five seconds' worth at once
    door.intake.trap(trap(), "192.0.2.2")
    assert door.handed[-1].source == "192.0.2.2"
    door.clock.advance(1)
    for _ in range(200):
        door.intake.trap(trap(), "192.0.2.1")
    assert len(door.handed) == 61
    assert door.intake.counters.limited == 401 - 61


def test_all_together_are_limited_too() -> None:
    door = Door(most_per_source=100.0, most_in_all=10.0)
    for source in ("192.0.2.1", "192.0.2.2"):
        for _ in range(40):
            door.intake.trap(trap(), source)
    assert len(door.handed) == 50


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 30)), max_size=30))
def test_a_bucket_lets_through_its_rate_and_a_burst(steps: list[tuple[float, int]]) -> None:
    now, let = 0.0, 0
    bucket = Bucket(4.0, now)
    for pause, tries in steps:
        now += pause
        let += sum(bucket.take(now) for _ in range(tries))
        assert let <= 20 + 4 * now + 1e-6


def test_more_than_8_kib_is_not_read() -> None:
    door = Door()
    door.intake.log(b"<3>" + b"x" * LARGEST_PACKET, "192.0.2.1")
    assert (door.handed, door.intake.counters.malformed) == ([], 1)


def test_an_inform_that_the_daemon_cannot_take_gets_no_receipt() -> None:
    door = Door()
    door.open = False
    assert door.intake.trap(trap(tag=INFORM), "192.0.2.1") == b""
    door.open = True
    assert door.intake.trap(trap(tag=INFORM), "192.0.2.1") != b""
    assert (door.intake.counters.lost, door.intake.counters.handed, door.handed[0].kind) == (1, 1, "inform")


def test_what_a_device_writes_cannot_forge_a_line_or_colour_a_terminal() -> None:
    door = Door()
    evil = "\x1b[31mred\r\nlinkUp forged\u202e\u2028" + "x" * 2_000
    door.intake.trap(trap("1.3.6.1.4.1.99", (b"\x2b\x06", ber.OCTET_STRING, evil.encode())), "192.0.2.1")
    door.intake.log(b"<3>" + evil.encode(), "192.0.2.1")
    assert len(door.handed) == 2
    for event in door.handed:
        assert event.text.isprintable()
        assert len(event.text) <= LONGEST_TEXT


@pytest.mark.parametrize(
    ("severity", "line", "name", "poll"),
    [
        ("warning", b"<187>%LINK-3-UPDOWN: Interface Gi0/1, changed state to down", "linkDown", True),
        ("info", b"<189>123: *Mar  1 00:00:00.123: %SYS-5-CONFIG_I: Configured", "configurationChanged", False),
        ("warning", b"<12>Nov 24 01:02:03 sw1 kernel: something odd", "kernel", False),
        ("critical", b"<14>Nov 24 01:02:03 olt1 gpon: ONU 3/7 dying-gasp received", "dyingGasp", True),
    ],
)  # fmt: skip
def test_log_messages_are_named_by_the_catalogue(severity: str, line: bytes, name: str, poll: bool) -> None:
    door = Door()
    door.intake.log(line, "192.0.2.1")
    (event,) = door.handed
    assert (event.kind, event.severity, event.name, event.poll) == ("syslog", severity, name, poll)


def test_log_messages_that_are_not_severe_enough_are_counted_unless_the_catalogue_knows_them() -> None:
    door = Door(syslog_severity=3)
    door.intake.log(b"<12>su: somebody looked", "192.0.2.1")
    door.intake.log(b"<14>ifmgr: link is up on port 3", "192.0.2.1")
    assert [event.name for event in door.handed] == ["linkUp"]
    assert door.intake.counters.filtered == 1


def test_settings_survive_the_way_through_the_pipe() -> None:
    settings = ReceiverSettings(
        (User("u", "SHA-256", "authpass123", "DES", "privpass123"),), b"\x80\x00\x01", 7, 5, 9, 3
    )
    line = settings.line(["192.0.2.1"])
    assert line.count(b"\n") == 1
    assert ReceiverSettings.read(line) == (settings, ["192.0.2.1"])


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_the_daemon_believes_nothing_that_is_no_event(data: bytes) -> None:
    with pytest.raises(EventRefused):
        decode(data)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "mail"}, {"severity": "fatal"}, {"at_ns": True}, {"at_ns": -1}, {"text": "a\nb"}, {"text": "x" * 501},
        {"proven": 1}, {"source": None}, {"more": 1},
    ],
)  # fmt: skip
def test_an_event_with_one_thing_wrong_is_refused(change: dict[str, object]) -> None:
    good = Event(5, "192.0.2.1", "trap", "linkDown", "warning", "x")
    assert decode(encode(good)) == good
    with pytest.raises(EventRefused):
        decode(json.dumps({**json.loads(encode(good)), **change}).encode())


@given(st.text(max_size=100))
def test_printable_text_is_printable_and_short(text: str) -> None:
    clean = printable(text, 20)
    assert clean.isprintable()
    assert len(clean) <= 20


def test_the_catalogue_speaks_both_languages() -> None:
    assert len(CATALOGUE._words) > 40
    for words in CATALOGUE._words.values():
        assert words["vi"]
        assert words["en"]
        assert words["vi"] != words["en"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("%LINEPROTO-5-UPDOWN: Line protocol on Interface Gi0/1, changed state to DOWN", "linkDown"),
        ("to down before %LINK-3-UPDOWN", ""),
        ("%BGP-5-ADJCHANGE: neighbor 10.0.0.1 Up", "bgpEstablished"),
        ("x" * LOOKED_AT + "dying gasp", ""),
    ],
)
def test_words_must_follow_each_other_and_stand_in_front(text: str, name: str) -> None:
    found = CATALOGUE.message(text)
    assert (found.name if found else "") == name


def test_an_operators_own_meanings_go_before_the_catalogues_and_are_words_of_the_event(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(KNOWN, encoding="utf-8")
    door = Door(known=ReceiverSettings.read(receiver_settings(load(path)).line([]))[0].known)
    door.intake.trap(trap("1.3.6.1.4.1.99999.0.7"), "192.0.2.1")
    door.intake.trap(trap("1.3.6.1.6.3.1.1.5.3"), "192.0.2.1")
    door.intake.log(b"<14>Nov 24 10:00:00 core BOARD 3 was Pulled out", "192.0.2.1")
    door.intake.log(b"<14>Nov 24 10:00:00 core pulled out board", "192.0.2.1")
    assert [(one.name, one.severity, one.poll) for one in door.handed] == [
        ("hotAisle", "critical", True), ("linkGone", "info", False), ("boardPulled", "warning", True),
    ]  # fmt: skip
    known = CATALOGUE.also(known_events(load(path)))
    assert known.words("hotAisle", "vi") == "hành lang nóng quá nhiệt"
    assert known.words("boardPulled", "en") == known.words("boardPulled", "vi") == "a board was pulled out"
    assert known.words("coldStart", "en") == CATALOGUE.words("coldStart", "en")
