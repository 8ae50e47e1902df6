"""The dashboards' JSON is what Grafana's own models know, the files are what provisioning reads."""

from __future__ import annotations

import enum
import json
import re
import types
import typing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as models
from ruamel.yaml import YAML
from typer.testing import CliRunner

from dashboards.grafana.boards import BOARDS
from dashboards.grafana.document import Writer
from dashboards.grafana.export import documents, files
from dashboards.grafana.model import Board
from dashboards.grafana.sources import KINDS, Kind, Store
from dashboards.grafana.words import words
from haidang.cli import app

LANGUAGES = ("vi", "en")
register_default_plugins()


def written(kind: Kind, language: str, board: Board) -> dict[str, Any]:
    store = Store(kind, "http://127.0.0.1:8086", org="tinh", bucket="haidang")
    return Writer(language, store.language, {"type": store.type, "uid": "haidang"}, ["datanet"]).document(board)


QUERIES = {
    "influxdb": {"refId", "query", "queryType", "fromAnnotations", "textColumn", "timeEndColumn", "titleColumn",
                 "tagsColumn"},
    "prometheus": {"step", "titleFormat", "textFormat", "tagKeys", "useValueForTime"},
}  # fmt: skip
"""What Grafana's data sources take of an annotation's query; the models know only those of Grafana itself."""


