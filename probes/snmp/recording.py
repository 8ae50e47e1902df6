"""Recorded devices: ``.snmprec`` files as snmpsim writes them, ``OID|tag|value`` a line, ``x`` for hexadecimal."""

from __future__ import annotations

from pathlib import Path

from probes.snmp import ber
from probes.snmp import oid as oids
from probes.snmp.ber import Value, VarBind

LARGEST_FILE = 64 << 20
_TEXTS = frozenset((ber.OCTET_STRING, ber.OPAQUE))


def read(path: Path) -> list[VarBind]:
    """Read a recording; lines that are none are left out.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large, or there is nothing in it.
    """
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{path}: over {LARGEST_FILE >> 20} MiB")
    found = []
    for line in path.read_bytes().split(b"\n"):
        name, _, rest = line.removesuffix(b"\r").partition(b"|")
        kind, bar, raw = rest.partition(b"|")
        if bar:
            try:
                tag = int(kind.removesuffix(b"x"))
                found.append((oids.encode(name.decode("ascii")), tag, _value(tag, raw, packed=kind.endswith(b"x"))))
            except ValueError:
                continue
    if not found:
        raise ValueError(f"{path}: not a recording: no line is OID|tag|value")
    return found


def _value(tag: int, raw: bytes, *, packed: bool) -> Value:
    if packed:
        return bytes.fromhex(raw.decode("ascii"))
    if tag in _TEXTS:
        return raw
    if tag == ber.NULL:
        return None
    if tag == ber.OBJECT_ID:
        return oids.encode(raw.decode("ascii"))
    if tag == ber.IP_ADDRESS:
        return bytes(map(int, raw.split(b".")))
    return int(raw)
