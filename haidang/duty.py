"""Who is told of what: the configuration's routes and rotas, with the stand-ins and silences people ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog

from alerting.oncall.roster import Roster, hours_of, roster
from alerting.oncall.rota import on_duty, shifts
from alerting.records import Incident
from alerting.routing import Clockwork, Facts, Plan, Route, Rung, chosen
from alerting.severity import Severity
from alerting.world import Recipient
from availability.maintenance import covers, includes
from config import Configuration
from config.schema.channels import MAIL
from config.schema.oncall import dates
from config.schema.things import Contact
from haidang.clock import Clock
from haidang.control import Verb
from haidang.maintaining import one_line, time_in
from haidang.model import CheckId
from haidang.show import utc
from storage.accounts import KINDS
from storage.database import Database
from storage.duty import DutyBook, OverrideRow, SilenceRow, overrides, silences

logger = structlog.get_logger(__name__)

MOST = 1_000
"""Stand-ins, and silences, that are not over."""
LONGEST_NS = 366 * 86_400 * 10**9
LONGEST_SILENCE_NS = 30 * 86_400 * 10**9
AHEAD_NS = 60 * 86_400 * 10**9
"""How far ahead the end of a shift is looked for."""


class Duty:
    """See `alerting.notifier.Router`; takes what people ask for about it as well.

    Parameters:
        configuration: the one in force; exchanged on a reload.
        database: ``haidang.db``.
        clock: the time.
    """

    def __init__(self, configuration: Configuration, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._book = DutyBook(database)
        self.use(configuration)

    def use(self, configuration: Configuration) -> None:
        """Go by another configuration from now on."""
        self._configuration = configuration
        self._routes = routes(configuration)
        self._clockwork = Clockwork(configuration.timezone, dates(configuration.alerting.holidays))
        self.read()

    def read(self) -> None:
        """Take in what is on record of stand-ins and silences."""
        now_ns = self._clock.utc_ns()
        self._overrides = overrides(self._database.connection, now_ns)
        self._silences = silences(self._database.connection, now_ns)
        self._roster = roster(self._configuration, self._overrides)

    def plans(self, incident: Incident, members: Sequence[CheckId], at_ns: int) -> Sequence[Plan]:
        """See `alerting.notifier.Router.plans`."""
        if not self._routes:
            return ()
        return chosen(self._routes, facts(self._configuration, incident, members, at_ns), self._clockwork)

    def people(self, names: Sequence[str], at_ns: int) -> Sequence[Recipient]:
        """See `alerting.notifier.Router.people`. A rota with nobody on duty is said in the log."""
        return reached(self._configuration, self._roster, names, at_ns)

    def silenced_until_ns(self, incident: Incident, members: Sequence[CheckId], at_ns: int) -> int | None:
        """See `alerting.notifier.Router.silenced_until_ns`: silent while everything is that fails."""
        return silent_until_ns(self._configuration, self._silences, concerned(incident, members), at_ns)

    def verbs(self) -> dict[str, Verb]:
        """Return what can be asked for over the control socket."""
        return {
            "oncall.override": self._override, "oncall.cancel": self._cancel_override,
            "silence.add": self._silence, "silence.cancel": self._cancel_silence,
        }  # fmt: skip

    def _override(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        rota, person = one_line(request, "rota", 64), one_line(request, "person", 64)
        inventory, now_ns = self._configuration.inventory, self._clock.utc_ns()
        if rota not in inventory.rotas:
            raise ValueError(f"there is no rota {rota}; there are: {', '.join(inventory.rotas) or 'none'}")
        if person not in inventory.contacts:
            raise ValueError(f"there is no contact {person}; there are: {', '.join(inventory.contacts) or 'none'}")
        start_ns, end_ns = time_in(request, "start_ns"), time_in(request, "end_ns")
        if not now_ns < end_ns or not 0 < end_ns - start_ns <= LONGEST_NS:
            raise ValueError("a stand-in ends after it begins, in the future, and within 366 days")
        _bounded(self._overrides, "stand-ins")
        row = OverrideRow(
            0, rota, person, start_ns, end_ns, one_line(request, "reason", 500), one_line(request, "author", 100),
            now_ns,
        )  # fmt: skip
        number = self._book.stand_in(row)
        self.read()
        return {"number": number}

    def _cancel_override(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self._book.cancel_stand_in(_number(request), _by(request), self._clock.utc_ns())
        self.read()
        return {}

    def _silence(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        kind, name = one_line(request, "kind", 20), one_line(request, "name", 200)
        inventory, now_ns = self._configuration.inventory, self._clock.utc_ns()
        if kind not in KINDS:
            raise ValueError(f"a silence is on one of {', '.join(KINDS)}, not on {kind}")
        if not any(covers(inventory, kind, name, target) for target in inventory.targets.values()):
            raise ValueError(f"{kind}:{name} covers no target: nothing would be silent")
        end_ns = time_in(request, "end_ns")
        if not 0 < end_ns - now_ns <= LONGEST_SILENCE_NS:
            raise ValueError("a silence ends in the future and within 30 days; for longer work plan maintenance")
        _bounded(self._silences, "silences")
        row = SilenceRow(
            0, kind, name, now_ns, end_ns, one_line(request, "reason", 500), one_line(request, "author", 100), now_ns
        )  # fmt: skip
        number = self._book.silence(row)
        self.read()
        return {"number": number}

    def _cancel_silence(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self._book.cancel_silence(_number(request), _by(request), self._clock.utc_ns())
        self.read()
        return {}


def concerned(incident: Incident, members: Sequence[CheckId]) -> list[str]:
    """Return the targets that an incident is about."""
    return list(dict.fromkeys(check.target for check in (incident.check, *members)))


def facts(configuration: Configuration, incident: Incident, members: Sequence[CheckId], at_ns: int) -> Facts:
    """Return what routes are chosen by; sites come with all those above them."""
    inventory = configuration.inventory
    names = concerned(incident, members)
    targets = [inventory.targets[name] for name in names if name in inventory.targets]
    promised = {name for name in names if name.partition(":")[2]}  # what a rule over budgets found: system:wan
    sites: set[str] = set()
    near = {target.site for target in targets if target.site}
    for site in near | {name.partition(":")[2] for name in promised if name.partition(":")[0] == "site"}:
        above: str | None = site
        while above is not None and above not in sites and above in inventory.sites:
            sites.add(above)
            above = inventory.sites[above].parent
    systems = frozenset(target.system for target in targets if target.system) | {
        name.partition(":")[2] for name in promised if name.partition(":")[0] == "system"
    }
    return Facts(systems, frozenset(sites), incident.severity, incident.owner.value, at_ns)


def silent_until_ns(
    configuration: Configuration, rows: Iterable[SilenceRow], names: Iterable[str], at_ns: int
) -> int | None:  # fmt: skip
    """Return until when targets, and what was promised, are silent: while each is; ``None`` when one is not."""
    active = [one for one in rows if one.start_ns <= at_ns < one.end_ns and one.cancelled_ns is None]
    inventory = configuration.inventory
    if not active:
        return None
    ends = [
        max((one.end_ns for one in active if includes(inventory, one.kind, one.name, name)), default=None)
        for name in names
        if name in inventory.targets or ":" in name
    ]
    known = [end_ns for end_ns in ends if end_ns is not None]
    return min(known) if known and len(known) == len(ends) else None


def on_call(
    configuration: Configuration, everything: Roster, at_ns: int, rota: str | None = None
) -> list[dict[str, Any]]:  # fmt: skip
    """Tell for programs who is on duty at a time, and until when.

    Parameters:
        everything: the rotas with the stand-ins on record.
        rota: only this one, which there is.
    """
    found = []
    for one in everything.rotas.values() if rota is None else (everything.rotas[rota],):
        person, by = on_duty(one, everything.overrides, at_ns)
        ahead = shifts(one, everything.overrides, at_ns, at_ns + AHEAD_NS)
        until_ns = next((shift.end_ns for shift in ahead if shift.end_ns < at_ns + AHEAD_NS), None)
        contact = configuration.inventory.contacts.get(person or "")
        name = contact.label(configuration.language) if contact else person
        found.append({"rota": one.id, "person": person, "name": name, "by": by or None, "until": utc(until_ns)})
    return found


def routes(configuration: Configuration) -> tuple[Route, ...]:
    """Return the configuration's routes in the terms of `alerting.routing`."""
    return tuple(
        Route(
            Plan(
                route.id, tuple(Rung(step.after_s, step.to) for step in route.steps),
                None if route.digest is None else 60 * int(route.digest[:2]) + int(route.digest[3:]),
            ),
            frozenset(route.systems), frozenset(route.sites), frozenset(route.owners), Severity(route.severity),
            hours_of(route.hours), route.holidays, route.further,
        )
        for route in configuration.alerting.routes
    )  # fmt: skip


