"""The built-in pages: where they listen, and who may look."""

from __future__ import annotations

import ipaddress
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from config.errors import quoted
from config.schema.channels import WebAddress
from config.schema.values import Boolean, Refusal, Section, Slug, line, seconds, written
from config.secrets import Secret

ANYBODY = "*"
"""As a group: whoever the provider knows."""


def _endpoint(value: str) -> str:
    host, _, port = value.rpartition(":")
    address = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        found = None
    if found is None or (found.version == 6) != host.startswith("["):
        raise Refusal(
            f"{quoted(value)} is not ADDRESS:PORT of this machine: write 127.0.0.1:8080, 0.0.0.0:443, [::]:8080"
        )
    if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise Refusal(f"{quoted(value)} has no port from 0 to 65535 after its last colon; 0 takes any free one")
    return value


Endpoint: TypeAlias = Annotated[str, written(_endpoint, {"type": "string", "pattern": "^.+:[0-9]{1,5}$"})]


class Tls(Section):
    """The certificate that the pages are served with."""

    certificate: Annotated[str, line(1000)] = Field(
        description="PEM file with the certificate and those above it, relative to this file; a renewed one is taken up"
    )
    key: Annotated[str, line(1000)] = Field(description="PEM file with its private key, without a pass phrase")


class Oidc(Section):
    """An OpenID provider that people sign in at."""

    issuer: WebAddress = Field(
        description="the provider, exactly as it calls itself; its description is found below it"
    )
    client_id: Annotated[str, line(200)] = Field(description="how the provider knows these pages")
    client_secret: Secret | None = Field(None, description="their secret there; without they are a public client")
    trust: Annotated[str, line(1000)] | None = Field(
        None, description="PEM file of the authorities to trust, relative to the main file; default: the usual ones"
    )
    name: Annotated[str, line(60)] = Field("OpenID", description="what the button calls the provider")
    scopes: tuple[Annotated[str, line(100)], ...] = Field(
        ("profile", "email"), description="what is asked for beside openid"
    )
    name_claim: Annotated[str, line(100)] = Field(
        "preferred_username", description="which claim names a new user; what is behind an @ is left out"
    )
    role_claim: Annotated[str, line(200)] = Field(
        "groups", description="which claim holds groups; dots lead into objects: realm_access.roles"
    )
    viewers: tuple[Annotated[str, line(200)], ...] = Field(
        (), description='groups that may look; "*": everybody whom the provider knows'
    )
    operators: tuple[Annotated[str, line(200)], ...] = Field((), description="groups that also acknowledge and plan")
    admins: tuple[Annotated[str, line(200)], ...] = Field((), description="groups that also see the users")
    session_s: Annotated[float, seconds(300, 14 * 86_400)] = Field(
        86_400.0, alias="session", description="how long a sign-in counts before the provider is asked again"
    )

    @model_validator(mode="after")
    def _safe(self) -> Oidc:
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise Refusal("the provider is asked over https; http does only on this machine", key="issuer")
        if parts.query or parts.fragment:
            raise Refusal("an issuer has neither ? nor #: copy it as the provider writes it", key="issuer")
        for key in ("operators", "admins"):
            if ANYBODY in getattr(self, key):
                raise Refusal(f'"{ANYBODY}" would let everybody in: name groups; it does for viewers only', key=key)
        if not (self.viewers or self.operators or self.admins):
            raise Refusal("nobody could sign in: name groups in viewers, operators or admins")
        return self


class Web(Section):
    """The pages and interfaces that the daemon serves."""

    enabled: Boolean = Field(True, description="serve pages at all")
    listen: Endpoint = Field(
        "127.0.0.1:8080", description="ADDRESS:PORT; a socket passed by systemd (LISTEN_FDS) comes before it"
    )
    tls: Tls | None = Field(None, description="serve HTTPS; without, put a proxy before anything but loopback")
    public: Boolean = Field(
        False,
        description="whoever reaches the port may read without signing in; changing something needs a user always",
    )
    oidc: Oidc | None = Field(None, description="let people sign in at an OpenID provider as well")
    status_page: tuple[Slug, ...] = Field(
        (), description="systems whose state and month whoever reaches the port may see at /status; empty: no such page"
    )
