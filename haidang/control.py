"""Speaking to the running daemon from a command: JSON lines over a Unix socket in the data directory.

Only the daemon writes its files; a command that changes something asks it to. The socket is a file that its owner alone
may open (mode 0600), and both ends look at the other's user besides (``SO_PEERCRED``, unix(7)).

One request per line, one answer per line::

    {"do": "oncall.cancel", "number": 3, "reason": "…", "author": "…"} →  {"ok": true}
    {"do": "nonsense"}                                                 →  {"ok": false, "refused": true, "error": "…"}

``refused`` says that the request itself is wrong, as one about an incident that there is not; without it something is
wrong with us, and the same request may be done later.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

logger = structlog.get_logger(__name__)

NAME = "control"
LONGEST_LINE = 65_536
MOST_CLIENTS = 16
PATIENCE_S = 10.0
"""How long a client may take for its request, and to take its answer."""
_CREDENTIALS = struct.Struct("=3i")  # struct ucred: pid, uid, gid

Verb = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Gets a request, returns what is added to the answer; raises ValueError with words for the one who asked."""


class ControlError(Exception):
    """The daemon cannot be reached, or could not do it; the words say why and what to do."""


class Refused(ControlError):
    """What was asked for makes no sense to the daemon: it names something that is not there, or is not allowed."""


class ControlServer:
    """Answers requests to the daemon, one after the other on its own loop.

    Parameters:
        folder: the data directory, held by this process: a socket left there by a killed daemon is replaced.
        verbs: what can be asked for, by the value of ``do``.
    """

    def __init__(self, folder: Path, verbs: Mapping[str, Verb]) -> None:
        self._path = folder / NAME
        self._verbs = verbs
        self._server: asyncio.Server | None = None
        self._clients = 0
        self.refused = 0
        """Connections turned away: strangers, and more than `MOST_CLIENTS` at once."""

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the socket cannot be made.
        """
        self._path.unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            # A path in the data directory may be longer than a socket's address can be (108 bytes, unix(7)).
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                before = os.umask(0o177)
                try:
                    sock.bind(f"/proc/self/fd/{folder}/{NAME}")
                finally:
                    os.umask(before)
            finally:
                os.close(folder)
            sock.setblocking(False)
            self._server = await asyncio.start_unix_server(self._serve, sock=sock, limit=LONGEST_LINE)
        except BaseException:
            sock.close()
            raise

    def close(self) -> None:
        """Stop listening and take the socket away."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)

    def answer(self, line: bytes) -> dict[str, Any]:
        """Do what a request says."""
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("a request is a JSON object with the key do")  # noqa: TRY004, TRY301 words for the one who asked
            verb = self._verbs.get(str(request.get("do")))
            if verb is None:
                raise ValueError(f"do must be one of {', '.join(sorted(self._verbs))}")  # noqa: TRY301 as above
            return {"ok": True, **verb(request)}
        except (ValueError, TypeError, RecursionError) as error:
            return {"ok": False, "refused": True, "error": str(error)}
        except sqlite3.OperationalError as error:
            logger.error("a request could not be written", error=str(error))  # noqa: TRY400 all is said
            return {"ok": False, "error": f"nothing was changed: {error}; haidang doctor says what to do"}
        except Exception:  # noqa: BLE001 a request that nobody foresaw must not end the connection without a word
            logger.exception("a request could not be done", request=line[:200].decode("utf-8", "replace"))
            return {"ok": False, "error": "the daemon could not do that; its log says why"}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            uid = _peer(writer.get_extra_info("socket"))
            if uid not in (os.geteuid(), 0) or self._clients > MOST_CLIENTS:
                self.refused += 1
                return
            while line := await asyncio.wait_for(reader.readline(), PATIENCE_S):
                writer.write(json.dumps(self.answer(line), ensure_ascii=False).encode() + b"\n")
                await asyncio.wait_for(writer.drain(), PATIENCE_S)
        except (ValueError, OSError, TimeoutError) as error:  # a line too long, or the client is gone or asleep
            logger.info("control connection ended", reason=str(error) or type(error).__name__)
        finally:
            self._clients -= 1
            writer.close()


def ask(folder: Path, do: str, words: Mapping[str, object], timeout_s: float = 10.0) -> dict[str, Any]:
    """Ask the running daemon for something and wait for the answer.

    Parameters:
        folder: its data directory.
        do: the verb.
        words: the rest of the request.
        timeout_s: for each step, seconds.

    Raises:
        Refused: the request is wrong.
        ControlError: no daemon runs there, it is not ours to ask, or it could not do it.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(timeout_s)
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                sock.connect(f"/proc/self/fd/{handle}/{NAME}")
            finally:
                os.close(handle)
            if _peer(sock) not in (os.geteuid(), 0) and os.geteuid() != 0:
                raise ControlError(f"{folder / NAME} is another user's")
            sock.sendall(json.dumps({"do": do, **words}, ensure_ascii=False).encode() + b"\n")
            with sock.makefile("rb") as lines:
                answer = json.loads(lines.readline(LONGEST_LINE) or b"null")
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise ControlError(
                f"{folder}: no daemon runs on this data directory; only it may write there: haidang run"
            ) from error
        except PermissionError as error:
            raise ControlError(
                f"{folder / NAME}: permission denied; asking needs the rights of the daemon's user (sudo -u haidang …)"
            ) from error
        except (OSError, ValueError) as error:
            raise ControlError(f"the daemon does not answer: {error}") from error
    if not isinstance(answer, dict):
        raise ControlError("the daemon ended, or turned us away")
    if answer.get("ok") is not True:
        raise (Refused if answer.get("refused") is True else ControlError)(str(answer.get("error")))
    return answer


def _peer(sock: socket.socket) -> int:
    _, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(uid)
