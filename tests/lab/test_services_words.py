"""What a service may be told: wrong words are refused by name, before a socket is opened."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest

from lab.network import Unavailable
from lab.services import KINDS, Limits, Service, Services
from tests.support.lab_services import HOST, opened


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("htp", HOST), r"no kind of service 'htp' \(did you mean http\?\); there are http, https, dns, smtp"),
        (("http", "10.0.0"), "'10.0.0' does not appear to be an IPv4 or IPv6 address"),
        (("http", HOST, 65536), "a port is 0 to 65535, not 65536"),
        (("http", HOST, 80, {"page": {}}), r"no http option named 'page' \(did you mean pages\?\); there are pages"),
        (("http", HOST, 80, {"pages": {"/": {"state": 200}}}), r"http option pages\./\.state: there is no such word"),
        (("http", HOST, 80, {"pages": {"/": {"status": 42}}}), r"pages\./\.status: must be one of 200, .*, not 42"),
        (("http", HOST, 80, {"pages": {"old": {}}}), "a path begins with / and has no spaces"),
        (("http", HOST, 80, {"pages": {"/": {"headers": {"A": "b\r\nC: d"}}}}), "A cannot be set to this"),
        (("http", HOST, 80, {"pages": {"/": {"body": "a", "json": 1}}}), "a page has a body or a json, not both"),
        (("http", HOST, 80, {"pages": {"/": {"json": {1, 2}}}}), "that cannot be written as JSON"),
        (("http", HOST, 80, {"pages": {"/": {"json": "\ud800"}}}), "that cannot be written as JSON"),
        (("https", HOST, 443, {"certificate": {"names": ["lục-ngạn"]}}), r"https option certificate\.names: "),
        (("https", HOST, 443, {"certificate": {"expires_in_days": 1e9}}), "less than or equal to 3650"),
        (("dns", HOST, 53, {"zones": {"vn": "www A 10.0.0.256"}}), "dns option zones: zone vn: .*10.0.0.256"),
        (("dns", HOST, 53, {"zones": {"vn": "$INCLUDE /etc/passwd"}}), "dns option zones: zone vn: "),
        (("dns", HOST, 53, {"zones": {"a..b": ""}}), r"dns option zones: zone a\.\.b"),
        (("rtsp", HOST, 554, {"path": "live"}), "rtsp option path: "),
        (("sip", HOST, 5060, {"agent": "a\r\nb"}), "sip option agent: "),
        (("ntp", HOST, 123, {"stratum": 0}), "ntp option stratum: .*greater than or equal to 1, not 0"),
        (("smtp", HOST, 25, {"security": "ssl"}), "smtp option security: .*'none', 'starttls' or 'tls', not 'ssl'"),
    ],
)
def test_a_wrong_word_is_named(words: tuple[str, str], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        Service(*words)


def test_a_long_wrong_value_is_not_repeated_in_full() -> None:
    with pytest.raises(ValueError, match="…") as caught:
        Service("rtsp", HOST, options={"path": "x" * 10_000})
    assert len(str(caught.value)) < 300


def test_no_port_is_the_kinds_usual_one() -> None:
    usual = {"http": 80, "https": 443, "dns": 53, "smtp": 25, "ntp": 123, "sip": 5060, "rtsp": 554}
    assert {name: Service(name, "fd00:0::1").port for name in KINDS} == usual
    assert Service("http", "fd00:0::1").address == "fd00::1"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_fault_is_named_and_changes_nothing(kind: str) -> None:
    async with opened(kind) as lab:
        lab.behave(kind, silent=True)
        with pytest.raises(ValueError, match=rf"no {kind} fault named 'sillent' \(did you mean silent\?\)"):
            lab.behave(kind, sillent=True)
        with pytest.raises(ValueError, match=f"{kind} fault delay_s: .*not -1"):
            lab.behave(kind, delay_s=-1)
        assert lab.count(kind, "fault") == {"silent": True}
        lab.behave(kind)
        assert lab.count(kind, "fault") == {}


async def test_where_nothing_is_nothing_can_behave() -> None:
    async with opened("http") as lab:
        port = lab.port("http")
        with pytest.raises(ValueError, match=f"127.0.0.1 has no service at port 1; it has one at {port}"):
            lab.services.behave(HOST, 1, away=True)
        with pytest.raises(ValueError, match=r"127\.0\.0\.2 has no service at port 1$"):
            lab.services.behave("127.0.0.2", 1, away=True)


async def test_two_services_at_one_port_are_refused_before_any_is_opened() -> None:
    services = Services()
    try:
        with pytest.raises(ValueError, match=r"127\.0\.0\.1 port 8554 has a service already"):
            await services.open(None, [Service("rtsp", HOST, 8554), Service("sip", HOST, 8554)])
        assert services.status() == []
    finally:
        await services.close()


async def test_a_port_that_is_taken_is_said_so_and_nothing_stays_open() -> None:
    async with opened("rtsp") as lab:
        services = Services()
        try:
            wanted = [Service("rtsp", "127.0.0.2", lab.port("rtsp")), Service("http", HOST, lab.port("rtsp"))]
            with pytest.raises(Unavailable, match=r"TCP port \d+ cannot be opened .*; end the program that has it"):
                await services.open(None, wanted)
            assert services.status() == []
            await services.open(None, wanted[:1])  # free again
        finally:
            await services.close()


async def test_a_foreign_address_is_said_so() -> None:
    services = Services()
    try:
        with pytest.raises(Unavailable, match=r"192\.0\.2\.1 TCP port 8080 .*start the lab's network first"):
            await services.open(None, [Service("http", "192.0.2.1", 8080)])
    finally:
        await services.close()


@pytest.mark.parametrize(("kind", "library", "part"), [("smtp", "aiosmtpd", "smtp"), ("https", "h11", "http")])
async def test_a_missing_library_is_named_with_its_cure_and_the_others_work(
    kind: str, library: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(f"{library}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"lab.services.{part}", raising=False)
    async with opened("rtsp") as lab:
        with pytest.raises(
            Unavailable, match=rf"{kind} services need {library}, .*; run: pip install 'haidang\[lab\]'"
        ):
            await lab.services.open(None, [Service(kind, HOST, 0)])
        assert len(lab.services.status()) == 1


async def test_more_files_are_allowed_when_many_services_come() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        async with opened("rtsp", limits=Limits(connections=100)):
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 2 + 100 + 256
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_the_temporary_folder_goes_away_and_a_given_one_stays(tmp_path: Path) -> None:
    async with opened("smtp") as lab:
        folder = lab.services.folder
        assert (folder / "mail" / "new").is_dir()
    assert not folder.exists()
    services = Services(tmp_path / "lab")
    await services.close()
    assert (tmp_path / "lab" / "mail" / "new").is_dir()


@pytest.mark.parametrize("kind", KINDS)
def test_the_manual_has_every_option_and_fault_of_a_kind(kind: str) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "lab-services.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in manual.splitlines() if line.startswith("| `")]
    common = {row[1].strip().strip("`").partition(":")[0] for row in rows if len(row) == 4}
    row = next(row for row in rows if len(row) == 6 and row[1].strip() == f"`{kind}`")
    assert int(row[2]) == KINDS[kind].port
    inherited = next(row for row in rows if row[1].strip() == "`http`") if kind == "https" else ["", "", "", "", ""]
    for column, model in ((3, KINDS[kind].options), (4, KINDS[kind].fault)):
        missing = {name for name in model.model_fields if f"`{name}`" not in row[column] + inherited[column]}
        assert missing <= common if column == 4 else not missing