def without_queries(ours: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard whose annotations have only what the models know; the data source must know the rest."""
    kept = []
    for one in ours["annotations"]["list"]:
        kind = one["datasource"]["type"]
        if kind == "influxdb":
            assert set(one["target"]) <= QUERIES[kind]
            kept.append({name: value for name, value in one.items() if name != "target"})
        elif kind == "prometheus":
            assert QUERIES[kind] <= set(one)
            kept.append({name: value for name, value in one.items() if name not in QUERIES[kind]})
        else:
            kept.append(one)
    assert [one["enable"] for one in kept] == [True, True, False, False]
    return {**ours, "annotations": {"list": kept}}


def lost(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Name what of ours the models did not know, or know with another value."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            one for key, value in ours.items()
            for one in ([f"{path}.{key}"] if key not in theirs else lost(value, theirs[key], f"{path}.{key}"))
            if value is not None
        ]  # fmt: skip
    if isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            return [path]
        return [
            one
            for number, pair in enumerate(zip(ours, theirs, strict=True))
            for one in lost(*pair, f"{path}[{number}]")
        ]
    return [] if ours == theirs else [f"{path}: {ours!r} is not {theirs!r}"]


def mistyped(value: Any, kind: Any, path: str) -> list[str]:
    """Name what is not of the type that the models give it: their reader checks no types by itself."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        kinds = [one for one in arguments if (one is types.NoneType) == (value is None)] or list(arguments)
        found = [mistyped(value, one, path) for one in kinds]
        return [] if any(not one for one in found) else min(found, key=len)
    if kind is types.NoneType:
        return [] if value is None else [f"{path}: {value!r} is not null"]
    if origin is typing.Literal:
        return [] if value in arguments else [f"{path}: {value!r} is none of {arguments}"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{path}: {value!r} is no list"]
        return [one for number, item in enumerate(value) for one in mistyped(item, arguments[0], f"{path}[{number}]")]
    if origin is dict:
        return [] if isinstance(value, dict) else [f"{path}: {value!r} is no object"]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return [] if value in [one.value for one in kind] else [f"{path}: {value!r} is no {kind.__name__}"]
    if kind is float:
        return (
            []
            if isinstance(value, int | float) and not isinstance(value, bool)
            else [f"{path}: {value!r} is no number"]
        )
    if kind is str and isinstance(value, enum.Enum):
        value = value.value
    if kind in (int, bool, str):
        return [] if type(value) is kind else [f"{path}: {value!r} is no {kind.__name__}"]
    if isinstance(value, dict) and hasattr(kind, "from_json"):  # some parts the reader leaves as they are
        value = kind.from_json(value)
    if not hasattr(value, "__dict__"):
        known = kind in (object, typing.Any) or not isinstance(kind, type)
        return [] if known else [f"{path}: {value!r} is no {kind.__name__}"]
    return [
        one for name, hint in typing.get_type_hints(type(value)).items() if hasattr(value, name)
        for one in mistyped(getattr(value, name), hint, f"{path}.{name}")
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.id)
def test_grafanas_own_models_know_everything_in_a_dashboard(kind: Kind, board: Board) -> None:
    for language in LANGUAGES:
        ours = without_queries(written(kind, language, board))
        read = models.Dashboard.from_json(json.loads(json.dumps(ours)))
        theirs = json.loads(JSONEncoder(sort_keys=True).encode(read))
        assert lost(ours, theirs) == []
        assert mistyped(read, models.Dashboard, board.id) == []


def test_the_check_against_the_models_finds_faults() -> None:
    ours = without_queries(written("victoriametrics", "en", BOARDS[0]))
    ours["refrehs"], ours["graphTooltip"] = "1m", 9
    ours["panels"][0]["gridPos"]["w"] = "wide"
    read = models.Dashboard.from_json(json.loads(json.dumps(ours)))
    theirs = json.loads(JSONEncoder().encode(read))
    assert lost(ours, theirs) == [".refrehs"]
    assert len(mistyped(read, models.Dashboard, "")) == 2


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.id)
def test_panels_lie_beside_and_below_each_other_and_all_is_said_in_both_languages(board: Board) -> None:
    assert words("vi").keys() == words("en").keys()
    for group in ("boards", "panels", "fields", "states", "notes", "annotations"):
        assert words("vi")[group].keys() == words("en")[group].keys()
    places = [panel["gridPos"] for panel in written("v1", "vi", board)["panels"]]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len(board.uid) <= 40


def grammar(script: str) -> list[str]:
    """Find what is no Flux in a script of ours: brackets, strings, and each step a call that 2.x has, piped forward."""
    body = re.sub(r'import "[^"]+"\s*', "", script)
    bare = re.sub(r'"(?:[^"\\]|\\.)*"|/\^[^/]*\$/', "0", body)
    faults, open_ = [], []
    for character in bare:
        if character in "([{":
            open_.append(character)
        elif character in ")]}" and (not open_ or open_.pop() + character not in ("()", "[]", "{}")):
            faults.append("brackets")
    faults += ["brackets"] if open_ or '"' in bare else []
    calls = {
        "from": {"bucket"}, "range": {"start", "stop"}, "filter": {"fn"}, "derivative": {"unit", "nonNegative"},
        "map": {"fn"}, "toFloat": set[str](), "last": set[str](), "group": {"columns"}, "sort": {"columns"},
        "pivot": {"rowKey", "columnKey", "valueColumn"}, "keep": {"columns"},
        "rename": {"columns"}, "limit": {"n"},
        "aggregateWindow": {"every", "fn", "createEmpty"}, "schema.tagValues": {"bucket", "tag", "predicate", "start"},
    }  # fmt: skip
    for step in re.split(r"\n  \|> ", bare):
        match = re.fullmatch(r"([A-Za-z.]+)\((.*)\)", step, re.DOTALL)
        if match is None or match[1] not in calls:
            faults.append(step)
            continue
        inner = re.sub(r"\([^()]*\)|\[[^]]*\]|\{[^}]*\}", "0", re.sub(r"=> .*$|=> \(.*\)$", "", match[2]))
        names = set(re.findall(r"(\w+):", inner))
        if names - calls[match[1]] or (match[1] in ("range", "aggregateWindow") and names != calls[match[1]]):
            faults.append(step)
    return faults


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.id)
def test_flux_is_written_by_its_grammar(board: Board) -> None:
    made = written("v2", "en", board)
    scripts = [target["query"] for panel in made["panels"] for target in panel["targets"]]
    scripts += [mark["target"]["query"] for mark in made["annotations"]["list"][:2]]
    scripts += [variable["query"]["query"] for variable in made["templating"]["list"]]
    for script in scripts:
        assert grammar(script) == [], script
        steps = [line.removeprefix("  |> ").split("(")[0] for line in script.split("\n")]
        if steps[0] == "from":  # range must follow from, and filters come before anything else is done
            assert steps[:3] == ["from", "range", "filter"]
            assert all(not (b == "filter" and a not in ("range", "filter")) for a, b in pairwise(steps))
    assert grammar('from(bucket: "x")\n  |> rnage(start: -1h)') != []
    assert grammar('from(bucket: "x"\n  |> last()') != []


CONFIG = """\
haidang: 1
data_dir: ./data
storage: {{kind: influxdb, influxdb: {{{}}}}}
systems: [{{id: datanet, name: TSLCD}}]
targets: [{{id: hub, address: 192.0.2.1, system: datanet}}]
"""


