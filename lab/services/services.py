"""All services of a lab: opened together, made to misbehave one by one."""

from __future__ import annotations

import asyncio
import ipaddress
import resource
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import structlog

from haidang.clock import Clock, SystemClock
from lab.network import Space, Unavailable
from lab.services.certificates import Authority
from lab.services.doors import Yard
from lab.services.kinds import kind
from lab.services.limits import Limits
from lab.services.mailbox import Mailbox
from lab.services.server import Around, Server
from lab.services.service import Service
from lab.services.words import read

logger = structlog.get_logger(__name__)

_AT_ONCE = 100  # sockets opened before the event loop has its turn
_OTHER_FILES = 256  # descriptors that the rest of the process may need


class Services:
    """The services of a lab. Use them on the event loop; `close` them at the end.

    Parameters:
        folder: where `mail/` and `authority.pem` live; a temporary one when ``None``, which goes away with `close`.
        clock: what time servers tell and mail is stamped with; this machine's when ``None``.
        limits: how much clients may use up.
    """

    def __init__(self, folder: Path | None = None, *, clock: Clock | None = None, limits: Limits | None = None) -> None:
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="haidang-lab-", ignore_cleanup_errors=True)
            folder = Path(self._temporary.name)
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self._clock = clock or SystemClock()
        self._authority: Authority | None = None
        self._mailbox = Mailbox(self.folder / "mail")
        self._yard = Yard(limits or Limits())
        self._around = Around(self._clock, self._yard, self._get_authority, self._mailbox)
        self._servers: dict[tuple[str, int], tuple[Service, Server[Any, Any]]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def authority(self) -> Path:
        """The certificate that signs those of the services, PEM: for clients that shall trust them."""
        self._get_authority()
        return self.folder / "authority.pem"

    async def open(self, space: Space | None, wanted: Iterable[Service]) -> None:
        """Bring services up, beside those that are up already; all of them or, when this raises, none.

        Parameters:
            space: whose services' namespace the sockets are opened in, the same each time; ``None`` for the current
                namespace, where the lab has no network of its own.

        Raises:
            Unavailable: the kernel refuses a socket, or a library is missing; says which and the cure.
            ValueError: two services want the same port of an address.
        """
        self._yard.space = space
        services = list(wanted)
        self._require_free(services)
        made: list[tuple[Service, Server[Any, Any]]] = []
        try:
            self._allow_files(len(services))
            for number, service in enumerate(services, 1):
                server = self._build(service)
                made.append((service, server))
                server.open(service.port or 0)
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)
        except BaseException:
            for _, server in made:
                server.close()
            raise
        for service, server in made:
            self._servers[server.address, server.port] = service, server
        logger.info("services up", opened=len(services), services=len(self._servers), folder=str(self.folder))

    def behave(self, address: str, port: int, **fault: object) -> None:
        """Have something wrong with a service from now on, instead of what was wrong before; honest without words.

        Parameters:
            address, port: of the service.
            fault: see the kind's fault, e.g. `lab.services.pages.HttpFault`; ``away``, ``silent`` and ``delay_s`` are
                known to all.

        Raises:
            ValueError: there is no such service or fault, or its value is none.
            Unavailable: it was away, and its port has been taken meanwhile.
        """
        service, server = self._find(address, port)
        words = read(kind(service.kind).fault, fault, f"{service.kind} fault")
        for task in server.behave(words):
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        logger.info("service behaves", address=server.address, port=server.port, fault=fault)

    def mailbox(self) -> Mailbox:
        """Return where the mail of all mail servers is."""
        return self._mailbox

    def status(self) -> list[dict[str, object]]:
        """Describe each service: kind, address, port, what is wrong, clients, and what it has counted."""
        return [
            {
                "kind": service.kind,
                "address": server.address,
                "port": port,
                "fault": server.fault.model_dump(exclude_defaults=True, by_alias=True),
                "connections": server.connections,
                "answered": server.answered,
                "malformed": server.malformed,
                "refused": server.refused,
            }
            for (_, port), (service, server) in self._servers.items()
        ]

    async def close(self) -> None:
        """Take all services down, and a temporary folder away."""
        for _, server in self._servers.values():
            self._ending.update(server.close())
        self._servers.clear()
        await asyncio.gather(*self._ending, return_exceptions=True)
        if self._temporary is not None:
            self._temporary.cleanup()

    def _require_free(self, services: list[Service]) -> None:
        taken: set[tuple[str, int | None]] = set(self._servers)
        for service in services:
            if (service.address, service.port) in taken:
                raise ValueError(f"{service.address} port {service.port} has a service already")
            if service.port:
                taken.add((service.address, service.port))

    def _build(self, service: Service) -> Server[Any, Any]:
        known = kind(service.kind)
        try:
            make = known.load()
        except ModuleNotFoundError as missing:
            library = (missing.name or "a library").partition(".")[0]
            what = f"{service.kind} services need {library}, which is not installed"
            raise Unavailable(what, "run: pip install 'haidang[lab]' (in the project's folder: make venv)") from missing
        return make(service.address, service.read_options(), known.fault(), self._around)

    def _find(self, address: str, port: int) -> tuple[Service, Server[Any, Any]]:
        found = self._servers.get((str(ipaddress.ip_address(address)), port))
        if found is None:
            others = sorted(other for known, other in self._servers if known == address)
            hint = f"; it has one at {', '.join(map(str, others))}" if others else ""
            raise ValueError(f"{address} has no service at port {port}{hint}")
        return found

    def _get_authority(self) -> Authority:
        if self._authority is None:
            self._authority = Authority(self.folder / "authority.pem", self._clock)
        return self._authority

    def _allow_files(self, more: int) -> None:
        """Let this process have as many descriptors as its sockets and their clients may need."""
        needed = 2 * (len(self._servers) + more) + self._yard.limits.connections + _OTHER_FILES
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < needed:
            if hard != resource.RLIM_INFINITY and hard < needed:
                what = f"{needed} open files are needed, this process may have {hard}"
                raise Unavailable(what, f"run: ulimit -n {needed}, as root")
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
