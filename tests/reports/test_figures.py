"""What a month's report says of the awkward months, of carriers and of incidents."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path

import pytest

from haidang.model import CheckId, State, Transition
from reports import charts
from reports.gather import spread
from reports.model import Report, TargetRow
from reports.pages import laid_out
from reports.seal import NotAReport, differences, read, written
from reports.snapshot import described
from reports.words import Words
from storage import snapshots
from storage.accounts import Accounts, CorrectionRow, Maintenance
from storage.database import Database
from storage.ledger import Ledger
from tests.reports.ledgers import DAY, HANOI, TEXT, S, at, configured, notes, october, reported
from tests.support.history import write


def row(report: Report, kind: str, name: str) -> object:
    return next(one for one in getattr(report, kind) if one.id == name)


def database(report_of: object) -> Database:
    return Database(report_of.data_dir / "haidang.db", "haidang")  # type: ignore[attr-defined]


def test_a_month_without_data_claims_nothing(tmp_path: Path) -> None:
    configuration = october(tmp_path, since="2026-11-01", until="2026-11-02")
    report = reported(configuration, now="2026-11-02T06:00")
    assert all(one.numbers.availability_percent is None for one in report.targets)
    assert report.promised == () or all(one.numbers.verdict != "met" for one in report.promised)
    assert "không có số liệu đo nào" in report.story["vi"][0]
    assert "Nothing was measured" in report.story["en"][0]
    assert len(report.story["vi"]) == 1, "no word of incidents or downtime, which would be read as praise"
    page = json.dumps(laid_out(report, Words("vi", HANOI)), ensure_ascii=False)
    assert "Không ghi nhận thời gian gián đoạn" not in page
    assert "Không có kênh truyền nào gián đoạn" not in page
    assert any("không được hiểu là 0% hay 100%" in line for line in notes(report, "vi"))


def test_a_month_nobody_watched_is_unknown_and_undecided(tmp_path: Path) -> None:
    configuration = october(tmp_path, until="2026-09-20")
    report = reported(configuration)
    assert report.promised[0].numbers.unknown_s == 31 * DAY
    assert report.promised[0].numbers.verdict == "undecided"


def test_half_a_month_says_so_and_decides_nothing(tmp_path: Path) -> None:
    configuration = october(tmp_path, until="2026-10-16")
    report = reported(configuration, now="2026-10-16T00:00")
    assert not report.complete
    assert report.promised[0].numbers.elapsed_s == 15 * DAY
    assert report.promised[0].numbers.verdict == "open"
    assert any("tháng chưa kết thúc" in line and "16/10/2026" in line for line in notes(report, "vi"))
    assert any("the month is not over" in line for line in notes(report, "en"))


def test_an_outage_over_both_ends_counts_with_its_part_in_the_month(tmp_path: Path) -> None:
    configuration = october(tmp_path, [("a", at("2026-09-30T22:00"), at("2026-11-01T03:00"))])
    report = reported(configuration)
    [outage] = report.outages
    assert outage.down_s == 31 * DAY
    assert outage.began_before
    assert outage.end is None, "what came after the month's end is not this month's to tell"
    assert outage.start.timestamp() == at("2026-09-30T22:00"), "its true start is told all the same"
    assert any("bắt đầu từ trước tháng (Kênh A)" in line for line in notes(report, "vi"))
    assert any("kéo sang tháng sau (Kênh A)" in line for line in notes(report, "vi"))
    assert any("that went on into the next month: 1 (Kênh A)" in line for line in notes(report, "en"))


def test_an_incident_over_both_ends_that_is_no_lines_has_its_sentences_too(tmp_path: Path) -> None:
    configuration = october(tmp_path, [("c", at("2026-09-30T22:00"), at("2026-11-01T03:00"))])
    begin, end = at("2026-09-30T22:00") * S, at("2026-11-01T03:00") * S
    with closing(database(configuration)) as opened, opened.transaction() as sql:
        sql.execute(
            "INSERT INTO incident (id, target, probe, subject, reason, started_ns, opened_ns, ended_ns, resolved_ns) "
            "VALUES (1, 'c', 'icmp', '{\"name\": {\"vi\": \"Máy chủ C\"}}', '', ?, ?, ?, ?)", (begin, begin, end, end)
        )  # fmt: skip
    report = reported(configuration)
    assert report.outages == ()
    assert row(report, "targets", "c").numbers.down_s == 31 * DAY  # type: ignore[attr-defined]
    vi, en = notes(report, "vi"), notes(report, "en")
    assert any(line.startswith("1 sự cố không phải của kênh truyền đã bắt đầu từ trước tháng (Máy chủ") for line in vi)
    assert any(line.startswith("1 sự cố không phải của kênh truyền kéo sang tháng sau (Máy chủ") for line in vi)
    assert any("had begun before the month: 1 (Máy chủ" in line for line in en)


def test_a_report_of_a_month_that_is_over_does_not_change_with_the_day_it_is_made(tmp_path: Path) -> None:
    configuration = october(tmp_path, [("a", at("2026-10-31T23:00"), at("2026-11-01T03:00"))])
    assert written(reported(configuration, now="2026-11-01T01:00")) == written(
        reported(configuration, now="2026-11-20")
    )


def test_a_site_that_came_in_the_month_counts_from_then_on(tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    write(tmp_path / "data", "a", at("2026-09-01"), at("2026-11-02"), [])
    with closing(database(configuration)) as opened, opened.transaction() as sql:
        for name in "bc":
            sql.execute("INSERT INTO watched VALUES (?, 'icmp', ?)", (name, at("2026-10-11") * S))
            sql.execute(
                "INSERT INTO interval (target, probe, state, start_ns, end_ns, confirmed_ns, reason) "
                "VALUES (?, 'icmp', 'up', ?, ?, 0, '')",
                (name, at("2026-10-11") * S, at("2026-11-02") * S),
            )
    report = reported(configuration)
    assert row(report, "sites", "south").numbers.period_s == 21 * DAY  # type: ignore[attr-defined]
    assert row(report, "sites", "north").numbers.period_s == 31 * DAY  # type: ignore[attr-defined]
    assert any(line.startswith("Lục Ngạn được đưa vào giám sát từ 11/10/2026") for line in notes(report, "vi"))
    assert any(line.startswith("Lục Ngạn is watched since") for line in notes(report, "en"))


def test_a_site_that_went_in_the_month_is_told_with_its_figures_until_then(tmp_path: Path) -> None:
    configuration = october(tmp_path, [("b", at("2026-10-01T12:00"), at("2026-10-02T00:00"))])
    with closing(database(configuration)) as opened:
        snapshots.keep(opened, described(configuration), at("2026-09-01") * S)
        kept = [line for line in TEXT.splitlines() if "south" not in line and "line-b" not in line]
        configuration = configured(tmp_path, "\n".join(kept) + "\n")
        snapshots.keep(opened, described(configuration), at("2026-10-11") * S)
    report = reported(configuration)
    assert [one.id for one in report.sites] == ["north"]
    assert any(
        "Lục Ngạn thôi được giám sát từ 11/10/2026" in line and "95,000%" in line for line in notes(report, "vi")
    )
    assert any("Lục Ngạn is not watched any more" in line for line in notes(report, "en"))


@pytest.mark.parametrize(("old", "words"), [("99.0", "vẫn trong mức cho phép"), ("99.95", "đã vượt mức cho phép")])
def test_an_objective_that_changed_in_the_month_is_told_with_what_the_old_one_would_say(
    tmp_path: Path, old: str, words: str
) -> None:
    configuration = october(tmp_path, [("a", at("2026-10-05T10:00"), at("2026-10-05T11:00"))])
    before = configured(tmp_path, TEXT.replace("objective: 99.9}", f"objective: {old}}}"))
    with closing(database(configuration)) as opened:
        snapshots.keep(opened, described(before), at("2026-09-01") * S)
        assert not snapshots.keep(opened, described(before), at("2026-09-02") * S), "the same again is no change"
        snapshots.keep(opened, described(configuration), at("2026-10-15") * S)
    configuration = configured(tmp_path)
    report = reported(configuration)
    assert report.promised[0].numbers.verdict == "missed"
    found = [line for line in notes(report, "vi") if "Mục tiêu Mạng WAN đổi từ" in line]
    assert len(found) == 1
    assert words in found[0]
    assert "15/10/2026 00:00:00" in found[0]


def test_a_carrier_is_held_to_its_contract_and_credits_go_by_what_is_certain(tmp_path: Path) -> None:
    down = [
        ("a", at("2026-10-05T00:00"), at("2026-10-05T10:00")), ("b", at("2026-10-06T00:00"), at("2026-10-06T10:00")),
    ]  # fmt: skip
    configuration = october(tmp_path, down)
    with closing(database(configuration)) as opened:
        Accounts(opened).report("a", at("2026-10-05T04:00") * S, "VNPT-77", "An", at("2026-10-05T04:00") * S)
    report = reported(configuration)
    a, b = row(report, "circuits", "line-a"), row(report, "circuits", "line-b")
    assert a.measured.down_s == 10 * 3600  # type: ignore[attr-defined]
    assert a.contractual.down_s == 6 * 3600, "it counts from its ticket on"  # type: ignore[attr-defined]
    assert a.contractual.availability_percent == pytest.approx(100 * (1 - 360 / 43200), abs=1e-5)  # type: ignore[attr-defined]
    assert a.credit_percent == 5  # type: ignore[attr-defined]
    assert b.contractual is None  # type: ignore[attr-defined]
    assert b.credit_percent == 50, "its own step is the highest that fits"  # type: ignore[attr-defined]
    [first] = [one for one in report.outages if one.carrier == "VNPT"]
    assert first.ticket == "VNPT-77"
    vnpt = next(one for one in report.carriers if one.name == "VNPT")
    assert vnpt.contractual is not None
    assert vnpt.contractual.down_s == 6 * 3600
    assert vnpt.missed == 1


def test_an_outage_whose_ticket_is_of_the_month_before_counts(tmp_path: Path) -> None:
    configuration = october(tmp_path, [("a", at("2026-09-30T20:00"), at("2026-10-01T02:00"))])
    with closing(database(configuration)) as opened:
        Accounts(opened).report("a", at("2026-09-30T21:00") * S, "VNPT-1", "An", at("2026-09-30T21:00") * S)
    line = row(reported(configuration), "circuits", "line-a")
    assert line.contractual.down_s == 2 * 3600  # type: ignore[attr-defined]


def test_exclusions_and_corrections_are_told_with_who_and_why(tmp_path: Path) -> None:
    configuration = october(tmp_path, [("a", at("2026-10-05T10:00"), at("2026-10-05T11:00"))])
    with closing(database(configuration)) as opened:
        accounts = Accounts(opened)
        accounts.plan(
            Maintenance(0, "site", "north", at("2026-10-05T10:30") * S, at("2026-10-05T12:00") * S, "", "UTC", 1,
                        "Thay thiết bị", "Bình", at("2026-10-06") * S)
        )  # fmt: skip
        accounts.correct(
            CorrectionRow(CheckId("b", "icmp"), at("2026-10-07") * S, at("2026-10-07T00:10") * S, State.DOWN,
                          "Nhân viên tại chỗ xác nhận", "Chi", at("2026-10-08") * S)
        )  # fmt: skip
    report = reported(configuration)
    assert [(one.kind, one.author, one.reason, one.length_s) for one in report.exclusions] == [
        ("retroactive", "Bình", "Thay thiết bị", 5400), ("correction", "Chi", "Nhân viên tại chỗ xác nhận", 600),
    ]  # fmt: skip
    [outage] = [one for one in report.outages if one.circuit["vi"] == "Kênh A"]
    assert (outage.down_s, outage.excluded_s) == (1800, 1800)


def test_without_objectives_the_report_tells_what_was_measured(tmp_path: Path) -> None:
    text = "haidang: 1\ndata_dir: ./data\ntargets: [{id: a, address: 192.0.2.1}]\n"
    report = reported(october(tmp_path, [("a", at("2026-10-05T10:00"), at("2026-10-05T11:00"))], text=text))
    assert report.promised == ()
    assert report.targets[0].numbers.down_s == 3600
    assert "chưa có mục tiêu nào" in report.story["vi"][0]
    assert notes(report, "vi") == []


def test_percentiles_are_durations_that_happened() -> None:
    found = spread([5, 1, 4, 2, 3, 6, 7, 8, 9, 10])
    assert (found.n, found.median_s, found.p90_s, found.max_s, found.mean_s) == (10, 5, 9, 10, 5.5)
    assert spread([]).median_s is None


def test_a_report_of_one_carrier_holds_nothing_of_another(tmp_path: Path) -> None:
    report = reported(october(tmp_path), kind="carrier", name="vnpt")
    assert [one.id for one in report.circuits] == ["line-a"]
    assert [one.id for one in report.targets] == ["a"]
    assert [one.about for one in report.promised] == ["carrier vnpt"]


def test_a_changed_number_breaks_the_seal(tmp_path: Path) -> None:
    report = reported(october(tmp_path))
    text = written(report)
    assert read(text, "r.json") == report
    with pytest.raises(NotAReport, match="SEAL IS BROKEN"):
        read(text.replace(b'"down_s": 0.0', b'"down_s": 1.0', 1), "r.json")
    with pytest.raises(NotAReport, match="no sealed report"):
        read(b"{}", "r.json")


def test_differences_name_the_row_and_both_values(tmp_path: Path) -> None:
    configuration = october(tmp_path)
    before = reported(configuration)
    with closing(database(configuration)) as opened:
        Accounts(opened).correct(
            CorrectionRow(CheckId("a", "icmp"), at("2026-10-07") * S, at("2026-10-07T00:10") * S, State.DOWN, "w", "An",
                          at("2026-11-02") * S)
        )  # fmt: skip
    found = {one.where: (one.before, one.after) for one in differences(before, reported(configuration))}
    assert found["circuits[line-a].measured.down_s"] == ("0.0", "600.0")
    assert not differences(before, before)


def test_whose_fault_an_outage_was_is_what_people_said_of_its_incident_or_of_the_one_it_went_on_in(
    tmp_path: Path,
) -> None:
    down = [
        ("a", at("2026-10-05T00:00"), at("2026-10-05T10:00")), ("b", at("2026-10-06T00:00"), at("2026-10-06T10:00")),
    ]  # fmt: skip
    configuration = october(tmp_path, down)
    before = reported(configuration)
    assert [one.owner for one in before.outages] == ["", ""]
    with closing(database(configuration)) as opened, opened.transaction() as sql:
        for number, target, owner, merged in (
            (1, "a", "carrier", None), (2, "c", "power", None), (3, "b", "unknown", 2),
        ):  # fmt: skip
            sql.execute(
                "INSERT INTO incident (id, target, probe, subject, reason, started_ns, opened_ns, ended_ns, "
                "resolved_ns, owner, owner_by, merged_into) VALUES (?, ?, 'icmp', '{}', '', ?, ?, ?, ?, ?, 'An', ?)",
                (number, target, *[at("2026-10-05T00:00") * S] * 4, owner, merged),
            )
            sql.execute(
                "UPDATE interval SET incident = ? WHERE target = ? AND state = 'down'", (number, target)
            )  # fmt: skip
    after = reported(configuration)
    assert [(one.carrier, one.owner) for one in after.outages] == [("VNPT", "carrier"), ("Viettel", "power")]
    assert before.seal.inputs != after.seal.inputs, "what was said is part of what is sealed"


def test_a_better_check_leaves_the_months_before_it_as_they_were(tmp_path: Path) -> None:
    october(
        tmp_path,
        [("c", at("2026-09-10T00:00"), at("2026-09-10T01:00")), ("c", at("2026-10-10T00:00"), at("2026-10-10T00:30"))],
    )
    before = reported(configured(tmp_path), "2026-09")
    text = TEXT.replace("id: c, name: Máy chủ C,", "id: c, name: Máy chủ C, alive: tcp, tcp: {port: 443}, icmp: {},")
    configuration = configured(tmp_path, text)
    assert str(configuration.inventory.targets["c"].primary) == "c/tcp"
    stream = CheckId("c", "tcp")
    with closing(database(configuration)) as opened:
        ledger = Ledger(opened)
        for second, check in ((at("2026-09-01"), CheckId("c", "icmp")), (at("2026-10-16"), stream)):
            ledger.watch([check], second * S)
            ledger.judge_by([check], second * S)
        for day, state in (("2026-10-16", State.UP), ("2026-10-20", State.DOWN), ("2026-10-21", State.UP)):
            ledger.record(Transition(stream, state, None, at(day) * S, at(day) * S, "refused"))
    assert row(reported(configuration, "2026-09"), "targets", "c") == row(before, "targets", "c")
    assert not any("phép đo trước" in line for line in notes(reported(configuration, "2026-09"), "vi"))
    report = reported(configuration)
    mine = row(report, "targets", "c")
    assert isinstance(mine, TargetRow)
    assert (mine.numbers.down_s, mine.numbers.outages, mine.numbers.unknown_s) == (1800 + DAY, 2, 0)
    assert mine.watched_since is not None
    assert mine.watched_since.timestamp() == at("2026-09-01")
    assert sum(one.down_s for one in report.causes) == 1800 + DAY
    [said] = [line for line in notes(report, "vi") if "phép đo trước" in line]
    assert "1 đối tượng (Máy chủ C) được tính theo ping đến 16/10/2026 00:00:00 và theo TCP từ lúc đó" in said
    assert any(
        "count by ping until 16/10/2026 00:00:00 and by TCP from then on" in line for line in notes(report, "en")
    )


def test_the_use_of_the_budget_is_drawn_on_the_days_it_is_of(tmp_path: Path) -> None:
    down = ("a", at("2026-10-30T10:00"), at("2026-10-30T11:00"))
    report = reported(october(tmp_path, [down], since="2026-10-29"))
    [drawn, *_] = charts.burn(report, Words("vi", HANOI))
    points = re.search(r'polyline points="([^"]+)"', drawn)
    assert points
    xs = [float(one.split(",")[0]) for one in points[1].split()]
    assert len(xs) == 4, "the evening before monitoring began, and three days"
    left = xs[0] - 28 * (xs[1] - xs[0])
    assert left == pytest.approx(4, abs=2), "28 days of the month lie before it"


def test_many_objectives_that_were_not_measured_throughout_share_a_sentence(tmp_path: Path) -> None:
    more = "".join(f"  - {{id: o{number}, system: wan, percent: 9{number}}}\n" for number in range(4))
    text = TEXT.replace("objectives:\n", f"objectives:\n{more}")
    report = reported(october(tmp_path, text=text, until="2026-10-16"))
    [said] = [line for line in notes(report, "vi") if "không rõ" in line]
    assert said.startswith("6 mục tiêu (Mạng WAN, ")
    assert "chỉ đo được từ 48,387% đến 48,387% thời gian" in said


def test_the_sum_over_what_a_report_was_made_of_stays_when_it_is_written_down_who_speaks(tmp_path: Path) -> None:
    configuration = october(tmp_path)
    before = reported(configuration)
    with closing(database(configuration)) as opened:
        Ledger(opened).judge_by([CheckId(name, "icmp") for name in "abc"], at("2026-10-10") * S)
    assert reported(configuration).seal == before.seal
