"""Signing in and out, choosing a password by a one-time link, preferences."""

from __future__ import annotations

import math
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from dashboards.web.access.book import check_name
from dashboards.web.access.passwords import LONGEST, SHORTEST, Busy
from dashboards.web.seat import THEMES, YEAR_S, Seat, safe_path
from dashboards.web.words import LANGUAGES


async def login(seat: Seat) -> Response:
    """Answer with the form, or sign somebody in."""
    back = safe_path(seat.request.query_params.get("back", "/"))
    if seat.request.method != "POST":
        return show_login(seat, back, leave="left" in seat.request.query_params)
    form = await seat.fields()
    name, password = form.get("name", "").strip().lower()[:64], form.get("password", "")
    house = seat.house
    keys = f"user:{name}", f"from:{seat.address}"
    wait_s = house.backoff.wait_s(*keys)
    if wait_s > 0:
        answer = show_login(seat, back, 429, seat.words("login.wait", seconds=math.ceil(wait_s)))
        answer.headers["retry-after"] = str(math.ceil(wait_s))
        return answer
    try:
        house.backoff.failed(*keys)  # before the look: tries side by side must not all be free
        fits = len(password) <= LONGEST and await house.passwords.fits(house.book.password(name), password)
    except Busy:
        return show_login(seat, back, 503, seat.words("login.busy"))
    if not fits:
        house.backoff.wrong += 1
        if house.book.password(name) is not None:  # names that are nobody's are only counted: they are without end
            house.book.note(name, seat.address, "sent a wrong password")
        return show_login(seat, back, 401, seat.words("login.wrong"))
    house.backoff.succeeded(*keys)
    return begin(seat, name, back, "signed in")


async def code(seat: Seat) -> Response:
    """Ask for the code after the password, and sign in when it is right."""
    house = seat.house
    back = safe_path(seat.request.query_params.get("back", "/"))
    token = seat.request.cookies.get(seat.half, "")
    name = house.factors.challenged(token) if token else ""
    if not name:
        return seat.see(f"/login?back={quote(back, safe='')}")
    if seat.request.method != "POST":
        return seat.page("code.html", problem="", back=back)
    form = await seat.fields()
    found, wait_s = try_code(seat, name, form.get("code", ""))
    if not found:
        problem = seat.words("login.wait", seconds=wait_s) if wait_s else seat.words("login.wrong_code")
        answer = seat.page("code.html", status=429 if wait_s else 401, problem=problem, back=back)
        if wait_s:
            answer.headers["retry-after"] = str(wait_s)
        return answer
    house.factors.met(token)
    answer = _open(seat, name, back, "signed in with a recovery code" if found == "recovery" else "signed in by a code")
    answer.delete_cookie(seat.half, path="/", secure=seat.secure, httponly=True, samesite="lax")
    return answer


def try_code(seat: Seat, name: str, sent: str) -> tuple[str, int]:
    """Look at a code, held back as passwords are.

    Returns:
        What it is (see `Factors.fits`; empty: not right), and how many seconds to wait when it was not looked at.
    """
    backoff = seat.house.backoff
    keys = f"code:{name}", f"from:{seat.address}"
    wait_s = backoff.wait_s(*keys)
    if wait_s > 0:
        return "", math.ceil(wait_s)
    found = seat.house.factors.fits(name, sent)
    if found:
        backoff.succeeded(*keys)
    else:
        backoff.failed(*keys)
        backoff.wrong += 1
        seat.house.book.note(name, seat.address, "sent a wrong code")
    return found, 0


def begin(seat: Seat, name: str, back: str, how: str) -> Response:
    """Go on with somebody who has proven who they are: to the code where there is one."""
    if seat.house.factors.on(name):
        where = f"/login/code?back={quote(back, safe='')}"
        return seat.await_code(seat.see(where), seat.house.factors.challenge(name))
    return _open(seat, name, back, how)


def _open(seat: Seat, name: str, back: str, how: str) -> Response:
    house = seat.house
    if seat.session is not None:
        house.book.close(seat.request.cookies[seat.cookie])
    house.book.attest(name, seat.address, how)
    oidc = house.configuration.web.oidc
    lasts_s = oidc.session_s if oidc and house.identities.known(name) else None
    return seat.sign_in(seat.see(back), house.book.open(name, lasts_s))


async def logout(seat: Seat) -> Response:
    """End the session."""
    await seat.form()
    house, name = seat.house, seat.session.user.name if seat.session else ""
    house.book.close(seat.request.cookies[seat.cookie])
    house.book.attest(name, seat.address, "signed out")
    left = house.configuration.web.oidc is not None and house.identities.known(name)
    answer = seat.see("/login?left=1" if left else "/login")
    answer.delete_cookie(seat.cookie, path="/", secure=seat.secure, httponly=True, samesite="lax")
    return answer


async def welcome(seat: Seat) -> Response:
    """Let somebody with a one-time link choose a password."""
    house, words = seat.house, seat.words
    token = seat.request.path_params["token"]
    key = f"from:{seat.address}"
    if house.backoff.wait_s(key) > 0:
        return seat.page(
            "welcome.html", status=429, problem=words("login.busy"), invitation=None, name="", least=SHORTEST
        )
    found = house.book.invitation(token)
    if found is None:
        house.backoff.failed(key)
        return seat.page(
            "welcome.html", status=404, problem=words("login.link"), invitation=None, name="", least=SHORTEST
        )
    if seat.request.method != "POST":
        return seat.page("welcome.html", problem="", invitation=found, name=found.user, least=SHORTEST)
    form = await seat.fields()
    name = found.user or form.get("name", "").strip().lower()[:64]
    password, again = form.get("password", ""), form.get("again", "")
    problem = ""
    try:
        check_name(name)
    except ValueError:
        problem = words("login.bad_name")
    if not SHORTEST <= len(password) <= LONGEST:
        problem = words("login.short", count=SHORTEST)
    elif password != again:
        problem = words("login.differ")
    if not problem:
        try:
            house.book.accept(token, name, await house.passwords.hash(password))
        except Busy:
            problem = words("login.busy")
        except ValueError as error:
            problem = words(f"login.{error}")
    if problem:
        return seat.page("welcome.html", status=400, problem=problem, invitation=found, name=name, least=SHORTEST)
    house.book.attest(name, seat.address, "chose a password", found.role)
    return begin(seat, name, "/", "signed in")


async def preferences(seat: Seat) -> Response:
    """Remember the language or the colours in this browser, and go back."""
    query = seat.request.query_params
    answer = RedirectResponse(safe_path(query.get("back", "/")), 303)
    for key, allowed in (("lang", LANGUAGES), ("theme", THEMES)):
        if query.get(key) in allowed:
            answer.set_cookie(
                key, query[key], max_age=YEAR_S, path="/", samesite="lax", secure=seat.secure, httponly=True
            )
    return answer


def show_login(seat: Seat, back: str, status: int = 200, problem: str = "", *, leave: bool = False) -> Response:
    """Answer with the form to sign in.

    Parameters:
        problem: why it is shown again.
        leave: offer to sign out of the provider too.
    """
    oidc = seat.house.configuration.web.oidc
    return seat.page(
        "login.html", status=status, problem=problem, back=back, empty=seat.house.book.empty(),
        provider=oidc.name if oidc else "", leave=leave,
        path="/login", query=f"back={quote(back, safe='')}",  # its links must not lead to a provider's answer again
        command=f"haidang user link --config {seat.house.configuration.path}",
    )  # fmt: skip
