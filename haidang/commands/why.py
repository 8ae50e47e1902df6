"""``haidang why``: who was told of something, or was not, and why."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from haidang.commands.common import ConfigOption, JsonOption, clean, fail, print_json, read_config
from haidang.commands.reading import ledger
from haidang.why import Why


def why(
    what: Annotated[
        str, typer.Argument(metavar="INCIDENT|TARGET|PROMISE", help="12, #12, a target's id, or system:wan.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain why somebody was told, or was not.

    Of an incident, or of a target: messages, routes, silences, maintenance.
    """
    configuration = read_config(config)
    number = what.lstrip("#")
    with ledger(configuration) as sql:
        asked = Why(configuration, sql, time.time_ns())
        if what in configuration.inventory.targets:
            lines = asked.target(what)
        elif ":" in what:
            lines = asked.promised(what)
            if not lines:
                fail(f"nothing was promised of {what}; haidang availability lists what was")
        elif number.isdigit():
            lines = asked.incident(int(number)) if len(number) < 18 else []
        else:
            fail(f"neither an incident nor a target: {what}; haidang incidents --all and haidang status list them")
    if not lines:
        fail(f"there is no incident {number}; haidang incidents --all lists them")
    if as_json:
        print_json([{"about": about, "words": words} for about, words in lines])
        return
    for about, words in lines:
        typer.echo(clean(f"{about:12} {words}"))
