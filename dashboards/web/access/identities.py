"""Users whom an OpenID provider vouches for, and browsers on their way to it and back."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config.schema.web import Oidc
from dashboards.web.access.book import ROLES, Role, check_name, digest
from haidang.clock import Clock
from storage.database import Database

JOURNEY_S = 600
MOST_JOURNEYS = 1_000


@dataclass(frozen=True, slots=True)
class Journey:
    """A browser that was sent to the provider."""

    nonce: str
    verifier: str
    back: str


class Identities:
    """Reads and writes the part of ``web.db`` that is about providers.

    Parameters:
        database: ``web.db``.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def set_out(self, back: str) -> tuple[str, Journey]:
        """Remember a browser that is sent to the provider; returns the state it has to bring back."""
        state, now_ns = secrets.token_urlsafe(32), self._clock.utc_ns()
        journey = Journey(secrets.token_urlsafe(32), secrets.token_urlsafe(48), back)
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM journey WHERE until_ns < ?", (now_ns,))
            sql.execute(
                "DELETE FROM journey WHERE state IN "
                "(SELECT state FROM journey ORDER BY until_ns DESC LIMIT -1 OFFSET ?)",
                (MOST_JOURNEYS - 1,),
            )
            sql.execute(
                "INSERT INTO journey VALUES (?, ?, ?, ?, ?)",
                (digest(state), journey.nonce, journey.verifier, back, now_ns + JOURNEY_S * 10**9),
            )
        return state, journey

    def come_back(self, state: str) -> Journey | None:
        """Return what is known of a browser that comes back, once."""
        with self._database.transaction() as sql:
            row = sql.execute(
                "DELETE FROM journey WHERE state = ? RETURNING nonce, verifier, back, until_ns", (digest(state),)
            ).fetchone()
        return Journey(*row[:3]) if row and row[3] > self._clock.utc_ns() else None

    def user(self, issuer: str, subject: str, wanted: str, role: Role) -> str:
        """Return whom a provider's subject is here, with the role it has now; a new one is added.

        Parameters:
            wanted: the name of a new one.

        Raises:
            ValueError: ``removed``: access was taken away here; ``taken``: the name is somebody else's; ``bad_name``.
        """
        with self._database.transaction() as sql:
            row = sql.execute(
                "SELECT name, removed_ns FROM identity JOIN user ON name = user WHERE issuer = ? AND subject = ?",
                (issuer, subject),
            ).fetchone()
            if row is not None:
                if row[1] is not None:
                    raise ValueError("removed")
                sql.execute("UPDATE user SET role = ? WHERE name = ?", (role, row[0]))
                return str(row[0])
            try:
                check_name(wanted)
            except ValueError:
                raise ValueError("bad_name") from None
            if sql.execute("SELECT 1 FROM user WHERE name = ?", (wanted,)).fetchone():
                raise ValueError("taken")  # neither a local user nor one who was removed is given to a stranger
            sql.execute(
                "INSERT INTO user (name, role, password, created_ns) VALUES (?, ?, '', ?)",
                (wanted, role, self._clock.utc_ns()),
            )
            sql.execute("INSERT INTO identity VALUES (?, ?, ?)", (issuer, subject, wanted))
            return wanted

    def turned_away(self, issuer: str, subject: str) -> None:
        """End the sessions of somebody to whom the provider gives no role any more."""
        with self._database.transaction() as sql:
            sql.execute(
                "DELETE FROM session WHERE user IN (SELECT user FROM identity WHERE issuer = ? AND subject = ?)",
                (issuer, subject),
            )


def role_of(settings: Oidc, claims: Mapping[str, Any]) -> Role | None:
    """Return the largest role that the claim gives; ``None``: none."""
    found: Any = claims
    for key in settings.role_claim.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    listed = found if isinstance(found, list) else [found]
    values = {one for one in listed if isinstance(one, str)}
    given: dict[Role, tuple[str, ...]] = {
        "viewer": settings.viewers, "operator": settings.operators, "admin": settings.admins,
    }  # fmt: skip
    for role in reversed(ROLES):
        if values & set(given[role]) or "*" in given[role]:
            return role
    return None


def name_of(settings: Oidc, claims: Mapping[str, Any]) -> str:
    """Return the name that somebody new gets: the claim's part before an at sign, as names are here."""
    text = str(claims.get(settings.name_claim) or claims["sub"]).partition("@")[0].lower().replace("đ", "d")
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-._")[:32]
