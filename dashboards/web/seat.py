"""One request's seat: who asks, in which language, and the ways to answer."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dashboards.web.access.book import Role, Session, User
from dashboards.web.access.factors import AWAITED_S
from dashboards.web.house import House
from dashboards.web.words import LANGUAGES, Words, words

READER = User("", "viewer")
YEAR_S = 365 * 86_400
THEMES = ("dark", "light")
TEMPLATES = Environment(
    loader=PackageLoader("dashboards.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True, auto_reload=False,
)  # fmt: skip


class Refused(Exception):
    """The request is not done.

    Parameters:
        status: of HTTP.
        key: which words of the catalogue say why; else those of the status.
        say: words that say why already.
    """

    def __init__(self, status: int, key: str = "", say: str = "") -> None:
        super().__init__(status)
        self.status, self.key, self.say = status, key or f"error.{status}", say


class SignIn(Exception):
    """Only for who is signed in."""


class Seat:
    """Who asks, and how.

    Parameters:
        request: Starlette's.
        house: what all share.
    """

    def __init__(self, request: Request, house: House) -> None:
        self.request, self.house = request, house
        self.now_ns = house.clock.utc_ns()
        configuration = house.configuration
        asked = request.query_params.get("lang", "") or request.cookies.get("lang", "")
        self.words: Words = words(asked if asked in LANGUAGES else configuration.language, configuration.timezone)
        theme = request.cookies.get("theme", "")
        self.theme = theme if theme in THEMES else ""
        self.secure = request.url.scheme == "https"
        self.cookie = "__Host-haidang" if self.secure else "haidang"
        self.half = f"{self.cookie}-code"
        token = request.cookies.get(self.cookie, "")
        self.session: Session | None = house.book.session(token) if token else None
        self.address = request.client.host if request.client else ""

    @property
    def user(self) -> User | None:
        """Who it is; on public pages also whoever comes; ``None``: nobody who may look."""
        if self.session is not None:
            return self.session.user
        return READER if self.house.configuration.web.public else None

    def require(self, role: Role) -> User:
        """Return who it is if they may.

        Raises:
            SignIn: they have to say who they are.
            Refused: they may not.
        """
        user = self.user
        if user is None or (not user.name and not user.may(role)):
            raise SignIn
        if not user.may(role):
            raise Refused(403)
        return user

    async def fields(self) -> dict[str, str]:
        """Read the fields of a form that one of our pages sent (URL-encoded, WHATWG URL, section 5).

        Raises:
            Refused: it is none, or another site's page sent it.
        """
        self.same_origin()
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise Refused(400)
        try:
            text = (await self.request.body()).decode("ascii")
            return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=40))
        except ValueError:
            raise Refused(400) from None

    async def form(self) -> dict[str, str]:
        """Read a form that changes something.

        Raises:
            Refused: it does not come from a page of ours.
        """
        form = await self.fields()
        sent, known = form.get("form", ""), self.session.form if self.session else ""
        if not known or not hmac.compare_digest(sent.encode(), known.encode()):
            raise Refused(403, "error.form")
        return form

    def same_origin(self) -> None:
        """Raise when another site's page sends this.

        Raises:
            Refused: it does.
        """
        headers = self.request.headers
        origin = headers.get("origin")
        site = headers.get("sec-fetch-site", "same-origin")
        if origin is None and "sec-fetch-site" not in headers:
            origin = headers.get("referer")
        if origin is None and site in ("same-origin", "none"):
            return
        if origin is None or urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
            raise Refused(403, "error.form")

    def page(self, template: str, *, status: int = 200, **values: object) -> Response:
        """Answer with a page."""
        return HTMLResponse(self.render(template, **values), status)

    def render(self, template: str, **values: object) -> str:
        """Write a page."""
        usual = {
            "w": self.words, "now": self.now_ns, "user": self.user, "path": self.request.url.path, "theme": self.theme,
            "query": self.request.url.query, "form": self.session.form if self.session else "",
        }  # fmt: skip
        return TEMPLATES.get_template(template).render({**usual, **values})

    def part(self, body: bytes) -> Response:
        """Answer with a part of a page, or with *not modified* when the browser has it already (RFC 9110, 13.1.2)."""
        tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
        headers = {"etag": tag, "vary": "cookie"}
        if tag in self.request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="text/html", headers=headers)

    def trouble(self) -> str:
        """Say what is wrong with the monitor itself; empty when nothing is."""
        key, what = self.house.vitals().trouble
        return self.words(f"trouble.{key}", what=what) if key else ""

    def see(self, path: str) -> Response:
        """Send the browser to another page after a form was done (RFC 9110, 15.4.4)."""
        return RedirectResponse(path, 303)

    def sign_in(self, response: Response, token: str) -> Response:
        """Give the browser its session."""
        response.set_cookie(
            self.cookie, token, max_age=YEAR_S, path="/", httponly=True, samesite="lax", secure=self.secure
        )
        return response

    def await_code(self, response: Response, token: str) -> Response:
        """Give the browser what it has to show beside a code."""
        response.set_cookie(
            self.half, token, max_age=AWAITED_S, path="/", httponly=True, samesite="lax", secure=self.secure
        )
        return response


def safe_path(path: str) -> str:
    """Return where to go back to: a path of ours, whatever was asked for."""
    parts = urlsplit(path)
    good = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc and path.isprintable()
    return path if good and "\\" not in path else "/"
