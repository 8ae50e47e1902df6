"""Signing in at an OpenID provider: sending a browser there, and taking it back."""

from __future__ import annotations

import hmac

import structlog
from starlette.responses import Response

from dashboards.web.access.identities import JOURNEY_S, name_of, role_of
from dashboards.web.access.oidc import OidcError, Provider
from dashboards.web.pages.signing import open_session, refuse_login
from dashboards.web.seat import Refused, Seat, safe_path

logger = structlog.get_logger(__name__)
BACK = "/login/oidc/back"


async def start(seat: Seat) -> Response:
    """Send a browser to the provider; it gets a cookie, so that only it can come back (RFC 6749 section 10.12)."""
    provider = _provider(seat)
    state, journey = seat.house.identities.set_out(safe_path(seat.request.query_params.get("back", "/")))
    try:
        where = await provider.address(_redirect(seat), state, journey.nonce, journey.verifier)
    except OidcError as error:
        return _failed(seat, error)
    answer = seat.see(where)
    answer.set_cookie(
        _cookie(seat), state, max_age=JOURNEY_S, path="/", httponly=True, samesite="lax", secure=seat.secure
    )
    return answer


async def back(seat: Seat) -> Response:
    """Sign in whom the provider vouches for."""
    house, provider, query = seat.house, _provider(seat), seat.request.query_params
    state, kept = query.get("state", "")[:200], seat.request.cookies.get(_cookie(seat), "")
    key = f"from:{seat.address}"
    ours = bool(state) and hmac.compare_digest(state.encode(), kept.encode("utf-8", "replace"))
    journey = house.identities.come_back(state) if ours else None
    if journey is None:
        return refuse_login(seat, "/", 400, seat.words("login.sso_old"))
    if not (code := query.get("code", "")[:2000]):
        return _failed(seat, OidcError(f"the provider says {query.get('error', 'nothing')[:100]!r}"))
    if house.backoff.wait_s(key) > 0:
        return refuse_login(seat, journey.back, 429, seat.words("error.429"))
    try:
        claims = await provider.claims(code, _redirect(seat), journey.nonce, journey.verifier)
    except OidcError as error:
        house.backoff.failed(key)
        return _failed(seat, error)
    settings = provider.settings
    role = role_of(settings, claims)
    if role is None:
        house.identities.turned_away(settings.issuer, claims["sub"])
        house.book.note(f"oidc:{claims['sub']}", seat.address, "has no role at the provider")
        return refuse_login(seat, journey.back, 403, seat.words("login.sso_no_role"))
    try:
        name = house.identities.user(settings.issuer, claims["sub"], name_of(settings, claims), role)
    except ValueError as error:
        house.book.note(f"oidc:{claims['sub']}", seat.address, "was refused", str(error))
        return refuse_login(seat, journey.back, 403, seat.words(f"login.sso_{error}"))
    answer = open_session(seat, name, journey.back, f"signed in by the provider as {role}")
    answer.delete_cookie(_cookie(seat), path="/", secure=seat.secure, httponly=True, samesite="lax")
    return answer


def _provider(seat: Seat) -> Provider:
    settings, known = seat.house.configuration.web.oidc, seat.house.provider
    if settings is None:
        raise Refused(404)
    if known is None or known.settings != settings:
        known = seat.house.provider = Provider(settings, seat.house.clock)
    return known


def _redirect(seat: Seat) -> str:
    return str(seat.house.configuration.alerting.url).rstrip("/") + BACK


def _cookie(seat: Seat) -> str:
    return f"{seat.cookie}-oidc"


def _failed(seat: Seat, error: OidcError) -> Response:
    logger.warning("nobody was signed in by the provider", reason=str(error))
    return refuse_login(seat, "/", 502, seat.words("login.sso_failed"))
