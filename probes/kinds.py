"""The probes by name: what is called, and with which settings. A new protocol is one file and one line here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from haidang.clock import Clock
from haidang.model import Observation
from probes.attempt import Attempt, Settings, observe
from probes.h323 import H323Settings, h323
from probes.http import HttpSettings
from probes.ldap import LdapSettings, ldap
from probes.mail import MailSettings, imap, smtp
from probes.mssql import MssqlSettings, mssql
from probes.mysql import MysqlSettings, mysql
from probes.ntp import NtpSettings, ntp
from probes.onvif import OnvifSettings, onvif
from probes.oracle import OracleSettings, oracle
from probes.postgres import PostgresSettings, postgres
from probes.rtsp import RtspSettings, rtsp
from probes.sequence import pages
from probes.sip import SipSettings, sip
from probes.ssh import SshSettings, ssh
from probes.tcp import TcpSettings, tcp
from probes.tls import TlsSettings, tls
from probes.zone import ZoneSettings, zone


@dataclass(frozen=True, slots=True)
class Kind:
    """One probe.

    Parameters:
        run: the probe.
        settings: the class of its settings.
        measurement: Telegraf's name for what it measures.
    """

    run: Callable[[Attempt, Any], Awaitable[None]]
    settings: type[Settings]
    measurement: str = "net_response"


PROBES: Mapping[str, Kind] = {
    "tcp": Kind(tcp, TcpSettings),
    "tls": Kind(tls, TlsSettings, "x509_cert"),
    "http": Kind(pages, HttpSettings, "http_response"),
    "zone": Kind(zone, ZoneSettings, "dns_query"),
    "ntp": Kind(ntp, NtpSettings, "ntp_query"),
    "smtp": Kind(smtp, MailSettings),
    "imap": Kind(imap, MailSettings),
    "ldap": Kind(ldap, LdapSettings),
    "ssh": Kind(ssh, SshSettings),
    "sip": Kind(sip, SipSettings),
    "h323": Kind(h323, H323Settings),
    "rtsp": Kind(rtsp, RtspSettings),
    "onvif": Kind(onvif, OnvifSettings),
    "postgres": Kind(postgres, PostgresSettings),
    "mysql": Kind(mysql, MysqlSettings),
    "mssql": Kind(mssql, MssqlSettings),
    "oracle": Kind(oracle, OracleSettings),
}


async def probe(
    name: str, clock: Clock, target: str, host: str, settings: Settings, *, address: str = "",
    slot_ns: int | None = None,
) -> Observation:  # fmt: skip
    """Make one probe of these.

    Parameters:
        name: one of `PROBES`.
        clock: stamps the observation.
        target: id for the observation.
        host: name or address, as written.
        settings: of the probe's own class.
        address: of the host, numeric, where it is known.
        slot_ns: the scheduled time, now when ``None``.

    Raises:
        BadSettings: the settings make no sense.
    """
    kind = PROBES[name]
    return await observe(
        name, lambda attempt: kind.run(attempt, settings), clock=clock, target=target, host=host, address=address,
        timeout_s=settings.timeout_s, dscp=settings.dscp, slot_ns=slot_ns,
    )  # fmt: skip
