"""Namespaces of the lab's own: everything it makes lives in them and ends with its processes.

There are two: the **observer's**, where the daemon and the tools run, and the **services'**, where real servers listen
on addresses of simulated hosts. The simulator lies between them, so that a cut line stops TCP as well. Neither has a
name or a file: the kernel takes them away when the last process inside ends, also after ``kill -9``.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lab.network import system

DEVICE = Path("/dev/net/tun")


class Unavailable(Exception):
    """Something the lab needs cannot be had here: its network, a port, a library.

    Attributes:
        what: which right or part is missing.
        cure: the line that helps.
    """

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(f"{what}; {cure}")
        self.what = what
        self.cure = cure


@dataclass(frozen=True, slots=True)
class Space:
    """The namespaces a process has moved into with `isolate`.

    Attributes:
        observer, services: descriptors of the two network namespaces.
        privileged: plain root's namespaces, not a user namespace.
    """

    observer: int
    services: int
    privileged: bool

    @contextmanager
    def in_services(self) -> Iterator[None]:
        """Let this thread live among the services for a while: sockets opened meanwhile stay there."""
        system.setns(self.services, system.CLONE_NEWNET)
        try:
            yield
        finally:
            system.setns(self.observer, system.CLONE_NEWNET)


def isolate() -> Space:
    """Move this process, for good, into network namespaces of its own (as plain user: inside a user namespace).

    Call it before any thread is started, and connect sockets to the outside before.

    Raises:
        Unavailable: says which right is missing. The process may be halfway by then: ask `missing` first where
            something else is to be done without the lab's network.
    """
    _require_device()
    privileged = True
    try:
        system.unshare(system.CLONE_NEWNET)
    except OSError as refused:
        if refused.errno != errno.EPERM:
            raise _explain(refused) from refused
        privileged = False
        _unshare_user()
    services = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    system.unshare(system.CLONE_NEWNET)
    observer = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    return Space(observer, services, privileged)


def _require_device() -> None:
    try:
        os.close(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        raise Unavailable(
            f"there is no {DEVICE}", "run: modprobe tun (in a container: start it with --device /dev/net/tun)"
        ) from None
    except PermissionError:
        raise Unavailable(f"{DEVICE} may not be opened", f"run as root, or: sudo chmod 666 {DEVICE}") from None
    except OSError as error:
        raise Unavailable(f"{DEVICE} cannot be opened ({error.strerror})", "run: modprobe tun") from error


def _unshare_user() -> None:
    uid, gid = os.geteuid(), os.getegid()
    try:
        system.unshare(system.CLONE_NEWUSER | system.CLONE_NEWNET)
    except OSError as refused:
        raise _explain(refused) from refused
    try:
        with suppress(FileNotFoundError):
            Path("/proc/self/setgroups").write_text("deny", "ascii")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1", "ascii")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1", "ascii")
    except OSError as refused:
        raise _explain(refused) from refused


def _explain(refused: OSError) -> Unavailable:
    if refused.errno == errno.EINVAL:
        return Unavailable("this process has threads already", "move into the namespace first")
    if refused.errno in (errno.ENOSPC, errno.EUSERS):
        return Unavailable("no more namespaces are allowed", "run: sudo sysctl -w user.max_user_namespaces=10000")
    for key in ("kernel/apparmor_restrict_unprivileged_userns", "kernel/unprivileged_userns_clone"):
        with suppress(OSError):
            value = Path("/proc/sys", key).read_text("ascii").strip()
            if value == ("1" if "apparmor" in key else "0"):
                cure = f"run as root, or: sudo sysctl -w {key.replace('/', '.')}={1 - int(value)}"
                return Unavailable("plain users may not make namespaces here", cure)
    return Unavailable(
        f"namespaces may not be made here ({refused.strerror})", "run as root; in a container with --privileged"
    )


def missing() -> Unavailable | None:
    """Tell why the lab's network cannot be had here, ``None`` when it can: a process of its own tries all of it."""
    words = [sys.executable, "-P", "-m", "lab.network.command", "--check"]
    done = subprocess.run(words, check=False, capture_output=True, text=True)  # noqa: S603 our own command
    if done.returncode == 0:
        return None
    what, _, cure = done.stdout.strip().partition("\n")
    return Unavailable(what or f"the check failed: {done.stderr.strip()[-200:]}", cure or "see above")


def enter(pid: int) -> None:
    """Move this process into the observer's namespace of a running lab.

    Parameters:
        pid: the lab's process.

    Raises:
        Unavailable: there is no such process, or it is not ours to enter.
    """
    try:
        descriptors = [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("user", "net")]
    except FileNotFoundError:
        raise Unavailable(f"there is no process {pid}", "start the lab first: haidang lab up") from None
    except PermissionError:
        raise Unavailable(f"process {pid} belongs to somebody else", "run as the user who started the lab") from None
    try:
        kinds = (system.CLONE_NEWUSER, system.CLONE_NEWNET)
        for descriptor, kind, mine in zip(descriptors, kinds, ("user", "net"), strict=True):
            if not os.path.samestat(os.fstat(descriptor), Path(f"/proc/thread-self/ns/{mine}").stat()):
                system.setns(descriptor, kind)
    except OSError as refused:
        what = f"the network of process {pid} may not be entered ({refused.strerror})"
        raise Unavailable(what, "run as the user who started the lab") from refused
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def inside(pid: int, words: list[str], *, with_parent: bool = False) -> list[str]:
    """Return the command line that runs a command in the observer's namespace of a running lab.

    Parameters:
        pid: the lab's process.
        words: the command.
        with_parent: end it (SIGTERM) when the process that started it ends.
    """
    flags = ["--with-parent"] if with_parent else []
    return [sys.executable, "-P", "-m", "lab.network.command", *flags, str(pid), *words]
