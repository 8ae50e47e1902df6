"""HTTP, TLS and TCP against nginx, with prometheus-blackbox-exporter as the oracle."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from haidang.clock import SystemClock
from haidang.model import Observation, Status
from probes.attempt import FAULT, Settings
from probes.http import HttpSettings
from probes.kinds import probe
from probes.tcp import TcpSettings
from probes.tls import TlsSettings
from tests.support.certificates import Authority
from tests.support.exporter import exporter_says
from tests.support.parts import require
from tests.support.peers import HOST, free_port, program

CLOCK = SystemClock()


class Web:
    """A running nginx: ``plain`` and one port for each certificate.

    Parameters:
        folder: with everything of it.
    """

    KINDS = ("good", "expired", "soon", "self-signed", "other-name", "wants-certificate", "old", "untrusted")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.ports = {name: free_port() for name in ("plain", *self.KINDS)}
        issue = self.authority.issue
        other = folder / "other"
        other.mkdir()
        self.files = {
            "good": issue("good.pem", "web.test", HOST), "expired": issue("expired.pem", HOST, days=-3),
            "soon": issue("soon.pem", HOST, days=3.2), "self-signed": issue("self.pem", HOST, self_signed=True),
            "other-name": issue("name.pem", "mail.test"), "wants-certificate": issue("wants.pem", HOST),
            "old": issue("old.pem", HOST, bits=1024), "untrusted": Authority(other, "Nobody").issue("u.pem", HOST),
        }  # fmt: skip
        self.client = issue("client.pem", "haidang")

    def __getitem__(self, name: str) -> int:
        return self.ports[name]

    @property
    def trust(self) -> str:
        """The authority's file."""
        return str(self.authority.file)

    def configuration(self) -> str:
        """Write nginx's."""
        locations = """
            location / { return 200 "all is well\\n"; }
            location /json { default_type application/json; return 200 '{"status": "ok", "nodes": [{"state": 3}]}'; }
            location /500 { return 500; }
            location /moved { return 302 /json; }
            location /circle { return 302 /circle2; }
            location /circle2 { return 302 /circle; }
            location ~ ^/far/(.*) { return 302 /far/x$1; }
            location /agent { return 200 "$http_x_test $http_host $request_method"; }
        """
        servers = [f"server {{ listen {HOST}:{self.ports['plain']}; {locations} }}"]
        for kind in self.KINDS:
            extra = ""
            if kind == "wants-certificate":
                extra = f"ssl_client_certificate {self.trust}; ssl_verify_client on;"
            if kind == "old":
                extra = "ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers ALL:@SECLEVEL=0;"
            file = self.files[kind]
            servers.append(
                f"server {{ listen {HOST}:{self.ports[kind]} ssl; ssl_certificate {file};"
                f" ssl_certificate_key {file}; {extra} {locations} }}"
            )
        where = self.folder
        temporary = " ".join(
            f"{name}_temp_path {where}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return (
            f"daemon off; worker_processes 1; pid {where}/pid; error_log stderr; user root;\n"
            f"events {{}}\nhttp {{ access_log off; {temporary}\n{' '.join(servers)} }}\n"
        )


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    nginx = require("nginx", "nginx-light")
    made = Web(tmp_path_factory.mktemp("nginx"))
    (made.folder / "nginx.conf").write_text(made.configuration())
    command = [nginx, "-p", str(made.folder), "-e", "stderr", "-c", str(made.folder / "nginx.conf")]
    with program(command, made["plain"], folder=made.folder):
        yield made


async def ask(kind: str, settings: Settings) -> Observation:
    found = await probe(kind, CLOCK, "web", HOST, settings)
    assert FAULT not in found.reason
    return found


async def page(web: Web, path: str, name: str = "plain", **more: Any) -> Observation:
    scheme = "http" if name == "plain" else "https"
    return await ask("http", HttpSettings(url=f"{scheme}://{HOST}:{web[name]}{path}", trust=web.trust, **more))


async def test_a_page_is_up_and_its_phases_are_timed(web: Web) -> None:
    seen = await page(web, "/", "good", contains="all is well", lacks="error")
    assert (seen.status, seen.reason) == (Status.UP, "")
    assert seen.fields["status_code"] == 200
    parts = [float(seen.fields[f"{name}_ms"]) for name in ("connect", "tls", "first_byte", "transfer")]
    assert all(part > 0 for part in parts)
    assert sum(parts) <= seen.duration_ms


