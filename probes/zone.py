"""A zone of DNS: that its signatures hold (RFC 4035), and that all its name servers have the same version."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import dns.dnssec
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from probes.attempt import Attempt, BadSettings, Down, Settings, shown
from probes.dns import exchange

PORT = 53
MOST_SERVERS = 13
DNSSEC = ("none", "signatures", "resolver")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneSettings(Settings):
    """Which zone, and what must be true of it.

    Parameters:
        name: of the zone; the target is one of its name servers, or a resolver.
        dnssec: ``none``; ``signatures``: those over the SOA must hold by the zone's own keys; ``resolver``: the target
            must have validated the answer itself, up to a key it trusts (the AD bit).
        same_serial: whether every name server of the zone must answer with the same serial.
    """

    name: str
    dnssec: str = "none"
    same_serial: bool = True


async def zone(attempt: Attempt, settings: ZoneSettings) -> None:
    """Ask for the SOA, judge its signatures, and compare it with what the zone's other name servers say."""
    if settings.dnssec not in DNSSEC:
        raise BadSettings(f"dnssec is none of {', '.join(DNSSEC)}: {shown(settings.dnssec)}")
    try:
        name = dns.name.from_text(settings.name)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise BadSettings(f"{shown(settings.name) or 'nothing'} is no name of a zone") from error
    server = Server(attempt.address, settings.port or PORT)
    with attempt.phase("answer", f"waiting for the SOA of {shown(settings.name)}"):
        answer = await server.ask(name, "SOA")
    soa = answer.get_rrset(answer.answer, name, dns.rdataclass.IN, dns.rdatatype.SOA)
    if soa is None:
        raise Down(f"it has no SOA of {shown(settings.name)}: it is no zone there")
    attempt.fields["serial"] = int(soa[0].serial)
    attempt.fields["authenticated"] = bool(answer.flags & dns.flags.AD)
    if settings.dnssec == "resolver" and not answer.flags & dns.flags.AD:
        raise Down("it did not validate the answer: the AD bit is missing")
    if settings.dnssec == "signatures":
        with attempt.phase("keys", "waiting for the keys of the zone"):
            keys = await server.ask(name, "DNSKEY")
        attempt.fields["signature_days"] = judge(answer, keys, name, attempt.clock.utc_ns() / 1e9)
    if settings.same_serial:
        with attempt.phase("servers", "asking the zone's other name servers"):
            await _compare(attempt, server, name, int(soa[0].serial))


@dataclass(frozen=True, slots=True)
class Server:
    """A server to be asked; the deadline is the caller's."""

    address: str
    port: int

    async def ask(self, name: dns.name.Name, record: str) -> dns.message.Message:
        """Ask one question, with the records of DNSSEC.

        Raises:
            Down: it answers with an error, or not in DNS.
            OSError: there is no answer.
        """
        question = dns.message.make_query(name, record, want_dnssec=True)
        question.flags |= dns.flags.AD  # we understand the bit (RFC 6840 §5.7)
        try:
            answer, _ = await exchange(question, self.address, self.port)
        except (dns.exception.DNSException, ValueError, EOFError) as error:
            raise Down(f"its answer is not DNS: {type(error).__name__}") from error
        if answer.rcode() != dns.rcode.NOERROR:
            raise Down(f"it answered {dns.rcode.to_text(answer.rcode())} to {shown(name.to_text(), 80)} {record}")
        return answer


def judge(answer: dns.message.Message, keys: dns.message.Message, name: dns.name.Name, now_s: float) -> float:
    """Check the signatures of the zone's keys and of its SOA by these keys.

    That the keys are the right ones is for a resolver to say; found is here what breaks in practice: signatures that
    ran out, or do not fit.

    Parameters:
        answer, keys: to SOA and DNSKEY, with their signatures.
        name: of the zone.
        now_s: seconds since 1970.

    Returns:
        days until the first of the signatures runs out.

    Raises:
        Down: something is not signed, or a signature does not hold.
    """
    known = keys.get_rrset(keys.answer, name, dns.rdataclass.IN, dns.rdatatype.DNSKEY)
    if known is None:
        raise Down("the zone is not signed: it has no keys")
    ends: list[int] = []
    for message, kind in ((keys, dns.rdatatype.DNSKEY), (answer, dns.rdatatype.SOA)):
        what = dns.rdatatype.to_text(kind)
        rrset = message.get_rrset(message.answer, name, dns.rdataclass.IN, kind)
        signatures = message.get_rrset(message.answer, name, dns.rdataclass.IN, dns.rdatatype.RRSIG, kind)
        if rrset is None or signatures is None:
            raise Down(f"its {what} is not signed")
        until = max(int(one.expiration) for one in signatures)
        if until < now_s:
            raise Down(f"the signature of its {what} ran out {(now_s - until) / 86_400:.1f} days ago")
        try:
            dns.dnssec.validate(rrset, signatures, {name: known.to_rdataset()}, now=now_s)
        except (dns.exception.DNSException, ValueError) as error:
            raise Down(f"the signature of its {what} does not hold: {shown(str(error), 60)}") from error
        ends.append(until)
    return round((min(ends) - now_s) / 86_400, 3)


async def _compare(attempt: Attempt, server: Server, name: dns.name.Name, serial: int) -> None:
    answer = await server.ask(name, "NS")
    listed = answer.get_rrset(answer.answer, name, dns.rdataclass.IN, dns.rdatatype.NS)
    hosts = sorted(one.target for one in listed)[:MOST_SERVERS] if listed is not None else []
    attempt.fields["servers"] = len(hosts)
    # Each has a third of the time: a silent one must leave some for telling which it is.
    told = await asyncio.gather(*(_serial(attempt, server, name, host) for host in hosts))
    wrong = [f"{_short(host)}: {said}" for host, said in zip(hosts, told, strict=True) if isinstance(said, str)]
    serials = {said for said in told if isinstance(said, int)} | {serial}
    attempt.fields["serials"] = len(serials)
    if len(serials) > 1:
        each = [f"{_short(host)}: {said}" for host, said in zip(hosts, told, strict=True) if isinstance(said, int)]
        raise Down(f"its name servers have different versions: {shown('; '.join([*each, *wrong]), 300)}")
    if wrong:
        raise Down(f"not all of its name servers answer: {shown('; '.join(wrong), 300)}")


async def _serial(attempt: Attempt, server: Server, name: dns.name.Name, host: dns.name.Name) -> int | str:
    try:
        async with asyncio.timeout(attempt.timeout_s / 3):
            address = await _address(attempt, server, host)
            answer = await Server(address, server.port).ask(name, "SOA")
    except TimeoutError:
        return "no answer"
    except Down as down:
        return str(down)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    soa = answer.get_rrset(answer.answer, name, dns.rdataclass.IN, dns.rdatatype.SOA)
    return int(soa[0].serial) if soa is not None else "does not have the zone"


async def _address(attempt: Attempt, server: Server, host: dns.name.Name) -> str:
    records: Sequence[str] = ("AAAA", "A") if ":" in server.address else ("A", "AAAA")
    for record in records:
        answer = await server.ask(host, record)
        for rrset in answer.answer:
            if rrset.rdclass == dns.rdataclass.IN and dns.rdatatype.to_text(rrset.rdtype) == record:
                return str(rrset[0].address)
    return await attempt.resolve(host.to_text(omit_final_dot=True))


def _short(host: dns.name.Name) -> str:
    return shown(host.to_text(omit_final_dot=True), 60)
