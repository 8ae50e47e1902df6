"""The report's tables, once for every format: which columns, of which type, and the rows as values."""

from __future__ import annotations

from datetime import date

from reports import annex_tables, changed
from reports.columns import Table, made, numbers, spreads, text, typed, verdict
from reports.model import FORMULA_VERSION, CircuitRow, Promised, Report, SiteRow
from reports.words import Words


def tables(report: Report, words: Words) -> list[Table]:
    """Return every table of a report, its words in one language."""
    return [make(report, words) for make in _TABLES]


def _promised(report: Report, words: Words) -> Table:
    return made(
        "promised",
        report.promised,
        [
            text("name", lambda row: _called(row, words), 3),
            text("about", lambda row: row.about),
            text("objective_name", lambda row: words.name(row.objective_name)),
            text("view", lambda row: words.known("views", row.view), 1.8),
            *numbers(
                words,
                lambda row: row.numbers,
                objective=1.4,
                availability=1.8,
                lowest=1.5,
                highest=1.5,
                down=1.6,
                budget=1.6,
                left=1.7,
                verdict=2.6,
            ),
            text("worst", lambda row: words.name(row.worst)),
            typed("members", "whole", lambda row: row.members),
            text("members_formula", lambda row: words.name(row.members_formula)),
            text("formula", lambda row: words.name(row.formula)),
            _VERSION,
            typed("miss", "percent", lambda row: None if row.miss_next is None else 100 * row.miss_next),
            typed("pooled", "whole", lambda row: row.pooled),
        ],
        lambda row: row.numbers.verdict == "missed",
    )


def _longer(report: Report, words: Words) -> Table:
    return made(
        "longer",
        report.longer,
        [
            text("objective_name", lambda row: words.name(row.objective_name), 2.6),
            text("about", lambda row: row.about),
            text("name", lambda row: words.name(row.name)),
            text("period_name", lambda row: words.period(row.period), 1.5),
            typed("start", "time", lambda row: row.start),
            typed("end", "time", lambda row: row.end),
            text("view", lambda row: words.known("views", row.view), 1.6),
            *numbers(words, lambda row: row.numbers, objective=1.3, availability=1.7, lowest=1.5, highest=1.5, down=1.8,
                     budget=1.8, left=1.8, verdict=2.2),
            text("members_formula", lambda row: words.name(row.members_formula)),
            text("formula", lambda row: words.name(row.formula)),
            _VERSION,
        ],
        lambda row: row.numbers.verdict == "missed",
    )  # fmt: skip


def _carriers(report: Report, words: Words) -> Table:
    return made(
        "carriers",
        report.carriers,
        [
            text("carrier", lambda row: row.name, 2),
            typed("circuits", "whole", lambda row: row.circuits, 1),
            typed("availability", "percent", lambda row: row.measured_percent, 1.5),
            typed("lowest", "percent", lambda row: row.lowest_percent, 1.5),
            typed("highest", "percent", lambda row: row.highest_percent, 1.5),
            typed("down", "duration", lambda row: row.down_s, 1.9),
            typed("unknown", "duration", lambda row: row.unknown_s),
            typed("outages", "whole", lambda row: row.outages, 1),
            typed("missed", "whole", lambda row: row.missed, 1),
            typed("credited", "whole", lambda row: row.credited, 1.2),
            text("worst", lambda row: words.name(row.worst), 2.6),
            typed("worst_percent", "percent", lambda row: row.worst_percent, 1.5),
            typed(
                "contractual",
                "percent",
                lambda row: row.contractual.availability_percent if row.contractual else None,
                1.5,
            ),
            text("verdict", lambda row: verdict(words, row.contractual) if row.contractual else ""),
            text("formula", lambda row: words.name(row.formula)),
            _VERSION,
        ],
        lambda row: row.missed > 0,
    )


def _circuits(report: Report, words: Words) -> Table:
    return made(
        "circuits",
        sorted(report.circuits, key=_worst_line),
        [
            text("circuit", lambda row: words.name(row.name), 2.6),
            text("id", lambda row: row.id),
            text("carrier", lambda row: row.carrier, 1.3),
            text("contract", lambda row: row.contract),
            text("a", lambda row: words.name(row.a)),
            text("b", lambda row: words.name(row.b)),
            typed("mbps", "number", lambda row: row.mbps, 1),
            *numbers(words, lambda row: row.measured, availability=1.7, down=1.5, outages=1.1, verdict=1.9),
            typed(
                "contractual",
                "percent",
                lambda row: row.contractual.availability_percent if row.contractual else None,
                1.5,
            ),
            typed(
                "contractual_lowest",
                "percent",
                lambda row: row.contractual.lowest_percent if row.contractual else None,
            ),
            typed(
                "contractual_highest",
                "percent",
                lambda row: row.contractual.highest_percent if row.contractual else None,
            ),
            typed("credit", "percent", lambda row: row.credit_percent, 1.1),
            text("formula", lambda row: words.name(row.formula)),
            _VERSION,
        ],
        lambda row: "missed" in (row.measured.verdict, row.contractual and row.contractual.verdict),
    )


