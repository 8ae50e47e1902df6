"""What devices and people write acts nowhere: looked for in the raw bytes of the mails and of the database's lines."""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from email.headerregistry import Address
from email.policy import default as modern
from pathlib import Path

import pytest

from alerting import records
from alerting.channels.mime import as_mail
from alerting.policy import Policy
from alerting.records import Owner
from alerting.world import Subject
from haidang.clock import ManualClock
from haidang.model import CheckId, State
from tests.alerting.province import HUB, SECOND, START, ZONE, Desk
from tests.support.hostile import ACTING, EVIL


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, ManualClock(START + 6 * 3600 * SECOND), policy=Policy())
    yield made
    made.database.close()


def wait(desk: Desk, seconds: int, step: int = 1) -> None:
    assert isinstance(desk.clock, ManualClock)
    for _ in range(seconds // step):
        desk.clock.advance(step)
        desk.incidents.tick()


def live_through_everything(desk: Desk, evil: str) -> None:
    """Opened, noted, owned, with evidence, reminded, acknowledged, resolved, reopened; and a storm besides."""
    words = {"vi": evil, "en": evil}
    for check in (HUB, *(CheckId(f"t{n}", "icmp") for n in range(4))):
        desk.world.subjects[check] = Subject(words, evil, words, words, words, evil, evil, evil)
    number = desk.becomes(State.DOWN, reason=evil)
    assert number is not None
    wait(desk, 3)
    desk.incidents.keep_evidence(number, "events", [evil, evil])
    desk.incidents.remark(number, evil, evil)
    desk.incidents.attribute(number, evil, Owner.CARRIER, evil)
    wait(desk, 3700, 20)
    desk.incidents.acknowledge(number, evil, None, evil)
    desk.becomes(State.UP, reason=evil)
    wait(desk, 100)
    desk.becomes(State.DOWN, reason=evil)
    wait(desk, 3)
    wait(desk, 120, 20)
    for n in range(4):
        desk.becomes(State.DOWN, CheckId(f"t{n}", "icmp"), reason=evil)
    wait(desk, 3)


@pytest.mark.parametrize("kind", EVIL)
def test_nothing_but_escaped_text_comes_out(desk: Desk, kind: str) -> None:
    live_through_everything(desk, EVIL[kind])
    names = "id, incident, step, contact, channel, address, language, message_id, payload, created_ns, attempts"
    rows = desk.sql.execute(f"SELECT {names} FROM notification ORDER BY id").fetchall()
    steps = {row[2] for row in rows}
    assert {"opened", "still", "resolved", "reopened"} <= steps
    while messages := desk.outbox.due(100):
        for message in desk.outbox.claim(messages):
            raw, _ = as_mail(message, Address("", "haidang", "example.vn"), "Hải Đăng", ZONE)
            assert raw.isascii()
            assert len(raw) < 60_000
            head = raw.partition(b"\r\n\r\n")[0]
            assert not re.search(rb"(?m)^Bcc", head)
            mail = email.message_from_bytes(raw, policy=modern)
            assert "Bcc" not in mail
            assert not ACTING.search(mail["Subject"])
            for part in ("plain", "html"):
                body = mail.get_body((part,))
                assert body is not None
                text = str(body.get_content())
                assert not ACTING.search(text), part
                assert not re.search("\u0301{5}", text)
                if part == "html":
                    assert "<script>alert" not in text
                    assert "<img" not in text
            desk.outbox.sent(message)
    everything = "SELECT text FROM incident_event UNION SELECT data FROM incident_evidence"
    lines = [row[0] for row in desk.sql.execute(everything)]
    assert len(lines) > 5
    for line in lines:
        assert not ACTING.search(line)
        assert "\n" not in line
        assert len(line) <= 1000
    [lead, *_] = [one for one in records.incidents(desk.sql, resolved=True) if one.check == HUB]
    assert not ACTING.search(lead.acknowledged_by + lead.owner_by + lead.reason)
