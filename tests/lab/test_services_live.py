"""The services behind the lab's lines: reached, cut off, refused, by real clients in the observer's namespace."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from lab.control import ControlClient, ControlError
from tests.lab.lab_process import Lab, stage
from tests.support.parts import require

HOST, HOST6 = "10.1.1.80", "fd00:1:1::80"
OPTIONS: dict[str, dict[str, object]] = {
    "http": {"pages": {"/": {"body": "hello"}}},
    "https": {"pages": {"/": {"body": "hello"}}, "certificate": {"expires_in_days": 3}},
    "dns": {"zones": {"example.vn": "www A 10.0.0.80"}},
}
KINDS = ("http", "https", "dns", "smtp", "ntp", "sip", "rtsp")
PROVINCE: dict[str, Any] = {
    "places": {"centre": ["10.0.0.1", "fd00::1"], "commune": ["10.1.1.1", "fd00:1:1::1"]},
    "lines": [["trunk", "centre", "commune", {"delay_ms": 10}]],
    "hosts": {HOST: "commune", HOST6: "commune"},
    "gates": [HOST, HOST6],
    "real": [
        *([kind, HOST, None, OPTIONS.get(kind, {})] for kind in KINDS),
        *([kind, HOST6, None, OPTIONS.get(kind, {})] for kind in ("http", "sip", "dns")),
    ],
    "converge_s": 0.0,
}
ASKED: dict[tuple[str, str], object] = {
    ("get", "http"): "hello",
    ("get", "https"): "hello",
    ("resolve", "www.example.vn"): ["NOERROR", "www.example.vn. 300 IN A 10.0.0.80"],
    ("options", "udp"): "SIP/2.0 200 OK",
    ("options", "tcp"): "SIP/2.0 200 OK",
    ("describe", "/live"): "RTSP/1.0 200 OK",
}


def ask(lab: Lab, *questions: tuple[str, str], address: str = HOST) -> dict[tuple[str, str], object]:
    """Put questions to one address, all at once; gives what came of each."""
    rows = [[what, address, argument] for what, argument in questions]
    return dict(zip(questions, lab.python("services_talk.py", json.dumps(rows)), strict=True))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with stage(PROVINCE) as made:
        yield made


@pytest.fixture
def client(lab: Lab) -> Iterator[ControlClient]:
    """Drives the lab; afterwards all is well again."""
    with ControlClient(lab.name) as made:
        yield made
        made.ask("reset", line="trunk")
        for port in (80, 123, 554, 5060):
            made.ask("behave", address=HOST, port=port, fault={})


def test_services_answer_through_the_lines_and_a_cut_line_stops_them_all(lab: Lab, client: ControlClient) -> None:
    assert ask(lab, *ASKED) == ASKED
    client.ask("break", line="trunk")
    assert set(ask(lab, *ASKED).values()) <= {"TimeoutError", "Timeout"}  # dnspython has one of its own
    client.ask("mend", line="trunk")
    assert ask(lab, *ASKED) == ASKED


def test_ipv6_is_served_too(lab: Lab) -> None:
    questions = [("get", "http"), ("options", "udp"), ("options", "tcp"), ("resolve", "www.example.vn")]
    assert ask(lab, *questions, address=HOST6) == {question: ASKED[question] for question in questions}


def test_services_that_are_away_refuse_while_their_host_and_its_others_live(lab: Lab, client: ControlClient) -> None:
    gone = [("get", "http"), ("options", "udp"), ("options", "tcp")]
    for port in (80, 5060):
        client.ask("behave", address=HOST, port=port, fault={"away": True})
    wanted = {**ASKED, **dict.fromkeys(gone, "ConnectionRefusedError")}
    assert ask(lab, *ASKED) == wanted
    for port in (80, 5060):
        client.ask("behave", address=HOST, port=port, fault={})
    assert ask(lab, *ASKED) == ASKED


def test_a_mail_sent_over_the_lines_lies_in_the_mailbox(lab: Lab, client: ControlClient) -> None:
    assert ask(lab, ("mail", "Mất kết nối")) == {("mail", "Mất kết nối"): "taken"}
    assert client.ask("letters")["letters"] == [["a@example.vn", "Mất kết nối"]]


def test_a_device_logs_to_the_observer_from_its_own_address(lab: Lab) -> None:
    transports = [("log", f"{lab.name},{transport}") for transport in ("udp", "tcp")]
    for said in ask(lab, *transports).values():
        assert isinstance(said, list)
        assert said[0] == HOST
        assert re.fullmatch(r"(\d+ )?<187>1 \S+Z sw-1 lab - - - \ufeffcổng 7 hỏng", said[1])


def test_ntpdig_and_sipsak_are_answered_at_the_usual_ports(lab: Lab, client: ControlClient) -> None:
    program = require("ntpdig", "ntpsec-ntpdig")
    client.ask("behave", address=HOST, port=123, fault={"offset_s": 7200})
    told = lab.run(program, "-t", "5", HOST).stdout
    found = re.search(r"\(\+0000\) \+(\d+\.\d+) \+/- (\d+\.\d+)", told)
    assert found is not None, told
    assert float(found[1]) == pytest.approx(7200, abs=0.05)
    assert lab.run(require("sipsak", "sipsak"), "-s", f"sip:room@{HOST}").returncode == 0


def test_what_is_told_wrongly_is_refused_by_the_control_socket(client: ControlClient) -> None:
    with pytest.raises(ControlError, match=r"no http fault named 'awy' \(did you mean away\?\)"):
        client.ask("behave", address=HOST, port=80, fault={"awy": True})
