"""Dashboards are brought into a Grafana that others use: twice is as once, nobody's work is lost in silence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from haidang.cli import app
from haidang.clock import SystemClock
from haidang.model import State
from storage.accounts import Accounts, Maintenance
from tests.alerting.province import Desk
from tests.support.grafana import TOKEN, Grafana, grafana
from tests.support.stores import free_port

NAMES = (
    "haidang-overview", "haidang-wan", "haidang-datanet", "haidang-conference", "haidang-datacentre",
    "haidang-cameras", "haidang-slo", "haidang-prober",
)  # fmt: skip


@pytest.fixture
def there() -> Iterator[Grafana]:
    with grafana() as running:
        yield running


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAIDANG_GRAFANA_TOKEN", TOKEN)
    monkeypatch.setenv("STORE_PASSWORD", "geheim")
    path = tmp_path / "haidang.yaml"
    path.write_text(
        "haidang: 1\ndata_dir: ./data\nlanguage: en\n"
        "storage: {kind: influxdb, influxdb: {flavour: v1, url: 'http://db:8086', username: haidang,"
        " password: {env: STORE_PASSWORD}}}\n"
        "systems: [{id: datanet, name: Data network}]\n"
        "targets: [{id: hub, name: Hub, address: 192.0.2.1, system: datanet}]\n",
        encoding="utf-8",
    )
    return path


def pushed(there: Grafana, config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["dashboards", "push", "--url", there.url, "-c", str(config), *words])


def outcomes(result: Result) -> dict[str, str]:
    assert result.exit_code in (0, 1), result.output
    return {one["uid"]: one["outcome"] for one in json.loads(result.stdout)["results"]}


@pytest.mark.parametrize("client", ["grafana-client", "grafana-api"])
def test_everything_comes_in_and_a_second_time_changes_nothing(client: str, there: Grafana, config: Path) -> None:
    first = pushed(there, config, "--json", "--client", client)
    assert first.exit_code == 0, first.output
    assert outcomes(first) == dict.fromkeys(("haidang", *NAMES), "created")
    assert set(there.versions) == set(NAMES)
    assert there.folders["haidang"]["title"] == "Haidang"
    assert {rows[-1]["folder"] for rows in there.versions.values()} == {"haidang"}
    source = there.sources["haidang"]
    assert (source["url"], source["basicAuthUser"], source["secureJsonData"]) == (
        "http://db:8086", "haidang", {"basicAuthPassword": "geheim"},
    )  # fmt: skip
    there.writes.clear()
    again = pushed(there, config, "--json", "--client", client)
    assert (again.exit_code, set(outcomes(again).values()), there.writes) == (0, {"unchanged"}, [])


def test_a_newer_grafana_that_gives_versions_by_the_page_is_understood(there: Grafana, config: Path) -> None:
    there.pages = True
    pushed(there, config)
    assert set(outcomes(pushed(there, config, "--json")).values()) == {"unchanged"}


def test_a_grafana_below_a_path_is_found(there: Grafana, config: Path) -> None:
    there.prefix = "/grafana"
    there.url += "/grafana/"
    assert pushed(there, config).exit_code == 0
    there.url = there.url.removesuffix("/grafana/")
    wrong = pushed(there, config)
    assert wrong.exit_code == 1
    assert "is that Grafana's address, with the path it is under?" in wrong.stderr


def test_another_language_is_an_update_of_what_nobody_else_has_touched(there: Grafana, config: Path) -> None:
    pushed(there, config)
    vietnamese = pushed(there, config, "--language", "vi", "--json")
    found = outcomes(vietnamese)
    assert {found[name] for name in NAMES} == {"updated"}
    assert there.dashboard("haidang-wan")["title"] == "Hải Đăng – WAN và các kênh truyền"
    assert there.dashboard("haidang-wan")["version"] == 2


def test_what_somebody_else_changed_is_shown_and_left_until_told_to_overwrite(there: Grafana, config: Path) -> None:
    pushed(there, config)
    there.edit("haidang-wan", title="Của Lan")
    refused = pushed(there, config)
    assert refused.exit_code == 1
    assert re.search(
        r"conflict\s+dashboard\s+haidang-wan\s+changed by lan since we wrote it; --overwrite", refused.stdout
    )
    assert '- "title": "Của Lan",' in refused.stdout.replace("-  ", "- ")
    assert there.dashboard("haidang-wan")["title"] == "Của Lan"
    forced = pushed(there, config, "--overwrite", "--json")
    assert (forced.exit_code, outcomes(forced)["haidang-wan"]) == (0, "updated")
    assert there.dashboard("haidang-wan")["title"] == "Haidang – WAN and circuits"
    assert [row["message"][:8] for row in there.versions["haidang-wan"]] == ["haidang ", "", "haidang "]


def test_diff_only_shows_what_would_be(there: Grafana, config: Path) -> None:
    before = pushed(there, config, "--diff")
    assert before.exit_code == 0
    assert "would be" in before.stdout
    assert there.writes == []
    pushed(there, config)
    there.writes.clear()
    shown = pushed(there, config, "--language", "vi", "--diff")
    assert '"title": "Hải Đăng – WAN và các kênh truyền"' in shown.stdout
    assert there.writes == []


def test_who_saves_in_the_same_moment_keeps_what_they_saved(there: Grafana, config: Path) -> None:
    pushed(there, config)
    there.before_save = lambda uid: there.edit(uid, title="Của Lan") if uid == "haidang-slo" else None
    mismatch = pushed(there, config, "--language", "vi", "--json")
    found = {one["uid"]: one for one in json.loads(mismatch.stdout)["results"]}
    assert mismatch.exit_code == 1
    assert found["haidang-slo"]["outcome"] == "conflict"
    assert "somebody saved it while we were at it" in found["haidang-slo"]["words"]
    assert there.dashboard("haidang-slo")["title"] == "Của Lan"
    assert found["haidang-prober"]["outcome"] == "updated"  # one that cannot be does not stop the others


def test_a_title_that_is_taken_is_said_with_the_cure(there: Grafana, config: Path) -> None:
    there.unique_titles = True
    there.folders["haidang"] = {"uid": "haidang", "title": "Haidang"}
    there._save({"uid": "other", "title": "Haidang – Cameras"}, "haidang", "", "lan")
    result = pushed(there, config, "--json")
    found = {one["uid"]: one for one in json.loads(result.stdout)["results"]}
    assert result.exit_code == 1
    assert found["haidang-cameras"]["outcome"] == "conflict"
    assert "another dashboard in the folder has this title: rename it" in found["haidang-cameras"]["words"]
    assert found["haidang-wan"]["outcome"] == "created"


def test_a_folder_of_the_same_name_is_not_taken_over(there: Grafana, config: Path) -> None:
    there.folders["x"] = {"uid": "x", "title": "Haidang"}
    result = pushed(there, config)
    assert result.exit_code == 1
    assert 'there is a folder "Haidang" with another UID' in result.stderr
    assert pushed(there, config, "--folder", "Giám sát").exit_code == 0


def test_what_comes_from_files_is_left_to_the_files(there: Grafana, config: Path) -> None:
    pushed(there, config)
    there.provisioned.add("haidang-wan")
    there.sources["haidang"]["readOnly"] = True
    there.sources["haidang"]["url"] = "http://elsewhere:8086"
    result = pushed(there, config, "--overwrite", "--language", "vi", "--json")
    found = {one["uid"]: one for one in json.loads(result.stdout)["results"] if one["what"] != "folder"}
    assert result.exit_code == 1
    assert "comes from a file" in found["haidang-wan"]["words"]
    assert "comes from a file" in found["haidang"]["words"]


def test_a_datasource_that_somebody_set_otherwise_is_left(there: Grafana, config: Path) -> None:
    pushed(there, config)
    there.sources["haidang"] |= {"url": "http://other:8086", "name": "Kho số đo"}
    result = pushed(there, config)
    assert result.exit_code == 1
    assert "http://other:8086" in result.stdout
    assert there.sources["haidang"]["url"] == "http://other:8086"
    assert pushed(there, config, "--overwrite").exit_code == 0
    assert (there.sources["haidang"]["url"], there.sources["haidang"]["name"]) == ("http://db:8086", "Kho số đo")


@pytest.mark.parametrize("client", ["grafana-client", "grafana-api"])
def test_missing_rights_are_said_with_the_cure(
    client: str, there: Grafana, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.role = "Viewer"
    viewer = pushed(there, config, "--client", client)
    assert viewer.exit_code == 1
    assert "the token may not do this (/folders): You'll need additional permissions" in viewer.stderr
    there.role = "Editor"
    editor = pushed(there, config, "--client", client)
    assert "may not do this (/datasources/uid/haidang)" in editor.stderr
    assert "--datasource" in editor.stderr
    assert pushed(there, config, "--client", client, "--datasource", "influx-1").exit_code == 0
    assert there.dashboard("haidang-wan")["panels"][0]["datasource"] == {"type": "influxdb", "uid": "influx-1"}
    monkeypatch.setenv("HAIDANG_GRAFANA_TOKEN", "glsa_wrong")
    wrong = pushed(there, config, "--client", client)
    assert wrong.exit_code == 1
    assert "does not know the token: make a service account" in wrong.stderr
    monkeypatch.delenv("HAIDANG_GRAFANA_TOKEN")
    none = pushed(there, config)
    assert none.exit_code == 2
    assert "HAIDANG_GRAFANA_TOKEN" in none.stderr


@pytest.mark.parametrize("client", ["grafana-client", "grafana-api"])
def test_a_grafana_that_is_away_slow_or_something_else_ends_the_command_in_plain_words(
    client: str, there: Grafana, config: Path
) -> None:
    def said() -> str:
        result = pushed(there, config, "--client", client, "--timeout", "0.2")
        assert result.exit_code == 1
        assert "Traceback" not in result.output
        return result.stderr

    for broken, words in (
        ((502, "text/html", b"<html>Bad gateway</html>"), "has trouble of its own (502)"),
        ((200, "text/html", b"<html>Sign in</html>"), "is a proxy or another page in front of it?"),
        ((200, "application/json", b"{"), "is a proxy or another page in front of it?"),
    ):
        there.broken = broken
        assert words in said(), (client, broken)
    there.broken, there.slow_s = None, 30
    assert "no answer within 0.2 s" in said()
    there.url = f"http://127.0.0.1:{free_port()}"
    assert "does not answer" in said()
    there.url = "grafana.example"
    assert "is not an address of Grafana" in said()


def test_incidents_and_maintenance_become_annotations_that_grow_with_them(
    there: Grafana, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    desk = Desk(tmp_path / "data", SystemClock())
    desk.becomes(State.DOWN, reason="<b>no answer</b>")
    now_ns = SystemClock().utc_ns()
    work = Maintenance(0, "site", "hub", now_ns, now_ns + 3600 * 10**9, "", "UTC", 1, "thay cáp", "Lan", now_ns)
    Accounts(desk.database).plan(work)
    assert pushed(there, config, "--annotations", "366").exit_code == 0
    by_kind = {one["tags"][1]: one for one in there.annotations}
    assert set(by_kind) == {"incident", "maintenance"}
    incident = by_kind["incident"]
    assert incident["tags"] == ["haidang", "incident", "haidang-incident-1"]
    assert incident["text"] == "#1 Station hub: &lt;b&gt;no answer&lt;/b&gt;"
    assert incident["timeEnd"] == incident["time"]
    there.writes.clear()
    pushed(there, config, "--annotations", "366")
    assert there.writes == []
    desk.becomes(State.UP)
    again = json.loads(pushed(there, config, "--annotations", "366", "--json").stdout)
    assert again["annotations"] == {"created": 0, "updated": 1, "unchanged": 1}
    assert incident["timeEnd"] > incident["time"]
    desk.database.close()
