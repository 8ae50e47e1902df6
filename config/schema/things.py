"""What is watched and for whom: the list sections, which may stand in any file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.schema.channels import ContactWay
from config.schema.named import Named
from config.schema.network import Address, EngineId, Mailbox
from config.schema.objectives import Objective
from config.schema.oncall import Rota
from config.schema.probed import Probed, TargetDns, TargetSnmp
from config.schema.services import SERVICES
from config.schema.settings import Confirmation, HostSettings, IcmpSettings
from config.schema.values import Refusal, Section, Slug, line, note, number, whole
from config.secrets import Secret


class Auth(Section):
    """SNMPv3 authentication."""

    protocol: Literal["MD5", "SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512"] = Field(
        "SHA-256", description="as the device has it"
    )
    password: Secret = Field(description="at least 8 characters (RFC 3414 §11.2)")


class Priv(Section):
    """SNMPv3 encryption."""

    protocol: Literal["AES-128", "AES-192", "AES-256", "AES-192-cisco", "AES-256-cisco", "DES", "3DES"] = Field(
        "AES-128", description="as the device has it; DES and 3DES only where it has nothing else"
    )
    password: Secret = Field(description="at least 8 characters (RFC 3414 §11.2)")


class Credential(Section):
    """Access to SNMP agents, by name."""

    id: Slug = Field(description="how targets refer to it")
    version: Literal["1", "2c", "3"] = Field("2c", description="of SNMP")
    community: Secret | None = Field(None, description="versions 1 and 2c")
    user: Annotated[str, line(32)] | None = Field(None, description="version 3")
    auth: Auth | None = Field(None, description="version 3: authentication")
    priv: Priv | None = Field(None, description="version 3: encryption, needs auth")
    context: Annotated[str, note(255)] = Field("", description="version 3: context name")
    context_engine_id: EngineId | None = Field(
        None, description="version 3: whose context, as hexadecimal digits; default: the agent's own"
    )

    @model_validator(mode="after")
    def _fits_its_version(self) -> Credential:
        if self.version == "3":
            if self.user is None:
                raise Refusal("version 3 needs a user")
            if self.community is not None:
                raise Refusal("version 3 has no community: give a user", key="community")
            if self.priv is not None and self.auth is None:
                raise Refusal("encryption needs authentication: give auth as well", key="priv")
            return self
        if self.community is None:
            raise Refusal(f"version {self.version} needs a community")
        for key in ("user", "auth", "priv", "context", "context_engine_id"):
            if getattr(self, key):
                raise Refusal(f'only version "3" has this, the version here is "{self.version}"', key=key)
        return self


SystemKind = Literal["wan", "datanet", "videoconf", "datacentre", "cameras", "platforms"]


class System(Named):
    """What has an availability target: the WAN, the data network, video conferencing."""

    kind: SystemKind | None = Field(
        None, description="what it is, for its defaults (docs/systems.md); default: its id where that is one of these"
    )
    objective: Annotated[float, number(1, 100)] | None = Field(None, description="percent of each month")
    formula: Literal["all", "any", "k-of-n", "weighted", "worst-site"] = Field(
        "all", description="when it is up, by its targets; printed with every figure; default: its kind's"
    )
    k: Annotated[int, whole(1, 100_000)] | None = Field(None, description="formula k-of-n: so many must be up")
    weight: Literal["people", "sites", "capacity", "targets"] | None = Field(
        None,
        description="formula weighted: by the sites' people, by sites, by the circuits' mbps, or targets alike",
    )
    roles: dict[Slug, Probed] = Field(
        default_factory=dict, description="by role of its targets (all: of any): what differs for them in this system"
    )

    @model_validator(mode="after")
    def _whole_formula(self) -> System:
        for formula, key in (("k-of-n", "k"), ("weighted", "weight")):
            if self.formula == formula and getattr(self, key) is None:
                raise Refusal(f"the formula {formula} needs {key}", key="formula")
            if self.formula != formula and getattr(self, key) is not None:
                raise Refusal(f"only the formula {formula} has this, the formula here is {self.formula}", key=key)
        return self


class Site(Named):
    """A place."""

    level: Slug = Field("site", description="province, district, commune or any other word")
    parent: Slug | None = Field(None, description="the site above")
    latitude: Annotated[float, number(-90, 90)] | None = Field(None, description="degrees, north positive")
    longitude: Annotated[float, number(-180, 180)] | None = Field(None, description="degrees, east positive")
    address: Annotated[str, line(500)] | None = Field(None, description="postal address")
    people: Annotated[int, whole(0, 100_000_000)] | None = Field(None, description="served there, for weighted systems")
    roles: dict[Slug, Probed] = Field(
        default_factory=dict, description="by role of the targets here and at the sites below (all: of any): what "
        "differs for them",
    )  # fmt: skip


class Circuit(Named):
    """A leased line between two sites."""

    carrier: Annotated[str, line()] | None = Field(None, description="who leases it out")
    contract: Annotated[str, line()] | None = Field(None, description="number of the contract")
    a: Slug | None = Field(None, description="site at one end")
    b: Slug | None = Field(None, description="site at the other end")
    mbps: Annotated[float, number(0.001, 10_000_000)] | None = Field(None, description="contracted Mbit/s")
    system: Slug | None = Field(None, description="the system it serves")


class Target(Probed, Named):
    """A device, an endpoint, a host: what is probed."""

    address: Address | None = Field(None, description="IPv4, IPv6 or host name; only the host probe needs none")
    site: Slug | None = Field(None, description="where it stands")
    system: Slug | None = Field(None, description="the system it belongs to; default: its circuit's")
    role: Slug = Field("device", description="what it is: router, switch, camera …")
    parents: tuple[Slug, ...] = Field((), description="targets it is reached through; several: any of them suffices")
    needs: tuple[Slug, ...] = Field(
        (), description="targets without each of which it cannot be reached, beside parents"
    )
    circuit: Slug | None = Field(None, description="the line whose end this is")
    notify: tuple[Slug, ...] = Field((), description="contacts told beside alerting.to")
    notes: Annotated[str, note()] = Field("", description="shown to whoever is on call")


class Contact(Named):
    """A person, or a group with one mailbox."""

    email: Mailbox | None = Field(None, description="where mail goes")
    language: Literal["vi", "en"] | None = Field(None, description="of messages; default: the configuration's language")
    ways: tuple[ContactWay, ...] = Field((), description="how to reach them, the best first; default: by mail")


class Risk(Named):
    """A shared-risk group: several failures in it at once are one incident that names it."""

    kind: Literal["carrier", "power", "ring", "building", "group"] = Field("group", description="what it is")
    targets: tuple[Slug, ...] = Field((), description="targets that share it, and")
    sites: tuple[Slug, ...] = Field((), description="all targets at these sites, and")
    circuits: tuple[Slug, ...] = Field((), description="all targets at the ends of these circuits")


LISTS: dict[str, type[Section]] = {
    "credentials": Credential,
    "systems": System,
    "sites": Site,
    "circuits": Circuit,
    "targets": Target,
    "contacts": Contact,
    "rotas": Rota,
    "objectives": Objective,
    "risks": Risk,
}
"""The list sections and what each holds."""


def table_columns() -> frozenset[str]:
    """Return the columns a CSV file of targets may have."""
    names = set(Target.model_fields)
    sections: tuple[tuple[str, type[Section]], ...] = (
        ("icmp", IcmpSettings),
        ("snmp", TargetSnmp),
        ("dns", TargetDns),
        ("host", HostSettings),
        ("confirmation", Confirmation),
        *SERVICES.items(),
    )
    for section, model in sections:
        names |= {f"{section}.{field.alias or name}" for name, field in model.model_fields.items()}
        names -= {section}
    return frozenset((names | {"name.vi", "name.en", "snmp"}) - {"snmp.credential", "http.headers", "rtsp.password"})
