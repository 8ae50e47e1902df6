"""HTTP/1.1 (RFC 9112) with each part timed: name, connection, TLS, first byte, the rest; status, body and JSON judged.

The protocol is h11's; here is what a library would hide: when each part ended, and how much a server may send.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, urljoin, urlsplit

import h11

from probes.attempt import Attempt, BadSettings, Down, shown
from probes.certificates import TlsOptions
from probes.cookies import Cookies
from probes.stream import Stream, connect
from probes.tls import secure

MOST_BODY = 1 << 20
MOST_HEAD = 32_768
EXPECTED = "200-399"
_AGENT = "haidang-probe"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """Where in an answer a variable's value stands: one of these.

    Parameters:
        json: a place in its JSON.
        header: the name of a header.
        after, before: the texts around it in the first MiB.
    """

    json: str = ""
    header: str = ""
    after: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One page of several in a row; the names mean what they mean in `HttpSettings`.

    Parameters:
        name: for people; empty: method and url.
        take: variables of later steps, from this one's answer.
    """

    name: str = ""
    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    status: str = EXPECTED
    contains: str = ""
    lacks: str = ""
    json: str = ""
    equals: str = ""
    redirects: int = 5
    take: Mapping[str, Take] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings(TlsOptions):
    """What is asked and what is expected.

    Parameters:
        url: of the page; without a scheme and a host it is a path at the target. The name in it is the Host header
            and whom the certificate must be for; the connection goes to the target's address.
        method: GET, HEAD or POST.
        headers: further ones.
        body: sent with POST.
        status: expected codes and ranges: ``200``, ``200-299,401``.
        contains, lacks: text that must, must not be in the body's first MiB.
        json: a place in a JSON body, e.g. ``status`` or ``nodes[0].state``, and
        equals: what must be there, as text.
        redirects: how many to follow.
        steps: pages asked one after the other, instead of url and what follows it; see `probes.sequence`.
        variables: what stands for ``${NAME}`` in the steps from their beginning on: secrets.
    """

    url: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    status: str = EXPECTED
    contains: str = ""
    lacks: str = ""
    json: str = ""
    equals: str = ""
    redirects: int = 5
    steps: tuple[Step, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer; ``body`` is its first MiB at most."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool
    set_cookies: tuple[str, ...] = ()


async def http(attempt: Attempt, settings: HttpSettings) -> None:
    """Fetch a page, follow where it leads, and judge the last answer."""
    await visit(attempt, settings, absolute(settings.url, attempt.host, settings.port))


async def visit(
    attempt: Attempt, settings: HttpSettings, url: SplitResult, *, home: str = "", cookies: Cookies | None = None
) -> Page:  # fmt: skip
    """Fetch a page, follow where it leads, judge the last answer and return it.

    Parameters:
        attempt: takes times and numbers.
        settings: what is asked and expected.
        url: complete.
        home: the name of the host at the attempt's address; empty: the url's.
        cookies: kept from answer to answer; ``None``: they are passed over.

    Raises:
        Down: no page, or not as expected.
    """
    expected = statuses(settings.status)
    page = await _follow(attempt, settings, url, home or url.hostname or "", cookies)
    attempt.fields["status_code"] = page.status
    attempt.fields["content_bytes"] = len(page.body)
    if not any(low <= page.status <= high for low, high in expected):
        raise Down(f"it answered {page.status}, expected is {settings.status}")
    _judge_body(page, settings)
    return page


def absolute(url: str, host: str, port: int = 0, scheme: str = "") -> SplitResult:
    """Complete a URL with the target's host and port where it has none.

    Raises:
        ValueError: it is not the address of a page.
    """
    if "://" not in url:
        at = f"[{host}]" if ":" in host else host
        scheme = scheme or ("https" if port == 443 else "http")
        url = f"{scheme}://{at}{f':{port}' if port else ''}/{url.removeprefix('/')}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or any(map(str.isspace, url)):
        raise BadSettings(f"{shown(url)} is not the address of a page: write http://HOST/PATH or https://HOST/PATH")
    parts.port  # noqa: B018 raises for what is no port
    return parts


async def _follow(
    attempt: Attempt, settings: HttpSettings, url: SplitResult, home: str, cookies: Cookies | None
) -> Page:  # fmt: skip
    first = (url.scheme, url.hostname, url.port)
    seen: set[str] = set()
    hops = 0
    while True:
        address = attempt.address if url.hostname == home else await attempt.resolve(url.hostname or "")
        own = (url.scheme, url.hostname, url.port) == first
        page = await fetch(attempt, settings, url, address, own=own, cookies=cookies)
        place = page.headers.get("location")
        if page.status not in _REDIRECTS or place is None or settings.redirects == 0:
            attempt.fields["redirects"] = hops
            return page
        if page.status in (301, 302, 303) and settings.method == "POST":  # RFC 9110 §15.4, and what browsers do
            settings = replace(settings, method="GET", body="")
        else:
            seen.add(url.geturl())
        hops += 1
        if hops > settings.redirects:
            raise Down(f"it redirects more than {settings.redirects} times, last to {shown(place)}")
        try:
            url = absolute(urljoin(url.geturl(), place), "")
        except ValueError as error:
            raise Down(f"it redirects to what is no page: {shown(place)}") from error
        if url.geturl() in seen:
            raise Down(f"it redirects in a circle: {shown(url.geturl())}")


async def fetch(
    attempt: Attempt, settings: HttpSettings, url: SplitResult, address: str, *, own: bool = True,
    cookies: Cookies | None = None,
) -> Page:  # fmt: skip
    """Fetch one page.

    Parameters:
        attempt: takes times and numbers.
        settings: method, headers, body, TLS.
        url: complete.
        address: where to connect to.
        own: whether this is the host that was asked first; others get neither our headers nor our certificate.
        cookies: those for this page are sent, and those that come are kept.

    Raises:
        Down: no HTTP, or a certificate that is not the right one.
    """
    host = url.hostname or ""
    port = url.port or (443 if url.scheme == "https" else 80)
    async with await connect(attempt, port, address, most_bytes=MOST_BODY + 4 * MOST_HEAD) as stream:
        if url.scheme == "https":
            options = settings if own else HttpSettings(verify=settings.verify, trust=settings.trust)
            await secure(attempt, stream, options, host)
        request = _request(settings, url, own=own, cookie=cookies.header(url) if cookies else "")
        page = await _exchange(attempt, stream, request, settings.body.encode() if own else b"")
    if cookies is not None:
        cookies.keep(url, page.set_cookies)
    return page


def _request(settings: HttpSettings, url: SplitResult, *, own: bool, cookie: str) -> h11.Request:
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or ""
    if url.port not in (None, 443 if url.scheme == "https" else 80):
        host += f":{url.port}"
    headers: dict[str, str | bytes] = {
        "Host": host,
        "User-Agent": _AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    if cookie:
        headers["Cookie"] = cookie.encode("latin-1", "replace")  # as it came: a server may set what is not ASCII
    if own:
        headers = {**headers, **settings.headers}
        if settings.body:
            headers["Content-Length"] = str(len(settings.body.encode()))
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    try:
        written = [
            (name.encode("ascii"), value if isinstance(value, bytes) else value.encode("ascii"))
            for name, value in headers.items()
        ]
        return h11.Request(method=settings.method if own else "GET", headers=written, target=target.encode())
    except (h11.LocalProtocolError, UnicodeError) as error:
        raise BadSettings(f"no request can be made of these settings: {error}") from error


async def _exchange(attempt: Attempt, stream: Stream, request: h11.Request, body: bytes) -> Page:
    machine = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD)
    out = machine.send(request) or b""
    if body:
        out += machine.send(h11.Data(data=body)) or b""
    out += machine.send(h11.EndOfMessage()) or b""
    with attempt.phase("first_byte", "waiting for the first byte"):
        await stream.write(out)
        data = await stream.read()
    if not data:
        raise Down("it closed the connection without an answer")
    if not data.startswith(b"HTTP/"[: len(data)]):
        raise Down(f"its answer is not HTTP: {shown(data, 60)}")
    machine.receive_data(data)
    with attempt.phase("transfer", "reading the answer"):
        try:
            return await _read(machine, stream)
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == 431:
                raise Down(f"the head of its answer is longer than {MOST_HEAD} bytes") from error
            if machine.trailing_data[1]:  # what h11 misses is what did not come any more
                raise Down("it closed the connection in the middle of its answer") from error
            words = re.sub(r"bytearray\(b(.*)\)", r"\1", str(error))
            raise Down(f"its answer is not HTTP: {shown(words)}") from error


async def _read(machine: h11.Connection, stream: Stream) -> Page:
    head: h11.Response | None = None
    body = bytearray()
    while True:
        event = machine.next_event()
        if event is h11.NEED_DATA:
            machine.receive_data(await stream.read())
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) >= MOST_BODY and head is not None:
                return _page(head, body, whole=False)
        elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed) and head is not None:
            return _page(head, body, whole=True)
        elif not isinstance(event, h11.InformationalResponse):
            raise Down("it closed the connection in the middle of its answer")


