"""``haidang probe KIND`` for services: one command for each probe of `probes.kinds`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urljoin, urlsplit

import typer

from collectors.plan import service_settings
from config import ConfigurationInvalid, SecretUnavailable, load_steps
from haidang.clock import SystemClock
from haidang.commands.common import JsonOption, fail
from haidang.commands.observations import run, show
from probes.attempt import Settings
from probes.certificates import WARN_DAYS
from probes.h323 import H323Settings
from probes.http import EXPECTED as HTTP_EXPECTED
from probes.http import HttpSettings
from probes.kinds import probe
from probes.ldap import LdapSettings
from probes.mail import MailSettings
from probes.mssql import MssqlSettings
from probes.mysql import MysqlSettings
from probes.ntp import NtpSettings
from probes.onvif import PATH as ONVIF_PATH
from probes.onvif import OnvifSettings
from probes.oracle import OracleSettings
from probes.postgres import PostgresSettings
from probes.rtsp import RtspSettings
from probes.sip import EXPECTED as SIP_EXPECTED
from probes.sip import SipSettings
from probes.ssh import SshSettings
from probes.tcp import TcpSettings
from probes.tls import TlsSettings
from probes.zone import ZoneSettings

Target = Annotated[str, typer.Argument(help="Address or host name.", show_default=False)]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="0: the protocol's own.")]
Timeout = Annotated[float, typer.Option(min=0.05, max=300, help="Seconds for everything together.")]
Dscp = Annotated[int, typer.Option(min=0, max=63, help="Differentiated services code point of what is sent.")]
ServerName = Annotated[str, typer.Option(help="Whom the certificate must be for, and SNI; default: the target.")]
Verify = Annotated[bool, typer.Option(help="Whether the certificate must be the right one.")]
Trust = Annotated[str, typer.Option(metavar="FILE", help="Authorities to trust instead of this machine's (PEM).")]
Certificate = Annotated[str, typer.Option(metavar="FILE", help="A certificate to show to the server (PEM).")]
Key = Annotated[str, typer.Option(metavar="FILE", help="The key of that certificate (PEM).")]
WarnDays = Annotated[float, typer.Option(min=0, max=3650, help="Warn when a certificate expires sooner.")]


def _do(kind: str, target: str, settings: Settings, *, as_json: bool) -> None:
    if not target.strip() or "/" in target or any(map(str.isspace, target)):
        fail(f"{target} is not the address or the name of a host")
    show(run(probe(kind, SystemClock(), target, target, settings)), as_json=as_json)


def tcp(
    target: Target,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="TCP port.", show_default=False)],
    send: Annotated[str, typer.Option(help="Say this after connecting; \\r and \\n may be written so.")] = "",
    expect: Annotated[str, typer.Option(help="This must be in the answer.")] = "",
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Connect to a TCP port."""
    settings = TcpSettings(port=port, timeout_s=timeout, dscp=dscp, send=send, expect=expect)
    _do("tcp", target, settings, as_json=as_json)


