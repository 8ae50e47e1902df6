"""A province in a process of its own, for the tests: writes its configuration, then is a lab until it is told to end.

Argument: JSON with ``name`` (of the control socket), ``folder`` (for the configuration), ``shape`` and ``settings``. It
prints one line when it is up: ``ready``, or why it cannot be had (exit status 3).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from haidang.clock import SystemClock
from lab.control import listen
from lab.network import Unavailable, isolate
from lab.process import Lab, serve
from lab.province import Shape, generate
from lab.province.configuration import write_configuration


def ready(_: Lab) -> None:
    """Tell the test that everything is up."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def main() -> int:
    """Run it."""
    wanted = json.loads(sys.argv[1])
    folder = Path(wanted["folder"])
    province = generate(Shape(**wanted["shape"]))
    write_configuration(province, folder, settings=wanted["settings"])
    outside = listen(wanted["name"])
    try:
        serve(wanted["name"], province, folder, SystemClock(), isolate(), outside, ready)
    except Unavailable as error:
        sys.stdout.write(f"{error}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
