"""Reads YAML into plain data with places, refusing what a configuration has no use for.

Of YAML only mappings, lists and single values are taken. Anchors, aliases, merge keys and tags are refused: they make
one place mean another and are what "billion laughs" files are made of. Single values stay text as it was written, and
the schema says what they are; so ``no`` is not false, ``1.10`` keeps its zero, and ``22:30`` is no number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from config.errors import quoted
from config.source import Unreadable
from config.tree import List, Mapping, Mark, Refused, Value

DEEPEST = 16
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_SECOND_COLON = "a second ':' on this line: put the value in quotes, or begin a new line"
_TOO_DEEP = "this key stands deeper than the one above it, which has a value already: begin both in the same column"
_WORDS = {
    "mapping values are not allowed here": _SECOND_COLON,
    "could not find expected ':'": "a ':' is missing after this key",
    "found unexpected end of stream": "a quote is opened and not closed",
}
_INDENTED = re.compile(r"expected <block end>, but found '(<block (mapping|sequence) start>|\?|-)'")
_UNCLOSED = re.compile(r"expected ',' or '([]}])'")

Problem = tuple[Mark, str, str]
"""Place, dotted path, message."""


def parse(text: str) -> tuple[Mapping, list[Problem]]:
    """Read a YAML text whose top is a mapping.

    Parameters:
        text: the file's content.

    Returns:
        the data, and what was refused in it without hindering the rest from being read.

    Raises:
        Unreadable: it is not YAML, or its top is no mapping.
    """
    builder = _Builder()
    # The parser in C, where ruamel.yaml.clib is installed, is nine times faster.
    try:
        builder.take(_events(text, pure=False))
    except YAMLError:
        # The one in Python says better what is wrong.
        builder = _Builder()
        try:
            builder.take(_events(text, pure=True))
        except YAMLError as error:
            raise _translated(error, text) from error
    if builder.documents > 1:
        raise Unreadable("a second document begins here: one file holds one document", builder.second_at)
    if builder.root is None and builder.root_at is None:
        raise Unreadable("the file is empty: it must at least say 'haidang: 1'", Mark(1, 1))
    if not isinstance(builder.root, Mapping):
        raise Unreadable("the file must hold a mapping (key: value), not a list or a single value", builder.root_at)
    return builder.root, builder.problems


def top_value(text: str, key: str) -> str | None:
    """Return a single value of the top mapping; what stands behind it is not read.

    Parameters:
        text: a file's content.
        key: of the value.

    Returns:
        ``None`` when there is none, or it cannot be read up to there.
    """
    level = nodes = 0
    wanted = False
    try:
        for event in _events(text, pure=False):
            if isinstance(event, NodeEvent):
                if wanted:
                    return str(event.value) if isinstance(event, ScalarEvent) else None
                if level == 1:
                    nodes += 1  # a key, its value, the next key, …
                    wanted = nodes % 2 == 1 and isinstance(event, ScalarEvent) and event.value == key
                level += isinstance(event, CollectionStartEvent)
            elif isinstance(event, CollectionEndEvent):
                level -= 1
    except YAMLError:
        pass
    return None


def _events(text: str, *, pure: bool) -> Iterator[Event]:
    events: Iterator[Event] = YAML(typ="safe", pure=pure).parse(text)
    return events


class _Builder:
    """Builds the tree from the parser's events, without recursion: nesting is counted and bounded."""

    def __init__(self) -> None:
        self.root: Value = None
        self.root_at: Mark | None = None
        self.documents = 0
        self.second_at: Mark | None = None
        self.problems: list[Problem] = []
        self._stack: list[Mapping | List] = []
        self._keys: list[tuple[str, Mark] | None] = []  # the key that waits for its value, per level
        self._names: list[str] = []

    def take(self, events: Iterator[Event]) -> None:
        """Read until the end, or until a second document begins."""
        for event in events:
            if isinstance(event, ScalarEvent):
                self._scalar(event)
            elif isinstance(event, MappingStartEvent | SequenceStartEvent):
                mark = _mark(event)
                self._refuse_extras(event, mark)
                self._open(Mapping(mark) if isinstance(event, MappingStartEvent) else List(mark), mark)
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                self._stack.pop()
                self._keys.pop()
                self._names.pop()
            elif isinstance(event, AliasEvent):
                mark = _mark(event)
                self._problem(mark, f"the alias *{event.anchor} is not allowed: write the value out")
                self._place(Refused(), mark)
            elif isinstance(event, DocumentStartEvent):
                self.documents += 1
                if self.documents > 1:
                    self.second_at = _mark(event)
                    return

    def _scalar(self, event: ScalarEvent) -> None:
        mark = _mark(event)
        if event.anchor is not None or event.tag is not None:
            self._refuse_extras(event, mark)
        text: str = event.value
        plain = event.implicit[0]
        if self._stack and isinstance(self._stack[-1], Mapping) and self._keys[-1] is None:
            self._key(text, mark, plain=plain)
        elif plain and text in _NULLS:
            # Of a value left out the parser knows no place: the key's is where to look.
            waiting = self._keys[-1] if self._keys else None
            self._place(None, waiting[1] if waiting and not text else mark)
        elif _lone_surrogate(text):
            self._problem(mark, "an escape for half a character (a surrogate) is not allowed")
            self._place(Refused(), mark)
        else:
            self._place(text, mark)

    def _key(self, text: str, mark: Mark, *, plain: bool) -> None:
        if text == "<<" and plain:
            self._problem(mark, "the merge key << is not allowed: write the values out")
        elif _lone_surrogate(text):
            self._problem(mark, "an escape for half a character (a surrogate) is not allowed")
            text = "<<"
        self._keys[-1] = (text, mark)

    def _open(self, container: Mapping | List, mark: Mark) -> None:
        if self._stack and isinstance(self._stack[-1], Mapping) and self._keys[-1] is None:
            raise Unreadable("a key must be a word, not a list or a mapping", mark)
        if len(self._stack) >= DEEPEST:
            raise Unreadable(f"nested more than {DEEPEST} levels deep", mark)
        name = self._place(container, mark)
        self._stack.append(container)
        self._keys.append(None)
        self._names.append(name)

    def _place(self, value: Value, mark: Mark) -> str:
        """Put a value where it belongs and return its dotted path."""
        if not self._stack:
            self.root, self.root_at = value, mark
            return ""
        top, name = self._stack[-1], self._names[-1]
        if isinstance(top, List):
            top.add(value, mark)
            return f"{name}[{len(top) - 1}]"
        waiting = self._keys[-1]
        if waiting is None:  # an alias as a key, reported already
            self._keys[-1] = ("<<", mark)
            return name
        key, key_at = waiting
        self._keys[-1] = None
        path = f"{name}.{key}" if name else key
        if key == "<<":
            return path
        if key in top:
            first = top.keys_at[key]
            self.problems.append((key_at, path, f"this key was given before, at {first.line}:{first.column}"))
        else:
            top.add(key, key_at, value, mark)
        return path

    def _refuse_extras(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent, mark: Mark) -> None:
        if event.anchor is not None:
            self._problem(mark, f"the anchor &{event.anchor} is not allowed: write the value out where it is needed")
        if event.tag is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self._problem(mark, f"the tag {quoted(tag)} is not allowed: the schema knows the types")

    def _problem(self, mark: Mark, message: str) -> None:
        name = self._names[-1] if self._names else ""
        waiting = self._keys[-1] if self._keys else None
        if waiting is not None:
            name = f"{name}.{waiting[0]}" if name else waiting[0]
        elif self._stack and isinstance(self._stack[-1], List):
            name = f"{name}[{len(self._stack[-1])}]"
        self.problems.append((mark, name, message))


