"""The search index against the slow and obvious way of saying what is found and what comes first."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import load
from dashboards.web.model.index import MOST, Index, plain

NAMES = ("Xã Lục Ngạn", "Bến xe", "Trung tâm", "Đèn", "xã 12", "Ngan hang")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """A province of a few hundred things with names that are alike."""
    folder = tmp_path_factory.mktemp("index")
    lines = ["haidang: 1", "data_dir: ./data", "systems: [{id: xa, name: Xã}, {id: s1, name: Ngân hàng}]", "sites:"]
    lines += [f"  - {{id: site{number}, name: {NAMES[number % 6]} {number}}}" for number in range(40)]
    lines += ["circuits: [{id: line12, carrier: Viettel, contract: HD-12, a: site1, b: site2}]", "targets:"]
    lines += [
        f"  - {{id: t{number}, name: {NAMES[number % 5]} {number}, address: 127.0.{number % 7}.{1 + number % 250}, "
        f"site: site{number % 40}}}"
        for number in range(400)
    ]
    (folder / "haidang.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Index(load(folder / "haidang.yaml").inventory)


def obviously(index: Index, asked: str) -> tuple[list[str], int]:
    """Look at every entry, then sort."""
    wanted = plain(asked)[:100].split()
    found = [one for one in index._entries if wanted and all(word in one.text for word in wanted)]
    whole = " ".join(wanted)
    found.sort(key=lambda one: (whole not in one.head, not one.head.startswith(whole), one.kind == "target"))
    return [f"{one.kind} {one.id}" for one in found[:MOST]], len(found)


WORDS = st.sampled_from(["xã", "XA 1", "lục ngạn", "t1", "t39", "127.0.3", "viettel", "hd-12", "s", "đèn 3", "zz", " "])


@given(st.lists(WORDS | st.text(alphabet="xat1 0.", max_size=5), max_size=3))
@settings(max_examples=60)
def test_what_is_found_and_its_order_are_those_of_the_obvious_way(index: Index, asked: list[str]) -> None:
    found, count = index.find(" ".join(asked))
    assert ([f"{one.kind} {one.id}" for one in found], count) == obviously(index, " ".join(asked))


def test_a_device_is_known_by_its_names_with_and_without_a_domain(index: Index) -> None:
    assert index.called("T7.example.vn") == "t7"
    assert index.called("den 3") == "t3"
    assert index.called("nobody") is None


def test_the_example_is_large_enough_to_be_cut(index: Index) -> None:
    found, count = index.find("x")
    assert len(found) == MOST < count
