"""RTSP (RFC 2326): whether a camera's stream can be had: OPTIONS, then DESCRIBE with Digest where it asks for it."""

from __future__ import annotations

import base64
from contextlib import closing
from dataclasses import dataclass, field

from probes import digest, textual
from probes.attempt import Attempt, BadSettings, Down, Settings, shown
from probes.stream import Closed, Stream, connect
from probes.textual import Answer

PORT = 554


@dataclass(frozen=True, slots=True, kw_only=True)
class RtspSettings(Settings):
    """Which stream is asked for.

    Parameters:
        path: of the stream, with its query: ``/Streaming/Channels/101``; empty: OPTIONS alone.
        username, password: of an account that may see it; without, a camera that asks for one is *up*: it lives.
    """

    path: str = ""
    username: str = ""
    password: str = field(default="", repr=False)


async def rtsp(attempt: Attempt, settings: RtspSettings) -> None:
    """Ask for the options, then for the description of the stream, and judge that it has one with media in it."""
    port = settings.port or PORT
    host = f"[{attempt.address}]" if ":" in attempt.address else attempt.address
    url = f"rtsp://{host}{'' if port == PORT else f':{port}'}/{settings.path.removeprefix('/')}"
    if not url.isprintable() or " " in url:
        raise BadSettings(f"{shown(settings.path)} is no path of a stream")
    with closing(_Camera(attempt, port)) as camera:
        answer = await camera.ask("options", "waiting for the answer to OPTIONS", "OPTIONS", url)
        if server := answer.first("server"):
            attempt.fields["server"] = shown(server)
        wants_password = answer.status == 401
        if answer.status != 200 and not wants_password:
            raise Down(f"it answered {_words(answer)} to OPTIONS")
        attempt.fields["status_code"] = answer.status
        if settings.path:
            await _describe(attempt, camera, settings, url)


class _Camera:
    """The connection to a camera; made anew where it hangs up once it has asked for a password, as some do."""

    def __init__(self, attempt: Attempt, port: int) -> None:
        self._attempt = attempt
        self._port = port
        self._stream: Stream | None = None
        self._asked = 0
        self._refused = False

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    async def ask(self, phase: str, doing: str, method: str, url: str, *more: str) -> Answer:
        self._asked += 1
        try:
            answer = await self._once(phase, doing, method, url, *more)
        except (Closed, ConnectionError):
            if not self._refused:
                raise
            self.close()
            self._stream = None
            answer = await self._once(phase, doing, method, url, *more)
        self._refused = answer.status == 401
        return answer

    async def _once(self, phase: str, doing: str, method: str, url: str, *more: str) -> Answer:
        if self._stream is None:
            self._stream = await connect(self._attempt, self._port)
        with self._attempt.phase(phase, doing):
            return await _ask(self._stream, self._asked, method, url, *more)


async def _describe(attempt: Attempt, camera: _Camera, settings: RtspSettings, url: str) -> None:
    doing = "waiting for the description of the stream"
    answer = await camera.ask("describe", doing, "DESCRIBE", url)
    if answer.status == 401 and settings.username:
        entry = _authorization(answer, settings, url)
        answer = await camera.ask("describe", doing, "DESCRIBE", url, f"Authorization: {entry}")
    attempt.fields["status_code"] = answer.status
    if answer.status == 401:
        if settings.username:
            raise Down(f"it refuses the user {shown(settings.username)} or the password")
        return  # it lives, and keeps its stream for those who have an account
    if answer.status != 200:
        raise Down(f"it answered {_words(answer)} to DESCRIBE {shown(settings.path)}")
    media = [line[2:] for line in answer.body.decode("utf-8", "replace").splitlines() if line.startswith("m=")]
    attempt.fields["media"] = len(media)
    if not media:
        raise Down("its description names no medium: there is no picture to be had")
    attempt.fields["description"] = shown("; ".join(media))


def _authorization(answer: Answer, settings: RtspSettings, url: str) -> str:
    challenges = answer.all("www-authenticate")
    made = digest.answer(challenges, "DESCRIBE", url, settings.username, settings.password)
    if made is None and any(one.lower().startswith("basic") for one in challenges):
        both = f"{settings.username}:{settings.password}".encode()
        made = f"Basic {base64.b64encode(both).decode()}"
    if made is None:
        raise Down(
            f"it wants a password in a way not known here: {shown(' '.join(challenges), 60) or 'it does not say'}"
        )
    return made


async def _ask(stream: Stream, sequence: int, method: str, url: str, *more: str) -> Answer:
    lines = [f"{method} {url} RTSP/1.0", f"CSeq: {sequence}", "User-Agent: haidang-probe"]
    if method == "DESCRIBE":
        lines.append("Accept: application/sdp")
    await stream.write("\r\n".join([*lines, *more, "", ""]).encode())
    answer = await textual.read(stream, "RTSP")
    if answer.first("cseq") != str(sequence):
        raise Down(
            f"it answers to another request: CSeq {shown(answer.first('cseq'), 20) or 'missing'}, not {sequence}"
        )
    return answer


def _words(answer: Answer) -> str:
    return f"{answer.status} {shown(answer.words, 60)}".rstrip()
