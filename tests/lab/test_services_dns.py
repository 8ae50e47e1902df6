"""Name servers, as dig sees them and as our own probe does."""

from __future__ import annotations

import asyncio
import re
import subprocess

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haidang.clock import SystemClock
from haidang.model import Status
from lab.services.zones import Zones
from probes.dns import query
from tests.support.lab_services import HOST, Opened, ask_datagram, opened
from tests.support.parts import require

ZONES: dict[str, object] = {
    "zones": {
        "example.vn": (
            "@ SOA ns.example.vn. admin.example.vn. 7 3600 900 604800 60\n"
            "@ MX 10 mail\n@ TXT \"v=spf1 -all\"\nwww 60 A 10.0.0.80\nwww AAAA fd00::80\nmail A 10.0.0.25\n"
            "cong CNAME www\nout CNAME www.example.com.\nloop CNAME loop\nroom.hub A 10.0.0.9\n"
            "big TXT " + " ".join(f'"{"x" * 200}"' for _ in range(10))
        ),
        "vn": "example A 192.0.2.1\nother A 192.0.2.2",
    }
}  # fmt: skip


async def dig(lab: Opened, *words: str) -> str:
    command = [require("dig", "bind9-dnsutils"), f"@{HOST}", "-p", str(lab.port("dns")), "+tries=1", "+time=2", *words]
    return (await asyncio.to_thread(subprocess.run, command, check=False, capture_output=True, text=True)).stdout


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
async def test_dig_gets_the_records_over_both_transports(transport: str) -> None:
    async with opened(("dns", ZONES)) as lab:

        async def short(*words: str) -> list[str]:
            return (await dig(lab, transport, "+short", *words)).split("\n")[:-1]

        assert await short("www.example.vn", "A") == ["10.0.0.80"]
        assert await short("WWW.Example.VN", "AAAA") == ["fd00::80"]
        assert await short("example.vn", "MX") == ["10 mail.example.vn."]
        assert await short("example.vn", "TXT") == ['"v=spf1 -all"']
        assert await short("example.vn", "SOA") == ["ns.example.vn. admin.example.vn. 7 3600 900 604800 60"]
        assert await short("cong.example.vn", "A") == ["www.example.vn.", "10.0.0.80"]
        assert await short("out.example.vn", "A") == ["www.example.com."]
        assert await short("other.vn", "A") == ["192.0.2.2"]


@pytest.mark.parametrize(
    ("name", "status", "authority"),
    [
        ("www.example.vn MX", "NOERROR", "example.vn."),
        ("hub.example.vn A", "NOERROR", "example.vn."),  # between a record and the top
        ("nothing.example.vn A", "NXDOMAIN", "example.vn."),
        ("nothing.vn A", "NXDOMAIN", "vn."),
        ("www.example.com A", "REFUSED", ""),
        ("example.vn AXFR", "REFUSED", ""),
    ],
)
async def test_what_is_not_there_is_told_in_the_right_way(name: str, status: str, authority: str) -> None:
    async with opened(("dns", ZONES)) as lab:
        told = await dig(lab, "+noall", "+comments", "+authority", *name.split())
        if "AXFR" not in name:
            assert f"status: {status}" in told
        else:
            assert "Transfer failed" in told
        found = re.findall(r"^(\S+)\s+\d+\s+IN\s+SOA", told, re.MULTILINE)
        assert found == ([authority] if authority else [])


async def test_an_answer_too_long_for_udp_comes_over_tcp() -> None:
    async with opened(("dns", ZONES)) as lab:
        told = await dig(lab, "+noedns", "+ignore", "big.example.vn", "TXT")
        assert re.search(r"flags: qr aa tc", told)
        assert int(re.search(r"MSG SIZE  rcvd: (\d+)", told)[1]) <= 512  # type: ignore[index]
        told = await dig(lab, "big.example.vn", "TXT")
        assert "Truncated, retrying in TCP mode" in told
        assert "x" * 200 in told


async def test_our_own_probe_tells_good_wrong_and_absent_servers_apart() -> None:
    async with opened("dns") as lab:

        async def probe(timeout_s: float = 2.0) -> tuple[Status, str]:
            seen = await query(SystemClock(), "dns-1", HOST, port=lab.port("dns"), timeout_s=timeout_s)
            return seen.status, seen.reason

        assert await probe() == (Status.UP, "")
        lab.behave("dns", rcode="SERVFAIL")
        assert await probe() == (Status.DOWN, "127.0.0.1 answered SERVFAIL to . SOA")
        lab.behave("dns", rcode="NXDOMAIN")
        assert (await probe())[0] == Status.UP
        lab.behave("dns", silent=True)
        assert await probe(0.2) == (Status.DOWN, "no answer from 127.0.0.1 within 0.2 s")
        lab.behave("dns", delay_s=0.3)
        assert (await probe(0.2))[0] == Status.DOWN
        assert (await probe())[0] == Status.UP
        lab.behave("dns", away=True)
        assert (await probe(0.2))[0] == Status.DOWN
        lab.behave("dns")
        assert (await probe())[0] == Status.UP


async def test_a_broken_question_is_told_so_and_an_answer_is_never_answered() -> None:
    async with opened("dns") as lab:
        question = dns.message.make_query("www.example.vn", "A").to_wire()
        broken = dns.message.from_wire(await ask_datagram(lab.port("dns"), question[:-3]))
        assert (broken.rcode(), broken.id) == (dns.rcode.FORMERR, int.from_bytes(question[:2], "big"))
        status = bytes((*question[:2], 2 << 3, *question[3:]))
        assert dns.message.from_wire(await ask_datagram(lab.port("dns"), status)).rcode() == dns.rcode.NOTIMP
        answer = bytes((*question[:2], question[2] | 0x80, *question[3:]))
        for silent in (answer, question[:11]):
            with pytest.raises(TimeoutError):
                await ask_datagram(lab.port("dns"), silent, 0.1)


LABELS = st.sampled_from(["a", "b", "c"])
NAMES = st.lists(LABELS, min_size=0, max_size=3).map(lambda labels: ".".join([*labels, "t."]))


@given(st.dictionaries(NAMES, st.sampled_from(["A", "CNAME"]), max_size=6), NAMES, NAMES)
def test_answers_are_those_of_a_slow_model(records: dict[str, str], alias_to: str, asked: str) -> None:
    records.pop("t.", None)
    lines = [f"{name} {kind} {'192.0.2.1' if kind == 'A' else alias_to}" for name, kind in records.items()]
    zones = Zones({"t.": "\n".join(lines)})
    chain, name = 0, asked
    while records.get(name) == "CNAME" and chain < 8:
        name, chain = alias_to, chain + 1
    exists = name == "t." or any(known == name or known.endswith(f".{name}") for known in records)
    found = zones.ask(dns.name.from_text(asked), dns.rdatatype.A)
    last = found.answer[-1] if found.answer else None
    if records.get(name) == "A":
        assert last is not None
        assert (last.name.to_text(), last.rdtype) == (name, dns.rdatatype.A)
        assert found.authority == []
    else:
        assert last is None or last.rdtype == dns.rdatatype.CNAME
        assert [one.rdtype for one in found.authority] == [dns.rdatatype.SOA]
        assert found.rcode == (dns.rcode.NOERROR if exists else dns.rcode.NXDOMAIN)
    assert len(found.answer) == chain + (records.get(name) == "A")
