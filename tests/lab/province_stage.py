"""A province in a process of its own, for the tests: writes its configuration, runs it, does what it is told.

Argument: JSON with ``name`` (of the control socket), ``folder`` (for the configuration), ``shape`` and ``settings``. It
prints one line when it is up: ``ready``, or why it cannot be had (exit status 3).
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from haidang.clock import SystemClock
from lab.control import ControlServer, Verb, listen
from lab.network import Unavailable, isolate
from lab.province import RunningProvince, Shape, generate
from lab.province.configuration import write_configuration
from lab.services import Service, Services

KINDS = ("smtp", "dns", "http", "sip", "rtsp", "ntp")


def verbs(lab: RunningProvince) -> dict[str, Verb]:
    """Make the requests that the tests drive the province with."""

    def power(words: Mapping[str, Any]) -> dict[str, Any]:
        lab.power(words["site"], words["state"])
        return {}

    def cut(words: Mapping[str, Any]) -> dict[str, Any]:
        lab.cut(words["line"])
        return {}

    def repair(words: Mapping[str, Any]) -> dict[str, Any]:
        lab.mend(words["line"])
        return {}

    def describe(_: Mapping[str, Any]) -> dict[str, Any]:
        return {"found": lab.describe()}

    def fail(words: Mapping[str, Any]) -> dict[str, Any]:
        lab.service(words["target"], **words["fault"])
        return {}

    return {"power": power, "cut": cut, "repair": repair, "describe": describe, "fail": fail}


async def serve(wanted: dict[str, Any], outside: socket.socket) -> None:
    """Run until killed."""
    space = isolate()
    province = generate(Shape(**wanted["shape"]))
    lab = RunningProvince(province, SystemClock())
    folder = Path(wanted["folder"])
    write_configuration(province, folder, settings=wanted["settings"])
    lab.network.start(space)
    services = lab.services = Services(folder / "services")
    await services.open(space, [Service(*offer) for offer in province.offers(KINDS)])
    control = ControlServer(lab.network, verbs(lab))
    await control.start(outside, listen(wanted["name"]))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await lab.drive()


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
