"""Checks what no single section can see: ids used twice, references into nothing, circles, and what does not fit.

References are looked up in the data as written, so that an item with another mistake in it is checked all the same.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from config.errors import ConfigError, Hints, quoted
from config.files import Source
from config.inventory import Inventory, effective
from config.schema.services import SERVICES
from config.schema.settings import Probing
from config.schema.things import Contact, Target
from config.schema.values import Section
from config.tree import List, Refused, Value
from config.tree import Mapping as Tree

MOST_SHOWN_OF_A_CIRCLE = 12
_LOCAL = frozenset({"host", "backup"})
"""Probes that need no address: they read the machine the daemon runs on."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a list section.

    Parameters:
        kind: the section, e.g. ``targets``.
        source, place: where it stands.
        raw: as written.
        model: checked; ``None`` when too much is wrong with it.
    """

    kind: str
    source: Source
    place: tuple[str | int, ...]
    raw: Tree
    model: Section | None

    @property
    def id(self) -> str:
        """Its id as written, empty when there is none."""
        found = self.raw.get("id")
        return found if isinstance(found, str) else ""

    def error(self, keys: Sequence[str | int], message: str, hint: str = "") -> ConfigError:
        """Make an error about a key in it."""
        return self.source.error([*self.place, *keys], message, hint)


_REFERENCES: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "sites": ((("parent",), "sites"),),
    "circuits": ((("a",), "sites"), (("b",), "sites"), (("system",), "systems")),
    "targets": (
        (("site",), "sites"),
        (("system",), "systems"),
        (("circuit",), "circuits"),
        (("parents",), "targets"),
        (("needs",), "targets"),
        (("notify",), "contacts"),
        (("snmp", "credential"), "credentials"),
    ),
    "objectives": (
        (("system",), "systems"),
        (("site",), "sites"),
        (("circuit",), "circuits"),
        (("target",), "targets"),
    ),
    "rotas": ((("layers", "people"), "contacts"),),
    "risks": ((("targets",), "targets"), (("sites",), "sites"), (("circuits",), "circuits")),
}
_ONE = {
    "sites": "site", "systems": "system", "circuits": "circuit", "targets": "target", "contacts": "contact",
    "credentials": "credential", "objectives": "objective", "risks": "risk", "rotas": "rota",
}  # fmt: skip


def duplicates(items: Sequence[Item]) -> Iterator[ConfigError]:
    """Find ids given twice."""
    first: dict[tuple[str, str], Item] = {}
    for item in items:
        if not item.id or isinstance(item.id, Refused):
            continue
        before = first.setdefault((item.kind, item.id), item)
        if before is not item:
            where = before.source.where([*before.place, "id"])
            yield item.error(["id"], f"the {_ONE[item.kind]} {quoted(item.id)} was given before, at {where}")


def dangling(items: Sequence[Item], hints: Hints) -> Iterator[ConfigError]:
    """Find references to what is not there."""
    known: dict[str, set[str]] = {kind: set() for kind in _ONE}
    for item in items:
        known[item.kind].add(item.id)
    for item in items:
        for keys, kind in _REFERENCES.get(item.kind, ()):
            for place, name in references(item.raw, keys):
                if name not in known[kind]:
                    cure = "" if known[kind] else f": add it under {kind}"
                    yield item.error(
                        place, f"there is no {_ONE[kind]} {quoted(name)}{cure}", hints.nearest(name, known[kind])
                    )


def references(raw: Tree, keys: Sequence[str]) -> Iterator[tuple[list[str | int], str]]:
    """Yield every text at a key, each with its place; on the way lists are gone through item by item."""
    found: list[tuple[list[str | int], Value]] = [([], raw)]
    for key in keys:
        found = [
            ([*place, *index, key], one.get(key))
            for place, value in found for index, one in _each(value) if isinstance(one, Tree)
        ]  # fmt: skip
    for place, value in found:
        for index, name in _each(value):
            if isinstance(name, str) and name and not isinstance(name, Refused):
                yield [*place, *index], name


def _each(value: Value) -> Iterator[tuple[list[str | int], Value]]:
    if isinstance(value, List):
        for index, one in enumerate(value):
            yield [index], one
    else:
        yield [], value


def objectives(items: Sequence[Item], hints: Hints) -> Iterator[ConfigError]:
    """Find objectives about a carrier that has no line: nothing would ever be counted."""
    carriers = {
        str(item.raw["carrier"])
        for item in items
        if item.kind == "circuits" and isinstance(item.raw.get("carrier"), str)
    }
    folded = {name.casefold() for name in carriers}
    for item in items:
        for place, name in references(item.raw, ("carrier",)) if item.kind == "objectives" else ():
            if name.casefold() not in folded:
                yield item.error(place, f"no circuit has the carrier {quoted(name)}", hints.nearest(name, carriers))


def circles(items: Sequence[Item], kind: str, *keys: str) -> Iterator[ConfigError]:
    """Find items that are above themselves. Each circle is told once, at the reference that closes it."""
    nodes = {item.id: item for item in reversed(items) if item.kind == kind}
    above = {name: [found for key in keys for found in references(item.raw, (key,))] for name, item in nodes.items()}
    done: set[str] = set()
    for start in reversed(nodes):
        if start in done:
            continue
        way: dict[str, int] = {start: 0}  # the ids on the way down, each with the next of its references to follow
        while way:
            name = next(reversed(way))
            index = way[name]
            if index >= len(above[name]):
                way.popitem()
                done.add(name)
                continue
            way[name] = index + 1
            place, parent = above[name][index]
            if parent in way:
                names = [*way]
                yield nodes[name].error(place, f"a circle: {_chain([*names[names.index(parent) :], parent])}")
            elif parent in nodes and parent not in done:
                way[parent] = 0


def _chain(names: list[str]) -> str:
    if len(names) > MOST_SHOWN_OF_A_CIRCLE:
        names = [*names[: MOST_SHOWN_OF_A_CIRCLE - 2], f"… {len(names) - MOST_SHOWN_OF_A_CIRCLE + 1} more …", names[-1]]
    return " → ".join(names)


def probing(source: Source, settings: Probing) -> Iterator[ConfigError]:
    """Find general probe settings that do not fit together."""
    for name in ("icmp", "snmp", "dns"):
        for key, message in getattr(settings, name).problems():
            yield source.error(["probing", name, key], message)


def targets(items: Sequence[Item], settings: Probing) -> Iterator[ConfigError]:
    """Find targets that cannot be probed as they say."""
    for item in items:
        if isinstance(item.model, Target):
            yield from _target(item, item.model, settings)


def _target(item: Item, target: Target, settings: Probing) -> Iterator[ConfigError]:
    kinds = target.probe_kinds()
    misspelt = item.raw.keys() - Target.model_fields.keys()
    if target.address is None and "address" not in item.raw and not _LOCAL.issuperset(kinds) and not misspelt:
        probes = ", ".join(kind for kind in kinds if kind not in _LOCAL)
        yield item.error(
            [], f"an address is missing: the probes {probes} need one; without, only probes: [host] or [backup]"
        )
    address = _numeric(target.address)
    if "host" in kinds and target.address not in (None, "localhost") and not (address and address.is_loopback):
        message = (
            f"the probe host reads the machine the daemon runs on, not {quoted(str(target.address))}: leave it out"
        )
        yield item.error(["address"], message)
    if address and settings.networks and not any(address in network for network in settings.networks):
        yield item.error(["address"], f"{target.address} is in none of the networks of probing.allow")
    for name, own in (("icmp", target.icmp), ("snmp", target.snmp), ("dns", target.dns)):
        for key, message in effective(getattr(settings, name), own).problems() if own is not None else ():
            yield item.error([name, key], message)
    for name in SERVICES:
        service = getattr(target, name)
        for key, message in service.problems() if service is not None else ():
            yield item.error([name, key], message)
    if "zone" in kinds and "zone" not in item.raw:
        yield item.error(["probes"], "the probe zone needs to know the zone: add zone: {name: …}")
    if "backup" in kinds and "backup" not in item.raw:
        yield item.error(["probes"], "the probe backup needs to know the files: add backup: {path: …}")
    if target.backup is not None:
        for key, message in target.backup.problems():
            yield item.error(["backup", key], message)
    if target.quality is not None:
        for key, message in target.quality.problems():
            yield item.error(["quality", key], message)
    if "tcp" in kinds and "tcp" not in item.raw:
        yield item.error(["probes"], "the probe tcp needs to know the port: add tcp: {port: N}")


def settled(items: Sequence[Item], inventory: Inventory) -> Iterator[ConfigError]:
    """Find what only shows in the settings in force: asked for by SNMP without access, by what a role adds."""
    for item in items:
        target = inventory.targets.get(item.id) if item.kind == "targets" else None
        if target is None:
            continue
        if ("snmp" in target.probes or "snmp" in item.raw) and target.credential is None:
            place = ["probes"] if "probes" in item.raw else ["snmp"]
            yield item.error(place, "the probe snmp needs access: add snmp: {credential: ID}")
        if target.alive is not None and "alive" in item.raw and target.alive not in target.probes:
            yield item.error(["alive"], f"{target.alive} is none of its probes: {', '.join(target.probes)}")
        for name, rule in target.rules.items():
            if rule.measurement is None or rule.field is None:
                message = f"the rule {quoted(name)} is none of its role's: it needs measurement and field"
                yield item.error(["rules", name], message)


def _numeric(address: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address or "")
    except ValueError:
        return None


def reports(source: Source, items: Sequence[Item], hints: Hints) -> Iterator[ConfigError]:
    """Find readers of the report who cannot get it."""
    return _readers(source, items, hints, ("reports", "to"), "the report")


def _readers(
    source: Source, items: Sequence[Item], hints: Hints, where: tuple[str, ...], what: str
) -> Iterator[ConfigError]:
    section = source.root.get("alerting")
    has_mail = isinstance(section, Tree) and section.get("mail") is not None
    contacts = {item.id: item for item in items if item.kind == "contacts"}
    for place, name in references(source.root, where):
        if name not in contacts:
            yield source.error(place, f"there is no contact {quoted(name)}", hints.nearest(name, contacts))
        elif _has_no_mailbox(contacts[name]):
            yield source.error(place, f"the contact {quoted(name)} has no email")
        elif not has_mail:
            yield source.error(place, f"{what} cannot be mailed: add alerting.mail with from and servers")


def meetings(source: Source, items: Sequence[Item], hints: Hints) -> Iterator[ConfigError]:
    """Find meetings of rooms that are not there, and readers who cannot be told of them."""
    targets = {item.id for item in items if item.kind == "targets"}
    for place, name in references(source.root, ("conferences", "meetings", "rooms")):
        if name not in targets:
            yield source.error(place, f"there is no target {quoted(name)}", hints.nearest(name, targets))
    yield from _calendars(source, targets, hints)
    for where in (("conferences", "to"), ("conferences", "meetings", "organiser")):
        yield from _readers(source, items, hints, where, "what is found of meetings")


def _calendars(source: Source, targets: Collection[str], hints: Hints) -> Iterator[ConfigError]:
    section = source.root.get("conferences")
    calendars = section.get("calendars") if isinstance(section, Tree) else None
    seen: set[str] = set()
    for index, calendar in enumerate(calendars if isinstance(calendars, List) else ()):
        if not isinstance(calendar, Tree):
            continue
        place = ("conferences", "calendars", index)
        name = calendar.get("id")
        if isinstance(name, str):
            if name in seen:
                yield source.error([*place, "id"], f"there are two calendars {quoted(name)}")
            seen.add(name)
        rooms = calendar.get("rooms")
        for called, meant in rooms.items() if isinstance(rooms, Tree) else ():
            for number, room in enumerate(meant if isinstance(meant, List) else ()):
                if isinstance(room, str) and room not in targets:
                    yield source.error(
                        [*place, "rooms", called, number],
                        f"there is no target {quoted(room)}",
                        hints.nearest(room, targets),
                    )


def _has_no_mailbox(item: Item) -> bool:
    return isinstance(item.model, Contact) and item.model.email is None and "email" not in item.raw


def pages(source: Source, items: Sequence[Item], hints: Hints) -> Iterator[ConfigError]:
    """Find systems of the status page that are not there."""
    systems = {item.id for item in items if item.kind == "systems"}
    for place, name in references(source.root, ("web", "status_page")):
        if name not in systems:
            yield source.error(place, f"there is no system {quoted(name)}", hints.nearest(name, systems))
    section, alerting = source.root.get("web"), source.root.get("alerting")
    has_url = isinstance(alerting, Tree) and alerting.get("url") is not None
    if isinstance(section, Tree) and section.get("oidc") is not None and not has_url:
        message = "the provider has to send people back: add alerting.url, the address that they reach the pages by"
        yield source.error(["web", "oidc"], message)


def receivers(source: Source, items: Sequence[Item], hints: Hints) -> Iterator[ConfigError]:
    """Find credentials for traps that are not there, or have no key to check anything with."""
    credentials = {item.id: item for item in items if item.kind == "credentials"}
    for place, name in references(source.root, ("receivers", "traps", "credentials")):
        if name not in credentials:
            yield source.error(place, f"there is no credential {quoted(name)}", hints.nearest(name, credentials))
        elif credentials[name].raw.get("version") != "3":
            yield source.error(place, f'the credential {quoted(name)} is not of version "3": traps of others need none')
