"""The questions an assistant may ask, answered from the ledger and the configuration as the reading commands are.

Nothing here can write: the ledger is opened read-only, and of the daemon only what it says of itself is asked for.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerting import records
from alerting.oncall.roster import roster
from alerting.oncall.rota import shifts
from availability.maintenance import covers, occurrences
from availability.periods import month_at
from config import Configuration, ConfigurationInvalid, Target
from config.errors import Hints
from config.loader import Loaded, load_with_places
from dashboards.web.model.board import Board
from dashboards.web.model.desk import standings
from dashboards.web.model.index import Index
from dashboards.web.pages.wall import system_state
from haidang import show, statements
from haidang.assistant.marking import quoted
from haidang.conferences import sheets
from haidang.conferences.keeping import meetings_on_record
from haidang.conferences.meetings import known, sittings
from haidang.control import ControlError, ask
from haidang.duty import on_call
from haidang.explained import explained
from haidang.foretelling import Foretelling
from haidang.life import DataDirectory
from haidang.model import CheckId, State
from haidang.why import Why
from storage.accounts import KINDS, AccountsReader
from storage.database import DatabaseError, open_reader
from storage.duty import overrides, silences
from storage.ledger import LedgerReader

DAY_NS = 86_400 * 10**9
FRESH_S = 60.0
"""How long a configuration that was read is taken for the one in force."""
LAST_KNOWN = "The monitor does not run: this is the last it knew. Nobody watches now."
EVENTS = 10
"""What a device told by itself, of one target."""


class Refused(Exception):
    """A question that has no answer; the words say why and what can be asked."""


@dataclass(frozen=True, slots=True)
class Now:
    """What one question is answered from."""

    loaded: Loaded
    sql: sqlite3.Connection
    at_ns: int
    running: bool
    about: Mapping[str, Any]

    @property
    def configuration(self) -> Configuration:
        """The configuration in the file."""
        return self.loaded.configuration

    def board(self) -> Board:
        """Return every state as it is on record."""
        board = Board(self.configuration)
        board.load(LedgerReader(self.sql).running())
        return board


class Questions:
    """Answers questions, one at a time: whoever asks much waits, and not the daemon.

    Parameters:
        path: the configuration; read again now and then, since an assistant may ask for days.

    Raises:
        ConfigurationInvalid: it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._loaded = load_with_places(path)
        self._read_at = time.monotonic()
        self._stale = ""
        self._index = Index(self.configuration.inventory)

    @property
    def configuration(self) -> Configuration:
        """The configuration as last read."""
        return self._loaded.configuration

    @contextmanager
    def _look(self) -> Iterator[Now]:
        with self._turn:
            self._reread()
            folder, now_ns = self.configuration.data_dir, time.time_ns()
            try:
                running = DataDirectory(folder).holder() is not None
                with closing(open_reader(folder / "haidang.db")) as sql:
                    seen = show.utc(LedgerReader(sql).alive_ns())
                    about: dict[str, Any] = {
                        "at": show.utc(now_ns), "timezone": str(self.configuration.timezone),
                        "monitor": {"running": running, "last_sign_of_life": seen},
                    }  # fmt: skip
                    about |= {} if running else {"warning": LAST_KNOWN}
                    about |= {"configuration": self._stale} if self._stale else {}
                    yield Now(self._loaded, sql, now_ns, running, about)
            except (DatabaseError, ControlError) as error:
                raise Refused(str(error)) from error
            except (OSError, sqlite3.Error) as error:
                raise Refused(
                    f"{folder}: cannot be read ({error}); it takes the rights of the daemon's user"
                ) from error

    def _reread(self) -> None:
        if time.monotonic() - self._read_at < FRESH_S:
            return
        self._read_at = time.monotonic()
        try:
            self._loaded, self._stale = load_with_places(self._path), ""
        except ConfigurationInvalid as invalid:
            self._stale = f"the file has {len(invalid.errors)} errors now; this goes by the last one without"

    def systems(self) -> dict[str, Any]:
        """Tell how every system is and how it stands in this month."""
        with self._look() as now:
            board, found = now.board(), standings(now.configuration, now.sql, now.at_ns)
            items = []
            for system in now.configuration.inventory.systems.values():
                counts, standing = board.counts(system.id), found.get(system.id)
                items.append(
                    {
                        "id": system.id, "name": system.label(now.configuration.language),
                        "state": system_state(system, counts, standing).value, "objective_percent": system.objective,
                        "targets": {state.value: counts[state] for state in State if counts.get(state)},
                        "month": statements.told(standing.figures) if standing else None,
                        "miss_probability": standing.miss if standing else None,
                        "formula": standing.formula if standing else None,
                    }
                )  # fmt: skip
            opened = [one.number for one in records.incidents(now.sql) if one.merged_into is None]
            month = month_at(now.at_ns, now.configuration.timezone).name
            return {**now.about, "month": month, "systems": items, "open_incidents": opened}

    def search(
        self, words: str, state: str | None, system: str | None, site: str | None, role: str | None, limit: int
    ) -> dict[str, Any]:  # fmt: skip
        """Find targets by words and by what they are, and what else is called so."""
        with self._look() as now:
            board, inventory = now.board(), now.configuration.inventory
            known = {"system": inventory.systems, "site": inventory.sites}
            for kind, name in (("system", system), ("site", site)):
                if name is not None and name not in known[kind]:
                    raise Refused(_no(kind, name, known[kind]))
            if self._index.of is not inventory:
                self._index = Index(inventory)
            entries, total = self._index.find(words)
            hits = {one.id: one for one in entries if one.kind == "target"}
            chosen: Iterable[Target] = inventory.targets.values()
            if words.strip():
                chosen = [inventory.targets[name] for name in hits]
            wanted = [
                one for one in chosen
                if system in (None, one.system) and role in (None, one.role)
                and (site is None or covers(inventory, "site", site, one))
                and (state is None or _is(board, one, state))
            ]  # fmt: skip
            return {
                **now.about, "found": len(wanted),
                "targets": [_target(now, board, one) for one in wanted[:limit]],
                "others": [
                    {"kind": one.kind, "id": one.id, "name": one.names[now.configuration.language], "also": one.about}
                    for one in entries if one.kind != "target"
                ],
                **({"only_the_best": f"{len(entries)} of {total}"} if total > len(entries) else {}),
            }  # fmt: skip

    def target(self, name: str) -> dict[str, Any]:
        """Explain one target: how it is, since when and why, what is probed by which rule, its month."""
        with self._look() as now:
            one, board = _known(now, name), now.board()
            asked = statements.named("month", _month(now), now.configuration.timezone, now.at_ns)
            incidents = [
                found.number for found in records.incidents(now.sql) if found.check.target == name
                or any(check.target == name for check in records.members(now.sql, found.number))
            ]  # fmt: skip
            how = explained(now.loaded, name)
            how["settings"] = [row for row in how["settings"] if row["level"] != "default"]
            return {
                **now.about, **_target(now, board, one), "notes": one.notes, "parents": list(one.parents),
                "checks": [_check(CheckId(name, probe), board) for probe in one.probes],
                "open_incidents": incidents,
                "month": statements.standing(
                    now.configuration, now.sql, asked, now.at_ns, running=now.running, kind="target", name=name
                ),
                "watching": how, "told_by_itself": show.events(now.configuration, now.sql, name, most=EVENTS),
            }  # fmt: skip

    def incidents(
        self, which: str, days: int, target: str | None, site: str | None, system: str | None, limit: int
    ) -> dict[str, Any]:  # fmt: skip
        """List incidents, the newest first."""
        with self._look() as now:
            inventory = now.configuration.inventory
            about = [(kind, one) for kind, one in (("target", target), ("site", site), ("system", system)) if one]
            for kind, name in about:
                _thing(now, kind, name)
            since_ns = now.at_ns - days * DAY_NS
            found = []
            for one in records.incidents(now.sql, resolved=which != "open", limit=100_000):
                end_ns = one.ended_ns or one.resolved_ns or now.at_ns
                if one.merged_into is not None or (which == "past" and one.open) or end_ns < since_ns:
                    continue
                members = records.members(now.sql, one.number) if about else []
                touched = [
                    inventory.targets[check.target] for check in (one.check, *members)
                    if check.target in inventory.targets
                ]  # fmt: skip
                if all(any(covers(inventory, kind, name, each) for each in touched) for kind, name in about):
                    found.append(one)
            rows = [
                {
                    **_only(show.brief(now.configuration, one, now.at_ns), _BRIEF),
                    "hides": len(records.members(now.sql, one.number)),
                } for one in found[:limit]
            ]  # fmt: skip
            return {**now.about, "found": len(found), "incidents": rows}

    def incident(self, number: int) -> dict[str, Any]:
        """Tell all that is on record of one incident."""
        with self._look() as now:
            found = show.incidents(now.configuration, now.sql, now.at_ns, resolved=True, number=number)
            if not found:
                raise Refused(f"there is no incident {number}; incidents lists them")
            one = found[0]
            one["messages"] = [
                {name: value for name, value in message.items() if name != "address"} for message in one["messages"]
            ]
            return {**now.about, **one}

    def availability(self, kind: str, name: str, period: str | None) -> dict[str, Any]:
        """Tell how available something was in a period."""
        with self._look() as now:
            _thing(now, kind, name)
            try:
                asked = _period(period or _month(now), now)
            except ValueError as error:
                raise Refused(f"{error}; a period is 2026-11, 2026-Q4, 2026 or 30d") from None
            found = statements.standing(
                now.configuration, now.sql, asked, now.at_ns, running=now.running, kind=kind, name=name
            )
            return {**now.about, **found}

    def why(self, what: str) -> dict[str, Any]:
        """Explain who was told of an incident or a target, or was not."""
        with self._look() as now:
            asked, number = Why(now.configuration, now.sql, now.at_ns), what.lstrip("#")
            if what in now.configuration.inventory.targets:
                lines = asked.target(what)
            elif number.isdigit() and number.isascii() and len(number) < 16:
                lines = asked.incident(int(number))
            else:
                raise Refused(_no("target", what, now.configuration.inventory.targets))
            if not lines:
                raise Refused(f"there is no incident {number}; incidents lists them")
            return {**now.about, "why": [{"of": of, "words": words} for of, words in lines]}

    def oncall(self) -> dict[str, Any]:
        """Tell who is on duty, who follows, and what is silent."""
        with self._look() as now:
            everything = roster(now.configuration, overrides(now.sql, 0))
            rows = on_call(now.configuration, everything, now.at_ns)
            for row in rows:
                ahead = shifts(
                    everything.rotas[row["rota"]], everything.overrides, now.at_ns, now.at_ns + 14 * DAY_NS
                )  # fmt: skip
                row["next"] = [
                    {"from": show.utc(one.start_ns), "to": show.utc(one.end_ns), "person": one.person}
                    for one in ahead if one.start_ns > now.at_ns
                ][:3]  # fmt: skip
                if row["person"] is None:
                    row["warning"] = "nobody is on duty"
            quiet = [
                {"kind": one.kind, "about": one.name, "until": show.utc(one.end_ns), "reason": one.reason,
                 "author": one.author}
                for one in silences(now.sql, now.at_ns) if one.cancelled_ns is None
            ]  # fmt: skip
            none = {} if rows else {"hint": "no rotas are configured"}
            return {**now.about, "rotas": rows, "silences": quiet, **none}

    def conferences(self, days: int) -> dict[str, Any]:
        """Tell which meetings by video come, how their rooms are now, and what was found when they were tried."""
        with self._look() as now:
            configuration, board = now.configuration, now.board()
            meetings = meetings_on_record(configuration, now.sql)
            try:
                found = sittings(meetings, now.at_ns, now.at_ns + days * DAY_NS)
            except ValueError as error:
                raise Refused(str(error)) from error
            items = []
            for one in found:
                targets = configuration.inventory.targets
                rooms = [targets[room] for room in one.meeting.rooms if room in targets]
                tried = [
                    sheet for sheet in sheets.last(now.sql, one.meeting.id, 4)
                    if sheet.start_ns == one.start_ns and sheet.kind == "readiness"
                ]  # fmt: skip
                items.append(
                    {
                        "meeting": one.meeting.id, "name": one.meeting.label(configuration.language),
                        "start": show.utc(one.start_ns), "end": show.utc(one.end_ns),
                        "rooms_now": [
                            _only(_target(now, board, room), ("id", "name", "state", "reason")) for room in rooms
                        ],
                        "readiness": [
                            sheets.document(configuration, sheet, configuration.language) for sheet in tried[:1]
                        ],
                    }
                )  # fmt: skip
            return {**now.about, "meetings": items, "configured": len(known(meetings))}

    def maintenance(self, days: int) -> dict[str, Any]:
        """Tell which maintenance is under way or planned."""
        with self._look() as now:
            items = [
                {
                    "number": work.number, "kind": work.kind, "about": work.name, "start": show.utc(start_ns),
                    "end": show.utc(end_ns), "under_way": start_ns <= now.at_ns, "excluded": bool(work.excluded),
                    "reason": work.reason, "author": work.author,
                }
                for work in AccountsReader(now.sql).maintenance()
                for start_ns, end_ns in occurrences(work, now.at_ns, now.at_ns + days * DAY_NS)
            ]  # fmt: skip
            return {**now.about, "maintenance": sorted(items, key=lambda one: str(one["start"]))}

    def forecast(self) -> dict[str, Any]:
        """Tell of every promise whether it will probably be kept. Nothing of it is put on record."""
        with self._look() as now:
            books = statements.books(now.configuration, now.sql, now.at_ns, running=now.running)
            found = Foretelling(now.configuration, books, now.at_ns).promises()
            return {**now.about, "forecasts": [statements.foretold(now.configuration, one) for one in found]}

    def monitor(self) -> dict[str, Any]:
        """Tell how the daemon itself is."""
        with self._look() as now:
            if not now.running:
                return {**now.about}
            found = ask(now.configuration.data_dir, "self", {})
            found.pop("ok")
            return {**now.about, **found}


