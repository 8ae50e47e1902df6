"""Devices fed by a recording: ``.snmprec`` files as snmpsim writes them, ``OID|tag|value`` a line.

A tag is a number; ``x`` behind it means that the value is hexadecimal. What is left out is told: snmpsim's variation
modules (``4:writecache``), and lines that are not well-formed. The rows keep the order of the file, so that a device
that lists its MIB out of order does so here too. Values stand as recorded, except that sysUpTime goes on from what was
recorded (and from 0 after a reboot), and that ports which are brought down say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.devices.mib.values import integer, ticks
from lab.devices.model import Model, Port
from lab.devices.tree import Content, Getter, Row, Tree
from probes.snmp import ber, oid

LARGEST_FILE = 64 << 20
_SYS_DESCR, _SYS_OBJECT_ID, _SYS_UP_TIME = (oid.encode(f"1.3.6.1.2.1.1.{number}.0") for number in (1, 2, 3))
_IF_DESCR = oid.encode("1.3.6.1.2.1.2.2.1.2")
_OPER_STATUS = oid.encode("1.3.6.1.2.1.2.2.1.8")
_BYTES = frozenset((ber.OCTET_STRING, ber.IP_ADDRESS, ber.OPAQUE, ber.NULL))
_NUMBERS = frozenset((ber.INTEGER, ber.COUNTER32, ber.GAUGE32, ber.TIME_TICKS, ber.COUNTER64))
_DOWN = integer(2)


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded device, to be shared by all that play it.

    Parameters:
        model: with its tree.
        uptime_s: what sysUpTime was, seconds; give it to the device that plays it.
        skipped: lines that were left out, and why: ``line 12: …``.
    """

    model: Model
    uptime_s: float
    skipped: tuple[str, ...]


def read_recording(path: Path, *, kind: str = "other") -> Recording:
    """Read an ``.snmprec`` file.

    Parameters:
        path: the file.
        kind: the device's class, for those who ask.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large, or there is nothing in it.
    """
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{path}: over {LARGEST_FILE >> 20} MiB")
    values: dict[bytes, bytes] = {}
    skipped: list[str] = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        try:
            name, value = _read_line(line.removesuffix(b"\r"))
        except ValueError as error:
            skipped.append(f"line {number}: {error}")
            continue
        values[name] = value
    if not values:
        raise ValueError(f"{path}: no variables ({'; '.join(skipped[:3]) or 'empty'})")
    uptime = values.get(_SYS_UP_TIME, b"")
    ports = tuple(_port(name, values) for name in values if _is_port(name))
    rows: list[Row] = [(name, _content(name, value)) for name, value in values.items()]
    return Recording(
        Model(
            kind, _text(values.get(_SYS_DESCR, b"")), _object_id(values.get(_SYS_OBJECT_ID, b"")), 72, ports,
            tree=Tree(rows),
        ),
        int.from_bytes(uptime[2:], "big") / 100 if uptime[:1] == b"\x43" else 0.0,
        tuple(skipped),
    )  # fmt: skip


def _read_line(line: bytes) -> tuple[bytes, bytes]:
    """Read a line into name and encoded value.

    Raises:
        ValueError: it is none that we play.
    """
    dotted, _, rest = line.partition(b"|")
    kind, bar, raw = rest.partition(b"|")
    if not bar:
        raise ValueError("not OID|tag|value")
    if b":" in kind:
        raise ValueError(f"variation module {kind.decode('latin-1')!r} is not played")
    packed = kind.endswith(b"x")
    digits = kind.removesuffix(b"x")
    if not digits.isdigit() or len(digits) > 3:
        raise ValueError(f"tag {kind.decode('latin-1')!r} is not played")
    return oid.encode(dotted.decode("latin-1")), _encode(int(digits), raw, packed=packed)


def _encode(tag: int, raw: bytes, *, packed: bool) -> bytes:
    if packed:
        if tag not in _BYTES:
            raise ValueError(f"tag {tag}x is not played")
        raw = bytes.fromhex(raw.decode("latin-1"))
    if len(raw) > 0xFFF0:
        raise ValueError("a value longer than a datagram")
    if tag == ber.NULL:
        return ber.encode(tag, b"")
    if tag == ber.OBJECT_ID:
        text = raw.decode("latin-1").strip()
        return ber.encode(tag, oid.encode(text) if text else b"")
    if tag == ber.IP_ADDRESS and not packed:
        return ber.encode(tag, bytes(map(int, raw.split(b"."))))
    if tag in _BYTES:
        return ber.encode(tag, raw)
    if tag not in _NUMBERS:
        raise ValueError(f"tag {tag} is not one of SNMP's types")
    number = int(raw)
    if not -(1 << 63) <= number < 1 << 64:
        raise ValueError("a number over 64 bits")
    return ber.encode_integer(number, tag)


def _content(name: bytes, value: bytes) -> Content:
    if name == _SYS_UP_TIME and value[:1] == b"\x43":
        return lambda state, now: ticks(state.ticks(now))
    if _is_port(name):
        return _oper_status(oid.numbers(name[len(_OPER_STATUS) :])[0], value)
    return value


def _oper_status(index: int, recorded: bytes) -> Getter:
    return lambda state, _: recorded if state.port(index).up else _DOWN


def _is_port(name: bytes) -> bool:
    return name.startswith(_OPER_STATUS) and len(oid.numbers(name[len(_OPER_STATUS) :])) == 1


def _port(name: bytes, values: dict[bytes, bytes]) -> Port:
    row = name[len(_OPER_STATUS) :]
    descr = _text(values.get(_IF_DESCR + row, b""))
    return Port(oid.numbers(row)[0], descr, descr, speed_bps=0, load_in=0.0, load_out=0.0)


def _text(encoded: bytes) -> str:
    if not encoded or encoded[0] != ber.OCTET_STRING:
        return ""
    start, end = ber.read(encoded, 0, len(encoded), ber.OCTET_STRING)
    return encoded[start:end].decode("utf-8", "replace")


def _object_id(encoded: bytes) -> str:
    if not encoded or encoded[0] != ber.OBJECT_ID:
        return ""
    start, end = ber.read(encoded, 0, len(encoded), ber.OBJECT_ID)
    return oid.decode(encoded[start:end])
