"""Tells people of an incident's steps: writes the message in each reader's language and puts it into the outbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import structlog

from alerting import records
from alerting.audience import audience
from alerting.catalogue import LANGUAGES, Catalogue
from alerting.escalation import Escalations, Waiting
from alerting.messages import ENDS, Rendered, Situation, Writer, digest, shown_of
from alerting.outbox import Outbox
from alerting.records import Incident
from alerting.routing import Plan, Rung, next_at
from alerting.text import clean
from alerting.world import Recipient, Step, World, in_language
from haidang.model import CheckId

logger = structlog.get_logger(__name__)


class Router(Protocol):
    """Says who is told of what, from the configuration and the stand-ins; answers at once and never raises."""

    def plans(self, incident: Incident, members: Sequence[CheckId], at_ns: int) -> Sequence[Plan]:
        """Return the plans of the routes an incident takes."""
        ...

    def people(self, names: Sequence[str], at_ns: int) -> Sequence[Recipient]:
        """Return who is meant by contacts and rotas: whoever is on duty then; each person once."""
        ...

    def silenced_until_ns(self, incident: Incident, members: Sequence[CheckId], at_ns: int) -> int | None:
        """Return until when nobody is to be told of an incident; ``None`` when somebody is."""
        ...


class NoRoutes:
    """Nothing but those who are told of everything."""

    def plans(self, incident: Incident, members: Sequence[CheckId], at_ns: int) -> Sequence[Plan]:  # noqa: ARG002
        """See `Router.plans`."""
        return ()

    def people(self, names: Sequence[str], at_ns: int) -> Sequence[Recipient]:  # noqa: ARG002
        """See `Router.people`."""
        return ()

    def silenced_until_ns(
        self, incident: Incident, members: Sequence[CheckId], at_ns: int  # noqa: ARG002
    ) -> int | None:  # fmt: skip
        """See `Router.silenced_until_ns`."""
        return None


EVERYBODY = Plan("", (Rung(0, ("",)),))
"""Those who are told of everything, and of what fails behind it: `alerting.audience`."""

_FIRST = (Step.OPENED, Step.FLAPPING, Step.SPLIT, Step.REOPENED, Step.GROWN, Step.ESCALATED)


class Notifier:
    """Puts messages into the outbox, inside the transaction of what they tell.

    Parameters:
        outbox: where they go.
        world: names, places and figures.
        zone: the time zone people read times in.
        escalations: the timers; without, everybody is told at once and nobody later.
        router: says who is told beside those who are told of everything.
        link: makes the link to acknowledge an incident with, for a contact; an empty text: there is none.
    """

    def __init__(
        self, outbox: Outbox, world: World, zone: ZoneInfo, escalations: Escalations | None = None,
        router: Router | None = None, link: Callable[[int, str], str] = lambda _number, _contact: "",
    ) -> None:  # fmt: skip
        self._outbox = outbox
        self._world = world
        self._zone = zone
        self._escalations = escalations
        self._router = router or NoRoutes()
        self._link = link
        self._catalogues = {language: Catalogue(language, zone) for language in LANGUAGES}
        self._writers = {language: Writer(self._catalogues[language]) for language in LANGUAGES}

    def opened(self, incident: Incident, step: Step, now_ns: int, members: Sequence[CheckId] = ()) -> None:
        """Tell everybody who hears of this check, or of a member, that it has failed, and begin its routes.

        Called again for the same incident (a storm that grows) it tells those who know of it as well, and begins the
        routes that it did not take before.

        Parameters:
            incident, step, now_ns: what is told, and when.
            members: what fails because of it; empty: what the world says is behind it.
        """
        held_until_ns = self._router.silenced_until_ns(incident, members, now_ns)
        plans = (EVERYBODY, *self._router.plans(incident, members, now_ns))
        begun: list[tuple[Plan, Sequence[Rung]]] = [(plan, plan.rungs[:1]) for plan in plans]
        if self._escalations is not None:
            begun = self._escalations.begin(incident.number, plans, now_ns, held_until_ns)
        if held_until_ns is not None:
            return
        earlier = self._told(incident)
        people = self._climbed(incident, step, now_ns, begun)
        self._tell_all(incident, step, now_ns, members, [*people, *(recipient for recipient, _ in earlier)])

    def climb(self, incident: Incident, plan: Plan, rungs: Sequence[Rung], step: Step, now_ns: int) -> None:
        """Tell those whose turn has come of an incident that was opened before."""
        members = records.members(self._outbox.connection, incident.number)
        incident = replace(incident, facts=records.facts(self._outbox.connection, incident.number))
        people = self._climbed(incident, step, now_ns, [(plan, rungs)])
        if plan == EVERYBODY:
            self._tell_all(incident, step, now_ns, members, people)
            return
        earlier = self._first_ids(incident)
        if step is Step.OPENED:  # who was just told by another route need not be told twice that it began
            people = [one for one in people if (one.channel, one.address) not in earlier]
        told = [(one, earlier.get((one.channel, one.address))) for one in people]
        self._tell(incident, step, now_ns, told, members or self._world.behind(incident.check))

    def _climbed(
        self, incident: Incident, step: Step, now_ns: int, climbed: Sequence[tuple[Plan, Sequence[Rung]]]
    ) -> list[Recipient]:  # fmt: skip
        """Return who is told now by these rungs; what is for a list goes onto it."""
        names: dict[str, None] = {}
        for plan, rungs in climbed:
            wanted = [name for rung in rungs for name in rung.to if name]
            if plan.digest is not None and wanted and self._escalations is not None:
                due_ns = next_at(plan.digest, now_ns, self._zone)
                self._escalations.list_later(incident.number, step, wanted, now_ns, due_ns)
            else:
                names.update(dict.fromkeys(wanted))
        return list(self._router.people(list(names), now_ns))

    def _tell_all(
        self, incident: Incident, step: Step, now_ns: int, members: Sequence[CheckId], others: Sequence[Recipient]
    ) -> None:  # fmt: skip
        """Tell those who hear of everything what concerns them, and others besides; each mailbox once."""
        earlier = self._first_ids(incident)
        done: set[tuple[str, str]] = set()
        groups = [*audience(self._world, incident.check, members), (list(others), members)]
        for recipients, theirs in groups:
            fresh: dict[tuple[str, str], tuple[Recipient, str | None]] = {}
            for one in recipients:
                mailbox = one.channel, one.address
                if mailbox not in done:
                    fresh.setdefault(mailbox, (one, earlier.get(mailbox)))
            done |= fresh.keys()
            self._tell(incident, step, now_ns, list(fresh.values()), theirs or self._world.behind(incident.check))

    def _first_ids(self, incident: Incident) -> dict[tuple[str, str], str]:
        return {(one.channel, one.address): message_id for one, message_id in self._told(incident)}

    def changed(self, incident: Incident, step: Step, now_ns: int, members: Sequence[CheckId] = ()) -> None:
        """Tell those who were told of the failure how it goes on; a route it takes only now is begun."""
        if self._router.silenced_until_ns(incident, members, now_ns) is not None:
            return
        told: list[tuple[Recipient, str | None]] = [*self._told(incident)]
        if self._escalations is not None and told:
            plans = self._router.plans(incident, members, now_ns)
            begun = self._escalations.begin(incident.number, plans, now_ns, _rests(incident, now_ns))
            known = {(one.channel, one.address) for one, _ in told}
            people = self._climbed(incident, step, now_ns, begun)
            told += [(one, None) for one in people if (one.channel, one.address) not in known]
        self._tell(incident, step, now_ns, told, members or self._world.behind(incident.check))

    def ended(self, incident: Incident, step: Step, now_ns: int, members: Sequence[CheckId]) -> None:
        """Tell those who were told of the failure, and nobody else, that it is over."""
        if self._escalations is not None:
            self._escalations.end(incident.number)
            lists = [timer.plan for timer in self._escalations.of(incident.number) if timer.plan.digest is not None]
            self._climbed(incident, step, now_ns, [(plan, plan.rungs) for plan in lists])
        self._tell(incident, step, now_ns, self._told(incident), members)

    def listed(self, waiting: Sequence[Waiting], now_ns: int) -> None:
        """Tell what has come together on the lists: one message for each person."""
        theirs: dict[tuple[str, str], tuple[Recipient, list[Waiting]]] = {}
        for one in waiting:
            for recipient in self._router.people(one.recipients, now_ns):
                theirs.setdefault((recipient.channel, recipient.address), (recipient, []))[1].append(one)
        sql = self._outbox.connection
        known = {number: records.incident(sql, number) for number in {one.incident for one in waiting}}
        for recipient, ones in theirs.values():
            situations = [
                Situation(incident, one.step, one.at_ns)
                for one in ones
                if (incident := known[one.incident]) is not None
            ]
            letter = digest(self._catalogues[self._language(recipient)], situations)
            self._outbox.put(None, Step.DIGEST, recipient, {"subject": letter.subject, "text": letter.text}, now_ns)

    def _told(self, incident: Incident) -> list[tuple[Recipient, str]]:
        """Return who was told of it, each mailbox with the id of the first message."""
        first: dict[tuple[str, str], tuple[Recipient, str]] = {}
        for step in _FIRST:
            for recipient, message_id in self._outbox.told(incident.number, step):
                first.setdefault((recipient.channel, recipient.address), (recipient, message_id))
        return list(first.values())

    def _language(self, recipient: Recipient) -> str:
        return recipient.language if recipient.language in self._writers else "en"

    def _tell(
        self, incident: Incident, step: Step, now_ns: int, recipients: Sequence[tuple[Recipient, str | None]],
        affected: Sequence[CheckId],
    ) -> None:  # fmt: skip
        written: dict[tuple[str, str], Rendered] = {}
        for recipient, earlier in recipients:
            language = self._language(recipient)
            link = self._link(incident.number, recipient.contact) if incident.open and step not in ENDS else ""
            if (language, link) not in written:
                written[language, link] = self._write(incident, step, now_ns, affected, language, link)
            letter = written[language, link]
            payload: dict[str, Any] = {"subject": letter.subject, "text": letter.text, "html": letter.html}
            if link:
                payload["link"] = link
            if earlier is not None:
                payload["references"] = [earlier]
            self._outbox.put(incident.number, step, recipient, payload, now_ns)

    def _write(
        self, incident: Incident, step: Step, now_ns: int, affected: Sequence[CheckId], language: str, link: str
    ) -> Rendered:  # fmt: skip
        try:
            # The other checks of a target are the same thing to a reader.
            others = list({check.target: check for check in affected if check.target != incident.check.target}.values())
            situation = Situation(
                incident, step, now_ns,
                affected=[
                    in_language(self._world.subject(check).name, language) or str(check)
                    for check in others[: shown_of(incident)]
                ],
                figures=self._world.month(incident.check, now_ns), count=len(others), link=link,
            )  # fmt: skip
            return self._writers[language].write(situation)
        except Exception:  # noqa: BLE001 a page in bare words is better than none, and the ledger waits for this
            logger.exception("message written in bare words", incident=incident.number, step=step.value)
            line = f"[Haidang #{incident.number}] {step.value}: {clean(str(incident.check))}: {clean(incident.reason)}"
            return Rendered(line, f"{line}\n{link}\n" if link else f"{line}\n", "")


def _rests(incident: Incident, now_ns: int) -> int | None:
    return incident.acknowledged_until_ns if incident.acknowledged(now_ns) else None
