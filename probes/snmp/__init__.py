"""SNMP v1, v2c and v3: one UDP socket per address family for all devices, a poll that reads identity and interfaces."""

from probes.snmp.engine import SnmpEngine
from probes.snmp.errors import BerError, NoAnswer, NotAsked, Refused, Reported, SnmpError
from probes.snmp.interfaces import Interface
from probes.snmp.keys import User
from probes.snmp.poll import Identity, PollResult, poll
from probes.snmp.probe import check, check_by_poll, poll_device, probe_snmp
from probes.snmp.profile import Library
from probes.snmp.sensors import Sensor
from probes.snmp.session import Access, Session
from probes.snmp.walk import Column, walk, walk_table

__all__ = [
    "Access", "BerError", "Column", "Identity", "Interface", "Library", "NoAnswer", "NotAsked", "PollResult", "Refused",
    "Reported", "Sensor", "Session", "SnmpEngine", "SnmpError", "User", "check", "check_by_poll", "poll",
    "poll_device", "probe_snmp", "walk", "walk_table",
]  # fmt: skip
