"""A system out of its members, against a model that asks every second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from availability.spans import merged
from availability.systems import Formula, Member, Rule, Weight, grouped, together
from availability.timeline import Piece, Timeline, added_up, excused, from_ticket

END = 40
_QUALITIES = {"up": (1, 1), "down": (0, 0), "unknown": (0, 1)}


def timeline(seconds: str) -> Timeline:
    """Make a timeline that ends at `END` from a letter a second."""
    names = {"u": "up", "d": "down", "?": "unknown"}
    start = END - len(seconds)
    return tuple(Piece(start + i, start + i + 1, *_QUALITIES[names[letter]]) for i, letter in enumerate(seconds))


_MEMBERS = st.lists(
    st.tuples(st.integers(0, 5), st.text("ud?", min_size=1, max_size=END)), min_size=1, max_size=5
)  # fmt: skip


def quality(formula: Formula, there: list[tuple[int, bool]]) -> float:
    """Say how good the system is when these members (weight, up) are all there are."""
    up = sum(1 for _, good in there if good)
    match formula.rule:
        case Rule.ALL:
            return float(up == len(there))
        case Rule.ANY:
            return float(up >= 1)
        case Rule.K_OF_N:
            return float(up >= min(formula.k, len(there)))
        case _:
            whole = sum(weight for weight, _ in there)
            return sum(weight for weight, good in there if good) / whole


@pytest.mark.parametrize("rule", [Rule.ALL, Rule.ANY, Rule.K_OF_N, Rule.WEIGHTED])
@given(_MEMBERS, st.integers(1, 4))
def test_every_second_of_a_system_is_its_members_put_together(rule: Rule, drawn: list[tuple[int, str]], k: int) -> None:
    formula = Formula(rule, k, Weight.PEOPLE)
    members = [Member(str(index), weight, timeline(text)) for index, (weight, text) in enumerate(drawn)]
    whole = together(formula, members)
    first = END - max(len(text) for _, text in drawn)
    assert whole[0].start_ns == first
    assert whole[-1].end_ns == END
    for second in range(first, END):
        letters = [(weight, text[second - END]) for weight, text in drawn if second >= END - len(text)]
        low, high = 0.0, 1.0  # where nothing weighs anything
        if rule is not Rule.WEIGHTED or any(weight for weight, _ in letters):
            low = quality(formula, [(weight, letter == "u") for weight, letter in letters])
            high = quality(formula, [(weight, letter != "d") for weight, letter in letters])
        piece = next(one for one in whole if one.start_ns <= second < one.end_ns)
        assert (piece.low, piece.high) == (low, high)


def test_two_targets_of_one_site_are_one_member() -> None:
    members = grouped(
        [("north", 10.0, timeline("ud")), ("north", 10.0, timeline("uu")), ("south", 30.0, timeline("uu"))]
    )
    sums = added_up(together(Formula(Rule.WEIGHTED, weight=Weight.PEOPLE), members), merged([(0, END)]))
    assert (sums.up_ns, sums.down_ns) == (1.75, 0.25)


def test_a_contracts_clock_starts_at_the_ticket_and_without_one_not_at_all() -> None:
    outage = timeline("uudd?dduudduu")
    start = END - 13
    sums = added_up(from_ticket(outage, [start + 3]), merged([(0, END)]))
    assert (sums.down_ns, sums.unknown_ns) == (3, 1)
    assert added_up(from_ticket(outage, []), merged([(0, END)])).down_ns == 0
    assert added_up(from_ticket(outage, [start + 1]), merged([(0, END)])).down_ns == 0, (
        "a ticket of before is another's"
    )
    during_blindness = added_up(from_ticket(outage, [start + 4, start + 10]), merged([(0, END)]))
    assert during_blindness.down_ns == 3


def test_downtime_in_excused_time_counts_as_up_and_nothing_else_changes() -> None:
    sums = added_up(excused(timeline("uddd?u"), ((END - 4, END - 1),)), merged([(0, END)]))
    assert (sums.up_ns, sums.down_ns, sums.unknown_ns) == (4, 1, 1)
