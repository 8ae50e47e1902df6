"""The kinds of values that name something on a network: addresses, hosts, mailboxes, DNS questions."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, TypeAlias

import dns.exception
import dns.name
import dns.rdatatype

from config.errors import quoted
from config.schema.values import Refusal, whole, written

_MAILBOX = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@[^\s@<>()\[\]\\,;:\"]{1,253}")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)


def is_host_name(value: str) -> bool:
    """Tell whether this can be a host name (RFC 1123 §2.1, with the underscore that real networks have)."""
    labels = value.removesuffix(".").split(".")
    return len(value) <= 253 and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()


def _without_port(value: str, cure: str) -> None:
    """Refuse HOST:PORT with a cure of its own: it is what people write most often instead of an address."""
    host, colon, port = value.rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.endswith("]")):
        raise Refusal(f"{quoted(value)} has a port in it: {cure}")


def _address(value: str) -> str:
    try:
        found = ipaddress.ip_address(value)
    except ValueError:
        if "://" in value:
            raise Refusal(f"{quoted(value)} is the address of a page: give the name of its host alone") from None
        if "/" in value:
            raise Refusal(f"{quoted(value)} is a network, not an address: give each device's own address") from None
        _without_port(value, "leave it out; port: is a key of the probe")
        if re.fullmatch(r"[0-9.]+", value) or ":" in value or not is_host_name(value):
            raise Refusal(f"{quoted(value)} is neither an IPv4 or IPv6 address nor a host name") from None
        return value
    if found.is_multicast or found.is_unspecified or str(found) == "255.255.255.255":
        raise Refusal(f"{quoted(value)} is not the address of one device")
    if found.version == 6 and found.is_link_local and not getattr(found, "scope_id", None):
        raise Refusal(f"{quoted(value)} is link-local: add the interface, e.g. {found}%eth0")
    return str(found)


def _host(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        _without_port(value, "write it beside, as port:")
        if not is_host_name(value):
            raise Refusal(f"{quoted(value)} is neither a host name nor an IPv4 or IPv6 address") from None
        return value


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        try:
            near = str(ipaddress.ip_network(value, strict=False))
        except ValueError:
            near = ""
        why = "has bits set behind its prefix" if near else "is not a network"
        raise Refusal(f"{quoted(value)} {why}: write it as 10.0.0.0/8 or 2001:db8::/32", hint=near) from error


def _mailbox(value: str) -> str:
    if not _MAILBOX.fullmatch(value) or not is_host_name(value.rpartition("@")[2]):
        raise Refusal(f"{quoted(value)} is not a mail address: write name@example.org")
    return value


def _sender(value: str) -> str:
    match = re.fullmatch(r"[^<>\r\n]{1,200}<([^<>]+)>", value)
    _mailbox(match[1] if match else value)
    return value


def _question(value: str) -> str:
    try:
        dns.name.from_text(value)
    except (dns.exception.DNSException, ValueError) as error:
        raise Refusal(f"{quoted(value)} is not a DNS name: {str(error).rstrip('.').lower()}") from error
    return value


def _record_type(value: str) -> str:
    try:
        kind = dns.rdatatype.from_text(value)
    except (dns.exception.DNSException, ValueError) as error:
        raise Refusal(f"{quoted(value)} is not a DNS record type: A, AAAA, SOA, NS, MX, TXT … are") from error
    if dns.rdatatype.is_metatype(kind):
        raise Refusal(f"{quoted(value)} is not a record type one can ask a server for: A, AAAA, SOA, NS, MX, TXT … are")
    return value.upper()


def _engine_id(value: str) -> str:
    digits = value.lower().removeprefix("0x").replace(":", "")
    if not re.fullmatch(r"([0-9a-f]{2}){5,32}", digits):
        raise Refusal(
            f"{quoted(value)} is not an engine ID: write 10 to 64 hexadecimal digits, as 80001f8880e9630000d6"
        )
    return digits


Address: TypeAlias = Annotated[str, written(_address)]
Network: TypeAlias = Annotated[str, written(_network)]
Mailbox: TypeAlias = Annotated[str, written(_mailbox)]
Sender: TypeAlias = Annotated[str, written(_sender)]
HostName: TypeAlias = Annotated[str, written(_host)]
EngineId: TypeAlias = Annotated[str, written(_engine_id)]
DnsName: TypeAlias = Annotated[str, written(_question)]
DnsType: TypeAlias = Annotated[str, written(_record_type)]
Port: TypeAlias = Annotated[int, whole(1, 65535)]
