"""The inventory comes in from spreadsheets and NetBox, differences first, and goes out again without a change."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import config
from haidang.cli import app
from haidang.importing.headings import columns, kind_called, kinds, plain
from haidang.importing.sheets import letters
from lab.province import Shape, generate
from lab.province.configuration import write_configuration

MAIN = """# Our province. Do not touch without asking Hà.
haidang: 1
data_dir: ./data   # beside this file
credentials:
  - {id: core, community: {env: COMMUNITY}}
systems:
  # the leased lines
  - {id: wan, name: {vi: Mạng WAN, en: WAN}, objective: 99.90}   # as contracted
sites:
  - id: luc-ngan
    name: Lục Ngạn   # the district
    people: 1200
targets:
  - id: hub        # in the cellar
    address: 192.0.2.1
    site: luc-ngan
"""


@pytest.fixture
def main(tmp_path: Path) -> Path:
    path = tmp_path / "haidang.yaml"
    path.write_text(MAIN, encoding="utf-8")
    return path


def run(main: Path, *words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["import", *map(str, words), "--config", str(main)])
    return done.exit_code, done.output


def ask(main: Path, *words: object) -> Any:
    done = CliRunner().invoke(app, ["import", *map(str, words), "--config", str(main), "--json"])
    return json.loads(done.stdout)


def csv(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def book(path: Path, **tables: list[list[Any]]) -> Path:
    with xlsxwriter.Workbook(path, {"default_date_format": "dd/mm/yyyy"}) as made:
        for name, rows in tables.items():
            sheet = made.add_worksheet(name.replace("_", " "))
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return path


def test_a_preview_tells_what_is_new_and_what_differs_and_writes_nothing(main: Path, tmp_path: Path) -> None:
    table = csv(
        tmp_path, "sites.csv", "id,name,level,people\nluc-ngan,Lục Ngạn,district,1300\nyen-the,Yên Thế,district,900\n"
    )
    status, said = run(main, table)
    assert status == 0
    assert "+ sites yen-the: name=Yên Thế, level=district, people=900" in said
    assert "    people: 1200 → 1300" in said
    assert "1 new, 1 changed, 0 in no table, 0 as they are" in said
    assert main.read_text(encoding="utf-8") == MAIN
    assert not (tmp_path / "imported").exists()


def test_what_is_applied_keeps_comments_and_everything_else_as_it_was_written(main: Path, tmp_path: Path) -> None:
    table = csv(tmp_path, "sites.csv", "id,name,people\nluc-ngan,Lục Ngạn,1300\nyen-the,Yên Thế,900\n")
    assert run(main, table, "--apply")[0] == 0
    text = main.read_text(encoding="utf-8")
    assert text == MAIN.replace("1200", "1300") + "\ninclude:\n  - imported/sites.yaml\n"
    assert "- id: yen-the\n" in (tmp_path / "imported" / "sites.yaml").read_text(encoding="utf-8")
    sites = config.load(main).inventory.sites
    assert (sites["luc-ngan"].people, sites["yen-the"].people) == (1300, 900)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.yaml")}
    assert ask(main, table, "--apply")["written"] == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.yaml")} == before


@pytest.mark.parametrize(
    ("head", "separator", "encoding"),
    [
        ("Mã,Tên,Địa chỉ IP,Nơi đặt", ",", "utf-8-sig"),
        ("MA;TEN;DIA CHI IP;NOI DAT", ";", "utf-8"),
        ("id\tname\taddress\tsite", "\t", "utf-16"),
        ("ID,Name,IP address,Location", ",", "utf-8"),
    ],
)
def test_headings_are_known_in_both_languages_with_and_without_accents(
    main: Path, tmp_path: Path, head: str, separator: str, encoding: str
) -> None:
    rows = separator.join(["cam-1", "Ngã tư", "192.0.2.7", "Lục Ngạn"])
    table = csv(tmp_path, "Danh sách camera.csv", f"{head}\r\n{rows}\r\n", encoding)
    (added,) = ask(main, table)["added"]
    assert added["kind"] == "cameras"
    assert added["fields"] == {"name": "Ngã tư", "address": "192.0.2.7", "site": "luc-ngan", "role": "camera"}


def test_a_workbook_with_titles_blank_rows_numbers_and_merged_cells_is_understood(main: Path, tmp_path: Path) -> None:
    path = tmp_path / "Kiểm kê.xlsx"
    with xlsxwriter.Workbook(path) as made:
        sheet = made.add_worksheet("Đường truyền")
        sheet.merge_range(0, 0, 0, 4, "DANH SÁCH ĐƯỜNG TRUYỀN NĂM 2026")
        sheet.write_row(2, 0, ["STT", "Mã kênh", "Nhà mạng", "Số hợp đồng", "Băng thông (Mbit/s)", "Điểm đầu"])
        sheet.write_row(3, 0, [1, "KENH-1", "", 2026, 100, "Lục Ngạn"])
        sheet.write_row(5, 0, [2, "KENH-2", "", "'=7/2026", 50.5, "luc-ngan"])
        sheet.merge_range(3, 2, 5, 2, "VNPT")
        systems = made.add_worksheet("Hệ thống")
        systems.write_row(0, 0, ["Mã", "Tên", "Mục tiêu (%)"])
        systems.write(1, 0, "wan")
        systems.write(1, 1, "Mạng WAN")
        systems.write(1, 2, 0.995, made.add_format({"num_format": "0.0%"}))
        made.add_worksheet("Ghi chú").write(0, 0, "Cập nhật tháng 11")
    said = ask(main, path)
    assert said["errors"] == []
    assert [one["fields"] for one in said["added"]] == [
        {"carrier": "VNPT", "contract": "2026", "mbps": "100", "a": "luc-ngan"},
        {"carrier": "VNPT", "contract": "=7/2026", "mbps": "50.5", "a": "luc-ngan"},
    ]
    (system,) = said["changed"]
    assert [(one["field"], one["was"], one["becomes"]) for one in system["fields"]] == [("objective", "99.90", "99.5")]
    assert "Ghi chú" in said["notes"][0]


def test_every_wrong_cell_is_named_with_its_cure(main: Path, tmp_path: Path) -> None:
    path = book(
        tmp_path / "all.xlsx",
        Cameras=[
            ["id", "address", "site", "parents", "cadence"],
            ["cam-1", "10.300.1.1", "luc-ngan", "hub", ""],
            ["cam-2", "192.0.2.8", "luc-nga", "hbu", ""],
            ["Máy 3", "192.0.2.9", "luc-ngan", "", ""],
            ["cam-2", "192.0.2.10", "luc-ngan", "", ""],
            ["", "192.0.2.11", "luc-ngan", "", ""],
            ["cam-6", "#N/A", "", "", ""],
        ],
        Circuits=[["id", "contract"], ["k-1", "x"]],
    )
    with xlsxwriter.Workbook(tmp_path / "dates.xlsx", {"default_date_format": "dd/mm/yy"}) as made:
        sheet = made.add_worksheet("circuits")
        sheet.write_row(0, 0, ["id", "contract"])
        sheet.write(1, 0, "k-2")
        sheet.write_datetime(1, 1, date(2026, 7, 1))
    errors = {
        one["place"].removeprefix(f"{tmp_path}/"): one for one in ask(main, path, tmp_path / "dates.xlsx")["errors"]
    }
    assert "no field" in errors["all.xlsx:Cameras:E1"]["message"]
    assert "neither an IPv4 or IPv6 address" in errors["all.xlsx:Cameras:B2"]["message"]
    assert errors["all.xlsx:Cameras:A4"]["hint"] == "may-3"
    assert "given before, at" in errors["all.xlsx:Cameras:A5"]["message"]
    assert "all.xlsx:Cameras:A3" not in errors, "one clash is told once"
    assert "the id is missing" in errors["all.xlsx:Cameras:A6"]["message"]
    assert errors["all.xlsx:Cameras:C3"]["hint"] == "luc-ngan"
    assert errors["all.xlsx:Cameras:D3"]["hint"] == "hub"
    assert "formula" in errors["all.xlsx:Cameras:B7"]["message"]
    assert "format the column as text" in errors["dates.xlsx:circuits:B2"]["message"]
    status, said = run(main, path, "--apply")
    assert status == 2
    assert "errors: nothing is written" in said
    assert main.read_text(encoding="utf-8") == MAIN


def test_references_into_nothing_are_told_at_their_cell(main: Path, tmp_path: Path) -> None:
    table = csv(tmp_path, "cameras.csv", "id,address,site,parents\ncam-1,192.0.2.8,luc-nga,hub\ncam-2,192.0.2.9,,hbu\n")
    errors = ask(main, table)["errors"]
    assert [(one["place"], one["hint"]) for one in errors] == [(f"{table}:C2", "luc-ngan"), (f"{table}:D3", "hub")]


def test_a_name_broken_over_two_lines_of_its_cell_is_one_line_and_notes_keep_theirs(main: Path, tmp_path: Path) -> None:
    rows = [["id", "Tên\nthiết bị", "address", "notes"], ["new", "Ngã tư\r\n Hùng Vương", "192.0.2.8", "one\ntwo"]]
    table = book(tmp_path / "book.xlsx", devices=rows)
    (new,) = ask(main, table)["added"]
    assert (new["fields"]["name"], new["fields"]["notes"]) == ("Ngã tư Hùng Vương", "one\ntwo")
    assert "notes=one ⏎ two" in run(main, table)[1]


def test_an_error_is_told_once_and_not_what_follows_from_it(main: Path, tmp_path: Path) -> None:
    table = csv(tmp_path, "devices.csv", "id,name,address,paint\nnew,a\x85b,192.0.2.8,red\n")
    assert [(one["place"], one["field"]) for one in ask(main, table)["errors"]] == [
        (f"{table}:D1", ""), (f"{table}:B2", "name"),
    ]  # fmt: skip


def test_a_file_that_says_nothing_of_its_kind_asks_for_it(main: Path, tmp_path: Path) -> None:
    table = csv(tmp_path, "list.csv", "id,name\nx,X\n")
    status, said = run(main, table)
    assert status == 2
    assert "say --kind KIND" in said
    assert run(main, table, "--kind", "sites")[0] == 0
    assert "neither .csv nor .xlsx" in run(main, csv(tmp_path, "sites.pdf", ""))[1]
    where = csv(tmp_path, "sites.csv", "id,name\nx,Tên\n", "cp1258")
    assert f"{where}:2: not UTF-8" in (said := run(main, where)[1])
    assert "save the file as UTF-8 (Excel: CSV UTF-8)" in said
    assert "cannot be read as XLSX" in run(main, csv(tmp_path, "sites.xlsx", "PK nonsense"))[1]
    assert "there is no such file" in run(main, tmp_path / "none.csv")[1]


def test_what_no_table_lists_is_kept_unless_asked_and_only_of_the_kinds_that_were_read(
    main: Path, tmp_path: Path
) -> None:
    table = csv(tmp_path, "devices.csv", "id,address,site\nsw-1,192.0.2.2,luc-ngan\n")
    assert ask(main, table)["kept"] == [{"kind": "devices", "id": "hub"}]
    assert ask(main, table, "--remove", "--apply")["removed"] == [{"kind": "devices", "id": "hub"}]
    loaded = config.load(main)
    assert [*loaded.inventory.targets] == ["sw-1"]
    assert [*loaded.inventory.sites] == ["luc-ngan"]
    assert "# Our province" in main.read_text(encoding="utf-8")


def test_what_others_hang_on_cannot_be_removed(main: Path, tmp_path: Path) -> None:
    table = csv(tmp_path, "sites.csv", "id,name\nyen-the,Yên Thế\n")
    status, said = run(main, table, "--remove", "--apply")
    assert status == 2
    assert 'there is no site "luc-ngan"' in said
    assert main.read_text(encoding="utf-8") == MAIN


def test_a_row_of_a_csv_inventory_is_changed_where_it_stands(main: Path, tmp_path: Path) -> None:
    main.write_text(MAIN + "inventory: [cams.csv]\n", encoding="utf-8")
    inventory = csv(tmp_path, "cams.csv", "id;address;parents\r\ncam-1;192.0.2.8;hub\r\ncam-2;192.0.2.9;hub\r\n")
    table = csv(tmp_path, "cameras.csv", "id,address,notes\ncam-1,192.0.2.80,mới\n")
    assert run(main, table, "--apply")[0] == 0
    assert inventory.read_bytes().decode() == (
        "id;address;parents;notes\r\ncam-1;192.0.2.80;hub;mới\r\ncam-2;192.0.2.9;hub\r\n"
    )
    assert "cam-1" in config.load(main).inventory.targets


def test_an_invalid_configuration_is_told_first(main: Path, tmp_path: Path) -> None:
    main.write_text(MAIN + "nonsense: 1\n", encoding="utf-8")
    status, said = run(main, csv(tmp_path, "sites.csv", "id\nx\n"))
    assert status == 2
    assert 'unknown key "nonsense"' in said


def base(province_main: Path, folder: Path) -> Path:
    """The province's settings without any list but the credentials."""
    text = province_main.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(("include", "inventory"))]
    kept = "\n".join(lines).partition("systems:")[0]
    path = folder / "haidang.yaml"
    path.write_text(kept, encoding="utf-8")
    (folder / "secrets").symlink_to(province_main.parent / "secrets")
    return path


