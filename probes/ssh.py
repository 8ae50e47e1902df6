"""SSH: the identification string (RFC 4253 §4.2), before any key is exchanged."""

from __future__ import annotations

from dataclasses import dataclass

from probes.attempt import Attempt, Down, Settings, shown
from probes.stream import connect

PORT = 22
MOST_LINES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SshSettings(Settings):
    """What is expected.

    Parameters:
        expect: must be in the identification, e.g. ``OpenSSH``.
    """

    expect: str = ""


async def ssh(attempt: Attempt, settings: SshSettings) -> None:
    """Read the identification; lines before it are allowed. Version 1 alone is *down*: nobody should speak it."""
    async with await connect(attempt, settings.port or PORT) as stream:
        with attempt.phase("banner", "waiting for its identification"):
            for _ in range(MOST_LINES):
                line = await stream.line()
                if line.startswith("SSH-"):
                    break
                if not attempt.fields.get("banner"):
                    attempt.fields["banner"] = shown(line)
            else:
                raise Down(f"no identification in {MOST_LINES} lines: {attempt.fields.get('banner')}")
        attempt.fields["banner"] = shown(line)
        if not line.startswith(("SSH-2.0-", "SSH-1.99-")):
            raise Down(f"it speaks an old SSH only: {shown(line)}")
        if settings.expect and settings.expect not in line:
            raise Down(f"{shown(settings.expect)} is not in {shown(line)}")
        attempt.doing = "taking leave"
        await stream.write(b"SSH-2.0-haidang_probe\r\n")
