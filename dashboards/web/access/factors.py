"""Second factors: who has one, whether a code is right, recovery codes, and sign-ins that await a code."""

from __future__ import annotations

import base64
import secrets

from dashboards.web.access.book import digest
from dashboards.web.access.totp import new_secret, step_of
from haidang.clock import Clock
from storage.database import Database

CODES = 10
CODE_BYTES = 10
"""Too many to guess, so that their plain hash may be kept."""
AWAITED_S = 300
MOST_AWAITED = 1_000


class Factors:
    """Reads and writes the part of ``web.db`` that is about codes.

    Parameters:
        database: ``web.db``.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._sql = database.connection
        self._clock = clock

    def on(self, name: str) -> bool:
        """Tell whether a user is asked for a code."""
        return self._row(name, confirmed=True) is not None

    def users(self) -> frozenset[str]:
        """Return who is asked for a code."""
        return frozenset(name for (name,) in self._sql.execute("SELECT user FROM totp WHERE confirmed_ns IS NOT NULL"))

    def begin(self, name: str) -> None:
        """Make a secret that counts once a code has proven that the user has it.

        Raises:
            ValueError: the user has one that counts.
        """
        if self.on(name):
            raise ValueError(f"{name} has a second factor already")
        with self._database.transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO totp VALUES (?, ?, NULL, -1)", (name, new_secret()))

    def awaited(self, name: str) -> bytes | None:
        """Return the secret that was shown and not yet proven."""
        row = self._row(name, confirmed=False)
        return row[0] if row else None

    def confirm(self, name: str, code: str, keep: str) -> list[str] | None:
        """Let the shown secret count, and end the user's other sessions, which were begun without it.

        Parameters:
            keep: the token of the session that goes on.

        Returns:
            The recovery codes, which are kept nowhere; ``None`` when the code is wrong.
        """
        row = self._row(name, confirmed=False)
        step = step_of(row[0], plain(code), self._clock.utc_ns(), row[1]) if row else None
        if step is None:
            return None
        with self._database.transaction() as sql:
            sql.execute("UPDATE totp SET confirmed_ns = ?, step = ? WHERE user = ?", (self._clock.utc_ns(), step, name))
            sql.execute("DELETE FROM session WHERE user = ? AND token <> ?", (name, digest(keep)))
            return self.renew(name)

    def fits(self, name: str, code: str) -> str:
        """Tell whether a code is right, and use it up.

        Returns:
            ``code``, ``recovery``, or nothing when it is wrong.
        """
        row = self._row(name, confirmed=True)
        if row is None:
            return ""
        sent = plain(code)
        step = step_of(row[0], sent, self._clock.utc_ns(), row[1])
        with self._database.transaction() as sql:
            if step is not None:
                sql.execute("UPDATE totp SET step = ? WHERE user = ?", (step, name))
                return "code"
            done = sql.execute("DELETE FROM recovery WHERE code = ? AND user = ?", (digest(f"{name} {sent}"), name))
            return "recovery" if done.rowcount else ""

    def renew(self, name: str) -> list[str]:
        """Make other recovery codes; the old ones are good no more."""
        codes = [base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode("ascii").lower() for _ in range(CODES)]
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM recovery WHERE user = ?", (name,))
            sql.executemany("INSERT INTO recovery VALUES (?, ?)", [(digest(f"{name} {code}"), name) for code in codes])
        return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]

    def left(self, name: str) -> int:
        """Count the recovery codes that are unused."""
        (count,) = self._sql.execute("SELECT count(*) FROM recovery WHERE user = ?", (name,)).fetchone()
        return int(count)

    def off(self, name: str) -> None:
        """Ask a user for no code any more.

        Raises:
            ValueError: nobody asks.
        """
        if not self.on(name):
            raise ValueError(f"there is no user {name} with a second factor")
        with self._database.transaction() as sql:
            for table in ("totp", "recovery", "challenge"):
                sql.execute(f"DELETE FROM {table} WHERE user = ?", (name,))

    def challenge(self, name: str) -> str:
        """Return the token of a sign-in whose password was right; it is good for a code and nothing else."""
        token, now_ns = secrets.token_urlsafe(32), self._clock.utc_ns()
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM challenge WHERE until_ns < ?", (now_ns,))
            sql.execute(
                "DELETE FROM challenge WHERE token IN "
                "(SELECT token FROM challenge ORDER BY until_ns DESC LIMIT -1 OFFSET ?)",
                (MOST_AWAITED - 1,),
            )
            sql.execute("INSERT INTO challenge VALUES (?, ?, ?)", (digest(token), name, now_ns + AWAITED_S * 10**9))
        return token

    def challenged(self, token: str) -> str:
        """Return whose code is awaited; empty when it is nobody's, or no more."""
        row = self._sql.execute(
            "SELECT challenge.user FROM challenge JOIN user ON user.name = challenge.user "
            "WHERE token = ? AND until_ns > ? AND removed_ns IS NULL",
            (digest(token), self._clock.utc_ns()),
        ).fetchone()
        return str(row[0]) if row else ""

    def met(self, token: str) -> None:
        """End a challenge."""
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM challenge WHERE token = ?", (digest(token),))

    def _row(self, name: str, *, confirmed: bool) -> tuple[bytes, int] | None:
        row = self._sql.execute(
            "SELECT secret, step FROM totp WHERE user = ? AND (confirmed_ns IS NOT NULL) = ?", (name, confirmed)
        ).fetchone()
        return (bytes(row[0]), int(row[1])) if row else None


def plain(code: str) -> str:
    """Return a code as it is compared: people type it with spaces, dashes and capitals."""
    return "".join(code.split()).replace("-", "").lower()[:64]
