"""The monthly report as a person asks for it, as the daemon makes it, and as it comes by mail."""

from __future__ import annotations

import asyncio
import email
import json
from contextlib import closing
from datetime import datetime
from email.headerregistry import Address
from email.policy import default as modern
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from alerting.channels.mime import as_mail
from alerting.outbox import Outbox
from config import load
from haidang import reporting
from haidang.almanac import Almanac
from haidang.cli import app
from haidang.clock import ManualClock
from haidang.model import CheckId, State
from reports.archive import Archive
from storage.accounts import Accounts, CorrectionRow
from storage.database import Database
from storage.metrics import InMemoryStore
from tests.reports.ledgers import HANOI, TEXT, S, at, october

READERS = """\
contacts:
  - {id: boss, email: boss@example.org, language: vi}
  - {id: partner, email: partner@example.org, language: en}
alerting: {mail: {from: haidang@example.org, servers: [{host: 127.0.0.1, security: none}]}}
"""


def haidang(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def said(done: Result, status: int = 0) -> Any:
    assert done.exit_code == status, f"{done.exit_code}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """October 2026, in which line A was down for an hour, and two readers."""
    text = TEXT.replace("reports:\n", READERS + "reports:\n  to: [boss, partner]\n")
    october(tmp_path, [("a", at("2026-10-05T10:00"), at("2026-10-05T11:00"))], text=text)
    return tmp_path / "haidang.yaml"


def correct(config: Path) -> None:
    with closing(Database(config.parent / "data" / "haidang.db", "haidang")) as database:
        Accounts(database).correct(
            CorrectionRow(CheckId("b", "icmp"), at("2026-10-07") * S, at("2026-10-07T00:10") * S, State.DOWN, "seen",
                          "An", at("2026-11-03") * S)
        )  # fmt: skip


def test_a_report_is_written_and_can_be_verified(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = said(
        haidang("report", "--month", "2026-10", "--format", "json", "--format", "csv", "--language", "en",
                "--out", str(out), "--config", str(config), "--json")
    )  # fmt: skip
    assert sorted(one.name for one in out.iterdir()) == [
        "report-2026-10-en.csv.zip", "report-2026-10.json", "report-2026-10.sha256",
    ]  # fmt: skip
    assert "WAN missed its objective" in found["story"][0]
    for name in ("report-2026-10-en.csv.zip", "report-2026-10.json"):
        assert said(haidang("report", "verify", str(out / name), "--config", str(config), "--json"))["genuine"]
    with (out / "report-2026-10-en.csv.zip").open("ab") as file:
        file.write(b"x")
    done = haidang("report", "verify", str(out / "report-2026-10-en.csv.zip"), "--config", str(config))
    assert done.exit_code == 1
    assert "ANOTHER FILE" in done.stdout
    text = (out / "report-2026-10.json").read_text(encoding="utf-8")
    (out / "report-2026-10.json").write_text(text.replace("Kênh A", "Kênh X"), encoding="utf-8")
    done = haidang("report", "verify", str(out / "report-2026-10.json"), "--config", str(config))
    assert done.exit_code == 1
    assert "SEAL IS BROKEN" in done.stdout


def test_a_kept_report_stays_until_somebody_approves_a_revision(config: Path, tmp_path: Path) -> None:
    def report(*words: str) -> Result:
        return haidang("report", "--month", "2026-10", "--format", "json", "--config", str(config), *words)

    assert said(report("--keep", "--json"))["revision"] == 1
    correct(config)
    done = report("--out", str(tmp_path / "out"))
    assert done.exit_code == 1, "the ledger says another thing now"
    assert "promised[wan].numbers.down_s: 3600.0 -> 4200.0" in done.stderr
    assert "--approve NAME --reason WHY" in done.stderr
    assert json.loads((tmp_path / "out" / "report-2026-10.json").read_text(encoding="utf-8"))["revision"] == 1
    done = haidang("report", "verify", str(tmp_path / "out" / "report-2026-10.json"), "--config", str(config))
    assert "inputs: others than then" in done.stdout
    assert "promised[wan].numbers.down_s: 3600.0 -> 4200.0" in done.stdout
    found = said(report("--approve", "Trần Văn Bình", "--reason", "Nhà mạng xác nhận", "--json"))
    assert found["revision"] == 2
    second = Archive(config.parent / "data").latest("2026-10")
    assert second is not None
    assert second.approved is not None
    assert second.approved.author == "Trần Văn Bình"
    assert any(one.where == "circuits[line-b].measured.down_s" and one.after == "600.0" for one in second.changes)
    listed = said(haidang("report", "list", "--config", str(config), "--json"))
    assert [(row["month"], row["revision"]) for row in listed] == [("2026-10", "revision-1"), ("2026-10", "revision-2")]
    done = report("--approve", "An", "--reason", "again")
    assert done.exit_code == 2
    assert "nothing to approve" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--month", "2026-13"), "is not a month"),
        (("--month", "2999-01"), "has not begun"),
        (("--format", "docx"), "there are pdf, html, xlsx, csv, json"),
        (("--language", "fr"), "there are vi and en"),
        (("--month", "2026-10", "--carrier", "FPT"), "no carrier FPT: there are VNPT, Viettel"),
        (("--site", "north", "--system", "wan"), "name one of"),
        (("--approve", "An"), "belong together"),
        (("--month", "2026-10", "--site", "north", "--keep"), "only the whole report is kept"),
    ],
)
def test_what_cannot_be_is_said_with_what_can(config: Path, words: tuple[str, ...], message: str) -> None:
    done = haidang("report", *words, "--config", str(config))
    assert done.exit_code == 2
    assert message in done.stderr


def test_last_months_report_is_due_until_it_is_kept(config: Path) -> None:
    configuration = load(config)
    with closing(Database(config.parent / "data" / "haidang.db", "haidang")) as database:
        assert reporting.is_due(configuration, database.connection, at("2026-11-01T06:00") * S) == "2026-10"
        assert reporting.is_due(configuration, database.connection, at("2026-09-01T06:00") * S) is None, (
            "nothing watched"
        )
        said(haidang("report", "--month", "2026-10", "--keep", "--format", "json", "--config", str(config), "--json"))
        assert reporting.is_due(configuration, database.connection, at("2026-11-20T06:00") * S) is None
    assert reporting.month_before(at("2027-01-01T06:00") * S, HANOI) == "2026-12"


def test_the_report_goes_to_each_reader_in_his_language_with_its_files(config: Path) -> None:
    failed = asyncio.run(reporting.have_made(config, "2026-10"))
    assert failed is None, "made by a process of its own"
    configuration = load(config)
    with closing(Database(config.parent / "data" / "haidang.db", "haidang")) as database:
        outbox = Outbox(database, ManualClock(at("2026-11-01T06:00") * S), "example.org")
        assert reporting.mail(configuration, outbox, "2026-10", at("2026-11-01T06:00") * S) == 2
        letters = outbox.claim(outbox.due(10))
    assert [letter.address for letter in letters] == ["boss@example.org", "partner@example.org"]
    first, second = (as_mail(letter, Address("", "haidang", "example.org"), "Hải Đăng", HANOI)[0] for letter in letters)
    assert first == as_mail(letters[0], Address("", "haidang", "example.org"), "Hải Đăng", HANOI)[0], (
        "a resend is the same"
    )
    mail = email.message_from_bytes(first, policy=modern)
    assert mail["Subject"] == "[Hải Đăng] Báo cáo mức độ sẵn sàng tháng 10/2026"
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Mạng WAN không đạt" in body.get_content()
    files = {str(part.get_filename()): part.get_content() for part in mail.iter_attachments()}
    folder = Archive(configuration.data_dir).revisions("2026-10")[0]
    assert set(files) == {"report-2026-10-vi.pdf", "report-2026-10-vi.xlsx"}
    assert all((folder / name).read_bytes() == content for name, content in files.items())
    english = email.message_from_bytes(second, policy=modern)
    names = {part.get_filename() for part in english.iter_attachments()}
    assert names == {"report-2026-10-en.pdf", "report-2026-10-en.xlsx"}


def test_the_daemon_sends_it_on_the_first_in_the_morning_and_only_once(config: Path, tmp_path: Path) -> None:
    configuration = load(config)
    clock = ManualClock(at("2026-11-01T06:00") * S)
    told: list[bool] = []
    with closing(Database(config.parent / "data" / "haidang.db", "haidang")) as database:
        outbox = Outbox(database, clock, "example.org")
        almanac = Almanac(
            tmp_path / "none.yaml", configuration, clock, database, InMemoryStore(), outbox, lambda: told.append(True),
            lambda _: None, lambda _: None, lambda: None,
        )  # fmt: skip
        [job] = [one for one in almanac.jobs() if one.name == "the month's report"]
        midnight = datetime(2026, 11, 1, tzinfo=HANOI)
        first = job.trigger.get_next_fire_time(None, midnight)
        assert (first.isoformat(), configuration.reports.at) == ("2026-11-01T06:00:00+07:00", "06:00")
        asyncio.run(job.func())
        assert (outbox.due(10), told) == ([], []), "it could not be made, which is no end of trying"

        almanac = Almanac(
            config, configuration, clock, database, InMemoryStore(), outbox, lambda: told.append(True),
            lambda _: None, lambda _: None, lambda: None,
        )  # fmt: skip
        [job] = [one for one in almanac.jobs() if one.name == "the month's report"]
        clock.advance(86_400)
        asyncio.run(job.func())
        assert len(outbox.due(10)) == 2, "the next day at that time"
        asyncio.run(job.func())
        assert (len(outbox.due(10)), told) == (2, [True]), "what is kept is not sent again"


def test_back_months_come_of_an_import(config: Path) -> None:
    with closing(Database(config.parent / "data" / "haidang.db", "haidang")) as database, database.transaction() as sql:
        for name in "abc":  # what an import writes: intervals of a month before anything was watched
            sql.execute("UPDATE watched SET since_ns = ? WHERE target = ?", (at("2026-08-01") * S, name))
            sql.execute(
                "INSERT INTO interval (target, probe, state, start_ns, end_ns, confirmed_ns, reason) "
                "VALUES (?, 'icmp', ?, ?, ?, 0, '')",
                (name, "down" if name == "a" else "up", at("2026-08-01") * S, at("2026-08-02") * S),
            )
            sql.execute(
                "INSERT INTO interval (target, probe, state, start_ns, end_ns, confirmed_ns, reason) "
                "VALUES (?, 'icmp', 'up', ?, ?, 0, '')",
                (name, at("2026-08-02") * S, at("2026-09-01") * S),
            )
    found = said(
        haidang("report", "--month", "2026-08", "--keep", "--format", "json", "--config", str(config), "--json")
    )
    assert "WAN" in found["story"][0]
    report = Archive(config.parent / "data").latest("2026-08")
    assert report is not None
    assert report.promised[0].numbers.down_s == 86_400
    assert report.promised[0].trend[-1].month == "2026-08"


def test_a_report_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "haidang.yaml").write_text("haidang: 1\ndata_dir: ./data\n", encoding="utf-8")
    failed = asyncio.run(reporting.have_made(tmp_path / "haidang.yaml", "2026-10"))
    assert failed is not None
    assert "is not there yet" in failed


def test_a_file_that_cannot_be_written_leaves_no_half_of_it(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "report-2026-10.json").mkdir(parents=True)
    done = haidang("report", "--month", "2026-10", "--format", "json", "--out", str(out), "--config", str(config))
    assert done.exit_code == 2
    assert f"{out}/report-2026-10.json: cannot be written" in done.stderr
    assert [one.name for one in out.iterdir()] == ["report-2026-10.json"]
    (tmp_path / "file").touch()
    done = haidang("report", "--month", "2026-10", "--out", str(tmp_path / "file"), "--config", str(config))
    assert "is a file, not a folder" in done.stderr
