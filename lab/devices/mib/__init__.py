"""The groups of variables that models are put together from."""

from lab.devices.mib.entity import entities
from lab.devices.mib.host import host
from lab.devices.mib.interfaces import interfaces
from lab.devices.mib.system import system
from lab.devices.mib.ups import ups

__all__ = ["entities", "host", "interfaces", "system", "ups"]
