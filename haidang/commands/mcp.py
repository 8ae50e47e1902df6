"""``haidang mcp``: lets an assistant ask."""

from __future__ import annotations

import os
import sys

from config import ConfigurationInvalid
from haidang import logs
from haidang.assistant.questions import Questions
from haidang.commands.common import ConfigOption, fail, find_config
from haidang.commands.reading import holder

BEHIND = 10
"""How much we stand back for the daemon, see nice(2): probing must not wait for an answer."""


def mcp(config: ConfigOption = None) -> None:
    """Let an assistant ask (MCP); it can only read.

    Speaks the Model Context Protocol on standard input and output. An assistant starts this itself; docs/mcp.md says
    how to set it up. It takes the rights to read the data directory (sudo -u haidang …) and the extra mcp.
    """
    try:
        from haidang.assistant.server import server  # noqa: PLC0415 the extra may be missing
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        fail(f"the MCP server needs the package mcp: {sys.prefix}/bin/pip install 'haidang[mcp]'")
    path = find_config(config)
    try:
        questions = Questions(path)
    except ConfigurationInvalid as invalid:
        fail(*map(str, invalid.errors))
    holder(questions.configuration)  # who may not look is told now, and not by every answer
    if sys.stdin.isatty():
        sys.stderr.write("an assistant starts this and speaks JSON to it: see docs/mcp.md. Ctrl-D ends it.\n")
    os.nice(BEHIND)
    logs.configure(level="warning")
    try:
        server(questions).run("stdio")
    except KeyboardInterrupt:
        fail("ended", status=130)
