"""Tells people of an incident's steps: writes the message in each reader's language and puts it into the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from alerting.audience import audience
from alerting.catalogue import LANGUAGES, Catalogue
from alerting.messages import NAMES_SHOWN, Rendered, Situation, Writer
from alerting.outbox import Outbox
from alerting.records import Incident
from alerting.text import clean
from alerting.world import Recipient, Step, World, in_language
from haidang.model import CheckId

logger = structlog.get_logger(__name__)


class Notifier:
    """Puts messages into the outbox, inside the transaction of what they tell.

    Parameters:
        outbox: where they go.
        world: names, places and figures.
        zone: the time zone people read times in.
    """

    def __init__(self, outbox: Outbox, world: World, zone: ZoneInfo) -> None:
        self._outbox = outbox
        self._world = world
        self._writers = {language: Writer(Catalogue(language, zone)) for language in LANGUAGES}

    def opened(self, incident: Incident, step: Step, now_ns: int, members: Sequence[CheckId] = ()) -> None:
        """Tell everybody who hears of this check, or of a member, that it has failed.

        Parameters:
            incident, step, now_ns: what is told, and when.
            members: what fails because of it; empty: what the world says is behind it.
        """
        heard = audience(self._world, incident.check, members)
        for recipients, theirs in heard:
            told = [(recipient, None) for recipient in recipients]
            self._tell(incident, step, now_ns, told, theirs or self._world.behind(incident.check))

    def changed(self, incident: Incident, step: Step, now_ns: int, members: Sequence[CheckId] = ()) -> None:
        """Tell those who were told of the failure how it goes on."""
        affected = members or self._world.behind(incident.check)
        self._tell(incident, step, now_ns, self._told(incident), affected)

    def ended(self, incident: Incident, step: Step, now_ns: int, members: Sequence[CheckId]) -> None:
        """Tell those who were told of the failure, and nobody else, that it is over."""
        self._tell(incident, step, now_ns, self._told(incident), members)

    def _told(self, incident: Incident) -> list[tuple[Recipient, str]]:
        """Return who was told of it, each with the id of the first message."""
        first: dict[tuple[str, str], tuple[Recipient, str]] = {}
        for step in (Step.OPENED, Step.FLAPPING, Step.SPLIT, Step.REOPENED, Step.GROWN):
            for recipient, message_id in self._outbox.told(incident.number, step):
                first.setdefault((recipient.channel, recipient.address), (recipient, message_id))
        return list(first.values())

    def _tell(
        self, incident: Incident, step: Step, now_ns: int, recipients: Sequence[tuple[Recipient, str | None]],
        affected: Sequence[CheckId],
    ) -> None:  # fmt: skip
        written: dict[str, Rendered] = {}
        for recipient, earlier in recipients:
            language = recipient.language if recipient.language in self._writers else "en"
            if language not in written:
                written[language] = self._write(incident, step, now_ns, affected, language)
            letter = written[language]
            payload: dict[str, Any] = {"subject": letter.subject, "text": letter.text, "html": letter.html}
            if earlier is not None:
                payload["references"] = [earlier]
            self._outbox.put(incident.number, step, recipient, payload, now_ns)

    def _write(
        self, incident: Incident, step: Step, now_ns: int, affected: Sequence[CheckId], language: str
    ) -> Rendered:  # fmt: skip
        try:
            # Its own other checks are the same thing to a reader.
            others = [check for check in affected if check.target != incident.check.target]
            situation = Situation(
                incident, step, now_ns,
                affected=[
                    in_language(self._world.subject(check).name, language) or str(check)
                    for check in others[:NAMES_SHOWN]
                ],
                figures=self._world.month(incident.check, now_ns), count=len(others),
            )  # fmt: skip
            return self._writers[language].write(situation)
        except Exception:  # noqa: BLE001 a page in bare words is better than none, and the ledger waits for this
            logger.exception("message written in bare words", incident=incident.number, step=step.value)
            line = f"[Haidang #{incident.number}] {step.value}: {clean(str(incident.check))}: {clean(incident.reason)}"
            return Rendered(line, f"{line}\n", "")
