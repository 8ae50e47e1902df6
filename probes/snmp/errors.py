"""What can go wrong between us and an agent.

::

    SnmpError
    ├── BerError      the bytes are not BER as SNMP uses it
    ├── NoAnswer      asked, and nothing valid came back in time
    ├── NotAsked      the question never left this machine: it proves nothing about the device
    ├── Refused       the agent answered with an error-status
    ├── Reported      the agent's SNMPv3 engine refused the message: it is alive, and says why
    └── Unproven      a notification of v3 that must not be believed
"""

from __future__ import annotations

_STATUS = (
    "noError", "tooBig", "noSuchName", "badValue", "readOnly", "genErr", "noAccess", "wrongType", "wrongLength",
    "wrongEncoding", "wrongValue", "noCreation", "inconsistentValue", "resourceUnavailable", "commitFailed",
    "undoFailed", "authorizationError", "notWritable", "inconsistentName",
)  # fmt: skip

TOO_BIG = 1
NO_SUCH_NAME = 2


class SnmpError(Exception):
    """Root of this room's errors."""


class BerError(SnmpError):
    """The bytes are not BER as SNMP uses it (RFC 3417 §8)."""


class NoAnswer(SnmpError):
    """Asked, and nothing valid came back in time.

    Parameters:
        reason: in words.
        sent: how many packets left.
        silent: nothing came back at all, neither a malformed answer nor an ICMP error.
        blind: our own receive buffer overflowed meanwhile, so silence proves nothing.
    """

    def __init__(self, reason: str, sent: int, *, silent: bool = True, blind: bool = False) -> None:
        super().__init__(reason)
        self.silent = silent
        self.sent = sent
        self.blind = blind


class NotAsked(SnmpError):
    """The question never left this machine."""


class Refused(SnmpError):
    """The agent answered with an error-status (RFC 3416 §3).

    Parameters:
        status: error-status.
        index: error-index, 1 for the first variable, 0 for none.
    """

    def __init__(self, status: int, index: int) -> None:
        name = _STATUS[status] if 0 <= status < len(_STATUS) else f"error-status {status}"
        super().__init__(f"the agent refuses: {name}")
        self.status = status
        self.index = index


class Reported(SnmpError):
    """The agent's SNMPv3 engine refused the message (RFC 3414 §3.2, RFC 3412 §7.2)."""


class Unproven(SnmpError):
    """A v3 notification that must not be believed: unknown user, another level, wrong key, an old message."""
