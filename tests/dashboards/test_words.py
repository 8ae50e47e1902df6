"""The pages' words: the same sentences with the same gaps in every language, and none that no page says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML

from dashboards.web.words import LANGUAGES, Words

OPEN = (
    "state",
    "states",
    "role",
    "event",
    "step",
    "delivery",
    "kind",
    "levels",
    "roles",
    "probes",
    "sensors",
    "marks",
    "units",
    "ranges",
    "error",
    "nav",
    "trouble",
    "owners",
    "severities",
)
"""Groups whose keys come from data."""
PUT_TOGETHER = {
    "acknowledge.invalid", "forecast.no", "forecast.yes",
    "calendar.days", "login.taken", "login.link", "maintenance.planned",
    "maintenance.cancelled", "theme.dark", "theme.light",
}  # fmt: skip
"""Said by a key that is put together where it is said."""


def sentences(data: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from sentences(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", str(value)


def catalogue(language: str) -> dict[str, str]:
    file = resources.files("dashboards.web") / "catalogues" / f"{language}.yaml"
    return dict(sentences(YAML(typ="safe").load(file.read_text(encoding="utf-8"))))


def test_both_languages_say_the_same_with_the_same_gaps() -> None:
    vi, en = (catalogue(language) for language in LANGUAGES)
    assert vi.keys() == en.keys()
    for key, text in vi.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", en[key])), key


def test_there_is_no_sentence_that_no_page_says() -> None:
    folder = resources.files("dashboards.web")
    said = "".join(
        file.read_text(encoding="utf-8")
        for part in (folder, folder / "pages", folder / "templates")
        for file in part.iterdir()
        if file.name.endswith((".py", ".html"))
    )
    unsaid = [key for key in catalogue("en") if key.partition(".")[0] not in OPEN and f'"{key}"' not in said]
    assert set(unsaid) <= PUT_TOGETHER


def test_numbers_and_times_follow_the_language() -> None:
    vi, en = (Words(language, ZoneInfo("Asia/Ho_Chi_Minh")) for language in LANGUAGES)
    assert (vi.number(1234.5), en.number(1234.5)) == ("1\u202f234,5", "1\u202f234.5")
    assert (vi.bits(12_400_000), en.bits(999)) == ("12,4 Mbit/s", "999 bit/s")
    assert vi.percent(None) == "–"
    assert vi.percent(99.9996) == "99,999%"
    assert [vi.percent(value, 0) for value in (0, 20, 99.9, 100)] == ["0%", "20%", "99%", "100%"]
    noon = 1_795_575_600 * 10**9
    assert vi.moment(noon, noon + 60 * 10**9) == f"{vi.local(noon):%H:%M}"
    assert vi.moment(noon, noon + 86_400 * 10**9) == f"{vi.local(noon):%H:%M %d/%m}"
