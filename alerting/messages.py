"""What a message says: the answer to what broke, where, since when, why, who is affected and what to do, at one look.

`compose` chooses the words; two templates lay them out as plain text and HTML. Every value passes `alerting.text.clean`
on its way into a template, and HTML is escaped after that: a device's name can neither act nor look like ours.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from alerting.catalogue import Catalogue
from alerting.records import STORM, Incident, Owner
from alerting.text import clean
from alerting.world import Step, in_language
from availability.objectives import Figures
from haidang.reasons import told

NAMES_SHOWN = 5
_LINES_SHOWN = 12
_LISTED = 200
_BEGINS = frozenset(
    {Step.OPENED, Step.FLAPPING, Step.STEADY, Step.REOPENED, Step.GROWN, Step.STILL, Step.SPLIT, Step.ESCALATED}
)
"""Steps after which somebody has to do something."""
ENDS = frozenset({Step.RESOLVED, Step.CLOSED, Step.UNMEASURED, Step.FLAPPED})
"""Steps after which there is nothing to acknowledge."""


def shown_of(incident: Incident) -> int:
    """Return how many of what is affected are named: a storm is nothing but that."""
    return _LINES_SHOWN if incident.check == STORM else NAMES_SHOWN


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known when a message is written.

    Parameters:
        incident: as it is after the step.
        step: what the message tells.
        now_ns: the time the step was confirmed.
        affected: names of what cannot be reached meanwhile, in the reader's language; the first of them suffice.
        figures: of the month up to now; ``None`` when nobody has any.
        count: how many are affected, when more than are named.
        link: where the reader acknowledges; empty: nowhere.
    """

    incident: Incident
    step: Step
    now_ns: int
    affected: Sequence[str] = ()
    figures: Figures | None = None
    count: int = 0
    link: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """The words of a message, before they are laid out."""

    subject: str
    title: str
    gist: str
    since: str
    first: str
    link_title: str
    link: str
    facts: tuple[tuple[str, str], ...]
    month_title: str
    month: tuple[str, ...]
    next_title: str
    hints: tuple[str, ...]
    footer: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as a channel gets it: one line, plain text, HTML."""

    subject: str
    text: str
    html: str


class Writer:
    """Writes messages in one language; keep it, the templates are compiled once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        loader = PackageLoader("alerting", "templates")
        layout: dict[str, Any] = {
            "loader": loader, "finalize": _safe, "undefined": StrictUndefined, "trim_blocks": True,
            "lstrip_blocks": True, "keep_trailing_newline": True,
        }  # fmt: skip
        plain = Environment(autoescape=False, **layout)  # noqa: S701 the plain text; nothing in it is markup
        self._text = plain.get_template("letter.txt")
        self._html = Environment(autoescape=True, **layout).get_template("letter.html")

    def write(self, situation: Situation) -> Rendered:
        """Write a message."""
        letter = compose(self._catalogue, situation)
        gaps = {"letter": letter, "language": self._catalogue.language, "tone": situation.step.value}
        return Rendered(clean(letter.subject, 200), self._text.render(gaps), self._html.render(gaps))


def digest(words: Catalogue, situations: Sequence[Situation]) -> Rendered:
    """Write a list of what was not urgent: a line for each step, in the order they happened."""
    gaps = {"product": words.say("product"), "count": len(situations)}
    lines = [
        f"{words.minute(one.now_ns)} {clean(compose(words, one).subject, 200)}" for one in situations[:_LISTED]
    ]  # fmt: skip
    if len(situations) > _LISTED:
        lines.append(words.say("digest.more", rest=len(situations) - _LISTED))
    text = "\n".join([words.say("digest.title", **gaps), "", *lines, "", "-- ", words.say("product"), ""])
    return Rendered(clean(words.say("digest.subject", **gaps), 200), text, "")


