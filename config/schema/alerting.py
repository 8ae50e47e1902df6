"""Who is told, and through which mail servers."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from config.schema.channels import Command, Service, WebAddress, Webhook
from config.schema.incidents import Incidents, Severities
from config.schema.network import HostName, Port, Sender
from config.schema.oncall import Holiday
from config.schema.routing import Drill, Heartbeat, Route
from config.schema.rules import MetricRule
from config.schema.values import Boolean, Refusal, Section, Slug, line, seconds, whole
from config.secrets import Secret

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


class OAuth(Section):
    """Where access tokens come from (RFC 6749)."""

    token_url: WebAddress = Field(description="the token endpoint, by https")
    client_id: Annotated[str, line(500)] = Field(description="as it is registered")
    client_secret: Secret | None = Field(None, description="without: a public client")
    refresh_token: Secret | None = Field(None, description="without: the client's own credentials")
    scope: Annotated[str, line(1000)] = Field("", description="what the token is for")
    timeout_s: Annotated[float, seconds(1, 60)] = Field(15.0, alias="timeout", description="for a token")

    @model_validator(mode="after")
    def _encrypted(self) -> OAuth:
        parts = urlsplit(self.token_url)
        if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
            raise Refusal("secrets would cross the network in clear: use https", key="token_url")
        if self.client_secret is None and self.refresh_token is None:
            raise Refusal("a client_secret or a refresh_token is needed", key="client_secret")
        return self


class MailServer(Section):
    """A server that takes mail (RFC 6409)."""

    host: HostName = Field(description="name or address")
    port: Port = Field(587, description="465 with security tls, 25 with none")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls is required of the server, never skipped; tls from the first byte; none"
    )
    username: Annotated[str, line()] | None = Field(None, description="for servers that ask who is there")
    password: Secret | None = Field(None, description="goes with username")
    oauth2: OAuth | None = Field(None, description="instead of a password: access tokens, by XOAUTH2 or OAUTHBEARER")
    verify: Boolean = Field(True, description="the server's certificate must be valid for its name")
    timeout_s: Annotated[float, seconds(1, 300)] = Field(20.0, alias="timeout", description="for each step")

    @model_validator(mode="before")
    @classmethod
    def _usual_port(cls, value: object) -> object:
        if isinstance(value, dict) and "port" not in value and value.get("security") in ("tls", "none"):
            return {**value, "port": _PORTS[value["security"]]}
        return value

    @model_validator(mode="after")
    def _password_is_safe(self) -> MailServer:
        if self.password is not None and self.oauth2 is not None:
            raise Refusal("either a password or oauth2", key="password")
        if (self.username is None) != (self.password is None and self.oauth2 is None):
            given = "password" if self.oauth2 is None else "oauth2"
            raise Refusal(f"username and {given} belong together", key=given if self.username is None else "username")
        if (self.password or self.oauth2) is not None and self.security == "none" and not _is_loopback(self.host):
            raise Refusal("a password would cross the network in clear: use starttls or tls", key="security")
        return self


class Mail(Section):
    """Alerts by mail."""

    sender: Sender = Field(alias="from", description="the address alerts come from, with or without a name")
    servers: tuple[MailServer, ...] = Field(description="tried in this order")
    most_per_minute: Annotated[int, whole(1, 6000)] = Field(
        120, description="mails; what is more waits its turn, a minute's worth may go at once"
    )

    @field_validator("servers")
    @classmethod
    def _some_server(cls, servers: tuple[MailServer, ...]) -> tuple[MailServer, ...]:
        if not servers:
            raise Refusal("no server given: at least one {host: …} is needed")
        return servers


class Alerting(Section):
    """Who is told of failures, and how."""

    to: tuple[Slug, ...] = Field((), description="contacts told of every incident")
    mail: Mail | None = Field(None, description="the way by mail")
    webhooks: tuple[Webhook, ...] = Field((), description="ways by HTTP")
    services: tuple[Service, ...] = Field((), description="ways by apprise: Telegram, Zalo, Teams, SMS and others")
    commands: tuple[Command, ...] = Field((), description="ways by a program of this machine")
    second_way_s: Annotated[float, seconds(10, 3600)] = Field(
        240.0, alias="second_way", description="a message not through by then also takes the contact's next way"
    )
    routes: tuple[Route, ...] = Field((), description="who is told beside to; the first that fits is taken")
    holidays: tuple[Holiday, ...] = Field(
        (), description='for rotas and routes: "2027-09-02" or "2027-02-04/2027-02-10"'
    )
    url: WebAddress | None = Field(
        None, description="address of the web page as people reach it: links to acknowledge begin with it"
    )
    link_lasts_s: Annotated[float, seconds(3600, 30 * 86_400)] = Field(
        86_400.0, alias="link_lasts", description="how long such a link can be used"
    )
    drill: Drill | None = Field(None, description="the daily proof that messages arrive")
    heartbeat: Heartbeat | None = Field(None, description="the sign of life to the outside")
    incidents: Incidents = Field(default_factory=Incidents, description="what belongs together, and when it is told")
    rules: tuple[MetricRule, ...] = Field((), description="when a measurement is an incident")
    severity: Severities = Field(default_factory=Severities, description="how bad an incident is")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
