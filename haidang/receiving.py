"""What devices tell by themselves, and whose addresses are whose: the receiver is told both."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Callable
from pathlib import Path

import structlog

from collectors.names import AddressBook
from collectors.plan import snmp_user
from collectors.receiver import Keeper, Listening, ReceiverSettings
from config import Configuration, SecretUnavailable
from config.schema.receivers import SEVERITIES
from haidang.clock import Clock
from haidang.settings import known_events
from haidang.telling import Telling
from storage.database import Database
from storage.events import EventLog

logger = structlog.get_logger(__name__)

NAMES_S = 300.0


class Receiving:
    """Keeps the receiver and the address book.

    Parameters:
        configuration: who there is; exchanged on a reload.
        clock: the time.
        database: keeps events.
        addresses: looked up again and again.
        look: makes a target be looked at now.
    """

    def __init__(
        self, configuration: Configuration, clock: Clock, database: Database, addresses: AddressBook,
        look: Callable[[str], bool],
    ) -> None:  # fmt: skip
        self._addresses = addresses
        self._names_changed = asyncio.Event()
        self.telling = Telling(clock, EventLog(database), look)
        self.keeper = Keeper(clock, self.telling.take)
        self.use(configuration)

    def use(self, configuration: Configuration) -> None:
        """Go by another configuration from now on."""
        self._configuration = configuration
        self._heard = receiver_settings(configuration)
        self._names_changed.set()

    def tell(self) -> None:
        """Tell the receiver what the configuration says, and whose addresses are whose now."""
        configuration = self._configuration
        known = self.telling.know(
            (address, target.id) for target in configuration.inventory.targets.values()
            if target.address and (address := self._addresses.address(target.address))
        )  # fmt: skip
        self.keeper.use(listening(configuration), self._heard, tuple(known))

    async def names(self) -> None:
        """Look the targets' names up now and then, and at once when the configuration changed."""
        while True:
            self._names_changed.clear()
            await self._addresses.refresh()
            self.tell()
            try:
                async with asyncio.timeout(NAMES_S):
                    await self._names_changed.wait()
            except TimeoutError:
                continue


def listening(configuration: Configuration) -> Listening:
    """Say where traps and logs are received."""
    traps, syslog = configuration.receivers.traps, configuration.receivers.syslog
    logs = tuple((host, syslog.port) for host in syslog.listen) if syslog else ()
    return Listening(
        tuple((host, traps.port) for host in traps.listen) if traps else (),
        logs if syslog and syslog.udp else (), logs if syslog and syslog.tcp else (),
    )  # fmt: skip


def receiver_settings(configuration: Configuration) -> ReceiverSettings:
    """Say what is received; secrets are read now, and a user whose secret cannot be read is not heard (loudly)."""
    users = []
    for credential in configuration.trap_credentials:
        try:
            users.append(snmp_user(credential))
        except (SecretUnavailable, ValueError) as error:
            logger.error("traps of this user are not believed", credential=credential.id, reason=str(error))  # noqa: TRY400 no trace
    receivers = configuration.receivers
    severity = receivers.syslog.severity if receivers.syslog else "warning"
    return ReceiverSettings(
        tuple(users), _engine_id(), most_per_source=receivers.most_per_source, most_in_all=receivers.most_in_all,
        syslog_severity=SEVERITIES.index(severity), known=known_events(configuration),
    )  # fmt: skip


def _engine_id() -> bytes:
    """Make our SNMP engine ID (RFC 3411): the same as long as the machine is; the number is that for examples."""
    try:
        machine = Path("/etc/machine-id").read_bytes()
    except OSError:
        machine = socket.gethostname().encode()
    return (0x80000000 | 32473).to_bytes(4, "big") + b"\x05" + hashlib.sha256(b"haidang" + machine).digest()[:12]
