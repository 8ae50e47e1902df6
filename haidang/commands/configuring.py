"""Commands about the configuration: write a first one, check it, describe it."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from availability.books import weights
from config import Configuration, ConfigurationInvalid, SecretUnavailable, json_schema, load
from config.redundancy import lacking_lines
from config.role_files import roles
from config.starter import StarterRefused, write_starter
from haidang.commands.common import JsonOption, fail, find_config, print_json
from haidang.commands.oncall import nobody

config = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check and describe the configuration.")


def init(directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write haidang.yaml.")]) -> None:
    """Write a commented starter configuration."""
    try:
        written = write_starter(directory)
    except StarterRefused as error:
        fail(str(error))
    for path in written:
        typer.echo(f"wrote {path}")
    typer.echo(f"start it with: haidang run --config {written[0]}")


@config.command("check")
def config_check(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Else ./haidang.yaml or /etc/haidang/haidang.yaml.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a configuration.

    Every error is printed as file:line:column: path: message. Ends with 2 when there is one.
    """
    path = find_config(file)
    try:
        configuration = load(path)
    except ConfigurationInvalid as invalid:
        if as_json:
            print_json(
                [
                    {
                        "file": str(error.file), "line": error.line, "column": error.column, "path": error.path,
                        "message": error.message, "hint": error.hint,
                    }
                    for error in invalid.errors
                ]
            )  # fmt: skip
            raise typer.Exit(2) from None
        fail(*map(str, invalid.errors))
    weak = list(_warnings(configuration))
    if as_json:
        print_json([])
    else:
        inventory = configuration.inventory
        counts = {
            "target": inventory.targets, "site": inventory.sites, "system": inventory.systems,
            "circuit": inventory.circuits,
        }  # fmt: skip
        said = ", ".join(f"{len(things)} {kind}{'s' * (len(things) != 1)}" for kind, things in counts.items())
        typer.echo(f"{path}: fine: {said}")
    for text in dict.fromkeys(weak):
        typer.echo(f"warning: {text}", err=True)


def _warnings(configuration: Configuration) -> Iterator[str]:
    """Find what is allowed and yet is hardly meant."""
    for name, secret in configuration.secrets().items():
        if secret.weakness():
            yield secret.weakness()
        try:
            secret.read()
        except SecretUnavailable as error:
            yield f"{name}: {error} (as seen by this user, now)"
    for system in configuration.inventory.systems.values():
        if system.formula == "weighted" and not any(weights(configuration, system.id)):
            yield f"the system {system.id} is weighted by {system.weight}, and none of its members has any"
    if not configuration.inventory.targets:
        yield "no targets: nothing is watched"
    yield from _mistyped_roles(configuration)
    yield from lacking_lines(configuration.inventory)
    yield from nobody(configuration, time.time_ns())
    storage = configuration.storage
    if storage.kind == "embedded" and "influxdb" in storage.model_fields_set:
        yield "storage.influxdb is there but storage.kind is embedded: nothing is sent to it; write kind: influxdb"
    for server in configuration.alerting.mail.servers if configuration.alerting.mail else ():
        if server.port == 465 and server.security == "starttls":
            yield f"{server.host}: port 465 usually speaks TLS from the first byte: write security: tls"
    alerting = configuration.alerting
    told = alerting.to or alerting.routes or any(target.notify for target in configuration.inventory.targets.values())
    if configuration.alerting.mail and not told:
        yield "alerting.mail without alerting.to: nobody is told of anything"


def _mistyped_roles(configuration: Configuration) -> Iterator[str]:
    """Find roles that nothing is known of, with names very like those of roles that say what is probed."""
    inventory = configuration.inventory
    said = [one.roles for one in inventory.systems.values()] + [one.roles for one in inventory.sites.values()]
    known = {*roles(), *(role for place in said for role in place)}
    for role in dict.fromkeys(one.role for one in inventory.targets.values() if one.role not in known):
        if near := difflib.get_close_matches(role, known, n=1, cutoff=0.8):
            yield f"nothing is known of the role {role}; did you mean {near[0]}?"


@config.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    print_json(json_schema())