def _outages(report: Report, words: Words) -> Table:
    return made(
        "outages",
        report.outages,
        [
            text("carrier", lambda row: row.carrier, 1.2),
            text("circuit", lambda row: words.name(row.circuit), 2.4),
            typed("start", "time", lambda row: row.start, 1.9),
            typed("end", "time", lambda row: row.end, 1.9),
            text("began_before", lambda row: words.say("yes" if row.began_before else "no")),
            typed("down", "duration", lambda row: row.down_s, 1.4),
            typed("excluded", "duration", lambda row: row.excluded_s),
            text("cause", lambda row: words.known("causes", row.cause), 1.7),
            text("cause_name", lambda row: words.name(row.cause_name), 1.7),
            text("owner", lambda row: words.known("owners", row.owner) if row.owner else ""),
            text("reason", lambda row: row.reason),
            text("evidence", lambda row: row.evidence),
            typed("incident", "whole", lambda row: row.incident, 0.9),
            text("ticket", lambda row: row.ticket, 1),
        ],
    )


def _sites(report: Report, words: Words) -> Table:
    return made(
        "sites",
        sorted(report.sites, key=_worst_first),
        [
            text("site", lambda row: words.name(row.name), 2.6),
            text("id", lambda row: row.id),
            text("level", lambda row: words.known("levels", row.level), 1.2),
            text("parent", lambda row: words.name(row.parent)),
            typed("targets", "whole", lambda row: row.targets, 1),
            *numbers(words, lambda row: row.numbers, availability=1.4, lowest=1.4, highest=1.4, down=1.5, outages=1.1),
            typed("cut_off", "duration", lambda row: row.cut_off_s, 1.5),
            typed("cut_offs", "whole", lambda row: row.cut_offs),
            text("worst", lambda row: words.name(row.worst), 2.4),
            typed("worst_percent", "percent", lambda row: row.worst_percent),
        ],
    )


def _incidents(report: Report, words: Words) -> Table:
    return made(
        "incidents",
        report.incidents,
        [
            typed("number", "whole", lambda row: row.number, 0.8),
            text("name", lambda row: words.name(row.name), 2.4),
            text("site", lambda row: words.name(row.site), 2),
            text("check", lambda row: row.check),
            typed("start", "time", lambda row: row.start, 1.8),
            typed("end", "time", lambda row: row.end, 1.8),
            typed("duration", "duration", lambda row: row.duration_s, 1.4),
            typed("detection", "duration", lambda row: row.detection_s, 1.3),
            typed("acknowledged", "duration", lambda row: row.acknowledged_s, 1.6),
            typed("hidden", "whole", lambda row: row.hidden, 1),
            text("cause", lambda row: words.known("causes", row.cause)),
            text("reason", lambda row: row.reason),
        ],
        lambda row: row.end is None,
    )


def _times(report: Report, words: Words) -> Table:
    sums = report.incident_sums
    times = [(key, getattr(sums, key)) for key in ("detection", "acknowledgement", "restoration", "between")]
    return made(
        "times",
        times,
        [
            text("measure", lambda row: words.say(f"spreads.{row[0]}"), 3.4),
            *spreads(1.1),
        ],
    )


def _causes(report: Report, words: Words) -> Table:
    total = sum(row.down_s for row in report.causes)
    return made(
        "causes",
        report.causes,
        [
            text("cause", lambda row: words.known("causes", row.cause), 2),
            typed("outages", "whole", lambda row: row.outages, 1),
            typed("down", "duration", lambda row: row.down_s, 1.5),
            typed("share", "percent", lambda row: 100 * row.down_s / total, 1),
        ],
    )


def _exclusions(report: Report, words: Words) -> Table:
    return made(
        "exclusions",
        report.exclusions,
        [
            text("kind", lambda row: words.known("kinds", row.kind), 1.6),
            text("name", lambda row: words.name(row.name), 2),
            text("about", lambda row: row.about),
            typed("start", "time", lambda row: row.start, 1.95),
            typed("end", "time", lambda row: row.end, 1.95),
            typed("duration", "duration", lambda row: row.length_s, 1.2),
            text("state", lambda row: words.known("states", row.state) if row.state else "", 1),
            text("author", lambda row: row.author, 1.2),
            text("reason", lambda row: row.reason, 2),
            typed("written", "time", lambda row: row.written, 1.95),
        ],
    )


