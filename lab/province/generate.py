"""Makes a province from its shape.

Everything is drawn from one seed, in a fixed order: the same shape and seed give the same province, to the byte.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import islice

from lab.province import plan
from lab.province.centre import CENTRE, CORE_SWITCH, build_centre
from lab.province.district import Hub
from lab.province.draft import Draft
from lab.province.names import District, Names, read_names
from lab.province.nouns import Province
from lab.province.shape import Shape

_USUAL_COMMUNES = 21


def generate(shape: Shape | None = None, seed: int = 1) -> Province:
    """Make a province.

    Parameters:
        shape: its numbers; the default is Bắc Giang's.
        seed: of everything that is drawn.

    Raises:
        ValueError: the address plan has no room for so many of one kind in one place.
    """
    shape = shape or Shape()
    names = read_names()
    draft = Draft(shape, seed, names)
    build_centre(draft)
    districts = _districts(names, shape.districts, seed)
    hubs = [Hub(draft, number, place) for number, place in enumerate(districts, 1)]
    shares = share_out(shape.communes, [len(one.communes) or _USUAL_COMMUNES for one in districts])
    fresh = names.invented(random.Random(f"{seed}/communes"))
    for index, (hub, share) in enumerate(zip(hubs, shares, strict=True)):
        real = hub.place.communes[:share]
        hub.add_communes([*real, *islice(fresh, share - len(real))], hubs[(index + 1) % len(hubs)])
    for hub, cameras in zip(hubs, share_out(shape.cameras, [1] * len(hubs)), strict=True):
        hub.add_monitoring(cameras)
    _add_rooms(draft, hubs)
    return draft.province()


def share_out(total: int, weights: Sequence[int]) -> list[int]:
    """Share things out in proportion to weights, to each at least one where there are enough (largest remainder)."""
    least = 1 if total >= len(weights) else 0
    everyone, rest = sum(weights), total - least * len(weights)
    exact = [rest * weight / everyone for weight in weights]
    shares = [math.floor(part) for part in exact]
    left = rest - sum(shares)
    for index in sorted(range(len(weights)), key=lambda index: (shares[index] - exact[index], index))[:left]:
        shares[index] += 1
    return [share + least for share in shares]


def _districts(names: Names, count: int, seed: int) -> list[District]:
    rng = random.Random(f"{seed}/districts")
    invented = islice(names.invented(rng), max(0, count - len(names.districts)))
    fresh = [District(name, round(rng.uniform(21.1, 21.6), 4), round(rng.uniform(105.9, 107), 4)) for name in invented]
    return [*names.districts[:count], *fresh]


def _add_rooms(draft: Draft, hubs: Sequence[Hub]) -> None:
    """Share the conference rooms out: the centre's, one in each district, the rest in communes spread evenly."""
    draft.add_unit(
        f"{CENTRE}-room-1", "videoconf", "room", CENTRE, "videoconf", (plan.centre(plan.CENTRE_ROOMS, 0),),
        place=CORE_SWITCH, parents=(CORE_SWITCH,), access="v2c", services=("sip",),
    )  # fmt: skip
    for hub in hubs[: draft.shape.rooms - 1]:
        hub.add_room(0)
    offices = [(hub, number) for hub in hubs for _, _, number in hub.offices]
    left = max(0, draft.shape.rooms - 1 - len(hubs))
    for turn in range(left):
        hub, number = offices[turn * len(offices) // left if left <= len(offices) else turn % len(offices)]
        hub.add_room(number)
