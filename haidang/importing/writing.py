"""Writes a plan into the configuration's files: comments, order and the writing of what does not change stay.

What is new goes into ``imported/KIND.yaml`` beside the main file, which includes it; what changes is changed where it
stands, in YAML or in a CSV table. Everything is tried in memory first: only a configuration that is right as a whole,
says what the tables say and nothing else differently, is written.
"""

from __future__ import annotations

import csv
import fnmatch
import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.scalarstring import SingleQuotedScalarString
from ruamel.yaml.tag import Tag
from ruamel.yaml.util import load_yaml_guess_indent

from config import Configuration, Written, read_written
from config.crosscheck import Item
from config.table import LISTS as CELL_LISTS
from haidang.importing.merging import Change, Key, Plan, at_cells, changed_tree, compare, flat
from haidang.importing.records import Fault, Record, Tables, Value

FOLDER = "imported"
MOST_IN_A_FILE = 2_000
"""A YAML file may have 1 MiB."""
_HEAD = "# Written by haidang import. Edit it freely: a later import changes only what differs, and keeps comments.\n"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class ImportRefused(Exception):
    """An import cannot be written; has every reason.

    Parameters:
        faults: what is wrong, each at its place.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


def render(main: Path, written: Written, plan: Plan, tables: Tables, *, remove: bool) -> dict[Path, str]:
    """Work out the new text of every file that changes, and check the whole.

    Parameters:
        main: the configuration's main file.
        written: what it says now.
        plan: what is to change.
        tables: where that comes from.
        remove: whether what the tables do not list is taken out.

    Raises:
        ImportRefused: the configuration would be wrong, or a file cannot be changed.
    """
    texts = _texts(main, written, plan, remove=remove)
    after = _after(main, texts)
    if after.configuration is None:
        raise ImportRefused(_told(after, plan, tables))
    _nothing_else(written, after, after.configuration, plan, tables, remove=remove)
    return texts


def more_faults(main: Path, written: Written, plan: Plan, tables: Tables) -> list[Fault]:
    """Find what else is wrong, beside the faults of single cells: so that all is told at once."""
    told = {fault.place for fault in plan.faults}
    after = _after(main, _texts(main, written, plan, remove=False))
    return [fault for fault in _told(after, plan, tables) if fault.place not in told]


def _texts(main: Path, written: Written, plan: Plan, *, remove: bool) -> dict[Path, str]:
    edits = _Edits(main, written)
    for change in plan.changes:
        edits.take(change)
    if remove:
        edits.drop(plan.missing)
    return edits.texts()


def _after(main: Path, texts: Mapping[Path, str]) -> Written:
    return read_written(main, {os.path.realpath(path): text.encode() for path, text in texts.items()})


def _told(after: Written, plan: Plan, tables: Tables) -> list[Fault]:
    return at_cells(after.errors, after.items, [change.record for change in plan.changes] + tables.records)


def _nothing_else(
    before: Written, after: Written, configuration: Configuration, plan: Plan, tables: Tables, *, remove: bool
) -> None:  # fmt: skip
    """Hold what would be read against what was meant.

    Raises:
        ImportRefused: something else would change, or something would not.
    """
    again = compare(after, configuration, tables)
    meant = {(change.record.kind.section, change.record.id) for change in plan.changes}
    gone = {(item.kind, item.id) for item in plan.missing} if remove else set()
    old = {(item.kind, item.id): item.raw for item in before.items if (item.kind, item.id) not in meant | gone}
    new: dict[Key, object] = {
        (item.kind, item.id): item.raw for item in after.items if (item.kind, item.id) not in meant
    }
    if again.changes or old != new:
        odd = [change.record.places[""] for change in again.changes[:5]]
        odd += [f"{kind} {name}" for kind, name in sorted(old.keys() ^ new.keys())[:5]]
        message = "cannot be written without harm: change it by hand"
        raise ImportRefused([Fault(", ".join(odd) or "the configuration", "", message)])


def write(texts: Mapping[Path, str], read: Mapping[Path, bytes | None]) -> None:
    """Write files, each whole or not at all; the main file, which includes new ones, comes last.

    Parameters:
        texts: by file, in the order they are to appear in.
        read: what each file held when the plan was made; ``None``: it was not there.

    Raises:
        ImportRefused: somebody has changed a file meanwhile, or it cannot be written.
    """
    waiting: list[tuple[str, Path]] = []
    try:
        for path, before in read.items():
            if (path.read_bytes() if path.exists() else None) != before:
                raise ImportRefused([Fault(str(path), "", "was changed meanwhile: import again")])
        for path, text in texts.items():
            real = Path(os.path.realpath(path))
            real.parent.mkdir(exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
            waiting.append((name, real))
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            like = real if real.exists() else Path(os.path.realpath(next(iter(read))))
            shutil.copymode(like, name)
            with suppress(OSError):  # only root may give files away
                facts = like.stat()
                os.chown(name, facts.st_uid, facts.st_gid)
        for name, real in waiting:
            os.replace(name, real)  # noqa: PTH105 names, as mkstemp gives them
    except OSError as error:
        raise ImportRefused([Fault(str(error.filename or ""), "", f"cannot be written ({error.strerror})")]) from error
    finally:
        for name, _ in waiting:
            with suppress(OSError):
                os.unlink(name)  # noqa: PTH108 as above


class _Edits:
    def __init__(self, main: Path, written: Written) -> None:
        self._main = main
        self._files: dict[Path, _Document | _Table] = {}
        self._new: dict[Path, _Document] = {}
        self._counts: dict[Path, int] = {}
        self._read = {os.path.realpath(path) for path in written.files}

    def take(self, change: Change) -> None:
        if change.item is not None:
            self._file(change.item.source.path).change(change.item, change)
            return
        section = change.record.kind.section
        path = self._place_for(change.record)
        self._counts[path] += 1
        self._file(path).add(section, _plain(changed_tree(change)))

    def drop(self, items: Sequence[Item]) -> None:
        for item in reversed(items):
            self._file(item.source.path).drop(item)

    def texts(self) -> dict[Path, str]:
        found = {path: file.text() for path, file in self._files.items() if path != self._main}
        wanted = [path for path in self._new if not self._included(path)]
        main = self._files.get(self._main)
        if wanted or main is not None:
            main = main if isinstance(main, _Document) else _Document(self._main)
            for path in wanted:
                main.include(path.relative_to(self._main.parent).as_posix())
            found[self._main] = main.text()
        return found

    def _place_for(self, record: Record) -> Path:
        number = 1
        while True:
            name = record.kind.name + (f"-{number}" if number > 1 else "")
            path = self._main.parent / FOLDER / f"{name}.yaml"
            if path not in self._counts:
                self._counts[path] = self._file(path, new=True).count(record.kind.section)
            if self._counts[path] < MOST_IN_A_FILE:
                return path
            number += 1

    def _file(self, path: Path, *, new: bool = False) -> _Document | _Table:
        if path not in self._files:
            self._files[path] = _Table(path) if path.suffix.lower() == ".csv" else _Document(path)
        file = self._files[path]
        if new and isinstance(file, _Document):
            self._new[path] = file
        return file

    def _included(self, path: Path) -> bool:
        if os.path.realpath(path) in self._read:
            return True
        main = self._files.get(self._main)
        document = main if isinstance(main, _Document) else _Document(self._main)
        whole = str(path.absolute())
        return any(fnmatch.fnmatch(whole, str(self._main.parent.absolute() / name)) for name in document.includes())


class _Resolver(VersionedResolver):
    """Takes every single value for text, so that what looks like a number is written as it was."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:  # noqa: ANN401 as the library has it
        if kind is ScalarNode:
            null = implicit[0] and value in _NULLS
            return Tag(suffix="tag:yaml.org,2002:null" if null else "tag:yaml.org,2002:str")
        return super().resolve(kind, value, implicit)


