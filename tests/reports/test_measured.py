"""A kept report when what was measured then can no longer be read, or was not read by an older program."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from config import Configuration
from haidang import cli
from haidang.commands import month as commands
from reports.archive import revised
from reports.equipment import Equipment
from reports.equipment_rows import CertificateRow, LoadRow, QualityRow, ReadingRow
from reports.measured import beside
from reports.model import Report
from reports.parts import at as moment
from reports.seal import digest, read, written
from tests.haidang.test_reporting import correct
from tests.reports.ledgers import S, at, october, reported
from tests.reports.test_annexes import LONGER

NAME = {"vi": "Kênh A", "en": "Kênh A"}
WHEN = moment(at("2026-10-20") * S)


def load(highest: float = 95.0, windows: int = 744) -> LoadRow:
    return LoadRow(circuit=NAME, target="a", interface="ge0", direction="in", mbps=50, highest_percent=highest,
                   highest_at=WHEN, windows=windows, over=1, coverage_percent=99)  # fmt: skip


def reading(mean: float = 22.0, coverage: float = 100.0) -> ReadingRow:
    return ReadingRow(group="climate", kind="temperature", id="a", target=NAME, sensor="Phòng máy", unit="C", lowest=20,
                      mean=mean, highest=24, band_low=20, band_high=25, outside_percent=0, bad_percent=0,
                      coverage_percent=coverage)  # fmt: skip


MEASURED = Equipment(
    (load(),), (reading(),),
    (CertificateRow(id="c", target=NAME, probe="tls", seen=WHEN, ends=WHEN, left_s=0),),
    {name: QualityRow(loss_percent=1, rtt_ms=5, jitter_ms=1, worst_loss_percent=4) for name in "abc"},
)  # fmt: skip


def ledger(folder: Path) -> Configuration:
    return october(folder, [("a", at("2026-10-05T10:00"), at("2026-10-05T11:00"))], text=LONGER)


def test_what_can_no_longer_be_read_is_no_difference_and_stays_as_it_was_sealed(tmp_path: Path) -> None:
    configuration = ledger(tmp_path)
    before = reported(configuration, equipment=MEASURED)
    found = beside(before, reported(configuration))
    assert (found.gone, found.changed) == (6, ()), "load, reading, certificate, room, both ends of channels"
    assert digest(found.fresh.model_copy(update={"seal": before.seal})) == before.seal.figures, "nothing is lost"
    correct(tmp_path / "haidang.yaml")
    found = beside(before, reported(configuration))
    wheres = {one.where for one in found.changed}
    assert "promised[wan].numbers.down_s" in wheres, "availability is another thing"
    assert not any(where.startswith(("loads", "readings", "certificates")) or "quality" in where for where in wheres)
    second = revised(before, found.fresh, "An", "seen")
    assert (second.loads, second.readings, second.certificates) == (before.loads, before.readings, before.certificates)


@pytest.mark.parametrize(
    ("now", "gone", "wheres"),
    [
        (replace(MEASURED, readings=(reading(mean=21, coverage=60),)), 1, set()),
        (replace(MEASURED, loads=(load(highest=80, windows=200),)), 2, set()),
        (replace(MEASURED, readings=(reading(mean=23),)), 0, {"mean"}),
        (replace(MEASURED, loads=(load(highest=97),)), 0, {"highest_percent", "load_percent"}),
    ],
)
def test_what_is_read_in_part_is_no_difference_but_what_is_read_in_full_is(
    tmp_path: Path, now: Equipment, gone: int, wheres: set[str]
) -> None:
    configuration = ledger(tmp_path)
    found = beside(reported(configuration, equipment=MEASURED), reported(configuration, equipment=now))
    assert found.gone == gone
    assert {one.where.rpartition(".")[2] for one in found.changed} == wheres


def test_what_an_older_program_did_not_read_is_no_difference(tmp_path: Path) -> None:
    configuration = ledger(tmp_path)
    data = reported(configuration).model_dump(mode="json")
    for part in ("longer", "readings", "certificates", "rooms", "connections"):
        del data[part]
    older = Report.model_validate_json(json.dumps(data))
    data["seal"]["figures"] = digest(older)
    older = read(json.dumps(data).encode(), "older")
    fresh = reported(configuration, equipment=MEASURED)
    assert fresh.longer
    found = beside(older, fresh)
    assert (found.gone, found.changed) == (0, ())
    assert found.fresh == fresh, "a revision has all that is known now"


def command(*words: str) -> Result:
    return CliRunner().invoke(cli.app, ["report", *words])


def test_the_commands_say_in_one_line_that_measurements_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger(tmp_path)
    answers: Callable[..., Any] = lambda *_: MEASURED  # noqa: E731
    monkeypatch.setattr(commands, "ask_store", answers)
    asked = ("--config", str(tmp_path / "haidang.yaml"))
    october_ = ("--month", "2026-10", "--format", "json", *asked)
    assert command(*october_, "--keep").exit_code == 0
    monkeypatch.undo()  # the store is not there
    done = command(*october_, "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.stderr
    line = "6 rows of measurements cannot be read (in full) any more: as sealed in revision 1, no difference"
    assert line in done.stderr.split("\n")
    made = tmp_path / "out" / "report-2026-10.json"
    assert read(made.read_bytes(), "made").loads == MEASURED.loads
    done = command("verify", str(made), *asked)
    assert done.exit_code == 0
    assert line in done.stdout.split("\n")
    assert "the ledger still gives every figure in it" in done.stdout
    correct(tmp_path / "haidang.yaml")
    done = command(*october_, "--out", str(tmp_path / "out"))
    assert done.exit_code == 1
    assert line in done.stderr.split("\n")
    assert "promised[wan].numbers.down_s: 3600.0 -> 4200.0" in done.stderr
    assert written(read(made.read_bytes(), "made")) == made.read_bytes()


def test_several_sensors_of_a_device_are_told_apart_and_stay_in_their_order(tmp_path: Path) -> None:
    configuration = ledger(tmp_path)
    battery = reading().model_copy(update={"group": "power", "kind": "ups_charge", "sensor": "Ắc quy"})
    rows = (battery, reading(), reading().model_copy(update={"sensor": "Tủ máy"}))
    before = reported(configuration, equipment=replace(MEASURED, readings=rows))
    fresh = reported(configuration, equipment=replace(MEASURED, readings=rows))
    assert beside(before, fresh) == (fresh, 0, ())
    warmer = replace(MEASURED, readings=(*rows[:2], rows[2].model_copy(update={"mean": 23.0})))
    [change] = beside(before, reported(configuration, equipment=warmer)).changed
    assert change.where == "readings[climate temperature a Tủ máy].mean"
