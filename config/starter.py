"""The configuration one begins with: it watches this machine, and shows by commented examples what else there is."""

from __future__ import annotations

from pathlib import Path

from config.machine import Address, Machine

NAME = "haidang.yaml"

_HEAD = """\
# Haidang watches what is written here. Check a change with:  haidang config check {name}
# A running daemon takes it over on SIGHUP (systemctl reload haidang); a file with mistakes changes nothing.
# Every key with its default: docs/configuration.md
haidang: 1

timezone: Asia/Ho_Chi_Minh       # in which days and months are counted
language: vi                     # vi or en: of messages, for a person who has not chosen
data_dir: ./data                 # the ledger and the measurements; relative to this file

storage:
  kind: embedded                 # nothing else to install; or write to an InfluxDB or VictoriaMetrics:
#   kind: influxdb
#   influxdb: {{url: "http://127.0.0.1:8086", database: haidang, token: {{file: secrets/influx}}}}

# Each target is pinged 5 times in 10 s unless it says otherwise. It counts as down after 5 lost echoes in a row
# spread over at least 54 s: short enough to be told within a minute, long enough not to be woken by nothing.
# probing:
#   icmp: {{cadence: 10s, echoes: 5, timeout: 2s}}
# confirmation: {{failures: 5, span: 54s}}

targets:
"""

_TAIL = """
## What follows are examples: take away "# " in front of what you want.
## A device that is polled by SNMP as well, at a site, on a leased line, behind another device:
#   - id: router-bacgiang
#     name: {vi: Bộ định tuyến Bắc Giang, en: Bac Giang router}
#     address: 192.0.2.1
#     role: router
#     site: bacgiang
#     system: wan
#     circuit: vnpt-01
#     parents: [PARENT]           # while that one is down this one is "unreachable", and nobody is told twice
#     snmp: {credential: core}
#     notes: The key of the rack is with the guard.

## Many devices: a table with the columns id,name,address,site,system,role,parents,snmp; or further YAML files
# inventory: [cameras.csv]
# include: [targets/*.yaml]

## SNMP access. Secrets are never written here: only where they are.
# credentials:
#   - {id: core, version: 2c, community: {file: secrets/community}}
#   - id: core3
#     version: "3"
#     user: monitor
#     auth: {protocol: SHA-256, password: {file: secrets/auth}}
#     priv: {protocol: AES-128, password: {file: secrets/priv}}

## What has an availability target, in percent of each month; places; leased lines
# systems:
#   - {id: wan, name: {vi: Mạng WAN, en: WAN}, objective: 99.9}
# sites:
#   - {id: province, name: {vi: Trung tâm tỉnh, en: Province centre}, level: province}
#   - {id: bacgiang, name: Bắc Giang, level: district, parent: province}
# circuits:
#   - {id: vnpt-01, carrier: VNPT, contract: 01/2026, a: province, b: bacgiang, mbps: 100, system: wan}

## What devices tell by themselves: a trap or a log message of a target makes it be looked at, at once. Ports under 1024
## need a right, see docs/operations.md.
# receivers:
#   traps: {port: 162}
#   syslog: {port: 514}

## Who is told by mail when something fails and when it is back
# contacts:
#   - {id: oncall, name: Trực ban, email: oncall@example.org, language: vi}
# alerting:
#   to: [oncall]
#   mail:
#     from: Hải Đăng <haidang@example.org>
#     servers:
#       - {host: mail.example.org, port: 587, username: haidang, password: {file: secrets/mail}}
"""


class StarterRefused(Exception):
    """The starter configuration was not written; the text says why and what to do."""


def write_starter(directory: Path, machine: Machine | None = None) -> list[Path]:
    """Write a starter configuration that watches this machine, its gateways, its resolvers and loopback.

    Parameters:
        directory: where to; made when it is not there.
        machine: what it is connected to; by default this machine.

    Returns:
        the files written.

    Raises:
        StarterRefused: a configuration is there already, or the folder cannot be written.
    """
    path = directory / NAME
    text = _HEAD.format(name=path) + _targets(machine or Machine.this())
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        there = path if path.exists() or path.is_symlink() else directory
        raise StarterRefused(
            f"{there} is there already: nothing was changed; choose another folder, or move it"
        ) from error
    except OSError as error:
        raise StarterRefused(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from error
    return [path]


def _targets(machine: Machine) -> str:
    """Write the targets of a machine, and the examples behind them."""
    gateways, resolvers = machine.gateways(), machine.resolvers()
    ids = {gateway: _numbered("gateway", index) for index, gateway in enumerate(gateways)}
    lines = [
        "  - id: this-machine             # processor, memory, disks, interfaces",
        "    probes: [host]",
        "",
        _target("loopback", "127.0.0.1"),
    ]
    if machine.has_loopback6():
        lines.append(_target("loopback6", "::1"))
    lines += [_target(ids[gateway], str(gateway), dns=gateway in resolvers) for gateway in gateways]
    others = [resolver for resolver in resolvers if resolver not in gateways]
    for index, resolver in enumerate(others):
        lines.append(
            _target(_numbered("resolver", index), str(resolver), dns=True, parent=_parent(machine, resolver, ids))
        )
    parent = next(iter(ids.values()), "loopback")
    return "\n".join(lines) + "\n" + _TAIL.replace("PARENT", parent)


def _parent(machine: Machine, address: Address, ids: dict[Address, str]) -> str:
    gateway = machine.gateway_to(address)
    return ids.get(gateway, "") if gateway is not None and not address.is_loopback else ""


def _target(name: str, address: str, *, dns: bool = False, parent: str = "") -> str:
    lines = [f"  - id: {name}", f'    address: "{address}"']
    if parent:
        lines.append(f"    parents: [{parent}]")
    if dns:
        lines.append("    probes: [icmp, dns]")
    return "\n".join(lines) + "\n"


def _numbered(word: str, index: int) -> str:
    return word if index == 0 else f"{word}-{index + 1}"
