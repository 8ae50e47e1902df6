"""What fails in masses, or one after the other for a reason that is plainly common, goes on in one incident.

=====  ==================================================================================================
fast   `storm_from` incidents within `storm_window_s`: whatever they are, nobody can read them one by one
slow   `slow_storm_from` targets within `slow_storm_window_s`, when they have something in common: a line's
       carrier, a region, a system; and are 2 % of all that has it, so that single cameras that fail among
       hundreds are no storm. A slow one never takes in what is critical by itself, nor what rules found.
=====  ==================================================================================================
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable

import structlog

from alerting import journal, records
from alerting.catalogue import LANGUAGES
from alerting.policy import NS, Policy
from alerting.records import STORM, Incident
from alerting.severity import Severity
from alerting.world import Ground, Step, World, in_language
from haidang.model import CheckId

logger = structlog.get_logger(__name__)

SHARE = 0.02
"""So much of everything that has something in common must fail before that is taken for the reason."""
_LOOKED_AT = 500
"""Members of a storm whose common ground is looked for; more show nothing new."""
_NAMED = 3
_ORDER = ("site", "carrier", "system")


def gather(sql: sqlite3.Connection, world: World, policy: Policy, now_ns: int) -> None:
    """Merge what fails in masses into one incident; what is told already goes on in it as well."""
    storm = records.open_incident(sql, STORM)
    window_ns = round(policy.storm_window_s * NS)
    count, since_ns = journal.fresh(sql, now_ns - window_ns)
    if count and (count >= policy.storm_from or _growing(sql, storm, now_ns - window_ns)):
        storm = _begin(sql, world, policy, storm, count, policy.storm_window_s, since_ns, now_ns)
        journal.merge_fresh(sql, storm, now_ns - window_ns, now_ns)
    elif slow := _slow(sql, world, policy, storm, now_ns):
        count, since_ns = len(slow), min(one.since_ns for one in slow)
        storm = _begin(sql, world, policy, storm, count, policy.slow_storm_window_s, since_ns, now_ns)
        for one in slow:
            journal.merge(sql, one, storm, now_ns)
    else:
        return
    logger.info("incidents gathered into a storm", incident=storm.number, incidents=count)


def grow(sql: sqlite3.Connection, policy: Policy, storm: Incident, now_ns: int) -> None:
    """Plan the next message that a storm has grown: soon after the first one, then seldom."""
    if storm.pending or storm.told_ns is None:
        return
    pause_s = policy.grow_s[0] if storm.said_ns == storm.told_ns else policy.grow_s[1]
    journal.due(sql, storm, Step.GROWN, max(now_ns, (storm.said_ns or storm.told_ns) + round(pause_s * NS)))


def news(sql: sqlite3.Connection, storm: Incident) -> bool:
    """Tell whether an incident was merged into a storm since it was last told of."""
    row = sql.execute(
        "SELECT 1 FROM incident WHERE merged_into = ? AND resolved_ns IS NULL AND opened_ns > ? LIMIT 1",
        (storm.number, storm.said_ns or 0),
    ).fetchone()
    return row is not None


def over(sql: sqlite3.Connection, storm: Incident) -> bool:
    """Tell whether all that belongs to a storm is over."""
    row = sql.execute(
        "SELECT 1 FROM incident WHERE merged_into = ? AND resolved_ns IS NULL LIMIT 1", (storm.number,)
    ).fetchone()
    return row is None and storm.told_ns is not None


def lasting(sql: sqlite3.Connection, storm: Incident) -> list[CheckId]:
    """Return what of a storm fails still, with what is hidden behind it."""
    back = sql.execute(
        "SELECT target, probe FROM incident WHERE merged_into = ?1 AND resolved_ns IS NOT NULL UNION "
        "SELECT target, probe FROM incident_event WHERE kind = 'hidden' AND incident IN "
        "(SELECT id FROM incident WHERE merged_into = ?1 AND resolved_ns IS NOT NULL)",
        (storm.number,),
    )
    gone = {CheckId(*row) for row in back} - {one.check for one in records.children(sql, storm.number, still=True)}
    return [one for one in records.members(sql, storm.number) if one not in gone]


def in_common(world: World, checks: Iterable[CheckId]) -> dict[str, Collection[str]]:
    """Say for a message what most of these have in common, in each language; the narrowest first."""
    targets = {check.target: check for check in list(checks)[:_LOOKED_AT]}
    having = _having(world, targets.values())
    most = sorted(
        (ground for ground, theirs in having.items() if len(theirs) >= max(2, 0.6 * len(targets))),
        key=lambda ground: (-len(having[ground]), ground.size, _ORDER.index(ground.kind)),
    )[:_NAMED]
    return {
        f"common:{language}": [
            f"{in_language(one.name, language)} ({len(having[one])}/{len(targets)})" for one in most
        ]
        for language in LANGUAGES
        if most
    }  # fmt: skip


def _begin(
    sql: sqlite3.Connection, world: World, policy: Policy, storm: Incident | None, count: int, window_s: float,
    since_ns: int, now_ns: int,
) -> Incident:  # fmt: skip
    if storm is not None:
        grow(sql, policy, storm, now_ns)
        return storm
    window = f"{window_s:.0f} s" if window_s < 120 else f"{window_s / 60:.0f} min"
    reason = f"{count} incidents within {window}"
    return journal.create(sql, STORM, world.subject(STORM), reason, since_ns, now_ns, now_ns)


def _growing(sql: sqlite3.Connection, storm: Incident | None, since_ns: int) -> bool:
    """Tell whether an incident was merged into a storm since then; what is hidden behind its members does not count."""
    if storm is None:
        return False
    (joined_ns,) = sql.execute("SELECT max(opened_ns) FROM incident WHERE merged_into = ?", (storm.number,)).fetchone()
    return int(joined_ns or storm.opened_ns) >= since_ns


def _slow(
    sql: sqlite3.Connection, world: World, policy: Policy, storm: Incident | None, now_ns: int
) -> list[Incident]:  # fmt: skip
    """Return what failed within the longer time and has a ground in common with enough others that fail now."""
    since_ns = now_ns - round(policy.slow_storm_window_s * NS)
    fresh = [one for one in records.leading(sql, since_ns) if _may_be_common(one)]
    theirs = []
    if storm is not None and _growing(sql, storm, since_ns):
        theirs = [one.check for one in records.children(sql, storm.number, still=True)[:_LOOKED_AT]]
    having = _having(world, [*theirs, *(one.check for one in fresh)])
    enough = {
        ground for ground, targets in having.items()
        if len(targets) >= max(policy.slow_storm_from, SHARE * ground.size)
    }  # fmt: skip
    if storm is not None:  # there is one storm at a time: what has nothing in common with it is told by itself
        enough &= set(_having(world, theirs))
    return [one for one in fresh if not enough.isdisjoint(world.common(one.check))]


def _may_be_common(one: Incident) -> bool:
    return (
        one.check.target != STORM.target and not one.check.probe.startswith("rule:")
        and one.severity is not Severity.CRITICAL
    )  # fmt: skip


def _having(world: World, checks: Iterable[CheckId]) -> dict[Ground, set[str]]:
    """Return by common ground the targets that have it."""
    found: dict[Ground, set[str]] = {}
    for check in checks:
        for ground in world.common(check):
            found.setdefault(ground, set()).add(check.target)
    return found
