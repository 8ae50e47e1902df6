"""What a revision changed, in words: which figure of what, before and after."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from reports.model import Change, Report
from reports.parts import Label
from reports.words import Words

_WHERE = re.compile(r"(?P<part>\w+)(?:\[(?P<name>.*?)\])?(?:\.(?P<rest>.*))?")
_WHEN = re.compile(r"\b(?P<kind>trend|days)\[(?P<name>[-0-9]+)\]")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_FIGURES = {"budget_left": "left", "measured": "availability", "load": "highest_load", "acknowledged": "acknowledged"}
"""Fields whose column is called otherwise, without the unit at their end."""
_MAIN = re.compile(
    r"promised\[[^]]*\]\.numbers\.(availability_percent|down_s|verdict)|circuits\[[^]]*\]\.credit_percent"
)
"""What the first page has: the objectives' figures, and what is credited for a line."""


@dataclass(frozen=True, slots=True)
class Said:
    """One change in words. ``main``: it belongs on the first page."""

    change: Change
    subject: str
    figure: str
    was: str
    now: str
    main: bool


def said(report: Report, words: Words) -> Iterator[Said]:
    """Yield every change of a revision in words; what differs in the other language only is left out."""
    names = _names(report)
    other = ".en" if words.language == "vi" else ".vi"
    for one in report.changes:
        found = _WHERE.fullmatch(one.where)
        if found is None or one.where.endswith(other):
            continue
        part, name, rest = found["part"], found["name"] or "", found["rest"] or ""
        label = names.get((part, name))
        name = _TIME.sub(lambda time: words.time(datetime.fromisoformat(time[0])), words.name(label) or name)
        subject = ": ".join(text for text in (words.known("parts", part), name) if text)
        field = rest.removesuffix(f".{words.language}").rpartition(".")[2]
        yield Said(
            one, subject, _figure(rest, field, words), _value(field, one.before, words),
            _value(field, one.after, words), bool(_MAIN.fullmatch(one.where)),
        )  # fmt: skip


def _names(report: Report) -> dict[tuple[str, str], Label]:
    found: dict[tuple[str, str], Label] = {}
    for part in ("promised", "longer", "sites", "circuits", "targets", "rooms"):
        found |= {(part, row.id): row.name for row in getattr(report, part)}
    return found | {("incidents", str(row.number)): row.name for row in report.incidents}


def _figure(rest: str, field: str, words: Words) -> str:
    plain = field.removesuffix("_percent").removesuffix("_s")
    text = words.known("columns", _FIGURES.get(plain, plain)) if plain else ""
    if when := _WHEN.search(rest):
        day = when["name"]
        text += f" ({words.month(day) if when['kind'] == 'trend' else f'{day[8:]}/{day[5:7]}/{day[:4]}'})"
    return text + (f" ({words.say('views.contractual')})" if rest.startswith("contractual.") else "")


def _value(field: str, value: str, words: Words) -> str:
    if not field:  # a whole row that came or went
        return words.say("no" if value == "–" else "yes")
    with suppress(ValueError):
        if field.endswith("_percent") or field == "miss_next":
            return words.percent(float(value))
        if field.endswith("_s"):
            return words.duration(float(value))
        if field in ("start", "end", "written", "seen", "ends", "highest_at"):
            return words.time(datetime.fromisoformat(value))
    return words.known("verdicts", value) if field == "verdict" else value
