"""What the daemon runs on: everything that is watched, with its effective settings. Nothing here changes after loading.

A reload makes a new inventory. Compare by equality: what is equal keeps its state, its timers and its buffers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from config.role_files import kinds, roles
from config.schema.objectives import Objective
from config.schema.oncall import Rota
from config.schema.probed import Probed, ProbeKind, RoleRule, TargetDns, TargetSnmp
from config.schema.services import SERVICES, Service
from config.schema.settings import (
    BackupSettings,
    Confirmation,
    Confirmations,
    HostSettings,
    IcmpSettings,
    Probing,
    QualitySettings,
)
from config.schema.things import (
    Circuit,
    Contact,
    Credential,
    Risk,
    Site,
    System,
)
from config.schema.things import Target as WrittenTarget
from config.schema.values import Section, Text
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
        alive: the probe that says whether it is there, ``None`` for its ping or the first.
        rules: over its measurements, by name; those that are gone by.
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
    quality: QualitySettings | None = None
    backup: BackupSettings | None = None
    alive: ProbeKind | None = None
    rules: Mapping[str, RoleRule] = field(default_factory=dict)

    @property
    def primary(self) -> CheckId:
        """The check that says whether the target is there: its role's, its ping, else the first probe."""
        if self.alive in self.probes:
            return CheckId(self.id, str(self.alive))
        return CheckId(self.id, "icmp" if "icmp" in self.probes else self.probes[0])

    def label(self, language: str) -> str:
        """Return the name for a person who reads ``vi`` or ``en``."""
        return self.name.language(language) if self.name else self.id


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


ALL = "all"
"""Where roles are named: targets of any role."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One place that says how a target is probed.

    Parameters:
        level: ``role``, ``confirmation``, ``general``, ``system``, ``site`` or ``target``.
        name: of the role, the system, the site, the target.
        key: the role it is said for there: the target's, or ``all``; empty for the target itself.
        said: what.
    """

    level: str
    name: str
    key: str
    said: Probed


def layers(
    target: WrittenTarget, things: Things, confirmation: Confirmations, general: Mapping[str, Probed]
) -> tuple[Layer, ...]:
    """Return every place that says how a target is probed, the nearest to it last."""
    found: list[Layer] = []
    role = target.role
    if role in roles():
        found.append(Layer("role", role, role, roles()[role].settings))
    if own := confirmation.of_role(role):
        found.append(Layer("confirmation", role, role, Probed.model_construct({"confirmation"}, confirmation=own)))
    circuit = things.circuits.get(target.circuit or "")
    system = things.systems.get(target.system or (circuit.system if circuit else None) or "")
    places: list[tuple[str, str, Mapping[str, Probed]]] = [("general", "", general)]
    if system:
        places.append(("system", system.id, system.roles))
    places += [("site", site.id, site.roles) for site in _sites(things, target.site)]
    found += [
        Layer(level, name, key, said[key]) for level, name, said in places for key in (ALL, role) if key in said
    ]  # fmt: skip
    return (*found, Layer("target", target.id, "", target))


def _sites(things: Things, name: str | None) -> list[Site]:
    """Return a site and those above it, the highest first."""
    found: list[Site] = []
    while (site := things.sites.get(name or "")) is not None and site not in found:
        found.insert(0, site)
        name = site.parent
    return found


def merged(general: Probed, own: Probed) -> Probed:
    """Lay what is said nearer to the target over what is said further away, key by key."""
    changes: dict[str, object] = {}
    for name in Probed.model_fields.keys() & own.model_fields_set:
        before, now = getattr(general, name), getattr(own, name)
        if name == "rules":
            changes[name] = {**before, **{key: _over(before.get(key), rule) for key, rule in now.items()}}
        else:
            changes[name] = _over(before, now) if isinstance(now, Section) and name != "host" else now
    return general.model_copy(update=changes)


def _over(general: AnySection | None, own: AnySection) -> AnySection:
    if general is None:
        return own
    missing = general.model_fields_set - own.model_fields_set
    return own.model_copy(update={name: getattr(general, name) for name in missing})


