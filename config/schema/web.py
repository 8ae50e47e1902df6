"""The built-in pages: where they listen, and who may look."""

from __future__ import annotations

import ipaddress
from typing import Annotated, TypeAlias

from pydantic import Field

from config.errors import quoted
from config.schema.values import Boolean, Refusal, Section, Slug, line, written


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
    status_page: tuple[Slug, ...] = Field(
        (), description="systems whose state and month whoever reaches the port may see at /status; empty: no such page"
    )
