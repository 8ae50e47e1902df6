"""The ways out that a configuration names, made into channels."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parseaddr
from functools import partial

from alerting.channels.base import Channel, Message, Misconfigured
from alerting.channels.command import CommandChannel, CommandSettings
from alerting.channels.mail import MailChannel, MailServer, MailSettings, Security
from alerting.channels.oauth import OAuthSettings
from alerting.channels.service import ServiceChannel
from alerting.channels.webhook import WebhookChannel, WebhookSettings
from config import Configuration, SecretUnavailable
from config.schema.alerting import OAuth
from config.schema.channels import MAIL, Service, Webhook
from haidang.clock import SystemClock


class Late:
    """A channel of the configuration, made when the first message goes out.

    Its secrets are read then: one that cannot be read delays this channel (loudly), nothing else.

    Parameters:
        make: makes it.
    """

    def __init__(self, make: Callable[[], Channel]) -> None:
        self._make = make
        self._channel: Channel | None = None

    async def send(self, message: Message) -> None:
        """See `alerting.channels.base.Channel.send`."""
        if self._channel is None:
            try:
                self._channel = self._make()
            except (SecretUnavailable, ValueError) as error:
                raise Misconfigured(str(error), dead=True) from error
        await self._channel.send(message)


def channels(configuration: Configuration) -> dict[str, Channel]:
    """Make the channels that a configuration names."""
    alerting = configuration.alerting
    found: dict[str, Channel] = {}
    if alerting.mail is not None:
        found[MAIL] = Late(lambda: MailChannel(mail_settings(configuration)))
    for webhook in alerting.webhooks:
        found[webhook.id] = Late(partial(_webhook, webhook))
    for service in alerting.services:
        found[service.id] = Late(partial(_service, service))
    for command in alerting.commands:
        found[command.id] = CommandChannel(CommandSettings(command.argv, command.timeout_s))
    return found


def pace(configuration: Configuration) -> dict[str, int]:
    """Return how many messages a minute each channel takes."""
    alerting = configuration.alerting
    ways = (*alerting.webhooks, *alerting.services, *alerting.commands)
    found = {one.id: one.most_per_minute for one in ways}
    return {**found, MAIL: alerting.mail.most_per_minute} if alerting.mail is not None else found


def _webhook(webhook: Webhook) -> Channel:
    secret = webhook.secret.read() if webhook.secret else ""
    return WebhookChannel(WebhookSettings(webhook.url, secret, webhook.timeout_s), SystemClock())


def _service(service: Service) -> Channel:
    return ServiceChannel(service.url.read(), service.timeout_s)


def mail_settings(configuration: Configuration) -> MailSettings:
    """Say how mail is sent, passwords read now.

    Raises:
        SecretUnavailable: a password cannot be read.
        ValueError: no mail is configured.
    """
    mail = configuration.alerting.mail
    if mail is None:
        raise ValueError("no mail is configured: alerting.mail is missing")
    servers = tuple(
        MailServer(
            server.host, server.port, Security(server.security), verify=server.verify, username=server.username or "",
            password=server.password.read() if server.password else "",
            oauth2=_oauth(server.oauth2) if server.oauth2 else None, timeout_s=server.timeout_s,
        )
        for server in mail.servers
    )  # fmt: skip
    name, address = parseaddr(mail.sender)
    settings = MailSettings(address, servers, zone=configuration.timezone)
    return MailSettings(address, servers, name, zone=configuration.timezone) if name else settings


def _oauth(said: OAuth) -> OAuthSettings:
    return OAuthSettings(
        said.token_url, said.client_id, said.client_secret.read() if said.client_secret else "",
        said.refresh_token.read() if said.refresh_token else "", said.scope, timeout_s=said.timeout_s,
    )  # fmt: skip


def mail_domain(configuration: Configuration) -> str:
    """Return the domain of the sender, for message ids; empty without mail."""
    mail = configuration.alerting.mail
    return parseaddr(mail.sender)[1].rpartition("@")[2] if mail else ""
