"""The command line. Each command is thin: it reads its words, calls a room, prints what came of it.

Exit status: 0 all is well, 1 what was asked about is bad, 2 the command or the configuration is wrong.
"""

from __future__ import annotations

import asyncio
import io
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from config import Configuration, ConfigurationInvalid, SecretUnavailable, json_schema, load
from config.starter import StarterRefused, write_starter
from haidang import __version__, doctor, logs
from haidang.books import weights
from haidang.clock import SystemClock
from haidang.commands import (
    accounts,
    alarms,
    forecast,
    incidents,
    lab,
    maintenance,
    network,
    oncall,
    probing,
    reading,
    replay,
    rules,
)
from haidang.commands import profile as profiling
from haidang.commands.common import (
    ConfigOption,
    JsonOption,
    fail,
    find_config,
    print_json,
    read_config,
)
from haidang.daemon import Daemon
from haidang.life import AlreadyRunning
from haidang.settings import listening
from storage.database import DatabaseError

app = typer.Typer(
    name="haidang", no_args_is_help=True, add_completion=True, rich_markup_mode=None, pretty_exceptions_enable=False,
    help="Hải đăng, the lighthouse: watches networks and services, keeps the ledger of what was available.",
)  # fmt: skip
config_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check and describe the configuration.")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"haidang {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def run(config: ConfigOption = None) -> None:
    """Run the daemon (SIGTERM ends it, SIGHUP reloads)."""
    path = find_config(config)
    configuration = read_config(path)
    logs.configure(configuration.logging.format, configuration.logging.level)
    try:
        asyncio.run(Daemon(path, configuration, SystemClock()).run())
    except AlreadyRunning as error:
        fail(str(error), status=1)
    except DatabaseError as error:
        fail(str(error), status=1)
    except sqlite3.OperationalError as error:
        fail(f"{configuration.data_dir}: the ledger cannot be written ({error}); is there free space?", status=1)
    except sqlite3.DatabaseError as error:
        fail(
            f"{configuration.data_dir / 'haidang.db'}: is damaged ({error}); stop, keep a copy, and restore a backup",
            status=1,
        )  # fmt: skip
    except OSError as error:
        fail(
            f"{configuration.data_dir}: cannot be used ({(error.strerror or str(error)).lower()}); "
            "haidang doctor says what to do", status=1,
        )  # fmt: skip


@app.command()
def init(directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write haidang.yaml.")]) -> None:
    """Write a commented starter configuration."""
    try:
        written = write_starter(directory)
    except StarterRefused as error:
        fail(str(error))
    for path in written:
        typer.echo(f"wrote {path}")
    typer.echo(f"start it with: haidang run --config {written[0]}")


@config_app.command("check")
def config_check(
    file: Annotated[Path | None, typer.Argument(metavar="FILE")] = None, as_json: JsonOption = False
) -> None:
    """Check a configuration; every error is printed as file:line:column: path: message."""
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
        typer.echo(
            f"{path}: fine: {len(inventory.targets)} targets, {len(inventory.sites)} sites, "
            f"{len(inventory.systems)} systems, {len(inventory.circuits)} circuits"
        )
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
    yield from oncall.nobody(configuration, time.time_ns())
    storage = configuration.storage
    if storage.kind == "embedded" and "influxdb" in storage.model_fields_set:
        yield "storage.influxdb is there but storage.kind is embedded: nothing is sent to it; write kind: influxdb"
    for server in configuration.alerting.mail.servers if configuration.alerting.mail else ():
        if server.port == 465 and server.security == "starttls":
            yield f"{server.host}: port 465 usually speaks TLS from the first byte: write security: tls"
    told = (
        configuration.alerting.to
        or configuration.alerting.routes
        or any(target.notify for target in configuration.inventory.targets.values())
    )
    if configuration.alerting.mail and not told:
        yield "alerting.mail without alerting.to: nobody is told of anything"


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    print_json(json_schema())


@app.command("doctor")
def examine(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what is missing here, and its cure.

    Ends with 1 when something is bad.
    """
    findings = list(doctor.machine())
    try:
        path = find_config(config)
        configuration = load(path)
    except typer.Exit:
        pass
    except ConfigurationInvalid as invalid:
        findings.append(
            doctor.Finding(
                "configuration", doctor.Health.BAD, f"{path}: cannot be used, errors: {len(invalid.errors)}",
                f"haidang config check {path}",
            )
        )  # fmt: skip
    else:
        findings.append(doctor.Finding("configuration", doctor.Health.OK, str(path)))
        findings += doctor.data_directory(configuration.data_dir)
        findings += doctor.secrets(configuration)
        for server in configuration.alerting.mail.servers if configuration.alerting.mail else ():
            findings.append(
                doctor.reachable("mail server", server.host, server.port, "check host, port and firewall; mail waits")
            )
        findings += doctor.receivers(listening(configuration))
        if configuration.storage.kind == "influxdb":
            findings.append(doctor.reachable_url(configuration.storage.influxdb.url))
    if as_json:
        print_json([{"name": one.name, "health": one.health, "text": one.text, "cure": one.cure} for one in findings])
    else:
        for one in findings:
            typer.echo(f"{one.health.value:8} {one.name}: {one.text}")
            if one.cure and one.health is not doctor.Health.OK:
                typer.echo(f"         cure: {one.cure}")
    raise typer.Exit(1 if any(one.health is doctor.Health.BAD for one in findings) else 0)


app.add_typer(config_app, name="config")
app.add_typer(probing.probe, name="probe")
app.add_typer(reading.store, name="store")
app.add_typer(incidents.app, name="incidents")
app.add_typer(rules.app, name="rules")
app.add_typer(maintenance.app, name="maintenance")
app.add_typer(oncall.app, name="oncall")
app.add_typer(alarms.silence, name="silence")
app.add_typer(alarms.notify, name="notify")
app.add_typer(alarms.audit, name="audit")
app.add_typer(lab.app, name="lab")
app.add_typer(profiling.profile, name="profile")
app.add_typer(network.inventory, name="inventory")
app.command("poll")(probing.poll)
app.command("circuits")(network.circuits)
app.command("status")(reading.status)
app.command("ack")(incidents.ack)
app.command("events")(reading.events)
app.command("forecast")(forecast.forecast)
maintenance.app.command("what-if")(forecast.what_if)
app.command("replay")(replay.replay_file)
app.command("availability")(accounts.availability)


def main() -> None:
    """Enter here; the console script and ``python -m haidang`` do."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a letter shows a ?
    try:
        app(prog_name="haidang")
    except BrokenPipeError:  # the reader of our output went away, as head does
        sys.stderr.close()
        os._exit(1)
