"""The description of the interface (OpenAPI 3.1), made from the same table that answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dashboards.web.api.actions import OF_NUMBER, Action
from dashboards.web.api.endpoint import Endpoint, Parameter
from dashboards.web.api.hooks import NAME, TARGET
from haidang.model import State

TEXT, NUMBER, WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
MAYBE_TEXT, MAYBE_NUMBER = {"type": ["string", "null"]}, {"type": ["number", "null"]}
TIME, MAYBE_TIME = {"type": "string", "format": "date-time"}, {"type": ["string", "null"], "format": "date-time"}
NAMES = {"type": "object", "additionalProperties": TEXT, "description": "by language: vi, en"}
STATE = {"type": "string", "enum": [state.value for state in State]}
NOW = {"state": STATE, "since": MAYBE_TIME, "reason": TEXT, "cause": MAYBE_TEXT}
OPEN = {"type": "object"}


def _object(**fields: object) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": sorted(fields)}


_TARGET = {
    "id": TEXT, "name": NAMES, "address": MAYBE_TEXT, "site": MAYBE_TEXT, "system": MAYBE_TEXT, "circuit": MAYBE_TEXT,
    "role": TEXT, "probes": {"type": "array", "items": TEXT}, "primary": TEXT, **NOW,
}  # fmt: skip
_CHECK = _object(check=TEXT, target=TEXT, probe=TEXT, **NOW)
_INCIDENT = {
    "number": WHOLE, "target": TEXT, "probe": TEXT, "name": NAMES, "site": NAMES, "carrier": TEXT, "reason": TEXT,
    "severity": TEXT, "owner": TEXT, "acknowledged_by": MAYBE_TEXT, "open": {"type": "boolean"},
    "started": TIME, "confirmed": TIME, "ended": MAYBE_TIME, "resolved": MAYBE_TIME,
}  # fmt: skip
SCHEMAS: dict[str, Any] = {
    "System": _object(
        id=TEXT,
        name=NAMES,
        state=STATE,
        objective_percent=MAYBE_NUMBER,
        formula=MAYBE_TEXT,
        miss_probability=MAYBE_NUMBER,
        targets={"type": "object", "additionalProperties": WHOLE},
        month={"type": ["object", "null"]},
    ),
    "Site": _object(
        id=TEXT,
        name=NAMES,
        level=TEXT,
        parent=MAYBE_TEXT,
        latitude=MAYBE_NUMBER,
        longitude=MAYBE_NUMBER,
        state=STATE,
        targets=WHOLE,
        not_well=WHOLE,
    ),
    "Target": _object(**_TARGET),
    "TargetWithChecks": _object(
        **_TARGET,
        parents={"type": "array", "items": TEXT},
        needs={"type": "array", "items": TEXT},
        checks={"type": "array", "items": {"$ref": "#/components/schemas/Check"}},
    ),
    "Check": _CHECK,
    "Incident": _object(**_INCIDENT),
    "IncidentWithTimeline": _object(
        **_INCIDENT,
        hidden={"type": "array", "items": TEXT},
        timeline={"type": "array", "items": _object(at=TIME, kind=TEXT, text=TEXT)},
        messages={
            "type": "array",
            "items": _object(step=TEXT, contact=TEXT, channel=TEXT, state=TEXT, done=MAYBE_TIME),
        },
    ),
    "Availability": _object(
        period=TEXT,
        timezone=TEXT,
        until=TIME,
        complete={"type": "boolean"},
        formula=TEXT,
        targets={"type": "array", "items": OPEN},
        systems={"type": "array", "items": OPEN},
        objectives={"type": "array", "items": OPEN},
    ),
    "Maintenance": _object(
        number=WHOLE,
        kind=TEXT,
        name=TEXT,
        start=TIME,
        end=TIME,
        rule=TEXT,
        timezone=TEXT,
        excluded={"type": "boolean"},
        reason=TEXT,
        author=TEXT,
        created=TIME,
        cancelled_from=MAYBE_TIME,
    ),
    "Report": _object(
        month=TEXT,
        revision=WHOLE,
        files={"type": "array", "items": _object(name=TEXT, sha256=TEXT, bytes=WHOLE, path=TEXT)},
    ),
    "User": _object(
        name=TEXT,
        kind={"type": "string", "enum": ["user", "token"]},
        may={"type": "array", "items": TEXT},
        totp={"type": "boolean"},
        until=MAYBE_TIME,
        seen=MAYBE_TIME,
    ),
    "Audit": _object(number=WHOLE, at=TIME, who=TEXT, address=TEXT, what=TEXT, about=TEXT),
    "Problem": _object(type=TEXT, title=TEXT, status=WHOLE, detail=TEXT),
}


EVENT = {
    "type": "object",
    "description": "each event by the names of its fields; data is JSON: version moves with each change, at is the "
    "time of day in the monitor's zone",
    "properties": {"event": {"type": "string", "enum": ["changed", "beat"]}, "data": TEXT, "retry": WHOLE},
}
STREAM = {
    "summary": "Server-sent events: changed when there is something new to fetch, beat every 5 s",
    "operationId": "events",
    "parameters": [],
    "responses": {
        "200": {"description": "the stream", "content": {"text/event-stream": {"schema": EVENT}}},
        "401": {
            "description": "no token, and nobody signed in",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        },
    },
}


def describe(endpoints: Iterable[Endpoint], actions: Iterable[Action], version: str) -> dict[str, Any]:
    """Write the description."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Haidang",
            "version": version,
            "description": "The scope read reads, operate also does, admin also sees users and the audit. "
            "Times are UTC. A page's `next` is the `after` (incidents: `before`) "
            "of the next one. "
            "Answers carry an ETag; send it back in If-None-Match.",
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}, {"session": []}],
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "haidang user token NAME"},
                "session": {"type": "apiKey", "in": "cookie", "name": "haidang"},
            },
        },
        "paths": _paths(endpoints, actions),
    }


