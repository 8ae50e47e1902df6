"""What somebody gives a probe by hand, checked as the section of a target is: options, or a file of steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from config import document, tree
from config.errors import ConfigError, ConfigurationInvalid, Hints
from config.files import Source
from config.messages import explain
from config.schema.services import SERVICES, HttpService, Service
from config.source import LARGEST_FILE, Unreadable, decode, read_bytes

_NOWHERE = tree.Mark(1, 1)


def given_service(kind: str, given: Mapping[str, tree.Value]) -> Service:
    """Check options.

    Parameters:
        kind: one of `SERVICES`.
        given: values by their keys, written as in a file; paths are relative to where we are.

    Raises:
        ConfigurationInvalid: with everything that is wrong; the errors have a path and no place.
    """
    root = tree.Mapping(_NOWHERE)
    for key, value in given.items():
        root.add(key, _NOWHERE, value, _NOWHERE)
    try:
        return SERVICES[kind].model_validate(root)
    except ValidationError as invalid:
        raise ConfigurationInvalid(_said(invalid, SERVICES[kind], root, Path())) from None


def load_steps(path: Path) -> HttpService:
    """Read the file.

    Parameters:
        path: YAML; files it names are relative to it.

    Raises:
        ConfigurationInvalid: with everything that is wrong.
    """
    try:
        root, problems = document.parse(decode(read_bytes(path, LARGEST_FILE)))
    except Unreadable as error:
        mark = error.mark or _NOWHERE
        raise ConfigurationInvalid([ConfigError(path, mark.line, mark.column, "", error.message)]) from error
    errors = [ConfigError(path, at.line, at.column, name, message) for at, name, message in problems]
    source = Source(path, root)
    service = None
    try:
        service = HttpService.model_validate(root, context={"folder": path.parent})
        errors += [source.error([key], message) for key, message in service.problems()]
        if not service.steps:
            errors.append(source.error([], "steps are missing: write steps: [{url: …}, …]"))
    except ValidationError as invalid:
        errors += _said(invalid, HttpService, root, path)
    if errors or service is None:
        raise ConfigurationInvalid(list(dict.fromkeys(errors)))
    return service


def _said(invalid: ValidationError, model: type[Service], root: tree.Mapping, path: Path) -> Iterator[ConfigError]:
    hints = Hints()
    for one in invalid.errors(include_url=False):
        finding = explain(one, model, root, (), hints)
        if finding is not None:
            mark, *rest = finding
            yield ConfigError(path, mark.line, mark.column, *rest)
