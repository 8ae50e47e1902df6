"""The pages as the daemon has them: started, told what changed, given another configuration, ended."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import structlog

from config import Configuration
from dashboards.web.access.backoff import Backoff
from dashboards.web.access.book import AccessBook, Keep
from dashboards.web.access.factors import Factors
from dashboards.web.access.identities import Identities
from dashboards.web.access.passwords import Passwords
from dashboards.web.access.tokens import Tokens
from dashboards.web.app import application
from dashboards.web.gate import Gate
from dashboards.web.house import Do, House, Near, Tell, Vitals
from dashboards.web.live import AT_MOST_S, Hub
from dashboards.web.model.board import Board
from dashboards.web.model.desk import Desk, DeskBusy
from dashboards.web.server import CannotServe, Certificate, bind, passed_socket, serve
from dashboards.web.words import words
from haidang.clock import Clock
from haidang.control import Verb
from haidang.model import Interval, Transition
from haidang.show import utc
from storage.database import Database, DatabaseError
from storage.metrics import MetricStore

logger = structlog.get_logger(__name__)

LOOK_S = 1.0
"""How often the ledger is asked whether anybody else has written: acknowledgements, maintenance."""
UNWATCHED_S = 300
"""How old the month's figures may get while nobody looks."""
SWITCH_S = 0.0005
"""How long a reader's thread may keep the interpreter from the loop: at Python's 5 ms each echo sent meanwhile would
wait that long, a burst of a hundred half a second."""
AGAIN_S = 15.0
"""How long a port that is taken is left alone."""
VITALS_S = 1.0
"""How old the daemon's own figures may be: adding up ten thousand checks takes milliseconds."""


