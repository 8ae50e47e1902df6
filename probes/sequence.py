"""Several pages in a row, as a person's browser asks them: log in, take the token, look at one's own page.

Cookies live as long as one try. Variables stand as ``${name}`` in the url behind the host, in header values and in the
body, and each is written there so that it stays one value, whatever a hostile page put into it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from urllib.parse import quote, quote_plus

from probes.attempt import Attempt, BadSettings, Down
from probes.cookies import Cookies
from probes.http import HttpSettings, Page, Step, Take, absolute, http, json_text, visit

MOST_STEPS = 10
LONGEST_VALUE = 4096
_PLACE = re.compile(r"\$\{([a-z][a-z0-9_]{0,31})\}")
_HIDDEN = "***"
_TOLD = 4
"""A secret's first characters that are hidden also where the rest was cut off."""


async def pages(attempt: Attempt, settings: HttpSettings) -> None:
    """Fetch one page, or the steps one after the other; the first that is not as expected ends it.

    Raises:
        Down: as `http`; before the reason stands which step it was. No variable's value is in it.
    """
    if not settings.steps:
        await http(attempt, settings)
        return
    if len(settings.steps) > MOST_STEPS:
        raise BadSettings(f"{len(settings.steps)} steps: at most {MOST_STEPS} are allowed")
    values = dict(settings.variables)
    cookies = Cookies()
    start = absolute(settings.steps[0].url, attempt.host, settings.port)
    for number, step in enumerate(settings.steps, 1):
        attempt.part = f"step {number}, {step.name or f'{step.method} {step.url}'}"
        began = time.perf_counter()
        try:
            filled = fill(step, values)
            url = filled.url if "://" in filled.url else f"{start.scheme}://{start.netloc}/{filled.url.lstrip('/')}"
            page = await visit(
                attempt, _settings(settings, filled), absolute(url, ""), home=start.hostname or "", cookies=cookies
            )
            for name, take in step.take.items():
                values[name] = taken(page, name, take)
        except Down as down:
            raise Down(hide(str(down), values.values())) from down
        finally:
            attempt.doing = hide(attempt.doing, values.values())
        attempt.fields["steps"] = number
        attempt.fields[f"step_{number}_ms"] = (time.perf_counter() - began) * 1e3
    attempt.part = ""
    attempt.warnings[:] = dict.fromkeys(attempt.warnings)  # each step sees the same certificate


def fill(step: Step, values: Mapping[str, str]) -> Step:
    """Put the variables into their places: percent-encoded in the url, in the body as its Content-Type wants it.

    Raises:
        Down: a value cannot stand in a header.
        BadSettings: there is no such variable.
    """
    headers = {name: _replace(text, values, _in_header) for name, text in step.headers.items()}
    kind = next((text for name, text in headers.items() if name.lower() == "content-type"), "").lower()
    if "json" in kind:
        body = _replace(step.body, values, lambda _, value: json.dumps(value, ensure_ascii=False)[1:-1])
    elif "x-www-form-urlencoded" in kind:
        body = _replace(step.body, values, lambda _, value: quote_plus(value))
    else:
        body = _replace(step.body, values, lambda _, value: value)
    return replace(
        step, url=_replace(step.url, values, lambda _, value: quote(value, safe="")), headers=headers, body=body
    )


def taken(page: Page, name: str, take: Take) -> str:
    """Find a variable's value in an answer.

    Raises:
        Down: it is not there, or longer than `LONGEST_VALUE`.
    """
    if take.json:
        value = json_text(page, take.json)
    elif take.header:
        value = page.headers.get(take.header.lower(), "")
        if not value:
            raise Down(f"its answer has no header {take.header}, {name} is taken from there")
    else:
        _, found, rest = page.body.partition(take.after.encode())
        inner, end, _ = rest.partition(take.before.encode())
        if not found or not end:
            raise Down(f"{take.after if not found else take.before} is not in its page, {name} is taken from there")
        value = inner.decode("utf-8", "replace")
    if len(value) > LONGEST_VALUE:
        raise Down(f"{name} is {len(value)} characters long, {LONGEST_VALUE} are allowed")
    return value


def hide(text: str, values: Iterable[str]) -> str:
    """Take every value out of a text for people, also where it was encoded or cut off at the text's end."""
    for value in sorted(set(values), key=len, reverse=True):
        for form in {value, quote(value, safe=""), quote_plus(value), json.dumps(value, ensure_ascii=False)[1:-1]}:
            if len(form) < _TOLD:
                continue  # "1" or "ok" would only make a riddle of the reason
            text = text.replace(form, _HIDDEN)
            for size in range(len(form) - 1, _TOLD - 1, -1):
                text = text.replace(f"{form[:size]}…", f"{_HIDDEN}…")
    return text


def _settings(settings: HttpSettings, step: Step) -> HttpSettings:
    return replace(
        settings, url=step.url, method=step.method, headers=step.headers, body=step.body, status=step.status,
        contains=step.contains, lacks=step.lacks, json=step.json, equals=step.equals, redirects=step.redirects,
        steps=(), variables={},
    )  # fmt: skip


def _replace(text: str, values: Mapping[str, str], write: Callable[[str, str], str]) -> str:
    def one(place: re.Match[str]) -> str:
        if place[1] not in values:
            raise BadSettings(f"there is no variable {place[1]} yet: an earlier step takes it, or variables names it")
        return write(place[1], values[place[1]])

    return _PLACE.sub(one, text)


def _in_header(name: str, value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise Down(f"{name} has characters in it that cannot stand in a header")
    return value
