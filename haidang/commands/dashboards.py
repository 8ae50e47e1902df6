"""Grafana's dashboards: ``haidang dashboards export | push``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, get_args

import typer

from config import Configuration, Secret, SecretUnavailable
from dashboards.grafana.client import Client, Grafana, GrafanaError
from dashboards.grafana.export import PLACE, documents, files
from dashboards.grafana.export import export as write_files
from dashboards.grafana.notes import notes
from dashboards.grafana.push import Pusher, Result, annotate
from dashboards.grafana.sources import KINDS, UID, Kind, Store
from dashboards.grafana.words import words
from haidang.commands.common import (
    ConfigOption,
    JsonOption,
    LanguageOption,
    clean,
    coloured,
    fail,
    print_json,
    print_table,
    read_config,
)
from haidang.commands.reading import ledger
from haidang.settings import store_settings
from storage.influx.flavour import detect
from storage.influx.transport import Transport, Unreachable
from storage.metrics import InfluxSettings, StoreError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Dashboards for Grafana.")

MOST_DIFF = 60
"""Lines of a difference that are shown of a conflict; all of them with --diff."""
TOKEN = "HAIDANG_GRAFANA_TOKEN"  # noqa: S105 the name of a variable, not a token

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="KIND",
        help=f"What Grafana will ask: {', '.join(KINDS)}. Else the configured store; v2 is asked in Flux.",
    ),
]  # fmt: skip
StoreUrlOption = Annotated[
    str | None, typer.Option("--store-url", metavar="URL", help="Where Grafana finds the store; else as configured.")
]


@app.command()
def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; DIR/provisioning is made.")],
    config: ConfigOption = None,
    store: StoreOption = None,
    store_url: StoreUrlOption = None,
    place: Annotated[
        str, typer.Option("--place", metavar="PATH", help="Where Grafana will find provisioning.")
    ] = PLACE,
    language: LanguageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write files that Grafana reads by itself.

    Datasource and dashboards as provisioning, for Grafana 10 to 13.
    """
    configuration = read_config(config)
    asked = _store(configuration, store, store_url, in_files=True)
    chosen = language or configuration.language
    try:
        made = write_files(directory, files(asked, chosen, configuration.inventory.systems, place.rstrip("/")))
    except OSError as error:
        fail(f"{error.filename or directory}: cannot be written ({(error.strerror or str(error)).lower()})")
    if as_json:
        print_json({"store": asked.kind, "language": asked.language.name, "files": [str(path) for path in made]})
        return
    typer.echo(f"{len(made)} files in {directory / 'provisioning'}; {asked.kind} is asked in {asked.language.name}")
    for hint in _hints(configuration, asked, place, directory):
        typer.echo(hint)


def _hints(configuration: Configuration, asked: Store, place: str, directory: Path) -> Iterator[str]:
    yield f"Next: cp -r {directory / 'provisioning'}/. {place}/ && systemctl restart grafana-server"
    for secret in filter(None, (configuration.storage.influxdb.token, configuration.storage.influxdb.password)):
        if asked.secrets():
            what = f"read {secret.file}" if secret.file else f"have {_name(secret)} in its environment"
            yield f"Grafana's user must be able to {what}: the secret itself is in no file that was written."


