"""What a role means when nobody says otherwise: `config/roles/*.yaml`, one file for each kind of system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from config import document
from config.files import Source
from config.schema.probed import Probed, ProbeKind
from config.schema.things import SystemKind
from config.schema.values import Section, Slug, Text, number
from config.source import LARGEST_FILE, decode, read_bytes

SHIPPED = Path(__file__).with_name("roles")


class RoleText(Section):
    """A role: why it is watched as it is, and how."""

    why: Text = Field(description="for people")
    settings: Probed = Field(description="how its targets are probed and judged")
    instead: dict[ProbeKind, ProbeKind] = Field(
        default_factory=dict, description="a probe that takes the place of another of the role where somebody says it"
    )


class RolesText(Section):
    """A kind of system: how it is judged as a whole, and the roles in it."""

    collector: SystemKind = Field(description="which")
    objective: Annotated[float, number(1, 100)] = Field(description="percent of each month")
    formula: Literal["all", "weighted"] = Field("all", description="when it is up, by its targets")
    weight: Literal["targets"] | None = Field(None, description="formula weighted: each target alike")
    roles: dict[Slug, RoleText] = Field(description="by name")


@dataclass(frozen=True, slots=True)
class Role:
    """A shipped role.

    Parameters:
        name: ``camera``.
        collector: the kind of system it comes from.
        why: for people.
        settings: its defaults.
        instead: probes that take the place of others of it where somebody says them.
        source: the file, with the place of every key.
    """

    name: str
    collector: SystemKind
    why: Text
    settings: Probed
    source: Source
    instead: Mapping[ProbeKind, ProbeKind]


@cache
def kinds() -> Mapping[str, RolesText]:
    """Return the shipped kinds of systems by name."""
    return {text.collector: text for _, text in _read()}


@cache
def roles() -> Mapping[str, Role]:
    """Return the shipped roles by name."""
    return {
        name: Role(name, text.collector, role.why, role.settings, source, role.instead)
        for source, text in _read()
        for name, role in text.roles.items()
    }


@cache
def _read() -> tuple[tuple[Source, RolesText], ...]:
    found = []
    for path in sorted(SHIPPED.glob("*.yaml")):
        root, _ = document.parse(decode(read_bytes(path, LARGEST_FILE)))
        found.append((Source(path, root), RolesText.model_validate(root)))
    return tuple(found)
