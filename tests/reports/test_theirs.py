"""A carrier's own figures beside ours."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from haidang.cli import app
from reports.theirs import NotAComparison, compare, read_csv
from tests.reports.ledgers import at, october, reported

DOWN = [("b", at("2026-10-06T00:00"), at("2026-10-06T10:00"))]


def verdicts(tmp_path: Path, text: str) -> dict[str, str]:
    report = reported(october(tmp_path, DOWN))
    return {one.circuit: one.verdict for one in compare(report, read_csv(text.encode(), "theirs.csv"))}


def test_what_lies_outside_our_bounds_is_to_be_disputed(tmp_path: Path) -> None:
    found = verdicts(tmp_path, "circuit,availability\nline-a,100\nline-b,99.9\nline-x,99\n")
    assert list(found.items()) == [("line-b", "theirs is higher"), ("line-x", "not ours"), ("line-a", "agrees")]


def test_lines_are_found_by_name_with_vietnamese_heads_and_decimal_commas(tmp_path: Path) -> None:
    text = "\ufeffKênh truyền;Mức sẵn sàng\nKÊNH B;98,655914\n"
    assert verdicts(tmp_path, text) == {"line-b": "agrees", "line-a": "not in their file"}


def test_minutes_of_downtime_are_taken_too(tmp_path: Path) -> None:
    report = reported(october(tmp_path, DOWN))
    [first, _] = compare(report, read_csv(b"line,down_minutes\nline-b,120\n", "x"))
    assert (first.circuit, first.verdict, first.difference_down_s) == ("line-b", "theirs is higher", -8 * 3600)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,value\na,1\n", "x: has no column for circuit (there are name, value): it may be called kênh"),
        ("circuit,value\na,1\n", "x: has no column for availability"),
        ("circuit,availability\na,much\n", 'x:2: "much" is not a number'),
        ("circuit,availability\na,120\n", "x:2: 120 is no percentage"),
        ("circuit,availability\na,99\nA,98\n", "x:3: A was there before"),
        ("", "x: has no column for circuit"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(NotAComparison) as raised:
        read_csv(text.encode(), "x")
    assert str(raised.value).startswith(message)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    with suppress(NotAComparison):
        assert all(one.circuit for one in read_csv(b"circuit,availability\n" + text, "x"))


def test_a_spreadsheets_percent_cells_are_understood(tmp_path: Path) -> None:
    october(tmp_path, DOWN)
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["Hợp đồng", "Độ sẵn sàng"])
    sheet.write_row(1, 0, ["line-b", 0.995], book.add_format({"num_format": "0.00%"}))
    book.close()
    (tmp_path / "theirs.xlsx").write_bytes(out.getvalue())
    words = ["report", "compare", str(tmp_path / "theirs.xlsx"), "--month", "2026-10", "--carrier", "Viettel"]
    done = CliRunner().invoke(app, [*words, "--config", str(tmp_path / "haidang.yaml"), "--json"])
    assert done.exit_code == 1, done.stderr
    [line] = json.loads(done.stdout)["lines"]
    assert (line["circuit"], line["verdict"], line["theirs_percent"]) == ("line-b", "theirs is higher", 99.5)
    assert line["difference_percent"] == pytest.approx(99.5 - 100 * (1 - 10 / 744), abs=1e-5)


def test_a_per_cent_sign_in_a_head_is_no_other_column() -> None:
    [one] = read_csv("Kênh truyền;Mức sẵn sàng (%);Phút gián đoạn\nline-a;99,90;3\n".encode(), "x")
    assert (one.availability_percent, one.down_s) == (99.9, 180)