@pytest.mark.parametrize("ending", ["csv", pytest.param("xlsx", marks=pytest.mark.slow)])
def test_the_default_province_comes_from_one_table_per_kind_and_is_the_same(tmp_path: Path, ending: str) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "mine").mkdir()
    there = write_configuration(generate(Shape()), tmp_path / "lab")
    out = tmp_path / ("tables.xlsx" if ending == "xlsx" else "tables")
    assert CliRunner().invoke(app, ["export", str(out), "--config", str(there)]).exit_code == 0
    files = [out] if ending == "xlsx" else sorted(out.glob("*.csv"))
    assert len(files) == (1 if ending == "xlsx" else len(kinds()))
    here = base(there, tmp_path / "mine")
    assert run(here, *files, "--apply")[0] == 0
    ours, theirs = config.load(here).inventory, config.load(there).inventory
    # Where the secrets are is written relative to the file: all else is the same.
    plain_ = [{name: replace(one, credential=None) for name, one in found.targets.items()} for found in (ours, theirs)]
    assert plain_[0] == plain_[1]
    assert {**ours.sites} == {**theirs.sites}
    assert {**ours.circuits} == {**theirs.circuits}
    assert {**ours.systems} == {**theirs.systems}
    again = ask(here, *files)
    assert (again["added"], again["changed"], again["kept"]) == ([], [], [])


