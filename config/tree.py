"""Plain data as it was written, with the line and column of every key and value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

Path_ = Sequence[str | int]


class Mark(NamedTuple):
    """A place in a file; line and column count from 1."""

    line: int
    column: int


class Mapping(dict[str, "Value"]):
    """A mapping that knows where it begins and where its keys and values stand."""

    __slots__ = ("keys_at", "mark", "values_at")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.keys_at: dict[str, Mark] = {}
        self.values_at: dict[str, Mark] = {}

    def add(self, key: str, key_at: Mark, value: Value, value_at: Mark) -> None:
        """Put a key in."""
        self[key] = value
        self.keys_at[key] = key_at
        self.values_at[key] = value_at

    def without(self, keys: set[str]) -> Mapping:
        """Return a copy that lacks some keys."""
        copy = Mapping(self.mark)
        for key, value in self.items():
            if key not in keys:
                copy.add(key, self.keys_at[key], value, self.values_at[key])
        return copy


class List(list["Value"]):
    """A list that knows where it begins and where its items stand."""

    __slots__ = ("items_at", "mark")

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.items_at: list[Mark] = []

    def add(self, value: Value, at: Mark) -> None:
        """Put an item at the end."""
        self.append(value)
        self.items_at.append(at)


class Refused(str):
    """Stands for a value that has been reported already (an alias), so that nothing else is said about it."""

    __slots__ = ()


Value: TypeAlias = "str | Mapping | List | None"


def locate(root: Mapping, path: Path_, *, key: bool = False) -> tuple[Mark, str, Value]:
    """Find where something stands, as far as the path leads.

    Parameters:
        root: where the path begins.
        path: keys and list indexes; what lies beyond the data (an element the schema added) is left out.
        key: the place of the last key rather than of its value.

    Returns:
        the place, the dotted path that was found, and the value there.
    """
    value: Value = root
    mark, name = root.mark, ""
    for index, step in enumerate(path):
        if isinstance(value, Mapping) and isinstance(step, str) and step in value:
            last = index == len(path) - 1
            mark = value.keys_at[step] if key and last else value.values_at[step]
            name += f".{step}" if name else step
            value = value[step]
        elif isinstance(value, List) and isinstance(step, int) and step < len(value):
            mark = value.items_at[step]
            name += f"[{step}]"
            value = value[step]
        else:
            break
    return mark, name, value
