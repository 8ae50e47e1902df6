from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerting.catalogue import LANGUAGES, Catalogue
from alerting.messages import Rendered, Situation, Writer
from alerting.records import STORM, Incident
from alerting.text import clean
from alerting.world import Step, Subject
from availability.objectives import Figures
from haidang.model import CheckId
from tests.alerting.province import SECOND, START, ZONE

DAY = 86400.0
WRITERS = {language: Writer(Catalogue(language, ZONE)) for language in LANGUAGES}
SUBJECT = Subject(
    {"vi": "Router huyện Lục Ngạn", "en": "Lục Ngạn district router"}, "10.20.3.1",
    {"vi": "UBND huyện Lục Ngạn", "en": "Lục Ngạn committee"}, {"vi": "cấp huyện", "en": "district"},
    {"vi": "Mạng TSLCD", "en": "Data network"}, "BGG-01", "Viettel",
)  # fmt: skip
INCIDENT = Incident(12, CheckId("lucngan", "icmp"), SUBJECT, "no reply to 5 echoes", START, START + 45 * SECOND)
FIGURES = Figures(30 * DAY, 22 * DAY, 22 * DAY - 1200, 1200, 0, 2, 99.9)  # 43 min 12 s allowed, 20 min used


def write(
    language: str, step: Step = Step.OPENED, incident: Incident = INCIDENT, figures: Figures | None = FIGURES,
    affected: list[str] | None = None,
) -> Rendered:  # fmt: skip
    return WRITERS[language].write(Situation(incident, step, START + 45 * SECOND, affected or [], figures))


def leaves(data: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, f"{path}.{key}")
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from leaves(value, f"{path}[{place}]")
    else:
        yield path, str(data)


def test_both_catalogues_say_the_same_things_with_the_same_gaps() -> None:
    def gaps(language: str) -> dict[str, list[str]]:
        data = Catalogue(language, ZONE).data
        return {
            path: sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)
            for path, text in leaves(data) if ".when" not in path
        }  # fmt: skip

    assert gaps("vi") == gaps("en")


def test_the_first_lines_say_what_broke_since_when_where_and_why_in_vietnamese() -> None:
    letter = write("vi", affected=["Xã Quý Sơn", "Xã Tân Hoa"])
    assert letter.subject == "[Hải Đăng #12] MẤT KẾT NỐI: Router huyện Lục Ngạn (ping) từ 03:12 23/11"
    assert letter.text.splitlines()[:10] == [
        "MẤT KẾT NỐI: Router huyện Lục Ngạn (ping)",
        "UBND huyện Lục Ngạn (cấp huyện)",
        "Từ 23/11/2025 03:12:05, đến lúc báo đã 45 giây.",
        "Trước hết: Gọi người trực tại UBND huyện Lục Ngạn: điện lưới, UPS và đèn cổng của thiết bị còn không?",
        "",
        "Địa chỉ: 10.20.3.1",
        "Hệ thống: Mạng TSLCD",
        "Kênh truyền: nhà mạng Viettel, kênh BGG-01",
        "Lý do: Không trả lời ping. Chi tiết: không trả lời 5 gói ping",
        "Ảnh hưởng: 2 đối tượng phía sau: Xã Quý Sơn, Xã Tân Hoa",
    ]
    assert "Sự cố số 12" in letter.text


