"""Options of the commands that speak SNMP: whom to ask, and with which secrets."""

from __future__ import annotations

import os
import socket
from typing import Annotated

import typer

from collectors.names import is_address
from haidang.commands.common import fail
from probes.snmp import Access, User

Version = Annotated[str | None, typer.Option("--version", help="1, 2c or 3; 3 with --user, else 2c.")]
Community = Annotated[
    str | None, typer.Option(help="For 1 and 2c; better in $HAIDANG_COMMUNITY, other users see a command line.")
]
UserName = Annotated[str | None, typer.Option("--user", help="SNMPv3 user.")]
AuthProtocol = Annotated[str, typer.Option("--auth", help="SNMPv3 authentication: SHA-256, SHA-1, SHA-512 …")]
PrivProtocol = Annotated[str, typer.Option("--priv", help="SNMPv3 encryption: AES-128, AES-256 …")]
Password = typer.Option(help="Better in the environment: $HAIDANG_AUTH_PASSWORD, $HAIDANG_PRIV_PASSWORD.")
AuthPassword = Annotated[str | None, Password]
PrivPassword = Annotated[str | None, Password]
Context = Annotated[str, typer.Option(help="SNMPv3 context name.")]
SnmpPort = Annotated[int, typer.Option(min=1, max=65_535, help="UDP port.")]
SnmpTimeout = Annotated[
    float, typer.Option("--timeout", min=0.1, max=60, help="Seconds for one request with its retries.")
]


def access_of(
    version: str | None, community: str | None, user: str | None, auth: str, auth_password: str | None, priv: str,
    priv_password: str | None, context: str, port: int, timeout: float,
) -> Access:  # fmt: skip
    """Make the access that the options describe; ends the command when they do not fit together."""
    community = community or os.environ.get("HAIDANG_COMMUNITY") or "public"
    auth_password = auth_password or os.environ.get("HAIDANG_AUTH_PASSWORD")
    priv_password = priv_password or os.environ.get("HAIDANG_PRIV_PASSWORD")
    if user is not None and version not in (None, "3"):
        fail(f"--user is for SNMPv3, --version says {version}")
    try:
        if version != "3" and user is None:
            return Access(community=community, version=version or "2c", port=port, timeout_s=timeout)
        if user is None:
            fail("SNMPv3 needs --user")
        return Access(
            user=User(
                user, auth if auth_password else None, auth_password or "", priv if priv_password else None,
                priv_password or "", context,
            ),
            port=port, timeout_s=timeout,
        )  # fmt: skip
    except ValueError as error:
        fail(str(error))


def numeric(target: str) -> str:
    """Return the address of a target given by address or by name; ends the command when the name has none."""
    if is_address(target):
        return target
    if "/" in target or not target.strip("0123456789."):
        fail(f"{target} is not an address of one host")
    try:
        return str(socket.getaddrinfo(target, None, type=socket.SOCK_DGRAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        fail(f"{target}: {why}; check the name and the resolver, or give an address")
