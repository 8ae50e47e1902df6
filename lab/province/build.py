"""The province's network: its routers as places, its lines, its addresses."""

from __future__ import annotations

from lab.lines import Conditions
from lab.network import Network
from lab.province.centre import CORE_SWITCH
from lab.province.nouns import Province

OBSERVER = "observer"
UPLINK = "uplink"
"""The cable between the machine that watches and the core switch."""
_PORT = "10.255.255.253"  # of the router the observer hangs on: nobody asks it, traceroute shows it


def build_network(province: Province) -> Network:
    """Make the network; a place is called after its router, a line after its link.

    Nothing is started: that is `Network.start`, and without it `Network.round_trip` works all the same.
    """
    network = Network(province.seed)
    network.add_place(OBSERVER, _PORT)
    for unit in province.units.values():
        if unit.forwards:
            addresses = unit.addresses if unit.is_device else ()
            network.add_place(unit.id, *addresses, stub=unit.role == "router")
    network.add_line(UPLINK, OBSERVER, CORE_SWITCH, Conditions(delay_ms=0.2, jitter_ms=0.02))
    for link in province.links.values():
        usual = Conditions(delay_ms=link.delay_ms, jitter_ms=link.jitter_ms, correlation=0.3)
        network.add_line(link.id, link.upper, link.end or link.lower, usual, cost=link.cost)
        if link.end:
            network.add_line(f"{link.end}-cable", link.end, link.lower)
    for unit in province.units.values():
        if not (unit.forwards and unit.is_device):
            for address in unit.addresses:  # a termination unit is asked over its own line, whatever others there are
                network.add_host(address, unit.place, via="" if unit.is_device else unit.circuit)
    return network
