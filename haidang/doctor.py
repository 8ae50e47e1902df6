"""What is missing on this machine, and the line that cures it."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import socket
import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from collectors.receiver import Listening
from collectors.receiver.sockets import CannotListen, open_all
from config import Configuration, SecretUnavailable
from probes.icmp.sockets import IcmpUnavailable, open_socket
from probes.sockets import BUFFER_BYTES, enlarge

_ADJTIMEX_ERROR = 5  # TIME_ERROR of adjtimex(2): the kernel's clock is not synchronised
_LITTLE_SPACE = 1 << 30
_NO_SPACE = 100 << 20
_SHOWN = 3


class Health(StrEnum):
    """How a finding is."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and what to do when it is not well."""

    name: str
    health: Health
    text: str
    cure: str = ""


def machine() -> Iterator[Finding]:
    """Look at what does not depend on the configuration: interpreter, ICMP rights, buffers, clock."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", Health.OK, f"Python {version}, SQLite {sqlite3.sqlite_version}")
    for family, name in ((socket.AF_INET, "ping IPv4"), (socket.AF_INET6, "ping IPv6")):
        yield _icmp(family, name)
    yield _buffers()
    yield _clock()


def _icmp(family: socket.AddressFamily, name: str) -> Finding:
    try:
        sock, raw = open_socket(family, bytes(8))
    except IcmpUnavailable as error:
        health = Health.BAD if family == socket.AF_INET else Health.WARNING
        return Finding(name, health, error.reason, error.cure or "nothing to do if no target has such an address")
    sock.close()
    return Finding(name, Health.OK, "raw socket" if raw else "datagram socket (ping_group_range)")


def _buffers() -> Finding:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        size = enlarge(sock)
    if size >= BUFFER_BYTES:
        return Finding("receive buffer", Health.OK, f"{size // 1024} KiB")
    return Finding(
        "receive buffer", Health.WARNING,
        f"{size // 1024} KiB: more than some {size // 830} replies at once would be dropped inside this machine",
        f"sudo sysctl -w net.core.rmem_max={BUFFER_BYTES * 2}  (systemd/haidang.sysctl.conf keeps it)",
    )  # fmt: skip


def _clock() -> Finding:
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
    if state == _ADJTIMEX_ERROR:
        return Finding(
            "clock", Health.WARNING, "the kernel says that the clock is not synchronised: times in a dispute are weak",
            "sudo apt-get install chrony  (or: sudo timedatectl set-ntp true)",
        )  # fmt: skip
    if state < 0:
        return Finding(
            "clock", Health.WARNING, "the kernel does not tell whether the clock is synchronised", "chronyc tracking"
        )
    return Finding("clock", Health.OK, "synchronised")


def data_directory(path: Path) -> Iterator[Finding]:
    """Look at the directory that holds the ledger: may we write, is there room."""
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        yield Finding("data directory", Health.BAD, f"{there} is not a directory", "set data_dir elsewhere")
        return
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        yield Finding(
            "data directory", Health.BAD, f"{path}: its file system is read-only", "mount it writable, or set data_dir"
        )
        return
    if not os.access(there, os.W_OK | os.X_OK):
        user = _user()
        yield Finding(
            "data directory", Health.BAD, f"{path}: {user} may not write there",
            f"sudo install -d -o {user} -m 0750 {path}  (or set data_dir)",
        )  # fmt: skip
        return
    if there == path and (foreign := _foreign(path)):
        owner = _name(path.stat().st_uid)
        shown = ", ".join(sorted(str(one.relative_to(path)) for one in foreign)[:_SHOWN])
        yield Finding(
            "data directory", Health.BAD, f"{path}: {owner} may not write {len(foreign)} of its files: {shown}",
            f"sudo chown -R {owner} {path} && sudo chmod -R u+rwX {path}",
        )  # fmt: skip
        return
    free = shutil.disk_usage(there).free
    text = f"{path}: {free / 2**30:.1f} GiB free"
    if free < _LITTLE_SPACE:
        health = Health.BAD if free < _NO_SPACE else Health.WARNING
        yield Finding("data directory", health, text, "make room, shorten storage.retention, or set data_dir elsewhere")
    else:
        yield Finding("data directory", Health.OK, text)


def _foreign(path: Path) -> list[Path]:
    """Find what the daemon, whose the directory is, may not write there: somebody ran it, or sqlite3, as root once."""
    owner, found = path.stat().st_uid, []
    for one in path.rglob("*"):
        with suppress(FileNotFoundError):  # a running daemon's files come and go
            seen = one.lstat()
            ours = seen.st_uid == owner if os.geteuid() == 0 else os.access(one, os.W_OK)
            if not (ours and seen.st_mode & stat.S_IWUSR):
                found.append(one)
    return found


def _user() -> str:
    """Name the user whose rights count, not the one who typed sudo."""
    return _name(os.geteuid())


def _name(uid: int) -> str:
    """Name a user; by number where it has no name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def secrets(configuration: Configuration) -> Iterator[Finding]:
    """Look whether every secret in use can be read, and only by those who should."""
    for name, secret in configuration.secrets().items():
        try:
            secret.read()
        except SecretUnavailable as error:
            yield Finding(
                "secret", Health.BAD, f"{name}: {error}", "write it there, readable by the daemon's user only"
            )
            continue
        weakness, _, cure = secret.weakness().partition(": ")
        if weakness:
            yield Finding("secret", Health.WARNING, f"{name}: {weakness}", cure)
        else:
            yield Finding("secret", Health.OK, name)


def people(configuration: Configuration) -> Iterator[Finding]:
    """Look whether anybody is told when something fails."""
    alerting = configuration.alerting
    if alerting.to or alerting.routes or any(one.notify for one in configuration.inventory.targets.values()):
        return
    yield Finding(
        "people", Health.WARNING, "nobody is told when something fails",
        "name somebody under contacts and in alerting.to, and a way, e.g. alerting.mail (docs/configuration.md)",
    )  # fmt: skip


def receivers(listening: Listening) -> Iterator[Finding]:
    """Look whether we may listen where traps and logs shall come."""
    for name, part in (
        ("traps", Listening(traps=listening.traps)),
        ("syslog", Listening(syslog_udp=listening.syslog_udp, syslog_tcp=listening.syslog_tcp)),
    ):
        if not part:
            continue
        try:
            open_all(part).close()
        except CannotListen as error:
            yield Finding(name, Health.WARNING, error.reason, error.cure)
        else:
            yield Finding(name, Health.OK, "can be listened for")


def reachable_url(url: str) -> Finding:
    """Look whether the metric store takes connections."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    cure = "start it, or check storage.influxdb.url; meanwhile points wait in the spool"
    return reachable("metric store", parts.hostname or "", port, cure)


def reachable(name: str, host: str, port: int, cure: str, timeout_s: float = 3.0) -> Finding:
    """Look whether a server that we need takes connections."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return Finding(name, Health.OK, f"{host}:{port} takes connections")
    except OSError as error:
        return Finding(name, Health.BAD, f"{host}:{port}: {(error.strerror or str(error)).lower()}", cure)