_BRIEF = (
    "number", "target", "probe", "name", "site", "open", "severity", "reason", "since", "until", "duration_s",
    "acknowledged_by", "acknowledged", "owner",
)  # fmt: skip


def _only(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _is(board: Board, one: Target, wanted: str) -> bool:
    return bool(_not_up(board, one)) if wanted == "not_up" else board.target(one).state.value == wanted


def _not_up(board: Board, one: Target) -> list[str]:
    return [probe for probe in one.probes if board.check(CheckId(one.id, probe)).state is not State.UP]


def _target(now: Now, board: Board, one: Target) -> dict[str, Any]:
    state, language = board.target(one), now.configuration.language
    site = now.configuration.inventory.sites.get(one.site or "")
    return {
        "id": one.id, "name": one.label(language), "address": one.address, "role": one.role, "system": one.system,
        "site": one.site, "site_name": site.label(language) if site else None, "circuit": one.circuit,
        "state": state.state.value, "since": show.utc(state.since_ns), "reason": state.reason,
        "cause": str(state.cause) if state.cause else None, "probes_not_up": _not_up(board, one),
    }  # fmt: skip


def _check(check: CheckId, board: Board) -> dict[str, Any]:
    state = board.check(check)
    return {
        "probe": check.probe, "state": state.state.value, "since": show.utc(state.since_ns), "reason": state.reason,
        "cause": str(state.cause) if state.cause else None,
    }  # fmt: skip


def _known(now: Now, name: str) -> Target:
    targets = now.configuration.inventory.targets
    if name not in targets:
        raise Refused(_no("target", name, targets))
    return targets[name]


def _thing(now: Now, kind: str, name: str) -> None:
    """See that there is such a thing."""
    inventory = now.configuration.inventory
    known: Mapping[str, Callable[[], Iterable[str]]] = {
        "target": lambda: inventory.targets, "site": lambda: inventory.sites, "circuit": lambda: inventory.circuits,
        "system": lambda: inventory.systems,
        "carrier": lambda: {one.carrier for one in inventory.circuits.values() if one.carrier},
    }  # fmt: skip
    if kind not in KINDS:
        raise Refused(f"kind is one of {', '.join(KINDS)}")
    names = set(known[kind]())
    if name not in names and not (kind == "carrier" and name.casefold() in {one.casefold() for one in names}):
        raise Refused(_no(kind, name, names))


def _no(kind: str, name: str, known: Iterable[str]) -> str:
    near = Hints().nearest(name[:200], known)
    return f"there is no {kind} of that name" + (
        f"; did you mean {quoted(near)}?" if near else "; search finds the ids"
    )


def _month(now: Now) -> str:
    return month_at(now.at_ns, now.configuration.timezone).name


def _period(name: str, now: Now) -> statements.Asked:
    kind = "last" if name.endswith("d") else "quarter" if "Q" in name else "month" if "-" in name else "year"
    return statements.named(kind, name, now.configuration.timezone, now.at_ns)
