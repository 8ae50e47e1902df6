"""Reading back: InfluxQL on /query for InfluxDB 1 to 3, MetricsQL for VictoriaMetrics."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from math import isfinite
from typing import Any

from haidang.model import Series
from storage.influx.replies import Reply, answer_of, words_of
from storage.influx.transport import Transport
from storage.metrics_fold import fold, of_points
from storage.metrics_model import SECOND_NS, Curve, FlavourName, InfluxSettings, Query, StoreError

_MS = 1_000_000


async def read(transport: Transport, settings: InfluxSettings, flavour: FlavourName, query: Query) -> list[Curve]:
    """Answer a query from the remote store.

    Raises:
        StoreError: it answered with an error, or not what was asked.
        Unreachable: it did not answer.
    """
    query = query.aligned()
    if query.end_ns <= query.start_ns:
        return []
    reader = (
        _VictoriaMetrics(transport, settings) if flavour == "victoriametrics" else _Influx(transport, settings, flavour)
    )
    try:
        curves = await reader.read(query)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise StoreError(f"{settings.url}: the answer is not what a metric store says ({error!r})") from error
    return sorted(curves, key=lambda curve: (curve.series.tags, curve.field))


async def create_database(transport: Transport, settings: InfluxSettings) -> bool:
    """Make the database on 1.x; whether it is there now. Raises `Unreachable`."""
    statement = f"CREATE DATABASE {_identifier(settings.database)}"
    reply = await transport.request("POST", "/query", "v1", {"q": statement})
    return reply.status == 200 and b'"error"' not in reply.body


class _Influx:
    def __init__(self, transport: Transport, settings: InfluxSettings, flavour: FlavourName) -> None:
        self._transport = transport
        self._settings = settings
        self._flavour = flavour

    async def read(self, query: Query) -> list[Curve]:
        kinds = await self._kinds(query.measurement)
        fields = [name for name in query.fields or sorted(kinds) if kinds.get(name, "string") != "string"]
        truths = [name for name in fields if kinds[name] == "boolean"] if query.step_s else []
        curves = await self._select(query, [name for name in fields if name not in truths])
        for curve in await self._select(replace(query, step_s=0), truths):  # InfluxQL has no mean of truth values
            buckets = fold(of_points(curve.times_ns, curve.mean), query.step_s)
            curves.append(buckets.curve(curve.series, curve.field, query.step_s))
        return curves

    async def _select(self, query: Query, fields: list[str]) -> list[Curve]:
        if not fields:
            return []
        if query.step_s:
            wanted = ", ".join(
                f"{function}({_identifier(name)}) AS {function}_{index}"
                for index, name in enumerate(fields)
                for function in ("count", "mean", "min", "max")
            )
            group = f"GROUP BY *, time({query.step_s}s) fill(none)"
        else:
            wanted = ", ".join(f"{_identifier(name)} AS value_{index}" for index, name in enumerate(fields))
            group = "GROUP BY *"
        conditions = [f"{_identifier(key)} = {_text(value)}" for key, value in query.tags.items()]
        conditions += [f"time >= {query.start_ns}", f"time < {query.end_ns}"]
        statement = f"SELECT {wanted} FROM {_identifier(query.measurement)} WHERE {' AND '.join(conditions)} {group}"
        answer = await self._ask(statement)
        return await asyncio.to_thread(_curves, answer, query, fields)

    async def _kinds(self, measurement: str) -> dict[str, str]:
        answer = await self._ask(f"SHOW FIELD KEYS FROM {_identifier(measurement)}")
        return {row[0]: row[1] for series in answer for row in series["values"]}

    async def _ask(self, statement: str) -> list[Any]:
        database = self._settings.bucket or self._settings.database
        reply = await self._transport.ask("/query", self._flavour, {"db": database, "epoch": "ns", "q": statement})
        content = await _content(self._settings, reply)
        for result in content.get("results", []):
            if "error" in result:
                raise StoreError(f"{self._settings.url}: {str(result['error'])[:300]}")
            series: list[Any] = result.get("series", [])
            return series
        return []


def _curves(answer: list[Any], query: Query, fields: list[str]) -> list[Curve]:
    result = []
    for part in answer:
        series = _series(query.measurement, part.get("tags", {}))
        column = {name: index for index, name in enumerate(part["columns"])}
        for index, name in enumerate(fields):
            functions = ("count", "mean", "min", "max") if query.step_s else ("value",)
            places = [0, *(column[f"{function}_{index}"] for function in functions)]
            rows = [[row[at] for at in places] for row in part["values"]]
            rows = [row for row in rows if row[1] is not None and _number(row[-1])]
            if not rows:
                continue
            columns = [list(values) for values in zip(*rows, strict=True)]
            if query.step_s:
                result.append(Curve(series, name, query.step_s, *columns))
            else:
                result.append(of_points(columns[0], [+value for value in columns[1]]).curve(series, name, 0))
    return result


class _VictoriaMetrics:
    """A field is a metric named measurement_field; the database is the label ``db``; times are milliseconds."""

    def __init__(self, transport: Transport, settings: InfluxSettings) -> None:
        self._transport = transport
        self._settings = settings

    async def read(self, query: Query) -> list[Curve]:
        fields = query.fields or await self._fields(query)
        curves: list[Curve] = []
        for name in fields:
            selector = self._selector(
                query, f"__name__={json.dumps(f'{query.measurement}_{name}', ensure_ascii=False)}"
            )
            curves += await (
                self._buckets(query, name, selector) if query.step_s else self._points(query, name, selector)
            )
        return curves

    def _selector(self, query: Query, name: str) -> str:
        tags = {**query.tags, "db": self._settings.database}
        return (
            "{"
            + ",".join([name, *(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in tags.items())])
            + "}"
        )

    async def _fields(self, query: Query) -> list[str]:
        pattern = json.dumps(re.escape(query.measurement) + "_.+", ensure_ascii=False)
        content = await self._ask(
            "/api/v1/label/__name__/values",
            {"match[]": self._selector(query, f"__name__=~{pattern}"), **_span(query.start_ns, query.end_ns)},
        )
        return [name[len(query.measurement) + 1 :] for name in content["data"]]

    async def _points(self, query: Query, name: str, selector: str) -> list[Curve]:
        reply = await self._transport.ask(
            "/api/v1/export", "victoriametrics", {"match[]": selector, **_span(query.start_ns, query.end_ns)}
        )
        if reply.status != 200:
            raise StoreError(f"{self._settings.url}: {answer_of(reply)[:600]}")
        curves = []
        for line in reply.body.splitlines():
            part = json.loads(line)
            pairs = sorted(
                {
                    at * _MS: value
                    for at, value in zip(part["timestamps"], part["values"], strict=True)
                    if _number(value)
                }.items()
            )
            points = of_points([at for at, _ in pairs], [value for _, value in pairs])
            curves.append(points.curve(self._name(query, part["metric"]), name, 0))
        return [curve for curve in curves if curve.times_ns]

    async def _buckets(self, query: Query, name: str, selector: str) -> list[Curve]:
        four: list[dict[Series, dict[int, float]]] = []
        step_ns = query.step_s * SECOND_NS
        for function in ("count", "avg", "min", "max"):
            # a window ends with its last millisecond: one that began at a bucket's end would count it twice
            content = await self._ask(
                "/api/v1/query_range",
                {
                    "query": f"{function}_over_time({selector}[{query.step_s}s])", "step": f"{query.step_s}s",
                    "nocache": "1", **_span(query.start_ns + step_ns - _MS, query.end_ns),
                },
            )  # fmt: skip
            found: dict[Series, dict[int, float]] = {}
            for part in content["data"]["result"]:
                rows = {round(at * 1000) * _MS + _MS - step_ns: float(value) for at, value in part["values"]}
                found[self._name(query, part["metric"])] = rows
            four.append(found)
        count, mean, low, high = four
        curves = []
        for series, counted in count.items():
            times = [at for at in sorted(counted) if at in mean.get(series, {})]
            curves.append(
                Curve(
                    series, name, query.step_s, times, [int(counted[at]) for at in times],
                    [mean[series][at] for at in times], [low[series][at] for at in times],
                    [high[series][at] for at in times],
                )
            )  # fmt: skip
        return [curve for curve in curves if curve.times_ns]

    async def _ask(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        return await _content(self._settings, await self._transport.ask(path, "victoriametrics", query))

    def _name(self, query: Query, metric: dict[str, str]) -> Series:
        return _series(
            query.measurement, {key: value for key, value in metric.items() if key not in {"__name__", "db"}}
        )


def _span(start_ns: int, end_ns: int) -> dict[str, str]:
    """Return a span in milliseconds as VictoriaMetrics reads it; its end is inclusive."""
    return {"start": f"{-(-start_ns // _MS) / 1000:.3f}", "end": f"{-(-end_ns // _MS) / 1000 - 0.001:.3f}"}


async def _content(settings: InfluxSettings, reply: Reply) -> dict[str, Any]:
    if reply.status != 200:
        raise StoreError(f"{settings.url}: {answer_of(reply)[:600]}")
    content = await asyncio.to_thread(json.loads, reply.body)
    if not isinstance(content, dict) or "error" in content:
        raise StoreError(f"{settings.url}: {words_of(reply)[0][:300]}")
    return content


def _series(measurement: str, tags: dict[str, str]) -> Series:
    return Series(measurement, tuple(sorted((str(key), str(value)) for key, value in tags.items() if value)))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def _identifier(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"
