"""Ways out beside mail: webhooks, the services that apprise knows, commands of this machine."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from config.errors import quoted
from config.schema.values import Refusal, Section, Slug, line, seconds, whole, written
from config.secrets import Secret

MAIL = "mail"
"""The channel that is not given here but under alerting.mail."""


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, fine = None, False
    if parts is not None and (parts.username is not None or parts.password is not None):
        raise Refusal("a user or password in the address is a secret in clear: leave it out")
    if not fine or not re.fullmatch(r"[!-~]{1,1000}", value):
        raise Refusal(f"{quoted(value)} is not a web address: write https://HOST/PATH")
    return value


WebAddress = Annotated[str, written(_web_address)]


class Way(Section):
    """What every way out has."""

    id: Slug = Field(description="how contacts refer to it")
    timeout_s: Annotated[float, seconds(1, 300)] = Field(20.0, alias="timeout", description="for one attempt")
    most_per_minute: Annotated[int, whole(1, 6000)] = Field(
        30, description="messages; what is more waits its turn, a minute's worth may go at once"
    )

    @model_validator(mode="after")
    def _not_mail(self) -> Way:
        if self.id == MAIL:
            raise Refusal("mail is the way by mail and stands under alerting.mail: choose another id", key="id")
        return self


class Webhook(Way):
    """Messages as JSON by POST, signed."""

    url: WebAddress = Field(description="where messages are posted to")
    secret: Secret | None = Field(None, description="key of the signature (HMAC-SHA256); without there is none")
    trust: Annotated[str, line(1000)] | None = Field(
        None, description="PEM file of the authorities to trust, relative to the main file; default: the usual ones"
    )


class Service(Way):
    """Telegram, Zalo, Teams, SMS gateways and whatever else apprise knows."""

    url: Secret = Field(
        description="the service's address as apprise writes it; {address} in it is where the contact's goes"
    )


def _command_word(value: str) -> str:
    if "\0" in value or len(value) > 1000:
        raise Refusal("a word of a command has at most 1000 characters and no NUL")
    return value


class Command(Way):
    """A program of this machine that gets the message as JSON on its standard input. No shell is between."""

    argv: tuple[Annotated[str, written(_command_word)], ...] = Field(
        description="the program, by its whole path, and its arguments"
    )

    @model_validator(mode="after")
    def _by_its_path(self) -> Command:
        if not self.argv or not self.argv[0].startswith("/"):
            raise Refusal("the program's whole path is expected first, e.g. [/usr/local/bin/send-sms]", key="argv")
        return self


class ContactWay(Section):
    """One way to reach a contact."""

    channel: Slug = Field(description="mail, or the id of a webhook, service or command")
    address: Annotated[str, line(500)] | None = Field(
        None, description="what the channel delivers to: a number, a room; of mail the contact's email"
    )
