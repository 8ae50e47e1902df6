"""What devices may tell by themselves: traps and informs, log messages. Off unless a section is there."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from config.errors import quoted
from config.schema.network import Port
from config.schema.profile_values import Oid
from config.schema.values import Boolean, Refusal, Section, Slug, Text, line, number, written

SEVERITIES = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
"""Of syslog, by their numbers (RFC 5424 §6.2.1)."""


def _listen(value: str) -> str:
    try:
        found = ipaddress.ip_address(value)
    except ValueError:
        raise Refusal(
            f"{quoted(value)} is not an address of this machine: write 0.0.0.0 for all of IPv4, '::' for all of IPv6"
        ) from None
    if found.is_multicast:
        raise Refusal(f"{quoted(value)} is not the address of one machine")
    return str(found)


Listen: TypeAlias = Annotated[str, written(_listen)]


class Traps(Section):
    """Traps and informs."""

    listen: tuple[Listen, ...] = Field(("0.0.0.0",), description="addresses of this machine; '::' is all of IPv6")  # noqa: S104 devices send from everywhere
    port: Port = Field(162, description="UDP port; under 1024 needs a right, see operations.md")
    credentials: tuple[Slug, ...] = Field(
        (), description='those of version "3" that are believed; v1 and v2c need none, anybody could forge them'
    )


class Syslog(Section):
    """Log messages."""

    listen: tuple[Listen, ...] = Field(("0.0.0.0",), description="addresses of this machine; '::' is all of IPv6")  # noqa: S104 devices send from everywhere
    port: Port = Field(514, description="UDP and TCP port; under 1024 needs a right, see operations.md")
    udp: Boolean = Field(True, description="take datagrams (RFC 5426)")
    tcp: Boolean = Field(False, description="take streams (RFC 6587)")
    severity: Literal["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"] = Field(
        "warning", description="the least severe that is kept; what the catalogue knows is kept in any case"
    )

    @model_validator(mode="after")
    def _some(self) -> Syslog:
        if not self.udp and not self.tcp:
            raise Refusal("neither udp nor tcp: leave the section out, or take one of them", key="udp")
        return self


class Known(Section):
    """What a trap or a log message means that the catalogue does not know, or means otherwise here."""

    oid: Oid | None = Field(None, description="of the notification (snmpTrapOID): a trap")
    says: tuple[Annotated[str, line()], ...] = Field(
        (),
        description="words that follow each other in a log message, with ` … ` between; one text of several is enough",
    )
    name: Annotated[str, line(60)] = Field(description="short, as in the MIB")
    severity: Literal["critical", "warning", "info"] = Field("warning", description="how bad it is")
    poll: Boolean = Field(True, description="look at the device at once")
    means: Text = Field(description="for people: a text, or one per language")

    @model_validator(mode="after")
    def _one_of_both(self) -> Known:
        if (self.oid is None) == (not self.says):
            raise Refusal("give oid for a trap, or says for a log message", key="oid")
        return self


class Receivers(Section):
    """What is received, from the addresses of the targets only."""

    traps: Traps | None = Field(None, description="traps and informs; {} takes them as the defaults say")
    syslog: Syslog | None = Field(None, description="log messages; {} takes them as the defaults say")
    known: tuple[Known, ...] = Field((), description="what more traps and log messages mean; these go before our own")
    most_per_source: Annotated[float, number(0.1, 10_000)] = Field(
        50.0, description="packets per second that are looked at from one address"
    )
    most_in_all: Annotated[float, number(1, 10_000)] = Field(
        2000.0, description="packets per second that are looked at in all"
    )
