"""What the receiver process is told by the daemon: through its standard input, never on the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from probes.snmp import User

_USER = ("name", "auth", "auth_password", "priv", "priv_password")


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the receiver listens; an empty tuple is not at all.

    Parameters:
        traps: addresses and UDP ports.
        syslog_udp, syslog_tcp: the same for syslog.
    """

    traps: tuple[tuple[str, int], ...] = ()
    syslog_udp: tuple[tuple[str, int], ...] = ()
    syslog_tcp: tuple[tuple[str, int], ...] = ()

    def __bool__(self) -> bool:
        """Tell whether it listens at all."""
        return bool(self.traps or self.syslog_udp or self.syslog_tcp)


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """What is taken.

    Parameters:
        users: of SNMPv3.
        engine_id: ours, for informs of v3.
        boots: of our engine: must grow with every start.
        most_per_source, most_in_all: packets per second.
        syslog_severity: the least severe message that is kept, 0 emergency to 7 debug (RFC 5424 §6.2.1).
        known: an operator's entries of the catalogue, see `Catalogue`.
    """

    users: tuple[User, ...] = ()
    engine_id: bytes = b""
    boots: int = 1
    most_per_source: float = 50.0
    most_in_all: float = 2_000.0
    syslog_severity: int = 4
    known: tuple[Mapping[str, Any], ...] = ()

    def line(self, sources: list[str]) -> bytes:
        """Write them, and who may speak, as one line."""
        said: dict[str, Any] = asdict(self)
        said["users"] = [{key: getattr(user, key) for key in _USER} for user in self.users]
        said["engine_id"] = self.engine_id.hex()
        said["sources"] = sources
        return json.dumps(said).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> tuple[ReceiverSettings, list[str]]:
        """Read such a line."""
        said = json.loads(line)
        sources = said.pop("sources")
        said["users"] = tuple(User(**user) for user in said["users"])
        said["engine_id"] = bytes.fromhex(said["engine_id"])
        said["known"] = tuple(said["known"])
        return cls(**said), sources
