"""The documents as their readers' programs see them: PDF, HTML, XLSX, CSV."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import zipfile
from datetime import time, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from python_calamine import CalamineWorkbook

from reports.documents import as_html, as_pdf
from reports.model import Report
from reports.spreadsheets import as_csv, as_xlsx
from reports.words import Words
from tests.reports.ledgers import HANOI, TEXT, at, october, reported
from tests.support.parts import require

LONG = "Trung tâm Phục vụ hành chính công và Giám sát điều hành Yên Thế"
"""A name of over 60 letters."""
WORDS = Words("vi", HANOI)
POINTS_PER_MM = 72 / 25.4


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """October 2026 of 300 sites with long names, one line that is called like a formula, and some outages."""
    folder = tmp_path_factory.mktemp("long")
    names = [f"s{number}" for number in range(300)]
    text = TEXT.replace("name: Kênh A", 'name: "=HYPERLINK(\\"http://x\\")"')
    text = text.replace("sites:\n", "sites:\n" + "".join(f"  - {{id: {one}, name: '{LONG}'}}\n" for one in names))
    text += "".join(f"  - {{id: t{one}, name: '{LONG} {one}', address: 192.0.2.9, site: {one}}}\n" for one in names)
    configuration = october(folder, [("a", at("2026-10-05T10:00"), at("2026-10-05T11:00"))], text=text)
    return reported(configuration)


@pytest.fixture(scope="module")
def pdf(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pdf") / "report.pdf"
    path.write_bytes(as_pdf(report, WORDS))
    return path


def text_of(pdf: Path, *options: str) -> str:
    program = require("pdftotext", "poppler-utils")
    return subprocess.run(
        [program, *options, str(pdf), "-"], capture_output=True, check=True, timeout=60
    ).stdout.decode()


def test_the_same_report_gives_the_same_bytes(report: Report) -> None:
    for make in (as_pdf, as_html, as_xlsx, as_csv):
        assert make(report, WORDS) == make(report, WORDS), make.__name__


def test_the_pdf_keeps_every_vietnamese_letter(pdf: Path, report: Report) -> None:
    text = " ".join(text_of(pdf, "-layout").split())
    assert "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM" in text
    assert "Độc lập - Tự do - Hạnh phúc" in text
    assert "Mức độ sẵn sàng của các hệ thống thông tin tháng 10/2026" in text
    assert "Địa điểm" in text
    vietnamese = {
        letter for letter in as_html(report, WORDS).decode().lower() if letter.isalpha() and ord(letter) > 0xDF
    }
    assert len(vietnamese) > 50
    assert vietnamese - set(text_of(pdf).lower()) == set()


def test_nothing_on_a_page_leaves_its_margins(pdf: Path) -> None:
    boxes = text_of(pdf, "-bbox")
    words = re.findall(r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">', boxes)
    assert len(words) > 3000
    left, right = (30 - 0.5) * POINTS_PER_MM, (210 - 15 + 0.5) * POINTS_PER_MM
    assert [word for word in words if float(word[0]) < left or float(word[2]) > right] == []
    assert [word for word in words if float(word[3]) > (297 - 8) * POINTS_PER_MM] == []


def test_whatever_a_name_is_made_of_it_stays_text(tmp_path: Path) -> None:
    odd = "🏥 中文 #let x $y$ `z` *b* <b>a</b> @ref [k] {{ j }} \\"
    text = TEXT.replace("name: Kênh A", f"name: '{odd}'")
    report = reported(october(tmp_path, [("a", at("2026-10-05T10:00"), at("2026-10-05T11:00"))], text=text))
    made = as_pdf(report, WORDS)
    assert made == as_pdf(report, WORDS)
    (tmp_path / "odd.pdf").write_bytes(made)
    assert "#let x $y$ `z` *b* <b>a</b> @ref [k] {{ j }} \\" in " ".join(text_of(tmp_path / "odd.pdf", "-raw").split())
    page = as_html(report, WORDS).decode()
    assert "<b>a</b>" not in page
    assert "&lt;b&gt;a&lt;/b&gt;" in page


def test_a_table_of_300_rows_repeats_its_head_on_each_page(pdf: Path) -> None:
    pages = text_of(pdf, "-layout").split("\f")
    inside = [page for page in pages if "hành chính công" in page]
    assert len(inside) > 8
    assert all("Cận dưới" in page for page in inside)


def test_pages_are_numbered_from_the_second_on(pdf: Path) -> None:
    pages = text_of(pdf, "-layout").split("\f")
    assert not re.match(r"\s*1\s*\n", pages[0])
    assert all(re.match(rf"\s*{number}\s*\n", page) for number, page in enumerate(pages[1:5], 2))


class _Loaded(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {name}={value}" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag in ("script", "iframe", "object", "embed", "link", "base"):
            self.found.append(tag)


def test_the_html_file_loads_nothing_and_runs_nothing(report: Report) -> None:
    page = as_html(report, WORDS).decode()
    parser = _Loaded()
    parser.feed(page)
    assert [one for one in parser.found if not one.startswith("a href=#annex-")] == []
    assert "url(http" not in page
    assert "=HYPERLINK(&#34;http://x&#34;)" in page


def test_cells_are_typed_and_what_looks_like_a_formula_stays_text(report: Report) -> None:
    book = CalamineWorkbook.from_filelike(io.BytesIO(as_xlsx(report, WORDS)))
    rows = book.get_sheet_by_name("Kênh truyền").to_python()
    first = dict(zip(rows[0], rows[1], strict=True))
    assert first["Kênh truyền"] == '=HYPERLINK("http://x")'
    assert first["Mức sẵn sàng"] == pytest.approx(100 * (1 - 1 / (31 * 24)), abs=1e-5)
    assert first["Gián đoạn"].total_seconds() == 3600  # type: ignore[union-attr]
    outages = book.get_sheet_by_name(
        next(one for one in book.sheet_names if one.startswith("Các lần gián"))
    ).to_python()
    assert outages[1][2].isoformat() == "2026-10-05T10:00:00"  # type: ignore[union-attr]
    with zipfile.ZipFile(io.BytesIO(as_xlsx(report, WORDS))) as archive:
        sheets = [archive.read(name).decode() for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
    assert not any("<f>" in sheet for sheet in sheets)
    assert sum("<autoFilter" in sheet and 'state="frozen"' in sheet for sheet in sheets) >= 4


def test_csv_cells_cannot_become_formulas(report: Report) -> None:
    with zipfile.ZipFile(io.BytesIO(as_csv(report, WORDS))) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("circuits.csv").decode("utf-8-sig"))))
        assert {"promised.csv", "sites.csv", "targets.csv", "outages.csv"} <= set(archive.namelist())
    mine = next(one for one in rows if one["id"] == "line-a")
    assert mine["circuit"] == '\'=HYPERLINK("http://x")'
    assert float(mine["down_s"]) == 3600
    assert mine["formula_version"] == "2"


def filled(rows: list[list[Any]]) -> dict[tuple[int, int], Any]:
    """Return the cells that hold something, by their place."""
    return {(y, x): lasting(value) for y, row in enumerate(rows) for x, value in enumerate(row) if value != ""}


def lasting(value: Any) -> Any:
    """Read a duration of an ODS file: those under a day come as a time, others as they are written; the rest stays."""
    if isinstance(value, time):
        return timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
    found = re.fullmatch(r"(-?)PT(\d+)H(\d+)M([\d.]+)S", value) if isinstance(value, str) else None
    if not found:
        return value
    sign, hours, minutes, seconds = found.groups()
    whole = timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    return -whole if sign else whole


@pytest.mark.soak
def test_libreoffice_reads_the_same_numbers(report: Report, tmp_path: Path) -> None:
    office = require("soffice", "libreoffice-calc-nogui")
    (tmp_path / "report.xlsx").write_bytes(as_xlsx(report, WORDS))
    subprocess.run(
        [office, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "ods", "--outdir",
         str(tmp_path), str(tmp_path / "report.xlsx")],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    ours, theirs = (CalamineWorkbook.from_path(tmp_path / f"report.{one}") for one in ("xlsx", "ods"))
    assert theirs.sheet_names == ours.sheet_names
    seen = 0
    for name in ours.sheet_names:
        mine, his = (filled(book.get_sheet_by_name(name).to_python()) for book in (ours, theirs))
        assert his.keys() == mine.keys(), name
        for place, value in mine.items():
            assert type(his[place]) is type(value), (name, place, value, his[place])
            assert his[place] == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value), (name, place)
        seen += len(mine)
    assert seen > 5000
    assert theirs.get_sheet_by_name("Kênh truyền").to_python()[1][0] == '=HYPERLINK("http://x")'


def test_numbers_are_written_as_each_language_does() -> None:
    english = Words("en", ZoneInfo("Asia/Ho_Chi_Minh"))
    assert (WORDS.percent(99.99996), english.percent(99.99996)) == ("99,999%", "99.999%")
    assert (WORDS.duration(93784), english.duration(93784)) == ("1 ngày 02:03:04", "1 day 02:03:04")
    assert WORDS.duration(-90) == "−00:01:30"
    assert WORDS.number(12345.5, 1) == "12.345,5"


def test_periods_are_named_as_each_language_does() -> None:
    english = Words("en", HANOI)
    said = {name: (WORDS.period(name), english.period(name)) for name in ("2026-Q4", "2026", "90d", "2026-11")}
    assert said == {
        "2026-Q4": ("Quý IV/2026", "Q4 2026"), "2026": ("Năm 2026", "2026"), "90d": ("90 ngày", "90 days"),
        "2026-11": ("11/2026", "11/2026"),
    }  # fmt: skip