def recipient(configuration: Configuration, contact: Contact) -> Recipient | None:
    """Say how a contact is reached: the best way, and the others after it; ``None`` when there is none."""
    alerting = configuration.alerting
    kinds = (alerting.webhooks, alerting.services, alerting.commands)
    channels = {one.id for kind in kinds for one in kind} | ({MAIL} if alerting.mail is not None else set())
    written = [(way.channel, way.address or (contact.email if way.channel == MAIL else "")) for way in contact.ways]
    ways = [
        (channel, address or "") for channel, address in written or [(MAIL, contact.email)]
        if channel in channels and (address or channel != MAIL)
    ]  # fmt: skip
    if not ways:
        return None
    (channel, address), *others = ways
    return Recipient(contact.id, address, contact.language or configuration.language, channel, tuple(others))


def reached(configuration: Configuration, roster: Roster, names: Iterable[str], at_ns: int) -> list[Recipient]:
    """Say who is meant by contacts and rotas at a time, and how they are reached; each person once."""
    contacts = configuration.inventory.contacts
    found: dict[str, Recipient] = {}
    for name in names:
        person: str | None = name
        if name in roster.rotas:
            person, _ = on_duty(roster.rotas[name], roster.overrides, at_ns)
            if person is None:
                logger.error("nobody is on duty", rota=name)
        contact = contacts.get(person or "")
        one = recipient(configuration, contact) if contact else None
        if one is not None:
            found.setdefault(one.contact, one)
    return list(found.values())


def _bounded(rows: Sequence[object], what: str) -> None:
    if len(rows) >= MOST:
        raise ValueError(f"there are {len(rows)} {what} already: call some off first")


def _number(request: Mapping[str, Any]) -> int:
    number = request.get("number")
    if not isinstance(number, int) or isinstance(number, bool):
        raise ValueError("its number is needed")  # noqa: TRY004 words for the one who asked
    return number


def _by(request: Mapping[str, Any]) -> str:
    return f"{one_line(request, 'author', 100)}: {one_line(request, 'reason', 500)}"