@pytest.mark.parametrize(
    ("english", "vietnamese"),
    [
        ("no reply (54 tries in 55 s)", "không trả lời (54 lần trong 55 giây)"),
        ("first bad sample 10/11/2026 09:03:00, 55 failed in 54 s",
         "mẫu hỏng đầu tiên 10/11/2026 09:03:00, 55 lần hỏng trong 54 giây"),
        ("on the way: core-router-1 (10.0.0.2) is up", "trên đường đi: core-router-1 (10.0.0.2) còn hoạt động"),
        ("10/11/2026 09:03:18 luc-ngan-router port wan3 is down",
         "10/11/2026 09:03:18 luc-ngan-router cổng wan3 đã xuống"),
        ("output load is 92 %, above 80 for 00:02:00", "output load là 92 %, trên ngưỡng 80 đã 00:02:00"),
        ("what nobody has words for", "what nobody has words for"),
    ],
)  # fmt: skip
def test_what_probes_and_evidence_say_is_said_in_the_readers_language(english: str, vietnamese: str) -> None:
    incident = replace(INCIDENT, reason=english, facts={"evidence": [english]})
    assert f"Chi tiết: {vietnamese}\n" in write("vi", incident=incident).text
    assert f"Bằng chứng: {vietnamese}\n" in write("vi", incident=incident).text
    assert english in write("en", incident=incident).text


def test_a_storm_says_what_is_common_and_names_each_once() -> None:
    facts = {"common:vi": ["Huyện Lục Ngạn (3/3)", "Mạng TSLCD (3/3)"]}
    storm = Incident(4, STORM, Subject({"vi": "Nhiều sự cố"}), "3 incidents within 60 s", START, START, facts=facts)
    lines = write("vi", incident=storm, affected=["Chũ", "Quý Sơn", "Phì Điền"], figures=None).text.splitlines()
    assert lines[:2] == ["NHIỀU SỰ CỐ CÙNG LÚC: 3 đối tượng (nhiều sự cố)", "Huyện Lục Ngạn (3/3)"]
    assert "Ảnh hưởng: 3 đối tượng: Chũ, Quý Sơn, Phì Điền" in lines
    assert "\n".join(lines).count("Chũ") == 1
    assert not any(line.startswith("Tháng") for line in lines), "a storm has no budget of its own"


def test_a_recovery_says_how_long_it_lasted() -> None:
    ended = replace(INCIDENT, ended_ns=START + 725 * SECOND, resolved_ns=START + 760 * SECOND)
    vi, en = (write(language, Step.RESOLVED, ended) for language in ("vi", "en"))
    assert vi.subject == "[Hải Đăng #12] ĐÃ KHÔI PHỤC: Router huyện Lục Ngạn (ping) sau 12 phút 5 giây"
    assert en.subject == "[Haidang #12] RECOVERED: Lục Ngạn district router (ping) after 12 min 5 s"
    assert "Gián đoạn 12 phút 5 giây: từ 23/11/2025 03:12:05 đến 23/11/2025 03:24:10." in vi.text
    assert "Việc cần xem ngay" not in vi.text


@pytest.mark.parametrize(
    ("figures", "lines"),
    [
        (FIGURES, ["43 min 12 s of downtime allowed in the month, 20 min used, 23 min 12 s left",
                   "the month is lost at 03:36 on 23/11"]),
        (replace(FIGURES, down_s=3600.0), ["1 h used, 16 min 48 s too much. The month misses its objective"]),
        (replace(FIGURES, elapsed_s=30 * DAY - 60, down_s=0, up_s=30 * DAY - 60), ["the month keeps its objective"]),
        (replace(FIGURES, objective_percent=None), ["No availability objective is set"]),
        (replace(FIGURES, unknown_s=0.1 * 22 * DAY, up_s=0.9 * 22 * DAY - 1200),
         ["10% of the time was not measured; counting it, availability lies between 89.936% and 99.936%"]),
        (replace(FIGURES, up_s=0, down_s=0, objective_percent=None),
         ["Nothing has been measured", "No availability objective is set"]),
        (None, ["does not count toward the target's availability"]),
    ],
)  # fmt: skip
def test_the_month_is_told_as_it_stands(figures: Figures | None, lines: list[str]) -> None:
    text = write("en", figures=figures).text
    for line in lines:
        assert line in text


def test_an_availability_below_a_hundred_never_reads_as_a_hundred() -> None:
    text = write("en", figures=replace(FIGURES, up_s=22 * DAY - 0.5, down_s=0.5)).text
    assert "Availability so far: 99.999%" in text


