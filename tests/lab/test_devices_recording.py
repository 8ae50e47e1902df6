"""Devices fed by recordings: every variable comes back as recorded, in the recording's order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.devices import Device, Sink, read_recording
from probes.snmp import ber, message, oid
from probes.snmp.message import GET_BULK, V2C

SECOND = 1_000_000_000
NOW = 1_790_000_000 * SECOND
RECORDINGS = os.environ.get("HAIDANG_RECORDINGS", "")
OURS = """1.3.6.1.2.1.1.1.0|4|Thiết bị thử
1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.32473.7
1.3.6.1.2.1.1.3.0|67|12345
1.3.6.1.2.1.1.5.0|4|
1.3.6.1.2.1.2.2.1.2.3|4|WAN|1
1.3.6.1.2.1.2.2.1.6.3|4x|00A0C9140102
1.3.6.1.2.1.2.2.1.8.3|2|1
1.3.6.1.2.1.2.2.1.10.3|65|4294967295
1.3.6.1.2.1.4.20.1.1.10.0.0.2|64|10.0.0.2
1.3.6.1.2.1.4.20.1.1.10.0.0.1|64x|0A000001
1.3.6.1.2.1.31.1.1.1.6.3|70|18446744073709551615
1.3.6.1.2.1.99.1.1.1.4.1|2|-40
1.3.6.1.4.1.32473.1|5|
1.3.6.1.4.1.32473.2|4:writecache|dir=x
1.3.6.1.4.1.32473.3|2|many
hello
1.3.6.1.4.1.32473.5|99|1
"""


def walk(device: Device, now: int = NOW) -> list[tuple[str, int, object]]:
    found: list[tuple[str, int, object]] = []
    last = oid.encode("0.0")
    while True:
        asked = message.encode_pdu(GET_BULK, 7, 0, 40, [(last, ber.NULL, None)])
        (reply,) = device.receive(message.community_message(V2C, b"public", asked), now)
        _, pos, end = message.open_message(reply.data)
        _, pos = ber.read_octets(reply.data, pos, end)
        for name, tag, value in message.read_head(reply.data, pos, end).pdu(reply.data).varbinds:
            if tag == ber.END_OF_MIB_VIEW:
                return found
            found.append((oid.decode(name), tag, value))
            last = name


def test_a_recording_is_played_as_it_is_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    path = tmp_path / "device.snmprec"
    path.write_text(OURS, newline="\n")
    recording = read_recording(path, kind="router")
    assert [line.split(":")[0] for line in recording.skipped] == ["line 14", "line 15", "line 16", "line 17"]
    assert "variation module" in recording.skipped[0]
    assert (recording.model.kind, recording.model.object_id) == ("router", "1.3.6.1.4.1.32473.7")
    assert recording.model.descr == "Thiết bị thử"
    device = Device(recording.model, "played", now_ns=NOW, up_for_s=recording.uptime_s)
    assert walk(device) == [
        ("1.3.6.1.2.1.1.1.0", 4, "Thiết bị thử".encode()), ("1.3.6.1.2.1.1.2.0", 6, oid.encode("1.3.6.1.4.1.32473.7")),
        ("1.3.6.1.2.1.1.3.0", 67, 12_345), ("1.3.6.1.2.1.1.5.0", 4, b""), ("1.3.6.1.2.1.2.2.1.2.3", 4, b"WAN|1"),
        ("1.3.6.1.2.1.2.2.1.6.3", 4, bytes.fromhex("00A0C9140102")), ("1.3.6.1.2.1.2.2.1.8.3", 2, 1),
        ("1.3.6.1.2.1.2.2.1.10.3", 65, 4_294_967_295), ("1.3.6.1.2.1.4.20.1.1.10.0.0.2", 64, b"\n\0\0\2"),
        ("1.3.6.1.2.1.4.20.1.1.10.0.0.1", 64, b"\n\0\0\1"), ("1.3.6.1.2.1.31.1.1.1.6.3", 70, (1 << 64) - 1),
        ("1.3.6.1.2.1.99.1.1.1.4.1", 2, -40), ("1.3.6.1.4.1.32473.1", 5, None),
    ]  # fmt: skip


def test_a_played_device_obeys_commands_too(tmp_path: Path) -> None:
    path = tmp_path / "device.snmprec"
    path.write_text(OURS)
    recording = read_recording(path)
    device = Device(recording.model, "played", now_ns=NOW, up_for_s=recording.uptime_s, sinks=[Sink("127.0.0.1")])
    device.port(3, "down", NOW + SECOND)
    device.reboot(NOW + 100 * SECOND)
    now = {name: value for name, _, value in walk(device, NOW + 2 * SECOND)}
    assert (now["1.3.6.1.2.1.2.2.1.8.3"], now["1.3.6.1.2.1.1.3.0"]) == (2, 12_545)
    now = {name: value for name, _, value in walk(device, NOW + 170 * SECOND)}
    assert now["1.3.6.1.2.1.1.3.0"] == 1_000
    assert len(device.events(NOW + 170 * SECOND)) == 2


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.snmprec"
    path.write_text("hello\n")
    with pytest.raises(ValueError, match="no variables"):
        read_recording(path)


@pytest.mark.skipif(not RECORDINGS, reason="set HAIDANG_RECORDINGS to a folder of .snmprec files")
def test_every_recording_there_is_comes_back_whole() -> None:
    paths = sorted(Path(RECORDINGS).rglob("*.snmprec"))
    assert paths
    for path in paths:
        recording = read_recording(path)
        assert recording.skipped == (), path
        lines = [line for line in path.read_bytes().split(b"\n") if line.strip()]
        device = Device(recording.model, path.stem, now_ns=NOW, up_for_s=recording.uptime_s)
        found = walk(device)
        assert [name for name, _, _ in found] == [line.split(b"|")[0].decode() for line in lines], path
        tags = [int(line.split(b"|")[1].rstrip(b"x")) for line in lines]
        assert [tag for _, tag, _ in found] == tags, path
        for (_, tag, value), line in zip(found, lines, strict=True):
            if tag in (2, 65, 66, 67, 70):
                assert value == int(line.split(b"|", 2)[2]), (path, line)