def resolve(things: Things, probing: Probing, confirmation: Confirmations, general: Mapping[str, Probed]) -> Inventory:
    """Give every target the settings in force for it. Targets that say nothing share one object of them."""
    plain_dns = TargetDns.model_construct(**dict(probing.dns), port=TargetDns.model_fields["port"].default)
    plain = effective(confirmation, Confirmation())
    known: dict[tuple[int, ...], Probed] = {}
    targets = {}
    for name, target in things.targets.items():
        *above, own = layers(target, things, confirmation, general)
        key = tuple(id(layer.said) for layer in above)
        if key not in known:
            base = Probed()
            for layer in above:
                base = merged(base, layer.said)
            if base.confirmation:
                base = base.model_copy(update={"confirmation": effective(confirmation, base.confirmation)})
            known[key] = base
        said = _instead(merged(known[key], own.said), target.role, (*above, own))
        targets[name] = _target(target, said, things, probing, plain_dns, plain)
    systems = {name: _system(system) for name, system in things.systems.items()}
    return Inventory(
        targets, things.sites, systems, things.circuits, things.contacts, things.rotas, things.objectives,
        things.risks,
    )  # fmt: skip


def _instead(said: Probed, role: str, heard: Iterable[Layer]) -> Probed:
    """Leave out what the role has only as long as nobody says what takes its place: SIP of a room with H.323."""
    known = roles().get(role)
    for new, old in known.instead.items() if known else ():
        others = [layer for layer in heard if layer.level != "role"]
        if (
            getattr(said, new) is not None
            and new not in said.without
            and not any(old in layer.said.model_fields_set for layer in others)
        ):
            said = said.model_copy(update={old: None})
    return said


def _system(system: System) -> System:
    """Give a system what its kind has where it says nothing."""
    kind = kinds().get(system.kind or system.id)
    if kind is None:
        return system
    changes: dict[str, object] = {"kind": kind.collector}
    if "objective" not in system.model_fields_set:
        changes["objective"] = kind.objective
    if "formula" not in system.model_fields_set:
        changes |= {"formula": kind.formula, "weight": kind.weight}
    return system.model_copy(update=changes)


def _target(
    target: WrittenTarget, said: Probed, things: Things, probing: Probing, plain_dns: TargetDns, plain: Confirmation
) -> Target:  # fmt: skip
    probes = said.probe_kinds()
    circuit = things.circuits.get(target.circuit) if target.circuit else None
    snmp = effective(probing.snmp, said.snmp) if "snmp" in probes and said.snmp else None
    return Target(
        id=target.id,
        name=target.name,
        address=target.address,
        site=target.site,
        system=target.system or (circuit.system if circuit else None),
        role=target.role,
        parents=target.parents,
        needs=target.needs,
        probes=probes,
        icmp=(effective(probing.icmp, said.icmp) if said.icmp else probing.icmp) if "icmp" in probes else None,
        snmp=snmp,
        credential=things.credentials.get(snmp.credential or "") if snmp else None,
        dns=(effective(probing.dns, said.dns) if said.dns else plain_dns) if "dns" in probes else None,
        host=(said.host or probing.host) if "host" in probes else None,
        services={kind: getattr(said, kind) or SERVICES[kind]() for kind in probes if kind in SERVICES},
        circuit=target.circuit,
        notify=target.notify,
        notes=target.notes,
        confirmation=effective(plain, said.confirmation) if said.confirmation else plain,
        quality=(said.quality or QualitySettings()) if "quality" in probes else None,
        backup=said.backup if "backup" in probes else None,
        alive=said.alive,
        rules={
            name: rule for name, rule in said.rules.items()
            if rule.enabled and not (rule.above is None and rule.below is None and rule.absent_s is None)
        },
    )  # fmt: skip


def effective(general: Section, own: AnySection) -> AnySection:
    """Fill what a target's own section leaves out from the general one."""
    missing = type(own).model_fields.keys() - own.model_fields_set
    return own.model_copy(update={name: value for name, value in general if name in missing})