def test_hints_fit_the_probe_and_the_reason_and_speak_only_of_what_is_known() -> None:
    assert "UPS" in write("vi").text
    assert "Viettel" not in write("vi", incident=replace(INCIDENT, subject=replace(SUBJECT, carrier=""))).text
    unreachable = write("vi", incident=replace(INCIDENT, reason="Destination host unreachable from 10.0.0.1")).text
    assert "bảng định tuyến" in unreachable
    snmp = replace(INCIDENT, check=CheckId("r", "snmp"), reason="wrong digest")
    assert "SNMPv3" in write("vi", incident=snmp).text
    strange = write("vi", incident=replace(INCIDENT, check=CheckId("r", "teapot"))).text
    assert "NGỪNG HOẠT ĐỘNG" in strange


def test_a_long_list_of_the_affected_is_cut_and_counted() -> None:
    text = write("vi", affected=[f"Xã {number}" for number in range(209)]).text
    assert "209 đối tượng phía sau: Xã 0, Xã 1, Xã 2, Xã 3, Xã 4 và 204 đối tượng khác" in text


@pytest.mark.parametrize(
    ("seconds", "vi", "en"),
    [
        (0, "0 giây", "0 s"), (59.6, "1 phút", "1 min"), (3600, "1 giờ", "1 h"), (3725, "1 giờ 2 phút", "1 h 2 min"),
        (86400 + 30, "1 ngày", "1 day"), (3 * 86400 + 7200, "3 ngày 2 giờ", "3 days 2 h"), (-5, "0 giây", "0 s"),
    ],
)  # fmt: skip
def test_durations_read_as_people_say_them(seconds: float, vi: str, en: str) -> None:
    assert (Catalogue("vi", ZONE).duration(seconds), Catalogue("en", ZONE).duration(seconds)) == (vi, en)


def test_an_unknown_language_is_english() -> None:
    assert Catalogue("fr", ZONE).say("product") == "Haidang"


hostile = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="\r\n\0\x1b[]m;<>&\"'{}%\u202e\u2066\u200b\ufeff\ud800ABCế: ", max_size=400),
)


@given(text=hostile, limit=st.integers(1, 300))
@example("\x1b]8;;http://evil\x07click\x1b]8;;\x07", 300)
@example("a\r\nBcc: evil@example.com", 300)
@example("Z" + "\u0301" * 5000, 300)
@example("router\u202egnp.exe", 300)
def test_cleaned_text_is_one_harmless_line_of_bounded_length(text: str, limit: int) -> None:
    once = clean(text, limit)
    assert len(once) <= limit
    assert once.isprintable()
    assert once == once.strip()
    assert not re.search("[\u0300-\u036f]{5}", once)
    once.encode()


def test_vietnamese_passes_unchanged_and_composed() -> None:
    assert clean("Trạm Ngh\u0129a Hồ: o\u031b\u0301") == "Trạm Nghĩa Hồ: ớ"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))


def tags(html: str) -> list[tuple[str, tuple[str, ...]]]:
    parser = _Tags()
    parser.feed(html)
    return parser.found


@given(word=hostile)
@example("<script>alert(1)</script>")
@example("{{ 7 * 7 }}{0.__class__}")
@example("x" * 65536)
def test_no_name_or_reason_adds_a_tag_a_line_or_a_control(word: str) -> None:
    calm, wild = (
        write("vi", incident=replace(INCIDENT, reason=text, subject=Subject(
            {"vi": text}, text, {"vi": text}, {"vi": text}, {"vi": text}, text, text
        )), affected=[text])
        for text in ("x", f"x{word}")
    )  # fmt: skip
    assert tags(wild.html) == tags(calm.html)
    assert wild.text.count("\n") == calm.text.count("\n")
    assert wild.subject.isprintable()
    assert all(line.isprintable() for line in wild.text.splitlines())
    assert len(wild.text) < 6000
    assert "<script" not in wild.html
