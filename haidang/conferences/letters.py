"""A sheet as a mail, in the reader's language: one line, plain text, HTML. Rooms that are not ready come first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from alerting.catalogue import Catalogue
from alerting.outbox import Outbox
from alerting.text import clean
from alerting.world import Recipient, Step
from config import Configuration
from config.schema.conferences import Meeting
from haidang.conferences.sheets import Sheet, called, in_words
from haidang.conferences.verdict import Verdict
from haidang.conferences.words import say


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail's parts."""

    subject: str
    text: str
    html: str


def write(configuration: Configuration, meeting: Meeting, sheet: Sheet, language: str) -> Letter:
    """Write a sheet for people.

    Parameters:
        configuration: has the rooms' names and the time zone.
        language: ``vi`` or ``en``.
    """
    times, counts = Catalogue(language, configuration.timezone), sheet.counts()
    gaps = {
        "product": times.say("product"), "name": meeting.label(language), "start": times.minute(sheet.start_ns),
        "end": times.minute(sheet.end_ns), "made": times.minute(sheet.made_ns), "summary": sheet.summary(language),
        "left": times.duration(max(0, sheet.start_ns - sheet.made_ns) / 1e9),
    }  # fmt: skip
    rooms = [(called(configuration, one.room, language), one) for one in sheet.ordered()]
    figures = {
        "language": language, "title": say(language, f"{sheet.kind}.title", **gaps), "summary": gaps["summary"],
        "when": say(language, f"{sheet.kind}.when", **gaps), "footer": say(language, "footer", **gaps),
        "worst": max((one.verdict for one in sheet.rooms), key=tuple(Verdict).index, default=Verdict.GO).value,
        "rooms": [
            {
                "name": name, "room": one.room, "verdict": one.verdict.value,
                "word": say(language, f"verdicts.{one.verdict.value}"), "reasons": in_words(one, language),
            }
            for name, one in rooms if one.verdict is not Verdict.GO
        ],
        "go": say(language, "verdicts.go"), "go_count": counts[Verdict.GO],
        "ready": [name for name, one in rooms if one.verdict is Verdict.GO],
    }  # fmt: skip
    return Letter(
        clean(say(language, f"{sheet.kind}.subject", **gaps), 200), _template("txt").render(figures),
        _template("html").render(figures),
    )  # fmt: skip


def mail(configuration: Configuration, outbox: Outbox, meeting: Meeting, sheet: Sheet) -> int:
    """Put a sheet into the outbox for the organiser and whoever reads all of them; part of the caller's transaction.

    Returns:
        how many letters that were.
    """
    letters = 0
    for name in dict.fromkeys([*((meeting.organiser,) if meeting.organiser else ()), *configuration.conferences.to]):
        contact = configuration.inventory.contacts[name]
        if contact.email is None:
            continue
        language = contact.language or configuration.language
        letter = write(configuration, meeting, sheet, language)
        payload = {"subject": letter.subject, "text": letter.text, "html": letter.html}
        outbox.put(None, Step.SHEET, Recipient(name, contact.email, language), payload, sheet.made_ns)
        letters += 1
    return letters


@cache
def _template(kind: str) -> Template:
    layout: dict[str, Any] = {
        "loader": PackageLoader("haidang.conferences", "templates"), "finalize": _safe, "undefined": StrictUndefined,
        "trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True,
    }  # fmt: skip
    words = Environment(autoescape=kind == "html", **layout)  # noqa: S701 in the plain text nothing is markup
    return words.get_template(f"sheet.{kind}")


def _safe(value: object) -> object:
    return clean(value) if type(value) is str else value
