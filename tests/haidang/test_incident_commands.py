"""``haidang incidents``: the list, one in full, and what it says when there is nothing or nobody to ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerting.records import Owner
from haidang.cli import app
from haidang.clock import SystemClock
from haidang.model import CheckId, State
from tests.alerting.province import SPOKE, Desk

CONFIG = "haidang: 1\ndata_dir: .\nlanguage: en\n"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "haidang.yaml").write_text(CONFIG, encoding="utf-8")
    made = Desk(tmp_path, SystemClock())
    yield made
    made.database.close()


def haidang(folder: Path, *words: str, status: int) -> str:
    result = CliRunner().invoke(app, [*words, "--config", str(folder / "haidang.yaml")])
    assert result.exit_code == status, result.output
    return result.output


def test_one_incident_is_shown_whole_and_the_list_says_who_looks_after_it(desk: Desk, tmp_path: Path) -> None:
    desk.becomes(State.DOWN, reason="no reply\x1b[31m")
    desk.becomes(State.UNREACHABLE, SPOKE, cause=CheckId("hub", "icmp"))
    desk.incidents.acknowledge(1, "An", None, "on my way")
    desk.incidents.attribute(1, "An", Owner.CARRIER, "ticket 4711")
    desk.incidents.keep_evidence(1, "samples", ["last good sample 03:12"])
    listed = haidang(tmp_path, "incidents", status=1)
    assert "#1" in listed
    assert "An" in listed
    for words in (("incidents", "1"), ("incidents", "#1"), ("incidents", "show", "1")):
        shown = haidang(tmp_path, *words, status=1)
        for part in (
            "#1 Station hub (hub/icmp)", "carrier (says An)", "by An until it is over", "last good sample 03:12",
            "An: on my way", "hidden         1: spoke/icmp", "an@example.vn",
        ):  # fmt: skip
            assert part in shown
        assert "\x1b" not in shown
    found = json.loads(haidang(tmp_path, "incidents", "1", "--json", status=1))
    assert (found["owner"], found["acknowledged"], found["acknowledged_until"]) == ("carrier", True, None)
    assert [event["kind"] for event in found["timeline"]] == ["opened", "hidden", "acknowledged", "owner"]


def test_merged_incidents_are_out_of_the_list_and_found_with_all(desk: Desk, tmp_path: Path) -> None:
    for number in range(3):
        desk.becomes(State.DOWN, CheckId(f"t{number}", "icmp"))
    [storm] = json.loads(haidang(tmp_path, "incidents", "--json", status=1))
    assert (storm["number"], storm["merged"]) == (4, [1, 2, 3])
    everything = json.loads(haidang(tmp_path, "incidents", "--all", "--json", status=1))
    assert [one["merged_into"] for one in everything] == [None, 4, 4, 4]
    assert "goes on in     #4" in haidang(tmp_path, "incidents", "2", status=1)


def test_what_is_not_there_is_said_in_words(desk: Desk, tmp_path: Path) -> None:
    assert "there is no incident 7" in haidang(tmp_path, "incidents", "7", status=2)
    assert "is not the number of an incident" in haidang(tmp_path, "ack", "x7", status=2)
    assert "no daemon runs on this data directory" in haidang(tmp_path, "ack", "1", status=1)
    assert "is not a time" in haidang(tmp_path, "ack", "1", "--until", "soon", status=2)
    assert "no open incidents" in haidang(tmp_path, "incidents", status=0)
