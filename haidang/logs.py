"""Logs: one line per completed action, as JSON for machines or coloured text for people; always to standard error."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from io import StringIO
from typing import TextIO

import structlog

LONGEST = 4000
"""Characters of one value that are logged; the rest of a longer one is not."""


def configure(form: str = "auto", level: str = "info") -> None:
    """Set logging up for the process.

    Parameters:
        form: ``console``, ``json``, or ``auto``: text on a terminal and under the journal, else JSON. Under the
            journal lines carry no time of their own (the journal has it) but their syslog priority.
        level: ``debug``, ``info``, ``warning`` or ``error``.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    journal = "JOURNAL_STREAM" in os.environ
    terminal = sys.stderr.isatty()
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
    ]
    if form == "json" or (form == "auto" and not terminal and not journal):
        processors += [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            _harmless,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    elif journal:
        processors += [_said, _harmless, _priority, _console(colors=False)]
    else:
        processors += [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            _said,
            _harmless,
            _console(colors=terminal and not os.environ.get("NO_COLOR")),
        ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Libraries()], level=max(number, logging.WARNING), force=True)


def _console(*, colors: bool) -> structlog.dev.ConsoleRenderer:
    # Tracebacks without the values of variables: those may be secrets.
    return structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False, exception_formatter=_traceback)


def _said(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Leave out what there is nothing to say of: a person reads past it, a program looks for the key."""
    return {key: value for key, value in event.items() if value is not None}


def _traceback(out: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    """Write a traceback, each line indented: what an exception quotes cannot look like a line of ours."""
    plain = StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    out.write("\n".join(f"    {_escaped(line)}" for line in plain.getvalue().split("\n")))


class _Libraries(logging.Handler):
    """What libraries log takes the same way out as ours: they quote what servers and devices said as it came."""

    def emit(self, record: logging.LogRecord) -> None:
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
        try:
            structlog.get_logger(record.name).log(
                level, record.getMessage(), library=record.name, exc_info=record.exc_info
            )
        except Exception:  # noqa: BLE001 a line that cannot be written must not stop who wrote it
            self.handleError(record)


def _harmless(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Take control characters out of texts: what a device calls itself must not forge a line or colour a terminal."""
    for key, value in event.items():
        if key != "exc_info":
            event[key] = _without_effect(value)
    return event


def _without_effect(value: object) -> object:
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, Mapping):
        return {_without_effect(key): _without_effect(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_without_effect(one) for one in value]
    return value


def _escaped(text: str) -> str:
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}…"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


def _priority(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["event"] = f"<{_PRIORITIES.get(event.pop('level', 'info'), 6)}>{event['event']}"
    return event
