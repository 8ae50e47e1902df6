"""A whole file: the main one with all keys, and one that is included."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from config.schema.alerting import Alerting
from config.schema.conferences import Conferences
from config.schema.netbox import NetBox
from config.schema.objectives import Objective
from config.schema.oncall import Rota
from config.schema.probed import Probed
from config.schema.receivers import Receivers
from config.schema.reports import Reports
from config.schema.settings import Confirmations, Logging, Probing, Storage
from config.schema.things import LISTS, Circuit, Contact, Credential, Risk, Site, System, Target
from config.schema.values import Refusal, Section, Slug, line
from config.schema.web import Web
from config.schema.zones import Zone

VERSION = 1


def _version(value: object) -> int:
    if isinstance(value, bool) or str(value) != str(VERSION):
        raise Refusal(f"this is not a version this program knows: write haidang: {VERSION}")
    return VERSION


class Part(Section):
    """What every file may hold; an included file holds nothing else."""

    include: tuple[Annotated[str, line(1000)], ...] = Field(
        (), description="further YAML files or patterns, relative to this file; they hold lists only"
    )
    inventory: tuple[Annotated[str, line(1000)], ...] = Field(
        (), description="CSV files of targets or patterns, relative to this file"
    )
    credentials: tuple[Credential, ...] = Field((), description="access to SNMP agents")
    systems: tuple[System, ...] = Field((), description="what has an availability target")
    sites: tuple[Site, ...] = Field((), description="places")
    circuits: tuple[Circuit, ...] = Field((), description="leased lines")
    targets: tuple[Target, ...] = Field((), description="what is probed")
    contacts: tuple[Contact, ...] = Field((), description="people")
    rotas: tuple[Rota, ...] = Field((), description="who is on duty when")
    objectives: tuple[Objective, ...] = Field((), description="availability promised, beside systems' own objective")
    risks: tuple[Risk, ...] = Field((), description="what several targets share and can lose together")


class Document(Part):
    """The main file."""

    haidang: Annotated[int, BeforeValidator(_version), WithJsonSchema({"const": VERSION})] = Field(
        description="version of this file's form: 1"
    )
    timezone: Zone = Field("Asia/Ho_Chi_Minh", description="in which days and months are counted (IANA name)")
    language: Literal["vi", "en"] = Field("vi", description="of messages, for a person who has not chosen")
    data_dir: Annotated[str, line(1000)] = Field(
        "/var/lib/haidang", description="where the databases are; relative paths are relative to this file"
    )
    logging: Logging = Field(default_factory=Logging, description="the daemon's own log")
    storage: Storage = Field(default_factory=Storage, description="where measurements go")
    probing: Probing = Field(default_factory=Probing, description="how things are probed")
    confirmation: Confirmations = Field(default_factory=Confirmations, description="when a failure is one")
    roles: dict[Slug, Probed] = Field(
        default_factory=dict, description="by role (all: of any): what differs from its defaults (docs/systems.md)"
    )
    receivers: Receivers = Field(default_factory=Receivers, description="what devices may tell by themselves")
    alerting: Alerting = Field(default_factory=Alerting, description="who is told, and how")
    web: Web = Field(default_factory=Web, description="the built-in pages")
    reports: Reports = Field(default_factory=Reports, description="the monthly uptime report")
    conferences: Conferences = Field(default_factory=Conferences, description="meetings by video")
    netbox: NetBox | None = Field(None, description="where an inventory is kept that haidang import --netbox reads")


class Included(Part):
    """A file named under include."""

    haidang: Annotated[int, BeforeValidator(_version), WithJsonSchema({"const": VERSION})] = Field(
        VERSION, description="version of this file's form: 1"
    )


SETTINGS = frozenset(Document.model_fields) - frozenset(Included.model_fields)
"""Keys that stand in the main file only."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the main file, for editors that complete and check while one types."""
    schema = Document.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Haidang configuration"
    return schema


__all__ = ["LISTS", "SETTINGS", "Document", "Included", "json_schema"]