@pytest.mark.parametrize(
    ("path", "more", "reason"),
    [
        ("/500", {}, "it answered 500, expected is 200-399"),
        ("/", {"status": "404"}, "it answered 200, expected is 404"),
        ("/", {"contains": "ready"}, "ready is not in its page: all is well"),
        ("/", {"lacks": "well"}, "well is in its page"),
        ("/json", {"json": "status", "equals": "bad"}, "status is ok, expected is bad"),
        ("/json", {"json": "nodes[1].state", "equals": "3"}, "there is no nodes[1].state in its JSON"),
        ("/", {"json": "status", "equals": "ok"}, "its page is not JSON: all is well"),
        ("/circle", {}, "it redirects in a circle: http://127.0.0.1:PORT/circle"),
        ("/far/", {}, "it redirects more than 5 times, last to http://127.0.0.1:PORT/far/xxxxxx"),
    ],
)
async def test_a_page_that_is_not_as_expected_is_down_with_the_reason(
    web: Web, path: str, more: dict[str, Any], reason: str
) -> None:
    seen = await page(web, path, **more)
    assert seen.status is Status.DOWN
    assert seen.reason == reason.replace("PORT", str(web["plain"]))


async def test_json_is_looked_into_and_redirects_are_followed(web: Web) -> None:
    seen = await page(web, "/moved", json="nodes[0].state", equals="3")
    assert (seen.status, seen.reason) == (Status.UP, "")
    assert seen.fields["redirects"] == 1
    assert (await page(web, "/moved", redirects=0, status="302")).status is Status.UP


async def test_headers_method_and_host_are_as_they_are_set(web: Web) -> None:
    seen = await page(web, "/agent", headers={"X-Test": "seen"}, method="POST", body="x", contains="seen 127.0.0.1")
    assert seen.status is Status.UP, seen.reason
    settings = HttpSettings(url=f"http://portal.test:{web['plain']}/agent", contains="portal.test", timeout_s=2)
    by_name = await probe("http", CLOCK, "web", "portal.test", settings, address=HOST)
    assert by_name.status is Status.UP, by_name.reason


async def test_a_client_certificate_is_shown_where_it_is_wanted(web: Web) -> None:
    assert (await page(web, "/", "wants-certificate")).reason == "it answered 400, expected is 200-399"
    seen = await page(web, "/", "wants-certificate", certificate=str(web.client))
    assert seen.status is Status.UP, seen.reason


@pytest.mark.parametrize("kind", ["http", "tls"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("expired", "its certificate expired on "),
        ("self-signed", "its certificate is signed by itself, and not among those that are trusted here"),
        ("other-name", "not for 127.0.0.1"),
        ("untrusted", "who is not trusted here or whose certificate it does not send"),
    ],
)
async def test_a_certificate_that_is_wrong_is_down_with_what_is_wrong(
    web: Web, kind: str, name: str, words: str
) -> None:
    if kind == "http":
        seen = await page(web, "/", name)
        words = words.replace("its certificate expired on ", "its certificate has expired")
    else:
        seen = await ask("tls", TlsSettings(port=web[name], trust=web.trust))
        assert seen.fields["valid_until"]  # it was read although it was refused
    assert seen.status is Status.DOWN
    assert words in seen.reason
    unverified = await ask("tls", TlsSettings(port=web[name], trust=web.trust, verify=False))
    assert unverified.status is Status.UP


async def test_a_good_certificate_is_told_in_full(web: Web) -> None:
    seen = await ask("tls", TlsSettings(port=web["good"], trust=web.trust, server_name="web.test", weak_versions=True))
    assert (seen.status, seen.reason) == (Status.UP, "")
    fields = seen.fields
    assert (fields["subject"], fields["issuer"], fields["chain_length"]) == ("web.test", "Test authority", 1)
    assert fields["names"] == "web.test 127.0.0.1"
    assert 89.9 < float(fields["expires_in_days"]) <= 90
    assert (fields["tls_version"], fields["weak_versions"]) in (("TLSv1.3", False), ("TLSv1.2", False))