def compose(words: Catalogue, situation: Situation) -> Letter:
    """Choose the words of a message."""
    incident, step = situation.incident, situation.step
    probe = incident.check.probe
    ended_ns = incident.ended_ns if incident.ended_ns is not None else situation.now_ns
    gaps = {
        "product": words.say("product"),
        "number": incident.number,
        "down": words.of_probe(probe, "down"),
        "check": words.of_probe(probe, "check"),
        "name": _name(words, situation),
        "since": words.minute(incident.since_ns),
        "start": words.time(incident.since_ns),
        "end": words.time(ended_ns),
        "duration": words.duration((ended_ns - incident.since_ns) / 1e9),
    }
    hints = _hints(words, incident) if step in _BEGINS else ()
    return Letter(
        subject=words.say(f"subject.{step}", **gaps),
        title=words.say(f"title.{step}", **gaps),
        gist=_gist(words, situation),
        since=_since(words, situation, gaps),
        first=words.say("first", hint=hints[0]) if hints else "",
        link_title=words.say("acknowledge") if situation.link else "",
        link=situation.link,
        facts=_facts(words, situation),
        month_title=words.say("month.title", month=words.month(situation.now_ns)),
        month=_month(words, situation),
        next_title=words.say("next"),
        hints=hints,
        footer=words.say("footer", **gaps),
    )


def _name(words: Catalogue, situation: Situation) -> str:
    incident = situation.incident
    if incident.check == STORM:
        return words.say("storm", count=max(situation.count, len(situation.affected)))
    return clean(in_language(incident.subject.name, words.language) or incident.check.target, 80)


def _gist(words: Catalogue, situation: Situation) -> str:
    """Say where and how bad in one line: what a telephone shows of a message without being touched."""
    subject = situation.incident.subject
    site, level = (clean(in_language(name, words.language), 80) for name in (subject.site, subject.level))
    where = words.say("site_with_level", site=site, level=words.level(level)) if site and level else site
    if situation.incident.check == STORM:
        where = next((clean(one, 80) for one in situation.incident.facts.get(f"common:{words.language}", ())), "")
    bad = _severity(words, situation) if situation.step in _BEGINS else ""
    gist = " · ".join(part for part in (where, bad) if part)
    return gist[:1].upper() + gist[1:]


def _since(words: Catalogue, situation: Situation, gaps: Mapping[str, object]) -> str:
    incident, line = situation.incident, words.say(f"since.{situation.step}", **gaps)
    if incident.reopened_ns is not None and situation.step in (Step.STILL, Step.GROWN, Step.RESOLVED):
        line = f"{line} {words.say('first_failed', start=words.time(incident.started_ns))}"
    return line


def _facts(words: Catalogue, situation: Situation) -> tuple[tuple[str, str], ...]:
    incident = situation.incident
    subject = incident.subject
    reason = words.of_probe(incident.check.probe, "sentence")
    if incident.reason and incident.check != STORM:  # how many they are stands in the title
        detail = words.phrase(clean(told(incident.reason, words.language), 200))
        reason = words.say("reason_with_detail", sentence=reason, detail=detail)
    facts = {
        "address": clean(subject.address, 100),
        "system": clean(in_language(subject.system, words.language), 80),
        "circuit": _line(words, incident),
        "reason": reason,
        "affected": _affected(words, situation),
        "owner": words.say(f"owner.{incident.owner}") if incident.owner is not Owner.UNKNOWN else "",
        "acknowledged": clean(incident.acknowledged_by, 80) if incident.acknowledged(situation.now_ns) else "",
        "common": _lines(words, incident.facts.get(f"common:{words.language}", ())),
        "open": _lines(words, incident.facts.get(f"open:{words.language}", ())),
        "evidence": _lines(words, [words.phrase(line) for line in incident.facts.get("evidence", ())]),
        "notes": clean(subject.notes, 500) if situation.step in _BEGINS else "",
    }
    return tuple((words.say(f"facts.{key}"), value) for key, value in facts.items() if value)


