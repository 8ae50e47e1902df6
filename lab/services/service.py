"""A service as the province describes it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.services.kinds import kind
from lab.services.words import Words, read


@dataclass(frozen=True, slots=True)
class Service:
    """Something real that listens at an address.

    Parameters:
        kind: one of `lab.services.KINDS`.
        address: IPv4 or IPv6.
        port: ``None`` for the kind's usual one, 0 for any that is free.
        options: what it is, see the kind's options, e.g. `lab.services.pages.HttpOptions`.

    Raises:
        ValueError: there is no such kind or option, or its value, the address or the port is none; names it.
    """

    kind: str
    address: str
    port: int | None = None
    options: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = kind(self.kind)
        object.__setattr__(self, "address", str(ipaddress.ip_address(self.address)))
        if self.port is None:
            object.__setattr__(self, "port", known.port)
        elif not isinstance(self.port, int) or not 0 <= self.port <= 65535:
            raise ValueError(f"a port is 0 to 65535, not {self.port!r}")
        self.read_options()

    def read_options(self) -> Words:
        """Return the options, checked."""
        return read(kind(self.kind).options, self.options, f"{self.kind} option")
