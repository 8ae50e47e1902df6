"""The main job, end to end: a real device behind a real link is cut off, somebody is told once, and told once again."""

from __future__ import annotations

import email
import email.policy
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.daemon import Daemon, ask, until
from tests.support.netns import Namespace, joined, namespace
from tests.support.parts import require


class Postbox:
    """A mail server that keeps what it is given, with the time of arrival."""

    def __init__(self) -> None:
        self.mails: list[tuple[float, EmailMessage]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        self.mails.append((time.time(), email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 OK"


@contextmanager
def mail_server(space: Namespace) -> Iterator[tuple[Postbox, int]]:
    """Run a mail server inside a namespace; gives its postbox and port."""
    postbox = Postbox()
    with space.entered():
        controller = Controller(postbox, hostname="127.0.0.1", port=2525)
        controller.start()
    try:
        yield postbox, 2525
    finally:
        controller.stop()


@contextmanager
def agent(space: Namespace, folder: Path, address: str) -> Iterator[None]:
    """Run net-snmp's snmpd inside a namespace."""
    program = require("snmpd", "snmpd")
    (folder / "snmpd.conf").write_text(
        f"agentaddress udp:{address}:161\nrocommunity lighthouse\nsysName branch-router\n", encoding="utf-8"
    )
    process = subprocess.Popen(
        space.command(program, "-f", "-Lf", str(folder / "snmpd.log"), "-C", "-c", str(folder / "snmpd.conf")),
        env={"SNMP_PERSISTENT_DIR": str(folder / "snmp"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def write_config(folder: Path, port: int, extra: str = "") -> Path:
    """Write a configuration that watches the branch."""
    (folder / "community").write_text("lighthouse\n", encoding="utf-8")
    (folder / "community").chmod(0o600)
    path = folder / "haidang.yaml"
    path.write_text(
        f"""\
haidang: 1
data_dir: ./data
credentials:
  - {{id: branch, version: 2c, community: {{file: community}}}}
systems:
  - {{id: wan, name: {{vi: Mạng WAN, en: WAN}}, objective: 99.9}}
sites:
  - {{id: luc-ngan, name: Lục Ngạn, level: district}}
targets:
  - id: branch-router
    name: {{vi: Bộ định tuyến Lục Ngạn, en: Luc Ngan router}}
    address: 10.123.0.2
    site: luc-ngan
    system: wan
    snmp: {{credential: branch}}
contacts:
  - {{id: oncall, name: Trực ban, email: oncall@example.org, language: vi}}
alerting:
  to: [oncall]
  mail:
    from: Hải Đăng <haidang@example.org>
    servers: [{{host: 127.0.0.1, port: {port}, security: none}}]
{extra}""",
        encoding="utf-8",
    )
    return path


FAST = """\
probing: {icmp: {cadence: 1s, echoes: 5, timeout: 500ms}, snmp: {cadence: 5s, timeout: 500ms, retries: 1, budget: 3s}}
confirmation: {failures: 5, span: 4s, fast_cadence: 1s, clear_span: 3s, clear_samples: 3}
"""


def seconds_of(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def cut_and_mend(
    folder: Path, extra: str, *, cadence: float, told_within: float, back_within: float, cut: float, near: bool = False
) -> None:
    """Cut the link for a while and hold everything the daemon did against what really happened."""
    with namespace() as here, namespace() as branch, joined(here, branch), mail_server(here) as (postbox, port):
        config = write_config(folder, port, extra)
        inside = here.command()
        with agent(branch, folder, "10.123.0.2"), Daemon(config, inside) as daemon:
            daemon.wait_for("haidang runs")
            until(
                lambda: [
                    one for one in daemon.events("state changed") if one["check"] == "branch-router/snmp"
                ], 30, "SNMP is up",
            )  # fmt: skip
            until(lambda: len(daemon.events("state changed")) == 2, 30, "both checks are up")
            end = here if near else branch
            cut_at = end.switch("wire", up=False)
            until(lambda: postbox.mails, told_within, "a mail tells of the outage")
            told_after = postbox.mails[0][0] - cut_at
            assert told_after <= told_within
            until(lambda: time.time() - cut_at > cut, cut + 5, "the outage lasts")
            mended_at = end.switch("wire", up=True)
            until(lambda: len(postbox.mails) > 1, back_within, "a mail tells of the recovery")
            until(
                lambda: [one for one in ask(config, "status", prefix=inside)["targets"] if one["state"] == "up"],
                2 * back_within, "everything is up again",
            )  # fmt: skip
            assert len(postbox.mails) == 2, [mail["Subject"] for _, mail in postbox.mails]
            check_mails(postbox.mails[0][1], postbox.mails[1][1])
            check_records(config, cut_at, mended_at, cadence)
            assert daemon.end() == 0


def check_mails(failure: EmailMessage, recovery: EmailMessage) -> None:
    """Both mails belong together, are in the reader's language and say what is needed."""
    assert failure["To"] == "oncall@example.org"
    assert recovery["References"] == failure["Message-ID"]
    assert failure["Message-ID"] != recovery["Message-ID"]
    assert "Bộ định tuyến Lục Ngạn" in failure["Subject"]
    text = failure.get_body(("plain",))
    html = failure.get_body(("html",))
    assert text is not None
    assert html is not None
    for part in (text.get_content(), html.get_content()):
        for needed in ("Bộ định tuyến Lục Ngạn", "10.123.0.2", "Lục Ngạn", "Mạng WAN"):
            assert needed in part


def check_records(config: Path, cut_at: float, mended_at: float, cadence: float) -> None:
    """Ledger, incident and the month's figures tell the true outage to within one cadence."""
    (incident,) = ask(config, "incidents", "--all")
    assert incident["open"] is False
    assert abs(seconds_of(incident["since"]) - cut_at) <= cadence + 1
    assert abs(incident["duration_s"] - (mended_at - cut_at)) <= cadence
    # In a short outage the agent, asked every ten seconds at most, may not have failed often enough to count.
    assert incident["hidden"] in ([], ["branch-router/snmp"])
    assert [message["state"] for message in incident["messages"]] == ["sent", "sent"]
    month: Any = ask(config, "availability")
    (row,) = month["targets"]
    assert abs(row["down_s"] - (mended_at - cut_at)) <= cadence
    assert row["outages"] == 1
    assert row["availability_percent"] == pytest.approx(100 * row["up_s"] / (row["up_s"] + row["down_s"]), abs=0.01)
    assert row["budget_left_s"] == pytest.approx(row["budget_s"] - row["down_s"], abs=0.01)


@pytest.mark.alone
def test_a_cut_link_is_one_mail_and_its_repair_is_one_mail(tmp_path: Path) -> None:
    cut_and_mend(tmp_path, FAST, cadence=1.0, told_within=15, back_within=20, cut=9)


@pytest.mark.alone
def test_a_link_cut_at_our_own_end_is_told_all_the_same(tmp_path: Path) -> None:
    cut_and_mend(tmp_path, FAST, cadence=1.0, told_within=15, back_within=20, cut=9, near=True)


@pytest.mark.slow
def test_at_default_settings_the_mail_comes_within_75_seconds(tmp_path: Path) -> None:
    cut_and_mend(tmp_path, "", cadence=10.0, told_within=75, back_within=75, cut=90)
