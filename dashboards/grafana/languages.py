"""A query in the language of a store: InfluxQL, Flux, MetricsQL.

Source: Grafana's data source manuals (macros ``$timeFilter``, ``$__interval``, ``$__range``, ``v.windowPeriod``);
InfluxQL 1.6; Flux 0.190 (``stdlib/universe``); MetricsQL. VictoriaMetrics names a field ``measurement_field`` and keeps
the database in the label ``db``.
"""

from __future__ import annotations

from typing import Protocol

from dashboards.grafana.model import Query, Variable


class Language(Protocol):
    """Writes queries."""

    name: str

    def targets(self, query: Query, first: str, label: str) -> list[dict[str, object]]:
        """Write a query as Grafana keeps it, one entry for each request.

        Parameters:
            label: what its field is called, behind the tags that name a line.
            first: the reference of the first one, a capital letter; others have a number behind it.
        """
        ...

    def values(self, variable: Variable) -> dict[str, object]:
        """Write where a variable's values are looked for, as Grafana keeps it."""
        ...

    def marks(self, measurement: str) -> dict[str, object]:
        """Write where annotations (see `haidang.happening`) are looked for, as Grafana keeps it."""
        ...

    def column(self, query: Query, field: str, first: str) -> str:
        """Tell what the column of a field is called in a table's answer."""
        ...


MOST_MARKS = 500
"""Annotations of one kind on a dashboard."""


class InfluxQl:
    """InfluxDB 1.x, 2.x through its 1.x interface, 3.x."""

    name = "InfluxQL"

    def targets(self, query: Query, first: str, label: str) -> list[dict[str, object]]:
        """See `Language.targets`."""
        entry: dict[str, object] = {
            "refId": first, "query": self.text(query), "rawQuery": True,
            "resultFormat": "table" if len(query.fields) > 1 else "time_series",
        }  # fmt: skip
        if len(query.fields) == 1:
            entry["alias"] = " · ".join([*(f"$tag_{tag}" for tag in query.by), label])
        return [entry]

    def text(self, query: Query) -> str:
        """Write the statement."""
        conditions = [
            f'"{tag}" =~ /^{value}$/' if value.startswith("$") else f"\"{tag}\" = '{value}'"
            for tag, value in query.where.items()
        ]
        conditions.append("$timeFilter")
        groups = [f'"{tag}"' for tag in query.by]
        factor = f" * {query.factor:g}" if query.factor != 1 else ""
        if query.now:
            wanted = ", ".join(f'last("{name}"){factor} AS "{name}"' for name in query.fields)
        else:
            wanted = ", ".join(self._fold(query, name) + f'{factor} AS "{name}"' for name in query.fields)
            groups = ["time($__interval)", *groups]
        group = f" GROUP BY {', '.join(groups)}" if groups else ""
        fill = "" if query.now else " fill(null)"
        return f'SELECT {wanted} FROM "{query.measurement}" WHERE {" AND ".join(conditions)}{group}{fill}'

    def _fold(self, query: Query, name: str) -> str:
        if query.counter:
            return f'non_negative_derivative(max("{name}"), 1s)'
        return f'{query.fold}("{name}")'

    def values(self, variable: Variable) -> dict[str, object]:
        """See `Language.values`."""
        text = f'SHOW TAG VALUES FROM "{variable.measurement}" WITH KEY = "{variable.tag}"'
        return {"query": text}

    def marks(self, measurement: str) -> dict[str, object]:
        """See `Language.marks`. Only the point at the start of each has a text."""
        text = f'SELECT "text", "end_ms" FROM "{measurement}" WHERE $timeFilter ORDER BY time DESC LIMIT {MOST_MARKS}'
        columns = {"textColumn": "text", "timeEndColumn": "end_ms", "titleColumn": "", "tagsColumn": ""}
        return {"target": {"refId": "marks", "query": text, "queryType": "tags", "fromAnnotations": True, **columns}}

    def column(self, query: Query, field: str, first: str) -> str:  # noqa: ARG002 other languages need them
        """See `Language.column`."""
        return field


