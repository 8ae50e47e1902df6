"""Device profiles by hand: ``haidang profile list``, ``check FILE``, ``try FILE DEVICE|RECORDING``."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from collectors.profiles import compile_matches, compile_profile
from config import ConfigurationInvalid
from config.profile_files import DeviceProfile, load
from haidang.commands.access import (
    AuthPassword,
    AuthProtocol,
    Community,
    Context,
    PrivPassword,
    PrivProtocol,
    SnmpPort,
    SnmpTimeout,
    UserName,
    Version,
    access_of,
    numeric,
)
from haidang.commands.common import JsonOption, clean, coloured, fail, measured, print_json, print_table
from probes.snmp import Library, SnmpError, trial
from probes.snmp import oid as oids
from probes.snmp.profile import Rule
from probes.snmp.trial import Trial

profile = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Device profiles: what is read from which device."
)
File = Annotated[Path, typer.Argument(metavar="FILE", help="A profile in YAML.")]


def _load(file: Path | None) -> dict[str, DeviceProfile]:
    try:
        return load((file,) if file is not None else ())
    except ConfigurationInvalid as invalid:
        fail(*map(str, invalid.errors))


def _one(file: Path) -> tuple[DeviceProfile, Library]:
    """Load a file beside the shipped ones; returns its profile and the library they make together."""
    devices = _load(file)
    library = Library.of([match for device in devices.values() for match in compile_matches(device)])
    return next(device for device in devices.values() if device.path == file), library


@profile.command("list")
def list_profiles(as_json: JsonOption = False) -> None:
    """List the shipped profiles."""
    rows = [
        (
            name, device.text.vendor or "", device.text.device_class, len(device.text.match),
            sum(len(text.sensors) for text in device.lineage), ", ".join(device.text.extends),
        )
        for name, device in sorted(_load(None).items())
    ]  # fmt: skip
    heads = ("profile", "vendor", "class", "matches", "rules", "extends")
    if as_json:
        print_json([dict(zip(heads, row, strict=True)) for row in rows])
    else:
        print_table(heads, rows, right=(3, 4))


@profile.command("check")
def check(file: File) -> None:
    """Check a profile.

    Every error is printed as file:line:column: path: message.
    """
    device, _ = _one(file)
    text = device.text
    rules = sum(len(one.sensors) for one in device.lineage)
    typer.echo(f"{file}: fine: profile {text.profile}, {len(text.match)} matches, {rules} rules")
    if not text.match:
        typer.echo("it has no match: it is there to be extended by others")


@profile.command("try")
def try_profile(
    file: File,
    target: Annotated[str, typer.Argument(metavar="DEVICE|RECORDING", help="An address, or an .snmprec file.")],
    port: SnmpPort = 161,
    version: Version = None,
    community: Community = None,
    user: UserName = None,
    auth: AuthProtocol = "SHA-256",
    auth_password: AuthPassword = None,
    priv: PrivProtocol = "AES-128",
    priv_password: PrivPassword = None,
    context: Context = "",
    timeout: SnmpTimeout = 6.0,
    as_json: JsonOption = False,
) -> None:
    """Show what each rule of a profile yields on a device.

    And why something was left out. Ends with 1 when the daemon would take another profile for it.
    """
    device, library = _one(file)
    compiled = compile_profile(device)
    try:
        if target.endswith(".snmprec") or Path(target).is_file():
            found = trial.on_recording(Path(target), compiled, library)
        else:
            access = access_of(
                version, community, user, auth, auth_password, priv, priv_password, context, port, timeout
            )  # fmt: skip
            found = asyncio.run(trial.on_device(numeric(target), access, compiled, library))
    except FileNotFoundError:
        fail(f"{target}: there is no such recording")
    except SnmpError as error:
        fail(str(error), status=1)
    except (ValueError, OSError) as error:
        fail(str(error))
    rules = list(compiled.rules)
    if as_json:
        print_json(_as_json(found, rules))
    else:
        _show(found, rules)
    chosen = found.chosen.profile.name if found.chosen else None
    if chosen != compiled.name:
        typer.echo(f"the daemon would take {chosen or 'no profile'} for this device: see match", err=True)
        raise typer.Exit(1)


def _as_json(found: Trial, rules: list[Rule]) -> dict[str, object]:
    return {
        "identity": asdict(found.identity),
        "chosen": found.chosen.profile.name if found.chosen else None,
        "vendor": found.chosen.vendor if found.chosen else None,
        "class": found.chosen.device_class if found.chosen else None,
        "facts": dict(found.facts),
        "rows": [
            {
                "rule": rules.index(one.rule), "oid": one.oid, "reason": one.reason or None,
                "sensor": asdict(one.sensor) if one.sensor else None,
            }
            for one in found.outcomes
        ],
        "idle": list(found.idle),
        "errors": list(found.errors),
    }  # fmt: skip


def _show(found: Trial, rules: list[Rule]) -> None:
    typer.echo(f"sysObjectID  {found.identity.sys_object_id or 'none'}")
    typer.echo(f"sysDescr     {clean(found.identity.sys_descr or 'none')}")
    if found.chosen is not None:
        typer.echo(f"vendor       {found.chosen.vendor or 'unknown'}\nclass        {found.chosen.device_class}")
    for name, fact in found.facts.items():
        typer.echo(f"{name:12} {clean(fact or '-')}")
    rows = []
    for one in found.outcomes:
        sensor = one.sensor
        unit = "" if sensor is None else sensor.text or sensor.unit if sensor.unit == "state" else sensor.unit
        rows.append(
            (
                rules.index(one.rule) + 1, one.rule.kind, sensor.name if sensor else "",
                measured(sensor.value if sensor else None), unit, coloured(sensor.status if sensor else "left out"),
                one.oid, one.reason,
            )
        )  # fmt: skip
    if rows:
        typer.echo("")
        print_table(("rule", "kind", "sensor", "value", "unit", "status", "object", "why"), rows, right=(0, 3))
    for number in found.idle:
        objects = ", ".join(oids.decode(source.root) for source in rules[number].values)
        typer.echo(f"rule {number + 1} ({rules[number].kind}): the device has nothing at {objects}")
    for error in found.errors:
        typer.echo(f"! {clean(error)}", err=True)


__all__ = ["profile"]
