"""The server: uvicorn in the daemon's own process and loop, on a socket of ours or one that systemd passed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
import stat
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path

import structlog
import uvicorn
from starlette.types import ASGIApp

from dashboards.web.gate import HEAD_S, Gate, GatedProtocol
from dashboards.web.turns import Turns

logger = structlog.get_logger(__name__)

KEEP_ALIVE_S = 20
LONGEST_HEAD = 16_384
BACKLOG = 64
AT_ONCE = 4
"""Connections taken in one pass of the loop: a hundred at once would hold it up."""
RENEWED_S = 60.0
"""How often the certificate's files are looked at."""
FIRST_FD = 3
"""sd_listen_fds(3)."""


class CannotServe(Exception):
    """The pages cannot be served; the words say why and what to do."""


def passed_socket(environment: MutableMapping[str, str]) -> socket.socket | None:
    """Take the listening socket that systemd passed (sd_listen_fds(3)), once; ``None`` without one.

    Parameters:
        environment: usually ``os.environ``; what is taken is taken out, so that no child takes it too.
    """
    process, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if process != str(os.getpid()) or not count.isdigit() or int(count) < 1:
        return None
    try:
        if not stat.S_ISSOCK(os.fstat(FIRST_FD).st_mode):
            return None
        os.set_inheritable(FIRST_FD, False)
        found = socket.socket(fileno=FIRST_FD)
        if found.type != socket.SOCK_STREAM:
            found.detach()
            return None
    except OSError as error:
        logger.warning("the socket that systemd passed cannot be used", reason=str(error))
        return None
    found.setblocking(False)
    return found


def bind(listen: str) -> socket.socket:
    """Open the listening socket.

    Parameters:
        listen: ``ADDRESS:PORT``, checked by the configuration.

    Raises:
        CannotServe: the port is taken, or not ours to have.
    """
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, else asyncio does not switch Nagle's algorithm off: each answer waits 40 ms for its second half.
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if host == "::" else 1)
        sock.bind((host, int(port)))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        why = (error.strerror or str(error)).lower()
        raise CannotServe(
            f"{listen}: {why}; end what listens there (ss -ltnp), or give web.listen another port and reload"
        ) from error
    sock.setblocking(False)
    return sock


class Certificate:
    """A certificate and its key, loaded again when the files change.

    Parameters:
        certificate, key: PEM files.

    Raises:
        CannotServe: they cannot be used.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._seen = self._stamp()
        self._load()

    def renew(self) -> None:
        """Take new files up for connections from now on; files that cannot be used leave the old ones in force."""
        seen = self._stamp()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._check()
            self._load()
        except CannotServe as error:
            logger.error("the renewed certificate is not taken, the old one stays", reason=str(error))  # noqa: TRY400 all is said
        else:
            logger.info("certificate renewed", file=str(self._files[0]))

    def _check(self) -> None:
        """Try the pair on a context that nobody uses: half a pair in the real one would break it."""
        self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def _load(self, context: ssl.SSLContext | None = None) -> None:
        certificate, key = self._files
        try:
            # A pass phrase would be asked for on the terminal and hang the daemon: an empty one is refused at once.
            (context or self.context).load_cert_chain(certificate, key, password=lambda: "")
        except (OSError, ssl.SSLError) as error:
            raise CannotServe(
                f"{certificate} and {key}: {error}; they must be a PEM certificate and its key, readable to this user"
            ) from error

    def _stamp(self) -> tuple[tuple[int, int] | None, ...]:
        found: list[tuple[int, int] | None] = []
        for file in self._files:
            try:
                status = file.stat()
                found.append((status.st_mtime_ns, status.st_ino))
            except OSError:
                found.append(None)
        return tuple(found)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the daemon ends it."""

    def __init__(self, config: uvicorn.Config, gate: Gate, secure: ssl.SSLContext | None) -> None:
        super().__init__(config)
        self._gate = gate
        self._secure = secure

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, with a deadline for the TLS handshake, which uvicorn does not set."""
        self.servers = []
        for sock in sockets or []:
            self.servers.append(
                await asyncio.get_running_loop().create_server(
                    lambda: GatedProtocol(
                        self._gate, config=self.config, server_state=self.server_state, app_state={}
                    ),
                    sock=sock, ssl=self._secure, backlog=AT_ONCE,
                    ssl_handshake_timeout=HEAD_S if self._secure else None,
                )
            )  # fmt: skip
            sock.listen(BACKLOG)  # the loop takes as many in one pass as it was told of; the kernel keeps more waiting
        self.started = True


async def serve(
    app: ASGIApp, sock: socket.socket, gate: Gate, certificate: Certificate | None, ready: Callable[[], None]
) -> None:
    """Serve until cancelled; what runs then has two seconds to end.

    Parameters:
        app: what answers.
        sock: listens already; closed with the server.
        gate: see `Gate`.
        certificate: for TLS.
        ready: called once connections are taken.
    """
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # strangers' bad requests are counted, not logged
    config = uvicorn.Config(
        Turns(asyncio.get_running_loop()).around(app),
        lifespan="off", log_config=None, access_log=False, ws="none", http="h11", server_header=False,
        proxy_headers=False, timeout_keep_alive=KEEP_ALIVE_S, timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=LONGEST_HEAD, backlog=BACKLOG,
    )  # fmt: skip
    server = _Server(config, gate, certificate.context if certificate else None)
    serving = asyncio.create_task(server.serve([sock]), name="uvicorn")
    try:
        ready()
        while not serving.done():
            await asyncio.wait([serving], timeout=RENEWED_S)
            if certificate is not None:
                certificate.renew()
        await serving
    finally:
        server.should_exit = server.force_exit = True
        for connection in tuple(server.server_state.connections):
            connection.transport.abort()
        for task in tuple(server.server_state.tasks):
            task.cancel()
        for listener in getattr(server, "servers", []):
            listener.close()
        sock.close()
        serving.cancel()
        await asyncio.wait([serving], timeout=1)
