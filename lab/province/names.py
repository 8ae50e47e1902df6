"""Names of places and things: read from ``names.yaml``, put together from syllables when the list runs out."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

_D_WITH_STROKE = str.maketrans("đĐ", "dD")  # the one letter that Unicode does not take apart


@dataclass(frozen=True, slots=True)
class District:
    """A district of the list, or an invented one."""

    name: str
    latitude: float
    longitude: float
    communes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """The content of ``names.yaml``.

    Parameters:
        centre: the province's centre; its communes are not used.
        districts: real ones with their communes.
        first, second: syllables of invented names.
        systems, services: rows as in the file.
        roles: what a unit of a role is called, by language, with gaps.
        monitoring: what a monitoring centre is called, with a gap.
        feeder: what a power feeder is called, by language, with gaps.
        contacts: who is told, rows as in the file.
        sender: whom alerts come from.
        rules: what is told beside what is down, rows as in the file.
    """

    centre: District
    districts: tuple[District, ...]
    first: tuple[str, ...]
    second: tuple[str, ...]
    systems: tuple[Mapping[str, Any], ...]
    services: tuple[Mapping[str, Any], ...]
    roles: Mapping[str, Mapping[str, str]]
    monitoring: str
    feeder: Mapping[str, str]
    contacts: tuple[Mapping[str, Any], ...]
    sender: str
    rules: tuple[Mapping[str, Any], ...]

    def invented(self, rng: random.Random) -> Iterator[str]:
        """Give names that none of the list's places has, each once, without end."""
        taken = {slug(district.name) for district in self.districts}
        taken |= {slug(commune) for district in self.districts for commune in district.communes}
        pairs = [f"{first} {second}" for first in self.first for second in self.second]
        rng.shuffle(pairs)
        fresh = [name for name in {slug(name): name for name in pairs}.values() if slug(name) not in taken]
        yield from fresh
        number = 2
        while True:
            yield from (f"{name} {number}" for name in fresh)
            number += 1


def read_names() -> Names:
    """Read the list that comes with the lab."""
    text = (resources.files("lab.province") / "names.yaml").read_text(encoding="utf-8")
    data = YAML(typ="safe").load(text)
    return Names(
        centre=District(**data["centre"]),
        districts=tuple(District(**row) for row in data["districts"]),
        first=tuple(data["syllables"]["first"]),
        second=tuple(data["syllables"]["second"]),
        systems=tuple(data["systems"]),
        services=tuple(data["services"]),
        roles=data["roles"],
        monitoring=data["sites"]["monitoring"],
        feeder=data["feeder"],
        contacts=tuple(data["contacts"]),
        sender=data["sender"],
        rules=tuple(data["rules"]),
    )


def slug(name: str) -> str:
    """Give a name as an id: ``Đồng Kỳ`` is ``dong-ky``."""
    plain = unicodedata.normalize("NFD", name.translate(_D_WITH_STROKE)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
