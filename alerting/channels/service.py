"""Telegram, Zalo, Teams, SMS gateways and the others through apprise, which blocks: each call in a thread of its own.

Apprise says only whether it worked; why not is taken from its log lines.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from urllib.parse import quote

from alerting.channels.base import Message, Misconfigured, Retryable
from alerting.channels.content import subject_of, text_of
from alerting.text import clean

MOST_THREADS = 8
"""Calls of one channel that may hang at a time; more are put off instead of piling up."""
_CURE = "install the extra: pip install 'haidang[notify]'"


class ServiceChannel:
    """Sends by apprise; see `alerting.channels.base` for the contract.

    Parameters:
        url: the service as apprise writes it; ``{address}`` in it becomes the contact's address.
        timeout_s: after which the thread is left to itself and the message is tried again.
    """

    def __init__(self, url: str, timeout_s: float = 20.0) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._running = 0

    async def send(self, message: Message) -> None:
        """See `alerting.channels.base.Channel.send`."""
        if self._running >= MOST_THREADS:
            raise Retryable(f"{self._running} calls have not come back yet", dead=True)
        url = self._url.replace("{address}", quote(message.address, safe=""))
        self._running += 1
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        _in_thread(lambda: _notify(url, subject_of(message), text_of(message)), outcome, self._done)
        try:
            async with asyncio.timeout(self._timeout_s):
                fault = await outcome
        except TimeoutError as error:
            raise Retryable(f"no answer within {self._timeout_s:g} s", dead=True) from error
        if fault:
            raise Retryable(fault, dead=True)

    def _done(self) -> None:
        self._running -= 1


def _notify(url: str, subject: str, text: str) -> str:
    """Send, and return what went wrong; an empty text: nothing.

    Raises:
        Misconfigured: apprise is not installed, or does not know such an address.
    """
    try:
        import apprise  # noqa: PLC0415 an extra: half a second and 20 MB that only those pay who use it
    except ImportError as error:
        raise Misconfigured(f"apprise is missing: {_CURE}", dead=True) from error
    service = apprise.Apprise()
    if not service.add(url):
        raise Misconfigured("apprise does not know such an address; see its documentation for the service", dead=True)
    heard = _Heard()
    logger = logging.getLogger("apprise")
    logger.addHandler(heard)
    try:
        went = service.notify(body=text, title=subject, body_format=apprise.NotifyFormat.TEXT)
    finally:
        logger.removeHandler(heard)
    return "" if went else clean(heard.last or "the service did not take it", 300)


class _Heard(logging.Handler):
    """Keeps the last warning. Of two calls that fail at the same moment one may get the other's words."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def _in_thread(work: Callable[[], str], outcome: asyncio.Future[str], done: Callable[[], None]) -> None:
    """Run blocking work in a thread that does not hold up the end of the process."""
    loop = asyncio.get_running_loop()

    def settle(fault: str, error: Exception | None) -> None:
        done()
        if outcome.done():
            return
        if error is None:
            outcome.set_result(fault)
        else:
            outcome.set_exception(error)

    def call() -> None:
        fault, error = "", None
        try:
            fault = work()
        except Misconfigured as caught:
            error = caught
        except Exception as caught:  # noqa: BLE001 a plugin may raise anything; it becomes a delivery error
            fault = f"{type(caught).__name__}: {clean(str(caught), 200)}"
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, fault, error)

    threading.Thread(target=call, name="apprise", daemon=True).start()