class Web:
    """The built-in pages.

    Parameters:
        configuration: the one in force.
        clock: the time.
        store: of the metrics, read only.
        vitals: how the daemon is.
        do: does what a verb of the control socket does; ``verbs`` are those there are.
        quiet: targets in maintenance now.
        tell: takes what other programs hand in.
        near: see `House`.
        keep: puts what concerns access into the audit log.
    """

    def __init__(
        self, configuration: Configuration, clock: Clock, store: MetricStore, vitals: Callable[[], Vitals], do: Do,
        verbs: Iterable[str], quiet: Callable[[], frozenset[str]], tell: Tell, near: Near, keep: Keep,
    ) -> None:  # fmt: skip
        sys.setswitchinterval(SWITCH_S)
        self._clock = clock
        self._changed = asyncio.Event()
        self._passed = passed_socket(os.environ)
        self._database = Database(configuration.data_dir / "web.db", "web")
        self.address = ""
        """Where the pages are served, as a link begins; empty while they are not."""
        self._house = House(
            configuration, clock, Board(configuration), Desk(configuration, clock), store,
            AccessBook(self._database, clock, keep), Factors(self._database, clock), Tokens(self._database, clock),
            Identities(self._database, clock), Passwords(), Backoff(clock), Hub(self._says),
            Gate(asyncio.get_running_loop()), _now_and_then(vitals, clock), do, frozenset(verbs), quiet, tell, near,
        )  # fmt: skip
        self._unseen = False
        self._noticing: asyncio.Task[None] | None = None
        self._said = ""
        self._noticed = self._reckoned = -1

    def load(self, running: Iterable[Interval]) -> None:
        """Take all states from the ledger."""
        self._house.board.load(running)
        self._house.hub.changed()

    def took(self, transitions: Iterable[Transition]) -> None:
        """Take in what has just been written."""
        self._house.board.take(transitions)
        self._unseen = True
        if self._noticing is None or self._noticing.done():
            self._noticing = asyncio.create_task(self._notice(), name="pages notice")

    async def _notice(self) -> None:
        """Read what became of the incidents, then tell the browsers: of both at once, and in a storm not each time."""
        while self._unseen:
            self._unseen = False
            with suppress(DeskBusy, DatabaseError, sqlite3.Error):  # each second it is tried again
                await self._house.desk.look()
            self._house.hub.changed()
            await asyncio.sleep(AT_MOST_S)

    def use(self, configuration: Configuration) -> None:
        """Serve another configuration from now on."""
        old = self._house.configuration.web
        self._house.configuration = configuration
        self._house.board.use(configuration)
        self._house.desk.use(configuration)
        self._house.hub.changed()
        if configuration.web != old:
            self._changed.set()

    def verbs(self) -> dict[str, Verb]:
        """Return what can be asked for over the control socket."""
        return {
            "user.link": self._link, "user.remove": self._remove, "user.list": self._list, "user.token": self._token,
            "user.tokens": self._tokens, "user.totp_off": self._totp_off, "user.adopt": self._adopt,
        }  # fmt: skip

    async def run(self) -> None:
        """Serve until cancelled; what cannot be served is said once, and tried again."""
        while True:
            self._changed.clear()
            settings = self._house.configuration.web
            if not settings.enabled:
                await self._changed.wait()
                continue
            try:
                sock, certificate = self._open()
            except CannotServe as error:
                if str(error) != self._said:
                    logger.error("the pages are not served, everything else goes on", reason=str(error))  # noqa: TRY400 all is said
                self._said = str(error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), AGAIN_S)
                continue
            self._said = ""
            self.address = self._link_start(sock)
            serving = asyncio.create_task(
                serve(application(self._house), sock, self._house.gate, certificate, self._say_where)
            )
            changing = asyncio.create_task(self._changed.wait())
            try:
                await asyncio.wait([serving, changing], return_when=asyncio.FIRST_COMPLETED)
                if serving.done():
                    await serving
            finally:
                self.address = ""
                for task in (serving, changing):
                    task.cancel()
                await asyncio.wait([serving], timeout=1.5)

    async def look(self) -> None:
        """Notice what changed in the ledger, and keep the month's figures fresh. Call it each second."""
        house = self._house
        version = house.desk.written()
        fresh = version != self._noticed
        if fresh:
            self._noticed = version
            if await house.desk.look():
                house.hub.changed()
        wanted = house.hub.watching or self._clock.utc_ns() - house.desk.as_of_ns > UNWATCHED_S * 10**9
        if wanted and await house.desk.reckon(changed=house.board.version != self._reckoned):
            self._reckoned = house.board.version
            house.hub.changed()

    def close(self) -> None:
        """Close the book."""
        if self._noticing is not None:
            self._noticing.cancel()
        self._house.desk.close()
        self._database.close()

    def _open(self) -> tuple[socket.socket, Certificate | None]:
        configuration = self._house.configuration
        certificate = None
        if tls := configuration.web.tls:
            folder = configuration.path.absolute().parent
            certificate = Certificate(folder / tls.certificate, folder / tls.key)
        return (self._passed.dup() if self._passed else bind(configuration.web.listen)), certificate

    def _link_start(self, sock: socket.socket) -> str:
        scheme = "https" if self._house.configuration.web.tls else "http"
        name = sock.getsockname()
        if not isinstance(name, tuple):
            return f"{scheme}://localhost"
        host, port = str(name[0]), name[1]
        if host in ("0.0.0.0", "::"):  # noqa: S104 compared, not bound
            host = "localhost"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def _say_where(self) -> None:
        logger.info("pages are served", address=self.address)
        if self._house.book.empty():
            token = self._house.book.invite("", "admin")
            logger.warning(
                "nobody can sign in yet: open this link once, within a day, and choose a name and a password",
                link=f"{self.address}/welcome/{token}",
            )

    def _says(self) -> dict[str, Any]:
        now_ns = self._clock.utc_ns()
        configuration = self._house.configuration
        return {"at": words(configuration.language, configuration.timezone).hour(now_ns)}

    def _link(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        name, role = str(request.get("name") or "").lower(), str(request.get("role") or "")
        known = {user.name: user.role for user in self._house.book.users()}
        if not name and known:
            raise ValueError("give the user's name; one that is not there yet is added")
        chosen = role or known.get(name) or ("viewer" if known else "admin")
        token = self._house.book.invite(name, chosen)
        self._house.book.attest("control", "", "made a link", f"{name} {chosen}")
        start = self.address or "http://ADDRESS"
        return {"link": f"{start}/welcome/{token}", "role": chosen, "served": bool(self.address)}

    def _remove(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        name = str(request.get("name") or "")
        if request.get("token") is True:
            self._house.tokens.drop(name)
        else:
            self._house.book.remove(name)
        self._house.book.attest("control", "", "removed", name)
        return {}

    def _list(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        factors, vouched = self._house.factors.users(), self._house.identities.users()
        return {
            "users": [
                {"name": user.name, "role": user.role, "totp": user.name in factors, "oidc": user.name in vouched}
                for user in self._house.book.users()
            ]
        }

    def _adopt(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        name = str(request.get("name") or "")
        if self._house.configuration.web.oidc is None:
            raise ValueError("there is no provider: the configuration has no web.oidc")
        self._house.identities.adopt(name)
        self._house.book.attest("control", "", "left to the provider", name)
        return {}

    def _totp_off(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        name = str(request.get("name") or "")
        self._house.factors.off(name)
        self._house.book.attest("control", "", "took the second factor off", name)
        return {}

    def _token(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        name, scopes, days = str(request.get("name") or ""), request.get("scopes"), request.get("days")
        wanted = [str(scope) for scope in scopes] if isinstance(scopes, list) else ["read"]
        token = self._house.tokens.add(name, wanted, days if isinstance(days, int) else None)
        self._house.book.attest("control", "", "made a token", f"{name} {' '.join(wanted)}")
        return {"token": token}

    def _tokens(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "tokens": [
                {
                    "name": one.name, "scopes": list(one.scopes), "created": utc(one.created_ns),
                    "until": utc(one.until_ns), "seen": utc(one.seen_ns),
                }
                for one in self._house.tokens.all()
            ]
        }  # fmt: skip


def _now_and_then(vitals: Callable[[], Vitals], clock: Clock) -> Callable[[], Vitals]:
    """Return the same that asks at most each `VITALS_S`, however often it is asked."""
    known: tuple[int, Vitals] | None = None

    def ask() -> Vitals:
        nonlocal known
        now_ns = clock.monotonic_ns()
        if known is None or now_ns - known[0] >= VITALS_S * 10**9:
            known = now_ns, vitals()
        return known[1]

    return ask


def open_web(
    configuration: Configuration, clock: Clock, store: MetricStore, vitals: Callable[[], Vitals], do: Do,
    verbs: Iterable[str], quiet: Callable[[], frozenset[str]], tell: Tell, near: Near, keep: Keep,
) -> Web | None:  # fmt: skip
    """Make the pages; ``None``, and a line in the log, when their own file cannot be used: monitoring goes on."""
    try:
        return Web(configuration, clock, store, vitals, do, verbs, quiet, tell, near, keep)
    except (DatabaseError, sqlite3.Error, OSError) as error:
        logger.error("no pages", reason=str(error))  # noqa: TRY400 all is said
        return None
