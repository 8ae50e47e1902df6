"""A real daemon with pages, and somebody who is signed in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from reports.archive import sums
from tests.support.answerer import Answerer
from tests.support.daemon import Daemon, ask, until
from tests.support.openid import CLIENT, SECRET, OpenidProvider
from tests.support.peers import free_port

HOSTILE = "<script>alert('x')</script>\"&{{7*7}}"
PASSWORD = "một câu dài dễ nhớ"


@dataclass
class Site:
    """A daemon that serves pages."""

    base: str
    link: str
    config: Path
    daemon: Daemon
    server: Answerer
    openid: OpenidProvider


def write(folder: Path, port: int, web: str = '{listen: "127.0.0.1:0", status_page: [wan]}', url: str = "") -> Path:
    path = folder / "haidang.yaml"
    hostile = HOSTILE.replace('"', '\\"')
    path.write_text(
        f"""\
haidang: 1
data_dir: ./data
logging: {{format: json}}
web: {web}
confirmation: {{failures: 2, span: 1s, clear_samples: 1, clear_span: 1s, flap_changes: 60}}
alerting:
  commands: [{{id: quietly, argv: [/bin/true]}}]
  incidents: {{reopen: 0s}}
  {f"url: {url}" if url else ""}
contacts:
  - {{id: an, name: "{hostile}", ways: [{{channel: quietly, address: x}}]}}
  - {{id: binh, name: Trần Thị Bình, ways: [{{channel: quietly, address: x}}]}}
rotas:
  - {{id: duty, name: Trực mạng, layers: [{{people: [an, binh], from: "2026-01-05T08:00"}}]}}
systems:
  - {{id: wan, name: {{vi: Mạng WAN, en: WAN}}, objective: 99.9}}
  - {{id: inner, name: Nội bộ}}
sites:
  - {{id: centre, name: "{hostile}", level: province, latitude: 21.2, longitude: 106.1, address: "{hostile}"}}
  - {{id: hub, name: Lục Ngạn, level: district, parent: centre, latitude: 21.3, longitude: 106.5}}
circuits:
  - {{id: line, name: "{hostile}", carrier: "{hostile}", contract: "{hostile}", a: centre, b: hub, mbps: 9}}
targets:
  - {{id: loop, name: "{hostile}", address: 127.0.0.1, site: centre, system: wan, notes: "{hostile}", circuit: line}}
  - id: names
    name: {{vi: Máy chủ tên miền, en: Name server}}
    address: 127.0.0.1
    site: hub
    system: wan
    probes: [dns]
    dns: {{port: {port}, cadence: 1s, timeout: 500ms}}
""",
        encoding="utf-8",
    )
    return path


def keep_report(data: Path) -> None:
    """Keep a revision as `reports.archive` does, with one file beside it that is not of the archive."""
    folder = data / "reports" / "2026-10" / "revision-1"
    folder.mkdir(parents=True)
    files = {"report-2026-10-vi.pdf": b"%PDF-1.7 ...", "report-2026-10.json": b"{}"}
    for name, text in files.items():
        (folder / name).write_bytes(text)
    (folder / "SHA256SUMS").write_bytes(sums(files))
    (folder / "secret.txt").write_text("not of the archive", encoding="utf-8")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("web")
    server, openid, port = Answerer(), OpenidProvider(), free_port()
    (folder / "secret").write_text(SECRET, encoding="utf-8")
    (folder / "secret").chmod(0o600)
    oidc = (
        f"{{issuer: '{openid.issuer}', client_id: {CLIENT}, client_secret: {{file: secret}}, name: Tài khoản tỉnh, "
        "viewers: [nhìn], operators: [/vận hành], admins: [quản trị], session: 1h}"
    )
    web = f'{{listen: "127.0.0.1:{port}", status_page: [wan], oidc: {oidc}}}'
    config = write(folder, server.port, web, f"http://127.0.0.1:{port}")
    with Daemon(config) as daemon:
        base = daemon.wait_for("pages are served")["address"]
        link = daemon.wait_for(
            "nobody can sign in yet: open this link once, within a day, and choose a name and a password"
        )["link"]
        until(
            lambda: all(one["state"] == "up" for one in ask(config, "status")["targets"] if one["target"] == "names"),
            20,
            "the name server is up",
        )
        keep_report(folder / "data")
        yield Site(base, link, config, daemon, server, openid)
        assert daemon.end() == 0
    server.close()
    openid.close()


@pytest.fixture(scope="session")
def browser(site: Site) -> Iterator[httpx2.Client]:
    """Somebody who is signed in as an administrator, by the link of the first run."""
    with httpx2.Client(base_url=site.base, headers={"origin": site.base}) as client:
        done = client.post(site.link, data={"name": "an", "password": PASSWORD, "again": PASSWORD})
        assert done.status_code == 303
        yield client


def form_of(client: httpx2.Client, path: str) -> str:
    """Return what a form of a page has to send along."""
    found = re.search(r'name="form" value="([^"]+)"', client.get(path).text)
    assert found
    return found[1]
