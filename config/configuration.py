"""A whole configuration: the settings in force and the inventory. Nothing here changes after loading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from zoneinfo import ZoneInfo

from config.inventory import Inventory
from config.schema.alerting import Alerting
from config.schema.conferences import Conferences
from config.schema.netbox import NetBox
from config.schema.receivers import Receivers
from config.schema.reports import Reports
from config.schema.services import HttpService, RtspService
from config.schema.settings import Confirmations, Logging, Probing, Storage
from config.schema.things import Credential
from config.schema.web import Web
from config.secrets import Secret


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole configuration, checked.

    Parameters:
        path: the main file.
        files: every file that was read, the main one first.
        profiles: files with device profiles of the operator's own.
        timezone: in which days and months are counted.
        language: ``vi`` or ``en``, for a person who has not chosen.
        data_dir: absolute.
        logging, storage, probing, confirmation, receivers, alerting, web, reports, conferences,
        netbox: the settings in force.
        trap_credentials: those that ``receivers.traps`` names.
        inventory: what is watched.
    """

    path: Path
    files: tuple[Path, ...]
    profiles: tuple[Path, ...]
    timezone: ZoneInfo
    language: str
    data_dir: Path
    logging: Logging
    storage: Storage
    probing: Probing
    confirmation: Confirmations
    receivers: Receivers
    trap_credentials: tuple[Credential, ...]
    alerting: Alerting
    web: Web
    reports: Reports
    conferences: Conferences
    netbox: NetBox | None
    inventory: Inventory

    def differing(self, new: Configuration) -> tuple[str, ...]:
        """Return the names of the sections in which a newer configuration differs, also where no check changes."""
        pairs = ((self, new), (self.inventory, new.inventory))
        return tuple(
            field.name
            for old, fresh in pairs
            for field in fields(old)
            if field.name != "inventory" and getattr(old, field.name) != getattr(fresh, field.name)
        )

    def secrets(self) -> Mapping[str, Secret]:
        """Return every secret in use, by what it is for; ``haidang doctor`` tries to read them."""
        found: dict[str, Secret | None] = {}
        if self.storage.kind == "influxdb":
            found["storage.influxdb.token"] = self.storage.influxdb.token
            found["storage.influxdb.password"] = self.storage.influxdb.password
        for server in self.alerting.mail.servers if self.alerting.mail else ():
            found[f"alerting.mail.servers {server.host}:{server.port} password"] = server.password
        for webhook in self.alerting.webhooks:
            found[f"alerting.webhooks {webhook.id} secret"] = webhook.secret
        for service in self.alerting.services:
            found[f"alerting.services {service.id} url"] = service.url
        if self.web.oidc is not None:
            found["web.oidc.client_secret"] = self.web.oidc.client_secret
        if self.reports.sign is not None:
            found["reports.sign.password"] = self.reports.sign.password
        accesses = [target.credential for target in self.inventory.targets.values()]
        for access in (*accesses, *self.trap_credentials):
            if access is not None:
                found[f"credentials {access.id} community"] = access.community
                found[f"credentials {access.id} auth.password"] = access.auth.password if access.auth else None
                found[f"credentials {access.id} priv.password"] = access.priv.password if access.priv else None
        for target in self.inventory.targets.values():
            rtsp = target.services.get("rtsp")
            if isinstance(rtsp, RtspService):
                found[f"targets {target.id} rtsp.password"] = rtsp.password
            http = target.services.get("http")
            for name, secret in http.variables.items() if isinstance(http, HttpService) else ():
                found[f"targets {target.id} http.variables.{name}"] = secret
        for calendar in self.conferences.calendars:
            found[f"conferences.calendars {calendar.id} private_url"] = calendar.private_url
            found[f"conferences.calendars {calendar.id} password"] = calendar.password
        if self.netbox is not None:
            found["netbox.token"] = self.netbox.token
        return {name: secret for name, secret in found.items() if secret is not None}
