"""How services of a target are probed: one section for each probe over TCP or UDP beside DNS (docs/probes.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from config.errors import quoted
from config.schema.network import DnsName, HostName, Port
from config.schema.settings import DAY_S, before_the_next
from config.schema.values import Boolean, Refusal, Section, line, note, number, seconds, whole, written
from config.secrets import Secret

_STATUSES = re.compile(r"[1-6][0-9]{2}(-[1-6][0-9]{2})?(,[1-6][0-9]{2}(-[1-6][0-9]{2})?)*")
_VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,31}")
_PLACE = re.compile(rf"\$\{{({_VARIABLE.pattern})\}}")
_STEPS = 10
_URL = re.compile(r"(https?://[^\s/?#@]+)?(/[^\s]*)?", re.IGNORECASE)


def _codes(value: str) -> str:
    plain = value.replace(" ", "")
    if not _STATUSES.fullmatch(plain):
        raise Refusal(f"{quoted(value)} is no list of status codes: write 200 or 200-299,401")
    return plain


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise Refusal(f"{quoted(value)} is no name of a variable: a–z, 0–9 and _, the first a letter, at most 32")
    return value


Variable = Annotated[str, written(_variable, {"type": "string", "pattern": f"^{_VARIABLE.pattern}$"})]


class Service(Section):
    """What every service can be told."""

    cadence_s: Annotated[float, seconds(1, DAY_S)] = Field(60.0, alias="cadence", description="time between probes")
    timeout_s: Annotated[float, seconds(0.05, 60)] = Field(
        5.0, alias="timeout", description="for everything together"
    )  # fmt: skip
    port: Port | None = Field(None, description="default: the protocol's own")
    dscp: Annotated[int, whole(0, 63)] = Field(0, description="DSCP of what is sent")

    def problems(self) -> Iterator[tuple[str, str]]:
        """Find what does not fit together, as key and message."""
        yield from before_the_next(self.timeout_s, self.cadence_s)


class Tls(Service):
    """What every service with TLS can be told of it."""

    server_name: HostName | None = Field(None, description="whom the certificate must be for; default: the address")
    verify: Boolean = Field(True, description="whether the certificate must be the right one")
    trust: Annotated[str, line(1000)] | None = Field(
        None, description="PEM file of the authorities to trust; default: this machine's"
    )
    certificate: Annotated[str, line(1000)] | None = Field(None, description="PEM file of a certificate to show")
    key: Annotated[str, line(1000)] | None = Field(None, description="PEM file of its key, where it is another file")
    warn_days: Annotated[float, number(0, 3650)] = Field(
        14.0, description="degraded when a certificate of the chain expires sooner"
    )

    @model_validator(mode="after")
    def _key_of_what(self) -> Tls:
        if self.key is not None and self.certificate is None:
            raise Refusal("a key without its certificate: give certificate as well", key="key")
        return self


class TcpService(Service):
    """A TCP port."""

    port: Port = Field(description="TCP port")
    send: Annotated[str, note(1000)] = Field("", description=r"said after connecting; \r and \n may be written so")
    expect: Annotated[str, note(1000)] = Field("", description="must be in the answer")


class TlsService(Tls):
    """TLS at any port."""

    starttls: Literal["", "smtp", "imap", "ldap", "postgres"] = Field("", description="the protocol TLS begins in")
    weak_versions: Boolean = Field(False, description="also try TLS 1.0 and 1.1; degraded when they are taken")


class Take(Section):
    """Where in an answer the value of a variable stands: one of json, header, or after and before."""

    json_: Annotated[str, line(200)] | None = Field(None, alias="json", description="a place in a JSON page")
    header: Annotated[str, line(100)] | None = Field(None, description="the name of a header of the answer")
    after: Annotated[str, note(1000)] | None = Field(None, description="the text right before the value in the page")
    before: Annotated[str, note(1000)] | None = Field(None, description="the text right behind it")

    @model_validator(mode="after")
    def _one_place(self) -> Take:
        ways = (self.json_, self.header, self.after or self.before)
        if sum(bool(way) for way in ways) != 1 or bool(self.after) != bool(self.before):
            raise Refusal("exactly one of {json: PLACE}, {header: NAME}, {after: TEXT, before: TEXT} is expected")
        return self


class Page(Section):
    """What is asked of a server, and what is expected."""

    url: Annotated[str, line(2000)] = Field(
        "/", description="http://HOST/PATH or https://HOST/PATH; asked at the target's address. Or a path there"
    )
    method: Literal["GET", "HEAD", "POST"] = Field("GET", description="of the request")
    headers: dict[str, Annotated[str, line(2000)]] = Field(default_factory=dict, description="further ones")
    body: Annotated[str, note()] = Field("", description="sent with POST")
    status: Annotated[str, line(200)] = Field("200-399", description="expected codes and ranges: 200-299,401")
    contains: Annotated[str, note(1000)] = Field("", description="must be in the first MiB")
    lacks: Annotated[str, note(1000)] = Field("", description="must not be there")
    json_: Annotated[str, note(200)] = Field("", alias="json", description="a place in a JSON page: nodes[0].state")
    equals: Annotated[str, note(1000)] = Field("", description="what must be there")
    redirects: Annotated[int, whole(0, 20)] = Field(5, description="how many to follow")

    _statuses = field_validator("status")(_codes)

    @field_validator("url")
    @classmethod
    def _page(cls, value: str) -> str:
        if not value or not _URL.fullmatch(value):
            raise Refusal(f"{quoted(value)} is not the address of a page: write https://HOST/PATH, or /PATH")
        return value

    @model_validator(mode="after")
    def _only_post(self) -> Self:
        if self.body and self.method != "POST":
            raise Refusal(f"only POST has a body, the method is {self.method}", key="body")
        return self


class HttpStep(Page):
    """One page of several in a row."""

    name: Annotated[str, line(100)] | None = Field(None, description="for the reason; default: method and url")
    url: Annotated[str, line(2000)] = Field(
        description="http://HOST/PATH or https://HOST/PATH; or a path at the first step's server. ${NAME} may stand "
        "behind the host"
    )
    headers: dict[str, Annotated[str, line(2000)]] = Field(
        default_factory=dict, description="further ones; ${NAME} may stand in a value"
    )
    body: Annotated[str, note()] = Field("", description="sent with POST; ${NAME} may stand in it")
    take: dict[Variable, Take] = Field(default_factory=dict, description="variables of later steps, by name")

    @field_validator("url")
    @classmethod
    def _fixed_host(cls, value: str) -> str:
        if "${" in re.split("[/?#]", value.partition("://")[2])[0]:
            raise Refusal("a variable cannot stand in the host: whom we ask is never a page's choice")
        return value

    def variables(self) -> Iterator[tuple[str, str]]:
        """Find the variables it uses, as key and name."""
        for key, text in (("url", self.url), ("body", self.body), *(("headers", one) for one in self.headers.values())):
            yield from ((key, name) for name in _PLACE.findall(text))


class HttpService(Page, Tls):
    """A page, or what answers like one; or several in a row."""

    steps: tuple[HttpStep, ...] = Field(
        (), description=f"pages asked one after the other, at most {_STEPS}, instead of url to redirects"
    )
    variables: dict[Variable, Secret] = Field(
        default_factory=dict, description="secrets of the steps, by the NAME they stand for as ${NAME}"
    )

    @model_validator(mode="after")
    def _one_port(self) -> HttpService:
        if self.port is not None and "://" in (self.steps[0].url if self.steps else self.url):
            raise Refusal("the port is in the url: write it there", key="port")
        return self

    @model_validator(mode="after")
    def _steps_fit(self) -> HttpService:
        if self.variables and not self.steps:
            raise Refusal("variables stand in steps: give steps as well", key="variables")
        if len(self.steps) > _STEPS:
            raise Refusal(f"{len(self.steps)} steps: at most {_STEPS} are allowed", key="steps")
        twice = [name for name in Page.model_fields if name in self.model_fields_set]
        if self.steps and twice:
            raise Refusal("with steps, each of them says this", key=Page.model_fields[twice[0]].alias or twice[0])
        return self

    def problems(self) -> Iterator[tuple[str, str]]:
        """See `Service.problems`."""
        yield from super().problems()
        known = set(self.variables)
        for place, step in enumerate(self.steps, 1):
            for key, name in step.variables():
                if name not in known:
                    cure = "an earlier step takes it, or variables names it"
                    yield "steps", f"step {place} has the variable {quoted(name)} in its {key}: {cure}"
            known |= set(step.take)


class ZoneService(Service):
    """A zone of DNS, asked at one of its name servers or at a resolver."""

    name: DnsName = Field(description="of the zone")
    dnssec: Literal["none", "signatures", "resolver"] = Field(
        "none", description="signatures: those of its SOA must hold by its keys; resolver: the target must have "
        "validated it",
    )  # fmt: skip
    same_serial: Boolean = Field(True, description="whether all name servers of the zone must have the same serial")


class NtpService(Service):
    """A time server."""

    max_offset_s: Annotated[float, seconds(0.001, DAY_S)] = Field(
        1.0, alias="max_offset", description="degraded when its time is further from this machine's"
    )
    max_stratum: Annotated[int, whole(1, 15)] = Field(15, description="degraded above this stratum")


class SmtpService(Tls):
    """A mail server."""

    security: Literal["none", "offered", "starttls", "tls"] = Field(
        "none", description="offered: STARTTLS where it is offered, certificate unchecked; starttls: it must; "
        "tls: from the first byte",
    )  # fmt: skip
    hello: HostName = Field("monitor.invalid", description="the name we give ourselves")


class ImapService(Tls):
    """A mailbox server."""

    security: Literal["none", "offered", "starttls", "tls"] = Field("none", description="as for smtp")


class LdapService(Tls):
    """A directory."""

    security: Literal["none", "starttls", "tls"] = Field("none", description="tls: from the first byte, port 636")
    anonymous: Boolean = Field(False, description="whether an anonymous bind must be taken, not only be answered")


class SshService(Service):
    """An SSH server."""

    expect: Annotated[str, note(200)] = Field("", description="must be in its identification")


class SipService(Tls):
    """A conference room, a gateway, a proxy."""

    transport: Literal["udp", "tcp", "tls"] = Field("udp", description="how OPTIONS is sent")
    user: Annotated[str, note(100)] = Field("", description="whose address is asked for; default: the device itself")
    status: Annotated[str, line(200)] = Field(
        "200-299,401,403,405,407,486,501", description="answers that are up"
    )  # fmt: skip

    _statuses = field_validator("status")(_codes)


class RtspService(Service):
    """A camera's stream."""

    path: Annotated[str, note(500)] = Field("", description="of the stream, with its query; default: OPTIONS alone")
    username: Annotated[str, note(100)] = Field("", description="who may see it")
    password: Secret | None = Field(None, description="of that account")


