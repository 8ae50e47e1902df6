"""JSON that programs send and get (RFC 8259): its size, its kind, and that it is one object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from dashboards.web.api.endpoint import Problem
from probes.threads import in_thread

MOST_BYTES = 8_192
MOST_HERE = 100
"""Items of a list that are written on the loop; more of them take a thread."""


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


async def write_object(data: Mapping[str, Any]) -> bytes:
    """Write an object, one with long lists in a thread: an answer about ten thousand targets holds up no probe."""
    if any(isinstance(value, list) and len(value) > MOST_HERE for value in data.values()):
        return await in_thread(lambda: written(data), "web-json")
    return written(data)


def written(data: Mapping[str, Any]) -> bytes:
    """Write it item by item: ``json.dumps`` keeps the interpreter to itself until it has written all it was given."""
    return b"{%s}" % b",".join(
        b"%s:%s" % (_plain(key), b"[%s]" % b",".join(map(_plain, value)) if isinstance(value, list) else _plain(value))
        for key, value in data.items()
    )


def _plain(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
