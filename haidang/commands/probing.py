"""Probes by hand: ``haidang probe KIND TARGET`` and ``haidang poll ADDRESS``."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from collectors.names import is_address
from collectors.plan import snmp_access
from collectors.profiles import library as profiles
from config import SecretUnavailable
from haidang.clock import SystemClock
from haidang.commands import lines, services
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
from haidang.commands.common import (
    ConfigOption,
    JsonOption,
    LanguageOption,
    clean,
    coloured,
    fail,
    measured,
    print_json,
    print_table,
    read_config,
)
from haidang.commands.observations import run, show
from haidang.model import Observation, Sample, Status
from probes import dns as dns_probe
from probes.backup import BackupSettings
from probes.backup import look as look_at_backup
from probes.host import HostReader
from probes.icmp import IcmpEngine, ping
from probes.icmp.statistics import wilson
from probes.snmp import poll_device, probe_snmp

probe = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Probe something once, now. Says what came back: UP, DOWN or UNKNOWN (the probe could not be made), why, "
    "and each phase's time.",
)
for name, command in (*services.COMMANDS.items(), *lines.COMMANDS.items()):
    probe.command(name)(command)


@probe.command("icmp")
def icmp(
    target: Annotated[str, typer.Argument(help="IPv4 or IPv6 address, or a host name.")],
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="Echoes to send.")] = 5,
    interval: Annotated[float, typer.Option("--interval", "-i", min=0, max=3600, help="Seconds between them.")] = 1.0,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.01, max=60, help="Seconds to wait after the last.")
    ] = 2.0,
    size: Annotated[int, typer.Option("--size", min=16, max=65_000, help="Payload in bytes.")] = 56,
    dscp: Annotated[int, typer.Option("--dscp", min=0, max=63, help="Differentiated services code point.")] = 0,
    language: LanguageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ping: loss, round-trip times, jitter."""
    address = numeric(target)

    async def work() -> Observation:
        engine = IcmpEngine()
        try:
            return await ping(
                engine,
                SystemClock(),
                address,
                count=count,
                interval_s=interval,
                timeout_s=timeout,
                size=size,
                dscp=dscp,
            )
        finally:
            engine.close()

    seen = replace(run(work()), target=target)
    sent, received = int(seen.fields.get("packets_sent", 0)), int(seen.fields.get("packets_received", 0))
    if not as_json and sent:
        low, high = wilson(sent - received, sent)
        lost = f"{float(seen.fields.get('loss_percent', 0)):.1f} % (95 %: {100 * low:.1f} to {100 * high:.1f})"
        seen = replace(seen, fields={**seen.fields, "loss_percent": lost})
    show(seen, language=language, as_json=as_json)


