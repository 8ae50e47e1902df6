"""Which checks a target gets: from what the operator wrote to what is probed, how often, and behind what it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname

from collectors.quality import QualityPlan
from collectors.services import ServiceSettings
from collectors.snmp import FASTEST_S, SnmpSettings
from collectors.watches import DnsSettings, HostSettings, PingSettings, Unusable
from config import Configuration, SecretUnavailable, Target
from config.schema.probed import ProbeKind
from config.schema.services import RtspService, Service
from config.schema.settings import Confirmation
from config.schema.things import Credential, Site
from haidang.model import CheckId
from probes.kinds import PROBES
from probes.quality import QualitySettings
from probes.snmp import Access, User

RISK_KINDS = frozenset({"carrier", "power", "ring", "building", "group"})
"""What stands in a shared-risk group's id where a check has its probe."""

Settings = PingSettings | QualityPlan | SnmpSettings | DnsSettings | HostSettings | ServiceSettings | Unusable


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """One check as it shall be. Equal plans mean that nothing has to change.

    Parameters:
        check: its id.
        address: numeric or a name; empty for this machine.
        cadence_s: seconds between slots.
        fast_s: the same while it is suspect.
        settings: how it is probed.
        tags: of its metrics.
        parents: the checks it is hidden behind when all of them fail.
        needs: the checks it is hidden behind when any of them fails.
        confirmation: when a failure counts, and what is worse than well.
    """

    check: CheckId
    address: str
    cadence_s: float
    fast_s: float
    settings: Settings
    tags: tuple[tuple[str, str], ...]
    parents: tuple[CheckId, ...]
    needs: tuple[CheckId, ...]
    confirmation: Confirmation


def plan(configuration: Configuration) -> list[CheckPlan]:
    """Plan every check of a configuration."""
    targets = configuration.inventory.targets.values()
    return [check for target in targets for check in _checks(configuration, target)]


def shared_risks(configuration: Configuration) -> dict[CheckId, tuple[CheckId, ...]]:
    """Return what targets share beside their parents: each carrier of their circuits, and what ``risks`` names.

    Returns:
        members by group; a group's id is its name (or id) and its kind: ``VNPT/carrier``, ``feeder-12/power``.
    """
    inventory = configuration.inventory
    groups: dict[CheckId, dict[CheckId, None]] = {}
    for target in inventory.targets.values():
        circuit = inventory.circuits.get(target.circuit or "")
        if circuit and circuit.carrier:
            groups.setdefault(CheckId(circuit.carrier, "carrier"), {})[target.primary] = None
    for risk in inventory.risks.values():
        members = groups.setdefault(CheckId(risk.id, risk.kind), {})
        for target in inventory.targets.values():
            if target.id in risk.targets or target.site in risk.sites or target.circuit in risk.circuits:
                members[target.primary] = None
    return {group: tuple(members) for group, members in groups.items()}


def snmp_access(target: Target) -> Access:
    """Make the access to a target's agent, its secrets read now.

    Raises:
        SecretUnavailable: a secret cannot be read.
        ValueError: the access is none that can be used; says why.
    """
    credential, settings = target.credential, target.snmp
    if credential is None or settings is None:
        raise ValueError(f"{target.id} has no SNMP access: give it snmp: {{credential: …}}")
    tries = settings.retries + 1
    timeout_s = settings.timeout_s * tries
    if credential.version == "3":
        return Access(user=snmp_user(credential), port=settings.port, timeout_s=timeout_s, tries=tries)
    community = credential.community.read() if credential.community else ""
    return Access(community, version=credential.version, port=settings.port, timeout_s=timeout_s, tries=tries)


def snmp_user(credential: Credential) -> User:
    """Make the user of a credential of version 3, its secrets read now.

    Raises:
        SecretUnavailable: a secret cannot be read.
        ValueError: a password is too short.
    """
    return User(
        credential.user or "",
        credential.auth.protocol if credential.auth else None,
        credential.auth.password.read() if credential.auth else "",
        credential.priv.protocol.replace("-cisco", "-C") if credential.priv else None,
        credential.priv.password.read() if credential.priv else "",
        credential.context,
        bytes.fromhex(credential.context_engine_id or ""),
    )


