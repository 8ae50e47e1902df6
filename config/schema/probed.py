"""How something is probed and judged: what a target may say, and a system, a site or a role for its targets."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from config.schema.network import Port
from config.schema.rules import Tag, Value
from config.schema.services import (
    SERVICES,
    H323Service,
    HttpService,
    ImapService,
    LdapService,
    MssqlService,
    MysqlService,
    NtpService,
    OnvifService,
    OracleService,
    PostgresService,
    RtspService,
    SipService,
    SmtpService,
    SshService,
    TcpService,
    TlsService,
    ZoneService,
)
from config.schema.settings import (
    DAY_S,
    Confirmation,
    DnsSettings,
    HostSettings,
    IcmpSettings,
    QualitySettings,
    SnmpSettings,
)
from config.schema.values import Boolean, Refusal, Section, Slug, Text, line, seconds

ProbeKind = Literal[
    "icmp", "snmp", "dns", "host", "quality", "tcp", "tls", "http", "zone", "ntp", "smtp", "imap", "ldap", "ssh", "sip",
    "h323", "rtsp", "onvif", "postgres", "mysql", "mssql", "oracle",
]  # fmt: skip


class TargetSnmp(SnmpSettings):
    """How one target is polled by SNMP; what is not said here comes from probing.snmp."""

    credential: Slug | None = Field(
        None, description="one of credentials; default: its role's; without any it is not polled"
    )
    port: Port = Field(161, description="UDP port")
    interface: Annotated[str, line(255)] | None = Field(
        None, description="ifName, ifDescr or ifAlias of the port on the target's circuit; default: the port whose "
        "alias has the circuit's id or contract in it",
    )  # fmt: skip


class TargetDns(DnsSettings):
    """What one DNS server is asked; what is not said here comes from probing.dns."""

    port: Port = Field(53, description="UDP and TCP port")


class RoleRule(Section):
    """A rule over measurements of a target that has it from its role, or its own; what is left out stays as it is."""

    enabled: Boolean = Field(True, description="whether it is gone by")
    name: Text | None = Field(None, description="for people: a text, or one per language; default: its key")
    measurement: Annotated[str, line(64)] | None = Field(None, description="as of alerting.rules")
    field: Annotated[str, line(64)] | None = Field(None, description="as of alerting.rules")
    where: tuple[Tag, ...] = Field((), description="as of alerting.rules")
    above: Value | None = Field(None, description="bad when greater; without above, below and absent: not gone by")
    below: Value | None = Field(None, description="bad when less")
    absent_s: Annotated[float, seconds(10, 30 * DAY_S)] | None = Field(
        None, alias="absent", description="bad when a series that came before has not come for so long"
    )
    clear: Value | None = Field(None, description="good again only on this side of it; default: above or below")
    for_s: Annotated[float, seconds(0, 30 * DAY_S)] = Field(
        0.0, alias="for", description="an incident once it has been bad for so long without a good value"
    )
    clear_for_s: Annotated[float, seconds(0, 30 * DAY_S)] = Field(
        0.0, alias="clear_for", description="over once it has been good for so long without a bad value"
    )
    severity: Literal["warning", "minor", "major", "critical"] = Field("warning", description="at least")


class Probed(Section):
    """How targets are probed and judged. Of several places that say it the nearest to the target counts, key by key."""

    probes: tuple[ProbeKind, ...] | None = Field(
        None, description="exactly these; default: icmp, and each other but host whose section is given"
    )
    without: tuple[ProbeKind, ...] = Field((), description="not these, though their section is given")
    alive: ProbeKind | None = Field(
        None, description="the probe that says whether it is there; default: icmp, else the first"
    )
    icmp: IcmpSettings | None = Field(None, description="instead of probing.icmp")
    snmp: TargetSnmp | None = Field(None, description="instead of probing.snmp")
    dns: TargetDns | None = Field(None, description="instead of probing.dns")
    host: HostSettings | None = Field(None, description="instead of probing.host")
    quality: QualitySettings | None = Field(None, description="bursts that tell how voice and video would fare")
    tcp: TcpService | None = Field(None, description="a TCP port that must be open")
    tls: TlsService | None = Field(None, description="TLS and its certificates")
    http: HttpService | None = Field(None, description="a page")
    zone: ZoneService | None = Field(None, description="a zone of DNS: signatures and name servers")
    ntp: NtpService | None = Field(None, description="a time server")
    smtp: SmtpService | None = Field(None, description="a mail server")
    imap: ImapService | None = Field(None, description="a mailbox server")
    ldap: LdapService | None = Field(None, description="a directory")
    ssh: SshService | None = Field(None, description="an SSH server")
    sip: SipService | None = Field(None, description="a conference room or another SIP device")
    h323: H323Service | None = Field(None, description="a conference room or a gatekeeper of H.323")
    rtsp: RtspService | None = Field(None, description="a camera's stream")
    onvif: OnvifService | None = Field(None, description="a camera's device service and clock")
    postgres: PostgresService | None = Field(None, description="a PostgreSQL server")
    mysql: MysqlService | None = Field(None, description="a MySQL or MariaDB server")
    mssql: MssqlService | None = Field(None, description="a Microsoft SQL Server")
    oracle: OracleService | None = Field(None, description="an Oracle listener")
    confirmation: Confirmation | None = Field(None, description="instead of confirmation")
    rules: dict[Slug, RoleRule] = Field(
        default_factory=dict, description="when one of its measurements is an incident; by name"
    )

    @model_validator(mode="after")
    def _probes_once(self) -> Probed:
        if self.probes is not None:
            if not self.probes:
                raise Refusal("an empty list: leave the key out, or name icmp, snmp, dns, http …", key="probes")
            if len(set(self.probes)) < len(self.probes):
                raise Refusal("a probe is named twice", key="probes")
        return self

    def probe_kinds(self) -> tuple[ProbeKind, ...]:
        """Return the probes a target with these settings gets; one of SNMP needs a credential."""
        kinds: list[ProbeKind] = [*(self.probes or ("icmp",))]
        if self.probes is None:
            if self.snmp is not None and self.snmp.credential is not None:
                kinds.append("snmp")
            kinds += (
                kind for kind in get_args(ProbeKind)
                if (kind in SERVICES or kind in ("dns", "quality")) and getattr(self, kind) is not None
            )  # fmt: skip
        return tuple(kind for kind in kinds if kind not in self.without)
