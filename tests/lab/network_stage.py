"""A lab in a process of its own, for the tests: builds the network its first argument describes, then serves it.

Argument: JSON with ``name`` (of the control socket), ``real`` (services of `lab.services`, as rows of their arguments)
and what `build` understands. It prints one line when it is up:
``ready``, or why it cannot be had (exit status 3).
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Iterable
from typing import Any

from lab.control import ControlServer, listen
from lab.lines import Conditions
from lab.network import Address, Network, Reply, Unavailable, isolate
from lab.services import Service, Services, Severity, SyslogSource, Writer


def build(wanted: dict[str, Any]) -> Network:
    """Make a network of places, lines and hosts; every host echoes datagrams to port 161 after 5 ms."""
    network = Network(wanted.get("seed", 1), converge_s=wanted.get("converge_s", 3.0))
    for name, addresses in wanted["places"].items():
        network.add_place(name, *addresses)
    for name, upper, lower, conditions in wanted["lines"]:
        network.add_line(name, upper, lower, Conditions(**conditions))
    open_to_all = {*wanted.get("services", ()), *wanted.get("gates", ())}
    for address, place in wanted["hosts"].items():
        network.add_host(address, place, services=address in open_to_all).serve(161, echo)
    return network


def echo(data: bytes, asker: Address) -> Iterable[Reply]:
    """Answer with the asker's address and the data doubled."""
    yield 0.005, f"{asker[0]} ".encode() + data * 2


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say hello on TCP, then repeat what comes until the end."""
    writer.write(b"hello ")
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


class Repeat(asyncio.DatagramProtocol):
    """A real UDP server that sends everything back with the sender's address before it."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._transport.sendto(f"{addr[0]} ".encode() + data, addr)


async def serve(wanted: dict[str, Any], outside: socket.socket) -> None:
    """Run until killed."""
    space = isolate()
    network = build(wanted)
    network.start(space)
    for address in wanted.get("services", ()):
        with space.in_services():
            server = await asyncio.start_server(greet, address, 8080)
            await asyncio.get_running_loop().create_datagram_endpoint(Repeat, (address, 5353))
        assert server.is_serving()

    def trap(request: Any) -> dict[str, Any]:
        network.send((request["from"], 161), (request["to"], request["port"]), request["data"].encode())
        return {}

    services = Services()
    await services.open(space, [Service(*row) for row in wanted.get("real", ())])

    def behave(request: Any) -> dict[str, Any]:
        services.behave(request["address"], request["port"], **request["fault"])
        return {}

    def letters(_: Any) -> dict[str, Any]:
        return {"letters": [[one.sender, one.subject] for one in services.mailbox().letters()]}

    tasks: set[asyncio.Task[None]] = set()

    async def send_log(source: SyslogSource, text: str) -> None:
        async with source:
            await source.send(Severity.ERROR, text)

    def log(request: Any) -> dict[str, Any]:
        source = SyslogSource(
            Writer("sw-1"), request["from"], (request["to"], request["port"]), transport=request["transport"],
            space=space,
        )  # fmt: skip
        tasks.add(asyncio.create_task(send_log(source, request["text"])))
        return {}

    verbs = {"trap": trap, "behave": behave, "letters": letters, "log": log}
    control = ControlServer(network, verbs)
    await control.start(outside, listen(wanted["name"]))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def main() -> int:
    """Run it."""
    wanted = json.loads(sys.argv[1])
    try:
        asyncio.run(serve(wanted, listen(wanted["name"])))
    except Unavailable as error:
        sys.stdout.write(f"{error}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
