"""A test message through the daemon itself: the same outbox, the same limits, the same channel as an alarm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerting.catalogue import Catalogue
from alerting.outbox import Outbox
from alerting.world import Recipient, Step
from config import Configuration
from haidang.duty import recipient
from haidang.maintaining import one_line


def tested(configuration: Configuration, outbox: Outbox, now_ns: int, request: Mapping[str, Any]) -> str:
    """Put a test message into the outbox.

    Returns:
        its message id.

    Raises:
        ValueError: there is no such channel or contact; with words for the one who asked.
    """
    channel, name = one_line(request, "channel", 64), one_line(request, "contact", 64)
    author = one_line(request, "author", 100)
    contact = configuration.inventory.contacts.get(name)
    if contact is None:
        known = ", ".join(configuration.inventory.contacts) or "none"
        raise ValueError(f"there is no contact {name}; there are: {known}")
    found = recipient(configuration, contact)
    ways = {} if found is None else dict([*reversed(found.ways), (found.channel, found.address)])
    if channel not in ways:
        raise ValueError(f"{name} is not reached by {channel}, but by: {', '.join(ways) or 'nothing'}")
    language = contact.language or configuration.language
    words = Catalogue(language, configuration.timezone)
    gaps = {"product": words.say("product"), "channel": channel, "author": author, "at": words.time(now_ns)}
    payload = {"subject": words.say("test.subject", **gaps), "text": words.say("test.text", **gaps) + "\n"}
    return outbox.put(None, Step.TEST, Recipient(name, ways[channel], language, channel), payload, now_ns)
