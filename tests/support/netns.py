"""Network namespaces of the tests' own: links can be cut, packets dropped, and nothing of the machine is touched."""

from __future__ import annotations

import ctypes
import fcntl
import os
import secrets
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.parts import require

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # netdevice(7)


class Namespace:
    """A named network namespace with loopback up."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ip(self, *words: str) -> None:
        """Run ``ip`` inside."""
        subprocess.run(["ip", "-n", self.name, *words], check=True, capture_output=True)

    def command(self, *words: str) -> list[str]:
        """Return a command line that runs inside."""
        return ["ip", "netns", "exec", self.name, *words]

    def run(self, *words: str, text: str | None = None) -> str:
        """Run a command inside and return what it prints."""
        done = subprocess.run(self.command(*words), check=True, capture_output=True, text=True, input=text)
        return done.stdout + done.stderr

    def nft(self, rules: str) -> None:
        """Load nftables rules inside."""
        self.run(require("nft", "nftables"), "-f", "-", text=rules)

    def switch(self, device: str, *, up: bool) -> float:
        """Switch a device on or off by one system call; unlike ``ip``, it does not wait for a process to start.

        Returns:
            when it was done, seconds since 1970.
        """
        with self.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            request = struct.pack("16sh14x", device.encode(), 0)
            flags = struct.unpack_from("=h", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request), 16)[0]
            flags = flags | IFF_UP if up else flags & ~IFF_UP
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", device.encode(), flags))
            return time.time()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let this thread live inside for a while; sockets opened meanwhile stay there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        inside = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            _setns(inside)
            yield
        finally:
            _setns(home)
            os.close(home)
            os.close(inside)


def _setns(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Make a namespace and take it away again; skips where that needs rights we do not have."""
    require("ip", "iproute2")
    if os.geteuid() != 0 or not Path("/proc/self/ns/net").exists():
        if os.environ.get("CI") == "true":
            pytest.fail("network namespaces need root")
        pytest.skip("network namespaces need root: run the tests as root to include these")
    name = f"hd-{os.getpid()}-{secrets.token_hex(3)}"
    made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"this machine gives no network namespaces: {made.stderr.strip()}")
    space = Namespace(name)
    try:
        space.ip("link", "set", "lo", "up")
        yield space
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextmanager
def joined(left: Namespace, right: Namespace, prefix: str = "10.123.0") -> Iterator[None]:
    """Join two namespaces by a veth pair: ``.1`` on the left, ``.2`` on the right, device ``wire`` on both sides."""
    left.ip("link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", right.name)
    left.ip("addr", "add", f"{prefix}.1/24", "dev", "wire")
    right.ip("addr", "add", f"{prefix}.2/24", "dev", "wire")
    left.ip("link", "set", "wire", "up")
    right.ip("link", "set", "wire", "up")
    yield
