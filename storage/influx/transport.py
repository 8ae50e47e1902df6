"""HTTP to a metric store, through `InfluxDBClientAsync` and the one session it holds.

Every wait has a deadline and every body a limit; redirects are never followed (a write must not land elsewhere).

Errors: `Unreachable`: no answer came, or not in time.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import aiohttp
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from storage.influx.replies import Reply
from storage.metrics_model import FlavourName, InfluxSettings

_MOST_BODY = 1 << 20
_MOST_ANSWER = 64 << 20


class Unreachable(Exception):
    """The store gave no answer; the text says why."""


class _BoundedResponse(aiohttp.ClientResponse):
    """A response whose `read` ends at 1 MiB: the client library reads whole bodies, and a hostile one has no end."""

    async def read(self) -> bytes:
        if self._body is None:
            self._body = await _read_at_most(self, _MOST_BODY)
        return self._body


async def _read_at_most(response: aiohttp.ClientResponse, limit: int) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part[: limit - size])
        size += len(part)
        if size >= limit:
            response.close()  # the rest is not wanted, the connection cannot be used again
            break
    return b"".join(parts)


class Transport:
    """Speaks to one store.

    Parameters:
        settings: url, names, secrets, deadlines.
    """

    def __init__(self, settings: InfluxSettings) -> None:
        self._settings = settings
        self._client: InfluxDBClientAsync | None = None

    async def _open(self) -> InfluxDBClientAsync:
        if self._client is None:
            context = await asyncio.to_thread(self._tls)
            self._client = InfluxDBClientAsync(
                self._settings.url.rstrip("/"),
                token=self._settings.token,
                org=self._settings.org or "-",
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
                ssl_context=context,
                allow_redirects=False,
                # 1.x repeats a bad line in a header
                client_session_kwargs={
                    "response_class": _BoundedResponse,
                    "max_line_size": _MOST_BODY,
                    "max_field_size": _MOST_BODY,
                },
            )
        return self._client

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._settings.ca_file:
            context.load_verify_locations(self._settings.ca_file)
        if not self._settings.verify_tls:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    async def write(self, flavour: FlavourName, body: bytes) -> Reply:
        """Send line protocol with nanoseconds.

        Raises:
            Unreachable: no answer; the lines may or may not be stored.
        """
        settings = self._settings
        if flavour == "v2":
            return await self._write_v2(body)
        if flavour == "v3":
            query = {"db": settings.database, "precision": "nanosecond", "accept_partial": "true"}
            return await self.request("POST", "/api/v3/write_lp", flavour, query, body)
        query = {"db": settings.database, "precision": "ns"}
        return await self.request("POST", "/write", flavour, query, body)

    async def _write_v2(self, body: bytes) -> Reply:
        settings = self._settings
        try:
            client = await self._open()
            async with asyncio.timeout(settings.timeout_s):
                stored = await client.write_api().write(
                    bucket=settings.bucket or settings.database, org=settings.org or "-", record=body,
                    write_precision=WritePrecision.NS,  # type: ignore[arg-type]  # a plain class of names
                )  # fmt: skip
        except ApiException as error:
            data = error.body if isinstance(error.body, bytes) else str(error.body or "").encode()
            return Reply(error.status or 0, dict(error.headers or {}), data)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Unreachable(self._words(error)) from error
        return Reply(204, {}, b"") if stored else Reply(200, {}, b"neither 201 nor 204")

    async def request(
        self, method: str, path: str, flavour: FlavourName, query: Mapping[str, str], body: bytes | None = None,
        *, most: int = _MOST_BODY,
    ) -> Reply:  # fmt: skip
        """Ask anything.

        Parameters:
            most: bytes of the answer's body that are read.

        Raises:
            Unreachable: no answer within the deadline.
        """
        try:
            session: Any = (await self._open()).api_client.rest_client.pool_manager
            async with (
                asyncio.timeout(self._settings.timeout_s),
                session.request(
                    method, self._settings.url.rstrip("/") + path, params=dict(query), data=body,
                    headers=self._headers(flavour), allow_redirects=False,
                ) as response,
            ):  # fmt: skip
                content = await _read_at_most(response, most)
                return Reply(response.status, dict(response.headers.items()), content)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Unreachable(self._words(error)) from error

    async def ask(self, path: str, flavour: FlavourName, query: Mapping[str, str]) -> Reply:
        """GET an answer that may be long (64 MiB).

        Raises:
            Unreachable: no answer within the deadline.
        """
        return await self.request("GET", path, flavour, query, most=_MOST_ANSWER)

    def _headers(self, flavour: FlavourName) -> dict[str, str]:
        settings = self._settings
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if settings.token:
            headers["Authorization"] = (
                "Bearer " if flavour in {"v3", "victoriametrics"} else "Token "
            ) + settings.token
        elif settings.username:
            login = f"{settings.username}:{settings.password}".encode()  # RFC 7617 §2
            headers["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
        return headers

    def _words(self, error: BaseException) -> str:
        if isinstance(error, TimeoutError):
            return f"{self._settings.url}: no answer within {self._settings.timeout_s:g} s"
        cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            why = getattr(error.certificate_error, "verify_message", str(error.certificate_error))
            said = f"its certificate is not trusted ({why}): add its authority to the system's "
            said += "(/usr/local/share/ca-certificates, update-ca-certificates)"
        elif isinstance(cause, ssl.SSLError):
            said = f"no TLS ({cause.reason or cause}): http or https in storage.influxdb.url?"
        elif isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
            said = os.strerror(cause.errno).lower()
        elif isinstance(cause, OSError) and cause.strerror:
            said = cause.strerror.lower()
        else:
            said = str(error) or type(error).__name__
        return f"{self._settings.url}: {said}"

    async def close(self, deadline_s: float) -> None:
        """Close the connections, in at most ``deadline_s`` seconds."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(deadline_s):
                    await client.close()  # type: ignore[no-untyped-call]
