"""The kinds of services there are: one row each."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.services import dns, ntp, rtsp, sip
from lab.services.pages import HttpFault, HttpOptions, HttpsFault, HttpsOptions
from lab.services.server import Server
from lab.services.sink import SmtpFault, SmtpOptions
from lab.services.words import Fault, Words


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of service.

    Parameters:
        port: its usual one.
        options: what it may be told to be.
        fault: what may be wrong with it.
        load: gives its server's class.
    """

    port: int
    options: type[Words]
    fault: type[Fault]
    load: Callable[[], type[Server[Any, Any]]]


def _http() -> type[Server[Any, Any]]:
    from lab.services.http import HttpServer  # noqa: PLC0415 its library comes with the extra [lab] only

    return HttpServer


def _https() -> type[Server[Any, Any]]:
    from lab.services.http import HttpsServer  # noqa: PLC0415 as above

    return HttpsServer


def _smtp() -> type[Server[Any, Any]]:
    from lab.services.smtp import SmtpServer  # noqa: PLC0415 as above

    return SmtpServer


KINDS: dict[str, Kind] = {
    "http": Kind(80, HttpOptions, HttpFault, _http),
    "https": Kind(443, HttpsOptions, HttpsFault, _https),
    "dns": Kind(dns.PORT, dns.DnsOptions, dns.DnsFault, lambda: dns.DnsServer),
    "smtp": Kind(25, SmtpOptions, SmtpFault, _smtp),
    "ntp": Kind(ntp.PORT, ntp.NtpOptions, ntp.NtpFault, lambda: ntp.NtpServer),
    "sip": Kind(sip.PORT, sip.SipOptions, sip.SipFault, lambda: sip.SipServer),
    "rtsp": Kind(rtsp.PORT, rtsp.RtspOptions, rtsp.RtspFault, lambda: rtsp.RtspServer),
}


def kind(name: str) -> Kind:
    """Return a kind by its name.

    Raises:
        ValueError: there is none; names those there are.
    """
    found = KINDS.get(name)
    if found is None:
        near = difflib.get_close_matches(str(name), KINDS, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"there is no kind of service {name!r}{hint}; there are {', '.join(KINDS)}")
    return found
