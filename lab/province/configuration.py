"""Writes the haidang configuration that goes with a province: what is there, how it hangs together, how it is asked."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lab.network.network import PREFIXES
from lab.province.centre import CENTRE
from lab.province.names import read_names
from lab.province.nouns import Credentials, Province, Unit

MAIN = "haidang.yaml"
_MAIL_UNIT = "mail"
_ROLES = {
    "circuit-end": "circuit", "core-switch": "switch", "server-switch": "switch", "router": "commune-router",
}  # fmt: skip
"""What the daemon calls a role that the lab knows by another name."""
_SERVICES = {
    "mail": "mail-server", "dns": "name-server", "portal": "portal", "lgsp": "lgsp", "time": "time-server",
    "documents": "edoc", "one-stop": "website", "website": "website", "warehouse": "warehouse", "operations": "ioc",
    "recorder": "nvr", "conference": "sip-exchange",
}  # fmt: skip
"""The roles of the data centre's services, by the first word of their id."""
_COLUMNS = (
    "id", "name.vi", "name.en", "address", "site", "system", "role", "parents", "circuit", "snmp", "probes",
    "http.url", "http.trust",
)  # fmt: skip


def write_configuration(
    province: Province, folder: Path, *, ipv6: bool = True, services: bool = True, mail: tuple[str, int] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Path:  # fmt: skip
    """Write the configuration; the same province gives the same bytes.

    Parameters:
        folder: where to; made if it is not there, files of the same names are replaced.
        ipv6: whether units that have an IPv6 address of their own are watched by it; False for a kernel without.
        services: whether services are asked, not only pinged; False where no real sockets are behind them.
        mail: address and port of the server alerts go to; the province's own mail service if not given.
        settings: further top-level sections, e.g. ``{"confirmation": {"failures": 3}}``; they replace what is written.

    Returns:
        the main file.

    Raises:
        OSError: it cannot be written.
    """
    names = read_names()
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    credentials = province.credentials
    for name, secret in _secrets(credentials):
        _write_secret(secrets / name, secret)
    host, port = mail or (province.units[_MAIL_UNIT].addresses[0], 25)
    main = {
        "haidang": 1,
        "data_dir": "./data",
        "logging": {"format": "json"},
        "include": ["sites.yaml", "circuits.yaml", "risks.yaml"],
        "inventory": ["targets.csv"],
        "probing": {"allow": list(PREFIXES)},
        "credentials": [
            {"id": "v2c", "version": "2c", "community": {"file": "secrets/community"}},
            {
                "id": "v3", "version": "3", "user": credentials.user,
                "auth": {"protocol": "SHA-256", "password": {"file": "secrets/auth"}},
                "priv": {"protocol": "AES-128", "password": {"file": "secrets/priv"}},
            },
        ],
        "systems": [
            {"id": row["id"], "name": {"vi": row["vi"], "en": row["en"]}, "objective": row["objective"]}
            for row in names.systems
        ],
        "contacts": [
            {
                "id": row["id"], "name": {"vi": row["vi"], "en": row["en"]}, "email": row["email"],
                "language": row["language"],
            }
            for row in names.contacts
        ],
        "alerting": {
            "to": [row["id"] for row in names.contacts],
            "mail": {"from": names.sender, "servers": [{"host": host, "port": port, "security": "none"}]},
            "rules": names.rules,
        },
        **(settings or {}),
    }  # fmt: skip
    _write_yaml(folder / "sites.yaml", {"sites": list(_sites(province))})
    _write_yaml(folder / "circuits.yaml", {"circuits": list(_circuits(province))})
    _write_yaml(folder / "risks.yaml", {"risks": list(_risks(province, names.feeder))})
    _write_table(folder / "targets.csv", (_target(unit, ipv6, services) for unit in province.units.values()))
    _write_yaml(folder / MAIN, main)
    return folder / MAIN


def _sites(province: Province) -> Iterator[dict[str, Any]]:
    for site in province.sites.values():
        parent = {"parent": site.parent} if site.parent else {}
        yield {
            "id": site.id, "name": site.name, "level": site.level, **parent, "latitude": site.latitude,
            "longitude": site.longitude,
        }  # fmt: skip


def _circuits(province: Province) -> Iterator[dict[str, Any]]:
    for link in province.links.values():
        if link.carrier:
            yield {
                "id": link.id, "carrier": link.carrier, "contract": link.contract,
                "a": province.units[link.upper].site, "b": province.units[link.lower].site, "mbps": link.mbit,
                "system": link.system,
            }  # fmt: skip


def _risks(province: Province, called: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Describe the power feeders that several sites share; a site's router stands for it."""
    routers = {unit.site: unit.id for unit in province.units.values() if unit.forwards and unit.is_device}
    for feeder, sites in province.feeders.items():
        if len(sites) > 1:
            office, _, number = feeder.rpartition("-feeder-")
            gaps = {"site": province.sites[office].name, "number": number}
            yield {
                "id": feeder, "kind": "power", "targets": [routers[site] for site in sites],
                "name": {language: text.format(**gaps) for language, text in called.items()},
            }  # fmt: skip


def _target(unit: Unit, ipv6: bool, services: bool) -> tuple[str, ...]:
    address = next(one for one in unit.addresses if ipv6 or ":" not in one)
    if unit.role == "service":
        first = unit.id.rstrip("0123456789").removesuffix("-") if unit.id not in _SERVICES else unit.id
        role = _SERVICES.get(first, "service")
    elif unit.role == "ups":
        role = "ups" if unit.site == CENTRE else "site-ups"
    elif unit.role == "switch" and unit.system == "cameras":
        role = "monitoring-switch"
    else:
        role = _ROLES.get(unit.role, unit.role)
    # Where no real sockets are behind them nothing but pings and polls is made.
    probes = "" if services else "icmp snmp" if unit.access else "icmp"
    page = next((f"{kind}://{_host(address)}/" for kind in ("https", "http") if kind in unit.services), "")
    return (
        unit.id, unit.vi, unit.en, address, unit.site, unit.system, role, " ".join(unit.parents), unit.circuit,
        unit.access, probes, page if services else "", "authority.pem" if services and page.startswith("https") else "",
    )  # fmt: skip


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _secrets(credentials: Credentials) -> Iterator[tuple[str, str]]:
    yield "community", credentials.community
    yield "auth", credentials.auth_password
    yield "priv", credentials.priv_password


def _write_secret(path: Path, secret: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)  # one that was there before keeps its mode otherwise
        file.write(secret + "\n")


def _write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    yaml = YAML(typ="safe")
    yaml.allow_unicode = True
    yaml.width = 120
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # its annotation says None only
    text = io.StringIO()
    yaml.dump(content, text)
    path.write_text(text.getvalue(), encoding="utf-8")


def _write_table(path: Path, rows: Iterable[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        table.writerows(rows)
