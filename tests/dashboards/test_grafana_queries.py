"""Every query of every dashboard is asked of a real InfluxDB 1.6 and a real VictoriaMetrics, and has an answer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from dashboards.grafana.boards import BOARDS
from dashboards.grafana.document import Writer
from dashboards.grafana.model import Board
from dashboards.grafana.sources import Store
from tests.support.dashboards import Recorded, chosen, flush, get, influx_rows, record, victoria_rows, write
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
        flush(server)  # what was written a moment ago is not searched yet
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
