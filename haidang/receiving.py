"""What devices tell by themselves, and whose addresses are whose: the receiver is told both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from collectors.names import AddressBook
from collectors.receiver import Keeper
from config import Configuration
from haidang.clock import Clock
from haidang.settings import listening, receiver_settings
from haidang.telling import Telling
from storage.database import Database
from storage.events import EventLog

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
