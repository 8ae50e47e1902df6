"""Loads device profiles: the shipped ones and an operator's own, each error at its place.

What is returned fits together: every name means an object, every extended profile is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from config import document
from config.errors import ConfigError, ConfigurationInvalid, Hints, quoted
from config.files import Source
from config.messages import explain
from config.schema.profile import FactsText, ProfileText, SourceText
from config.schema.profile_values import is_number, is_oid
from config.source import LARGEST_FILE, Unreadable, decode, read_bytes
from config.tree import Mark

SHIPPED = Path(__file__).with_name("profiles")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_Place = list["str | int"]


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """A profile with what it extends.

    Parameters:
        path: its file.
        text: what is written there.
        objects: names → objects, those of the extended profiles too.
        enumerations: names → states, likewise.
        lineage: itself and then what it extends, nearest first; of two rules that give the same the first counts.
    """

    path: Path
    text: ProfileText
    objects: Mapping[str, SourceText]
    enumerations: Mapping[str, Mapping[str, str]]
    lineage: tuple[ProfileText, ...]


def load(own: Iterable[Path] = ()) -> dict[str, DeviceProfile]:
    """Read the shipped profiles and an operator's own, by name.

    Parameters:
        own: further files; one with a shipped profile's name replaces it.

    Raises:
        ConfigurationInvalid: with everything that is wrong.
    """
    loading = _Loading()
    for path in sorted(SHIPPED.glob("*.yaml")):
        loading.read(path)
    shipped = set(loading.texts)
    for path in own:
        loading.read(path, replace=shipped)
    return loading.result()


class _Loading:
    def __init__(self) -> None:
        self.texts: dict[str, tuple[Source, ProfileText]] = {}
        self._errors: list[ConfigError] = []
        self._hints = Hints()

    def read(self, path: Path, *, replace: set[str] | None = None) -> None:
        try:
            root, problems = document.parse(decode(read_bytes(path, LARGEST_FILE)))
        except Unreadable as error:
            mark = error.mark or Mark(1, 1)
            self._errors.append(ConfigError(path, mark.line, mark.column, "", error.message))
            return
        self._errors += [ConfigError(path, at.line, at.column, name, message) for at, name, message in problems]
        source = Source(path, root)
        try:
            text = ProfileText.model_validate(root)
        except ValidationError as invalid:
            for detail in invalid.errors(include_url=False):
                finding = explain(detail, ProfileText, root, (), self._hints)
                if finding is not None:
                    mark, where, message, hint = finding
                    self._errors.append(ConfigError(path, mark.line, mark.column, where, message, hint))
            return
        known = self.texts.get(text.profile)
        if known is not None and text.profile not in (replace or ()):
            self._errors.append(source.error(["profile"], f"{quoted(text.profile)} is also in {known[0].path}"))
            return
        (replace or set()).discard(text.profile)
        self.texts[text.profile] = (source, text)

    def result(self) -> dict[str, DeviceProfile]:
        found = {name: self._complete(source, text) for name, (source, text) in self.texts.items()}
        if self._errors:
            unique = dict.fromkeys(self._errors)
            raise ConfigurationInvalid(sorted(unique, key=lambda error: (str(error.file), error.line, error.column)))
        return found

    def _complete(self, source: Source, text: ProfileText) -> DeviceProfile:
        lineage: dict[str, ProfileText] = {}
        self._gather(source, text, lineage, ())
        objects: dict[str, SourceText] = {}
        enumerations: dict[str, Mapping[str, str]] = {}
        for ancestor in reversed(lineage.values()):
            objects.update(ancestor.objects)
            enumerations.update(ancestor.enumerations)
        for place, name in _used_enumerations(text):
            if name not in enumerations:
                hint = self._hints.nearest(name, enumerations)
                self._errors.append(source.error(place, f"{quoted(name)} is not one of enumerations", hint))
        for place, name in _names(text):
            if name not in objects:
                hint = self._hints.nearest(name, objects)
                self._errors.append(source.error(place, f"{quoted(name)} is neither an OID nor one of objects", hint))
        for name in text.objects:
            if self._goes_round(name, objects):
                self._errors.append(source.error(["objects", name], "this object is defined by itself"))
        return DeviceProfile(source.path, text, objects, enumerations, tuple(lineage.values()))

    def _gather(
        self, source: Source, text: ProfileText, lineage: dict[str, ProfileText], above: tuple[str, ...]
    ) -> None:
        lineage[text.profile] = text
        for index, name in enumerate(text.extends):
            if name in (*above, text.profile):
                self._errors.append(source.error(["extends", index], "profiles extend each other in a circle"))
            elif name not in self.texts:
                hint = self._hints.nearest(name, self.texts)
                self._errors.append(source.error(["extends", index], f"there is no profile {quoted(name)}", hint))
            elif name not in lineage:
                self._gather(*self.texts[name], lineage, (*above, text.profile))

    @staticmethod
    def _goes_round(name: str, objects: Mapping[str, SourceText]) -> bool:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            found = objects.get(waiting.pop())
            for part in (found.oid, found.key, found.high) if found else ():
                if part == name:
                    return True
                if part is not None and part not in seen:
                    seen.add(part)
                    waiting.append(part)
        return False


def _used_enumerations(text: ProfileText) -> Iterator[tuple[_Place, str]]:
    for number, rule in enumerate(text.sensors):
        if rule.enumeration is not None:
            yield ["sensors", number, "enumeration"], rule.enumeration
        if rule.status is not None and rule.status.enumeration is not None:
            yield ["sensors", number, "status", "enumeration"], rule.status.enumeration


def _names(text: ProfileText) -> Iterator[tuple[_Place, str]]:
    """Find every name of an object in a profile, with its place."""
    for place, reference in _references(text):
        if not is_oid(reference):
            yield place, reference


def _references(text: ProfileText) -> Iterator[tuple[_Place, str]]:
    for name, source in text.objects.items():
        yield from _of_source(["objects", name], source)
    for number, rule in enumerate(text.sensors):
        at: _Place = ["sensors", number]
        for key, several in (("value", rule.value), ("minus", rule.minus)):
            for index, source in enumerate(several):
                yield from _of_source([*at, key, index], source)
        for key in ("total", "free", "prefix", "digits", "ratio"):
            one = getattr(rule, key)
            if one is not None:
                yield from _of_source([*at, key], one)
        for index, template in enumerate(rule.name):
            for placeholder in _PLACEHOLDER.findall(template):
                if placeholder not in ("index", "n"):
                    yield [*at, "name", index], placeholder
        for key in ("where", "valid"):
            yield from (([*at, key, name], name) for name in getattr(rule, key) if name != "index")
        if rule.status is not None:
            yield [*at, "status", "object"], rule.status.object
        for key, limit in rule.limits:
            if limit is not None and not is_number(limit):
                yield [*at, "limits", key], limit
    for key in FactsText.model_fields:
        for index, fact in enumerate(getattr(text.facts, key)):
            place: _Place = ["facts", key, index]
            if fact.source is not None:
                yield [*place, "object"], fact.source
            yield from (([*place, "where", name], name) for name in fact.where if name != "index")


def _of_source(place: _Place, source: SourceText) -> Iterator[tuple[_Place, str]]:
    yield [*place, "oid"], source.oid
    for key in ("key", "high"):
        reference = getattr(source, key)
        if reference is not None:
            yield [*place, key], reference