class Flux:
    """InfluxDB 2.x."""

    name = "Flux"

    def targets(self, query: Query, first: str, label: str) -> list[dict[str, object]]:  # noqa: ARG002 names are given in the panel
        """See `Language.targets`."""
        return [{"refId": first, "query": self.text(query)}]

    def text(self, query: Query) -> str:
        """Write the script."""
        columns = ", ".join(f'"{tag}"' for tag in query.by)
        fields = " or ".join(f'r._field == "{name}"' for name in query.fields)
        steps = [
            "from(bucket: v.defaultBucket)",
            "range(start: v.timeRangeStart, stop: v.timeRangeStop)",
            f'filter(fn: (r) => r._measurement == "{query.measurement}" and ({fields}))',
        ]
        for tag, value in query.where.items():
            match = f"=~ /^${{{value[1:]}:regex}}$/" if value.startswith("$") else f'== "{value}"'
            steps.append(f"filter(fn: (r) => r.{tag} {match})")
        if query.counter:  # of each series by itself, before they are put together
            steps.append("derivative(unit: 1s, nonNegative: true)")
        if query.factor != 1:
            steps.append(f"map(fn: (r) => ({{r with _value: float(v: r._value) * {query.factor:.1f}}}))")
        elif not query.counter:
            steps.append("toFloat()")  # series of whole numbers and of others cannot be put into one table
        more = ", ".join(filter(None, (columns, '"_field"')))
        if query.now:
            steps += ["last()", f"group(columns: [{more}])", 'sort(columns: ["_time"])', "last()"]
            if len(query.fields) > 1:
                keep = ", ".join(f'"{name}"' for name in (*query.by, *query.fields))
                steps += [
                    "group()", f'pivot(rowKey: [{columns}], columnKey: ["_field"], valueColumn: "_value")',
                    f"keep(columns: [{keep}])",
                ]  # fmt: skip
        else:
            steps += [
                f"group(columns: [{more}])",
                f"aggregateWindow(every: v.windowPeriod, fn: {query.fold}, createEmpty: false)",
            ]
        return "\n  |> ".join(steps)

    def values(self, variable: Variable) -> dict[str, object]:
        """See `Language.values`."""
        text = (
            'import "influxdata/influxdb/schema"\n\n'
            f'schema.tagValues(bucket: v.defaultBucket, tag: "{variable.tag}", '
            f'predicate: (r) => r._measurement == "{variable.measurement}", start: v.timeRangeStart)'
        )
        return {"query": {"query": text, "refId": "values"}}

    def marks(self, measurement: str) -> dict[str, object]:
        """See `Language.marks`. Grafana takes the columns by their names."""
        steps = [
            "from(bucket: v.defaultBucket)",
            "range(start: v.timeRangeStart, stop: v.timeRangeStop)",
            f'filter(fn: (r) => r._measurement == "{measurement}" and (r._field == "text" or r._field == "end_ms"))',
            'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")',
            "group()",
            'rename(columns: {_time: "time", end_ms: "timeEnd"})',
            'keep(columns: ["time", "timeEnd", "text"])',
            f"limit(n: {MOST_MARKS})",
        ]
        return {"target": {"refId": "marks", "query": "\n  |> ".join(steps)}}

    def column(self, query: Query, field: str, first: str) -> str:  # noqa: ARG002 other languages need them
        """See `Language.column`."""
        return field


class MetricsQl:
    """VictoriaMetrics, through Grafana's own data source for Prometheus.

    Parameters:
        database: what the points were written to.
    """

    name = "MetricsQL"

    def __init__(self, database: str) -> None:
        self._database = database

    def targets(self, query: Query, first: str, label: str) -> list[dict[str, object]]:
        """See `Language.targets`."""
        table = len(query.fields) > 1
        made: list[dict[str, object]] = []
        for number, field in enumerate(query.fields):
            legend = " · ".join([*(f"{{{{{tag}}}}}" for tag in query.by), label])
            entry: dict[str, object] = {
                "refId": first + (str(number) if table else ""), "expr": self.text(query, field),
                "legendFormat": legend, "format": "table" if table else "time_series",
                "instant": query.now, "range": not query.now,
            }  # fmt: skip
            made.append(entry)
        return made

    def text(self, query: Query, field: str) -> str:
        """Write the expression."""
        name = f"{query.measurement}_{field}"
        labels = [f'db="{self._database}"']
        for tag, value in query.where.items():
            labels.append(f'{tag}=~"{value}"' if value.startswith("$") else f'{tag}="{value}"')
        selector = f"{name}{{{','.join(labels)}}}"
        over = {"mean": "avg", "max": "max", "min": "min"}[query.fold]
        if query.now:
            inner = f"last_over_time({selector}[$__range])"
        elif query.counter:
            inner = f"rate({selector}[$__rate_interval])"
        else:
            inner = f"{over}_over_time({selector}[$__interval])"
        factor = f" * {query.factor:g}" if query.factor != 1 else ""
        return f"{over}({inner}) by ({', '.join(query.by)}){factor}"

    def values(self, variable: Variable) -> dict[str, object]:
        """See `Language.values`."""
        name = f"{variable.measurement}_{variable.field}"
        text = f'label_values({name}{{db="{self._database}"}}, {variable.tag})'
        return {"query": {"query": text, "refId": "values"}}

    def marks(self, measurement: str) -> dict[str, object]:
        """See `Language.marks`. Neighbouring values become one mark from the first to the last of them."""
        selector = f'{measurement}_open{{db="{self._database}"}}'
        return {
            "expr": f"max(max_over_time({selector}[2m])) by (number, name) > 0", "step": "60s",
            "titleFormat": "{{name}}", "textFormat": "#{{number}}", "tagKeys": "", "useValueForTime": False,
        }  # fmt: skip

    def column(self, query: Query, field: str, first: str) -> str:
        """See `Language.column`."""
        return f"Value #{first}{query.fields.index(field)}"