async def test_a_certificate_about_to_expire_is_up_with_a_warning(web: Web) -> None:
    seen = await ask("tls", TlsSettings(port=web["soon"], trust=web.trust))
    assert seen.status is Status.UP
    assert seen.warning.startswith("its certificate expires in 3 days, on ")
    assert (await page(web, "/", "soon")).warning == seen.warning
    assert not (await ask("tls", TlsSettings(port=web["soon"], trust=web.trust, warn_days=2))).warning


async def test_old_versions_and_short_keys_are_warnings(web: Web) -> None:
    seen = await ask("tls", TlsSettings(port=web["old"], verify=False, weak_versions=True))
    assert seen.status is Status.UP
    assert "its key has 1024 bits, fewer than 2048" in seen.warning
    assert "it still takes TLS 1.1, which is not safe" in seen.warning


async def test_verdicts_and_phases_agree_with_the_blackbox_exporter(web: Web, tmp_path: Path) -> None:
    exporter = require("prometheus-blackbox-exporter", "prometheus-blackbox-exporter")
    tls = f"tls_config: {{ca_file: {web.trust}}}"
    modules = f"""
modules:
  http: {{prober: http, timeout: 5s, http: {{preferred_ip_protocol: ip4, valid_status_codes: [], {tls}}}}}
  body: {{prober: http, timeout: 5s, http: {{preferred_ip_protocol: ip4, fail_if_body_not_matches_regexp: [well]}}}}
  tcp: {{prober: tcp, timeout: 5s, tcp: {{preferred_ip_protocol: ip4}}}}
  tls: {{prober: tcp, timeout: 5s, tcp: {{preferred_ip_protocol: ip4, tls: true, {tls}}}}}
"""
    (tmp_path / "blackbox.yml").write_text(modules)
    port = free_port()
    command = [exporter, f"--config.file={tmp_path}/blackbox.yml", f"--web.listen-address={HOST}:{port}"]
    with program(command, port, folder=tmp_path):
        cases: list[tuple[str, str, str, Settings]] = []
        for name in ("good", "expired", "soon", "self-signed", "other-name", "untrusted"):
            where = f"{HOST}:{web[name]}"
            url = f"https://{where}/"
            cases.append(("tls", where, "tls", TlsSettings(port=web[name], trust=web.trust)))
            cases.append(("http", url, "http", HttpSettings(url=url, trust=web.trust)))
        plain = f"http://{HOST}:{web['plain']}"
        cases += [
            ("http", plain + path, "http", HttpSettings(url=plain + path, status="200-299"))
            for path in ("/", "/500", "/moved")
        ]
        cases += [
            ("body", plain + path, "http", HttpSettings(url=plain + path, contains="well")) for path in ("/", "/json")
        ]
        cases += [("tcp", f"{HOST}:{one}", "tcp", TcpSettings(port=one)) for one in (web["plain"], free_port())]
        for module, target, kind, settings in cases:
            theirs, ours = exporter_says(port, module, target), await ask(kind, settings)
            assert (ours.status is Status.UP) == (theirs["probe_success"] == 1), (target, ours.reason)
            if ours.status is Status.UP and "probe_ssl_earliest_cert_expiry" in theirs:
                days = (theirs["probe_ssl_earliest_cert_expiry"] - CLOCK.utc_ns() / 1e9) / 86_400
                assert float(ours.fields["chain_expires_in_days"]) == pytest.approx(days, abs=0.01)
            if kind == "http" and "probe_http_status_code" in theirs and "status_code" in ours.fields:
                assert ours.fields["status_code"] == theirs["probe_http_status_code"]
            if ours.status is Status.UP and kind == "http":
                for phase, name in (("connect", "connect"), ("tls", "tls"), ("processing", "first_byte")):
                    took = theirs.get(f'probe_http_duration_seconds{{phase="{phase}"}}', 0) * 1e3
                    assert abs(float(ours.fields.get(f"{name}_ms", 0)) - took) < 50, (target, phase)


def test_the_private_way_to_the_chain_is_there_or_a_public_one() -> None:
    context = ssl.create_default_context()
    made = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="x.test")
    assert hasattr(made, "get_unverified_chain") or hasattr(made._sslobj, "get_unverified_chain")  # type: ignore[attr-defined]
