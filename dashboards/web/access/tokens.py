"""Tokens of programs: what each may do, until when."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from dashboards.web.access.book import SEEN_S, Role, User, check_name, digest
from haidang.clock import Clock
from storage.database import Database

SCOPES = ("read", "operate", "admin", "hook")
"""Each of the first three may do what those before it may; ``hook`` may hand events in and nothing else."""
MOST_TOKENS = 200
LONGEST_DAYS = 3650
_ROLES: dict[str, Role] = {"admin": "admin", "operate": "operator", "read": "viewer"}
_COLUMNS = "name, scopes, created_ns, until_ns, seen_ns"


@dataclass(frozen=True, slots=True)
class Program:
    """A program that has a token.

    Parameters:
        name: of the program.
        scopes: what it may.
        created_ns, until_ns, seen_ns: when it was made, ends and last came (to within ten minutes), UTC nanoseconds.
    """

    name: str
    scopes: tuple[str, ...]
    created_ns: int
    until_ns: int | None
    seen_ns: int | None

    @property
    def user(self) -> User | None:
        """Who it is where users come; ``None`` for one that only hands events in."""
        role = next((role for scope, role in _ROLES.items() if scope in self.scopes), None)
        return User(f"token:{self.name}", role) if role else None


class Tokens:
    """Reads and writes the part of ``web.db`` that is about programs.

    Parameters:
        database: ``web.db``.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, name: str, scopes: Iterable[str], days: int | None = None) -> str:
        """Make a program's token; one of the same name is good no more.

        Parameters:
            days: how long it is good; ``None``: until it is removed.

        Raises:
            ValueError: the name, a scope or the time is none, or there are too many.
        """
        check_name(name)
        wanted = set(scopes)
        if not wanted or not wanted <= set(SCOPES):
            wrong = ", ".join(sorted(wanted - set(SCOPES))) or "nothing"
            raise ValueError(f"a token's scopes are of {', '.join(SCOPES)}, not {wrong[:100]}")
        if days is not None and not 1 <= days <= LONGEST_DAYS:
            raise ValueError(f"a token is good for 1 to {LONGEST_DAYS} days")
        token, now_ns = secrets.token_urlsafe(32), self._clock.utc_ns()
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM token WHERE name = ?", (name,))
            (count,) = sql.execute("SELECT count(*) FROM token").fetchone()
            if count >= MOST_TOKENS:
                raise ValueError(f"there are {MOST_TOKENS} tokens already: remove some that nobody uses")
            sql.execute(
                f"INSERT INTO token (token, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, NULL)",
                (
                    digest(token), name, " ".join(scope for scope in SCOPES if scope in wanted), now_ns,
                    now_ns + days * 86_400 * 10**9 if days is not None else None,
                ),
            )  # fmt: skip
        return token

    def drop(self, name: str) -> None:
        """Make a program's token good no more.

        Raises:
            ValueError: there is none.
        """
        with self._database.transaction() as sql:
            if not sql.execute("DELETE FROM token WHERE name = ?", (name,)).rowcount:
                raise ValueError(f"there is no token {name}")

    def all(self) -> list[Program]:
        """Return who has one, those that are over too."""
        rows = self._database.connection.execute(f"SELECT {_COLUMNS} FROM token ORDER BY name")
        return [_program(row) for row in rows]

    def program(self, token: str) -> Program | None:
        """Return the program that a token is of, while it is good."""
        key, now_ns = digest(token), self._clock.utc_ns()
        row = self._database.connection.execute(f"SELECT {_COLUMNS} FROM token WHERE token = ?", (key,)).fetchone()
        found = _program(row) if row else None
        if found is None or (found.until_ns is not None and found.until_ns <= now_ns):
            return None
        if found.seen_ns is None or abs(now_ns - found.seen_ns) > SEEN_S * 10**9:
            with self._database.transaction() as sql:
                sql.execute("UPDATE token SET seen_ns = ? WHERE token = ?", (now_ns, key))
        return found


def _program(row: tuple[str, str, int, int | None, int | None]) -> Program:
    return Program(row[0], tuple(row[1].split()), *row[2:])