def _mark(event: Event) -> Mark:
    mark = event.start_mark
    return Mark(mark.line + 1, mark.column + 1)


def _lone_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _translated(error: YAMLError, text: str) -> Unreadable:
    if isinstance(error, ReaderError):
        before = text[: error.position]
        return Unreadable(
            "a character that YAML does not allow", Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        )
    lines = text.splitlines() or [""]
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return Unreadable("this is not YAML", Mark(1, 1))
    mark = error.problem_mark
    line = min(mark.line, len(lines) - 1)
    at = Mark(line + 1, mark.column + 1 if line == mark.line else len(lines[line]) + 1)
    if re.match(r" *\t", lines[line]) or "'\\t'" in str(error.problem):
        return Unreadable("a tab is used as indentation: YAML wants spaces", at)
    problem = str(error.problem)
    message = _WORDS.get(problem) or "not YAML: " + ", ".join(filter(None, (error.context, problem)))
    if _INDENTED.match(problem):
        message = "the indentation does not fit the lines above: what belongs together begins in the same column"
    elif unclosed := _UNCLOSED.match(problem):
        message = f"a ',' or the closing '{unclosed[1]}' is missing before this"
    if message == _SECOND_COLON and ":" not in re.split(r"['\"]", lines[line][: mark.column])[0]:
        message = _TOO_DEEP  # to the parser the lines above and this one are one value
    if error.context_mark is not None and error.context_mark.line != mark.line:
        message += f" (it began in line {error.context_mark.line + 1})"
    return Unreadable(message, at)
