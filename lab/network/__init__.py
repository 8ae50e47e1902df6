"""A network of the lab's own: namespaces, a TUN device, and behind it a simulator with thousands of addresses."""

from lab.network.namespace import Space, Unavailable, enter, inside, isolate, missing
from lab.network.network import Network
from lab.network.places import Address, Handler, Host, Place, Reply

__all__ = [
    "Address", "Handler", "Host", "Network", "Place", "Reply", "Space", "Unavailable", "enter", "inside", "isolate",
    "missing",
]  # fmt: skip
