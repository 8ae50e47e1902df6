"""ICMP echo: one socket per address family for all targets, kernel time stamps, honest about its own losses."""

from probes.icmp.burst import Burst, Pinger
from probes.icmp.engine import IcmpEngine
from probes.icmp.probe import ping
from probes.icmp.sockets import IcmpUnavailable

__all__ = ["Burst", "IcmpEngine", "IcmpUnavailable", "Pinger", "ping"]
