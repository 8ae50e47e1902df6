"""Finds and reads the files of a configuration: the main one, what it includes, the tables. Collects what is wrong."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from pathlib import Path

from config import document, table
from config.errors import ConfigError, Hints, quoted
from config.schema.things import table_columns
from config.source import (
    LARGEST_FILE,
    LARGEST_TABLE,
    LARGEST_WHOLE,
    MEBIBYTE,
    Unreadable,
    decode,
    read_bytes,
    too_large,
)
from config.tree import List, Mapping, Mark, locate

MOST_FILES = 2000


@dataclass(frozen=True, slots=True)
class Source:
    """One file's data.

    Parameters:
        path: the file, as it was named (relative to where the program runs).
        root: its content; a table is a mapping with the one key ``targets``.
    """

    path: Path
    root: Mapping

    def error(self, place: list[str | int], message: str, hint: str = "") -> ConfigError:
        """Make an error about a place in this file."""
        mark, path, _ = locate(self.root, place)
        return ConfigError(self.path, mark.line, mark.column, path, message, hint)

    def where(self, place: list[str | int]) -> str:
        """Say a place as ``file:line:column``."""
        mark, _, _ = locate(self.root, place)
        return f"{self.path}:{mark.line}:{mark.column}"


class Files:
    """Reads a configuration's files, each once.

    Parameters:
        main: the main file.
        instead: what is read in place of files, by their real path: a change that is tried before it is written.
    """

    def __init__(self, main: Path, instead: AnyMapping[str, bytes] | None = None) -> None:
        self._instead = dict(instead or {})
        self.sources: list[Source] = []
        self.errors: list[ConfigError] = []
        self.order: list[Path] = []
        self.complete = True
        """False when a file could not be read: then what seems to be missing may only be in there."""
        self._hints = Hints()
        self._columns = table_columns()
        self._read: dict[str, str] = {}  # real path → where it was named
        self._bytes = 0
        self._yaml(main, ())

    def _yaml(self, path: Path, above: tuple[str, ...]) -> None:
        real = os.path.realpath(path)
        self._read.setdefault(real, "as the main file")
        self.order.append(path)
        try:
            root, problems = document.parse(self._text(path, LARGEST_FILE))
        except Unreadable as error:
            self._fail(path, error)
            return
        self.errors += [ConfigError(path, at.line, at.column, name, message) for at, name, message in problems]
        source = Source(path, root)
        self.sources.append(source)
        for place, named in self._named(source, "include"):
            self._follow(source, place, named, (*above, real))
        for place, named in self._named(source, "inventory"):
            if named.suffix.lower() != ".csv":
                self.errors.append(source.error(place, "an inventory is a .csv file; YAML goes under include"))
                self.complete = False
            elif self._is_new(source, place, named, ()):
                self._table(named)

    def _follow(self, source: Source, place: list[str | int], named: Path, above: tuple[str, ...]) -> None:
        if self._is_new(source, place, named, above):
            self._yaml(named, above)

    def _table(self, path: Path) -> None:
        self.order.append(path)
        try:
            rows, problems = table.parse(decode(self._bounded(path, LARGEST_TABLE)), self._columns)
        except Unreadable as error:
            self._fail(path, error)
            return
        for at, name, message in problems:
            hint = self._hints.nearest(name, sorted(self._columns)) if message == table.UNKNOWN_COLUMN else ""
            self.errors.append(ConfigError(path, at.line, at.column, name, message, hint))
        root = Mapping(Mark(1, 1))
        root.add("targets", Mark(1, 1), rows, Mark(1, 1))
        self.sources.append(Source(path, root))

    def named(self, source: Source, keys: list[str | int]) -> list[Path]:
        """Find the files that a list of names and patterns means, wherever in a file it stands."""
        return [path for _, path in self._named(source, *keys)]

    def _named(self, source: Source, *keys: str | int) -> Iterator[tuple[list[str | int], Path]]:
        _, _, names = locate(source.root, keys)
        for index, name in enumerate(names if isinstance(names, List) else ()):
            place: list[str | int] = [*keys, index]
            if not isinstance(name, str) or not name or "\0" in name:
                continue  # the schema says so
            if not glob.has_magic(name):
                yield place, source.path.parent / name
                continue
            found = sorted(glob.glob(str(source.path.parent / name)))  # noqa: PTH207 Path.glob takes no absolute pattern
            whole = str(Path(source.path.parent.absolute(), name))
            found += [one for one in self._instead if fnmatch.fnmatch(one, whole) and not os.path.exists(one)]  # noqa: PTH110 as below
            if not found:
                self.errors.append(source.error(place, f"no file matches {quoted(name)}"))
                self.complete = False
            for path in found:
                yield place, Path(path)

    def _is_new(self, source: Source, place: list[str | int], named: Path, above: tuple[str, ...]) -> bool:
        real = os.path.realpath(named)
        if real in above:
            chain = " → ".join(Path(part).name for part in (*above[above.index(real) :], real))
            self.errors.append(source.error(place, f"files include each other in a circle: {chain}"))
        elif real in self._read:
            self.errors.append(source.error(place, f"{quoted(str(named))} was read before, {self._read[real]}"))
        elif len(self._read) >= MOST_FILES:
            self.errors.append(source.error(place, f"more than {MOST_FILES} files"))
            self.complete = False
        elif real not in self._instead and not os.path.exists(named):  # noqa: PTH110 a name too long is no file, not an exception
            self.errors.append(source.error(place, f"there is no file {quoted(str(named))}"))
            self.complete = False
        else:
            self._read[real] = f"named at {source.where(place)}"
            return True
        return False

    def _text(self, path: Path, limit: int) -> str:
        return decode(self._bounded(path, limit))

    def _bounded(self, path: Path, limit: int) -> bytes:
        content = self._instead.get(os.path.realpath(path))
        if content is None:
            content = read_bytes(path, limit)
        elif len(content) > limit:
            raise too_large(len(content), limit)
        self._bytes += len(content)
        if self._bytes > LARGEST_WHOLE:
            raise Unreadable(f"all files together have more than {LARGEST_WHOLE // MEBIBYTE} MiB")
        return content

    def _fail(self, path: Path, error: Unreadable) -> None:
        mark = error.mark or Mark(1, 1)
        self.errors.append(ConfigError(path, mark.line, mark.column, "", error.message))
        self.complete = False
