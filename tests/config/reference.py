"""The tables of docs/configuration.md, made from the schema: the page must hold them word for word."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config.schema.alerting import Alerting, Mail, MailServer, OAuth
from config.schema.channels import Command, ContactWay, Service, Webhook
from config.schema.conferences import Conferences, Meeting, MeetingCalendar
from config.schema.document import Document
from config.schema.incidents import Incidents, Severities, Threshold
from config.schema.netbox import NetBox, NetBoxFilters
from config.schema.objectives import Objective, ServiceHours
from config.schema.oncall import Layer, Rota
from config.schema.probed import Probed, RoleRule, TargetDns, TargetSnmp
from config.schema.receivers import Known, Receivers, Syslog, Traps
from config.schema.reports import Band, Climate, Credit, Reports, Signing
from config.schema.routing import Drill, EscalationStep, Heartbeat, Route
from config.schema.rules import MetricRule, Tag
from config.schema.services import SERVICES, HttpStep, Take
from config.schema.settings import (
    BackupSettings,
    Confirmation,
    Confirmations,
    DnsSettings,
    HostSettings,
    IcmpSettings,
    InfluxDb,
    Logging,
    Probing,
    QualitySettings,
    Retention,
    SnmpSettings,
    Storage,
)
from config.schema.things import (
    Auth,
    Circuit,
    Contact,
    Credential,
    Priv,
    Risk,
    Site,
    System,
    Target,
)
from config.schema.values import Section, Text, say_seconds
from config.schema.web import Oidc, Tls, Web
from config.secrets import Secret

SECTIONS: dict[str, type[Section]] = {
    "top": Document,
    "logging": Logging,
    "storage": Storage,
    "storage.retention": Retention,
    "storage.influxdb": InfluxDb,
    "probing": Probing,
    "probing.icmp": IcmpSettings,
    "probing.snmp": SnmpSettings,
    "probing.dns": DnsSettings,
    "probing.host": HostSettings,
    "confirmation": Confirmations,
    "roles": Probed,
    "roles.rules": RoleRule,
    "receivers": Receivers,
    "receivers.traps": Traps,
    "receivers.syslog": Syslog,
    "receivers.known[]": Known,
    "credentials[]": Credential,
    "credentials[].auth": Auth,
    "credentials[].priv": Priv,
    "systems[]": System,
    "sites[]": Site,
    "circuits[]": Circuit,
    "targets[]": Target,
    "targets[].snmp": TargetSnmp,
    "targets[].dns": TargetDns,
    "targets[].quality": QualitySettings,
    "targets[].backup": BackupSettings,
    **{f"targets[].{kind}": model for kind, model in SERVICES.items()},
    "targets[].http.steps[]": HttpStep,
    "targets[].http.steps[].take.NAME": Take,
    "targets[].confirmation": Confirmation,
    "contacts[]": Contact,
    "contacts[].ways[]": ContactWay,
    "rotas[]": Rota,
    "rotas[].layers[]": Layer,
    "risks[]": Risk,
    "alerting": Alerting,
    "alerting.incidents": Incidents,
    "alerting.rules[]": MetricRule,
    "alerting.rules[].where[]": Tag,
    "alerting.severity": Severities,
    "alerting.severity.critical": Threshold,
    "alerting.mail": Mail,
    "alerting.mail.servers[]": MailServer,
    "alerting.mail.servers[].oauth2": OAuth,
    "alerting.webhooks[]": Webhook,
    "alerting.services[]": Service,
    "alerting.commands[]": Command,
    "alerting.routes[]": Route,
    "alerting.routes[].steps[]": EscalationStep,
    "alerting.drill": Drill,
    "alerting.heartbeat": Heartbeat,
    "web": Web,
    "web.oidc": Oidc,
    "web.tls": Tls,
    "reports": Reports,
    "reports.credits[]": Credit,
    "reports.sign": Signing,
    "reports.climate": Climate,
    "reports.climate.temperature": Band,
    "objectives[]": Objective,
    "objectives[].hours[]": ServiceHours,
    "name": Text,
    "secret": Secret,
    "conferences": Conferences,
    "conferences.meetings[]": Meeting,
    "conferences.calendars[]": MeetingCalendar,
    "netbox": NetBox,
    "netbox.only": NetBoxFilters,
}


def table(model: type[Section]) -> str:
    """Make the table of one section."""
    lines = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        meaning = field.description or ""
        if words := literals(field.annotation):
            meaning += f" ({' · '.join(words)})"
        lines.append(f"| `{field.alias or name}` | {default(name, field)} | {meaning} |")
    return "\n".join(lines)


def default(name: str, field: FieldInfo) -> str:
    """Write a default as one would in the file."""
    value = field.get_default(call_default_factory=True, validated_data={})
    if field.is_required():
        return "**needed**"
    if isinstance(value, BaseModel):
        return "see below"
    if value is None or value in ((), "", {}):
        return "–"
    if isinstance(value, tuple):
        words = [say_seconds(one) for one in value] if name.endswith("_s") else value
        return f"`[{', '.join(words)}]`"
    if name.endswith("_s"):
        return f"`{say_seconds(value)}`"
    if name.endswith("_bytes"):
        return f"`{value // 1024**3}GiB`"
    if isinstance(value, tuple):
        return " ".join(f"`{word}`" for word in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def literals(annotation: Any) -> list[str]:
    """Find the words a value may be."""
    if get_origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    if get_origin(annotation) is Annotated:
        return literals(get_args(annotation)[0])
    return [word for part in get_args(annotation) for word in literals(part)]


def models_of(model: type[BaseModel]) -> set[type[BaseModel]]:
    """Find every section that can be reached from one."""
    found: set[type[BaseModel]] = {model}

    def search(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in found:
            found.add(annotation)
            for field in annotation.model_fields.values():
                search(field.annotation)
        for part in get_args(annotation):
            search(part)

    for field in model.model_fields.values():
        search(field.annotation)
    return found
