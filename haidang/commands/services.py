"""``haidang probe KIND`` for services: one command for each probe of `probes.kinds`.

The options are the keys of a target's section, and are read, checked and explained as they are there.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args, get_origin
from urllib.parse import urljoin, urlsplit

import typer
from pydantic.fields import FieldInfo

from collectors.plan import service_settings
from config import SERVICES, ConfigError, ConfigurationInvalid, SecretUnavailable, given_service, load_steps
from haidang.clock import SystemClock
from haidang.commands.common import JsonOption, LanguageOption, fail
from haidang.commands.observations import run, show
from probes.attempt import Settings
from probes.http import HttpSettings
from probes.kinds import PROBES, probe

PASSWORD = "HAIDANG_PASSWORD"  # noqa: S105  (the name of a variable)
"""The environment variable with the password of a probe that has one; a command line is for everybody to see."""

Target = Annotated[str, typer.Argument(help="Address or host name.", show_default=False)]
Url = Annotated[str, typer.Argument(help="Of the page: http://HOST/PATH or https://HOST/PATH.", show_default=False)]
Steps = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Several pages in a row: what stands below http: of a target (YAML)."),
]
Header = Annotated[list[str] | None, typer.Option(metavar="NAME:VALUE", help="A further header; may be repeated.")]
Address = Annotated[str, typer.Option(help="Connect to this address instead of the host's own.")]

_SPOKEN = {"username": "user", "json": "json-path"}
"""Options that are called otherwise than the key."""
_OTHERWISE = frozenset({"cadence", "password", "url", "headers", "steps", "variables"})
"""Keys that have no option of their kind: there is one probe, no secret is seen, http has its own way."""


def _command(kind: str) -> Callable[..., None]:
    def command(target: str, *, language: str | None, as_json: bool, **options: object) -> None:
        if not target.strip() or "/" in target or any(map(str.isspace, target)):
            fail(f"{target} is not the address or the name of a host")
        if target.count(":") == 1:
            fail(f"{target} is not the address or the name of a host: write {' --port '.join(target.split(':'))}")
        settings = _settings(kind, _given(kind, options))
        show(run(probe(kind, SystemClock(), target, target, settings)), language=language, as_json=as_json)

    return _made(command, kind, {"target": (Target, inspect.Parameter.empty)})


def _http() -> Callable[..., None]:
    def command(
        url: str = "", *, steps: Path | None, header: list[str] | None, address: str, language: str | None,
        as_json: bool, **options: object,
    ) -> None:  # fmt: skip
        given = _given("http", options)
        if header:
            given["headers"] = dict(map(_header, header))
        if not url and steps is None:
            fail("the address of a page is missing: haidang probe http http://HOST/PATH, or --steps FILE")
        url = url if "://" in url or not url else f"http://{url}"
        settings = _page({**given, "url": url}) if steps is None else _stepped(url, given, steps)
        url = settings.steps[0].url if steps else url
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            host = ""
        if not host:
            where = f"the first step of {steps}, {url}," if steps else url
            cure = "; or give the server: haidang probe http https://HOST --steps FILE" if steps else ""
            fail(f"{where} is not the address of a page: write http://HOST/PATH or https://HOST/PATH{cure}")
        show(
            run(probe("http", SystemClock(), url, host, settings, address=address)), language=language, as_json=as_json
        )

    own = {"url": (Url, ""), "steps": (Steps, None), "header": (Header, None), "address": (Address, "")}
    return _made(command, "http", own)


def _made(command: Callable[..., None], kind: str, own: Mapping[str, tuple[object, object]]) -> Callable[..., None]:
    """Give a command the options of a probe: its own first, as annotation and default."""
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in (
            *own.items(),
            *((name, option) for name, (_, option) in _options(kind).items()),
            ("language", (LanguageOption, None)),
            ("as_json", (JsonOption, False)),
        )
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__doc__ = (PROBES[kind].run.__doc__ or "").partition("\n")[0].replace("*", "")
    return command


def _options(kind: str) -> dict[str, tuple[str, tuple[Any, Any]]]:
    """Describe the options of a probe: by the parameter's name its key, its annotation and its default."""
    found = {}
    for name, field in SERVICES[kind].model_fields.items():
        key = field.alias or name
        if key not in _OTHERWISE:
            spoken = _SPOKEN.get(key, key.replace("_", "-"))
            found[spoken.replace("-", "_")] = (key, _option(f"--{spoken}", name, field))
    return found


