"""Who hears of an incident that has members: those who hear of it, and those who hear of a member, of theirs only."""

from __future__ import annotations

from collections.abc import Sequence

from alerting.world import Recipient, World
from haidang.model import CheckId


def audience(
    world: World, check: CheckId, members: Sequence[CheckId]
) -> list[tuple[list[Recipient], Sequence[CheckId]]]:  # fmt: skip
    """Return groups of recipients, each with the members they hear of; each mailbox once.

    Parameters:
        world: says who hears of a check.
        check: what the incident is of; who hears of it hears of every member.
        members: what belongs to it.
    """
    everything = {(one.channel, one.address): one for one in world.recipients(check)}
    theirs: dict[tuple[str, str], tuple[Recipient, list[CheckId]]] = {}
    for member in members:
        for one in world.recipients(member):
            mailbox = one.channel, one.address
            if mailbox not in everything:
                theirs.setdefault(mailbox, (one, []))[1].append(member)
    groups: list[tuple[list[Recipient], Sequence[CheckId]]] = [(list(everything.values()), members)]
    return groups + [([one], listed) for one, listed in theirs.values()]
