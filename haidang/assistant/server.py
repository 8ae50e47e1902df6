"""The questions as tools of the Model Context Protocol, over standard input and output. Needs the extra ``mcp``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from haidang import __version__
from haidang.assistant.marking import NOTE, answer
from haidang.assistant.questions import Questions, Refused

INSTRUCTIONS = (
    "Haidang monitors a province's networks, devices and services and keeps the ledger of what was available. "
    "These tools only read; nothing can be changed, acknowledged or probed through them. Times are UTC (…Z); tell "
    "people times in the answer's timezone. 'unknown' means that nobody measured, neither up nor down; 'unreachable' "
    "means hidden behind the check named as its cause. Ids are for the tools, names for people. "
    f"{NOTE}"
)
READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)  # fmt: skip

Id = Annotated[str, Field(min_length=1, max_length=200)]
MaybeId = Annotated[str | None, Field(max_length=200)]
Limit = Annotated[int, Field(ge=1, le=200, description="at most so many")]
Days = Annotated[int, Field(ge=1, le=366)]
State = Literal["not_up", "up", "degraded", "down", "unreachable", "unknown", "maintenance"]


class Tools:
    """What is offered, one method a tool: its name, its words and its docstring are what the assistant reads.

    Parameters:
        questions: what answers.
    """

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    def systems(self) -> dict[str, Any]:
        """How every system is now. Begin here.

        State, availability of this month with bounds, objective, budget left in seconds, probability of missing the
        objective (as foretold this morning), numbers of open incidents.
        """
        return self._questions.systems()

    def search(
        self,
        words: Annotated[str, Field(max_length=200, description="parts of names, ids, addresses, carriers")] = "",
        state: State | None = None,
        system: MaybeId = None,
        site: Annotated[str | None, Field(max_length=200, description="with all sites below it")] = None,
        role: MaybeId = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Find targets (devices, lines, services), and systems, sites and circuits.

        By words, with or without Vietnamese marks, and by state, system, site and role. state=not_up lists what is not
        well.
        """
        return self._questions.search(words, state, system, site, role, limit)

    def target(self, id: Id) -> dict[str, Any]:  # noqa: A002 it is its name for who asks
        """Explain one target.

        State of each check with reason and since when, what is probed how often and by which rules, what it hangs on,
        open incidents, its availability this month, what it told by itself (traps, logs).
        """
        return self._questions.target(id)

    def incidents(
        self,
        which: Literal["open", "past", "all"] = "open",
        days: Annotated[int, Field(ge=1, le=3660, description="how far back")] = 31,
        target: MaybeId = None,
        site: Annotated[str | None, Field(max_length=200, description="with all sites below it")] = None,
        system: MaybeId = None,
        limit: Limit = 20,
    ) -> dict[str, Any]:
        """List incidents, the newest first.

        What failed, why, since when, how bad, who looks after it, how many checks it hides.
        """
        return self._questions.incidents(which, days, target, site, system, limit)

    def incident(self, number: Annotated[int, Field(ge=1, le=10**12)]) -> dict[str, Any]:
        """Tell one incident in full.

        Impact, evidence gathered at its beginning, timeline, whose fault, who was told.
        """
        return self._questions.incident(number)

    def availability(
        self,
        kind: Literal["target", "site", "circuit", "carrier", "system"],
        name: Id,
        period: Annotated[
            str | None, Field(max_length=20, description="2026-11, 2026-Q4, 2026, 30d; else this month")
        ] = None,
    ) -> dict[str, Any]:
        """Tell how available something was in a period.

        Of a target, a site (with what is below it), a circuit, a carrier or a system: percent with bounds, seconds down
        and unknown, outages, the formula, and the promises made about it with what is left.
        """
        return self._questions.availability(kind, name, period)

    def why(
        self,
        about: Annotated[
            str, Field(min_length=1, max_length=200, description="an incident's number, or a target's id")
        ],
    ) -> dict[str, Any]:
        """Explain why somebody was told of an incident or a target, or was not.

        Messages, routes, silences, maintenance.
        """
        return self._questions.why(about)

    def oncall(self) -> dict[str, Any]:
        """Tell who is on duty now, until when, who comes next, and which silences hold."""
        return self._questions.oncall()

    def conferences(self, days: Days = 7) -> dict[str, Any]:
        """Tell which meetings by video are under way or come, and whether their rooms can take part.

        How each room is now, and what was found when the rooms were tried before the meeting (go, watch, no_go).
        """
        return self._questions.conferences(days)

    def maintenance(self, days: Days = 31) -> dict[str, Any]:
        """Tell which maintenance is under way or planned."""
        return self._questions.maintenance(days)

    def forecast(self) -> dict[str, Any]:
        """Foretell everything that was promised, now.

        Probability of a miss (null: too little history), budget left, when it is lost if what is down stays down, burn
        rates that are too high.
        """
        return self._questions.forecast()

    def monitor(self) -> dict[str, Any]:
        """Tell how the monitor itself is.

        Whether it runs, lateness of its probes, what it lost or left out, its store.
        """
        return self._questions.monitor()


def server(questions: Questions) -> MCPServer:
    """Make the server: every public method of `Tools`, its answer marked and bounded."""
    made = MCPServer(
        "haidang", title="Hải Đăng", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING",
        subscriptions=False,
    )  # fmt: skip
    tools = Tools(questions)
    for name in vars(Tools):
        if not name.startswith("_"):
            ask = getattr(tools, name)
            made.tool(description=inspect.getdoc(ask), annotations=READS)(_marked(ask))
    return made


def _marked(ask: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    @functools.wraps(ask)
    def asked(**words: Any) -> dict[str, Any]:  # noqa: ANN401 what the wrapped one takes
        try:
            return answer(ask(**words))
        except Refused as error:
            raise ToolError(str(error)[:1000]) from error

    return asked
