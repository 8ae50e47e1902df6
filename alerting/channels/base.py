"""The contract of a channel.

A channel gets one `Message` at a time and hands it to the outside: a mail server, a web service, a gateway.

- It **returns** when the other side has taken the responsibility for it (mail: the 250 after the text), and only then.
- It **raises** one of the errors below, and no other, when that did not happen or cannot be known.
- It may be called with the same message again, after an error or after the daemon was killed. It then sends exactly the
  same bytes with the same id, so that the receiver can recognise a double.
- It may be called for many messages at the same time, and may be cancelled at any moment; the caller sets a deadline.
- It does not retry, wait, log successes or write to the database: that is the sender's business.

Errors::

    DeliveryError
    ├── Retryable      the other side is away, busy, or says "later": tried again soon
    ├── Refused        permanent: *this* message or recipient is refused for good; trying again would change nothing
    └── Misconfigured  nobody will get anything until an operator changes something; tried again slowly, logged as error
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class DeliveryError(Exception):
    """A message was not delivered, or it is not known whether it was; the text says what happened.

    Parameters:
        text: what happened.
        dead: whether it says that the whole way is dead, and not only what became of this message.
        after_s: how long the other side asks to wait before anything is sent again; ``None``: it did not say.
    """

    def __init__(self, text: str, *, dead: bool = False, after_s: float | None = None) -> None:
        super().__init__(text)
        self.dead = dead
        self.after_s = after_s


class Retryable(DeliveryError):
    """The other side may take it later."""


class Refused(DeliveryError):
    """The other side will never take it."""


class Misconfigured(DeliveryError):
    """An operator must change something first; the text says what to check."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel gets: one row of the outbox.

    Parameters:
        id: the row.
        incident: the incident's number; ``None`` for what belongs to none.
        step: what it tells, see `alerting.world.Step`.
        contact, channel, address, language: to whom, by which way.
        message_id: the id that makes a resend recognisable, ``<…@…>``.
        payload: what was written when the step happened: ``subject``, ``text``, ``html``, and ``references``: the
            ids of earlier messages on the same incident to the same address; ``files``: paths of what is attached.
        created_ns: when the step was told, UTC nanoseconds.
        attempts: how often it has been tried, this time included.
    """

    id: int
    incident: int | None
    step: str
    contact: str
    channel: str
    address: str
    language: str
    message_id: str
    payload: Mapping[str, Any]
    created_ns: int
    attempts: int


class Channel(Protocol):
    """A way out."""

    async def send(self, message: Message) -> None:
        """Hand over one message.

        Raises:
            Retryable, Refused, Misconfigured: as they say.
        """
        ...
