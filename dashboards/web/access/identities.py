"""Users whom an OpenID provider vouches for: who they are here, and what they may."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from config.schema.web import ANYBODY, Oidc
from dashboards.web.access.book import INVITED_S, ROLES, Role, check_name
from haidang.clock import Clock
from storage.database import Database


class Identities:
    """Reads and writes the part of ``web.db`` that is about the provider.

    Somebody is their issuer and subject: a name is never enough to become a user who is there already.

    Parameters:
        database: ``web.db``.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._sql = database.connection
        self._clock = clock

    def users(self) -> frozenset[str]:
        """Return the names of those whom a provider vouches for."""
        return frozenset(row[0] for row in self._sql.execute("SELECT user FROM identity WHERE removed_ns IS NULL"))

    def known(self, name: str) -> bool:
        """Tell whether a provider vouches for a user."""
        row = self._sql.execute("SELECT 1 FROM identity WHERE user = ? AND removed_ns IS NULL", (name,)).fetchone()
        return row is not None

    def user(self, issuer: str, subject: str, wanted: str, role: Role) -> tuple[str, str]:
        """Return whom a provider's subject is here, with the role it has from now on; a new one is added.

        Parameters:
            wanted: the name of a new one.

        Returns:
            The name, and what changed by it: words for the record, empty when nothing did.

        Raises:
            ValueError: ``removed``: access was taken away here; ``taken``: the name is somebody else's; ``bad_name``.
        """
        with self._database.transaction() as sql:
            row = sql.execute(
                "SELECT name, role, identity.removed_ns FROM identity JOIN user ON name = user "
                "WHERE issuer = ? AND subject = ?",
                (issuer, subject),
            ).fetchone()
            if row is not None and row[2] is None:
                name, had, _ = row
                sql.execute("UPDATE user SET role = ? WHERE name = ?", (role, name))
                return str(name), "" if had == role else f"{had} became {role}"
            if self._adopted(wanted):
                self._give(issuer, subject, wanted, role)
                return wanted, f"is an earlier user, as {role}"
            if row is not None:
                raise ValueError("removed")
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
            sql.execute("INSERT INTO identity VALUES (?, ?, ?, NULL)", (issuer, subject, wanted))
            return wanted, f"is new, as {role}"

    def turned_away(self, issuer: str, subject: str) -> None:
        """End the sessions of somebody to whom the provider gives no role any more."""
        with self._database.transaction() as sql:
            sql.execute(
                "DELETE FROM session WHERE user IN "
                "(SELECT user FROM identity WHERE issuer = ? AND subject = ? AND removed_ns IS NULL)",
                (issuer, subject),
            )

    def adopt(self, name: str) -> None:
        """Let the next new subject that the provider calls so be a user who is there, or was: once, within a day.

        Raises:
            ValueError: there never was such a user.
        """
        with self._database.transaction() as sql:
            if sql.execute("SELECT 1 FROM user WHERE name = ?", (name,)).fetchone() is None:
                raise ValueError(f"there is no user {name}; a new one is added by the first sign-in at the provider")
            sql.execute(
                "INSERT OR REPLACE INTO adoption VALUES (?, ?)", (name, self._clock.utc_ns() + INVITED_S * 10**9)
            )

    def _adopted(self, name: str) -> bool:
        row = self._sql.execute("SELECT until_ns FROM adoption WHERE user = ?", (name,)).fetchone()
        return row is not None and row[0] > self._clock.utc_ns()

    def _give(self, issuer: str, subject: str, name: str, role: Role) -> None:
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM adoption WHERE user = ?", (name,))
            sql.execute("DELETE FROM identity WHERE user = ? OR (issuer = ? AND subject = ?)", (name, issuer, subject))
            sql.execute("DELETE FROM session WHERE user = ?", (name,))
            # The password of somebody who was removed stays away; that of a local user goes on beside the provider.
            sql.execute("UPDATE user SET password = '' WHERE name = ? AND removed_ns IS NOT NULL", (name,))
            sql.execute("UPDATE user SET role = ?, removed_ns = NULL WHERE name = ?", (role, name))
            sql.execute("INSERT INTO identity VALUES (?, ?, ?, NULL)", (issuer, subject, name))


def claimed(settings: Oidc, claims: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the groups that claims hold; ``None``: they do not speak of any."""
    found: Any = claims
    if settings.role_claim in claims:  # some write addresses as names: https://example.org/groups
        found = claims[settings.role_claim]
    else:
        for key in settings.role_claim.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
    if found is None:
        return None
    listed = found if isinstance(found, list) else [found]
    return frozenset(one for one in listed if isinstance(one, str))


def role_of(settings: Oidc, groups: frozenset[str]) -> Role | None:
    """Return the largest role that groups give; ``None``: none."""
    given: dict[Role, tuple[str, ...]] = {
        "viewer": settings.viewers, "operator": settings.operators, "admin": settings.admins,
    }  # fmt: skip
    for role in reversed(ROLES):
        if groups & set(given[role]):
            return role
    return "viewer" if ANYBODY in settings.viewers else None


def name_of(settings: Oidc, claims: Mapping[str, Any]) -> str:
    """Return the name that somebody new gets: the claim's part before an at sign, as names are here."""
    claim = claims.get(settings.name_claim)
    text = claim if isinstance(claim, str) and claim else str(claims["sub"])
    text = text.partition("@")[0][:200].lower().replace("đ", "d")
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-._")[:32]
