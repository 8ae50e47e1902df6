"""A zone of DNS against BIND: signed, copied, and validated by a resolver that trusts its key."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import dns.message
import dns.name
import dns.query
import pytest

from haidang.clock import SystemClock
from haidang.model import Observation, Status
from probes.attempt import FAULT, Down
from probes.dns import query
from probes.http import HttpSettings
from probes.icmp import IcmpEngine, ping
from probes.kinds import probe
from probes.tcp import TcpSettings
from probes.tls import TlsSettings
from probes.zone import Server, ZoneSettings, judge
from tests.support.certificates import Authority
from tests.support.exporter import exporter_says
from tests.support.parts import require
from tests.support.peers import HOST, free_port, program

ZONE = """$TTL 300
@ IN SOA ns1 admin {serial} 3600 600 86400 300
@ IN NS ns1
@ IN NS ns2
ns1 IN A 127.0.0.1
ns2 IN AAAA ::1
"""
OPTIONS = (
    'options {{ directory "{folder}"; {listen}; '
    'pid-file "{folder}/pid"; session-keyfile "{folder}/session"; managed-keys-directory "{folder}"; {more} }};\n'
    "controls {{ }};\n"
)


def keys_of(port: int) -> dns.message.Message:
    return dns.query.udp(dns.message.make_query("bac.test", "DNSKEY", want_dnssec=True), HOST, port=port, timeout=2)


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Two servers at one port, 127.0.0.1 with a signed zone and ::1 with copies, and a resolver; gives both ports."""
    named = require("named", "bind9")
    number, other = free_port(), free_port()
    with ExitStack() as stack:

        def start(listen: str, zones: str, more: str, *, first: bool = False, at: int = number) -> None:
            folder = tmp_path_factory.mktemp("named")
            for name, serial in (("bac", 7), ("nam", 8 if first else 7), ("trung", 7)):
                (folder / f"{name}.zone").write_text(ZONE.format(serial=serial))
            options = OPTIONS.format(folder=folder, listen=listen, more=more)
            (folder / "named.conf").write_text(options + zones)
            command = [named, "-g", "-n", "1", "-c", str(folder / "named.conf")]
            stack.enter_context(program(command, at, folder=folder, udp="none" in listen.partition(";")[0]))

        plain = 'zone "{0}.test" {{ type primary; file "{0}.zone"; {1} }};\n'
        signed = "dnssec-policy default; inline-signing yes;"
        recursion = "recursion no; dnssec-validation no;"
        v4 = "listen-on port {} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}"
        ours = plain.format("bac", signed) + plain.format("nam", "") + plain.format("trung", "")
        start(v4.format(number), ours, recursion, first=True)
        start(f"listen-on {{ none; }}; listen-on-v6 port {number} {{ ::1; }}", plain.format("nam", ""), recursion)
        until = time.monotonic() + 10
        while len((answer := keys_of(number)).answer) < 2:  # it signs after it listens
            assert time.monotonic() < until
            time.sleep(0.02)
        key = next(rdata for rdata in answer.answer[0] if rdata.flags & 1)
        text = base64.b64encode(key.key).decode()
        anchor = f'trust-anchors {{ "bac.test." static-key {key.flags} 3 {int(key.algorithm)} "{text}"; }};\n'
        forward = 'zone "{}.test" {{ type forward; forward only; forwarders {{ 127.0.0.1 port {}; }}; }};\n'
        zones = anchor + forward.format("bac", number) + forward.format("nam", number)
        more = "recursion yes; dnssec-validation yes; empty-zones-enable no;"
        start(v4.format(other), zones, more, at=other)
        yield number, other


@pytest.fixture
def port(ports: tuple[int, int]) -> int:
    return ports[0]


async def ask(name: str, port: int, address: str = HOST, **more: Any) -> Observation:
    settings = ZoneSettings(name=name, port=port, timeout_s=3, **more)
    found = await probe("zone", SystemClock(), "dns", address, settings)
    assert FAULT not in found.reason
    return found


async def test_a_signed_zone_holds_by_its_own_keys(port: int) -> None:
    seen = await ask("bac.test", port, dnssec="signatures", same_serial=False)
    assert (seen.status, seen.reason) == (Status.UP, "")
    assert 1 < float(seen.fields["signature_days"]) < 30
    assert {"answer_ms", "keys_ms", "serial"} <= seen.fields.keys()
    seen = await ask("nam.test", port, dnssec="signatures", same_serial=False)
    assert (seen.status, seen.reason) == (Status.DOWN, "the zone is not signed: it has no keys")


