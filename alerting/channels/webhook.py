"""Messages by HTTP POST, as signed JSON.

The signature stands in ``Haidang-Signature: t=SECONDS,v1=HEX``: HMAC-SHA256 over ``SECONDS.BODY`` with the shared key,
SECONDS being the UTC time of sending. A receiver computes the same, compares in constant time, and refuses what is
older than some minutes, so that nobody can play a message again. ``Idempotency-Key`` is the message's id.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2

from alerting.channels.base import Message, Misconfigured, Refused, Retryable
from alerting.channels.content import as_json
from alerting.text import clean
from haidang.clock import Clock

_LONGEST_ANSWER = 4096
_LATER = frozenset({408, 425, 429})
_OURS = frozenset({401, 403, 404, 405, 407})


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Where and how messages are posted.

    Parameters:
        url: where to.
        secret: key of the signature; none when empty.
        timeout_s: for the whole exchange.
        trust: PEM file of the authorities that may sign its certificate; the usual ones when ``None``.
    """

    url: str
    secret: str = field(default="", repr=False)
    timeout_s: float = 20.0
    trust: Path | None = None


class WebhookChannel:
    """Posts messages; see `alerting.channels.base` for the contract. Redirects are not followed.

    Parameters:
        settings: where and how.
        clock: says when it was signed.
    """

    def __init__(self, settings: WebhookSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    async def send(self, message: Message) -> None:
        """See `alerting.channels.base.Channel.send`."""
        settings, body = self._settings, as_json(message)
        headers = {
            "Content-Type": "application/json", "User-Agent": "haidang",
            "Idempotency-Key": message.message_id.strip("<>"),
        }  # fmt: skip
        if settings.secret:
            headers["Haidang-Signature"] = signature(settings.secret, self._clock.utc_ns() // 10**9, body)
        try:
            # A client for each message: nothing is left open between alarms that are hours apart.
            async with asyncio.timeout(settings.timeout_s), httpx2.AsyncClient(
                timeout=settings.timeout_s, follow_redirects=False, trust_env=False, verify=_trusted(settings),
            ) as client, client.stream("POST", settings.url, content=body, headers=headers) as answer:  # fmt: skip
                said = await _beginning(answer)
        except TimeoutError as error:
            raise Retryable(f"{_host(settings)}: no answer within {settings.timeout_s:g} s", dead=True) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise Misconfigured(_untrusted(settings, error), dead=True) from error
            text = clean(str(error) or type(error).__name__, 200)
            raise Retryable(f"{_host(settings)}: {text}", dead=True) from error
        _judge(_host(settings), answer.status_code, said, answer.headers.get("retry-after", ""), self._clock)


def _trusted(settings: WebhookSettings) -> ssl.SSLContext | bool:
    if settings.trust is None:
        return True
    try:
        return ssl.create_default_context(cafile=settings.trust)
    except OSError as error:  # ssl.SSLError is one
        reason = clean(error.strerror or str(error), 200)
        raise Misconfigured(
            f"{_host(settings)}: trust {settings.trust} cannot be read ({reason})", dead=True
        ) from error


def _untrusted(settings: WebhookSettings, error: Exception) -> str:
    why = clean(str(error).partition("verify failed: ")[2].partition(" (_ssl")[0], 100)
    return (
        f"{_host(settings)}: its certificate is not trusted ({why}); check its name and validity, or set trust to the "
        "authority that signed it"
    )


def signature(secret: str, seconds: int, body: bytes) -> str:
    """Return the value of the header Haidang-Signature."""
    mac = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={mac}"


def wait_s(retry_after: str, clock: Clock) -> float | None:
    """Read Retry-After (RFC 9110 §10.2.3): seconds, or a date; ``None`` when it is neither."""
    if retry_after.strip().isascii() and retry_after.strip().isdigit():
        return float(retry_after.strip()[:9])
    try:
        at = parsedate_to_datetime(retry_after)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - datetime.fromtimestamp(clock.utc_ns() // 10**9, UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


async def _beginning(answer: httpx2.Response) -> str:
    data = b""
    async for part in answer.aiter_raw():
        data += part
        if len(data) >= _LONGEST_ANSWER:
            break
    return clean(data[:_LONGEST_ANSWER].decode("utf-8", "replace"), 120)


def _judge(host: str, status: int, said: str, retry_after: str, clock: Clock) -> None:
    if 200 <= status < 300:
        return
    text = f"{host}: HTTP {status} {said}".rstrip()
    if status >= 500 or status in _LATER:
        after_s = wait_s(retry_after, clock)
        raise Retryable(text, dead=status >= 500 and after_s is None, after_s=after_s)
    if status in _OURS or 300 <= status < 400:
        raise Misconfigured(f"{text}; check url and secret of this webhook", dead=True)
    raise Refused(text)


def _host(settings: WebhookSettings) -> str:
    return httpx2.URL(settings.url).host
