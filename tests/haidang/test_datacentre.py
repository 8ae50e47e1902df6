"""The data centre through the whole daemon: real agents and real files that go wrong, up to the incidents."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, ask, until
from tests.support.snmp_agent_real import snmpd

pytestmark = pytest.mark.slow  # some 25 s: real cadences

DAY_S = 86_400
STORAGE = "1.3.6.1.2.1.25.2.3.1"  # hrStorageTable (RFC 2790)
DATASTORE = (
    f"override {STORAGE}.2.900 object_id 1.3.6.1.2.1.25.2.1.4",
    f'override {STORAGE}.3.900 octet_str "datastore1"',
    f"override {STORAGE}.4.900 integer 1048576",
    f"override {STORAGE}.5.900 integer 1000",
)
CONFIGURATION = """\
haidang: 1
data_dir: ./data
web: {{listen: "127.0.0.1:0"}}
logging: {{format: json}}
probing: {{snmp: {{cadence: 2s, timeout: 500ms, retries: 0, budget: 1500ms}}}}
confirmation: {{failures: 3, span: 2s, fast_cadence: 1s, clear_span: 2s, clear_samples: 2}}
alerting: {{incidents: {{storm: 50, slow_storm: 50}}}}
credentials: [{{id: c, version: 2c, community: {{file: community}}}}]
systems: [{{id: datacentre, name: {{vi: Trung tâm dữ liệu, en: Data centre}}}}]
targets:
  - id: db
    role: server
    system: datacentre
    probes: [snmp]
    address: 127.0.0.1
    snmp: {{credential: c, port: {server}}}
  - id: esx
    role: hypervisor
    system: datacentre
    probes: [snmp]
    address: 127.0.0.1
    snmp: {{credential: c, port: {hypervisor}}}
    rules: {{storage: {{for: 0s}}, memory: {{enabled: false}}}}
  - id: portal-backup
    role: backup
    system: datacentre
    probes: [backup]
    backup: {{path: "{folder}/portal/*.dump", cadence: 10s, timeout: 5s}}
"""


def test_old_backups_a_full_datastore_and_a_dead_host_become_incidents_that_name_them(tmp_path: Path) -> None:
    told, dump, config = tmp_path / "told", tmp_path / "portal" / "a.dump", tmp_path / "haidang.yaml"
    told.write_text("portal 3600\ndms 7200\n", encoding="utf-8")
    dump.parent.mkdir()
    dump.write_bytes(b"everything")
    os.utime(dump, (time.time() - 3600,) * 2)
    (tmp_path / "community").write_text("public", encoding="utf-8")
    (tmp_path / "community").chmod(0o600)
    (tmp_path / "program").write_text(f"cat {told}; exit $(cat {tmp_path}/ends)", encoding="utf-8")
    (tmp_path / "ends").write_text("0", encoding="utf-8")
    for name in ("server", "hypervisor"):
        (tmp_path / name).mkdir()
    esxi = ("sysObjectID 1.3.6.1.4.1.6876.4.1", *DATASTORE, f"override {STORAGE}.6.900 integer 500")
    with (
        snmpd(tmp_path / "server", f"extend backup /bin/sh {tmp_path}/program") as server,
        snmpd(tmp_path / "hypervisor", *esxi) as hypervisor,
    ):
        config.write_text(
            CONFIGURATION.format(server=server.port, hypervisor=hypervisor.port, folder=tmp_path), encoding="utf-8"
        )

        def found() -> dict[str, str]:
            return {f"{one['target']}/{one['probe']}": one["reason"] for one in ask(config, "incidents")}

        with Daemon(config) as daemon:
            daemon.wait_for("state changed")
            until(lambda: len(daemon.events("state changed")) == 3, 30, "all are up")
            assert {line["state"] for line in daemon.events("state changed")} == {"up"}
            assert found() == {}

            (tmp_path / "ends").write_text("127", encoding="utf-8")
            told.write_text(f"portal {2 * DAY_S}\ndms\n", encoding="utf-8")
            os.utime(dump, (time.time() - 2 * DAY_S,) * 2)
            hypervisor.stop()
            until(lambda: len(found()) == 5, 40, "old backups and a dead host")
            bad = found()
            assert bad["db/rule:backup-age:portal"] == "portal is 48 h, above 26"
            assert bad["db/rule:backup:dms"] == "dms is in a critical state"
            assert bad.keys() == {
                "db/rule:backup-age:portal", "db/rule:backup:dms", "db/rule:backup:program", "esx/snmp",
                f"portal-backup/rule:age:{tmp_path}/portal/*.dump",
            }  # fmt: skip

            (tmp_path / "ends").write_text("0", encoding="utf-8")
            told.write_text("portal 60\ndms 60\n", encoding="utf-8")
            hypervisor.more = (*esxi[:-1], f"override {STORAGE}.6.900 integer 950")
            hypervisor.start()
            until(lambda: "esx/rule:storage:datastore1" in found(), 40, "a full datastore")
            until(lambda: len(found()) == 2, 40, "backups as they should be, a host that is back")
            assert found().keys() == {
                f"portal-backup/rule:age:{tmp_path}/portal/*.dump", "esx/rule:storage:datastore1",
            }  # fmt: skip
            assert daemon.end() == 0
