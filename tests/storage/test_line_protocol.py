"""Lines against a slow and obvious parser, and against what a real InfluxDB reads out of them."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haidang.model import FieldValue, Point, Series
from storage.influx.lines import LineBuilder
from tests.support.stores import Server, influxdb

TEXT = st.text(st.one_of(st.sampled_from("\\ ,=\"'#/\n\t"), st.characters(codec="utf-8")), max_size=8)
NAME = TEXT.filter(lambda text: text.strip("\n\t ") != "")
VALUE = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), TEXT
)
POINTS = st.builds(
    lambda name, tags, time_ns, fields: Point(Series(name, tuple(tags.items())), time_ns, fields),
    NAME, st.dictionaries(NAME, TEXT, max_size=3), st.integers(0, 2**62), st.dictionaries(NAME, VALUE, min_size=1),
)  # fmt: skip


def parse(line: str) -> tuple[str, dict[str, str], dict[str, FieldValue], int]:
    """Read a line character by character, after the line protocol reference."""
    at = 0

    def word(stops: str) -> str:
        nonlocal at
        text = ""
        while line[at] not in stops:
            if line[at] == "\\" and line[at + 1] in ",= ":
                at += 1
            text += line[at]
            at += 1
        return text

    def value() -> FieldValue:
        nonlocal at
        if line[at] == '"':
            at += 1
            text = ""
            while line[at] != '"':
                if line[at] == "\\" and line[at + 1] in '"\\':
                    at += 1
                text += line[at]
                at += 1
            at += 1
            return text
        plain = word(", ")
        if plain in {"true", "false"}:
            return plain == "true"
        return int(plain[:-1]) if plain.endswith("i") else float(plain)

    measurement = word(", ")
    tags: dict[str, str] = {}
    while line[at] == ",":
        at += 1
        key = word("=")
        at += 1
        tags[key] = word(", ")
    fields: dict[str, FieldValue] = {}
    while not fields or line[at] == ",":
        at += 1
        key = word("=")
        at += 1
        fields[key] = value()
    return measurement, tags, fields, int(line[at + 1 :])


def tame(text: str, *, name: bool = True) -> str:
    """What a text becomes: no control characters, and in names no backslash where it would mean something."""
    clean = "".join(" " if character < " " or character == "\x7f" else character for character in text)
    if not name:
        return clean
    result = ""
    for character in reversed(clean):
        result = ("/" if character == "\\" and (not result or result[0] in ',= "\\/') else character) + result
    return result


@given(POINTS)
def test_a_line_reads_as_the_point_it_was_made_from(point: Point) -> None:
    data = LineBuilder().line(point)
    assert data is not None
    line = data.decode()
    assert "\n" not in line
    measurement, tags, fields, time_ns = parse(line)
    expected = tame(point.series.measurement)
    assert measurement == ("_" + expected[1:] if expected.startswith("#") else expected)
    assert time_ns == point.time_ns
    assert tags == {tame(key): tame(value) for key, value in sorted(point.series.tags) if value}
    assert fields == {
        tame(key): tame(value, name=False) if isinstance(value, str) else value for key, value in point.fields.items()
    }
    assert {tame(key): type(value) for key, value in point.fields.items()} == {k: type(v) for k, v in fields.items()}


def test_what_cannot_be_written_is_left_out_and_counted() -> None:
    builder = LineBuilder(text_fields=False)
    fields: dict[str, FieldValue] = {"n": float("nan"), "i": float("inf"), "big": 2**63, "text": "x", "v": 1.5}
    assert builder.line(Point(Series("m", (("b", "2"), ("a", ""), ("", "x"))), 7, fields)) == b"m,b=2 v=1.5 7"
    assert builder.skipped == 4
    assert builder.line(Point(Series("m", ()), 7, {"text": "x"})) is None
    assert builder.line(Point(Series("", ()), 7, {"v": 1})) is None


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with influxdb(tmp_path_factory.mktemp("influx")) as server:
        ask(server, "CREATE DATABASE lines", post=True)
        yield server


def ask(server: Server, statement: str, *, post: bool = False) -> list[dict[str, object]]:
    query = urllib.parse.urlencode({"db": "lines", "epoch": "ns", "q": statement})
    request = urllib.request.Request(f"{server.url}/query?{query}", method="POST" if post else "GET")
    with urllib.request.urlopen(request, timeout=10) as reply:
        result: list[dict[str, object]] = json.load(reply)["results"][0].get("series", [])
        return result


@given(st.lists(POINTS, min_size=1, max_size=20))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_a_real_influxdb_reads_back_what_was_written(influx: Server, points: list[Point]) -> None:
    ask(influx, "DROP DATABASE lines", post=True)
    ask(influx, "CREATE DATABASE lines", post=True)
    builder = LineBuilder()
    for number, point in enumerate(points):
        # a measurement for each, so that types never conflict; prefixes, because some tag names are reserved
        tags = tuple((f"t{key}", value) for key, value in point.series.tags)
        fields = {f"f{key}": value for key, value in point.fields.items()}
        name = f"m{number} {point.series.measurement}"
        line = builder.line(Point(Series(name, tags), point.time_ns, fields))
        assert line is not None
        request = urllib.request.Request(f"{influx.url}/write?db=lines&precision=ns", data=line, method="POST")
        with urllib.request.urlopen(request, timeout=10) as reply:
            assert reply.status == 204
        measurement, parsed_tags, parsed_fields, time_ns = parse(line.decode())
        quoted = measurement.replace("\\", "\\\\").replace('"', '\\"')
        [series] = ask(influx, f'SELECT * FROM "{quoted}" GROUP BY *')
        assert (series["name"], series.get("tags", {})) == (measurement, parsed_tags)
        columns, rows = series["columns"], series["values"]
        assert isinstance(columns, list)
        assert isinstance(rows, list)
        found: dict[str, FieldValue] = dict(zip(columns, rows[0], strict=True))
        for name, value in parsed_fields.items():  # its JSON writes a whole float without a point
            found[name] = float(found[name]) if type(value) is float else found[name]
        assert found == {"time": time_ns, **parsed_fields}
