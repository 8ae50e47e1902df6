"""A lab as a process: network, devices and services of a province, steered over the control socket."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from haidang.clock import Clock
from lab.control import ControlServer, listen
from lab.devices import Behaviour
from lab.lines import Answer
from lab.network import Space
from lab.province import Province, RunningProvince
from lab.services import Mailbox, Service, Services

logger = structlog.get_logger(__name__)


class Lab:
    """A province in real time. Make it after `lab.network.isolate`, on the event loop; `close` it at the end.

    Parameters:
        name: of the control socket.
        province: what is there.
        folder: where mail and certificates of its services go.
        clock: whose time passes.

    Attributes:
        running: the province at work.
        ended: set when somebody asked over the control socket for the end.
    """

    def __init__(self, name: str, province: Province, folder: Path, clock: Clock) -> None:
        self.running = RunningProvince(province, clock)
        self.services = Services(folder, clock=clock)
        self.ended = asyncio.Event()
        self._name = name
        self._control = ControlServer(
            self.running.network,
            {
                "break": self._break, "mend": self._mend, "set": self._set, "power": self._power,
                "reboot": self._reboot, "agent": self._agent, "service": self._service, "status": self._status,
                "names": lambda _: {"names": self.running.register.names()}, "down": self._down,
            },
        )  # fmt: skip
        self._driving: asyncio.Task[None] | None = None

    async def start(self, space: Space, outside: socket.socket) -> None:
        """Bring everything up.

        Parameters:
            space: from `isolate`.
            outside: the control socket that `lab.control.listen` opened before it.

        Raises:
            Unavailable: the kernel refuses something, or a library is missing.
        """
        self.running.network.start(space)
        wanted = [Service(*offer) for offer in self.running.province.offers()]
        await self.services.open(space, wanted)
        self.running.services = self.services
        self._driving = asyncio.create_task(self.running.drive(), name="province")
        await self._control.start(outside, listen(self._name))
        logger.info("lab up", name=self._name, units=len(self.running.province.units), services=len(wanted))

    async def close(self) -> None:
        """Take everything down."""
        self._control.close()
        if self._driving is not None:
            self._driving.cancel()
        await self.services.close()
        self.running.network.close()

    @property
    def mailbox(self) -> Mailbox:
        """Where the mail of all its mail servers is."""
        return self.services.mailbox()

    def _break(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.running.cut(_word(request, "line"), Answer(request.get("answer", Answer.SILENT)))
        return {}

    def _mend(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.running.mend(_word(request, "line"))
        return {}

    def _set(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.running.set_line(_word(request, "line"), **_object(request, "conditions"))
        return {}

    def _power(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.running.power(_word(request, "site"), _word(request, "state"))
        return {}

    def _reboot(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.running.reboot(_word(request, "target"))
        return {}

    def _agent(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        known = {field.name for field in dataclasses.fields(Behaviour)} - {"oddities"}
        wanted = _object(request, "behaviour")
        if unknown := wanted.keys() - known:
            raise ValueError(f"an agent has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
        self.running.behave(_word(request, "target"), Behaviour(**wanted))
        return {}

    def _service(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.running.service(_word(request, "target"), **_object(request, "fault"))
        return {}

    def _status(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"status": {"network": self.running.network.status(), **self.running.describe()}}

    def _down(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        asyncio.get_running_loop().call_later(0.05, self.ended.set)  # after the answer has left
        return {}


def serve(
    name: str, province: Province, folder: Path, clock: Clock, space: Space, outside: socket.socket,
    ready: Callable[[Lab], None],
) -> None:  # fmt: skip
    """Be a lab until somebody asks for the end or this process gets SIGINT or SIGTERM.

    Parameters:
        name, province, folder, clock: as `Lab`.
        space, outside: as `Lab.start`.
        ready: called once it is up.

    Raises:
        Unavailable: as `Lab.start`.
    """

    async def live() -> None:
        lab = Lab(name, province, folder, clock)
        try:
            await lab.start(space, outside)
            ready(lab)
            await lab.ended.wait()
        finally:
            await lab.close()

    asyncio.run(live())


def _word(request: Mapping[str, Any], key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{request.get('do')} needs {key}, a name")
    return value


def _object(request: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = request.get(key, {})
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"{request.get('do')} needs {key}, an object")
    return value
