"""A dashboard as Grafana's JSON. Source: Grafana's dashboard JSON model (schema version 38, which 10 to 13 take)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dashboards.grafana.languages import Flux, Language
from dashboards.grafana.model import Board, Panel, Query, Variable
from dashboards.grafana.words import words

SCHEMA = 38
TAG = "haidang"
COLUMNS = 24
_MARKS = (("incident", "red"), ("maintenance", "blue"))
_TYPES = {"lines": "timeseries", "stat": "stat", "table": "table", "states": "state-timeline"}
_COLOURS = ("green", "yellow", "purple", "orange", "red", "blue")
"""Of the states by their numbers, see `haidang.standing.CODES`."""


class Writer:
    """Writes dashboards.

    Parameters:
        language: ``vi`` or ``en``.
        queries: in which queries are written.
        source: type and UID of the data source.
        known: what can be chosen at first: a variable's first choice is taken if it is among these.
    """

    def __init__(self, language: str, queries: Language, source: Mapping[str, str], known: Iterable[str] = ()) -> None:
        self._words = words(language)
        self._queries = queries
        self._source = dict(source)
        self._known = frozenset(known)

    def document(self, board: Board) -> dict[str, Any]:
        """Write a dashboard."""
        said = self._words
        return {
            "uid": board.uid, "title": said["boards"][board.id], "tags": [TAG], "timezone": "browser",
            "schemaVersion": SCHEMA, "editable": True, "graphTooltip": 1, "refresh": "1m",
            "time": {"from": board.since, "to": "now"},
            "templating": {"list": [self._variable(one) for one in board.variables]},
            "annotations": {"list": [*map(self._marks, _MARKS), *map(self._annotation, _MARKS)]},
            "links": [
                {
                    "type": "dashboards", "title": said["others"], "tags": [TAG], "asDropdown": True, "keepTime": True,
                    "includeVars": False, "targetBlank": False, "icon": "external link", "tooltip": "", "url": "",
                }
            ],
            "panels": list(self._panels(board)),
        }  # fmt: skip

    def _panels(self, board: Board) -> Iterable[dict[str, Any]]:
        left, top, tallest = 0, 0, 0
        for number, panel in enumerate(board.panels, 1):
            if left + panel.width > COLUMNS:
                left, top, tallest = 0, top + tallest, 0
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            left, tallest = left + panel.width, max(tallest, panel.height)
            yield self._panel(panel, number, place)

    def _panel(self, panel: Panel, number: int, place: Mapping[str, int]) -> dict[str, Any]:
        said = self._words
        targets = []
        overrides = []
        for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
            label = self._label(panel, query)
            written = self._queries.targets(query, letter, label)
            targets += [{**one, "datasource": self._source} for one in written]
            if panel.kind == "table":
                overrides += self._columns(panel, query, letter)
            elif isinstance(self._queries, Flux):
                name = " · ".join(
                    filter(None, [*(f"${{__field.labels.{tag}}}" for tag in query.by), label])
                )  # fmt: skip
                overrides.append(_override("byFrameRefID", letter, displayName=name))
        made: dict[str, Any] = {
            "id": number, "type": _TYPES[panel.kind], "title": said["panels"][panel.title], "datasource": self._source,
            "gridPos": dict(place), "targets": targets, "interval": f"{panel.queries[0].every_s}s",
            "fieldConfig": {"defaults": self._defaults(panel), "overrides": overrides},
            "options": _OPTIONS[panel.kind],
        }  # fmt: skip
        if note := said["notes"].get(panel.title):
            made["description"] = note
        if panel.kind == "table":
            made["transformations"] = self._tidied(panel.queries[0])
        return made

    def _label(self, panel: Panel, query: Query) -> str:
        """Name the field where the panel's title does not: with several of them, or without tags."""
        if len(panel.queries) == 1 and query.by:
            return ""
        return str(self._words["fields"][query.fields[0]])

    def _defaults(self, panel: Panel) -> dict[str, Any]:
        steps = [{"value": value, "color": colour} for value, colour in panel.steps]
        made: dict[str, Any] = {
            "unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps},
            "color": {"mode": "palette-classic" if panel.kind == "lines" else "thresholds"},
        }  # fmt: skip
        if panel.decimals is not None:
            made["decimals"] = panel.decimals
        if panel.states:
            made["mappings"] = self._states()
        if panel.kind == "lines":
            made["custom"] = {
                "drawStyle": "line", "lineWidth": 1, "fillOpacity": 5, "showPoints": "auto",
                "spanNulls": panel.queries[0].every_s * 3000.0,
                "thresholdsStyle": {"mode": "line" if panel.limit else "off"},
            }  # fmt: skip
        return made

    def _states(self) -> list[dict[str, Any]]:
        names = ("up", "degraded", "unknown", "unreachable", "down", "maintenance")
        options = {
            str(code): {"text": self._words["states"][name], "color": _COLOURS[code], "index": code}
            for code, name in enumerate(names)
        }
        return [{"type": "value", "options": options}]

    def _columns(self, panel: Panel, query: Query, letter: str) -> list[dict[str, Any]]:
        """Name a table's columns and give each its unit."""
        said = self._words["fields"]
        found = [_override("byName", tag, displayName=said[tag]) for tag in query.by]
        for field in query.fields:
            extra: dict[str, Any] = {"displayName": said[field]}
            unit = panel.units.get(field)
            if unit == "states":
                extra["mappings"] = self._states()
            elif unit:
                extra["unit"] = unit
            if field.endswith("_p95_percent"):
                extra["custom.cellOptions"] = {"type": "color-text"}
            found.append(_override("byName", self._queries.column(query, field, letter), **extra))
        return found

    def _tidied(self, query: Query) -> list[dict[str, Any]]:
        """Put the answers for the fields side by side, and leave out when each row was measured."""
        hide = {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {}}}
        return [{"id": "merge", "options": {}}, hide] if len(query.fields) > 1 else [hide]

    def _variable(self, variable: Variable) -> dict[str, Any]:
        every = self._words["all"]
        chosen = variable.first in self._known
        current = [variable.first] if chosen else ["$__all"]
        return {
            "name": variable.tag, "type": "query", "label": self._words["fields"][variable.tag],
            "datasource": self._source, **self._queries.values(variable), "refresh": 2, "sort": 1, "multi": True,
            "includeAll": True, "allValue": variable.every, "regex": "", "hide": 0, "options": [],
            "current": {"selected": True, "text": current if chosen else [every], "value": current},
        }  # fmt: skip

    def _marks(self, mark: tuple[str, str]) -> dict[str, Any]:
        """Write the annotations that the store holds."""
        kind, colour = mark
        return {
            "name": self._words["annotations"][kind], "datasource": self._source, "enable": True, "hide": False,
            "iconColor": colour, **self._queries.marks(f"haidang_{kind}"),
        }  # fmt: skip

    def _annotation(self, mark: tuple[str, str]) -> dict[str, Any]:
        """Write the annotations that were pushed into Grafana itself; off at first: they are the same."""
        kind, colour = mark
        return {
            "name": self._words["annotations"][f"{kind}_pushed"],
            "datasource": {"type": "grafana", "uid": "-- Grafana --"},
            "enable": False, "hide": False, "iconColor": colour,
            "target": {"limit": 200, "matchAny": False, "tags": [TAG, kind], "type": "tags"},
        }  # fmt: skip


def _override(matcher: str, what: str, **properties: object) -> dict[str, Any]:
    return {
        "matcher": {"id": matcher, "options": what},
        "properties": [{"id": name, "value": value} for name, value in properties.items()],
    }


_REDUCED = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": list[str]()}
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "lines": {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    "stat": {
        "reduceOptions": _REDUCED, "orientation": "auto", "textMode": "value_and_name", "colorMode": "value",
        "graphMode": "none", "justifyMode": "auto",
    },
    "table": {"showHeader": True, "cellHeight": "sm"},
    "states": {
        "mergeValues": True, "showValue": "never", "rowHeight": 0.9, "alignValue": "left", "legend": _LEGEND,
        "tooltip": {"mode": "single", "sort": "none"},
    },
}  # fmt: skip
