"""The starter: what it watches on which machine, that it passes the check, that it overwrites nothing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import config
from config import Inventory, StarterRefused, write_starter
from config.machine import Machine


def little(address: str) -> str:
    return (
        bytes(map(int, address.split("."))).hex()
        if sys.byteorder == "big"
        else bytes(reversed(list(map(int, address.split("."))))).hex()
    )


def route(network: str, gateway: str, mask: str, flags: int = 3) -> str:
    return f"eth0\t{little(network)}\t{little(gateway)}\t{flags:04X}\t0\t0\t0\t{little(mask)}\t0\t0\t0\n"


HEADER = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
ROUTES = (
    HEADER
    + route("0.0.0.0", "192.0.2.1", "0.0.0.0")
    + route("192.0.2.0", "0.0.0.0", "255.255.255.0", 1)
    + route("198.51.100.0", "192.0.2.9", "255.255.255.0")
    + "broken line\n"
)
ZERO = "0" * 32
ROUTES6 = (
    f"{ZERO} 00 {ZERO} 00 fe800000000000000000000000000001 00000400 00000003 00000000 00000003     eth0\n"
    f"{ZERO} 00 {ZERO} 00 {ZERO} ffffffff 00000001 00000000 00200200       lo\n"
)
LOOPBACK6 = "00000000000000000000000000000001 01 80 10 80       lo\n"


def inventory(folder: Path, machine: Machine) -> Inventory:
    [path] = write_starter(folder, machine)
    assert config.check(path) == []
    return config.load(path).inventory


def test_a_usual_machine(tmp_path: Path) -> None:
    resolv = "# made by hand\nsearch gov.vn\nnameserver 192.0.2.53\nnameserver 203.0.113.53\nnameserver 192.0.2.1\n"
    targets = inventory(tmp_path / "new" / "folder", Machine(ROUTES, ROUTES6, LOOPBACK6, resolv)).targets
    assert {name: target.address for name, target in targets.items()} == {
        "this-machine": None,
        "loopback": "127.0.0.1",
        "loopback6": "::1",
        "gateway": "192.0.2.1",
        "gateway-2": "fe80::1%eth0",
        "resolver": "192.0.2.53",
        "resolver-2": "203.0.113.53",
    }
    assert targets["this-machine"].probes == ("host",)
    assert targets["gateway"].probes == ("icmp", "dns")
    assert targets["resolver"].parents == ()
    assert targets["resolver-2"].parents == ("gateway",)
    assert targets["resolver-2"].probes == ("icmp", "dns")


def test_a_machine_without_any_network(tmp_path: Path) -> None:
    assert list(inventory(tmp_path, Machine()).targets) == ["this-machine", "loopback"]


@pytest.mark.parametrize(
    "machine",
    [
        Machine(
            routes="\0\n\xff" * 50,
            routes6="zz\n" * 5,
            addresses6="x",
            resolv="nameserver\nnameserver ::%\nnameserver 0.0.0.0\n",
        ),
        Machine(routes6=ROUTES6.replace("eth0", 'e"x: ')),
        Machine(resolv="nameserver fe80::1\nnameserver fe80::2%eth0;x\nnameserver 224.0.0.1\n"),
    ],
)
def test_odd_files_are_passed_over(tmp_path: Path, machine: Machine) -> None:
    assert list(inventory(tmp_path, machine).targets) == ["this-machine", "loopback"]


def test_this_very_machine_passes_the_check(tmp_path: Path) -> None:
    assert "loopback" in inventory(tmp_path, Machine.this()).targets


def test_data_is_kept_beside_the_file_and_the_store_is_embedded(tmp_path: Path) -> None:
    [path] = write_starter(tmp_path, Machine())
    loaded = config.load(path)
    assert loaded.data_dir == tmp_path / "data"
    assert loaded.storage.kind == "embedded"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text("mine")
    with pytest.raises(StarterRefused, match=r"haidang.yaml is there already: nothing was changed"):
        write_starter(tmp_path, Machine())
    assert path.read_text() == "mine"


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StarterRefused):
        write_starter(tmp_path / "file", Machine())
    with pytest.raises(StarterRefused):
        write_starter(tmp_path / "file" / "below", Machine())


def test_the_examples_work_when_they_are_uncommented(tmp_path: Path) -> None:
    [path] = write_starter(tmp_path, Machine(ROUTES, ROUTES6, LOOPBACK6, "nameserver 192.0.2.1\n"))
    head, tail = path.read_text(encoding="utf-8").split("## What follows")
    tail = re.sub(r"^# (inventory|include):.*$", "", tail, flags=re.MULTILINE)
    path.write_text(head + "##" + re.sub(r"^# ", "", tail, flags=re.MULTILINE), encoding="utf-8")
    assert config.check(path) == []
    loaded = config.load(path)
    assert loaded.inventory.targets["router-bacgiang"].parents == ("gateway",)
    assert loaded.alerting.to == ("oncall",)
    assert set(loaded.inventory.circuits) == {"vnpt-01"}
