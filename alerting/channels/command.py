"""Messages through a program of this machine: no shell, the message as JSON on its standard input.

What its exit status means (sysexits.h): 0 delivered; 64, 65, 67, 68 (usage, data, no such user, no such host) refused
for good; 69 to 72 and 78 (unavailable, software, system, files, configuration), 126 and 127 an operator must look;
everything else, a signal included, is tried again.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from alerting.channels.base import Message, Misconfigured, Refused, Retryable
from alerting.channels.content import as_json
from alerting.text import clean

_REFUSED = frozenset({64, 65, 67, 68})
_OPERATOR = frozenset({69, 70, 71, 72, 78, 126, 127})
_LONGEST_ANSWER = 4096


@dataclass(frozen=True, slots=True)
class CommandSettings:
    """What is run.

    Parameters:
        argv: the program's path and its arguments, as they are.
        timeout_s: after which it and everything it started is killed.
    """

    argv: tuple[str, ...]
    timeout_s: float = 20.0


class CommandChannel:
    """Runs a program; see `alerting.channels.base` for the contract. It gets a small environment and no terminal."""

    def __init__(self, settings: CommandSettings) -> None:
        self._settings = settings

    async def send(self, message: Message) -> None:
        """See `alerting.channels.base.Channel.send`."""
        settings = self._settings
        name = clean(settings.argv[0], 100)
        try:
            process = await asyncio.create_subprocess_exec(
                *settings.argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE, start_new_session=True, env=_environment(), cwd="/",
            )  # fmt: skip
        except (OSError, ValueError) as error:
            text = getattr(error, "strerror", None) or str(error)
            raise Misconfigured(f"{name}: cannot be run ({text})", dead=True) from error
        try:
            async with asyncio.timeout(settings.timeout_s):
                said = await _talk(process, as_json(message))
                status = await process.wait()
        except TimeoutError as error:
            raise Retryable(f"{name}: not done within {settings.timeout_s:g} s, killed", dead=True) from error
        finally:
            # Also what it left behind: its own session is one process group.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        _judge(name, status, said)


async def _talk(process: asyncio.subprocess.Process, body: bytes) -> str:
    """Give it the message and listen to the end, or as much of it as is worth keeping."""
    assert process.stdin is not None  # noqa: S101 asked for above
    assert process.stderr is not None  # noqa: S101 asked for above
    with suppress(
        BrokenPipeError, ConnectionResetError
    ):  # it may end without reading: its status says what became of it
        process.stdin.write(body)
        await process.stdin.drain()
    process.stdin.close()
    said = b""
    while part := await process.stderr.read(_LONGEST_ANSWER):
        said = (said + part)[-_LONGEST_ANSWER:]
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return clean(lines[-1], 200) if lines else ""


def _environment() -> Mapping[str, str]:
    """Return what a program may know of us: no secrets that were given to the daemon by its environment."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/"}


def _judge(name: str, status: int, said: str) -> None:
    if status == 0:
        return
    how = f"ended by signal {-status}" if status < 0 else f"exit status {status}"
    text = f"{name}: {how}{': ' if said else ''}{said}"
    if status in _REFUSED:
        raise Refused(text)
    if status in _OPERATOR:
        raise Misconfigured(text, dead=True)
    raise Retryable(text)
