"""Cookies of one sequence of pages (RFC 6265): the standard library's jar, told what h11 read."""

from __future__ import annotations

from collections.abc import Iterable
from email.message import Message
from http.cookiejar import CookieJar
from typing import Any, cast
from urllib.parse import SplitResult
from urllib.request import Request

from probes.attempt import Down

MOST_BYTES = 8192


class Cookies:
    """What servers told us to bring again; the jar decides by host, path, age and scheme who gets what."""

    def __init__(self) -> None:
        self._jar = CookieJar()

    def header(self, url: SplitResult) -> str:
        """Return the Cookie header for a page, empty when there is none."""
        request = Request(url.geturl())  # noqa: S310 nothing is opened: the jar wants to see one
        self._jar.add_cookie_header(request)
        return request.get_header("Cookie", "") or ""

    def keep(self, url: SplitResult, lines: Iterable[str]) -> None:
        """Keep what a page's Set-Cookie headers say.

        Raises:
            Down: all cookies together are longer than `MOST_BYTES`.
        """
        answer = Message()
        for line in lines:
            answer["Set-Cookie"] = line
        self._jar.extract_cookies(cast("Any", _Answer(answer)), Request(url.geturl()))  # noqa: S310 as above
        if sum(len(cookie.name) + len(cookie.value or "") for cookie in self._jar) > MOST_BYTES:
            raise Down(f"it sets more than {MOST_BYTES >> 10} KiB of cookies")


class _Answer:
    def __init__(self, headers: Message) -> None:
        self._headers = headers

    def info(self) -> Message:
        return self._headers
