"""Why something failed, in the reader's language.

Probes and judges say their reasons in English: logs, the ledger and programs have them so, and rules and hints look
for words in them. For people they are put into their language here, by patterns (``catalogues/reasons.vi.yaml``): what
a gap holds is put into it likewise, and what no pattern knows stays as it was said.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import resources

from ruamel.yaml import YAML

LONGEST = 600
"""Characters of a reason that are looked at; what is longer stays as it was said."""
_DEEPEST = 12
_GAP = re.compile(r"\{([a-z_]+)\}")


@lru_cache(maxsize=4096)
def told(reason: str, language: str) -> str:
    """Return a reason as a reader of a language is told it.

    Parameters:
        reason: as a probe or the ledger has it; may hold what a device said, which stays as it is.
        language: ``vi``; any other gets it as it is.
    """
    return _told(reason, language, _DEEPEST)


def _told(reason: str, language: str, deep: int) -> str:
    if not deep or not reason or len(reason) > LONGEST:
        return reason
    for pattern, words in _patterns(language):
        found = pattern.fullmatch(reason)
        if found is not None:
            gaps = {name: _told(text, language, deep - 1) for name, text in found.groupdict().items()}
            return _GAP.sub(lambda gap, gaps=gaps: gaps[gap[1]], words)  # type: ignore[misc]
    return reason


@cache
def _patterns(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    file = resources.files("haidang") / "catalogues" / f"reasons.{language}.yaml"
    if not re.fullmatch("[a-z]{2}", language) or not file.is_file():
        return ()
    pairs: dict[str, str] = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    return tuple((_pattern(said), words) for said, words in pairs.items())


def _pattern(said: str) -> re.Pattern[str]:
    parts = _GAP.split(said)
    return re.compile(
        "".join(f"(?P<{part}>.{{1,{LONGEST}}}?)" if odd % 2 else re.escape(part) for odd, part in enumerate(parts)),
        re.DOTALL,
    )
