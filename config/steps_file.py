"""A file of steps for ``haidang probe http --steps``: what stands below ``http:`` of a target."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from config import document
from config.errors import ConfigError, ConfigurationInvalid, Hints
from config.files import Source
from config.messages import explain
from config.schema.services import HttpService
from config.source import LARGEST_FILE, Unreadable, decode, read_bytes
from config.tree import Mark


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
        mark = error.mark or Mark(1, 1)
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
        hints = Hints()
        findings = (explain(one, HttpService, root, (), hints) for one in invalid.errors(include_url=False))
        errors += [
            ConfigError(path, one[0].line, one[0].column, *one[1:]) for one in findings if one is not None
        ]  # fmt: skip
    if errors or service is None:
        raise ConfigurationInvalid(list(dict.fromkeys(errors)))
    return service