@app.command()
def push(
    url: Annotated[str, typer.Option("--url", metavar="URL", help="Where Grafana is.")] = "http://127.0.0.1:3000",
    token_file: Annotated[
        Path | None, typer.Option("--token-file", metavar="FILE", help=f"A service account's token; else ${TOKEN}.")
    ] = None,
    config: ConfigOption = None,
    store: StoreOption = None,
    store_url: StoreUrlOption = None,
    folder: Annotated[str | None, typer.Option("--folder", help="What the folder is called when it is made.")] = None,
    datasource: Annotated[
        str | None, typer.Option("--datasource", metavar="UID", help="Use this one; else one is made (needs Admin).")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Only show what would change; nothing is written.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write over what somebody else has changed, too.")
    ] = False,
    annotations: Annotated[
        int,
        typer.Option("--annotations", metavar="DAYS", min=0, max=366, help="Of incidents and maintenance; 0: none."),
    ] = 31,
    client: Annotated[
        str | None, typer.Option("--client", help="grafana-client or grafana-api; else the one that is installed.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, max=300, help="Seconds for each answer.")] = 10.0,
    language: LanguageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the dashboards into a running Grafana.

    And their folder, the datasource, and annotations for incidents and maintenance. Can be repeated: what is as it
    should be is left alone, and what other people have changed is never written over without --overwrite. Ends with 1
    when something could not be brought in.
    """
    configuration = read_config(config)
    chosen = language or configuration.language
    asked = _store(configuration, store, store_url, in_files=False)
    results: list[Result] = []
    counts: dict[str, int] = {}
    try:
        grafana = Grafana(url, _token(token_file), _client(client), timeout)
        pusher = Pusher(grafana, overwrite=overwrite, dry=diff)
        results.append(pusher.folder(folder or words(chosen)["folder"]))
        if datasource is None:
            results.append(pusher.source(asked, UID))
        written = documents(asked, chosen, configuration.inventory.systems, datasource or UID)
        results += map(pusher.dashboard, written)
        if annotations and (configuration.data_dir / "haidang.db").exists():
            with ledger(configuration) as sql:
                found = list(notes(sql, chosen, time.time_ns(), annotations))
            counts = dict(annotate(grafana, found, dry=diff))
    except GrafanaError as error:
        _show(results, counts, as_json=as_json, diff=diff, error=str(error))
        raise typer.Exit(1) from error
    _show(results, counts, as_json=as_json, diff=diff)
    raise typer.Exit(1 if any(one.outcome in ("conflict", "failed") for one in results) else 0)


def _show(results: list[Result], counts: dict[str, int], *, as_json: bool, diff: bool, error: str = "") -> None:
    if as_json:
        print_json(
            {
                "written": not diff,
                "results": [asdict(one) for one in results],
                "annotations": counts,
                "error": error or None,
            }
        )
        return
    if results:
        heads = ("would be" if diff else "outcome", "what", "uid", "why")
        print_table(heads, [(_coloured(one), one.what, one.uid, one.words) for one in results])
    for one in results:
        if one.diff and (diff or one.outcome == "conflict"):
            typer.echo("")
            typer.echo(f"{one.what} {one.uid}:")
            most = len(one.diff) if diff else MOST_DIFF
            for line in one.diff[:most]:
                typer.echo(clean(line))
            if len(one.diff) > most:
                typer.echo(f"… and {len(one.diff) - most} lines more: --diff shows all")
    if counts:
        typer.echo("annotations: " + ", ".join(f"{number} {what}" for what, number in counts.items()))
    if error:
        typer.echo(error, err=True)


def _coloured(result: Result) -> object:
    text = coloured({"conflict": "warning", "failed": "bad"}.get(result.outcome, "ok"))
    text.plain = result.outcome
    return text


def _token(file: Path | None) -> str:
    """Read the token; ends the command when there is none."""
    secret = Secret.model_validate({"file": str(file)} if file else {"env": TOKEN})
    try:
        return secret.read()
    except SecretUnavailable as error:
        fail(
            f"Grafana's token: {error}",
            f"make a service account in Grafana (role Editor), and set {TOKEN} or --token-file",
        )


def _client(name: str | None) -> Client | None:
    found: Client | None = next((one for one in get_args(Client) if one == name), None)
    if found is None and name is not None:
        fail(f"--client: {name} is none of {', '.join(get_args(Client))}")
    return found


def _store(configuration: Configuration, kind: str | None, url: str | None, *, in_files: bool) -> Store:
    """Say which store Grafana will ask; ends the command when it cannot.

    Parameters:
        in_files: secrets are not read: what Grafana puts in their place stands there.
    """
    influx = configuration.storage.influxdb
    wanted: Kind | None = next((one for one in KINDS if one == kind), None)
    if kind is not None and wanted is None:
        fail(f"--store: {kind} is none of {', '.join(KINDS)}")
    if wanted is None and configuration.storage.kind == "embedded":
        fail(
            "Grafana cannot read the embedded store: set storage: {kind: influxdb, influxdb: {url: …}},",
            f"or name the store that Grafana will ask with --store ({', '.join(KINDS)}) and --store-url",
        )
    found = wanted or _detected(configuration)
    if found in ("v2", "v2-influxql") and not (influx.bucket and influx.org):
        fail("InfluxDB 2.x is asked for a bucket of an organisation: give storage.influxdb.bucket and org")
    return Store(
        found, url or influx.url, influx.database, influx.org or "", influx.bucket or "", influx.username or "",
        _secret(influx.token, in_files=in_files), _secret(influx.password, in_files=in_files),
    )  # fmt: skip


def _detected(configuration: Configuration) -> Kind:
    flavour = configuration.storage.influxdb.flavour
    if flavour != "auto":
        return flavour
    settings = store_settings(configuration)
    assert isinstance(settings, InfluxSettings)  # noqa: S101 what is embedded was turned away before

    async def ask() -> Kind:
        transport = Transport(settings)
        try:
            return await detect(transport)  # type: ignore[return-value]  # what is found is never auto
        finally:
            await transport.close(1.0)

    try:
        return asyncio.run(ask())
    except (Unreachable, StoreError) as error:
        fail(f"which kind of store is that? {error}", f"say it: --store {' | '.join(KINDS)}")


def _secret(secret: Secret | None, *, in_files: bool) -> str:
    if secret is None:
        return ""
    if in_files:
        return f"$__file{{{secret.file}}}" if secret.file else f"$__env{{{_name(secret)}}}"
    try:
        return secret.read()
    except SecretUnavailable as error:
        fail(f"the store's secret: {error}")


def _name(secret: Secret) -> str:
    return secret.env or "HAIDANG_STORE_SECRET"
