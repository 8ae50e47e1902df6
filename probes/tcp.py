"""TCP: whether something listens at a port, and how long the handshake takes."""

from __future__ import annotations

from dataclasses import dataclass

from probes.attempt import Attempt, BadSettings, Down, Settings, shown
from probes.stream import connect


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSettings(Settings):
    r"""What is expected of a port.

    Parameters:
        send: said after connecting; the two characters ``\r`` and ``\n`` may be written so.
        expect: must be in what it says, within the deadline; empty: the connection is enough.
    """

    send: str = ""
    expect: str = ""


async def tcp(attempt: Attempt, settings: TcpSettings) -> None:
    """Connect; say something and look for something in the answer, where that is asked for."""
    if not settings.port:
        raise BadSettings("the probe tcp needs a port")
    async with await connect(attempt, settings.port) as stream:
        if settings.send:
            attempt.doing = "sending"
            await stream.write(settings.send.replace("\\r", "\r").replace("\\n", "\n").encode())
        if not settings.expect:
            return
        wanted = settings.expect.encode()
        attempt.heard = heard = bytearray()
        with attempt.phase("answer", f"waiting for {shown(settings.expect)}"):
            while wanted not in heard:
                data = await stream.read()
                if not data:
                    what = f"said {shown(bytes(heard))}" if heard else "said nothing"
                    raise Down(f"it {what} and closed the connection, expected was {shown(settings.expect)}")
                heard += data
