"""Signing in and out, choosing a password by a one-time link, preferences."""

from __future__ import annotations

import math

from starlette.responses import RedirectResponse, Response

from dashboards.web.access.book import check_name
from dashboards.web.access.passwords import LONGEST, SHORTEST, Busy
from dashboards.web.seat import THEMES, YEAR_S, Seat, safe_path
from dashboards.web.words import LANGUAGES


async def login(seat: Seat) -> Response:
    """Answer with the form, or sign somebody in."""
    back = safe_path(seat.request.query_params.get("back", "/"))
    if seat.request.method != "POST":
        return _form(seat, back, 200)
    form = await seat.fields()
    name, password = form.get("name", "").strip().lower()[:64], form.get("password", "")
    house = seat.house
    keys = f"user:{name}", f"from:{seat.address}"
    wait_s = house.backoff.wait_s(*keys)
    if wait_s > 0:
        answer = _form(seat, back, 429, seat.words("login.wait", seconds=math.ceil(wait_s)))
        answer.headers["retry-after"] = str(math.ceil(wait_s))
        return answer
    try:
        house.backoff.failed(*keys)  # before the look: tries side by side must not all be free
        fits = len(password) <= LONGEST and await house.passwords.fits(house.book.password(name), password)
    except Busy:
        return _form(seat, back, 503, seat.words("login.busy"))
    if not fits:
        return _form(seat, back, 401, seat.words("login.wrong"))
    house.backoff.succeeded(*keys)
    if seat.session is not None:
        house.book.close(seat.request.cookies[seat.cookie])
    house.book.note(name, seat.address, "signed in")
    return seat.sign_in(seat.see(back), house.book.open(name))


async def logout(seat: Seat) -> Response:
    """End the session."""
    await seat.form()
    seat.house.book.close(seat.request.cookies[seat.cookie])
    answer = seat.see("/login")
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
    house.book.note(name, seat.address, "chose a password", found.role)
    return seat.sign_in(seat.see("/"), house.book.open(name))


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


def _form(seat: Seat, back: str, status: int, problem: str = "") -> Response:
    return seat.page(
        "login.html", status=status, problem=problem, back=back, empty=seat.house.book.empty(),
        command=f"haidang user link --config {seat.house.configuration.path}",
    )  # fmt: skip