def _option(spoken: str, name: str, field: FieldInfo) -> tuple[Any, Any]:
    text = field.description or ""
    help_ = f"{text[:1].upper()}{text[1:]}."
    if field.annotation is bool:
        return Annotated[bool, typer.Option(f"{spoken}/--no-{spoken[2:]}", help=help_)], field.default
    if get_origin(field.annotation) is Literal:
        metavar = "|".join(filter(None, get_args(field.annotation)))
    elif name in ("trust", "certificate", "key"):
        metavar = "FILE"
    else:
        number = field.annotation in (int, float) or name == "port"
        metavar = "SECONDS" if name.endswith("_s") else "NUMBER" if number else "TEXT"
    if field.is_required():
        return Annotated[str, typer.Option(spoken, metavar=metavar, help=help_, show_default=False)], ...
    default = field.default
    default = "" if default is None else f"{default:g}" if isinstance(default, float) else str(default)
    return Annotated[str, typer.Option(spoken, metavar=metavar, help=help_, show_default=bool(default))], default


def _given(kind: str, options: Mapping[str, object]) -> dict[str, Any]:
    """Take out of the options what is not as it always is, by its key."""
    known = _options(kind)
    return {known[name][0]: value for name, value in options.items() if value != known[name][1][1]}


def _settings(kind: str, given: dict[str, Any]) -> Settings:
    if "password" in SERVICES[kind].model_fields and os.environ.get(PASSWORD):
        given["password"] = {"env": PASSWORD}
    try:
        return service_settings(kind, given_service(kind, given), Path.cwd()).settings
    except ConfigurationInvalid as invalid:
        fail(*(_wrong(kind, error) for error in invalid.errors))
    except SecretUnavailable as error:
        fail(str(error))


def _page(given: dict[str, Any]) -> HttpSettings:
    return cast("HttpSettings", _settings("http", given))


def _wrong(kind: str, error: ConfigError) -> str:
    spoken = next((name for name, (key, _) in _options(kind).items() if key == error.path), error.path)
    meant = f" (did you mean {error.hint}?)" if error.hint else ""
    return (f"--{spoken.replace('_', '-')}: " if spoken else "") + error.message + meant


def _stepped(url: str, given: dict[str, Any], file: Path) -> HttpSettings:
    """Join the command line and a file of steps: the file says what is asked, and wins over what both say."""
    try:
        section = load_steps(file)
        settings = cast("HttpSettings", service_settings("http", section, file.parent).settings)
    except ConfigurationInvalid as invalid:
        fail(*map(str, invalid.errors))
    except SecretUnavailable as error:
        fail(str(error))
    for key in given.keys() & (SERVICES["http"].model_fields.keys() - SERVICES["tls"].model_fields.keys() | {"json"}):
        option = {**_SPOKEN, "headers": "header"}.get(key, key)
        fail(f"--{option} and --steps: each step in {file} says this for itself")
    said = _page(given)
    names = {"timeout_s" if key == "timeout" else key for key in given} - section.model_fields_set
    settings = replace(settings, **{name: getattr(said, name) for name in names})
    if url:
        first = replace(settings.steps[0], url=urljoin(url, settings.steps[0].url))
        settings = replace(settings, steps=(first, *settings.steps[1:]))
    return settings


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        fail(f"{text} is no header: write 'NAME: VALUE'")
    return name.strip(), value.strip()


COMMANDS: Mapping[str, Callable[..., None]] = {kind: _http() if kind == "http" else _command(kind) for kind in SERVICES}
