"""A question to one DNS server, asked directly: not through this machine's resolver."""

from __future__ import annotations

import asyncio
import errno
import socket
import time

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from haidang.clock import Clock
from haidang.model import Observation, Sample, Status

_ANSWERS_OF_THE_NETWORK = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.ENETUNREACH})
"""Errors that say something of the server or the way to it; any other is this machine's own."""


async def exchange(question: dns.message.Message, address: str, port: int) -> tuple[dns.message.Message, bool]:
    """Ask over UDP, and over TCP when the answer is cut off; the deadline is the caller's.

    The socket is connected, so that a port where nobody listens refuses at once.

    Returns:
        the answer, and whether it came over TCP.

    Raises:
        OSError, dns.exception.DNSException, ValueError, EOFError: there is none, or it is not DNS.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    backend = dns.asyncbackend.get_default_backend()
    near = await backend.make_socket(family, socket.SOCK_DGRAM, 0, None, (address, port))  # type: ignore[no-untyped-call]
    async with near:
        return await dns.asyncquery.udp_with_fallback(question, address, port=port, udp_sock=near)


async def query(
    clock: Clock, target: str, address: str, *, name: str = ".", record: str = "SOA", port: int = 53,
    timeout_s: float = 3.0, slot_ns: int | None = None,
) -> Observation:  # fmt: skip
    """Ask a server one question over UDP, over TCP when the answer is cut off (RFC 1035, RFC 7766).

    An answer with ``NOERROR`` or ``NXDOMAIN`` is *up*: the server does its work. ``SERVFAIL``, ``REFUSED`` and silence
    are *down*.

    Parameters:
        clock: stamps the observation.
        target: id for the observation.
        address, port: the server.
        name, record: the question, e.g. ``.`` and ``SOA``.
        timeout_s: deadline for everything.
        slot_ns: the scheduled time, now when ``None``.

    Raises:
        ValueError: the name or the record type is not one.
    """
    try:
        question = dns.message.make_query(dns.name.from_text(name), dns.rdatatype.from_text(record))
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"{name} {record} is not a DNS question: {error}") from error
    slot_ns = slot_ns or clock.utc_ns()
    began = time.perf_counter()
    fields: dict[str, float | int | str | bool] = {}
    status, reason = Status.DOWN, ""
    try:
        async with asyncio.timeout(timeout_s):
            answer, over_tcp = await exchange(question, address, port)
    except (TimeoutError, dns.exception.Timeout):
        reason = f"no answer from {address} within {timeout_s:g} s"
    except OSError as error:
        reason = f"{address}: {(error.strerror or str(error)).lower()}"
        if error.errno not in _ANSWERS_OF_THE_NETWORK:
            status = Status.UNKNOWN
    except (dns.exception.DNSException, ValueError, EOFError) as error:
        reason = f"{address} answered with something that is not DNS: {type(error).__name__}"
    else:
        rcode = answer.rcode()
        fields = {"rcode": int(rcode), "answers": sum(len(rrset) for rrset in answer.answer), "over_tcp": over_tcp}
        if rcode in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            status = Status.UP
        else:
            reason = f"{address} answered {dns.rcode.to_text(rcode)} to {name} {record}"
    duration_ms = (time.perf_counter() - began) * 1e3
    if fields:
        fields["query_time_ms"] = duration_ms
    # Stamped at the end, so that a step of the wall clock meanwhile does not leave a time of the old one.
    sample = Sample(clock.utc_ns() - round(duration_ms * 1e6), status is Status.UP)
    samples = () if status is Status.UNKNOWN else (sample,)
    return Observation(target, "dns", slot_ns, status, reason, fields, duration_ms, samples)