class H323Service(Service):
    """A conference room, an MCU or a gatekeeper that speaks H.323."""

    protocol: Literal["q931", "ras"] = Field(
        "q931", description="q931: a room is sent a status enquiry; ras: a gatekeeper is discovered"
    )  # fmt: skip
    answer: Boolean = Field(
        True, description="q931: whether it must answer, not only take the connection; false where it passes "
        "enquiries over",
    )  # fmt: skip
    gatekeeper: Annotated[str, note(128)] = Field("", description="ras: the identifier it must have; default: any")

    @model_validator(mode="after")
    def _one_protocol(self) -> H323Service:
        if self.gatekeeper and self.protocol != "ras":
            raise Refusal("only ras finds a gatekeeper, the protocol here is q931", key="gatekeeper")
        return self


class OnvifService(Tls):
    """A camera, or what else speaks ONVIF."""

    path: Annotated[str, note(500)] = Field("/onvif/device_service", description="of the device service")
    security: Literal["none", "tls"] = Field("none", description="tls: HTTPS, port 443")
    max_offset_s: Annotated[float, seconds(0.5, DAY_S)] = Field(
        5.0, alias="max_offset", description="degraded when its clock is further from this machine's"
    )


class PostgresService(Tls):
    """A PostgreSQL server."""

    security: Literal["none", "starttls"] = Field("none", description="starttls: TLS must be there")
    username: Annotated[str, line(63)] = Field("haidang", description="who is said to come; nobody logs in")
    database: Annotated[str, note(63)] = Field("", description="which one is asked for; default: of the user's name")


class MysqlService(Tls):
    """A MySQL or MariaDB server."""

    security: Literal["none", "starttls"] = Field("none", description="starttls: TLS must be there")
    username: Annotated[str, line(80)] = Field("haidang", description="who is said to come; the server refuses it")


class MssqlService(Service):
    """A Microsoft SQL Server."""


class OracleService(Service):
    """An Oracle listener."""

    service: Annotated[str, note(200)] = Field("", description="name of a service it must know; default: it alone")


SERVICES: Mapping[str, type[Service]] = {
    "tcp": TcpService, "tls": TlsService, "http": HttpService, "zone": ZoneService, "ntp": NtpService,
    "smtp": SmtpService, "imap": ImapService, "ldap": LdapService, "ssh": SshService, "sip": SipService,
    "h323": H323Service, "rtsp": RtspService, "onvif": OnvifService, "postgres": PostgresService, "mysql": MysqlService,
    "mssql": MssqlService, "oracle": OracleService,
}  # fmt: skip
"""The section of each probe."""
