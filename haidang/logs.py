"""Logs: one line per completed action, as JSON for machines or coloured text for people; always to standard error."""

from __future__ import annotations

import logging
import os
import sys

import structlog


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
        _one_line,
    ]
    if form == "json" or (form == "auto" and not terminal and not journal):
        processors += [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    elif journal:
        processors += [_priority, _console(colors=False)]
    else:
        processors += [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            _console(colors=terminal),
        ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        stream=sys.stderr, level=max(number, logging.WARNING), format="%(name)s: %(message)s", force=True
    )


def _console(*, colors: bool) -> structlog.dev.ConsoleRenderer:
    # Tracebacks without the values of variables: those may be secrets.
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


def _one_line(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Take control characters out of texts: what a device calls itself must not forge a line or colour a terminal."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in value)
    return event


_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


def _priority(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["event"] = f"<{_PRIORITIES.get(event.pop('level', 'info'), 6)}>{event['event']}"
    return event
