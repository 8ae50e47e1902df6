"""Speaking to a running lab from another process: JSON lines over a Unix socket that ends with the lab.

The socket has an abstract name: no file, so nothing is left after ``kill -9``. Such names belong to a network
namespace, therefore the lab listens twice under the same name, outside (before `lab.network.isolate`) and among the
observers, and a client reaches it from either. Abstract names have no file permissions; both ends look at the other's
user instead (``SO_PEERCRED``, unix(7)).

One request per line, one answer per line::

    {"do": "break", "line": "district-3", "answer": "host-unreachable"}  →  {"ok": true}
    {"do": "set", "line": "10.1.2.3", "conditions": {"loss_percent": 5}} →  {"ok": true, "conditions": {…}}
    {"do": "status"}                                                     →  {"ok": true, "status": {…}}
    {"do": "mend", "line": "nowhere"}                                    →  {"ok": false, "error": "…"}
"""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import json
import os
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from lab.lines import Answer, Line
from lab.network import Network

logger = structlog.get_logger(__name__)

PREFIX = "haidang-lab/"
LONGEST_LINE = 65536
_STRANGER = {"ok": False, "error": "this lab belongs to another user"}
_CREDENTIALS = struct.Struct("=3i")  # struct ucred: pid, uid, gid

Verb = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Gets a request, returns what is added to the answer; raises ValueError with words for the one who asked."""


class ControlError(Exception):
    """The lab cannot be reached, or refused; the words say why."""


def listen(name: str) -> socket.socket:
    """Open the socket of a lab in the network namespace this thread is in.

    Raises:
        ControlError: a lab of this name runs already.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.bind(f"\0{PREFIX}{name}")
        sock.listen(16)
    except OSError as error:
        sock.close()
        raise ControlError(f"a lab named {name!r} runs already ({error.strerror})") from error
    sock.setblocking(False)
    return sock


class ControlServer:
    """Answers requests about a network.

    Parameters:
        network: what is driven.
        verbs: further requests by the value of ``do``, e.g. a scenario's.
    """

    def __init__(self, network: Network, verbs: Mapping[str, Verb] | None = None) -> None:
        self._network = network
        self._verbs: dict[str, Verb] = {
            "break": self._break, "mend": self._mend, "set": self._set, "reset": self._reset,
            "status": self._status, "lines": self._lines, **(verbs or {}),
        }  # fmt: skip
        self._servers: list[asyncio.Server] = []

    async def start(self, *sockets: socket.socket) -> None:
        """Take requests on sockets that `listen` opened; they are closed with `close`."""
        for sock in sockets:
            self._servers.append(await asyncio.start_unix_server(self._serve, sock=sock, limit=LONGEST_LINE))

    def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    def answer(self, line: bytes) -> dict[str, Any]:
        """Do what a request says."""
        try:
            return {"ok": True, **self._do(json.loads(line))}
        except (ValueError, TypeError, RecursionError) as error:
            return {"ok": False, "error": str(error)}

    def _do(self, request: object) -> Mapping[str, Any]:
        if not isinstance(request, dict):
            raise ValueError("a request is a JSON object with the key do")  # noqa: TRY004 words for the one who asked
        verb = self._verbs.get(str(request.get("do")))
        if verb is None:
            raise ValueError(f"do must be one of {', '.join(sorted(self._verbs))}, not {request.get('do')!r}")
        return verb(request)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            _, uid = _peer(writer.get_extra_info("socket"))
            while line := await reader.readline():
                answer = self.answer(line) if uid == os.geteuid() else _STRANGER
                writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
                await writer.drain()
        except (ValueError, OSError) as error:  # a line too long, or the client is gone
            logger.info("control connection ended", reason=str(error))
        finally:
            writer.close()

    def _find(self, request: Mapping[str, Any]) -> Line:
        name = str(request.get("line"))
        lines = self._network.topology.lines
        if name in lines:
            return lines[name]
        try:
            return self._network.host(name).access
        except (KeyError, ValueError):
            near = difflib.get_close_matches(name, lines, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise ValueError(f"there is no line or address {name!r}{hint}") from None

    def _break(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self._find(request).cut(Answer(request.get("answer", Answer.SILENT)))
        return {}

    def _mend(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self._find(request).mend()
        return {}

    def _set(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        wanted = request.get("conditions")
        if not isinstance(wanted, dict):
            raise ValueError('set needs conditions, an object such as {"loss_percent": 5}')  # noqa: TRY004
        return {"conditions": dataclasses.asdict(self._find(request).set(**wanted))}

    def _reset(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self._find(request).reset()
        return {}

    def _status(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"status": self._network.status()}

    def _lines(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        topology = self._network.topology
        return {"lines": {name: list(topology.ends(name)) for name in topology.lines}}


class ControlClient:
    """A connection to a running lab. Use it in ``with``, or `close` it.

    Parameters:
        name: of the lab.
        timeout_s: how long to wait for each answer, seconds.

    Attributes:
        pid: the lab's process, as the kernel tells it: good for `lab.network.enter`.

    Raises:
        ControlError: no such lab runs, or it is somebody else's.
    """

    def __init__(self, name: str, timeout_s: float = 5.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(f"\0{PREFIX}{name}")
        except OSError as error:
            self._socket.close()
            raise ControlError(f"no lab named {name!r} runs here; start it with: haidang lab up") from error
        self.pid, uid = _peer(self._socket)
        if uid not in (os.geteuid(), 0):
            self._socket.close()
            raise ControlError(f"the lab named {name!r} belongs to another user")
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._lines.close()
        self._socket.close()

    def ask(self, do: str, **words: object) -> dict[str, Any]:
        """Ask for something and wait for the answer.

        Raises:
            ControlError: the lab refused, or does not answer (any more).
        """
        try:
            self._socket.sendall(json.dumps({"do": do, **words}).encode() + b"\n")
            answer = json.loads(self._lines.readline() or b"null")
        except (OSError, ValueError) as error:
            raise ControlError(f"the lab does not answer: {error}") from error
        if not isinstance(answer, dict):
            raise ControlError("the lab has ended")
        if answer.get("ok") is not True:
            raise ControlError(str(answer.get("error")))
        return answer


def running() -> list[str]:
    """Return the names of the labs that run on this machine (in this network namespace)."""
    names = set()
    for line in Path("/proc/net/unix").read_text("utf-8", "replace").splitlines():
        path = line.rpartition(" ")[2]
        if path.startswith(f"@{PREFIX}"):
            names.add(path[1 + len(PREFIX) :])
    return sorted(names)


def _peer(sock: socket.socket) -> tuple[int, int]:
    pid, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return pid, uid
