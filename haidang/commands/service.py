"""The daemon as a command, and whether this machine is fit for it."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import typer

from config import Configuration, ConfigurationInvalid, load
from config.schema.web import Oidc
from dashboards.web.access.oidc import OidcError, Provider
from haidang import logs
from haidang.clock import SystemClock
from haidang.commands.common import ConfigOption, JsonOption, fail, find_config, print_json, read_config
from haidang.commands.metrics import ask_store
from haidang.daemon import Daemon
from haidang.doctor import (
    Finding,
    Health,
    data_directory,
    machine,
    people,
    reachable,
    reachable_url,
    receivers,
    secrets,
)
from haidang.life import AlreadyRunning
from haidang.receiving import listening
from storage.database import DatabaseError
from storage.metrics_model import CANARY, SECOND_NS, Query, StoreError


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
        fail(
            f"{configuration.data_dir}: the ledger cannot be written ({error}); {_LOOK} --config {path}", status=1
        )  # fmt: skip
    except sqlite3.DatabaseError as error:
        fail(
            f"{configuration.data_dir / 'haidang.db'}: is damaged ({error}); stop, keep a copy, and restore a backup",
            status=1,
        )  # fmt: skip
    except OSError as error:
        fail(
            f"{configuration.data_dir}: cannot be used ({(error.strerror or str(error)).lower()}); "
            f"{_LOOK} --config {path}", status=1,
        )  # fmt: skip


_LOOK = "this says what to do: haidang doctor"


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what is missing here, and its cure.

    Ends with 1 when something is bad.
    """
    findings = list(machine())
    try:
        path = find_config(config)
        configuration = load(path)
    except typer.Exit:
        pass
    except ConfigurationInvalid as invalid:
        findings.append(
            Finding(
                "configuration", Health.BAD, f"{path}: cannot be used, errors: {len(invalid.errors)}",
                f"haidang config check {path}",
            )
        )  # fmt: skip
    else:
        findings.append(Finding("configuration", Health.OK, str(path)))
        findings += data_directory(configuration.data_dir)
        findings += secrets(configuration)
        findings += people(configuration)
        for server in configuration.alerting.mail.servers if configuration.alerting.mail else ():
            findings.append(
                reachable("mail server", server.host, server.port, "check host, port and firewall; mail waits")
            )
        findings += receivers(listening(configuration))
        if configuration.storage.kind == "influxdb":
            findings.append(_metric_store(configuration))
        if configuration.web.oidc is not None:
            findings.append(_provider(configuration.web.oidc, configuration.path.absolute().parent))
    if as_json:
        print_json([{"name": one.name, "health": one.health, "text": one.text, "cure": one.cure} for one in findings])
    else:
        for one in findings:
            typer.echo(f"{one.health.value:8} {one.name}: {one.text}")
            if one.cure and one.health is not Health.OK:
                typer.echo(f"         cure: {one.cure}")
    raise typer.Exit(1 if any(one.health is Health.BAD for one in findings) else 0)


def _metric_store(configuration: Configuration) -> Finding:
    """Look whether the metric store takes connections, and then whether it answers what is asked of it."""
    url = configuration.storage.influxdb.url
    found = reachable_url(url)
    if found.health is not Health.OK:
        return found
    try:
        ask_store(configuration, lambda store, now_ns: store.read(Query(CANARY, now_ns - SECOND_NS, now_ns)))
    except StoreError as error:
        said = str(error).removeprefix(f"{url}: ")
        if "database not found" not in said:  # it is made before the first write
            cure = "mend that and run haidang doctor again; meanwhile points wait in the spool"
            return Finding(found.name, Health.BAD, f"{url}: {said}", cure)
    return Finding(found.name, Health.OK, f"{url} answers")


def _provider(settings: Oidc, folder: Path) -> Finding:
    """Look whether people could sign in at the provider."""
    name, cure = (
        "OpenID provider",
        "check web.oidc.issuer and the way there; passwords of haidang's own users still work",
    )
    try:
        keys = asyncio.run(Provider(settings, SystemClock(), folder).ready())
    except OidcError as error:
        return Finding(name, Health.WARNING, str(error), cure)
    return Finding(name, Health.OK, f"{settings.issuer} describes itself, keys that may sign: {keys}")