class _Document:
    """A YAML file that is changed."""

    def __init__(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8-sig") if path.exists() else _HEAD
        self._yaml = YAML()
        self._yaml.Resolver = _Resolver
        self._yaml.preserve_quotes = True
        self._yaml.width = 1_000_000
        _, indent, offset = load_yaml_guess_indent(text)
        self._yaml.indent(mapping=2, sequence=indent or 4, offset=offset if indent else 2)
        self._text = text
        self._root: Any = self._yaml.load(text) or {}
        self._head = text if not self._root else ""
        self._own_end = ""

    def includes(self) -> list[str]:
        return [str(one) for one in self._root.get("include") or ()]

    def count(self, section: str) -> int:
        return len(self._root.get(section) or ())

    def include(self, name: str) -> None:
        if self._root.get("include"):
            self._root["include"].append(name)
        elif "include" in self._root:
            self._root["include"] = [name]
        else:  # at the end: in between it would part comments from what they speak of
            self._own_end += f"  - {name}\n" if self._own_end else f"\ninclude:\n  - {name}\n"

    def add(self, section: str, item: dict[str, Any]) -> None:
        if not self._root.get(section):
            self._root[section] = []
        self._root[section].append(item)

    def change(self, item: Item, change: Change) -> None:
        mapping = self._root[item.place[0]][item.place[1]]
        if isinstance(mapping.get("name"), str) and any(key.startswith("name.") for key in change.fields):
            mapping["name"] = {"vi": mapping["name"], "en": mapping["name"]}
        for key, (_, value) in change.fields.items():
            _put(mapping, key, value)

    def drop(self, item: Item) -> None:
        del self._root[item.place[0]][item.place[1]]

    def text(self) -> str:
        stream = io.StringIO()
        self._yaml.dump(self._root, stream)
        text = stream.getvalue()
        return self._head + text.rstrip("\n") + "\n" + self._own_end


def _put(mapping: Any, key: str, value: Value) -> None:  # noqa: ANN401 ruamel's mapping
    first, dot, rest = key.partition(".")
    if dot:
        inner = mapping.get(first)
        if not isinstance(inner, dict):
            mapping[first] = inner = {}
        _put(inner, rest, value)
        if not inner:
            del mapping[first]
    elif value is None or value == ():
        mapping.pop(key, None)
    else:
        mapping[key] = _yaml_value(value)


def _yaml_value(value: Value) -> Any:  # noqa: ANN401 what ruamel writes
    if isinstance(value, tuple):
        return [_yaml_value(one) for one in value]
    return SingleQuotedScalarString(value) if value in _NULLS else value


def _plain(tree: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for key, value in tree.items():
        said = tuple(value) if isinstance(value, list) else value
        found[key] = _plain(said) if isinstance(said, dict) else _yaml_value(said)
    return found


class _Table:
    """A CSV inventory that is changed."""

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
        self._mark = "\ufeff" if raw.startswith(b"\xef\xbb\xbf") else ""
        first = text.lstrip().partition("\n")[0]
        self._delimiter = next((mark for mark in ",;\t" if mark in first), ",")
        self._end = "\r\n" if "\r\n" in text else "\n"
        self._rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter, strict=True))
        self._at = next(index for index, row in enumerate(self._rows) if any(cell.strip() for cell in row))
        self._head = [cell.strip() for cell in self._rows[self._at]]

    def count(self, _section: str) -> int:
        return len(self._rows)

    def add(self, _section: str, _item: dict[str, Any]) -> None:
        raise NotImplementedError("what is new goes into YAML")

    def change(self, item: Item, change: Change) -> None:
        row = self._row(item)
        for key, (_, value) in change.fields.items():
            if key.startswith("name.") and "name" in self._head:
                self._split_names()
            name = "snmp" if key == "snmp.credential" else key
            if name not in self._head:
                self._head.append(name)
            place = self._head.index(name)
            row += [""] * (place + 1 - len(row))
            joint = " " if name in CELL_LISTS else ";"
            row[place] = joint.join(value) if isinstance(value, tuple) else value or ""
        self._rows[self._at] = self._head

    def _split_names(self) -> None:
        """A table has one name per language or one for all: not both."""
        place = self._head.index("name")
        self._head[place] = "name.vi"
        if "name.en" not in self._head:
            self._head.append("name.en")
            for other in filter(any, self._rows[self._at + 1 :]):
                other.extend([""] * (len(self._head) - len(other)))
                other[-1] = other[place]

    def drop(self, item: Item) -> None:
        self._rows.remove(self._row(item))

    def _row(self, item: Item) -> list[str]:
        place = self._head.index("id")
        return next(row for row in self._rows[self._at + 1 :] if len(row) > place and row[place].strip() == item.id)

    def text(self) -> str:
        stream = io.StringIO()
        writer = csv.writer(stream, delimiter=self._delimiter, lineterminator=self._end)
        writer.writerows(self._rows)
        return self._mark + stream.getvalue()


__all__ = ["FOLDER", "ImportRefused", "flat", "render", "write"]
