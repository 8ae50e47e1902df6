"""The table of the interface, and how a request is taken through it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from dashboards.web.access.book import Role, User
from dashboards.web.api import answers
from dashboards.web.api.actions import ACTIONS, OF_NUMBER, Action
from dashboards.web.api.body import read_object, write_object, written
from dashboards.web.api.endpoint import AFTER, ID, LIMIT, Endpoint, Parameter, Problem
from dashboards.web.api.hooks import Hooks
from dashboards.web.api.openapi import describe
from dashboards.web.house import House
from dashboards.web.live import TooMany, stream
from dashboards.web.model.desk import DeskBusy
from dashboards.web.seat import Seat
from haidang import __version__
from haidang.model import State
from storage.database import DatabaseError

Answer = Callable[[Request], Awaitable[Response]]
_STATE = Parameter("state", "only those in this state", {"type": "string", "enum": [state.value for state in State]})
_MONTH = {"type": "string", "pattern": "^(19[789]|2[01][0-9])[0-9]-(0[1-9]|1[0-2])$"}
_NUMBER = {"type": "integer", "minimum": 1, "maximum": 10**12}
ENDPOINTS = (
    Endpoint(
        "/systems", "Every system: how it is, and how it stands in this month", answers.systems, "System", paged=True
    ),
    Endpoint("/sites", "Sites and how they are", answers.sites, "Site", (LIMIT, AFTER), paged=True),
    Endpoint(
        "/targets",
        "Targets and how they are",
        answers.targets,
        "Target",
        (
            *(Parameter(key, f"only those of this {key}", ID) for key in ("system", "site", "circuit", "role")),
            _STATE,
            LIMIT,
            AFTER,
        ),
        paged=True,
    ),
    Endpoint(
        "/targets/{id}",
        "One target with its checks",
        answers.target,
        "TargetWithChecks",
        (Parameter("id", "of the target", ID, "path"),),
    ),
    Endpoint("/states", "Checks and their states", answers.states, "Check", (_STATE, LIMIT, AFTER), paged=True),
    Endpoint(
        "/incidents",
        "Incidents, the newest first",
        answers.incidents,
        "Incident",
        (
            Parameter("open", "only those that are open", {"type": "boolean", "default": False}),
            Parameter("before", "only those with a smaller number", _NUMBER),
            LIMIT,
        ),
        paged=True,
    ),
    Endpoint(
        "/incidents/{number}",
        "One incident with its timeline, what it hides and who was told",
        answers.incident,
        "IncidentWithTimeline",
        (Parameter("number", "of the incident", _NUMBER, "path"),),
    ),
    Endpoint(
        "/availability",
        "How available systems, objectives and targets were in a month",
        answers.availability,
        "Availability",
        (
            Parameter(
                "month",
                "default: this one",
                {"type": "string", "pattern": "^(19[789]|2[01][0-9])[0-9]-(0[1-9]|1[0-2])$"},
            ),
            Parameter("system", "only this one and its targets", ID),
        ),
    ),
    Endpoint(
        "/maintenance",
        "Planned and past work, in the order of its numbers",
        answers.maintenance,
        "Maintenance",
        (LIMIT, AFTER),
        paged=True,
    ),
    Endpoint(
        "/users", "Who can sign in, and which programs have a token", answers.users, "User", paged=True, role="admin"
    ),
    Endpoint(
        "/audit",
        "Who did what on the pages and here, the newest first",
        answers.audit,
        "Audit",
        (Parameter("before", "only those with a smaller number", _NUMBER), LIMIT),
        paged=True,
        role="admin",
    ),
    Endpoint("/reports", "Kept reports, the newest first", answers.reports, "Report", paged=True),
    Endpoint(
        "/reports/{month}/{revision}/{name}",
        "One file of a kept report",
        answers.report,
        "",
        (
            Parameter("month", "of the report", {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"}, "path"),
            Parameter("revision", "of the month's report", {"type": "integer", "minimum": 1, "maximum": 99999}, "path"),
            Parameter("name", "of the file", {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$"}, "path"),
        ),
    ),
)


def routes(house: House) -> list[BaseRoute]:
    """Return the routes under ``/api/v1``."""
    described = written(describe(ENDPOINTS, ACTIONS, __version__))

    async def openapi(request: Request) -> Response:
        return _sent(request, described)

    async def nothing(_request: Request) -> Response:
        return problem(Problem(404, "Not found", "there is no such path; see /api/v1/openapi.json"))

    async def events(request: Request) -> Response:
        return await stream(house.hub, lambda: reader(request, house) is not None)

    by_path: dict[str, dict[str, Answer]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, {})["GET"] = _handler(house, endpoint)
    for action in ACTIONS:
        by_path.setdefault(action.path, {})["POST"] = _doer(house, action)
    by_path["/hooks/{name}"] = {"POST": _hooked(house)}
    by_path["/events"] = {"GET": _said(house, "viewer", events)}
    found: list[BaseRoute] = [Route("/openapi.json", openapi)]
    found += [_route(path, by_method) for path, by_method in by_path.items()]
    return [*found, Route("/{rest:path}", nothing)]


def _route(path: str, by_method: dict[str, Answer]) -> Route:
    """Make one route of all that a path takes, so that what it does not take is told with all that it does (Allow)."""

    async def answer(request: Request) -> Response:
        return await by_method["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, answer, methods=list(by_method))


def _handler(house: House, endpoint: Endpoint) -> Answer:
    async def answer(request: Request) -> Response:
        given = {"query": request.query_params, "path": request.path_params}
        known = {one.name for one in endpoint.parameters if one.place == "query"}
        if unknown := sorted(set(request.query_params) - known):
            raise Problem(
                400,
                "Invalid parameter",
                f"{unknown[0][:50]} is not a parameter; {', '.join(sorted(known)) or 'none'} are",
            )
        values = {one.name: one.read(given[one.place].get(one.name)) for one in endpoint.parameters}
        found = await endpoint.answer(house, values)
        return FileResponse(found, filename=found.name) if isinstance(found, Path) else await _json(request, found)

    return _said(house, endpoint.role, answer)


def _doer(house: House, action: Action) -> Answer:
    async def answer(request: Request) -> Response:
        user = program(request, house)
        if user is None:  # a browser's cookie is not enough: any page could send it along
            raise Problem(401, "No token", "send Authorization: Bearer TOKEN with the scope operate")
        words = action.read(await read_object(request))
        about = ""
        if "number" in request.path_params:
            words["number"] = OF_NUMBER.read(request.path_params["number"])
            about = str(words["number"])
        if action.verb not in house.verbs:
            raise Problem(503, "Not now", "the daemon does not do this now")
        try:
            done = house.do(action.verb, {**words, action.said_by: user.name})
        except ValueError as error:
            raise Problem(409, "Not done", str(error)) from None
        number = done.get("number", words.get("number"))
        address = request.client.host if request.client else ""
        house.book.note(user.name, address, action.verb, about or str(number))
        house.hub.changed()
        return await _json(request, {"number": number})

    return _said(house, "operator", answer)


def _hooked(house: House) -> Answer:
    hooks = Hooks(house)

    async def answer(request: Request) -> Response:
        found = house.tokens.program(bearer(request))
        try:
            if found is None:
                raise Problem(401, "No token", "send Authorization: Bearer TOKEN with the scope hook")  # noqa: TRY301 one place answers
            if "hook" not in found.scopes:
                raise Problem(403, "Not allowed", "this takes a token with the scope hook")  # noqa: TRY301 one place answers
            return await hooks.take(request, found)
        except Problem as wrong:
            return problem(wrong, {"retry-after": "1"} if wrong.status == 429 else None)

    return answer


def _said(house: House, role: Role, answer: Answer) -> Answer:
    """Ask who it is first, and put what goes wrong into words."""

    async def answered(request: Request) -> Response:
        try:
            user = reader(request, house)
            if user is None:
                return problem(
                    Problem(
                        401, "Not signed in", "send Authorization: Bearer TOKEN; make one with haidang user token NAME"
                    ),
                    {"www-authenticate": 'Bearer realm="haidang"'},
                )
            if not user.may(role):
                wanted = {"operator": "operate", "admin": "admin"}.get(role, "read")
                raise Problem(403, "Not allowed", f"this takes a token with the scope {wanted}")  # noqa: TRY301 one place answers
            return await answer(request)
        except Problem as found_wrong:
            return problem(found_wrong)
        except TooMany:
            return problem(Problem(503, "Busy", "too many look already; try again"), {"retry-after": "5"})
        except (DeskBusy, DatabaseError):
            return problem(Problem(503, "Busy", "the ledger cannot be read now; try again"), {"retry-after": "2"})

    return answered


def reader(request: Request, house: House) -> User | None:
    """Return who asks: a program by its token, else whoever is signed in."""
    if "authorization" in request.headers:
        return program(request, house)
    return Seat(request, house).user


def program(request: Request, house: House) -> User | None:
    """Return the program whose token is sent, where users come."""
    found = house.tokens.program(bearer(request))
    return found.user if found else None


def bearer(request: Request) -> str:
    """Return the token that is sent (RFC 6750, section 2.1)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip()[:200] if scheme.lower() == "bearer" else ""


async def _json(request: Request, data: dict[str, Any]) -> Response:
    return _sent(request, await write_object(data))


def _sent(request: Request, body: bytes) -> Response:
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    headers = {"etag": tag, "cache-control": "no-cache", "vary": "authorization, cookie"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def problem(found: Problem, headers: dict[str, str] | None = None) -> Response:
    """Answer with what is wrong (RFC 9457)."""
    body = {"type": "about:blank", "title": found.title, "status": found.status, "detail": found.detail}
    return Response(
        json.dumps(body, ensure_ascii=False).encode(), found.status, {"cache-control": "no-store", **(headers or {})},
        "application/problem+json",
    )  # fmt: skip