@given(st.integers(1, 20_000))
def test_columns_have_the_letters_of_a_spreadsheet(number: int) -> None:
    value = 0
    for letter in letters(number):
        value = value * 26 + ord(letter) - 64
    assert value == number


@given(st.text())
def test_a_reduced_heading_stays_as_it_is(text: str) -> None:
    assert plain(plain(text)) == plain(text)


def test_no_heading_means_two_things() -> None:
    for kind in kinds().values():
        assert "id" in columns(kind.section).values()
    called = [kind_called(title) for title in ("01_Đơn vị 2026", "Thiết bị TTTHDL", "Sheet1")]
    assert [kind and kind.name for kind in called] == ["sites", "devices", None]


class NetBox:
    """A peer that answers as NetBox's REST API reference says: pages, tokens, errors."""

    def __init__(self) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[str] = []
        self.token = "Token 0123456789abcdef"
        self.page = 2
        self.mode = ""


@contextmanager
def netbox_peer() -> Iterator[tuple[NetBox, str]]:
    peer = NetBox()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            peer.asked.append(self.path)
            url = urlsplit(self.path)
            query = parse_qs(url.query)
            if peer.mode == "html":
                return self.say(200, b"<html>hello</html>", "text/html")
            if self.headers["Authorization"] != peer.token:
                return self.say(403, b'{"detail": "Invalid token"}')
            rows = peer.lists.get(url.path.removeprefix("/nb/api/"))
            if rows is None:
                return self.say(404, b'{"detail": "Not found."}')
            offset, limit = int(query.get("offset", ["0"])[0]), min(peer.page, int(query["limit"][0]))
            host = "internal.invalid"  # as behind a proxy
            more = offset + limit < len(rows) or peer.mode == "endless"
            following = f"http://{host}{url.path}?limit={limit}&offset={offset + limit}" if more else None
            body = {"count": len(rows), "next": following, "previous": None, "results": rows[offset : offset + limit]}
            return self.say(200, json.dumps(body).encode())

        def say(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield peer, f"http://127.0.0.1:{server.server_port}/nb"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def status(value: str) -> dict[str, str]:
    return {"value": value, "label": value.title()}


def test_netbox_gives_sites_circuits_and_devices_page_by_page(main: Path, tmp_path: Path) -> None:
    with netbox_peer() as (peer, url):
        peer.lists = {
            "dcim/sites/": [
                {"id": n, "name": f"Xã {n}", "slug": f"xa-{n}", "status": status("active"), "latitude": 21.25 + n,
                 "longitude": None, "physical_address": "Số 1\r\nBắc Giang"} for n in range(1, 6)
            ],
            "circuits/circuits/": [
                {"id": 1, "cid": "VNPT 001/2026", "provider": {"id": 1, "name": "VNPT", "slug": "vnpt"},
                 "commit_rate": 100_000, "tags": [{"slug": "tslcd"}],
                 "termination_a": {"id": 1, "site": {"id": 1, "slug": "xa-1"}},
                 "termination_z": {"id": 2, "termination_type": "dcim.site", "termination_id": 2,
                                   "termination": {"id": 2, "slug": "xa-2"}}},
            ],
            "dcim/devices/": [
                {"id": 7, "name": "Router Xã 1", "role": {"slug": "access-router"}, "site": {"slug": "xa-1"},
                 "primary_ip": {"address": "192.0.2.17/24"}, "tags": []},
                {"id": 8, "name": "cam-8", "device_role": {"slug": "camera"}, "site": {"slug": "xa-2"},
                 "primary_ip": None, "tags": []},
                {"id": 9, "name": "spare", "role": {"slug": "switch"}, "site": {"slug": "xa-2"}, "primary_ip": None},
            ],
            "ipam/ip-addresses/": [
                {"id": 1, "address": "192.0.2.18/24", "assigned_object": {"id": 5, "device": {"id": 8}}},
                {"id": 2, "address": "192.0.2.99/24", "assigned_object": None},
            ],
        }  # fmt: skip
        (tmp_path / "token").write_text("0123456789abcdef\n")
        (tmp_path / "token").chmod(0o600)
        main.write_text(
            MAIN + f"  - {{id: x, address: 192.0.2.3}}\nnetbox:\n  url: {url}\n  token: {{file: token}}\n"
            "  roles: {access-router: router}\n  systems: {tslcd: wan}\n", encoding="utf-8",
        )  # fmt: skip
        said = ask(main, "--netbox", "--apply")
        assert said["errors"] == []
        assert len([path for path in peer.asked if "dcim/sites" in path]) == 3
        assert "status=active" in peer.asked[0]
        assert "spare has no primary IP address" in said["notes"][0]
        loaded = config.load(main).inventory
        line = loaded.circuits["vnpt-001-2026"]
        assert (line.carrier, line.mbps, line.a, line.b, line.system) == ("VNPT", 100, "xa-1", "xa-2", "wan")
        router, camera = loaded.targets["router-xa-1"], loaded.targets["cam-8"]
        assert (router.address, router.role, router.site) == ("192.0.2.17", "router", "xa-1")
        assert (camera.address, camera.role) == ("192.0.2.18", "camera")
        assert loaded.sites["xa-3"].address == "Số 1 Bắc Giang"
        again = ask(main, "--netbox")
        assert (again["added"], again["changed"]) == ([], [])


@pytest.mark.parametrize(
    ("mode", "token", "word"),
    [
        ("", "Token other", "refused (403"),
        ("html", "", "not JSON"),
        ("endless", "", "do not end"),
        ("missing", "", "not there (404)"),
    ],
)
def test_netbox_faults_are_told_in_words(main: Path, mode: str, token: str, word: str) -> None:
    with netbox_peer() as (peer, url):
        peer.mode, peer.token = mode, token or "Bearer nbt_abc.def"
        peer.lists = {} if mode == "missing" else {"dcim/sites/": [{"id": 1, "name": "A", "slug": "a"}]}
        (main.parent / "token").write_text("nbt_abc.def")
        (main.parent / "token").chmod(0o600)
        main.write_text(MAIN + f"netbox:\n  url: {url}\n  token: {{file: token}}\n", encoding="utf-8")
        exit_status, said = run(main, "--netbox")
        assert exit_status == 2
        assert word in said
        assert "nbt_abc" not in said


def test_without_netbox_in_the_configuration_the_command_says_how(main: Path) -> None:
    exit_status, said = run(main, "--netbox")
    assert exit_status == 2
    assert "netbox: {url:" in said
