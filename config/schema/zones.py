"""Time zones by their names in the IANA database."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator

from config.errors import quoted
from config.schema.values import Refusal


def _zone(value: object) -> object:
    if isinstance(value, str):
        try:
            zoneinfo.ZoneInfo(value)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
            near = _near_zone(value)
            raise Refusal(
                f"{quoted(value)} is no time zone of the IANA database, e.g. Asia/Ho_Chi_Minh", hint=near
            ) from error
    return value


def _near_zone(value: str) -> str:
    if re.fullmatch(r"(asia/)?(hanoi|ha_noi|saigon|hcm)|vietnam|(utc|gmt|ict)(\+0?7(:00)?)?", value.lower()):
        return "Asia/Ho_Chi_Minh"
    names = {name.lower(): name for name in zoneinfo.available_timezones()}
    near = difflib.get_close_matches(value[:60].lower(), names, n=1, cutoff=0.7)
    return names[near[0]] if near else ""


Zone: TypeAlias = Annotated[str, BeforeValidator(_zone)]
