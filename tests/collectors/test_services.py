"""Services of a target: from the configuration through its probe to the judges and the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import config
from availability.check import Check
from availability.degradation import measure, troubles
from availability.rule import Rule
from collectors.names import AddressBook
from collectors.plan import plan
from collectors.services import ServiceSettings, ServiceWatch
from config.schema.services import SERVICES
from haidang.clock import SystemClock
from haidang.model import CheckId, Observation, Point, Sample, Status
from probes.kinds import PROBES
from tests.support.lab_services import opened

HOST = "127.0.0.1"


def test_every_probe_has_a_section_with_its_settings_and_the_same_defaults() -> None:
    assert SERVICES.keys() == PROBES.keys()
    for kind, section in SERVICES.items():
        ours = {name.rstrip("_"): field for name, field in section.model_fields.items() if name != "cadence_s"}
        theirs = {field.name: field for field in fields(PROBES[kind].settings)}
        if kind in ("imap", "tcp"):
            theirs.pop("hello", None)
        assert ours.keys() == theirs.keys() - ({"certificate", "key"} - ours.keys()), kind
        for name, field in ours.items():
            if field.is_required() or name in ("headers", "variables"):
                continue
            assert (field.default or None) == (theirs[name].default or None), (kind, name)


async def test_the_labs_services_are_watched_as_configured(tmp_path: Path) -> None:
    async with opened("sip", "rtsp", ("https", {"certificate": {"expires_in_days": 5}}), "smtp", "ntp", "http") as lab:
        (tmp_path / "haidang.yaml").write_text(
            "haidang: 1\ntargets:\n  - id: all\n    address: 127.0.0.1\n"
            f"    sip: {{port: {lab.port('sip')}}}\n    rtsp: {{port: {lab.port('rtsp')}, path: /live}}\n"
            f"    tls: {{port: {lab.port('https')}, trust: {lab.services.authority}}}\n"
            f"    smtp: {{port: {lab.port('smtp')}}}\n"
            f"    ntp: {{port: {lab.port('ntp')}}}\n    tcp: {{port: {lab.port('smtp')}}}\n"
            f"    http: {{port: {lab.port('http')}, status: 100-599}}\n",
            encoding="utf-8",
        )
        plans = plan(config.load(tmp_path / "haidang.yaml"))
        assert [one.check.probe for one in plans] == ["icmp", "tcp", "tls", "http", "ntp", "smtp", "sip", "rtsp"]
        assert all(one.parents == (CheckId("all", "icmp"),) for one in plans[1:])
        seen: dict[str, tuple[Observation, Sequence[Point]]] = {}
        names = AddressBook()
        names.want({HOST})
        for one in plans[1:]:
            assert isinstance(one.settings, ServiceSettings)
            watch = ServiceWatch(
                one.check, one.address, one.settings, dict(one.tags), addresses=names, clock=SystemClock(),
                deliver=lambda observation, points: seen.update({observation.probe: (observation, points)}),
            )  # fmt: skip
            watch.start(1)
            async with asyncio.timeout(10):
                while watch.busy:  # noqa: ASYNC110 the watch has no end to wait for
                    await asyncio.sleep(0.01)
    assert {kind: found.status for kind, (found, _) in seen.items()} == dict.fromkeys(seen, Status.UP)
    assert len(seen) == 7
    assert seen["tls"][0].warning.startswith("its certificate expires in 5 days")
    [point] = seen["tls"][1]
    assert point.series.measurement == "x509_cert"
    assert 4.9 * 86_400 < float(point.fields["expiry"]) <= 5 * 86_400
    [point] = seen["http"][1]
    assert point.series.measurement == "http_response"
    assert {"response_time", "http_response_code", "result_code", "connect_ms", "first_byte_ms"} <= point.fields.keys()


def test_a_warning_counts_from_its_first_when_two_in_a_row_say_so() -> None:
    check = Check(CheckId("web", "tls"), Rule())

    def see(second: int, warning: str) -> list[tuple[str, int]]:
        at_ns = second * 1_000_000_000
        samples = (Sample(at_ns, ok=True),)
        measure(check, Observation("web", "tls", at_ns, Status.UP, warning, {}, 1.0, samples, warning=warning))
        return [(one.words, one.since_ns // 1_000_000_000) for one in troubles(check)]

    assert see(1, "") == []
    assert see(2, "soon") == []
    assert see(3, "") == []
    assert see(4, "soon") == []
    assert see(5, "sooner") == [("sooner", 4)]
    assert see(6, "") == [("sooner", 4)]
    assert see(7, "") == []
