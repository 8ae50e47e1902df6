"""JSON that programs send (RFC 8259): its size, its kind, and that it is one object."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from dashboards.web.api.endpoint import Problem

MOST_BYTES = 8_192


async def read_object(request: Request) -> dict[str, Any]:
    """Return the object that was sent.

    Raises:
        Problem: it is none, or too large.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "Not JSON", "send Content-Type: application/json")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise Problem(413, "Too large", f"a body is at most {MOST_BYTES} bytes")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Problem(400, "Not JSON", "the body is not JSON in UTF-8") from None
    if not isinstance(found, dict):
        raise Problem(400, "Not an object", "the body is one JSON object: {…}")
    return found
