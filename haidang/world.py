"""What alerting asks of the world, answered from the configuration and the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from alerting.records import STORM
from alerting.severity import Impact
from alerting.world import Ground, Recipient, Subject, Words
from availability.books import Books
from availability.objectives import Figures
from availability.periods import month_at
from availability.promises import Promise
from availability.risks import OWN_ROUTE
from config import Configuration, Target
from config.schema.named import Named
from haidang.duty import recipient
from haidang.model import CheckId
from haidang.selfwatch import calendar_of
from storage.ledger import LedgerReader


class ConfiguredWorld:
    """See `alerting.world.World`.

    Parameters:
        configuration: the one in force; exchanged on a reload.
        reader: reads the ledger through the daemon's own connection, so that it sees the transaction under way.
    """

    def __init__(self, configuration: Configuration, reader: LedgerReader) -> None:
        self._reader = reader
        self.meeting: frozenset[str] = frozenset()
        """Targets in which a meeting is being held."""
        self.use(configuration)

    def use(self, configuration: Configuration) -> None:
        """Answer from another configuration from now on."""
        self._configuration = configuration
        self._behind: dict[str, list[str]] = {}
        for target in configuration.inventory.targets.values():
            only = (
                target.parents if len(target.parents) == 1 else ()
            )  # with another way in it is not cut off by this one
            for above in {*only, *target.needs}:
                self._behind.setdefault(above, []).append(target.id)
        targets = configuration.inventory.targets
        self._site = {name: target.site for name, target in targets.items() if target.site}
        self._system = {name: target.system for name, target in targets.items() if target.system}
        self._of_site, self._of_system = Counter(self._site.values()), Counter(self._system.values())
        self._grounds = self._lay_grounds()

    def subject(self, check: CheckId) -> Subject:
        """See `alerting.world.World.subject`."""
        inventory = self._configuration.inventory
        target = inventory.targets.get(check.target)
        if target is None:
            if check == STORM:
                return Subject(name={"vi": "nhiều sự cố", "en": "many failures"})
            if check.target == OWN_ROUTE.target and (calendar := calendar_of(check)):
                return Subject(name={"vi": f"lịch {calendar}", "en": f"calendar {calendar}"})
            if check.target == OWN_ROUTE.target:
                return Subject(name={"vi": "máy chủ giám sát", "en": "monitoring host"})
            kind, _, promised = check.target.partition(":")
            if promised:
                things = {"system": inventory.systems, "site": inventory.sites, "circuit": inventory.circuits}
                thing = things.get(kind, {}).get(promised)
                name = _words(thing) or {"vi": promised, "en": promised}
                return Subject(name=self._ruled(name, check), carrier=promised if kind == "carrier" else "")
            risk = inventory.risks.get(check.target)
            name = _words(risk) if risk else {"vi": check.target, "en": check.target}
            return Subject(name=name, carrier=check.target if check.probe == "carrier" and not risk else "")
        site = inventory.sites.get(target.site or "")
        circuit = inventory.circuits.get(target.circuit or "")
        return Subject(
            name=self._ruled(_words(target), check),
            address=target.address or "",
            site=_words(site),
            level={"vi": site.level, "en": site.level} if site else {},
            system=_words(inventory.systems.get(target.system or "")),
            circuit=circuit.label(self._configuration.language) if circuit else "",
            carrier=(circuit.carrier or "") if circuit else "",
            notes=target.notes,
        )

    def _ruled(self, name: Words, check: CheckId) -> Words:
        """Return a name with that of the rule that found it."""
        if not check.probe.startswith("rule:"):
            return name
        called = check.probe.split(":")[1]
        rule = next((one for one in self._configuration.alerting.rules if one.id == called), None)
        if rule is not None:
            return {key: f"{word}: {rule.label(key)}" for key, word in name.items()}
        target = self._configuration.inventory.targets.get(check.target)
        own = target.rules.get(called) if target is not None else None
        if own is None:
            return name
        return {key: f"{word}: {own.name.language(key) if own.name else called}" for key, word in name.items()}

    def recipients(self, check: CheckId) -> Sequence[Recipient]:
        """See `alerting.world.World.recipients`."""
        configuration = self._configuration
        target = configuration.inventory.targets.get(check.target)
        wanted = [*configuration.alerting.to, *(target.notify if target else ())]
        found: dict[tuple[str, str], Recipient] = {}
        for name in wanted:
            contact = configuration.inventory.contacts.get(name)
            one = recipient(configuration, contact) if contact is not None else None
            if one is not None:
                found.setdefault((one.channel, one.address.lower()), one)
        return tuple(found.values())

    def behind(self, check: CheckId) -> Sequence[CheckId]:
        """See `alerting.world.World.behind`."""
        targets = self._configuration.inventory.targets
        if check.target not in targets or targets[check.target].primary != check:
            return ()
        found: list[CheckId] = []
        waiting = list(self._behind.get(check.target, ()))
        seen = {check.target}
        while waiting:
            name = waiting.pop(0)
            if name in seen:
                continue
            seen.add(name)
            found.append(targets[name].primary)
            waiting += self._behind.get(name, ())
        return found

    def above(self, check: CheckId) -> Sequence[CheckId]:
        """See `alerting.world.World.above`."""
        targets = self._configuration.inventory.targets
        target = targets.get(check.target)
        if target is None or target.primary != check:
            return ()
        return [targets[name].primary for name in target.parents if name in targets]

    def common(self, check: CheckId) -> Collection[Ground]:
        """See `alerting.world.World.common`. A site that everything is below is nothing in common."""
        return self._grounds.get(check.target, ())

    def _lay_grounds(self) -> dict[str, tuple[Ground, ...]]:
        inventory = self._configuration.inventory
        parents = {site.id: site.parent for site in inventory.sites.values()}
        roots = {parent for parent in parents.values() if parent and not parents.get(parent)}
        found: dict[str, list[tuple[str, str]]] = {}
        for name, target in inventory.targets.items():
            circuit = inventory.circuits.get(target.circuit or "")
            keys = [("carrier", circuit.carrier)] if circuit and circuit.carrier else []
            keys += [("system", target.system)] if target.system else []
            site = target.site
            while site and site not in roots and ("site", site) not in keys:
                keys.append(("site", site))
                site = parents.get(site)
            found[name] = keys
        sizes = Counter(key for keys in found.values() for key in keys)
        named = {"site": inventory.sites, "system": inventory.systems}
        grounds = {
            (kind, id_): Ground(
                kind, id_, size, _words(named[kind].get(id_) if kind in named else None) or {"vi": id_, "en": id_}
            )
            for (kind, id_), size in sizes.items()
        }  # fmt: skip
        return {name: tuple(grounds[key] for key in keys) for name, keys in found.items()}

    def impact(self, checks: Collection[CheckId]) -> Impact:
        """See `alerting.world.World.impact`. A site is cut when nothing of it can be reached."""
        inventory = self._configuration.inventory
        lost = {one.target for check in checks for one in (check, *self.behind(check)) if self._is_first(one)}
        sites = Counter(self._site[name] for name in lost if name in self._site)
        cut = [name for name, count in sites.items() if count == self._of_site[name]]
        systems = Counter(self._system[name] for name in lost if name in self._system)
        return Impact(
            targets=max(1, len(lost)),
            sites=len(cut),
            people=sum(inventory.sites[name].people or 0 for name in cut),
            system_percent=max((100 * count / self._of_system[name] for name, count in systems.items()), default=0.0),
            meeting_rooms=len(self.meeting & (lost | {check.target for check in checks})),
        )

    def _is_first(self, check: CheckId) -> bool:
        target = self._configuration.inventory.targets.get(check.target)
        return target is not None and target.primary == check

    def month(self, check: CheckId, at_ns: int) -> Figures | None:
        """See `alerting.world.World.month`. Only a target's primary check counts toward its objective."""
        target = self._configuration.inventory.targets.get(check.target)
        if target is None or target.primary != check:
            return None
        month = month_at(at_ns, self._configuration.timezone)
        promise = Promise("", "target", target.id, self.objective(target.id) or 0)
        return (
            Books(self._configuration, self._reader.connection, at_ns, at_ns).of_target(target, month, promise).figures
        )

    def objective(self, target: str) -> float | None:
        """Return the availability that a target's system is to have, in percent."""
        inventory = self._configuration.inventory
        known = inventory.targets.get(target)
        system = inventory.systems.get(known.system or "") if known else None
        return system.objective if system else None


def _words(named: Named | Target | None) -> Words:
    return {language: named.label(language) for language in ("vi", "en")} if named else {}
