"""Simulated time: an event loop whose waits take no time, and engines that ask the lab's network without a packet.

A daemon built on these lives through a month in minutes, with its own code, cadences, deadlines and data files.
"""

from lab.simulated.icmp import SimulatedPinger
from lab.simulated.loop import SimulatedLoop
from lab.simulated.snmp import links

__all__ = ["SimulatedLoop", "SimulatedPinger", "links"]