def tls(
    target: Target,
    port: Port = 0,
    starttls: Annotated[str, typer.Option(help="Begin in clear: smtp, imap, ldap or postgres.")] = "",
    server_name: ServerName = "",
    verify: Verify = True,
    trust: Trust = "",
    certificate: Certificate = "",
    key: Key = "",
    warn_days: WarnDays = WARN_DAYS,
    weak_versions: Annotated[bool, typer.Option("--weak-versions", help="Also try TLS 1.0 and 1.1.")] = False,
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Shake hands for TLS and look at the certificates."""
    settings = TlsSettings(
        port=port, timeout_s=timeout, dscp=dscp, server_name=server_name, verify=verify, trust=trust,
        certificate=certificate, key=key, warn_days=warn_days, starttls=starttls, weak_versions=weak_versions,
    )  # fmt: skip
    _do("tls", target, settings, as_json=as_json)


def http(
    url: Annotated[
        str, typer.Argument(help="Of the page: http://HOST/PATH or https://HOST/PATH.", show_default=False)
    ] = "",
    steps: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Several pages in a row: what stands below http: of a target (YAML)."),
    ] = None,
    method: Annotated[str, typer.Option(help="GET, HEAD or POST.")] = "GET",
    header: Annotated[list[str] | None, typer.Option(help="A further header, NAME: VALUE; may be repeated.")] = None,
    body: Annotated[str, typer.Option(help="To send with POST.")] = "",
    status: Annotated[str, typer.Option(help="Expected codes: 200-299,401.")] = HTTP_EXPECTED,
    contains: Annotated[str, typer.Option(help="Text that must be in the page's first MiB.")] = "",
    lacks: Annotated[str, typer.Option(help="Text that must not be there.")] = "",
    json: Annotated[str, typer.Option("--json-path", help="A place in a JSON page: nodes[0].state, and")] = "",
    equals: Annotated[str, typer.Option(help="what must be there.")] = "",
    redirects: Annotated[int, typer.Option(min=0, max=20, help="How many to follow.")] = 5,
    address: Annotated[str, typer.Option(help="Connect to this address instead of the host's own.")] = "",
    server_name: ServerName = "",
    verify: Verify = True,
    trust: Trust = "",
    certificate: Certificate = "",
    key: Key = "",
    warn_days: WarnDays = WARN_DAYS,
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Fetch a page, with the times of name, connection, TLS, first byte and the rest."""
    headers = dict(_header(one) for one in header or ())
    if not url and steps is None:
        fail("the address of a page is missing: haidang probe http http://HOST/PATH, or --steps FILE")
    url = url if "://" in url or not url else f"http://{url}"
    settings = HttpSettings(
        timeout_s=timeout, dscp=dscp, server_name=server_name, verify=verify, trust=trust, certificate=certificate,
        key=key, warn_days=warn_days, url=url, method=method.upper(), headers=headers, body=body, status=status,
        contains=contains, lacks=lacks, json=json, equals=equals, redirects=redirects,
    )  # fmt: skip
    if steps is not None:
        settings = _stepped(settings, steps)
        url = settings.steps[0].url
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    if not host:
        where = f"the first step of {steps}, {url}," if steps else url
        cure = "; or give the server: haidang probe http https://HOST --steps FILE" if steps else ""
        fail(f"{where} is not the address of a page: write http://HOST/PATH or https://HOST/PATH{cure}")
    show(run(probe("http", SystemClock(), url, host, settings, address=address)), as_json=as_json)


def _stepped(given: HttpSettings, file: Path) -> HttpSettings:
    """Join the command line and a file of steps: the file says what is asked, and wins over what both say."""
    plain = HttpSettings(url=given.url)
    for name in ("method", "headers", "body", "status", "contains", "lacks", "json", "equals", "redirects"):
        if getattr(given, name) != getattr(plain, name):
            option = {"json": "json-path", "headers": "header"}.get(name, name)
            fail(f"--{option} and --steps: each step in {file} says this for itself")
    try:
        section = load_steps(file)
        settings = service_settings("http", section, file.parent).settings
    except ConfigurationInvalid as invalid:
        fail(*map(str, invalid.errors))
    except SecretUnavailable as error:
        fail(str(error))
    written = {name: getattr(settings, name) for name in section.model_fields_set & {f.name for f in fields(given)}}
    joined = replace(given, **written)
    if given.url:
        first = replace(joined.steps[0], url=urljoin(given.url, joined.steps[0].url))
        joined = replace(joined, steps=(first, *joined.steps[1:]))
    return joined


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        fail(f"{text} is no header: write 'NAME: VALUE'")
    return name.strip(), value.strip()


def zone(
    target: Target,
    name: Annotated[str, typer.Option(help="Of the zone.", show_default=False)],
    port: Port = 0,
    dnssec: Annotated[
        str, typer.Option(help="none; signatures: must hold by the zone's keys; resolver: it must have validated.")
    ] = "none",
    same_serial: Annotated[bool, typer.Option(help="Whether all its name servers must have one serial.")] = True,
    timeout: Timeout = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Look at a zone of DNS: its signatures, and that its name servers all have the same version."""
    settings = ZoneSettings(port=port, timeout_s=timeout, name=name, dnssec=dnssec, same_serial=same_serial)
    _do("zone", target, settings, as_json=as_json)


def ntp(
    target: Target,
    port: Port = 0,
    max_offset: Annotated[float, typer.Option(min=0, help="Warn when its time is so many seconds off.")] = 1.0,
    max_stratum: Annotated[int, typer.Option(min=1, max=15, help="Warn above this stratum.")] = 15,
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Ask a time server: offset, stratum, whether it is synchronized."""
    settings = NtpSettings(port=port, timeout_s=timeout, dscp=dscp, max_offset_s=max_offset, max_stratum=max_stratum)
    _do("ntp", target, settings, as_json=as_json)


Security = Annotated[
    str,
    typer.Option(help="none; offered: STARTTLS where offered, unchecked; starttls: it must; tls: from the first byte."),
]


def smtp(
    target: Target,
    port: Port = 0,
    security: Security = "none",
    hello: Annotated[str, typer.Option(help="The name we give ourselves.")] = "monitor.invalid",
    server_name: ServerName = "",
    verify: Verify = True,
    trust: Trust = "",
    warn_days: WarnDays = WARN_DAYS,
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Speak to a mail server up to where a letter would begin."""
    settings = MailSettings(
        port=port, timeout_s=timeout, dscp=dscp, server_name=server_name, verify=verify, trust=trust,
        warn_days=warn_days, security=security, hello=hello,
    )  # fmt: skip
    _do("smtp", target, settings, as_json=as_json)


def imap(
    target: Target,
    port: Port = 0,
    security: Security = "none",
    server_name: ServerName = "",
    verify: Verify = True,
    trust: Trust = "",
    warn_days: WarnDays = WARN_DAYS,
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Speak to a mailbox server up to where a password would follow."""
    settings = MailSettings(
        port=port, timeout_s=timeout, dscp=dscp, server_name=server_name, verify=verify, trust=trust,
        warn_days=warn_days, security=security,
    )  # fmt: skip
    _do("imap", target, settings, as_json=as_json)


def ldap(
    target: Target,
    port: Port = 0,
    security: Annotated[str, typer.Option(help="none, starttls or tls.")] = "none",
    anonymous: Annotated[bool, typer.Option("--anonymous", help="An anonymous bind must be taken.")] = False,
    server_name: ServerName = "",
    verify: Verify = True,
    trust: Trust = "",
    warn_days: WarnDays = WARN_DAYS,
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Bind to a directory without a name."""
    settings = LdapSettings(
        port=port, timeout_s=timeout, dscp=dscp, server_name=server_name, verify=verify, trust=trust,
        warn_days=warn_days, security=security, anonymous=anonymous,
    )  # fmt: skip
    _do("ldap", target, settings, as_json=as_json)


def ssh(
    target: Target,
    port: Port = 0,
    expect: Annotated[str, typer.Option(help="This must be in its identification.")] = "",
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Read the identification of an SSH server."""
    _do("ssh", target, SshSettings(port=port, timeout_s=timeout, dscp=dscp, expect=expect), as_json=as_json)


def sip(
    target: Target,
    port: Port = 0,
    transport: Annotated[str, typer.Option(help="udp, tcp or tls.")] = "udp",
    user: Annotated[str, typer.Option(help="Whose address is asked for; default: the device itself.")] = "",
    status: Annotated[str, typer.Option(help="Answers that are UP.")] = SIP_EXPECTED,
    server_name: ServerName = "",
    verify: Verify = True,
    trust: Trust = "",
    warn_days: WarnDays = WARN_DAYS,
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Send OPTIONS to a conference room, a gateway or a proxy."""
    settings = SipSettings(
        port=port, timeout_s=timeout, dscp=dscp, server_name=server_name, verify=verify, trust=trust,
        warn_days=warn_days, transport=transport, user=user, status=status,
    )  # fmt: skip
    _do("sip", target, settings, as_json=as_json)


def rtsp(
    target: Target,
    port: Port = 0,
    path: Annotated[str, typer.Option(help="Of the stream, with its query; default: OPTIONS alone.")] = "",
    user: Annotated[str, typer.Option(help="Who may see it; the password in $HAIDANG_PASSWORD.")] = "",
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Ask a camera for its stream's description."""
    password = os.environ.get("HAIDANG_PASSWORD", "")
    settings = RtspSettings(port=port, timeout_s=timeout, dscp=dscp, path=path, username=user, password=password)
    _do("rtsp", target, settings, as_json=as_json)


def h323(
    target: Target,
    port: Port = 0,
    protocol: Annotated[str, typer.Option(help="q931: a room's status; ras: discover a gatekeeper.")] = "q931",
    answer: Annotated[bool, typer.Option(help="Whether a room must answer, not only take the connection.")] = True,
    gatekeeper: Annotated[str, typer.Option(help="The identifier a gatekeeper must have.")] = "",
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Enquire a room's status over Q.931, or discover a gatekeeper over RAS; nothing rings."""
    settings = H323Settings(
        port=port, timeout_s=timeout, dscp=dscp, protocol=protocol, answer=answer, gatekeeper=gatekeeper
    )
    _do("h323", target, settings, as_json=as_json)


def onvif(
    target: Target,
    port: Port = 0,
    path: Annotated[str, typer.Option(help="Of the device service.")] = ONVIF_PATH,
    security: Annotated[str, typer.Option(help="none or tls.")] = "none",
    max_offset: Annotated[float, typer.Option(min=0, help="Warn when its clock is so many seconds off.")] = 5.0,
    server_name: ServerName = "",
    verify: Verify = True,
    trust: Trust = "",
    warn_days: WarnDays = WARN_DAYS,
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Ask a camera for its time (GetSystemDateAndTime)."""
    settings = OnvifSettings(
        port=port, timeout_s=timeout, dscp=dscp, server_name=server_name, verify=verify, trust=trust,
        warn_days=warn_days, path=path, security=security, max_offset_s=max_offset,
    )  # fmt: skip
    _do("onvif", target, settings, as_json=as_json)


Login = Annotated[str, typer.Option("--user", help="Who is said to come; there is no password, nobody logs in.")]
DatabaseSecurity = Annotated[str, typer.Option(help="none, or starttls: TLS must be there.")]


def postgres(
    target: Target,
    port: Port = 0,
    security: DatabaseSecurity = "none",
    user: Login = "haidang",
    database: Annotated[str, typer.Option(help="Which one to ask for; default: of the user's name.")] = "",
    server_name: ServerName = "",
    verify: Verify = True,
    trust: Trust = "",
    warn_days: WarnDays = WARN_DAYS,
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Speak to a PostgreSQL server up to where a password would follow."""
    settings = PostgresSettings(
        port=port, timeout_s=timeout, dscp=dscp, server_name=server_name, verify=verify, trust=trust,
        warn_days=warn_days, security=security, username=user, database=database,
    )  # fmt: skip
    _do("postgres", target, settings, as_json=as_json)


def mysql(
    target: Target,
    port: Port = 0,
    security: DatabaseSecurity = "none",
    user: Login = "haidang",
    server_name: ServerName = "",
    verify: Verify = True,
    trust: Trust = "",
    warn_days: WarnDays = WARN_DAYS,
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Speak to a MySQL or MariaDB server until it refuses a login without a password."""
    settings = MysqlSettings(
        port=port, timeout_s=timeout, dscp=dscp, server_name=server_name, verify=verify, trust=trust,
        warn_days=warn_days, security=security, username=user,
    )  # fmt: skip
    _do("mysql", target, settings, as_json=as_json)


def mssql(
    target: Target, port: Port = 0, timeout: Timeout = 5.0, dscp: Dscp = 0, as_json: JsonOption = False
) -> None:  # fmt: skip
    """Ask a Microsoft SQL Server for its version (PRELOGIN)."""
    _do("mssql", target, MssqlSettings(port=port, timeout_s=timeout, dscp=dscp), as_json=as_json)


def oracle(
    target: Target,
    port: Port = 0,
    service: Annotated[str, typer.Option(help="Name of a service it must know; default: the listener alone.")] = "",
    timeout: Timeout = 5.0,
    dscp: Dscp = 0,
    as_json: JsonOption = False,
) -> None:
    """Ask an Oracle listener, as tnsping does."""
    _do("oracle", target, OracleSettings(port=port, timeout_s=timeout, dscp=dscp, service=service), as_json=as_json)


COMMANDS: Mapping[str, Callable[..., None]] = {
    "tcp": tcp, "tls": tls, "http": http, "zone": zone, "ntp": ntp, "smtp": smtp, "imap": imap, "ldap": ldap,
    "ssh": ssh, "sip": sip, "h323": h323, "rtsp": rtsp, "onvif": onvif, "postgres": postgres, "mysql": mysql,
    "mssql": mssql, "oracle": oracle,
}  # fmt: skip
