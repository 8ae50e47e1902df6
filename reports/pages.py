"""The report as it is read: letterhead, paragraphs, tables and charts in order, all words chosen; for HTML and PDF."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from reports import charts
from reports.columns import Column, Table, Value
from reports.model import Longer, Note, Promised, Report
from reports.spreadsheets import FORMULAS
from reports.tables import tables
from reports.words import Words

MOST_ROWS = 400
"""Of a printed table; the files for programs have all of them."""
_ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
"""Numbers of annexes, as Nghị định 30/2020/NĐ-CP has them."""
_CHANGES = _ROMAN[11]
"""The last annex, which only revisions have."""
_MARKS = {"met": "●", "missed": "■", "open": "○", "undecided": "◊"}
_IDS = {"promised": "objectives", "times": "incident_times"}
_BY = {"outages": "down", "incidents": "duration"}
"""What decides which rows of a table that is too long are printed."""


def laid_out(report: Report, words: Words, most_rows: int = MOST_ROWS) -> dict[str, Any]:
    """Return the report as plain data for the templates.

    Parameters:
        most_rows: of each table.
    """
    return _Pages(report, words, most_rows).data()


class _Pages:
    def __init__(self, report: Report, words: Words, most_rows: int) -> None:
        self._report, self._words, self._most_rows = report, words, most_rows
        self._tables = {table.id: table for table in tables(report, words)}

    def data(self) -> dict[str, Any]:
        report, words = self._report, self._words
        say = words.say
        annexes: list[tuple[str, list[Any]]] = [
            ("carriers", [self._table("carriers"), self._table("circuits")]),
            ("outages", [self._chart("timeline"), self._table("outages")]),
            ("sites", [self._table("sites")]),
            ("incidents", [self._table("times"), self._table("incidents")]),
            ("exclusions", [self._table("exclusions")]),
            ("loads", [self._table("loads")]),
            ("datacentre", [self._equipment(key) for key in ("power", "climate", "disks", "certificates")]),
            ("conference", [self._table("rooms")]),
            ("inventory", [self._table("connections")]),
            ("formulas", self._formulas()),
        ]
        if report.approved is not None:
            annexes.append(("changes", [self._table("changes")]))
        numbered = [
            {
                "number": say("letter.annex", n=_ROMAN[number]),
                "title": say(f"sections.{key}"),
                "with": say("letter.annexed", symbol=report.letterhead.symbol),
                "blocks": [b for b in blocks if b],
            }
            for number, (key, blocks) in enumerate(annexes, 1)
        ]
        return {
            "language": words.language, "head": self._head(), "seal": report.seal.figures,
            "sections": [self._summary(), self._objectives(), self._next()], "annexes": numbered,
            "annexes_title": say("letter.annexes"), "recipients_title": say("letter.recipients"),
            "signature": say("letter.signature"), "short_seal": report.seal.figures[:16],
        }  # fmt: skip

    def _head(self) -> dict[str, Any]:
        report, words, letter = self._report, self._words, self._report.letterhead
        say = words.say
        title = say("letter.title", month=words.month(report.month))
        if report.about:
            kind, _, name = report.about.partition(" ")
            called = self._about(kind, name)
            title = say(
                "letter.title_part", month=words.month(report.month), about=f"{say(f'about_kinds.{kind}')} {called}"
            )
        return {
            "nation": say("letter.nation"), "motto": say("letter.motto"), "superior": words.name(letter.superior),
            "agency": words.name(letter.agency), "number": say("letter.number", symbol=letter.symbol),
            "date": say("letter.date", place=letter.place) if letter.place else say("letter.date_only"),
            "kind": say("letter.kind"), "title": title + ("" if report.complete else say("letter.so_far")),
            "revision": say("letter.revision", n=report.revision) if report.revision > 1 else "",
            "signer": words.name(letter.signer), "recipients": [words.name(one) for one in letter.recipients],
        }  # fmt: skip

    def _about(self, kind: str, name: str) -> str:
        if kind == "system":
            return next(
                (self._words.name(row.name) for row in self._report.promised if row.about == f"system {name}"), name
            )
        if kind == "site":
            return next((self._words.name(row.name) for row in self._report.sites if row.id == name), name)
        return next((row.name for row in self._report.carriers if row.name.casefold() == name.casefold()), name)

    def _summary(self) -> dict[str, Any]:
        report, words = self._report, self._words
        blocks: list[Any] = []
        if report.approved is not None:
            blocks.append(_paragraph(words.say(
                "formulas.approved", n=report.revision, author=report.approved.author, reason=report.approved.reason
            )))  # fmt: skip
            blocks += [_heading(words.say("sections.changes")), *self._main_changes()]
        blocks += [_paragraph(" ".join(report.story[words.language]))]
        blocks += [self._table("promised")]
        if report.notes:
            blocks += [_heading(words.say("sections.notes"))]
            blocks.append(_list([self._note(note) for note in report.notes]))
        return {"title": words.say("sections.summary"), "blocks": blocks}

    def _main_changes(self) -> list[dict[str, Any]]:
        """Return the changes that matter most; the annex has all."""
        table = self._tables["changes"]
        main = [row for number, row in enumerate(table.rows) if number in table.bad]
        words = self._words
        count = words.say("changes_in_all", count=len(table.rows), annex=_CHANGES)
        shown = [self._table("changes", replace(table, rows=tuple(main), bad=frozenset()))] if main else []
        return [*shown, _paragraph(count)]

    def _objectives(self) -> dict[str, Any]:
        blocks: list[Any] = []
        if self._report.longer:
            blocks += [_heading(self._words.say("sections.longer")), self._table("longer")]
        for key in ("calendar", "burn", "trend"):
            chart = self._chart(key)
            if chart:
                blocks += [_heading(self._words.say(f"sections.{'budget' if key == 'burn' else key}")), chart]
            elif key == "trend" and self._report.promised:
                blocks += [_heading(self._words.say("sections.trend")), _paragraph(self._words.say("empty.trends"))]
        blocks.append(_heading(self._words.say("sections.pareto")))
        blocks.append(self._chart("pareto") or self._empty("causes"))
        return {"title": self._words.say("sections.objectives"), "blocks": blocks}

    def _next(self) -> dict[str, Any]:
        words = self._words
        blocks: list[Any] = []
        held = [row for row in self._report.promised if row.numbers.objective_percent is not None]
        if any(row.miss_next is not None for row in held):
            blocks.append(_paragraph(words.say("outlook.sentence")))
            rows = [
                [words.name(row.name) if row.about.startswith("system ") else words.name(row.objective_name),
                 words.percent(row.numbers.objective_percent, 2),
                 words.say("outlook.unknown") if row.miss_next is None else words.percent(100 * row.miss_next, 0),
                 words.say("outlook.outages", n=row.pooled)]
                for row in held
            ]  # fmt: skip
            heads = [words.say(f"columns.{key}") for key in ("name", "objective", "miss", "pooled")]
            blocks.append(_table("outlook", heads, [4, 1.5, 2.5, 1.5], [False, True, True, True], rows, []))
        elif held:
            blocks.append(_paragraph(words.say("outlook.none")))
        blocks += [_heading(words.say("sections.planned")), self._table("planned")]
        return {"title": words.say("sections.next"), "blocks": blocks}

    def _equipment(self, key: str) -> dict[str, Any]:
        """Return a table with what it is called, also where it is empty: its sentence alone would not say of what."""
        made = self._table(key)
        return made if made["kind"] == "table" else _paragraph(f"{self._words.say(f'sections.{key}')}: {made['text']}")

    def _formulas(self) -> list[Any]:
        words, report = self._words, self._report
        seal = report.seal.model_dump()
        held: list[Promised | Longer] = [*report.promised, *report.longer]
        items = [words.say(f"formulas.{key}") for key in FORMULAS]
        items += [
            f"{words.name(row.objective_name)}: {words.name(row.formula)}; {words.name(row.members_formula)}"
            for row in held
        ]
        return [
            _paragraph(words.say("formulas.intro", version=report.formula_version)), _list(items),
            _paragraph(words.say("formulas.seal")),
            {**_list([words.say(f"formulas.seal_{key}", value=value) for key, value in seal.items()]), "small": True},
            _paragraph(words.say("formulas.verify")),
        ]  # fmt: skip

    def _chart(self, key: str) -> dict[str, Any] | None:
        report, words = self._report, self._words
        drawn = charts.pareto(report.causes, words) if key == "pareto" else getattr(charts, key)(report, words)
        if not drawn:
            return None
        count = charts.lines_down(report)
        gaps = {"shown": min(count, charts.MOST_LINES), "count": count} if key == "timeline" else {}
        return {
            "kind": "chart",
            "svgs": [drawn] if isinstance(drawn, str) else drawn,
            "caption": words.say(f"charts.{key}", **gaps),
        }

    def _note(self, note: Note) -> str:
        words, gaps = self._words, dict(note.gaps)
        for key in ("at", "until"):
            if key in gaps:
                gaps[key] = words.time(datetime.fromisoformat(gaps[key]))
        for key in ("percent", "low", "high", "before", "after"):
            if key in gaps:
                gaps[key] = words.percent(float(gaps[key])) if gaps[key] else "–"
        return words.say(f"notes.{note.key}", **gaps, **{key: words.name(one) for key, one in note.labels.items()})

    def _table(self, key: str, table: Table | None = None) -> dict[str, Any]:
        table, words = table or self._tables[key], self._words
        title = words.say(f"sections.{_IDS.get(key, key)}").partition(". ")
        if not table.rows:
            return self._empty(key)
        printed = [(number, column) for number, column in enumerate(table.columns) if column.width]
        chosen = _chosen(table, self._most_rows)
        rows = [[self._cell(table, column, table.rows[row][number]) for number, column in printed] for row in chosen]
        if key == "promised":
            for row, promised in zip(rows, self._report.promised, strict=True):
                mark = _MARKS.get(promised.numbers.verdict or "")
                row[-1] = f"{mark} {row[-1]}" if mark else row[-1]
        bad = [place for place, row in enumerate(chosen) if row in table.bad]
        made = _table(
            key, [words.say(f"columns.{column.key}") for _, column in printed], [column.width for _, column in printed],
            [column.type in ("percent", "duration", "number", "whole") for _, column in printed], rows, bad,
        )  # fmt: skip
        made["title"] = title[2] or title[0]
        if len(chosen) < len(table.rows):
            made["note"] = words.say(
                "notes.short_list", table=made["title"], shown=len(chosen), count=len(table.rows)
            )  # fmt: skip
        return made

    def _empty(self, key: str) -> dict[str, Any]:
        """Say that there is nothing of a part; where nothing was measured, no word that would be read as praise."""
        blind = key in ("causes", "outages", "incidents") and any(note.key == "nothing" for note in self._report.notes)
        return _paragraph(self._words.say("empty.days" if blind else f"empty.{key}"))

    def _cell(self, table: Table, column: Column, value: Value) -> str:
        words = self._words
        match value:
            case None:
                if column.key == "end" and table.id in ("outages", "incidents"):
                    return words.say("running_on" if self._report.complete else "running")
                return "–"
            case datetime():
                return words.short(value)
            case date():
                return f"{value:%d/%m/%Y}"
            case str():
                return value
            case _ if column.type == "percent":
                digits = {"objective": 2, "credit": 1, "highest_load": 1, "coverage": 2, "share": 1}.get(column.key, 3)
                return words.percent(float(value), digits)
            case _ if column.type == "duration":
                return words.duration(float(value))
            case _ if column.type == "number":
                return words.number(float(value), 0 if float(value).is_integer() else 1)
            case _:
                return str(value)


def _chosen(table: Table, most: int) -> list[int]:
    """Return the rows that are printed: all, or those that need attention most, in their own order."""
    rows = list(range(len(table.rows)))
    if len(rows) <= most:
        return rows
    if table.id in _BY:
        place = [column.key for column in table.columns].index(_BY[table.id])
        rows.sort(key=lambda row: (table.rows[row][place] is not None, -float(table.rows[row][place] or 0)))  # type: ignore[arg-type]
    return sorted(rows[:most])


def _table(
    key: str, heads: list[str], widths: list[float], right: list[bool], rows: list[list[str]], bad: list[int]
) -> dict[str, Any]:
    return {"kind": "table", "id": key, "heads": heads, "widths": widths, "right": right, "rows": rows, "bad": bad}


def _paragraph(text: str) -> dict[str, Any]:
    return {"kind": "paragraph", "text": text}


def _list(lines: list[str]) -> dict[str, Any]:
    return {"kind": "list", "lines": lines}


def _heading(text: str) -> dict[str, Any]:
    return {"kind": "heading", "text": text}