def _severity(words: Catalogue, situation: Situation) -> str:
    """Say how bad it is and by which figures; an incident that nobody has judged says nothing."""
    incident = situation.incident
    impact = incident.impact
    if impact is None:
        return ""
    gaps = {"targets": impact.targets, "sites": impact.sites, "people": impact.people}
    said = [words.say(f"impact.{key}", n=words.count(value)) for key, value in gaps.items() if value]
    level = words.say(f"severity.{incident.severity}")
    return words.say("severity_with_impact", severity=level, impact=", ".join(said)) if said else level


def _lines(words: Catalogue, lines: Collection[str]) -> str:
    shown = [clean(line, 160) for line in list(lines)[:_LINES_SHOWN]]
    rest = len(lines) - len(shown)
    return "; ".join(shown) + (f"; {words.say('and_more', rest=rest)}" if rest > 0 else "")


def _line(words: Catalogue, incident: Incident) -> str:
    circuit, carrier = clean(incident.subject.circuit, 60), clean(incident.subject.carrier, 60)
    if not carrier:
        return circuit
    return words.say("line.full" if circuit else "line.carrier", carrier=carrier, circuit=circuit)


def _affected(words: Catalogue, situation: Situation) -> str:
    names = situation.affected
    count = max(situation.count, len(names))
    if not names:
        return words.say("affected.none") if situation.step in _BEGINS else ""
    storm = situation.incident.check == STORM
    shown = names[: shown_of(situation.incident)]
    rest = count - len(shown)
    listed = ", ".join(clean(name, 60) for name in shown)
    if storm:
        listed = f"{listed}; {words.say('and_more', rest=rest)}" if rest > 0 else listed
        return words.say("affected.all", count=count, names=listed)
    return words.say("affected.more" if rest > 0 else "affected.some", count=count, names=listed, rest=rest)


def _month(words: Catalogue, situation: Situation) -> tuple[str, ...]:
    figures = situation.figures
    if situation.incident.check.target == STORM.target:
        return ()  # nothing was promised of it
    if figures is None:
        return (words.say("month.not_counted"),)
    lines: list[str] = []
    if figures.availability_percent is None:
        lines.append(words.say("month.nothing"))
    else:
        lines.append(words.say("month.availability", value=words.percent(figures.availability_percent)))
        lines += _bounds(words, figures)
    if figures.budget_s is None or figures.objective_percent is None:
        return (*lines, words.say("month.no_objective"))
    left_s = figures.budget_s - figures.down_s
    lines.append(
        words.say(
            "month.objective" if left_s >= 0 else "month.lost",
            objective=words.percent(figures.objective_percent), budget=words.duration(figures.budget_s),
            used=words.duration(figures.down_s), left=words.duration(left_s), over=words.duration(-left_s),
        )
    )  # fmt: skip
    if situation.step in _BEGINS and left_s >= 0:
        if left_s < figures.period_s - figures.elapsed_s:
            lines.append(words.say("month.lost_at", **words.clock(situation.now_ns + round(left_s * 1e9))))
        else:
            lines.append(words.say("month.holds"))
    return tuple(lines)


def _bounds(words: Catalogue, figures: Figures) -> list[str]:
    """Say how much nobody knows, once it is enough to show in the figure."""
    lowest, highest = figures.lowest_percent, figures.highest_percent
    if not figures.elapsed_s or lowest is None or highest is None:
        return []
    unknown = 100 * figures.unknown_s / figures.elapsed_s
    if unknown < 0.001:
        return []
    gaps = {"unknown": unknown, "lowest": lowest, "highest": highest}
    return [words.say("month.bounds", **{key: words.percent(value) for key, value in gaps.items()})]


def _hints(words: Catalogue, incident: Incident) -> tuple[str, ...]:
    subject = incident.subject
    gaps = {
        "address": clean(subject.address, 100),
        "site": clean(in_language(subject.site, words.language), 80),
        "line": _line(words, incident) if subject.carrier else "",
        "target": incident.check.target,
    }
    return tuple(words.hints(incident.check.probe, incident.reason, gaps))


def _safe(value: object) -> object:
    """Clean what a template is about to show; markup is the template's own."""
    return value if isinstance(value, Markup) else clean(str(value), 1200)
