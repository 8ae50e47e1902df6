"""What a name server knows: zones as text, and what it says to a question (RFC 1034 §4.3.2, RFC 2308)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import dns.exception
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone

_MOST_ALIASES = 8
_DEFAULTS = "$TTL 300\n"
_SOA = "@ SOA ns hostmaster 1 3600 900 604800 300\n"
_IN = dns.rdataclass.IN

Rrsets = list[dns.rrset.RRset]


@dataclass(slots=True)
class Found:
    """What is said to a question."""

    rcode: dns.rcode.Rcode
    answer: Rrsets = field(default_factory=list)
    authority: Rrsets = field(default_factory=list)


class Zones:
    """The zones of one server.

    Parameters:
        texts: zone → its records in the master-file format (RFC 1035 §5), e.g. ``www A 10.0.0.80``. A missing TTL is
            300 s, a missing SOA is made. There are no delegations and no wildcards.

    Raises:
        ValueError: a text is no zone; names it and the line.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._zones: dict[dns.name.Name, dns.zone.Zone] = {}
        self._inner: dict[dns.name.Name, set[dns.name.Name]] = {}
        for name, text in texts.items():
            origin, zone = _parse(name, text)
            self._zones[origin] = zone
            self._inner[origin] = {parent for known in zone.nodes for parent in _between(known, origin)}

    def ask(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Found:
        """Answer a question of class IN."""
        origin = name
        while origin not in self._zones:
            if origin == dns.name.root:
                return Found(dns.rcode.REFUSED)
            origin = origin.parent()
        zone = self._zones[origin]
        answer: Rrsets = []
        for _ in range(_MOST_ALIASES):
            if found := self._records(zone, name, kind):
                return Found(dns.rcode.NOERROR, answer + found)
            alias = zone.get_rrset(name, dns.rdatatype.CNAME)
            if alias is None:
                break
            answer.append(alias)
            name = alias[0].target
            if not name.is_subdomain(origin):
                return Found(dns.rcode.NOERROR, answer)
        exists = zone.get_node(name) is not None or name in self._inner[origin]
        soa = zone.get_rrset(origin, dns.rdatatype.SOA)
        return Found(dns.rcode.NOERROR if exists else dns.rcode.NXDOMAIN, answer, [soa] if soa else [])

    @staticmethod
    def _records(zone: dns.zone.Zone, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Rrsets:
        if kind != dns.rdatatype.ANY:
            found = zone.get_rrset(name, kind)
            return [] if found is None else [found]
        node = zone.get_node(name)
        return [] if node is None else [dns.rrset.from_rdata_list(name, one.ttl, one) for one in node.rdatasets]


def _between(name: dns.name.Name, origin: dns.name.Name) -> Iterator[dns.name.Name]:
    """Give the names from a record's up to the zone's: they exist, also where they have no records (RFC 8020)."""
    while name != origin:
        name = name.parent()
        yield name


def _parse(name: str, text: str) -> tuple[dns.name.Name, dns.zone.Zone]:
    try:
        origin = dns.name.from_text(name)
        zone = _read(_DEFAULTS + text, origin)
        if zone.get_rdataset(origin, dns.rdatatype.SOA) is None:
            zone = _read(_DEFAULTS + _SOA + text, origin)
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"zone {name}: {error}") from error
    return origin, zone


def _read(text: str, origin: dns.name.Name) -> dns.zone.Zone:
    return dns.zone.from_text(text, origin, relativize=False, check_origin=False)