async def test_a_resolver_says_whether_it_validated(ports: tuple[int, int]) -> None:
    more: dict[str, Any] = {"dnssec": "resolver", "same_serial": False}
    seen = await ask("bac.test", ports[1], **more)
    assert (seen.status, seen.reason, seen.fields["authenticated"]) == (Status.UP, "", True)
    seen = await ask("bac.test", ports[0], **more)
    assert seen.reason == "it did not validate the answer: the AD bit is missing"


async def test_name_servers_with_different_serials_are_named(port: int) -> None:
    seen = await ask("nam.test", port)
    assert (seen.status, seen.fields["serials"]) == (Status.DOWN, 2)
    assert seen.reason == "its name servers have different versions: ns1.nam.test: 8; ns2.nam.test: 7"
    seen = await ask("trung.test", port)
    assert seen.status is Status.DOWN
    assert seen.reason.startswith("not all of its name servers answer: ns2.trung.test: it answered REF")


async def test_what_is_no_zone_there_is_down(port: int) -> None:
    assert "no zone there" in (await ask("ns1.bac.test", port)).reason
    assert "REFUSED" in (await ask("elsewhere.test", port)).reason


async def test_signatures_that_ran_out_or_do_not_fit_are_told(port: int) -> None:
    name, server = dns.name.from_text("bac.test"), Server(HOST, port)
    soa, keys = await server.ask(name, "SOA"), await server.ask(name, "DNSKEY")
    now_s = SystemClock().utc_ns() / 1e9
    assert judge(soa, keys, name, now_s) > 1
    with pytest.raises(Down, match=r"the signature of its DNSKEY ran out 1?\d\d\.\d days ago"):
        judge(soa, keys, name, now_s + 200 * 86_400)
    forged = dns.message.from_text(str(soa).replace(" 3600 ", " 3601 "))
    with pytest.raises(Down, match="the signature of its SOA does not hold"):
        judge(forged, keys, name, now_s)


