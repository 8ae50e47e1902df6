"""A sheet as a mail, in the reader's language: one line, plain text, HTML. Rooms that are not ready come first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from alerting.catalogue import Catalogue
from alerting.outbox import Outbox
from alerting.text import clean
from alerting.world import Recipient, Step
from config import Configuration
from config.schema.conferences import Meeting
from haidang.conferences.meetings import Sitting
from haidang.conferences.sheets import Sheet, called, in_words
from haidang.conferences.verdict import Verdict
from haidang.conferences.words import say
from haidang.model import FieldValue

COLUMNS = {
    "mos": 1, "mos_lowest": 1, "worst_at": 0, "loss_percent": 2, "delay_ms": 0, "variation_ms": 1, "minutes_below": 0,
    "minutes_down": 0, "minutes_measured": 0,
}  # fmt: skip
"""The figures of how a meeting went, in the order in which they are shown, and their decimals."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail's parts."""

    subject: str
    text: str
    html: str


def write(
    configuration: Configuration, meeting: Meeting, sheet: Sheet, language: str, notes: Sequence[str] = ()
) -> Letter:
    """Write a sheet for people.

    Parameters:
        configuration: has the rooms' names and the time zone.
        language: ``vi`` or ``en``.
        notes: what else has to be said of the meeting, line by line.
    """
    times, counts = Catalogue(language, configuration.timezone), sheet.counts()
    gaps = {
        "product": times.say("product"), "name": meeting.label(language), "start": times.minute(sheet.start_ns),
        "end": times.minute(sheet.end_ns), "made": times.minute(sheet.made_ns), "summary": sheet.summary(language),
        "left": times.duration(max(0, sheet.start_ns - sheet.made_ns) / 1e9),
    }  # fmt: skip
    heading, rows = table(configuration, sheet, language)
    rooms = [(called(configuration, one.room, language), one) for one in sheet.ordered()]
    figures = {
        "language": language, "title": say(language, f"{sheet.kind}.title", **gaps), "summary": gaps["summary"],
        "when": say(language, f"{sheet.kind}.when", **gaps), "footer": say(language, "footer", **gaps),
        "notes": list(notes),
        "worst": max((one.verdict for one in sheet.rooms), key=tuple(Verdict).index, default=Verdict.GO).value,
        "rooms": [
            {
                "name": name, "room": one.room, "verdict": one.verdict.value,
                "word": sheet.word(one.verdict, language), "reasons": in_words(one, language),
            }
            for name, one in rooms if one.verdict is not Verdict.GO
        ],
        "go": sheet.word(Verdict.GO, language), "go_count": counts[Verdict.GO],
        "ready": [name for name, one in rooms if one.verdict is Verdict.GO],
        "table": (heading, rows),
        "lines": [(row[0], "; ".join(map(" ".join, zip(heading[1:], row[1:], strict=True)))) for row in rows],
    }  # fmt: skip
    return Letter(
        clean(say(language, f"{sheet.kind}.subject", **gaps), 200), _template("txt").render(figures),
        _template("html").render(figures),
    )  # fmt: skip


def table(configuration: Configuration, sheet: Sheet, language: str) -> tuple[list[str], list[list[str]]]:
    """Return the figures of how a meeting went as a heading and a row for each room; nothing of one before it."""
    if sheet.kind != "quality":
        return [], []
    zone = configuration.timezone
    heading = [say(language, f"columns.{name}") for name in ("room", *COLUMNS)]
    return heading, [
        [called(configuration, one.room, language), *(shown(one.figures, name, language, zone) for name in COLUMNS)]
        for one in sheet.ordered()
    ]


def shown(figures: Mapping[str, FieldValue], name: str, language: str, zone: ZoneInfo) -> str:
    """Write a figure for people; one that is not known as a dash."""
    value = figures.get(name)
    if value is None:
        return "–"
    if name == "worst_at":
        return f"{datetime.fromisoformat(str(value)).astimezone(zone):%H:%M}"
    text = f"{value:.{COLUMNS[name]}f}" if isinstance(value, float) else str(value)
    return text.replace(".", say(language, "decimal_mark"))


def mail(
    configuration: Configuration, outbox: Outbox, sitting: Sitting, sheet: Sheet,
    notes: Callable[[str], Sequence[str]] = lambda _language: (),
) -> int:  # fmt: skip
    """Put a sheet into the outbox for the organiser and whoever reads all of them; part of the caller's transaction.

    Parameters:
        notes: what else has to be said, by language.

    Returns:
        how many letters that were.
    """
    meeting, letters = sitting.meeting, 0
    readers = []
    for name in dict.fromkeys([*((meeting.organiser,) if meeting.organiser else ()), *configuration.conferences.to]):
        contact = configuration.inventory.contacts[name]
        if contact.email is not None:
            readers.append(Recipient(name, contact.email, contact.language or configuration.language))
    if sitting.mail and sitting.mail.casefold() not in {one.address.casefold() for one in readers}:
        readers.insert(0, Recipient("organiser", sitting.mail, configuration.language))
    for reader in readers:
        letter = write(configuration, meeting, sheet, reader.language, notes(reader.language))
        payload = {"subject": letter.subject, "text": letter.text, "html": letter.html}
        outbox.put(None, Step.SHEET, reader, payload, sheet.made_ns)
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
