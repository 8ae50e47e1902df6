"""How wide the columns of a table are when the terminal is narrower than what they hold."""

from __future__ import annotations

from collections.abc import Sequence

LEAST, LONGEST_WORD = 8, 16


def layout(
    columns: Sequence[Sequence[str]], lengths: Sequence[Sequence[int]], short: Sequence[bool], spare: Sequence[int],
    room: int,
) -> dict[int, int]:  # fmt: skip
    """Share a line's room among columns.

    Parameters:
        columns: of each its head and its cells.
        lengths: of the same, how many cells of the terminal they take.
        short: which columns are not to be broken over lines.
        spare: numbers of the columns that are left out when there is no room, the first of these first.
        room: how many cells of the terminal a line has.

    Returns:
        the columns that are shown and their widths, one cell between them; empty ones are not shown.
    """
    wanted = [max(column) for column in lengths]
    least = [
        wanted[number] if short[number] else min(wanted[number], _least(cells)) for number, cells in enumerate(columns)
    ]
    shown = [number for number, cells in enumerate(columns) if any(cells[1:])]
    for number in spare:
        if _taken(least, shown) > room and number in shown:
            shown.remove(number)
    if _taken(least, shown) > room:  # then even what is short is broken
        least = [min(width, LEAST) for width in least]
    given = {number: least[number] for number in shown}
    for _ in range(room - _taken(least, shown) if shown else 0):
        number = max(shown, key=lambda one: wanted[one] / given[one])
        if given[number] >= wanted[number]:
            break
        given[number] += 1
    return given


def _taken(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[number] for number in shown) + len(shown) - 1


def _least(cells: Sequence[str]) -> int:
    longest = max((len(word) for cell in cells for word in cell.split()), default=0)
    return max(LEAST, min(LONGEST_WORD, longest))