def _paths(endpoints: Iterable[Endpoint], actions: Iterable[Action]) -> dict[str, Any]:
    found: dict[str, Any] = {one.path: {"get": _operation(one)} for one in endpoints}
    for action in actions:
        found.setdefault(action.path, {})["post"] = _doing(action)
    found["/hooks/{name}"] = {"post": _hook()}
    return {**found, "/events": {"get": STREAM}}


def _hook() -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    why = {
        "400": "the body or a parameter is not right", "401": "no token", "403": "the token lacks the scope hook",
        "404": "there is no such target, or none is named", "413": "more than 8 KiB", "415": "not JSON",
        "429": "too often",
    }  # fmt: skip
    body = {
        "type": "object",
        "description": "whatever the program sends; what is there of these fields and right is understood",
        "properties": {
            "target": {"description": "the target's id, else it is in the address"},
            "severity": {"description": "critical, warning or info, else it counts as warning"},
            "text": {"description": "what is kept of it; without, all of the body is kept as text"},
        },
    }
    taken = _object(target=TEXT, name=TEXT)
    return {
        "summary": "Tell something of a target: it is put on record, and the target is looked at at once",
        "operationId": "hook", "security": [{"token": []}], "parameters": [_parameter(NAME), _parameter(TARGET)],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "202": {"description": "taken", "content": {"application/json": {"schema": taken}}},
            **{status: {"description": what, "content": problem} for status, what in why.items()},
        },
    }  # fmt: skip


def _doing(one: Action) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    why = {
        "400": "a field is not right", "401": "no token", "403": "the token lacks the scope operate",
        "404": "there is no such number", "409": "it cannot be done; the detail says why",
        "413": "more than 8 KiB", "415": "not JSON", "503": "busy; try again",
    }  # fmt: skip
    fields = {field.name: dict(field.schema) for field in one.fields}
    needed = [field.name for field in one.fields if field.needed]
    body = {"type": "object", "properties": fields, "required": needed, "additionalProperties": False}
    done = {"type": "object", "properties": {"number": WHOLE}}
    return {
        "summary": one.what, "operationId": one.name, "security": [{"token": []}],
        "parameters": [_parameter(OF_NUMBER)] if "{number}" in one.path else [],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "done", "content": {"application/json": {"schema": done}}},
            **{status: {"description": what, "content": problem} for status, what in why.items()},
        },
    }  # fmt: skip


def _operation(one: Endpoint) -> dict[str, Any]:
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{one.schema}"}
    if one.paged:
        schema = _object(items={"type": "array", "items": schema}, next=MAYBE_TEXT, total=WHOLE)
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    if not one.schema:
        content = {"*/*": {"schema": {}}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    answers: dict[str, Any] = {
        "200": {"description": "what was asked for", "content": content},
        "304": {"description": "the same as the ETag that was sent"},
        "401": {"description": "no token, and nobody signed in", "content": problem},
        "403": {"description": "the token's scope, or the user's role, is too small", "content": problem},
        "503": {"description": "busy; try again", "content": problem},
    }
    if one.parameters:
        answers["400"] = {"description": "a parameter is not right", "content": problem}
    if (
        any(parameter.place == "path" or parameter.name == "after" for parameter in one.parameters)
        or one.schema == "Availability"
    ):
        answers["404"] = {"description": "there is no such thing", "content": problem}
    return {
        "summary": one.what, "operationId": one.answer.__name__, "responses": answers,
        "parameters": [_parameter(parameter) for parameter in one.parameters],
    }  # fmt: skip


def _parameter(one: Parameter) -> dict[str, Any]:
    return {
        "name": one.name, "in": one.place, "description": one.what, "required": one.place == "path",
        "schema": dict(one.schema),
    }  # fmt: skip
