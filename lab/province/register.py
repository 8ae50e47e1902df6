"""Finds the province's things by the names people and scenarios use, and says what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from lab.province.nouns import Link, Province, Site, Unit


class Register:
    """The names of a province.

    Parameters:
        province: whose.
    """

    def __init__(self, province: Province) -> None:
        self._province = province

    def unit(self, name: str) -> Unit:
        """Find a target.

        Raises:
            ValueError: there is none.
        """
        found = self._province.units.get(name)
        if found is None:
            raise _unknown("target", name, self._province.units)
        return found

    def line(self, name: str) -> Link | Unit:
        """Find a line, or the target whose own last bit of line is meant.

        Raises:
            ValueError: there is none.
        """
        province = self._province
        found = province.links.get(name) or province.units.get(name)
        if found is None:
            raise _unknown("line or target", name, [*province.links, *province.units])
        return found

    def sites(self, name: str) -> list[Site]:
        """Find a site, or all sites of a feeder.

        Raises:
            ValueError: there is none.
        """
        province = self._province
        if name in province.sites:
            return [province.sites[name]]
        if name not in province.feeders:
            raise _unknown("site or feeder", name, [*province.sites, *province.feeders])
        return [province.sites[site] for site in province.feeders[name]]

    def names(self) -> dict[str, list[str]]:
        """Give all names by what they are."""
        province = self._province
        return {
            "lines": list(province.links), "sites": list(province.sites), "feeders": list(province.feeders),
            "targets": list(province.units),
        }  # fmt: skip


def _unknown(what: str, name: str, known: Iterable[str]) -> ValueError:
    near = difflib.get_close_matches(name, known, 1)
    return ValueError(f"there is no {what} {name!r}{f' (did you mean {near[0]}?)' if near else ''}")
