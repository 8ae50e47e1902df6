"""The application: which path is which page, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import quote

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.web import api, metrics
from dashboards.web.house import House
from dashboards.web.live import TooMany, stream
from dashboards.web.model.desk import DeskBusy
from dashboards.web.pages import (
    account,
    acknowledging,
    archive,
    duty,
    incident,
    meetings,
    monitor,
    outlook,
    places,
    planning,
    search,
    signing,
    single,
    status,
    target,
    wall,
)  # fmt: skip
from dashboards.web.pages import calendar as availability
from dashboards.web.seat import Refused, Seat, SignIn
from storage.database import DatabaseError

logger = structlog.get_logger(__name__)

MOST_BODY = 65_536
MOST_DRAINED = 1_048_576
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
Page = Callable[[Seat], Awaitable[Response]]


def application(house: House) -> ASGIApp:
    """Put the application together."""

    def page(path: str, handler: Page, *methods: str) -> Route:
        async def answer(request: Request) -> Response:
            return await _answer(request, house, handler)

        return Route(path, answer, methods=list(methods) or ["GET"])

    async def health(_request: Request) -> Response:
        vitals = house.vitals()
        trouble, what = vitals.trouble
        return JSONResponse(
            {
                "status": "degraded" if trouble else "ok",
                "trouble": f"{trouble}: {what}" if trouble else None,
                "version": vitals.version,
            },
            headers={"cache-control": "no-store"},
        )  # the daemon answers, so it lives: what is wrong inside it does not make it one to be restarted

    async def measured(_request: Request) -> Response:
        return Response(metrics.exposition(house), media_type=metrics.MEDIA_TYPE, headers={"cache-control": "no-store"})

    routes: list[BaseRoute] = [
        page("/", wall.page), page("/part/wall", wall.live), page("/events", events),
        page("/incidents", incident.listing), page("/incident/{number:int}", incident.page, "GET", "POST"),
        page("/part/incident/{number:int}", incident.live),
        page("/target/{id}", target.page), page("/site/{id}", places.site), page("/circuit/{id}", places.circuit),
        page("/system/{id}", places.system),
        page("/calendar", availability.page), page("/maintenance", planning.page, "GET", "POST"),
        page("/forecast", outlook.page), page("/conferences", meetings.page), page("/oncall", duty.page, "GET", "POST"),
        page("/reports", archive.page), page("/reports/{month}/{number:int}/{name}", archive.file),
        page("/search", search.page), page("/part/search", search.live), page("/self", monitor.page),
        page("/login", signing.login, "GET", "POST"), page("/login/code", signing.code, "GET", "POST"),
        page("/login/oidc", single.start), page(single.BACK, single.back), page("/login/oidc/out", single.out),
        page("/account", account.page, "GET", "POST"),
        page("/status", status.page), page("/part/status", status.live), page("/logout", signing.logout, "POST"),
        page("/ack/{token}", acknowledging.page, "GET", "POST"),
        page("/welcome/{token}", signing.welcome, "GET", "POST"), page("/set", signing.preferences),
        Route("/healthz", health), Route("/metrics", measured),
        Mount("/api/v1", routes=api.routes(house)),
        Mount("/static", StaticFiles(packages=[("dashboards.web", "static")])),
    ]  # fmt: skip

    async def unknown(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        if request.url.path.startswith("/api/"):
            detail = "this path does not take that method" if status == 405 else "see /api/v1/openapi.json"
            return api.problem(api.Problem(status, HTTPStatus(status).phrase, detail), headers)
        answer = _refusal(Seat(request, house), Refused(status if status in (404, 405, 400, 413) else 400))
        answer.headers.update(headers)
        return answer

    return Around(Starlette(routes=routes, exception_handlers={HTTPException: unknown}))


async def events(seat: Seat) -> Response:
    """Tell a browser of changes for as long as it looks."""
    request, house = seat.request, seat.house
    if api.reader(request, house) is None:
        raise SignIn
    try:
        return await stream(house.hub, lambda: api.reader(request, house) is not None)
    except TooMany:
        raise Refused(503) from None


async def _answer(request: Request, house: House, handler: Page) -> Response:
    seat = Seat(request, house)
    try:
        response = await handler(seat)
    except SignIn:
        response = _to_sign_in(seat)
    except Refused as refused:
        response = _refusal(seat, refused)
    except DeskBusy:
        response = _refusal(seat, Refused(503))
    except DatabaseError as error:
        logger.warning("a page could not read the ledger", path=request.url.path, reason=str(error))
        response = _refusal(seat, Refused(503))
    response.headers.setdefault("cache-control", "no-store")
    return response


def _to_sign_in(seat: Seat) -> Response:
    if seat.request.url.path.startswith(("/part/", "/events")):
        return PlainTextResponse("sign in", HTTPStatus.UNAUTHORIZED)
    where = seat.request.url.path if seat.request.method == "GET" else "/"
    return seat.see(f"/login?back={quote(where, safe='')}" if where != "/" else "/login")


def _refusal(seat: Seat, refused: Refused) -> Response:
    return seat.page(
        "error.html", status=refused.status, code=refused.status, said=refused.say or seat.words(refused.key)
    )


async def _drain(receive: Receive) -> None:
    """Take what a client sends before it listens; closing on it would take our answer away (RFC 9112, 9.6)."""
    taken, more = 0, True
    while more and taken < MOST_DRAINED:
        message = await receive()
        taken += len(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)


class Around:
    """What holds for every answer: headers, a bound on bodies, and an error that ends nothing but its own request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        taken = 0
        begun = False

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MOST_BODY:
                raise HTTPException(413)
            return message

        async def dressed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message.get("headers", []), *HEADERS]
                if scope["scheme"] == "https":
                    message["headers"].append((b"strict-transport-security", b"max-age=31536000"))
            await send(message)

        length = dict(scope["headers"]).get(b"content-length", b"0")
        try:
            if not length.isdigit() or int(length) > MOST_BODY:
                await _drain(receive)
                await PlainTextResponse("too large", 413, {"connection": "close"})(scope, receive, dressed)
                return
            await self._app(scope, bounded, dressed)
        except HTTPException as error:
            if not begun:
                await PlainTextResponse("", error.status_code, {"connection": "close"})(scope, receive, dressed)
        except Exception:  # noqa: BLE001 a page that fails must not be more than that
            logger.exception("a page failed", path=scope["path"][:200])
            if not begun:
                await PlainTextResponse("the page failed; the log says why", 500)(scope, receive, dressed)