def _loads(report: Report, words: Words) -> Table:
    return made(
        "loads",
        sorted(report.loads, key=lambda row: -row.highest_percent),
        [
            text("circuit", lambda row: words.name(row.circuit), 2.6),
            text("target", lambda row: row.target),
            text("interface", lambda row: row.interface, 1.6),
            text("direction", lambda row: words.known("directions", row.direction), 1),
            typed("mbps", "number", lambda row: row.mbps, 1),
            typed("highest_load", "percent", lambda row: row.highest_percent, 1.3),
            typed("highest_at", "time", lambda row: row.highest_at, 1.9),
            typed("windows", "whole", lambda row: row.windows, 1),
            typed("over", "whole", lambda row: row.over, 1),
            typed("coverage", "percent", lambda row: row.coverage_percent, 1.2),
        ],
        lambda row: row.over > 0,
    )


def _targets(report: Report, words: Words) -> Table:
    return made(
        "targets",
        report.targets,
        [
            text("name", lambda row: words.name(row.name)),
            text("id", lambda row: row.id),
            text("site", lambda row: words.name(row.site)),
            text("system", lambda row: row.system),
            text("role", lambda row: row.role),
            typed("since", "time", lambda row: row.watched_since),
            *numbers(words, lambda row: row.numbers),
            _VERSION,
        ],
    )


def _trends(report: Report, words: Words) -> Table:
    trends = [(row, month) for row in report.promised for month in row.trend if month.availability_percent is not None]
    return made(
        "trends",
        trends,
        [
            text("name", lambda pair: _called(pair[0], words)),
            text("month", lambda pair: pair[1].month),
            typed("availability", "percent", lambda pair: pair[1].availability_percent),
            typed("lowest", "percent", lambda pair: pair[1].lowest_percent),
            typed("highest", "percent", lambda pair: pair[1].highest_percent),
            typed("down", "duration", lambda pair: pair[1].down_s),
            text("verdict", lambda pair: words.known("verdicts", pair[1].verdict or "none")),
        ],
        lambda pair: pair[1].verdict == "missed",
    )


def _days(report: Report, words: Words) -> Table:
    days = [(row, day) for row in report.promised for day in row.days if day.counted_s > 0]
    return made(
        "days",
        days,
        [
            text("name", lambda pair: _called(pair[0], words)),
            typed("day_name", "date", lambda pair: date.fromisoformat(pair[1].day)),
            typed("elapsed", "duration", lambda pair: pair[1].counted_s),
            typed("down", "duration", lambda pair: pair[1].down_s),
            typed("unknown", "duration", lambda pair: pair[1].unknown_s),
        ],
    )


def _planned(report: Report, words: Words) -> Table:
    return made(
        "planned",
        report.planned,
        [
            text("name", lambda row: words.name(row.name), 2.4),
            text("about", lambda row: row.about),
            typed("start", "time", lambda row: row.start, 1.8),
            typed("end", "time", lambda row: row.end, 1.8),
            text("counted", lambda row: words.say("yes" if row.excluded else "no"), 1.2),
            text("author", lambda row: row.author, 1.3),
            text("reason", lambda row: row.reason, 2.4),
        ],
    )


def _changes(report: Report, words: Words) -> Table:
    return made(
        "changes",
        tuple(changed.said(report, words)),
        [
            text("subject", lambda row: row.subject, 3),
            text("figure", lambda row: row.figure, 2.2),
            text("was", lambda row: row.was, 1.6),
            text("now", lambda row: row.now, 1.6),
            text("where", lambda row: row.change.where),
            text("before", lambda row: row.change.before),
            text("after", lambda row: row.change.after),
        ],
        lambda row: row.main,
    )


_TABLES = (
    _promised,
    _longer,
    _carriers,
    _circuits,
    _outages,
    _sites,
    _incidents,
    _times,
    _causes,
    _exclusions,
    _loads,
    annex_tables.power,
    annex_tables.climate,
    annex_tables.disks,
    annex_tables.certificates,
    annex_tables.rooms,
    annex_tables.connections,
    _targets,
    _trends,
    _days,
    _planned,
    _changes,
)
"""In the order of the sheets."""
_VERSION = text("formula_version", lambda _: FORMULA_VERSION)


def _called(row: Promised, words: Words) -> str:
    """Call a promise by what it is about, and by its own name where that is another."""
    about, objective = words.name(row.name), words.name(row.objective_name)
    return about if about == objective else f"{objective} ({about})"


def _worst_line(row: CircuitRow) -> tuple[float, str]:
    best = row.measured.availability_percent
    return (101.0 if best is None else best), row.id


def _worst_first(row: SiteRow) -> tuple[float, float, str]:
    best = row.numbers.availability_percent
    return (101.0 if best is None else best), -row.cut_off_s, row.id
