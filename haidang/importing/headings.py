"""What sheets, columns and words of a spreadsheet mean: `headings.yaml`, read once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from ruamel.yaml import YAML

from config.schema.things import LISTS, table_columns
from config.schema.values import Text

LANGUAGES = ("vi", "en")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a sheet can hold.

    Parameters:
        name: ``cameras``; stands in file names.
        section: the list of the configuration: ``targets``.
        role: of a new target when nothing says another; empty: the schema's.
        roles: of targets, those of this kind; empty: all that are of no other kind.
    """

    name: str
    section: str
    role: str = ""
    roles: frozenset[str] = frozenset()


def plain(text: str) -> str:
    """Reduce a heading to its letters: ``Địa chỉ IP``, ``dia_chi_ip`` and ``DIA CHI IP`` are one."""
    spread = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D").casefold())
    bare = "".join(letter for letter in spread if not unicodedata.combining(letter))
    return " ".join(re.sub(r"[^0-9a-z]+", " ", bare).split())


@cache
def kinds() -> Mapping[str, Kind]:
    """Return every kind by its name."""
    return {
        name: Kind(name, said["list"], said.get("role", ""), frozenset(said.get("roles", ())))
        for name, said in _book()["kinds"].items()
    }


def kind_called(title: str) -> Kind | None:
    """Find which kind a sheet's or file's name speaks of: by its longest word that is one; ``None`` when by none."""
    words = f" {plain(title)} "
    best: tuple[int, str] | None = None
    for name, said in _book()["kinds"].items():
        for called in (name, *said["vi"], *said["en"]):
            if f" {plain(called)} " in words and (best is None or len(called) > best[0]):
                best = len(called), name
    return kinds()[best[1]] if best else None


def kind_title(kind: str, language: str) -> str:
    """Return what a sheet of a kind is called."""
    return str(_book()["kinds"][kind][language][0])


def kind_of(section: str, role: str) -> Kind:
    """Return the kind an item is listed under."""
    fitting = [one for one in kinds().values() if one.section == section]
    other = next((one for one in fitting if not one.roles), Kind(section, section))
    return next((one for one in fitting if role in one.roles), other)


@cache
def columns(section: str) -> Mapping[str, str]:
    """Return the dotted keys of a section's fields by what a column may be called, reduced."""
    found = {plain(key): key for key in keys(section)}
    for part in ("all", section):
        for key, said in _book()["columns"].get(part, {}).items():
            if key in keys(section):
                found |= {plain(called): key for language in LANGUAGES for called in said[language]}
    if section == "targets":
        found["snmp"] = "snmp.credential"
    return found


def heading(section: str, key: str, language: str) -> str:
    """Return what an export calls a column; the key itself where nobody has given it a name."""
    book = _book()["columns"]
    said = book.get(section, {}).get(key) or book["all"].get(key)
    return str(said[language][0]) if said else key


def meant(key: str, text: str) -> str:
    """Return what a word in a cell stands for in the configuration; itself where it is none of ours."""
    for ours, called in _book()["words"].get(key, {}).items():
        if plain(text) in {plain(one) for one in (ours, *called)}:
            return str(ours)
    return text


@cache
def keys(section: str) -> Mapping[str, bool]:
    """Return the fields of a section that fit into a cell, by their dotted key; True where a cell holds several."""
    if section == "targets":
        several = {key for key, many in _fields(LISTS[section], "").items() if many}
        found = {("snmp.credential" if key == "snmp" else key): key in several for key in sorted(table_columns())}
        usual = ["id", "name", "name.vi", "name.en", *_book()["columns"]["targets"]]
        return dict(sorted(found.items(), key=lambda one: (usual.index(one[0]) if one[0] in usual else 99, one[0])))
    return _fields(LISTS[section], "")


def _fields(model: type[BaseModel], before: str) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for name, field in model.model_fields.items():
        key = before + (field.alias or name)
        inner, many = _shape(field.annotation)
        if inner is Text:
            found |= {key: False, f"{key}.vi": False, f"{key}.en": False}
        elif inner is None:
            found[key] = many
    return found


def _shape(annotation: object) -> tuple[type[BaseModel] | None, bool]:
    """Return the section inside a type, if there is one, and whether it is a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    many = get_origin(annotation) is tuple
    for part in get_args(annotation):
        inner, also = _shape(part)
        if inner is not None:
            return inner, many
        many = many or also
    return None, many


@cache
def _book() -> Mapping[str, Any]:
    file = resources.files("haidang.importing") / "headings.yaml"
    found: Mapping[str, Any] = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    return found
