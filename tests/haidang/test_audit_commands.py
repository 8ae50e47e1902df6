"""``haidang audit`` as a person types it, on a log that somebody has been at."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from haidang.cli import app
from storage.audit import Audit
from storage.database import Database


def ask(folder: Path, *words: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["audit", *words, "--config", str(folder / "haidang.yaml")])
    return found.exit_code, found.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "haidang.yaml").write_text("haidang: 1\ndata_dir: .\n", encoding="utf-8")
    database = Database(tmp_path / "haidang.db", "haidang")
    for number in range(1, 6):
        Audit(database).add(number * 10**9, "silence.add", "an", {"name": f"trạm-{number}"})
    database.close()
    return tmp_path


def tamper(folder: Path, *statement: object) -> None:
    sql = sqlite3.connect(folder / "haidang.db")
    sql.execute(str(statement[0]), statement[1:])
    sql.commit()
    sql.close()


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ('UPDATE audit SET data = \'{"name":"other"}\' WHERE id = 2', "entry 2 is not what was written"),
        ("UPDATE audit SET author = 'binh' WHERE id = 5", "entry 5 is not what was written"),
        ("UPDATE audit SET data = CAST(x'ff1b5b' AS TEXT) WHERE id = 3", "entry 3 is not what was written"),
        ("DELETE FROM audit WHERE id = 1", "entry 1 is missing: 2 follows 0"),
        ("DELETE FROM audit WHERE id = 4", "entry 4 is missing: 5 follows 3"),
    ],
)
def test_what_was_changed_is_named_and_the_rest_can_still_be_read(folder: Path, statement: str, says: str) -> None:
    assert ask(folder, "verify")[0] == 0
    tamper(folder, statement)
    status, text = ask(folder, "verify")
    assert (status, says in text) == (1, True)
    assert says in json.loads(ask(folder, "verify", "--json")[1])["fault"]
    status, text = ask(folder, "list")
    assert (status, "\x1b" in text) == (0, False)
    status, text = ask(folder, "list", "--json")
    assert (status, len(json.loads(text))) == (0, 4 if "DELETE" in statement else 5)
    assert "\x1b" not in text
    if "ff1b5b" in statement:
        assert json.loads(text)[2]["data"] == "\udcff\x1b["


def test_a_log_that_was_cut_is_found_by_the_head_that_was_noted(folder: Path) -> None:
    noted = ask(folder, "verify")[1].split()[-1]
    tamper(folder, "DELETE FROM audit WHERE id = ?", 5)
    assert ask(folder, "verify")[0] == 0
    status, text = ask(folder, "verify", "--head", noted[:8])
    assert (status, f"no entry has the noted hash {noted[:8]}" in text) == (1, True)


def test_an_entry_cut_off_the_end_is_found_by_what_the_daemon_noted_beside_it(folder: Path) -> None:
    database = Database(folder / "haidang.db", "haidang")
    Audit(database).note_head()
    database.close()
    assert ask(folder, "verify")[0] == 0
    tamper(folder, "DELETE FROM audit WHERE id = 5")
    status, text = ask(folder, "verify")
    assert (status, "the last entries are missing: 4 of 5" in text) == (1, True)
    database = Database(folder / "haidang.db", "haidang")
    audit = Audit(database)
    for number in range(6, 9):
        audit.add(number * 10**9, "configuration.start", "haidang", {})
        audit.note_head()
    database.close()
    status, text = ask(folder, "verify")
    assert (status, "entry 5 is not the one that was noted" in text) == (1, True), "a daemon that goes on hides nothing"


def test_the_note_follows_the_log_and_what_is_no_note_is_passed_over(folder: Path) -> None:
    database = Database(folder / "haidang.db", "haidang")
    audit = Audit(database)
    audit.note_head()
    audit.add(6 * 10**9, "silence.add", "an", {})
    assert ask(folder, "verify")[0] == 0, "killed before it was noted"
    audit.note_head()
    assert (folder / "audit.head").read_text().startswith("6 ")
    (folder / "audit.head").write_text("rubbish")
    assert ask(folder, "verify")[0] == 0
    database.close()