def exported(folder: Path, influx: str, *more: str) -> dict[str, Any]:
    (folder / "haidang.yaml").write_text(CONFIG.format(influx), encoding="utf-8")
    words_ = ["dashboards", "export", str(folder / "out"), "-c", str(folder / "haidang.yaml"), *more]
    result = CliRunner().invoke(app, words_)
    assert result.exit_code == 0, result.output
    [source] = YAML(typ="safe").load(folder / "out/provisioning/datasources/haidang.yaml")["datasources"]
    return {"source": source, "said": result.stdout}


def test_files_hold_the_datasource_the_folder_and_every_dashboard_but_no_secret(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("very-secret", encoding="utf-8")
    found = exported(
        tmp_path, "flavour: v2, url: 'http://db:8086', org: 'Sở $TT', bucket: haidang, token: {file: token}"
    )
    source = found["source"]
    assert (source["uid"], source["type"], source["jsonData"]["version"]) == ("haidang", "influxdb", "Flux")
    assert source["jsonData"]["organization"] == "Sở $$TT"
    assert source["secureJsonData"] == {"token": f"$__file{{{tmp_path / 'token'}}}"}
    place = tmp_path / "out/provisioning"
    [provider] = YAML(typ="safe").load(place / "dashboards/haidang.yaml")["providers"]
    assert (provider["folderUid"], provider["options"]["path"]) == (
        "haidang", "/etc/grafana/provisioning/dashboards/haidang",
    )  # fmt: skip
    boards = sorted(place.glob("dashboards/haidang/*.json"))
    assert {json.loads(path.read_text(encoding="utf-8"))["uid"] for path in boards} == {board.uid for board in BOARDS}
    assert not any("very-secret" in path.read_text(encoding="utf-8") for path in place.rglob("*.*"))
    assert "v2 is asked in Flux" in found["said"]


@pytest.mark.parametrize(
    ("kind", "influx", "type_", "version"),
    [
        ("v1", "", "influxdb", "InfluxQL"),
        ("v2-influxql", "org: o, bucket: b, token: {env: T}", "influxdb", "InfluxQL"),
        ("v3", "token: {env: T}", "influxdb", "InfluxQL"), ("victoriametrics", "", "prometheus", None),
    ],
)  # fmt: skip
def test_each_store_gets_its_datasource(
    kind: str, influx: str, type_: str, version: str | None, tmp_path: Path
) -> None:
    source = exported(tmp_path, influx, "--store", kind, "--store-url", "https://db.example:8086")["source"]
    assert (source["type"], source["jsonData"].get("version"), source["url"]) == (
        type_, version, "https://db.example:8086",
    )  # fmt: skip
    if influx:
        assert source["jsonData"]["httpHeaderName1"] == "Authorization"
        assert source["secureJsonData"]["httpHeaderValue1"].endswith(" $__env{T}")


@pytest.mark.parametrize(
    ("storage", "more", "words_"),
    [
        ("kind: embedded", [], "Grafana cannot read the embedded store"),
        ("kind: influxdb, influxdb: {url: 'http://127.0.0.1:1'}", [], "which kind of store is that?"),
        ("kind: influxdb", ["--store", "influx"], "--store: influx is none of v1, v2, v2-influxql, v3,"),
        ("kind: influxdb", ["--store", "v2"], "give storage.influxdb.bucket and org"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_said_with_the_cure(
    storage: str, more: list[str], words_: str, tmp_path: Path
) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(f"haidang: 1\nstorage: {{{storage}}}\ntargets: [{{id: a, address: 192.0.2.1}}]\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["dashboards", "export", str(tmp_path / "out"), "-c", str(path), *more])
    assert result.exit_code == 2
    assert words_ in result.stderr


def test_a_systems_board_shows_its_system_first_where_there_is_one() -> None:
    store = Store("v1", "http://x")
    for known, chosen in ((["datanet"], "datanet"), (["other"], "$__all")):
        [board] = [one for one in documents(store, "vi", known) if one["uid"] == "haidang-datanet"]
        [system] = [one for one in board["templating"]["list"] if one["name"] == "system"]
        assert system["current"]["value"] == [chosen]
    assert len(list(files(store, "vi", []))) == len(BOARDS) + 2
