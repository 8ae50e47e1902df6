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

from dashboards.web.access.book import User
from dashboards.web.api import answers
from dashboards.web.api.endpoint import AFTER, ID, LIMIT, Endpoint, Parameter, Problem
from dashboards.web.api.openapi import describe
from dashboards.web.house import House
from dashboards.web.model.desk import DeskBusy
from dashboards.web.seat import Seat
from haidang.model import State
from storage.database import DatabaseError

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

    async def openapi(request: Request) -> Response:
        return _json(request, describe(ENDPOINTS, house.vitals().version))

    async def nothing(_request: Request) -> Response:
        return problem(Problem(404, "Not found", "there is no such path; see /api/v1/openapi.json"))

    found: list[BaseRoute] = [Route("/openapi.json", openapi)]
    found += [Route(one.path, _handler(house, one), methods=["GET"]) for one in ENDPOINTS]
    return [*found, Route("/{rest:path}", nothing)]


def _handler(house: House, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            if _who(request, house) is None:
                return problem(
                    Problem(
                        401, "Not signed in", "send Authorization: Bearer TOKEN; make one with haidang user token NAME"
                    ),
                    {"www-authenticate": 'Bearer realm="haidang"'},
                )
            given = {"query": request.query_params, "path": request.path_params}
            known = {one.name for one in endpoint.parameters if one.place == "query"}
            if unknown := sorted(set(request.query_params) - known):
                raise Problem(  # noqa: TRY301 one place answers with all of them
                    400,
                    "Invalid parameter",
                    f"{unknown[0][:50]} is not a parameter; {', '.join(sorted(known)) or 'none'} are",
                )
            values = {one.name: one.read(given[one.place].get(one.name)) for one in endpoint.parameters}
            found = await endpoint.answer(house, values)
            return FileResponse(found, filename=found.name) if isinstance(found, Path) else _json(request, found)
        except Problem as found_wrong:
            return problem(found_wrong)
        except (DeskBusy, DatabaseError):
            return problem(Problem(503, "Busy", "the ledger cannot be read now; try again"), {"retry-after": "2"})

    return answer


def _who(request: Request, house: House) -> User | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return house.book.program(token.strip()[:200])
    return Seat(request, house).user


def _json(request: Request, data: dict[str, Any]) -> Response:
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
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