def _page(head: h11.Response, body: bytearray, *, whole: bool) -> Page:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    cookies = tuple(value.decode("latin-1") for name, value in head.headers if name == b"set-cookie")
    return Page(head.status_code, headers, bytes(body[:MOST_BODY]), whole, cookies)


def _judge_body(page: Page, settings: HttpSettings) -> None:
    where = "its page" if page.whole else "the first MiB of its page"
    if settings.contains and settings.contains.encode() not in page.body:
        raise Down(f"{shown(settings.contains, 60)} is not in {where}: {shown(page.body, 60)}")
    if settings.lacks and settings.lacks.encode() in page.body:
        raise Down(f"{shown(settings.lacks, 60)} is in {where}")
    if settings.json:
        text = json_text(page, settings.json)
        if text != settings.equals:
            raise Down(f"{settings.json} is {shown(text, 60)}, expected is {shown(settings.equals, 60)}")


def json_text(page: Page, path: str) -> str:
    """Return what stands at a place of a JSON page, as text: a string as it is, anything else as JSON.

    Raises:
        Down: the page is none, or has nothing there.
    """
    try:
        found = at_path(json.loads(page.body), path)
    except (ValueError, RecursionError) as error:
        where = "its page" if page.whole else "the first MiB of its page"
        raise Down(f"{where} is not JSON: {shown(page.body, 60)}") from error
    except LookupError as error:
        raise Down(f"there is no {path} in its JSON") from error
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def at_path(data: object, path: str) -> object:
    """Return what stands at a place of JSON data: names with dots between, ``[N]`` for an item of a list.

    Raises:
        LookupError: nothing does.
    """
    for step in path.replace("[", ".[").split("."):
        if step.startswith("[") and step.endswith("]") and step[1:-1].isdecimal() and isinstance(data, list):
            data = data[int(step[1:-1])]
        elif step and isinstance(data, dict):
            data = data[step]
        elif step:
            raise KeyError(step)
    return data


def statuses(text: str, most: int = 599) -> list[tuple[int, int]]:
    """Read codes and ranges: ``200-299,401``, up to ``most``.

    Raises:
        ValueError: it is no such list.
    """
    found = []
    for part in text.replace(" ", "").split(","):
        low, dash, high = part.partition("-")
        first, last = (int(one) if one.isdecimal() else 0 for one in (low, high if dash else low))
        if not 100 <= first <= last <= most:
            raise BadSettings(f"{shown(text)} is not a list of status codes: write 200 or 200-299,401")
        found.append((first, last))
    return found
