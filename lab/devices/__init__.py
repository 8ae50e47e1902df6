"""Devices that behave: SNMP agents fed by a model or a recording, told what to do by a scenario. No sockets in here."""

from lab.devices.agent import Access, Grant, Reply
from lab.devices.behaviour import HONEST, Behaviour, Oddity
from lab.devices.classes import CLASSES, assemble
from lab.devices.device import Device
from lab.devices.model import Cells, Disk, Model, Part, Port
from lab.devices.notifier import Event, Sink
from lab.devices.recording import Recording, read_recording
from lab.devices.state import Power
from lab.devices.timeline import Timeline
from lab.devices.tree import EVERYTHING, View

__all__ = [
    "CLASSES", "EVERYTHING", "HONEST", "Access", "Behaviour", "Cells", "Device", "Disk", "Event", "Grant", "Model",
    "Oddity", "Part", "Port", "Power", "Recording", "Reply", "Sink", "Timeline", "View", "assemble", "read_recording",
]  # fmt: skip
