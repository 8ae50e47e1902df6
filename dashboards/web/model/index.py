"""The search index: everything in the inventory as plain text, in memory."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from config import Inventory
from dashboards.web.model.board import Board

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
    """Everything of an inventory, plain, in memory: ten thousand entries are looked through in some milliseconds.

    Made when it is first asked for, and again when the inventory is another one.
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._called: dict[str, str] = {}
        self._of: Inventory | None = None

    def _read(self, inventory: Inventory) -> None:
        self._of = inventory
        self._entries = []
        for kind, things in (("system", inventory.systems), ("site", inventory.sites), ("circuit", inventory.circuits)):
            for thing in things.values():
                carrier, contract = getattr(thing, "carrier", None) or "", getattr(thing, "contract", None) or ""
                self._add(
                    kind,
                    thing.id,
                    {one: thing.label(one) for one in ("vi", "en")},
                    " ".join(filter(None, (carrier, contract))),
                )
        self._called = {}
        for target in inventory.targets.values():
            for said in (target.label("en"), target.label("vi"), target.id):
                self._called[plain(said)] = target.id
            site = inventory.sites.get(target.site or "")
            circuit = inventory.circuits.get(target.circuit or "")
            about = [target.address or "", site.label("vi") if site else "", (circuit.carrier or "") if circuit else ""]
            self._add(
                "target", target.id, {one: target.label(one) for one in ("vi", "en")}, " · ".join(filter(None, about))
            )

    def find(self, asked: str, board: Board) -> tuple[list[Entry], int]:
        """Return the best entries that have every word of what was asked, and how many there are in all."""
        self._fresh(board)
        wanted = plain(asked)[:100].split()
        if not wanted:
            return [], 0
        found = [one for one in self._entries if all(word in one.text for word in wanted)]
        whole = " ".join(wanted)
        found.sort(key=lambda one: (whole not in one.head, not one.head.startswith(whole), one.kind == "target"))
        return found[:MOST], len(found)

    def called(self, name: str, board: Board) -> str | None:
        """Return the target that a device means by a name: its id or one of its names, with or without a domain."""
        self._fresh(board)
        said = plain(name)
        return self._called.get(said) or self._called.get(said.partition(".")[0])

    def _fresh(self, board: Board) -> None:
        if self._of is not board.inventory:
            self._read(board.inventory)

    def _add(self, kind: str, name: str, names: dict[str, str], about: str) -> None:
        head = plain(f"{name} {names['vi']} {names['en']}")
        self._entries.append(Entry(kind, name, f"{head} {plain(about)}", head, names, about))


def plain(text: str) -> str:
    """Strip marks and capitals: ``Lục Ngạn`` becomes ``luc ngan``."""
    spread = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(character for character in spread if not unicodedata.combining(character))
