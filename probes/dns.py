"""A question to one DNS server, asked directly: not through this machine's resolver."""

from __future__ import annotations

import asyncio
import time

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from haidang.clock import Clock
from haidang.model import Observation, Sample, Status


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
    sent_ns = clock.utc_ns()
    began = time.perf_counter()
    fields: dict[str, float | int | str | bool] = {}
    status, reason = Status.DOWN, ""
    try:
        async with asyncio.timeout(timeout_s):
            answer, over_tcp = await dns.asyncquery.udp_with_fallback(question, address, timeout=timeout_s, port=port)
    except (TimeoutError, dns.exception.Timeout):
        reason = f"no answer from {address} within {timeout_s:g} s"
    except OSError as error:
        reason = f"{address}: {(error.strerror or str(error)).lower()}"
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
    ok = status is Status.UP
    return Observation(
        target, "dns", slot_ns or sent_ns, status, reason, fields, duration_ms, (Sample(sent_ns, ok),)
    )  # fmt: skip
