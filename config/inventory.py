"""What the daemon runs on: everything that is watched, with its effective settings. Nothing here changes after loading.

A reload makes a new inventory; `Inventory.diff` says what became different. Compare by equality: what is equal keeps
its state, its timers and its buffers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from config.schema.alerting import Alerting
from config.schema.objectives import Objective
from config.schema.oncall import Rota
from config.schema.receivers import Receivers
from config.schema.reports import Reports
from config.schema.services import SERVICES, HttpService, RtspService, Service
from config.schema.settings import Confirmation, Confirmations, HostSettings, IcmpSettings, Logging, Probing, Storage
from config.schema.things import (
    Circuit,
    Contact,
    Credential,
    ProbeKind,
    Risk,
    Site,
    System,
    TargetDns,
    TargetSnmp,
)
from config.schema.things import Target as WrittenTarget
from config.schema.values import Section, Text
from config.schema.web import Web
from config.secrets import Secret
from haidang.model import CheckId

AnySection = TypeVar("AnySection", bound=Section)


@dataclass(frozen=True, slots=True)
class Target:
    """A target with the settings in force for it.

    Parameters:
        id, name, role, notes, parents, needs, circuit, notify: as written.
        address: numeric or a host name; ``None`` only where ``host`` is the one probe.
        site: where it stands, ``None`` when nobody said.
        system: its own, else its circuit's.
        probes: what it is probed by, never empty.
        icmp, snmp, dns, host: effective settings of each of these probes, ``None`` where it is not used.
        credential: the access for ``snmp``.
        services: settings of the other probes, by kind.
        confirmation: its own, else its role's, else the general one.
    """

    id: str
    name: Text | None
    address: str | None
    site: str | None
    system: str | None
    role: str
    parents: tuple[str, ...]
    needs: tuple[str, ...]
    probes: tuple[ProbeKind, ...]
    icmp: IcmpSettings | None
    snmp: TargetSnmp | None
    credential: Credential | None
    dns: TargetDns | None
    host: HostSettings | None
    services: Mapping[ProbeKind, Service]
    circuit: str | None
    notify: tuple[str, ...]
    notes: str
    confirmation: Confirmation

    @property
    def primary(self) -> CheckId:
        """The check that says whether the target is there: its ping, else the first of its probes."""
        return CheckId(self.id, "icmp" if "icmp" in self.probes else self.probes[0])

    def label(self, language: str) -> str:
        """Return the name for a person who reads ``vi`` or ``en``."""
        return self.name.language(language) if self.name else self.id


@dataclass(frozen=True, slots=True)
class Difference:
    """What a reload changes: ids of targets, sorted."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that is watched, each kind by its id, in the order of the files."""

    targets: Mapping[str, Target]
    sites: Mapping[str, Site]
    systems: Mapping[str, System]
    circuits: Mapping[str, Circuit]
    contacts: Mapping[str, Contact]
    rotas: Mapping[str, Rota]
    objectives: Mapping[str, Objective]
    risks: Mapping[str, Risk]

    def diff(self, new: Inventory) -> Difference:
        """Compare with a newer inventory."""
        old_ids, new_ids = self.targets.keys(), new.targets.keys()
        changed = (name for name in old_ids & new_ids if self.targets[name] != new.targets[name])
        return Difference(tuple(sorted(new_ids - old_ids)), tuple(sorted(old_ids - new_ids)), tuple(sorted(changed)))


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole configuration, checked.

    Parameters:
        path: the main file.
        files: every file that was read, the main one first.
        profiles: files with device profiles of the operator's own.
        timezone: in which days and months are counted.
        language: ``vi`` or ``en``, for a person who has not chosen.
        data_dir: absolute.
        logging, storage, probing, confirmation, receivers, alerting, web, reports: the settings as they are in force.
        trap_credentials: those that ``receivers.traps`` names.
        inventory: what is watched.
    """

    path: Path
    files: tuple[Path, ...]
    profiles: tuple[Path, ...]
    timezone: ZoneInfo
    language: str
    data_dir: Path
    logging: Logging
    storage: Storage
    probing: Probing
    confirmation: Confirmations
    receivers: Receivers
    trap_credentials: tuple[Credential, ...]
    alerting: Alerting
    web: Web
    reports: Reports
    inventory: Inventory

    def secrets(self) -> Mapping[str, Secret]:
        """Return every secret in use, by what it is for; ``haidang doctor`` tries to read them."""
        found: dict[str, Secret | None] = {}
        if self.storage.kind == "influxdb":
            found["storage.influxdb.token"] = self.storage.influxdb.token
            found["storage.influxdb.password"] = self.storage.influxdb.password
        for server in self.alerting.mail.servers if self.alerting.mail else ():
            found[f"alerting.mail.servers {server.host}:{server.port} password"] = server.password
        for webhook in self.alerting.webhooks:
            found[f"alerting.webhooks {webhook.id} secret"] = webhook.secret
        for service in self.alerting.services:
            found[f"alerting.services {service.id} url"] = service.url
        if self.reports.sign is not None:
            found["reports.sign.password"] = self.reports.sign.password
        accesses = [target.credential for target in self.inventory.targets.values()]
        for access in (*accesses, *self.trap_credentials):
            if access is not None:
                found[f"credentials {access.id} community"] = access.community
                found[f"credentials {access.id} auth.password"] = access.auth.password if access.auth else None
                found[f"credentials {access.id} priv.password"] = access.priv.password if access.priv else None
        for target in self.inventory.targets.values():
            rtsp = target.services.get("rtsp")
            if isinstance(rtsp, RtspService):
                found[f"targets {target.id} rtsp.password"] = rtsp.password
            http = target.services.get("http")
            for name, secret in http.variables.items() if isinstance(http, HttpService) else ():
                found[f"targets {target.id} http.variables.{name}"] = secret
        return {name: secret for name, secret in found.items() if secret is not None}


@dataclass(frozen=True, slots=True)
class Things:
    """The list sections of all files together, checked against each other."""

    credentials: Mapping[str, Credential]
    systems: Mapping[str, System]
    sites: Mapping[str, Site]
    circuits: Mapping[str, Circuit]
    targets: Mapping[str, WrittenTarget]
    contacts: Mapping[str, Contact]
    rotas: Mapping[str, Rota]
    objectives: Mapping[str, Objective]
    risks: Mapping[str, Risk]


def resolve(things: Things, probing: Probing, confirmation: Confirmations) -> Inventory:
    """Give every target the settings in force for it. Targets that say nothing share one object of them."""
    plain_dns = TargetDns.model_construct(**dict(probing.dns), port=TargetDns.model_fields["port"].default)
    by_role: dict[str, Confirmation] = {}
    for role in {target.role for target in things.targets.values()}:
        own = confirmation.of_role(role)
        by_role[role] = effective(confirmation, own) if own else effective(confirmation, Confirmation())
    targets = {
        name: _target(target, things, probing, plain_dns, by_role[target.role])
        for name, target in things.targets.items()
    }
    return Inventory(
        targets, things.sites, things.systems, things.circuits, things.contacts, things.rotas, things.objectives,
        things.risks,
    )  # fmt: skip


def _target(
    target: WrittenTarget, things: Things, probing: Probing, plain_dns: TargetDns, confirmation: Confirmation
) -> Target:  # fmt: skip
    kinds = target.probe_kinds()
    circuit = things.circuits.get(target.circuit) if target.circuit else None
    snmp = effective(probing.snmp, target.snmp) if "snmp" in kinds and target.snmp else None
    return Target(
        id=target.id,
        name=target.name,
        address=target.address,
        site=target.site,
        system=target.system or (circuit.system if circuit else None),
        role=target.role,
        parents=target.parents,
        needs=target.needs,
        probes=kinds,
        icmp=(effective(probing.icmp, target.icmp) if target.icmp else probing.icmp) if "icmp" in kinds else None,
        snmp=snmp,
        credential=things.credentials.get(snmp.credential) if snmp else None,
        dns=(effective(probing.dns, target.dns) if target.dns else plain_dns) if "dns" in kinds else None,
        host=(target.host or probing.host) if "host" in kinds else None,
        services={kind: getattr(target, kind) or SERVICES[kind]() for kind in kinds if kind in SERVICES},
        circuit=target.circuit,
        notify=target.notify,
        notes=target.notes,
        confirmation=effective(confirmation, target.confirmation) if target.confirmation else confirmation,
    )


def effective(general: Section, own: AnySection) -> AnySection:
    """Fill what a target's own section leaves out from the general one."""
    missing = type(own).model_fields.keys() - own.model_fields_set
    return own.model_copy(update={name: value for name, value in general if name in missing})
