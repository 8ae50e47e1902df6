"""Services that are real: real sockets at simulated hosts, which can be made to misbehave."""

from lab.services.kinds import KINDS
from lab.services.limits import Limits
from lab.services.mailbox import Letter, Mailbox
from lab.services.service import Service
from lab.services.services import Services
from lab.services.syslog import Severity, SyslogSource, Writer

__all__ = [
    "KINDS", "Letter", "Limits", "Mailbox", "Service", "Services", "Severity", "SyslogSource", "Writer",
]  # fmt: skip
