"""What the receiver does with a packet: who sent it, how many were there, what is it, hand it on. No sockets in here.

The order bounds what a packet can cost: the source is looked up, the size and the buckets are asked, and only then is
anything of it read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from collectors.receiver import syslog
from collectors.receiver.buckets import Buckets
from collectors.receiver.catalogue import Catalogue
from collectors.receiver.event import LONGEST_NAME, LONGEST_TEXT, Event, Severity, encode, printable
from collectors.receiver.settings import ReceiverSettings
from haidang.clock import Clock
from probes.snmp import oid, values
from probes.snmp.ber import OBJECT_ID, OCTET_STRING, VarBind
from probes.snmp.errors import BerError, Unproven
from probes.snmp.notifications import Notification, Notifications

LARGEST_PACKET = 8_192
_MOST_VARIABLES = 32
_SHOWN_BYTES = 32


@dataclass(slots=True)
class Counters:
    """What was done with what came, since the process began.

    Parameters:
        received: packets and log messages, all of them.
        strangers: from addresses that no target has.
        limited: over the rate of their source, or of all.
        malformed: too large, or not what belongs there.
        unproven: of SNMPv3 and not to be believed.
        filtered: log messages that are not severe enough.
        handed: events handed to the daemon.
        lost: events that the daemon did not take in time.
    """

    received: int = 0
    strangers: int = 0
    limited: int = 0
    malformed: int = 0
    unproven: int = 0
    filtered: int = 0
    handed: int = 0
    lost: int = 0


class Intake:
    """Makes events of packets.

    Parameters:
        settings: what is taken.
        catalogue: what things mean; the settings may know more.
        clock: stamps events, fills the buckets.
        hand: gives an event to the daemon; False when it cannot take it now.
    """

    def __init__(
        self, settings: ReceiverSettings, catalogue: Catalogue, clock: Clock, hand: Callable[[bytes], bool]
    ) -> None:
        self.counters = Counters()
        self._shipped = catalogue
        self._clock = clock
        self._hand = hand
        self._began_ns = clock.monotonic_ns()
        self.use(settings, ())

    def use(self, settings: ReceiverSettings, sources: Iterable[str]) -> None:
        """Take these from now on, from these addresses."""
        self._catalogue = self._shipped.also(settings.known)
        self._severity = settings.syslog_severity
        self._notifications = Notifications(
            settings.engine_id, settings.users, lambda: (settings.boots, int(self._now_s()))
        )
        self._buckets = Buckets(settings.most_per_source, settings.most_in_all, self._now_s())
        self._buckets.allow(sources, self._now_s())

    def trap(self, data: bytes, source: str) -> bytes:
        """Take a datagram that came for traps; returns what is to be sent back, empty for nothing."""
        if not self._admit(data, source):
            return b""
        try:
            told, reply = self._notifications.take(data)
        except BerError:
            self.counters.malformed += 1
            return b""
        except Unproven:
            self.counters.unproven += 1
            return b""
        if told is not None and not self._give(self._notified(told, source)):
            return b""  # no receipt for what is not in the daemon's hands: the sender tries again
        return reply

    def log(self, data: bytes, source: str) -> None:
        """Take a log message."""
        if not self._admit(data, source):
            return
        found = syslog.parse(data)
        text = f"{found.program}: {found.text}" if found.program.startswith("%") else found.text
        meaning = self._catalogue.message(text)
        if meaning is None and found.severity > self._severity:
            self.counters.filtered += 1
            return
        name = meaning.name if meaning else printable(found.program, LONGEST_NAME) or "syslog"
        severity: Severity = "critical" if found.severity <= 2 else "warning" if found.severity <= 4 else "info"
        self._give(
            Event(
                self._clock.utc_ns(), source, "syslog", name, meaning.severity if meaning else severity,
                printable(text, LONGEST_TEXT), poll=meaning is not None and meaning.poll,
            )
        )  # fmt: skip

    def _now_s(self) -> float:
        return (self._clock.monotonic_ns() - self._began_ns) / 1e9

    def _admit(self, data: bytes, source: str) -> bool:
        counters = self.counters
        counters.received += 1
        if not self._buckets.knows(source):
            counters.strangers += 1
        elif not self._buckets.take(source, self._now_s()):
            counters.limited += 1
        elif len(data) > LARGEST_PACKET:
            counters.malformed += 1
        else:
            return True
        return False

    def _give(self, event: Event) -> bool:
        given = self._hand(encode(event))
        if given:
            self.counters.handed += 1
        else:
            self.counters.lost += 1
        return given

    def _notified(self, told: Notification, source: str) -> Event:
        meaning = self._catalogue.trap(told.name)
        text = ", ".join(self._variable(varbind) for varbind in told.varbinds[:_MOST_VARIABLES])
        return Event(
            self._clock.utc_ns(), source, "inform" if told.inform else "trap",
            meaning.name if meaning else printable(oid.decode(told.name), LONGEST_NAME),
            meaning.severity if meaning else "warning", printable(text, LONGEST_TEXT), proven=bool(told.user),
            poll=meaning is None or meaning.poll,
        )  # fmt: skip

    def _variable(self, varbind: VarBind) -> str:
        name, tag, value = varbind
        shown = str(value)
        if isinstance(value, bytes):
            text = values.text(value) if tag == OCTET_STRING else None
            if tag == OBJECT_ID:
                shown = self._catalogue.label(value) if value else ""
            elif text is not None and (text.isprintable() or "\n" in text):
                shown = text
            else:
                shown = value[:_SHOWN_BYTES].hex(" ")
        return f"{self._catalogue.label(name)}={shown[:LONGEST_TEXT]}"
