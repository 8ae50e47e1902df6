"""Web servers, plain and with TLS (RFC 9110, RFC 9112); the grammar is h11's."""

from __future__ import annotations

import asyncio
import ssl
from email.utils import formatdate
from http import HTTPStatus
from typing import TypeVar

import h11

from lab.services.certificates import Certificate
from lab.services.pages import HttpFault, HttpOptions, HttpsFault, HttpsOptions, Page
from lab.services.server import Around, Server

OptionsT = TypeVar("OptionsT", bound=HttpOptions)
FaultT = TypeVar("FaultT", bound=HttpFault)
_METHODS = frozenset((b"GET", b"HEAD", b"POST"))


class _TooLarge(Exception):
    """A request's body is longer than the server takes."""


class _Pages(Server[OptionsT, FaultT]):
    """What both kinds do."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See `Server.talk`."""
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=self.around.limits.head_bytes)
        while True:
            try:
                async with self.deadline():
                    request = await self._receive(connection, reader, writer)
            except h11.RemoteProtocolError as error:
                self.malformed += 1
                await self._answer(connection, writer, Page(status=error.error_status_hint))
                return
            except _TooLarge:
                self.malformed += 1
                await self._answer(connection, writer, Page(status=413))
                return
            if request is None:
                return
            await self.hesitate(reader)
            await self._answer(connection, writer, self._find(request), head=request.method == b"HEAD")
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()

    async def _receive(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> h11.Request | None:
        """Read a request to its end; ``None`` when the client has no more.

        Raises:
            h11.RemoteProtocolError: that is no HTTP.
            _TooLarge: see there.
        """
        request: h11.Request | None = None
        size = 0
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                if connection.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    writer.write(connection.send(go_on) or b"")
                connection.receive_data(await reader.read(self.around.limits.head_bytes))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                size += len(event.data)
                if size > self.around.limits.body_bytes:
                    raise _TooLarge
            else:
                return request if isinstance(event, h11.EndOfMessage) else None

    def _find(self, request: h11.Request) -> Page:
        if request.method not in _METHODS:
            return Page(status=405, headers={"Allow": "GET, HEAD, POST"})
        target = request.target.decode("ascii", "replace")
        pages = {**self.options.pages, **self.fault.pages}
        page = pages.get(target) or pages.get(target.partition("?")[0]) or Page(status=404)
        return page if self.fault.status is None else Page(status=self.fault.status)

    async def _answer(
        self, connection: h11.Connection, writer: asyncio.StreamWriter, page: Page, *, head: bool = False
    ) -> None:
        if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        content = page.content
        now_s = self.around.clock.utc_ns() / 1e9
        headers = [("Date", formatdate(now_s, usegmt=True)), ("Server", "Haidang-lab"), *page.headers.items()]
        if not page.bare:
            headers.append(("Content-Length", str(len(content))))
        if not page.bare and "content-type" not in map(str.lower, page.headers):
            headers.append(("Content-Type", page.kind))
        reason = HTTPStatus(page.status).phrase.encode()
        response = h11.Response(status_code=page.status, headers=headers, reason=reason)
        body = [h11.Data(data=content)] if content and not head else []
        events = (response, *body, h11.EndOfMessage())
        await self.say(writer, b"".join(connection.send(event) or b"" for event in events))


class HttpServer(_Pages[HttpOptions, HttpFault]):
    """A web server."""


class HttpsServer(_Pages[HttpsOptions, HttpsFault]):
    """A web server with TLS."""

    def __init__(self, address: str, options: HttpsOptions, fault: HttpsFault, around: Around) -> None:
        super().__init__(address, options, fault, around)
        self._usual = self._shown = self._make(options.certificate)

    def behave(self, fault: HttpsFault) -> list[asyncio.Task[None]]:
        """See `Server.behave`."""
        self._shown = self._usual if fault.certificate is None else self._make(fault.certificate)
        return super().behave(fault)

    def context(self) -> ssl.SSLContext:
        """See `Server.context`."""
        return self._shown

    def _make(self, wanted: Certificate) -> ssl.SSLContext:
        return self.around.authority().context(wanted, self.address)
