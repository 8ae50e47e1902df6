"""One's own account: one-time codes beside the password."""

from __future__ import annotations

import math

import segno
from starlette.responses import Response

from dashboards.web.access.passwords import LONGEST, Busy
from dashboards.web.access.totp import as_text, uri
from dashboards.web.pages.signing import try_code
from dashboards.web.seat import Refused, Seat, SignIn

ISSUER = "Haidang"


async def page(seat: Seat) -> Response:
    """Answer with the state of the second factor, or change it."""
    if seat.session is None:
        raise SignIn
    if seat.request.method != "POST":
        return _show(seat)
    form = await seat.form()
    do = {"begin": _begin, "confirm": _confirm, "renew": _renew, "off": _off}.get(form.get("do", ""))
    if do is None:
        raise Refused(400)
    return await do(seat, seat.session.user.name, form)


async def _begin(seat: Seat, name: str, form: dict[str, str]) -> Response:
    """Show a secret to whoever knows the password: a browser left open is not enough to lock its user out."""
    house, keys = seat.house, (f"user:{name}", f"from:{seat.address}")
    if (wait_s := house.backoff.wait_s(*keys)) > 0:
        return _show(seat, seat.words("login.wait", seconds=math.ceil(wait_s)), 429)
    password = form.get("password", "")
    try:
        house.backoff.failed(*keys)  # before the look: tries side by side must not all be free
        fits = len(password) <= LONGEST and await house.passwords.fits(house.book.password(name), password)
    except Busy:
        return _show(seat, seat.words("login.busy"), 503)
    if not fits:
        return _show(seat, seat.words("account.wrong_password"), 403)
    house.backoff.succeeded(*keys)
    if not house.factors.on(name):
        house.factors.begin(name)
    return _show(seat, secret=house.factors.awaited(name))


async def _confirm(seat: Seat, name: str, form: dict[str, str]) -> Response:
    factors, backoff = seat.house.factors, seat.house.backoff
    keys = f"code:{name}", f"from:{seat.address}"
    if (wait_s := backoff.wait_s(*keys)) > 0:
        problem = seat.words("login.wait", seconds=math.ceil(wait_s))
        return _show(seat, problem, 429, secret=factors.awaited(name))
    codes = factors.confirm(name, form.get("code", ""), seat.request.cookies[seat.cookie])
    if codes is None:
        backoff.failed(*keys)
        return _show(seat, seat.words("login.wrong_code"), 403, secret=factors.awaited(name))
    backoff.succeeded(*keys)
    seat.house.book.attest(name, seat.address, "put a second factor on")
    return _show(seat, codes=codes)


async def _renew(seat: Seat, name: str, form: dict[str, str]) -> Response:
    if refused := _without_code(seat, name, form):
        return refused
    seat.house.book.attest(name, seat.address, "made other recovery codes")
    return _show(seat, codes=seat.house.factors.renew(name))


async def _off(seat: Seat, name: str, form: dict[str, str]) -> Response:
    if refused := _without_code(seat, name, form):
        return refused
    seat.house.factors.off(name)
    seat.house.book.attest(name, seat.address, "took the second factor off", name)
    return seat.see("/account")


def _without_code(seat: Seat, name: str, form: dict[str, str]) -> Response | None:
    found, wait_s = try_code(seat, name, form.get("code", ""))
    if found:
        return None
    problem = seat.words("login.wait", seconds=wait_s) if wait_s else seat.words("login.wrong_code")
    return _show(seat, problem, 429 if wait_s else 403)


def _show(
    seat: Seat, problem: str = "", status: int = 200, *, secret: bytes | None = None, codes: list[str] | None = None
) -> Response:
    factors, name = seat.house.factors, seat.session.user.name if seat.session else ""
    picture = ""
    if secret is not None:
        picture = segno.make(uri(secret, ISSUER, name), error="m", micro=False).svg_data_uri(
            scale=5, border=4, light="#fff", nl=False
        )
    return seat.page(
        "account.html", status=status, problem=problem, on=factors.on(name), left=factors.left(name),
        password=bool(seat.house.book.password(name)), codes=codes or [], picture=picture,
        secret=as_text(secret) if secret is not None else "",
    )  # fmt: skip
