"""A message as plain data for the ways that are not mail: the same message always gives the same bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from alerting.channels.base import Message
from alerting.text import clean

_LONGEST_LINE = 1000
_LONGEST_TEXT = 20_000


def as_json(message: Message) -> bytes:
    """Return a message as JSON, ASCII only: no byte of a device's text can act on a log, a shell or a header.

    ``id`` is the same whenever it is sent again; a receiver that has seen it passes it over.
    """
    return json.dumps(
        {
            "id": message.message_id, "incident": message.incident, "step": message.step, "contact": message.contact,
            "address": message.address, "language": message.language,
            "created": datetime.fromtimestamp(message.created_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "subject": subject_of(message), "text": text_of(message),
            "link": clean(str(message.payload.get("link", "")), _LONGEST_LINE),
        },
        ensure_ascii=True, sort_keys=True,
    ).encode("ascii")  # fmt: skip


def subject_of(message: Message) -> str:
    """Return the subject as one harmless line."""
    return clean(str(message.payload.get("subject", "")), 200)


def text_of(message: Message) -> str:
    """Return the text, each of its lines harmless."""
    text = str(message.payload.get("text", ""))[:_LONGEST_TEXT]
    return "\n".join(clean(line, _LONGEST_LINE) for line in text.split("\n")).rstrip("\n")
