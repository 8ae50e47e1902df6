"""Checks of who is told and how: people who cannot be reached, channels and rotas that are not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from config.crosscheck import Item, references
from config.errors import ConfigError, Hints, quoted
from config.files import Source
from config.schema.channels import MAIL
from config.schema.things import Contact
from config.tree import Mapping as Tree

_KINDS = ("webhooks", "services", "commands")
_NO_WAY = "nobody can be told: no way is configured; add alerting.mail with from and servers"


def alerting(source: Source, items: Sequence[Item], hints: Hints) -> Iterator[ConfigError]:
    """Find people who are to be told and cannot be, and references into nothing."""
    contacts = {item.id: item for item in items if item.kind == "contacts"}
    rotas = {item.id: item for item in items if item.kind == "rotas"}
    channels = _channels(source)
    yield from _recipients(source, items, contacts, rotas, hints)
    yield from _ways(contacts.values(), channels, hints)
    yield from _same_name(source, rotas.values(), contacts)
    for keys, kind in ((("systems",), "systems"), (("sites",), "sites")):
        known = {item.id for item in items if item.kind == kind}
        for place, name in references(source.root, ("alerting", "routes", *keys)):
            if name not in known:
                yield source.error(place, f"there is no {kind[:-1]} {quoted(name)}", hints.nearest(name, known))
    if not channels:
        for place, _ in references(source.root, ("alerting", "to")):
            yield source.error(place[:2], _NO_WAY)
            return
        for item in items:
            for place, _ in references(item.raw, ("notify",)) if item.kind == "targets" else ():
                yield item.error(place, _NO_WAY)
                return


def _channels(source: Source) -> set[str]:
    section = source.root.get("alerting")
    found = {MAIL} if isinstance(section, Tree) and section.get(MAIL) is not None else set()
    for kind in _KINDS:
        found |= {name for _, name in references(source.root, ("alerting", kind, "id"))}
    return found


def _recipients(
    source: Source, items: Sequence[Item], contacts: dict[str, Item], rotas: dict[str, Item], hints: Hints
) -> Iterator[ConfigError]:
    for place, name in references(source.root, ("alerting", "to")):
        if name not in contacts:
            yield source.error(place, f"there is no contact {quoted(name)}", hints.nearest(name, contacts))
        elif _cannot_be_reached(contacts[name]):
            yield source.error(place, f"the contact {quoted(name)} has no email")
    for keys in (("routes", "steps", "to"), ("drill", "to"), ("drill", "escalate")):
        for place, name in references(source.root, ("alerting", *keys)):
            if name not in contacts and name not in rotas:
                hint = hints.nearest(name, {**contacts, **rotas})
                yield source.error(place, f"there is neither a contact nor a rota {quoted(name)}", hint)
            elif name in contacts and _cannot_be_reached(contacts[name]):
                yield source.error(place, f"the contact {quoted(name)} has no email and no ways")
    for item in items:
        for place, name in references(item.raw, ("notify",)) if item.kind == "targets" else ():
            if name in contacts and _cannot_be_reached(contacts[name]):
                yield item.error(place, f"the contact {quoted(name)} has no email")
        for place, name in references(item.raw, ("layers", "people")) if item.kind == "rotas" else ():
            if name in contacts and _cannot_be_reached(contacts[name]):
                yield item.error(place, f"the contact {quoted(name)} has no email and no ways")


def _ways(contacts: Iterable[Item], channels: set[str], hints: Hints) -> Iterator[ConfigError]:
    for item in contacts:
        for place, name in references(item.raw, ("ways", "channel")):
            if name not in channels:
                yield item.error(place, f"there is no channel {quoted(name)}", hints.nearest(name, channels))
            elif name == MAIL and "email" not in item.raw and not _address_at(item, place):
                yield item.error(place, "the contact has no email: add email, or an address here")


def _address_at(item: Item, place: Sequence[str | int]) -> bool:
    ways = item.raw.get("ways")
    way = ways[place[1]] if isinstance(ways, list) and isinstance(place[1], int) else None
    return isinstance(way, Tree) and "address" in way


def _same_name(source: Source, rotas: Iterable[Item], contacts: dict[str, Item]) -> Iterator[ConfigError]:
    for item in rotas:
        if item.id in contacts:
            yield item.error(["id"], f"a contact is called {quoted(item.id)} as well: a step could not tell them apart")
    first: dict[str, list[str | int]] = {}
    for kind in _KINDS:
        for place, name in references(source.root, ("alerting", kind, "id")):
            if first.setdefault(name, place) is not place:
                yield source.error(place, f"the channel {quoted(name)} was given before")
    known: set[str] = set()
    for place, name in references(source.root, ("alerting", "routes", "id")):
        if name in known:
            yield source.error(place, f"the route {quoted(name)} was given before")
        known.add(name)


def _cannot_be_reached(item: Item) -> bool:
    return isinstance(item.model, Contact) and not {"email", "ways"} & item.raw.keys()
