"""Signing in at an OpenID provider: sending a browser there, taking it back, and signing it out there."""

from __future__ import annotations

import math
from urllib.parse import quote, urlsplit

import structlog
from starlette.responses import Response

from alerting.text import clean
from dashboards.web.access.identities import claimed, name_of, role_of
from dashboards.web.access.oidc import JOURNEY_S, Journey, OidcError, Provider, ProviderAway
from dashboards.web.pages.signing import begin, show_login
from dashboards.web.seat import Refused, Seat, safe_path

logger = structlog.get_logger(__name__)
BACK = "/login/oidc/back"
REFUSALS = {
    "no_role": "login.sso_no_role", "removed": "login.sso_removed", "taken": "login.sso_taken",
    "bad_name": "login.sso_bad_name",
}  # fmt: skip
"""Why somebody whom the provider knows is refused all the same, and which words say so."""


async def start(seat: Seat) -> Response:
    """Send a browser to the provider; it gets a cookie, so that only it can come back."""
    provider = _provider(seat)
    query = seat.request.query_params
    path = safe_path(query.get("back", "/"))
    if urlsplit(_home(seat)).netloc.lower() != seat.request.headers.get("host", "").lower() and "here" not in query:
        # The provider sends it back to our one address: a cookie of another address would not be there.
        return seat.see(f"{_home(seat)}/login/oidc?here=1&back={quote(path, safe='')}")
    journey = Journey.begin(seat.house.clock, path)
    try:
        where = await provider.start(journey, _home(seat) + BACK, seat.words.language)
    except OidcError as error:
        return _failed(seat, path, error)
    return _keep(seat, seat.see(where), journey.joined(_kept(seat)))


async def back(seat: Seat) -> Response:
    """Sign in whom the provider vouches for. Whatever comes of it, the journey is over."""
    journey = Journey.of(_kept(seat), seat.request.query_params.get("state", ""), seat.house.clock)
    if journey is not None:
        return _keep(seat, await _back(seat, journey), journey.ended(_kept(seat)))
    if seat.session is not None:  # they went back to the provider's page by the browser, and it sent them on again
        return seat.see("/")
    return show_login(seat, "/", 400, seat.words("login.sso_old"))


async def out(seat: Seat) -> Response:
    """Send a browser to where it signs out of the provider."""
    try:
        return seat.see(await _provider(seat).leave(f"{_home(seat)}/login", seat.words.language))
    except OidcError as error:
        _log(seat, error)
        return show_login(seat, "/", 502, seat.words("login.sso_stays", name=_provider(seat).settings.name))


async def _back(seat: Seat, journey: Journey) -> Response:
    house, provider, query = seat.house, _provider(seat), seat.request.query_params
    settings = provider.settings
    path, key = safe_path(journey.back), f"oidc:{seat.address}"
    code = query.get("code", "")
    if query.get("iss", settings.issuer) != settings.issuer:  # RFC 9207 section 2.4
        return _failed(seat, path, OidcError(f"another issuer answered: {clean(query['iss'], 100)}"))
    if "error" in query or not 0 < len(code) <= 4096:
        said = clean(f"{query.get('error', '')} {query.get('error_description', '')}".strip(), 200)
        return _failed(seat, path, OidcError(f"the provider says {said or 'nothing'}"))
    wait_s = house.backoff.wait_s(key)
    if wait_s > 0:
        answer = show_login(seat, path, 429, seat.words("login.wait", seconds=math.ceil(wait_s)))
        answer.headers["retry-after"] = str(math.ceil(wait_s))
        return answer
    house.backoff.failed(key)  # before the look: tries side by side must not all be free
    try:
        claims = await provider.claims(code, _home(seat) + BACK, journey)
    except ProviderAway as error:
        house.backoff.succeeded(key)  # nothing was guessed
        return _failed(seat, path, error)
    except OidcError as error:
        house.backoff.wrong += 1
        return _failed(seat, path, error)
    groups = claimed(settings, claims)
    role = role_of(settings, groups or frozenset())
    who = f"oidc:{claims['sub']}"
    if role is None:
        house.identities.turned_away(settings.issuer, claims["sub"])
        missing = f"no claim {settings.role_claim}: they are in no group there, or the client has no mapper for groups"
        held = missing if groups is None else " ".join(sorted(groups)) or "no group"
        return _refused(seat, path, who, "no_role", clean(held, 300))
    try:
        name, changed = house.identities.user(settings.issuer, claims["sub"], name_of(settings, claims), role)
    except ValueError as error:
        return _refused(seat, path, who, str(error), clean(name_of(settings, claims), 64))
    house.backoff.succeeded(key)
    if changed:
        house.book.attest(name, seat.address, "was vouched for", f"{clean(who, 300)} {changed}")
    return begin(seat, name, path, f"signed in at the provider as {role}")


def _provider(seat: Seat) -> Provider:
    configuration, known = seat.house.configuration, seat.house.provider
    settings = configuration.web.oidc
    if settings is None:
        raise Refused(404)
    if known is None or known.settings != settings:
        folder = configuration.path.absolute().parent
        known = seat.house.provider = Provider(settings, seat.house.clock, folder)
    return known


def _home(seat: Seat) -> str:
    return str(seat.house.configuration.alerting.url).rstrip("/")


def _kept(seat: Seat) -> str:
    """Return what the browser keeps of its journeys."""
    return seat.request.cookies.get(_cookie(seat), "")


def _keep(seat: Seat, answer: Response, journeys: str) -> Response:
    """Let it keep these from now on; empty: none."""
    answer.set_cookie(
        _cookie(seat), journeys, max_age=JOURNEY_S if journeys else 0, path="/", secure=seat.secure, httponly=True,
        samesite="lax",
    )  # fmt: skip
    return answer


def _cookie(seat: Seat) -> str:
    return f"{seat.cookie}-oidc"


def _refused(seat: Seat, path: str, who: str, why: str, about: str) -> Response:
    """Refuse somebody whom the provider vouches for; they may want to come as somebody else."""
    seat.house.backoff.wrong += 1
    seat.house.book.attest(clean(who, 64), seat.address, f"was refused: {why}", about)
    cure = {"cure": f"if it is the same person: haidang user adopt {about}"} if why == "taken" else {}
    logger.warning("somebody whom the provider knows was refused", who=clean(who), why=why, about=about, **cure)
    return show_login(seat, path, 403, seat.words(REFUSALS[why]), leave=True)


def _failed(seat: Seat, path: str, error: OidcError) -> Response:
    _log(seat, error)
    key = "login.sso_away" if isinstance(error, ProviderAway) else "login.sso_failed"
    return show_login(seat, path, 502, seat.words(key, name=_provider(seat).settings.name))


def _log(seat: Seat, error: OidcError) -> None:
    logger.warning("nobody was signed in by the provider", address=seat.address, reason=str(error))