def service_settings(probe: str, service: Service, folder: Path) -> ServiceSettings:
    """Translate a section into the settings of its probe: the names are the same, what is not given is left out.

    Parameters:
        probe: its kind.
        service: the section.
        folder: of the main file, which files are relative to.

    Raises:
        SecretUnavailable: a secret cannot be read.
    """
    given = {name.rstrip("_"): value for name, value in service if value is not None and name != "cadence_s"}
    for name in ("trust", "certificate", "key"):
        if name in given:
            given[name] = str(folder / str(given[name]))
    if isinstance(service, RtspService) and service.password is not None:
        given["password"] = service.password.read()
    return ServiceSettings(probe, PROBES[probe].settings(**given))


def area(sites: Mapping[str, Site], site: str | None) -> str | None:
    """Return the site just below the topmost one above a site: its district, however many levels there are.

    A topmost site is its own area; ``None`` for no site.
    """
    below = None
    while site is not None and (parent := sites[site].parent) is not None:
        below, site = site, parent
    return below or site


def _checks(configuration: Configuration, target: Target) -> Iterator[CheckPlan]:
    fast_s = target.confirmation.fast_cadence_s
    targets = configuration.inventory.targets
    first = target.primary
    tags = {"target": target.id, "role": target.role, "site": target.site, "system": target.system}
    circuit = configuration.inventory.circuits.get(target.circuit or "")
    tags |= {
        "circuit": target.circuit, "carrier": circuit.carrier if circuit else None,
        "area": area(configuration.inventory.sites, target.site), "host": gethostname(),
    }  # fmt: skip
    for probe in target.probes:
        check = CheckId(target.id, probe)
        needs: tuple[CheckId, ...] = ()
        settings, cadence_s, slowest_s = _settings(configuration, target, probe)
        if probe == "host":
            parents: tuple[CheckId, ...] = ()
        elif check == first:
            parents = tuple(targets[parent].primary for parent in target.parents)
            needs = tuple(targets[need].primary for need in target.needs)
        else:
            parents = (first,)
        yield CheckPlan(
            check, target.address or "", cadence_s, _fast(settings, max(fast_s, slowest_s)), settings,
            tuple((key, value) for key, value in tags.items() if value), parents, needs, target.confirmation,
        )  # fmt: skip


def _fast(settings: Settings, fast_s: float) -> float:
    """Return the cadence of a suspect: never sparser than the echoes of a usual burst, or hurrying would slow it."""
    return min(fast_s, settings.cadence_s / settings.echoes) if isinstance(settings, PingSettings) else fast_s


def _settings(configuration: Configuration, target: Target, probe: ProbeKind) -> tuple[Settings, float, float]:
    """Return how a target is probed, its cadence, and the fastest sensible one while it is suspect."""
    if probe == "icmp" and (icmp := target.icmp):
        ping = PingSettings(icmp.cadence_s, icmp.echoes, icmp.timeout_s, icmp.size, icmp.dscp)
        return ping, icmp.cadence_s, 0
    if probe == "dns" and (dns := target.dns):
        asked = DnsSettings(dns.cadence_s, dns.timeout_s, dns.name, dns.type, dns.port)
        return asked, dns.cadence_s, dns.timeout_s
    if probe == "snmp" and (snmp := target.snmp):
        try:
            access = snmp_access(target)
        except (SecretUnavailable, ValueError) as error:
            return Unusable("snmp", str(error)), snmp.cadence_s, snmp.cadence_s
        return SnmpSettings(access, snmp.cadence_s, snmp.budget_s), snmp.cadence_s, max(FASTEST_S, access.timeout_s)
    if probe == "quality" and (said := target.quality):
        burst = QualitySettings(
            count=said.count, interval_s=said.interval_s, size=said.size, timeout_s=said.timeout_s, codec=said.codec,
            jitter_buffer_ms=said.jitter_buffer_s * 1000,
        )  # fmt: skip
        return QualityPlan(said.cadence_s, said.marks, burst, said.min_mos), said.cadence_s, min(said.cadence_s, 60.0)
    if (service := target.services.get(probe)) is not None:
        try:
            asked_service = service_settings(probe, service, configuration.path.parent)
        except SecretUnavailable as error:
            return Unusable(probe, str(error)), service.cadence_s, service.cadence_s
        return asked_service, service.cadence_s, service.timeout_s
    cadence_s = target.host.cadence_s if target.host else 60.0
    return HostSettings(cadence_s), cadence_s, cadence_s
