"""Three sentences of what happened, from the figures: against the objectives, the incidents, what was to blame."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from reports.gather import LANGUAGES
from reports.model import IncidentRow, Promised, Report
from reports.words import Words


def told(report: Report) -> dict[str, tuple[str, ...]]:
    """Return the sentences by language."""
    return {language: _told(report, Words(language, ZoneInfo(report.timezone))) for language in LANGUAGES}


def _told(report: Report, words: Words) -> tuple[str, ...]:
    if not any(row.numbers.up_s + row.numbers.down_s > 0 for row in report.targets):
        # That no downtime was seen would be true, and would be read as if there had been none.
        return (words.say("story.nothing", month=words.month(report.month)),)
    return (_objectives(report, words), _incidents(report, words), _blame(report, words))


def _objectives(report: Report, words: Words) -> str:
    held = [row for row in report.promised if row.numbers.objective_percent is not None]
    month = words.month(report.month)
    if not held:
        return words.say("story.no_objective_part" if report.about else "story.no_objective", month=month)
    met = sum(row.numbers.verdict == "met" for row in held)
    missed = (row for row in held if row.numbers.verdict == "missed")
    bad = sorted(missed, key=lambda row: row.numbers.budget_left_s or 0)
    said = words.say("story.met" if report.complete else "story.met_so_far", month=month, met=met, count=len(held))
    if not bad:
        return said + words.say("story.none_missed")
    first = bad[0]
    key = "story.missed_one" if len(bad) == 1 else "story.missed"
    return said + words.say(
        key, count=len(bad), name=_called(first, words), percent=words.percent(first.numbers.availability_percent),
        objective=words.percent(first.numbers.objective_percent, 2),
        over=words.spoken(first.numbers.budget_left_s or 0),
    )  # fmt: skip


def _called(row: Promised, words: Words) -> str:
    name, objective = words.name(row.name), words.name(row.objective_name)
    return name if row.about.startswith("system ") else objective


def _incidents(report: Report, words: Words) -> str:
    sums = report.incident_sums
    if not sums.count:
        return words.say("story.no_incidents")
    said = words.say("story.one_incident" if sums.count == 1 else "story.incidents", count=sums.count)
    if sums.restoration.median_s is not None and sums.restoration.n > 1:
        said += words.say("story.restored", median=words.spoken(sums.restoration.median_s))
    began = [row for row in report.incidents if row.start >= report.start]
    longest = max(began, key=lambda row: (_lasted(row, report), -row.number))
    more = words.say("story.behind", count=longest.hidden) if longest.hidden else ""
    key = "story.longest" if longest.end is not None else "story.longest_open"
    return said + words.say(
        key, name=words.name(longest.name), start=words.short(longest.start),
        duration=words.spoken(_lasted(longest, report)), more=more,
    )  # fmt: skip


def _lasted(row: IncidentRow, report: Report) -> float:
    return ((row.end or report.until) - row.start).total_seconds()


def _blame(report: Report, words: Words) -> str:
    total = sum(row.down_s for row in report.causes)
    if total <= 0:
        return words.say("story.no_downtime")
    most = report.causes[0]
    known = [row for row in report.sites if row.numbers.availability_percent is not None and row.numbers.down_s > 0]
    said = words.say(
        "story.blame", cause=words.known("causes_said", most.cause), percent=words.percent(100 * most.down_s / total, 1)
    )
    if not known:
        return said + "."
    worst = min(known, key=lambda row: (row.numbers.availability_percent or 0, row.id))
    return said + words.say(
        "story.worst_site", name=words.name(worst.name), percent=words.percent(worst.numbers.availability_percent)
    )
