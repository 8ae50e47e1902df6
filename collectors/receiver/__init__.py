"""The receiver of traps, informs and syslog: a process of its own, told what to do by the daemon, trusted with little.

::

    device ──UDP/TCP──► receiver process: Intake ──socketpair──► daemon: Keeper ──► events on record, a poll at once
                         no database, no configuration, no rights; v3 keys of the users for traps only

Whatever a hostile packet does to that process, the daemon goes on: it checks each event again, restarts the process
when it ends, and counts. A trap never sets a state: it only makes the daemon look.
"""

from collectors.receiver.event import Event
from collectors.receiver.keeper import Keeper
from collectors.receiver.settings import Listening, ReceiverSettings

__all__ = ["Event", "Keeper", "Listening", "ReceiverSettings"]
