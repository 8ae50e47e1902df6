"""``haidang explain TARGET``: what is probed, how often, by which rule, why, and where each of it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from config import ConfigurationInvalid
from config.errors import Hints
from config.loader import load_with_places
from config.origins import Origin, origins
from config.role_files import kinds, roles
from config.schema.values import say_seconds
from haidang.commands.common import ConfigOption, JsonOption, fail, find_config, print_json, print_table
from haidang.explained import checks, explained, plain


def explain(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Id of a target.")],
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also what nobody wrote: the program's own.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain how a target is probed and judged, and why.

    Each setting with the file and line it comes from.
    """
    try:
        loaded = load_with_places(find_config(config))
    except ConfigurationInvalid as invalid:
        fail(*map(str, invalid.errors))
    inventory, language = loaded.configuration.inventory, loaded.configuration.language
    one = inventory.targets.get(target)
    if one is None:
        near = Hints().nearest(target, inventory.targets)
        fail(f"there is no target {target!r}" + (f" (did you mean {near!r}?)" if near else ""))
    role = roles().get(one.role)
    system = inventory.systems.get(one.system or "")
    found = origins(loaded, target)
    if as_json:
        print_json(explained(loaded, target, found))
        return
    typer.echo(f"{target}: {one.label(language)}")
    known = f"role {one.role}" if role else f"role {one.role} (none of the shipped ones: pinged, and what is written)"
    typer.echo(f"  {known}" + (f": {role.why.language(language)}" if role else ""))
    if system:
        typer.echo(f"  system {system.id}: {system.objective or 'no'} % of each month, formula {system.formula}")
        if "objective" not in loaded.things.systems[system.id].model_fields_set and (kind := kinds().get(system.id)):
            typer.echo(f"  (that objective is the default of a {kind.collector} system: nobody wrote another)")
    typer.echo(f"  it is there while {one.primary.probe} says so")
    print_table(
        ("probe", "each", "while suspect", "hidden behind"),
        [
            (
                check.check.probe, say_seconds(check.cadence_s), say_seconds(round(check.fast_s, 3)),
                ", ".join(str(parent) for parent in (*check.parents, *check.needs)),
            ) for check in checks(loaded, target)
        ],
    )  # fmt: skip
    shown = [origin for origin in found if everything or origin.level != "default"]
    if shown:
        print_table(
            ("setting", "value", "from", "written at"),
            [(one.key, _text(one), f"{one.level} {one.name}".strip(), one.place) for one in shown],
        )


def _text(origin: Origin) -> str:
    value = plain(origin.value)
    timed = origin.key.rpartition(".")[2] in _TIMES and isinstance(value, float | int)
    return say_seconds(float(value)) if timed else _written(value)


def _written(value: object) -> str:
    """Write a value for people: a list by its items, a tag as ``kind=temperature``."""
    if isinstance(value, list):
        return " ".join(map(_written, value))
    if isinstance(value, Mapping):
        if value.keys() == {"tag", "value"}:
            return f"{value['tag']}={value['value']}"
        return ", ".join(f"{key}={_written(one)}" for key, one in value.items())
    return str(value)


_TIMES = frozenset({
    "cadence", "timeout", "budget", "span", "fast_cadence", "clear_span", "settle", "delay", "flap_window", "brief",
    "interval", "jitter_buffer", "for", "clear_for", "absent", "max_offset",
})  # fmt: skip
