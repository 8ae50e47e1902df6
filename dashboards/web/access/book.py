"""The book of who may use the pages: ``web.db`` in the data directory, written by the daemon alone."""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from haidang.clock import Clock
from haidang.show import utc
from storage.database import Database, DatabaseError

logger = structlog.get_logger(__name__)

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
"""Each may do what those before it may."""

IDLE_S = 14 * 86_400
OLDEST_S = 60 * 86_400
"""A wall is signed in anew every two months; who does not look for two weeks has to sign in again."""
INVITED_S = 86_400
MOST_SESSIONS = 1_000
SEEN_S = 600
MOST_AUDIT = 100_000
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody, or a program.

    Parameters:
        name: as they sign in; empty for whoever reads a public page.
        role: what they may.
    """

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Tell whether this role is theirs, or one above it."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that is signed in; ``form`` is what its forms have to send along."""

    user: User
    form: str
    created_ns: int
    seen_ns: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that lets somebody choose a password; an empty ``user`` chooses the name too."""

    user: str
    role: Role


Keep = Callable[[str, str, Mapping[str, Any]], object]
"""Takes an entry of the audit log: kind, author, the rest."""


def _kept_nowhere(_kind: str, _author: str, _data: Mapping[str, Any]) -> None:
    """For a book without a daemon."""


class AccessBook:
    """Reads and writes the book. Small enough to be asked on the loop: each answer is one row of an index.

    Parameters:
        database: ``web.db``.
        clock: the time.
        keep: puts what concerns access into the daemon's chained log as well.
    """

    def __init__(self, database: Database, clock: Clock, keep: Keep = _kept_nowhere) -> None:
        self._database = database
        self._sql = database.connection
        self._clock = clock
        self._keep = keep

    def empty(self) -> bool:
        """Tell whether nobody can sign in yet."""
        return self._sql.execute("SELECT 1 FROM user WHERE removed_ns IS NULL LIMIT 1").fetchone() is None

    def users(self) -> list[User]:
        """Return who can sign in."""
        rows = self._sql.execute("SELECT name, role FROM user WHERE removed_ns IS NULL ORDER BY name")
        return [User(*row) for row in rows]

    def password(self, name: str) -> str | None:
        """Return the hash of a user's password; ``None`` when there is no such user."""
        row = self._sql.execute(
            "SELECT password FROM user WHERE name = ? AND removed_ns IS NULL", (name,)
        ).fetchone()  # fmt: skip
        return str(row[0]) if row else None

    def set_password(self, name: str, role: Role, password: str) -> None:
        """Add a user, or give one another password and role; whoever is signed in by that name has to do so again."""
        with self._database.transaction() as sql:
            sql.execute(
                "INSERT INTO user (name, role, password, created_ns) VALUES (?, ?, ?, ?) ON CONFLICT (name) "
                "DO UPDATE SET role = excluded.role, password = excluded.password, removed_ns = NULL",
                (name, role, password, self._clock.utc_ns()),
            )
            sql.execute("DELETE FROM session WHERE user = ?", (name,))
            sql.execute("DELETE FROM challenge WHERE user = ?", (name,))

    def remove(self, name: str) -> None:
        """Take a user's access away.

        Raises:
            ValueError: there is no such user.
        """
        with self._database.transaction() as sql:
            for table in ("session", "challenge", "totp", "recovery"):  # whoever gets the name later starts anew
                sql.execute(f"DELETE FROM {table} WHERE user = ?", (name,))
            now_ns = self._clock.utc_ns()
            sql.execute("DELETE FROM adoption WHERE user = ?", (name,))
            sql.execute("UPDATE identity SET removed_ns = ? WHERE user = ? AND removed_ns IS NULL", (now_ns, name))
            done = sql.execute("UPDATE user SET removed_ns = ? WHERE name = ? AND removed_ns IS NULL", (now_ns, name))
            if not done.rowcount:
                raise ValueError(f"there is no user {name}")

    def open(self, name: str, lasts_s: float | None = None) -> str:
        """Begin a session of a user and return its token, which is told to the browser and kept nowhere.

        Parameters:
            lasts_s: ends it after so many seconds, used or not; ``None``: by the usual bounds only.
        """
        token, now_ns = secrets.token_urlsafe(32), self._clock.utc_ns()
        with self._database.transaction() as sql:
            sql.execute(
                "DELETE FROM session WHERE seen_ns < ? OR created_ns < ?",
                (now_ns - IDLE_S * 10**9, now_ns - OLDEST_S * 10**9),
            )
            sql.execute(
                "DELETE FROM session WHERE token IN "
                "(SELECT token FROM session ORDER BY seen_ns DESC LIMIT -1 OFFSET ?)",
                (MOST_SESSIONS - 1,),
            )
            sql.execute(
                "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?)",
                (
                    digest(token),
                    name,
                    secrets.token_urlsafe(24),
                    now_ns,
                    now_ns,
                    None if lasts_s is None else now_ns + round(lasts_s * 1e9),
                ),
            )
        return token

    def session(self, token: str) -> Session | None:
        """Return a session by its token while it is good."""
        row = self._sql.execute(
            "SELECT name, role, form, session.created_ns, seen_ns, until_ns "
            "FROM session JOIN user ON user.name = session.user WHERE token = ? AND removed_ns IS NULL",
            (digest(token),),
        ).fetchone()
        if row is None:
            return None
        name, role, form, created_ns, seen_ns, until_ns = row
        now_ns = self._clock.utc_ns()
        over = until_ns is not None and now_ns > until_ns
        if over or now_ns - seen_ns > IDLE_S * 10**9 or now_ns - created_ns > OLDEST_S * 10**9:
            self.close(token)
            return None
        if abs(now_ns - seen_ns) > SEEN_S * 10**9:
            with self._database.transaction() as sql:
                sql.execute("UPDATE session SET seen_ns = ? WHERE token = ?", (now_ns, digest(token)))
        return Session(User(name, role), form, created_ns, seen_ns)

    def close(self, token: str) -> None:
        """End a session."""
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM session WHERE token = ?", (digest(token),))

    def invite(self, user: str, role: str) -> str:
        """Make a link's token, good for a day; an earlier one for the same user is good no more.

        Raises:
            ValueError: the name or the role is none.
        """
        if role not in ROLES:
            raise ValueError(f"a role is one of {', '.join(ROLES)}, not {role}")
        if user:
            check_name(user)
        token = secrets.token_urlsafe(24)
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM invitation WHERE user = ? OR until_ns < ?", (user, self._clock.utc_ns()))
            sql.execute(
                "INSERT INTO invitation VALUES (?, ?, ?, ?)",
                (digest(token), user, role, self._clock.utc_ns() + INVITED_S * 10**9),
            )
        return token

    def invitation(self, token: str) -> Invitation | None:
        """Return what a link is good for; ``None`` when it is not."""
        row = self._sql.execute(
            "SELECT user, role FROM invitation WHERE token = ? AND until_ns > ?", (digest(token), self._clock.utc_ns())
        ).fetchone()
        return Invitation(*row) if row else None

    def accept(self, token: str, name: str, password: str) -> None:
        """Use a link up.

        Parameters:
            name: the user's; where the link names one it has to be that.
            password: its hash.

        Raises:
            ValueError: the link is good no more, or the name is taken.
        """
        with self._database.transaction() as sql:
            found = self.invitation(token)
            if found is None or (found.user and found.user != name):
                raise ValueError("link")
            check_name(name)
            if not found.user and self.password(name) is not None:
                raise ValueError("taken")
            sql.execute("DELETE FROM invitation WHERE token = ?", (digest(token),))
            self.set_password(name, found.role, password)

    def audit(self, limit: int, before: int | None) -> dict[str, Any]:
        """Return a page of who did what, the newest first.

        Parameters:
            limit: at most so many.
            before: only those with a smaller number.
        """
        rows = self._sql.execute(
            "SELECT id, at_ns, who, address, what, about FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
            (before if before is not None else 1 << 62, limit + 1),
        ).fetchall()
        items = [
            {"number": number, "at": utc(at_ns), "who": who, "address": address, "what": what, "about": about}
            for number, at_ns, who, address, what, about in rows[:limit]
        ]
        (total,) = self._sql.execute("SELECT count(*) FROM audit").fetchone()
        return {"items": items, "next": str(items[-1]["number"]) if len(rows) > limit else None, "total": total}

    def attest(self, who: str, address: str, what: str, about: str = "") -> None:
        """Write down what concerns access itself, in the chained log too; a full disk there keeps nobody out."""
        self.note(who, address, what, about)
        try:
            self._keep("access", who[:64], {"address": address[:64], "what": what, "about": about[:500]})
        except (DatabaseError, sqlite3.Error) as error:
            logger.error("the audit log did not take who signed in", who=who[:64], what=what, reason=str(error))  # noqa: TRY400 all is said

    def note(self, who: str, address: str, what: str, about: str = "") -> None:
        """Write down who did what."""
        with self._database.transaction() as sql:
            number = sql.execute(
                "INSERT INTO audit (at_ns, who, address, what, about) VALUES (?, ?, ?, ?, ?)",
                (self._clock.utc_ns(), who[:64], address[:64], what, about[:500]),
            ).lastrowid
            sql.execute("DELETE FROM audit WHERE id <= ?", ((number or 0) - MOST_AUDIT,))


def digest(token: str) -> bytes:
    """Return what is kept of a token: whoever reads the file cannot sign in by it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def check_name(name: str) -> None:
    """Raise when a name is none.

    Raises:
        ValueError: says what one is.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("a name is 1 to 32 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit")
