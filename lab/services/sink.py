"""What a mail server is, what can be wrong with it, and whom it makes wait."""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

from pydantic import Field

from lab.services.certificates import Certificate
from lab.services.words import Fault, Words

MOST_SENDERS = 10_000
_HOST = r"^[A-Za-z0-9.-]{1,253}$"


class SmtpOptions(Words):
    """What a mail server is."""

    hostname: str = Field("mail.lab.invalid", pattern=_HOST, description="by which it greets")
    security: Literal["none", "starttls", "tls"] = Field("none", description="TLS on request, or from the first byte")
    certificate: Certificate = Field(Certificate(), description="what it shows")


class SmtpFault(Fault):
    """What is wrong with a mail server."""

    greylist_s: float = Field(0.0, ge=0, le=86_400, description="how long each sender has to wait from its first try")
    unavailable: bool = Field(False, description="421 instead of a greeting")
    reject: str = Field("", max_length=320, description="a recipient that does not exist: 550")
    tarpit_s: float = Field(0.0, ge=0, le=600, description="before each line it says, seconds")
    drop_after_data: bool = Field(False, description="hang up once a mail is taken, before saying so")


class Greylist:
    """Puts off each sender for a while, as servers do against junk (RFC 6647).

    Parameters:
        wait_s: from a sender's first try, seconds.
    """

    def __init__(self, wait_s: float) -> None:
        self._wait_ns = round(wait_s * 1e9)
        self._first: OrderedDict[str, int] = OrderedDict()

    def must_wait(self, sender: str, now_ns: int) -> bool:
        """Tell whether a sender has to come again.

        Parameters:
            now_ns: monotonic.
        """
        first = self._first.setdefault(sender.casefold(), now_ns)
        if len(self._first) > MOST_SENDERS:
            self._first.popitem(last=False)
        return now_ns - first < self._wait_ns
