"""What other programs tell of a target: ``POST /api/v1/hooks/NAME``. A reason to look at once, never a state."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from collectors.receiver.buckets import Bucket
from collectors.receiver.event import LONGEST_TEXT, printable
from dashboards.web.access.tokens import Program
from dashboards.web.api.body import read_object
from dashboards.web.api.endpoint import ID, Parameter, Problem
from dashboards.web.house import House

PER_TOKEN_S, IN_ALL_S = 2.0, 20.0
SEVERITIES = ("critical", "warning", "info")
NAME = Parameter("name", "what the hook is called on record", ID, "path")
TARGET = Parameter("target", "of which target it is, when the body cannot say so", ID)


class Hooks:
    """Takes what is handed in, in measure.

    Parameters:
        house: what all share.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._all = Bucket(IN_ALL_S, self._now())
        self._of: dict[str, Bucket] = {}

    async def take(self, request: Request, program: Program) -> Response:
        """Take one.

        Raises:
            Problem: it comes too often, is not right, or is of no target.
        """
        now = self._now()
        if program.name not in self._of:
            known = {one.name for one in self._house.tokens.all()}
            self._of = {name: bucket for name, bucket in self._of.items() if name in known}
            self._of[program.name] = Bucket(PER_TOKEN_S, now)
        if not self._of[program.name].take(now) or not self._all.take(now):
            raise Problem(429, "Too often", f"at most {PER_TOKEN_S:.0f} a second of one token; try again")
        name = NAME.read(request.path_params["name"])
        if unknown := sorted(set(request.query_params) - {"target"}):
            raise Problem(400, "Invalid parameter", f"{unknown[0][:50]} is not a parameter; target is")
        sent = await read_object(request)
        target = TARGET.read(request.query_params.get("target")) or sent.get("target")
        if not isinstance(target, str):
            raise Problem(404, "No target", 'say of which target it is: "target": "ID" in the body, or ?target=ID')
        if target not in self._house.board.inventory.targets:
            raise Problem(404, "Not found", f"there is no target {printable(target, 64)}")
        severity = sent.get("severity")
        self._house.tell(
            target, name, severity if severity in SEVERITIES else "warning", words_of(sent), f"token:{program.name}"
        )
        return JSONResponse({"target": target, "name": name}, 202, {"cache-control": "no-store"})

    def _now(self) -> float:
        return self._house.clock.monotonic_ns() / 1e9


def words_of(sent: Mapping[str, Any]) -> str:
    """Return what is kept of a body: its ``text``, else all of it as other programs happen to write it; printable."""
    text = sent.get("text")
    if not isinstance(text, str):
        text = json.dumps(
            {key: one for key, one in sent.items() if key not in ("target", "severity")}, ensure_ascii=False
        )
    return printable(re.sub(r"\s+", " ", text), LONGEST_TEXT)