async def test_a_silent_server_is_down_at_the_deadline(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        settings = ZoneSettings(name="bac.test", port=sock.getsockname()[1], timeout_s=0.2)
        seen = await probe("zone", SystemClock(), "dns", HOST, settings)
    assert seen.reason == "no answer within 0.2 s, while waiting for the SOA of bac.test"
    assert seen.duration_ms < 250


@asynccontextmanager
async def slow_page(context: ssl.SSLContext | None) -> AsyncIterator[int]:
    """Serve a page that takes 150 ms for TLS, 300 ms to the first byte, 200 ms for the rest; gives the port."""
    loop = asyncio.get_running_loop()

    async def serve(near: socket.socket) -> None:
        if context is not None:
            await asyncio.sleep(0.15)
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, near, ssl=context)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.3)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhello")
            await asyncio.sleep(0.2)
            writer.write(b"world")
            await reader.read()
        transport.abort()

    async def accept() -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                near, _ = await loop.sock_accept(listener)
                group.create_task(serve(near))

    with socket.create_server((HOST, 0)) as listener:
        listener.setblocking(False)
        task = asyncio.create_task(accept())
        yield int(listener.getsockname()[1])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_phases_of_all_agree_with_the_blackbox_exporter_in_one_run(port: int, tmp_path: Path) -> None:
    exporter = require("prometheus-blackbox-exporter", "prometheus-blackbox-exporter")
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("web.pem", HOST))
    tls = f"preferred_ip_protocol: ip4, tls_config: {{ca_file: {authority.file}}}"
    (tmp_path / "blackbox.yml").write_text(f"""
modules:
  http: {{prober: http, timeout: 5s, http: {{{tls}}}}}
  tls: {{prober: tcp, timeout: 5s, tcp: {{{tls}, tls: true}}}}
  tcp: {{prober: tcp, timeout: 5s, tcp: {{preferred_ip_protocol: ip4}}}}
  dns: {{prober: dns, timeout: 1s, dns: {{preferred_ip_protocol: ip4, query_name: bac.test, query_type: SOA}}}}
  ping: {{prober: icmp, timeout: 3s, icmp: {{preferred_ip_protocol: ip4}}}}
""")
    web, trust, clock = free_port(), str(authority.file), SystemClock()
    command = [exporter, f"--config.file={tmp_path}/blackbox.yml", f"--web.listen-address={HOST}:{web}"]
    with program(command, web, folder=tmp_path):
        async with slow_page(None) as plain, slow_page(context) as safe:

            async def theirs(module: str, target: str) -> dict[str, float]:
                found = await asyncio.to_thread(exporter_says, web, module, target)
                assert found["probe_success"] == 1, (module, target)
                return found

            for scheme, number in (("http", plain), ("https", safe)):
                url = f"{scheme}://{HOST}:{number}/"
                said, seen = await asyncio.gather(
                    theirs("http", url), probe("http", clock, "web", HOST, HttpSettings(url=url, trust=trust))
                )
                assert seen.status is Status.UP, seen.reason
                took = {"connect": 0, "tls": 150 * (scheme == "https"), "processing": 300, "transfer": 200}
                ours = {
                    "connect": "connect_ms",
                    "tls": "tls_ms",
                    "processing": "first_byte_ms",
                    "transfer": "transfer_ms",
                }
                for phase, expected in took.items():
                    their_ms = said.get(f'probe_http_duration_seconds{{phase="{phase}"}}', 0) * 1e3
                    our_ms = float(seen.fields.get(ours[phase], 0))
                    assert expected - 10 <= our_ms <= expected + 100, (url, phase)
                    assert abs(our_ms - their_ms) < 50, (url, phase)
            said, seen = await asyncio.gather(
                theirs("tls", f"{HOST}:{safe}"), probe("tls", clock, "web", HOST, TlsSettings(port=safe, trust=trust))
            )
            assert seen.status is Status.UP
            assert abs(seen.duration_ms - said["probe_duration_seconds"] * 1e3) < 50
            assert 140 < float(seen.fields["tls_ms"]) < 250
            said, seen = await asyncio.gather(
                theirs("tcp", f"{HOST}:{plain}"), probe("tcp", clock, "web", HOST, TcpSettings(port=plain))
            )
            assert seen.status is Status.UP
            assert abs(seen.duration_ms - said["probe_duration_seconds"] * 1e3) < 50
        said, answered = await asyncio.gather(
            theirs("dns", f"{HOST}:{port}"), query(clock, "dns", HOST, name="bac.test", port=port)
        )
        assert answered.status is Status.UP
        took_ms = said['probe_dns_duration_seconds{phase="request"}'] * 1e3
        assert abs(float(answered.fields["query_time_ms"]) - took_ms) < 50
        said = await theirs("ping", HOST)
    engine = IcmpEngine()
    try:
        pinged = await ping(engine, clock, HOST, count=1)
    finally:
        engine.close()
    assert pinged.status is Status.UP
    assert abs(float(pinged.fields["rtt_median_ms"]) - said['probe_icmp_duration_seconds{phase="rtt"}'] * 1e3) < 50


async def test_verdicts_of_dns_agree_with_the_blackbox_exporter(port: int, tmp_path: Path) -> None:
    exporter = require("prometheus-blackbox-exporter", "prometheus-blackbox-exporter")
    dns_module = "{{prober: dns, timeout: 1s, dns: {{preferred_ip_protocol: ip4, query_name: {}, query_type: SOA{}}}}}"
    questions = {"bac": "bac.test", "gone": "gone.bac.test", "elsewhere": "elsewhere.test"}
    lines = [
        f"  {key}: {dns_module.format(name, ', valid_rcodes: [NOERROR, NXDOMAIN]')}" for key, name in questions.items()
    ]
    (tmp_path / "blackbox.yml").write_text("modules:\n" + "\n".join(lines) + "\n")
    web = free_port()
    command = [exporter, f"--config.file={tmp_path}/blackbox.yml", f"--web.listen-address={HOST}:{web}"]
    with program(command, web, folder=tmp_path):
        for number, expected in ((port, {"bac": 1, "gone": 1, "elsewhere": 0}), (free_port(), {"bac": 0})):
            for key, up in expected.items():
                theirs = exporter_says(web, key, f"{HOST}:{number}")
                ours = await query(SystemClock(), "dns", HOST, name=questions[key], port=number, timeout_s=1)
                assert (theirs["probe_success"], ours.status is Status.UP) == (up, bool(up)), (key, ours.reason)


async def test_a_port_where_nobody_listens_refuses_a_question_at_once() -> None:
    seen = await query(SystemClock(), "dns", HOST, name="bac.test", port=free_port(socket.SOCK_DGRAM))
    assert (seen.status, seen.reason) == (Status.DOWN, f"{HOST}: connection refused")
    assert seen.duration_ms < 250
