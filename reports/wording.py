"""Formulas in words, in every language, as they are printed with the figures they gave."""

from __future__ import annotations

from availability.promises import Promise
from availability.systems import Formula, Rule
from reports.gather import LANGUAGES
from reports.parts import Label
from reports.words import plain


def promised(promise: Promise) -> Label:
    """Write how an objective is worked out."""
    found = {}
    for language in LANGUAGES:
        say = plain(language)
        minutes = f"{(promise.fixed_s or 0) / 60:.0f}"
        excluded = [say(f"promised.{kind}") for kind in promise.exclude]
        found[language] = say(
            "promised.whole",
            length=say("promised.fixed", minutes=minutes) if promise.fixed_s else "T − X",
            view=say(f"views.{promise.view}"),
            clock=say("promised.ticket" if promise.from_ticket else "promised.failure"),
            excluded=say("promised.excluded", kinds=say("promised.and").join(excluded))
            if excluded
            else say("promised.nothing_excluded"),
            hours=say("promised.hours" if promise.hours else "promised.always"),
        )
    return found


def members(formula: Formula, count: int) -> Label:
    """Write how members make a whole."""
    key = "weighted_" + formula.weight.value if formula.rule is Rule.WEIGHTED else formula.rule.value.replace("-", "_")
    return {language: plain(language)(f"members.{key}", count=count, k=formula.k) for language in LANGUAGES}
