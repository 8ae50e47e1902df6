"""The lab shares a small machine with the daemon that looks at it: a switch's answer may not cost much."""

from __future__ import annotations

import time

import pytest

from lab.devices import CLASSES, Device
from probes.snmp import ber, message, oid
from probes.snmp.message import GET_BULK, V2C

NOW = 1_790_000_000_000_000_000
IF_HC_IN_OCTETS = oid.encode("1.3.6.1.2.1.31.1.1.1.6")


@pytest.mark.alone
@pytest.mark.slow
def test_five_thousand_getbulks_of_25_counters_take_less_than_a_cpu_second() -> None:
    model = CLASSES["switch"]()
    switches = [Device(model, f"switch-{number}", now_ns=NOW) for number in range(100)]
    asked = message.encode_pdu(GET_BULK, 7, 0, 25, [(IF_HC_IN_OCTETS, ber.NULL, None)])
    packet = message.community_message(V2C, b"public", asked)
    best = float("inf")
    for run in range(3):
        began = time.process_time()
        for step in range(50):
            for switch in switches:
                assert switch.receive(packet, NOW + (run * 50 + step) * 1_000_000_000)
        best = min(best, time.process_time() - began)
    assert best < 1.0  # 0.31 measured on a 2-core AMD EPYC, CPython 3.11
