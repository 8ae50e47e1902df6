"""What a revision changed, as people read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reports.archive import revised
from reports.changed import said
from reports.model import Change, Report
from reports.pages import laid_out
from reports.words import Words
from tests.reports.ledgers import HANOI, at, october, reported

VI, EN = Words("vi", HANOI), Words("en", HANOI)


def corrected(folder: Path) -> Report:
    """Return a second revision: the outage of a line turned out to be shorter."""
    made = []
    for number, end in enumerate(("2026-10-05T12:00", "2026-10-05T10:20")):
        home = folder / str(number)
        home.mkdir()
        made.append(reported(october(home, [("a", at("2026-10-05T10:00"), at(end))])))
    return revised(made[0], made[1], "Trần Văn Bình", "Nhà mạng xác nhận")


def rows(report: Report, words: Words, place: str) -> list[list[str]]:
    """Return the rows of the table of changes in the summary, or in the last annex."""
    laid: dict[str, Any] = laid_out(report, words)
    part = laid["sections"][0] if place == "summary" else laid["annexes"][-1]
    [table] = [one for one in part["blocks"] if one["kind"] == "table" and one["id"] == "changes"]
    found: list[list[str]] = table["rows"]
    return found


def test_the_first_page_has_what_became_of_the_objectives_and_the_annex_has_all(tmp_path: Path) -> None:
    report = corrected(tmp_path)
    assert rows(report, VI, "summary") == [
        ["Mục tiêu: Mạng WAN", "Mức sẵn sàng", "99,731%", "99,955%"],
        ["Mục tiêu: Mạng WAN", "Gián đoạn", "02:00:00", "00:20:00"],
        ["Mục tiêu: Mạng WAN", "Kết quả", "KHÔNG ĐẠT", "Đạt"],
    ]
    everything = rows(report, EN, "annex")
    assert len(everything) == len(list(said(report, EN))) > 10
    assert ["Objective: WAN", "Down (05/10/2026)", "02:00:00", "00:20:00"] in everything
    assert ["Site: Yên Thế", "Availability", "99.731%", "99.955%"] in everything


def test_a_revision_has_an_annex_more_than_its_first_has(tmp_path: Path) -> None:
    report = corrected(tmp_path)
    assert laid_out(report, VI)["annexes"][-1]["number"] == "Phụ lục XI"
    first = report.model_copy(update={"approved": None, "changes": (), "revision": 1})
    assert laid_out(first, VI)["annexes"][-1]["number"] == "Phụ lục X"


def test_a_row_that_is_gone_is_told_by_what_it_was_about(tmp_path: Path) -> None:
    report = corrected(tmp_path)
    gone = Change(where="outages[Kênh A 2026-10-05T03:00:00Z]", before='{"carrier": "VNPT"}', after="–")
    [row] = rows(report.model_copy(update={"changes": (gone,)}), VI, "annex")
    assert row == ["Lần gián đoạn: Kênh A 05/10/2026 10:00:00", "", "có", "không"]
