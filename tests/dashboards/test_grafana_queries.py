"""Every query of every dashboard is asked of a real InfluxDB 1.6 and a real VictoriaMetrics, and has an answer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import pytest

from dashboards.grafana.boards import BOARDS
from dashboards.grafana.document import Writer
from dashboards.grafana.model import Board
from dashboards.grafana.sources import Store
from tests.support.dashboards import (
    CUT_S,
    MENDED_S,
    Recorded,
    chosen,
    get,
    influx_rows,
    record,
    settled,
    victoria_rows,
    write,
)
from tests.support.stores import Server, influxdb, victoriametrics

pytestmark = pytest.mark.slow
DAY_S = 86_400


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    yesterday_s = int(time.time()) // DAY_S * DAY_S - DAY_S
    return record(tmp_path_factory.mktemp("daemon"), yesterday_s + 13 * 60)


def filled(
    start: Callable[..., AbstractContextManager[Server]], recorded: Recorded, factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = factory.mktemp("store")
    with start(folder / "server") as server:
        write(server, recorded, folder / "spool.db")
        yield server


@pytest.fixture(scope="module")
def influx(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from filled(influxdb, recorded, tmp_path_factory)


@pytest.fixture(scope="module")
def victoria(recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    for server in filled(victoriametrics, recorded, tmp_path_factory):
        settled(server, recorded)
        yield server


def document(store: Store, board: Board, recorded: Recorded) -> dict[str, Any]:
    known = recorded.configuration.inventory.systems
    return Writer("vi", store.language, {"type": store.type, "uid": "haidang"}, known).document(board)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.id)
def test_each_influxql_query_has_an_answer(board: Board, influx: Server, recorded: Recorded) -> None:
    written = document(Store("v1", influx.url), board, recorded)
    empty = []
    for panel in written["panels"]:
        for target in panel["targets"]:
            text = chosen(target["query"], written)
            if not influx_rows(influx, text, recorded, panel["interval"]):
                empty.append((panel["title"], text))
    assert empty == []
    for variable in written["templating"]["list"]:
        answer = get(f"{influx.url}/query", db="haidang", q=variable["query"])
        values = {row[1] for row in answer["results"][0]["series"][0]["values"]}
        assert values, variable["query"]
        [first] = variable["current"]["value"]
        assert first == "$__all" or first in values


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.id)
def test_each_metricsql_query_has_an_answer(board: Board, victoria: Server, recorded: Recorded) -> None:
    written = document(Store("victoriametrics", victoria.url), board, recorded)
    empty = []
    for panel in written["panels"]:
        for target in panel["targets"]:
            text = chosen(target["expr"], written)
            if not victoria_rows(victoria, target, text, recorded, panel["interval"]):
                empty.append((panel["title"], text))
    assert empty == []
    for variable in written["templating"]["list"]:
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert match
        answer = get(
            f"{victoria.url}/api/v1/label/{match[2]}/values", start=str(recorded.start_s), end=str(recorded.end_s),
            **{"match[]": match[1]},
        )  # fmt: skip
        assert answer["data"], variable["query"]


def test_incidents_and_maintenance_are_marked_with_their_words_and_their_ends(
    influx: Server, recorded: Recorded
) -> None:
    written = document(Store("v1", influx.url), BOARDS[0], recorded)
    incidents, maintenance = (one["target"] for one in written["annotations"]["list"][:2])
    rows = influx_rows(influx, incidents["query"], recorded, "60s")
    assert incidents["textColumn"] == "text"
    assert incidents["timeEndColumn"] == "end_ms"
    assert rows
    for at, text, end_ms in rows:
        assert re.fullmatch(r"#\d+ .+: .+", text)
        start_s = datetime.fromisoformat(at).timestamp() - recorded.start_s
        assert CUT_S - 60 <= start_s <= CUT_S + 60
        assert MENDED_S - 60 <= end_ms / 1000 - recorded.start_s <= MENDED_S + 120
    [[at, text, end_ms]] = influx_rows(influx, maintenance["query"], recorded, "60s")
    assert text == "system:cameras: new &lt;switch&gt;"
    assert end_ms / 1000 - datetime.fromisoformat(at).timestamp() == 600


def test_a_store_of_numbers_marks_them_by_how_long_they_were(victoria: Server, recorded: Recorded) -> None:
    written = document(Store("victoriametrics", victoria.url), BOARDS[0], recorded)
    incidents, maintenance = written["annotations"]["list"][:2]
    for mark, low_s, high_s in ((incidents, 180, 480), (maintenance, 480, 780)):
        found = victoria_rows(victoria, {"instant": False}, mark["expr"], recorded, mark["step"])
        assert found, mark["expr"]
        for line in found:
            assert set(line["metric"]) == {"number", "name"}
            times = [int(at) for at, _ in line["values"]]
            assert low_s <= times[-1] - times[0] <= high_s
            assert all(value == "1" for _, value in line["values"])


TELEGRAFS = {
    # What dashboards for Telegraf's ping plugin ask, by tag url and host.
    "ping loss": 'SELECT mean("percent_packet_loss") FROM "ping" WHERE "url" =~ /^.*$/ AND $timeFilter '
    'GROUP BY time($__interval), "url" fill(null)',
    "ping reachable": 'SELECT 100 - mean("percent_packet_loss") FROM "ping" WHERE "url" =~ /^.+$/ AND $timeFilter '
    "GROUP BY time(1m) fill(null)",
    "ping mean": 'SELECT mean("average_response_ms") FROM "ping" WHERE $timeFilter '
    'GROUP BY time($__interval), "url" fill(null)',
    "ping worst": 'SELECT max("maximum_response_ms"), min("minimum_response_ms") FROM "ping" '
    'WHERE "host" =~ /^.+$/ AND $timeFilter GROUP BY time($__interval), "url" fill(null)',
    "ping packets": 'SELECT sum("packets_transmitted"), sum("packets_received") FROM "ping" WHERE $timeFilter '
    'GROUP BY time($__interval), "host"',
    "ping devices": 'SELECT count("last") FROM (SELECT last("percent_packet_loss") FROM "ping" WHERE $timeFilter '
    'GROUP BY "url")',
    "ping result": 'SELECT last("result_code") FROM "ping" WHERE $timeFilter GROUP BY "url"',
    # What dashboards for its SNMP plugin ask of the table "interface" of its manual: hostname is sysName.
    "interface in": 'SELECT non_negative_derivative(mean("ifHCInOctets"), 1s) * 8 FROM "interface" '
    'WHERE "hostname" =~ /^.+$/ AND "ifDescr" =~ /^.+$/ AND $timeFilter '
    'GROUP BY time(5m), "hostname", "ifDescr" fill(null)',
    "interface out": 'SELECT non_negative_derivative(mean("ifHCOutOctets"), 1s) * 8 AS "Out" FROM "interface" '
    'WHERE "agent_host" =~ /^.+$/ AND "ifName" =~ /^.+$/ AND $timeFilter '
    'GROUP BY time(5m), "agent_host", "ifName" fill(null)',
    "interface errors": 'SELECT derivative(mean("ifInErrors"), 1s), derivative(mean("ifOutErrors"), 1s), '
    'derivative(mean("ifInDiscards"), 1s), derivative(mean("ifOutDiscards"), 1s) FROM "interface" WHERE $timeFilter '
    'GROUP BY time(5m), "hostname", "ifDescr"',
    "interface state": 'SELECT last("ifOperStatus"), last("ifAdminStatus"), last("ifSpeed") FROM "interface" '
    'WHERE $timeFilter GROUP BY "hostname", "ifName"',
    "interface alias": 'SELECT last("ifOperStatus") FROM "interface" WHERE "ifAlias" =~ /^.+$/ AND $timeFilter '
    'GROUP BY "agent_host", "ifAlias"',
}
TAGS = {"ping": {"url", "host"}, "interface": {"agent_host", "hostname", "host", "ifName", "ifDescr", "ifAlias"}}


@pytest.mark.parametrize("name", TELEGRAFS)
def test_dashboards_made_for_telegraf_show_our_measurements_unchanged(
    name: str, influx: Server, recorded: Recorded
) -> None:
    assert influx_rows(influx, TELEGRAFS[name], recorded, "60s")


@pytest.mark.parametrize(("measurement", "tag"), [(one, tag) for one, tags in TAGS.items() for tag in sorted(tags)])
def test_their_variables_find_our_tags(measurement: str, tag: str, influx: Server) -> None:
    answer = get(f"{influx.url}/query", db="haidang", q=f'SHOW TAG VALUES FROM "{measurement}" WITH KEY = "{tag}"')
    assert answer["results"][0]["series"][0]["values"]
