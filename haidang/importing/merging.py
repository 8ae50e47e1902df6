"""Puts what tables say beside the configuration: what is new, what differs field by field, what they do not list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import BaseModel, ValidationError

from config import Configuration, Written
from config.crosscheck import Item
from config.errors import ConfigError, Hints
from config.messages import explain
from config.schema.things import LISTS
from config.schema.values import Section, Text
from config.tree import List, Mark
from config.tree import Mapping as Tree
from haidang.importing.headings import LANGUAGES, Kind, kind_of, plain
from haidang.importing.records import Fault, Record, Tables, Value, named

Key = tuple[str, str]
"""Section and id."""
Fields = dict[str, tuple[Value, Value]]
"""By dotted key, what was and what will be."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that will be another.

    Parameters:
        record: what the table says.
        item: what the configuration says; ``None``: it is new.
        fields: by dotted key, what was and what will be.
    """

    record: Record
    item: Item | None
    fields: Mapping[str, tuple[Value, Value]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import would do.

    Parameters:
        changes: new and changed things, in the order of the tables.
        missing: what the configuration has of the kinds that were read, and the tables have not.
        unchanged: how many things are as the tables say.
        faults: what is wrong in the tables.
        notes: what was passed over.
    """

    changes: tuple[Change, ...]
    missing: tuple[Item, ...]
    unchanged: int
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]


def compare(written: Written, configuration: Configuration, tables: Tables) -> Plan:
    """Compare tables with a configuration.

    Parameters:
        written: the configuration's items.
        configuration: the same, checked.
    """
    items: dict[Key, Item] = {(item.kind, item.id): item for item in written.items}
    names = {section: _names(section, items, tables.records) for section in ("systems", "sites", "circuits")}
    records = named(tables.records, names.__getitem__)
    faults = list(tables.faults)
    changes: list[Change] = []
    unchanged = 0
    hints = Hints()
    for record in records:
        item = items.get((record.kind.section, record.id))
        change = _change(record, item, configuration.language)
        faults += _faults(change, hints)
        if item is None or change.fields:
            changes.append(change)
        else:
            unchanged += 1
    listed = {(record.kind.section, record.id) for record in records}
    # A row whose id could not be read may be any of them: then nothing is said to be missing.
    whole = not any(fault.field == "id" for fault in faults)
    read = tuple(tables.kinds.values())
    missing = tuple(
        item for key, item in items.items() if whole and key not in listed and kind_of_item(item) in read
    )  # fmt: skip
    return Plan(tuple(changes), missing, unchanged, tuple(faults), tuple(tables.notes))


def kind_of_item(item: Item) -> Kind:
    """Return the kind an item is listed under."""
    role = item.raw.get("role")
    return kind_of(item.kind, role if isinstance(role, str) else "")


def flat(raw: Tree) -> dict[str, Value]:
    """Write an item as dotted keys; lists of mappings have no place in a cell and are left out.

    A plain name is the same in all languages (`config.schema.values.Text`).
    """
    found: dict[str, Value] = {}
    for key, value in raw.items():
        if isinstance(value, Tree):
            found |= {f"{key}.{inner}": said for inner, said in flat(value).items()}
        elif isinstance(value, List):
            if all(isinstance(one, str) for one in value):
                found[key] = tuple(cast("list[str]", value))
        else:
            found[key] = value
    return found


def _names(section: str, items: Mapping[Key, Item], records: Sequence[Record]) -> Mapping[str, str]:
    found: dict[str, set[str]] = {}
    for (kind, name), item in items.items():
        if kind == section:
            for called in (name, *_called(flat(item.raw))):
                found.setdefault(plain(called), set()).add(name)
    for record in records:
        if record.kind.section == section:
            for called in (record.id, *_called(record.values)):
                found.setdefault(plain(called), set()).add(record.id)
    return {called: next(iter(ids)) for called, ids in found.items() if len(ids) == 1}


def _called(values: Mapping[str, Value]) -> Iterable[str]:
    for key in ("name", "name.vi", "name.en"):
        value = values.get(key)
        if isinstance(value, str):
            yield value


def _change(record: Record, item: Item | None, language: str) -> Change:
    was: dict[str, Value] = flat(item.raw) if item else {}
    wanted = {key: value for key, value in record.values.items() if key != "id"}
    if "name" in wanted and ("name.vi" in was or "name.en" in was or "name.vi" in wanted or "name.en" in wanted):
        wanted.setdefault(f"name.{language}", wanted.pop("name"))
        wanted.pop("name", None)
    if "name" in was and any(f"name.{one}" in wanted for one in LANGUAGES):
        was |= {f"name.{one}": was["name"] for one in LANGUAGES}
    if item is None and record.kind.role and not wanted.get("role"):
        wanted["role"] = record.kind.role
    elif item is not None and "role" in wanted and wanted["role"] is None and record.kind.role:
        wanted.pop("role")  # the sheet's own name says what it is
    different = {
        key: (was.get(key), value) for key, value in wanted.items() if (was.get(key) or None) != (value or None)
    }
    return Change(record, item, _really(record, item, different))


