"""An agent's variables in MIB order: one tree for all devices of a model, values made when somebody asks.

A tree never changes and holds nothing of a single device, so thousands of devices share it. A variable is either
encoded once and for all, or a function of the device and the time.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from probes.snmp import ber, oid

if TYPE_CHECKING:
    from lab.devices.state import State

Getter = Callable[["State", int], bytes | None]
"""Gets the device's state and the time (UTC ns); returns the encoded value, ``None`` while there is none."""

Content = bytes | Getter
Row = tuple[bytes, Content]
"""Name as OID content bytes, and what it holds."""

View = tuple[tuple[str, bool], ...]
"""Subtrees and whether they are shown; the longest that fits decides (RFC 3415 §4, without masks)."""

EVERYTHING: View = (("1.0", True), ("1.2", True), ("1.3", True))


class Tree:
    """Variables in the order in which GETNEXT gives them.

    Parameters:
        rows: in that order. Honest agents' rows are sorted (`Tree.of`); a recording of one that is not keeps its own.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        kept = list(dict(rows).items())
        self.names = [name for name, _ in kept]
        self.contents: list[Content] = [content for _, content in kept]
        self.places = {name: place for place, name in enumerate(self.names)}
        self.named = [ber.encode(ber.OBJECT_ID, name) for name in self.names]
        ranked = sorted((oid.numbers(name), place) for place, name in enumerate(self.names))
        self._keys = [key for key, _ in ranked]
        self._ranks = [place for _, place in ranked]
        self._views: dict[View, Tree] = {}

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Tree:
        """Make an honest agent's tree; a name that comes twice keeps its last content."""
        return cls(sorted(rows, key=lambda row: oid.numbers(row[0])))

    def __len__(self) -> int:
        return len(self.names)

    def after(self, name: bytes) -> int:
        """Find the place of the first variable after a name, ``len(self)`` at the end."""
        place = self.places.get(name)
        if place is not None:
            return place + 1
        rank = bisect.bisect_right(self._keys, oid.numbers(name))
        return self._ranks[rank] if rank < len(self._ranks) else len(self.names)

    def within(self, view: View) -> Tree:
        """Give the part that a view shows; made once and shared."""
        if view == EVERYTHING:
            return self
        part = self._views.get(view)
        if part is None:
            subtrees = sorted(
                ((oid.numbers(oid.encode(root)), shown) for root, shown in view), key=lambda one: -len(one[0])
            )

            def shows(name: bytes) -> bool:
                key = oid.numbers(name)
                return next((shown for root, shown in subtrees if key[: len(root)] == root), False)

            part = self._views[view] = Tree(row for row in self.rows() if shows(row[0]))
        return part

    def rows(self) -> Iterable[Row]:
        """Give all rows, in order."""
        return zip(self.names, self.contents, strict=True)

    def replaced(self, changes: dict[bytes, Content | None]) -> Tree:
        """Copy the tree with some variables changed, added, or (``None``) taken away."""
        merged: dict[bytes, Content | None] = {**dict(self.rows()), **changes}
        return Tree.of((name, content) for name, content in merged.items() if content is not None)

    @cached_property
    def columns(self) -> frozenset[bytes]:
        """The names without their last sub-identifier: the columns of tables with a plain index, and scalars."""
        return frozenset(map(parent, self.names))

    @cached_property
    def disordered(self) -> Tree:
        """The same variables, two neighbours changed over in every column of at least three rows.

        So a dell-ups lists 127.0.0.1 after 192.168.0.14: the walk goes back one step and then on.
        """
        rows = list(self.rows())
        place = 0
        while place + 2 < len(rows):
            here, second, third = (parent(rows[place + step][0]) for step in range(3))
            if here == second == third and (place == 0 or parent(rows[place - 1][0]) != here):
                rows[place + 1], rows[place + 2] = rows[place + 2], rows[place + 1]
            place += 1
        return Tree(rows)


def parent(name: bytes) -> bytes:
    """Cut off the last sub-identifier."""
    cut = len(name) - 1
    while cut > 0 and name[cut - 1] >= 0x80:
        cut -= 1
    return name[:cut]


def suffix(index: int) -> bytes:
    """Encode a table's index of one number, to be put behind a column's name."""
    return oid.encode(f"1.3.{index}")[1:]
