"""A trap through the whole daemon: the device is polled at once, the event is shown, no state is set by it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

from tests.collectors.test_receiver_intake import trap
from tests.support.daemon import Daemon, ask
from tests.support.snmp_agent import Agent, interfaces, serving
from tests.support.snmp_agent_real import free_port

CONFIGURATION = """\
haidang: 1
data_dir: ./data
logging: {{format: json}}
receivers: {{traps: {{listen: [127.0.0.1], port: {traps}}}}}
credentials: [{{id: c, version: 2c, community: {{file: community}}}}]
targets:
  - {{id: sw, address: 127.0.0.1, probes: [snmp], snmp: {{credential: c, port: {agent}, cadence: 1h}}}}
"""


async def test_a_trap_makes_the_device_be_polled_at_once_and_sets_no_state(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "haidang.yaml"
    async with serving(Agent(interfaces(4))) as agent:
        config.write_text(CONFIGURATION.format(traps=port, agent=agent.port))
        (tmp_path / "community").write_text("public")
        (tmp_path / "community").chmod(0o600)
        with Daemon(config) as daemon:
            await asyncio.to_thread(daemon.wait_for, "state changed")  # the first poll, within seconds of the start
            polled = len(agent.asked)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(trap("1.3.6.1.6.3.1.1.5.3"), ("127.0.0.1", port))
            async with asyncio.timeout(30):  # the receiver process may still be starting: the trap waits in its socket
                while len(agent.asked) < polled + 2:  # noqa: ASYNC110 another process is waited for
                    await asyncio.sleep(0.05)
            found: list[dict[str, Any]] = []
            async with asyncio.timeout(10):
                while not found:
                    found = await asyncio.to_thread(ask, config, "events", "sw")
            assert daemon.end() == 0
            states = [line["state"] for line in daemon.events("state changed")]
    assert [(event["name"], event["severity"], event["count"], event["proven"]) for event in found] == [
        ("linkDown", "warning", 1, False)
    ]
    assert found[0]["meaning"] == "một cổng vừa mất kết nối"
    assert states == ["up"]