def _really(record: Record, item: Item | None, different: Mapping[str, tuple[Value, Value]]) -> Fields:
    """Leave out what is only written another way: 100 and 100.0, 60s and 1m, a default written out."""
    if item is None or item.model is None:
        return {key: both for key, both in different.items() if both[1] is not None}
    try:
        new = _model(record.kind.section, changed_tree(Change(record, item, different)), item)
    except ValidationError:
        return dict(different)
    return {key: both for key, both in different.items() if _at(item.model, key) != _at(new, key)}


def _model(section: str, tree: Tree, item: Item | None) -> Section:
    folder = str(item.source.path.parent) if item else "."
    return LISTS[section].model_validate(tree, context={"folder": folder})


def _at(model: object, key: str) -> object:
    for step in key.split("."):
        if isinstance(model, Text) and step in LANGUAGES:
            return model.language(step)
        if not isinstance(model, BaseModel):
            return None
        name = next((name for name, one in type(model).model_fields.items() if step in (name, one.alias)), None)
        model = getattr(model, name) if name else None
    return model


def changed_tree(change: Change) -> Tree:
    """Return an item as it will be; the line of a place is its number in the record's places."""
    record, item = change.record, change.item
    whole = _copied(item.raw) if item else Tree(_mark(record, ""))
    if item is None:
        whole.add("id", _mark(record, "id"), record.id, _mark(record, "id"))
    if isinstance(whole.get("name"), str) and any(key.startswith("name.") for key in change.fields):
        both = Tree(_mark(record, ""))
        for one in LANGUAGES:
            both.add(one, _mark(record, ""), whole["name"], _mark(record, ""))
        whole.add("name", _mark(record, ""), both, _mark(record, ""))
    for key, (_, value) in change.fields.items():
        _set(whole, key, value, _mark(record, key))
    return whole


def _copied(raw: Tree) -> Tree:
    copy = Tree(Mark(1, 1))
    for key, value in raw.items():
        copy.add(key, Mark(1, 1), _copied(value) if isinstance(value, Tree) else value, Mark(1, 1))
    return copy


def _set(whole: Tree, key: str, value: Value, at: Mark) -> None:
    first, dot, rest = key.partition(".")
    if dot:
        inner = whole.get(first)
        if not isinstance(inner, Tree):
            inner = Tree(at)
            whole.add(first, at, inner, at)
        _set(inner, rest, value, at)
        if not inner:
            del whole[first]
    elif value is None or value == ():
        whole.pop(key, None)
    elif isinstance(value, tuple):
        items = List(at)
        for one in value:
            items.add(one, at)
        whole.add(key, at, items, at)
    else:
        whole.add(key, at, value, at)


def _mark(record: Record, key: str) -> Mark:
    return Mark(1 + (list(record.places).index(key) if key in record.places else 0), 1)


def _faults(change: Change, hints: Hints) -> list[Fault]:
    """Check one thing by the schema; each error at its cell."""
    record, tree = change.record, changed_tree(change)
    try:
        _model(record.kind.section, tree, change.item)
    except ValidationError as invalid:
        found = []
        for error in invalid.errors(include_url=False):
            finding = explain(error, LISTS[record.kind.section], tree, (), hints)
            if finding is not None:
                mark, path, message, hint = finding
                place = list(record.places.values())[min(mark.line, len(record.places)) - 1]
                found.append(Fault(place, path, message, hint))
        return found
    return []


def at_cells(errors: Iterable[ConfigError], items: Sequence[Item], records: Sequence[Record]) -> list[Fault]:
    """Say errors of a whole configuration at the cells they come of; those of nobody's cell where they are."""
    by_key = {(record.kind.section, record.id): record for record in reversed(records)}  # the first of two
    at: dict[tuple[Path, str], Item] = {}
    for item in items:
        at[item.source.path, f"{item.place[0]}[{item.place[1]}]"] = item
    found = []
    for error in errors:
        head, _, key = error.path.partition("].")
        one = at.get((error.file, f"{head.rstrip(']')}]"))
        record = by_key.get((one.kind, one.id)) if one else None
        if record is None:
            found.append(Fault(f"{error.file}:{error.line}:{error.column}", error.path, error.message, error.hint))
            continue
        bare = key.partition("[")[0]
        place = record.places.get(bare) or record.places.get(bare.partition(".")[0]) or record.places[""]
        found.append(Fault(place, bare, error.message, error.hint))
    return found
