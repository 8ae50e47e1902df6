"""The search index: everything in the inventory as plain text, in memory."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from config import Inventory

MOST = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """What can be found.

    Parameters:
        kind: ``system``, ``site``, ``circuit``, ``target``.
        text: what is searched, plain.
        head: the plain id and names, which count for more than the rest.
        names: by language.
        about: what else is said of it.
    """

    kind: str
    id: str
    text: str
    head: str
    names: dict[str, str]
    about: str


class Index:
    """Everything of an inventory, plain: ten thousand entries are looked through in a millisecond or two.

    Parameters:
        inventory: what there is; making the index of ten thousand targets takes some tenths of a second.
    """

    def __init__(self, inventory: Inventory) -> None:
        self.of = inventory
        self._entries: list[Entry] = []
        for kind, things in (("system", inventory.systems), ("site", inventory.sites), ("circuit", inventory.circuits)):
            for thing in things.values():
                carrier, contract = getattr(thing, "carrier", None) or "", getattr(thing, "contract", None) or ""
                self._add(
                    kind,
                    thing.id,
                    {one: thing.label(one) for one in ("vi", "en")},
                    " ".join(filter(None, (carrier, contract))),
                )
        self._called: dict[str, str] = {}
        for target in inventory.targets.values():
            for said in (target.label("en"), target.label("vi"), target.id):
                self._called[plain(said)] = target.id
            site = inventory.sites.get(target.site or "")
            circuit = inventory.circuits.get(target.circuit or "")
            about = [target.address or "", site.label("vi") if site else "", (circuit.carrier or "") if circuit else ""]
            self._add(
                "target", target.id, {one: target.label(one) for one in ("vi", "en")}, " · ".join(filter(None, about))
            )

    def find(self, asked: str) -> tuple[list[Entry], int]:
        """Return the best entries that have every word of what was asked, and how many there are in all.

        Best are those whose id or names begin with it, then those that have it whole there; of equals whatever is no
        target comes first.
        """
        wanted = plain(asked)[:100].split()
        if not wanted:
            return [], 0
        found = self._entries
        for word in wanted:  # word by word: asking each entry for all of them costs six times as much
            found = [one for one in found if word in one.text]
        whole = " ".join(wanted)
        ranks: tuple[Callable[[Entry], bool], ...] = (
            lambda one: one.head.startswith(whole),
            lambda one: whole in one.head and not one.head.startswith(whole),
            lambda one: whole not in one.head,
        )
        best: list[Entry] = []
        for rank in ranks:  # targets are last among the entries, so within each rank too
            best += itertools.islice(filter(rank, found), MOST - len(best))
        return best, len(found)

    def called(self, name: str) -> str | None:
        """Return the target that a device means by a name: its id or one of its names, with or without a domain."""
        said = plain(name)
        return self._called.get(said) or self._called.get(said.partition(".")[0])

    def _add(self, kind: str, name: str, names: dict[str, str], about: str) -> None:
        head = plain(f"{name} {names['vi']} {names['en']}")
        self._entries.append(Entry(kind, name, f"{head} {plain(about)}", head, names, about))


def plain(text: str) -> str:
    """Strip marks and capitals: ``Lục Ngạn`` becomes ``luc ngan``."""
    spread = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(character for character in spread if not unicodedata.combining(character))
