"""The address plan: which part of 10.0.0.0/8 belongs to whom, and the IPv6 address that goes with each.

==================  ==============================================================================
10.0.0–7.x          the data centre's devices
10.0.8–15.x         its services
10.0.16–95.x        the centre's conference rooms
10.D.0.x            district D (from 1): .1 router, .2 switch, .3 UPS, .4 monitoring centre, .5 its UPS, .10– rooms
10.D.C.x            its commune C (1–190): .1 router, .3 UPS, .10– rooms
10.D.200–239.x      its cameras
10.D.240–249.x      ends of leased lines
==================  ==============================================================================
"""

from __future__ import annotations

from ipaddress import IPv6Address

DEVICES, SERVICES, CENTRE_ROOMS = 0, 8, 16
MOST_COMMUNES = 190
_CAMERAS, _MOST_CAMERAS = 200, 40 * 240
_ENDS, _MOST_ENDS = 240, 10 * 240
ROUTER, SWITCH, UPS, MONITORING, MONITORING_UPS, ROOMS = 1, 2, 3, 4, 5, 10
MOST_ROOMS = 240


def centre(block: int, number: int) -> str:
    """Give the address of the number-th thing (from 0) of a block of the centre."""
    return f"10.0.{block + number // 240}.{number % 240 + 1}"


def office(district: int, commune: int, host: int) -> str:
    """Give an address at a district's (commune 0) or a commune's office."""
    if commune > MOST_COMMUNES or not 0 < host < 255:
        raise ValueError(f"the address plan has no room for host {host} of commune {commune} in district {district}")
    return f"10.{district}.{commune}.{host}"


def camera(district: int, number: int) -> str:
    """Give the address of a district's number-th camera, from 0."""
    if number >= _MOST_CAMERAS:
        raise ValueError(f"the address plan has room for {_MOST_CAMERAS} cameras in a district")
    return f"10.{district}.{_CAMERAS + number // 240}.{number % 240 + 10}"


def line_end(district: int, number: int) -> str:
    """Give the address of the end of a district's number-th leased line, from 0."""
    if number >= _MOST_ENDS:
        raise ValueError(f"the address plan has room for {_MOST_ENDS} line ends in a district")
    return f"10.{district}.{_ENDS + number // 240}.{number % 240 + 1}"


def ipv6(address: str) -> str:
    """Give the IPv6 address of a host, its IPv4 address' numbers read as they are: 10.1.2.30 is fd00:0:1:2::30."""
    _, district, commune, host = address.split(".")
    return str(IPv6Address(f"fd00:0:{district}:{commune}::{host}"))


def second(address: str) -> str:
    """Give another address of the same machine's network, which answers that leave by the wrong interface carry."""
    mark = ":" if ":" in address else "."
    return address.rpartition(mark)[0] + mark + ("fd" if mark == ":" else "253")