@probe.command("dns")
def dns(
    target: Annotated[str, typer.Argument(help="Address of the DNS server.")],
    name: Annotated[str, typer.Option(help="The name to ask for.")] = ".",
    record: Annotated[str, typer.Option("--type", help="The record type.")] = "SOA",
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 53,
    timeout: Annotated[float, typer.Option(min=0.01, max=60)] = 3.0,
    language: LanguageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a DNS server one question, directly."""
    seen = run(
        dns_probe.query(SystemClock(), target, numeric(target), name=name, record=record, port=port, timeout_s=timeout)
    )
    show(seen, language=language, as_json=as_json)


@probe.command("host")
def host(
    process: Annotated[list[str] | None, typer.Option(help="A program that must run; may be repeated.")] = None,
    unit: Annotated[list[str] | None, typer.Option(help="A unit of systemd that must be active; likewise.")] = None,
    language: LanguageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read this machine: processor, memory, disks, clock.

    Also load, swap, interfaces, temperatures, processes and units.
    """
    clock = SystemClock()
    reader = HostReader(clock, processes=process or (), units=unit or ())
    reader.read()
    asyncio.run(asyncio.sleep(0.5))  # processor use is a difference between two readings
    began = clock.monotonic_ns()
    readings = reader.read()
    fields = {
        ".".join([reading.measurement, *(value for _, value in reading.tags), name]): value
        for reading in readings
        for name, value in reading.fields.items()
    }
    now = clock.utc_ns()
    seen = Observation(
        socket.gethostname(), "host", now, Status.UP, "; ".join(reader.troubles), fields,
        (clock.monotonic_ns() - began) / 1e6, (Sample(now, ok=True),),
    )  # fmt: skip
    show(seen, language=language, as_json=as_json)


@probe.command("backup")
def backup(
    pattern: Annotated[str, typer.Argument(metavar="PATTERN", help="Files, in quotes: '/backup/portal/*.dump'.")],
    settle: Annotated[float, typer.Option(min=0, help="A file that changed later is being written, seconds.")] = 60.0,
    language: LanguageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for the newest file of a backup: its age and size."""
    settings = BackupSettings(str(Path(pattern).absolute()), settle)
    show(look_at_backup(SystemClock(), pattern, settings), language=language, as_json=as_json)


@probe.command("snmp")
def snmp(
    target: Annotated[str, typer.Argument(help="Address of the agent.")],
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
    language: LanguageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask an SNMP agent for its uptime."""
    access = access_of(
        version, community, user, auth, auth_password, priv, priv_password, context, port, timeout
    )  # fmt: skip
    show(
        replace(run(probe_snmp(SystemClock(), numeric(target), access)), target=target),
        language=language,
        as_json=as_json,
    )


def poll(
    target: Annotated[str, typer.Argument(help="Address of an agent, or the id of a configured device.")],
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
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Poll a device by SNMP: identity, interfaces, sensors."""
    named = not is_address(target) and (config is not None or "." not in target)
    configuration = read_config(config) if named or config is not None else None
    device = configuration.inventory.targets.get(target) if configuration is not None and named else None
    if device is not None and version is None and community is None and user is None:
        try:
            access = snmp_access(device)
        except (SecretUnavailable, ValueError) as error:
            fail(str(error))
        address = numeric(device.address or "")
    else:
        access = access_of(
            version, community, user, auth, auth_password, priv, priv_password, context, port, timeout
        )  # fmt: skip
        address = numeric(device.address or "" if device else target)
    own = () if configuration is None else configuration.profiles
    result = run(poll_device(address, access, library=profiles(own)))
    if as_json:
        print_json(result)
    else:
        _show_poll(result)
    answered = result["identity"]["sys_object_id"] is not None or result["interfaces"] or result["sensors"]
    raise typer.Exit(0 if answered else 1)


def _show_poll(result: dict[str, Any]) -> None:
    for name, value in result["identity"].items():
        if value is not None:
            typer.echo(f"{name:15} {clean(str(value))}")
    if result["interfaces"]:
        typer.echo("")
        print_table(
            ("index", "interface", "alias", "state", "Mbit/s", "in octets", "out octets"),
            (
                (
                    row["index"], row["name"], row["alias"] or "", coloured(row["oper_status"] or "unknown"),
                    f"{row['speed_bps'] / 1e6:g}" if row["speed_bps"] else "", _count(row["in_octets"]),
                    _count(row["out_octets"]),
                )
                for row in result["interfaces"]
            ),
            right=(0, 4, 5, 6),
        )  # fmt: skip
    if result["sensors"]:
        typer.echo("")
        print_table(
            ("kind", "sensor", "value", "unit", "status"),
            (
                (
                    row["kind"],
                    row["name"],
                    measured(row["value"]),
                    row["text"] or row["unit"] if row["unit"] == "state" else row["unit"],
                    coloured(row["status"]),
                )
                for row in result["sensors"]
            ),
            right=(2,),
        )
    if result["neighbours"]:
        typer.echo("")
        print_table(
            ("interface", "neighbour", "port", "what it is", "by"),
            [
                (row["interface"], row["name"], row["port"] or "", row["descr"] or "", row["protocol"])
                for row in result["neighbours"]
            ],
        )
    for error in result["errors"]:
        typer.echo(f"! {clean(error)}", err=True)


def _count(value: int | None) -> str:
    return "" if value is None else str(value)
