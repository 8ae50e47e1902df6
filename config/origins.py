"""Where each setting in force for a target comes from: its role, system, site, or itself, with file and line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from config.crosscheck import Item
from config.files import Source
from config.inventory import Layer, layers
from config.loader import Loaded
from config.role_files import roles
from config.schema.probed import Probed
from config.schema.values import Section
from config.tree import Mark, locate

_SETTINGS = ("confirmation", "icmp", "snmp", "dns", "host")


@dataclass(frozen=True, slots=True)
class Origin:
    """One setting in force.

    Parameters:
        key: as it is written, with dots: ``rtsp.cadence``.
        value: in force.
        level: ``role``, ``confirmation``, ``general``, ``system``, ``site``, ``target``, ``probing`` or ``default``.
        name: of the role, the system, the site.
        place: ``FILE:LINE:COLUMN``; empty for what the program itself has.
    """

    key: str
    value: object
    level: str
    name: str
    place: str


def origins(loaded: Loaded, target: str) -> list[Origin]:
    """Return every setting in force for a target and where it comes from.

    Raises:
        KeyError: there is no such target.
    """
    item = next(one for one in reversed(loaded.items) if one.kind == "targets" and one.id == target)
    written = loaded.things.targets[target]
    settings = loaded.settings
    above = layers(written, loaded.things, settings.confirmation, settings.roles)
    resolved = loaded.configuration.inventory.targets[target]
    found: list[Origin] = []
    sections: list[tuple[str, object]] = [
        *((name, getattr(resolved, name)) for name in ("icmp", "snmp", "dns", "host", "quality")),
        *resolved.services.items(), ("confirmation", resolved.confirmation),
        *((f"rules.{name}", rule) for name, rule in resolved.rules.items()),
    ]  # fmt: skip
    for name, section in sections:
        if isinstance(section, Section):
            found += _of_section(loaded, item, above, name, section)
    for name, value in (("alive", resolved.primary.probe), ("probes", resolved.probes)):
        found.append(_origin(loaded, item, above, (name,), value))
    return found


def _of_section(loaded: Loaded, item: Item, above: tuple[Layer, ...], name: str, section: Section) -> Iterator[Origin]:
    for field, info in type(section).model_fields.items():
        key = info.alias or field
        value = getattr(section, field)
        if value not in (None, "", (), {}):
            yield _origin(loaded, item, above, (*name.split(".", 1), key), value)


def _origin(loaded: Loaded, item: Item, above: tuple[Layer, ...], keys: tuple[str, ...], value: object) -> Origin:
    dotted = ".".join(keys)
    for layer in reversed(above):
        source, place = _place(loaded, item, layer)
        own = keys[1:] if layer.level == "confirmation" else keys
        mark = _at(source, [*place, *own]) if _says(layer, keys) else None
        if source is not None and mark is not None:
            return Origin(dotted, value, layer.level, layer.name, f"{source.path}:{mark.line}:{mark.column}")
    main = loaded.main
    general = list(keys) if keys[0] == "confirmation" else ["probing", *keys]
    if keys[0] in _SETTINGS and (mark := _at(main, list(general))) is not None:
        return Origin(dotted, value, "probing", "", f"{main.path}:{mark.line}:{mark.column}")
    return Origin(dotted, value, "default", "", "")


def _says(layer: Layer, keys: tuple[str, ...]) -> bool:
    """Tell whether a place says something of its own, and does not merely have it from its schema."""
    said: Any = layer.said
    for key in keys:
        if isinstance(said, dict):
            said = said.get(key)
            if said is None:
                return False
            continue
        if not isinstance(said, Probed | Section):
            return False
        name = next((one for one, info in type(said).model_fields.items() if key in (one, info.alias)), key)
        if name not in said.model_fields_set:
            return False
        said = getattr(said, name)
    return True


def _place(loaded: Loaded, item: Item, layer: Layer) -> tuple[Source | None, list[str | int]]:
    match layer.level:
        case "role":
            return roles()[layer.name].source, ["roles", layer.name, "settings"]
        case "confirmation":
            return loaded.main, ["confirmation", "roles", layer.name]
        case "general":
            return loaded.main, ["roles", layer.key]
        case "target":
            return item.source, [*item.place]
        case _:
            kind = f"{layer.level}s"
            found = next((one for one in loaded.items if one.kind == kind and one.id == layer.name), None)
            return (found.source, [*found.place, "roles", layer.key]) if found else (None, [])


def _at(source: Source | None, keys: list[str | int]) -> Mark | None:
    if source is None:
        return None
    mark, name, _ = locate(source.root, keys, key=True)
    return mark if name.endswith(str(keys[-1])) else None
