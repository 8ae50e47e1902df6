"""A log line is one line and acts on no terminal, whatever it quotes: looked for in the bytes of a real process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from haidang.logs import LONGEST
from tests.support.hostile import ACTING, EVIL

PROGRAM = """
import logging
import structlog
from haidang.logs import configure
from tests.support.hostile import EVIL

configure({form!r})
logger = structlog.get_logger("ours")
for evil in EVIL.values():
    logger.info(evil, name=evil, names=[evil], facts={{evil: (evil, 1)}})
    logging.getLogger("library").warning("said %s", evil)
    try:
        raise ValueError(evil)
    except ValueError:
        logger.exception("failed")
        logging.getLogger("library").exception("failed too")
logging.getLogger("library").log(logging.ERROR + 3, "a level of its own")
"""
STAMP = r"\d\d:\d\d:\d\d \["


@pytest.mark.parametrize("form", ["json", "console", "journal"])
def test_what_is_logged_acts_nowhere(form: str) -> None:
    environment = {**os.environ, "TZ": "UTC"} | ({"JOURNAL_STREAM": "8:1"} if form == "journal" else {})
    program = PROGRAM.format(form="auto" if form == "journal" else form)
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=30, check=True,
        env=environment, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    lines = ran.stderr.decode("utf-8").split("\n")[:-1]
    begins = [line for line in lines if form == "json" or not line.startswith("    ")]
    assert len(begins) == 4 * len(EVIL) + 1
    for line in lines:
        assert not ACTING.search(line)
        assert len(line) < 12 * LONGEST
    if form == "json":
        assert all(json.loads(line)["level"] in ("info", "warning", "error") for line in begins)
    else:
        pattern = STAMP if form == "console" else r"<[0-7]>"
        assert all(re.match(pattern, line) for line in begins)


def test_a_line_for_people_says_things_in_their_order_and_leaves_out_what_there_is_not() -> None:
    program = (
        "import structlog; from haidang.logs import configure; configure({form!r}); "
        "structlog.get_logger('ours').info('state changed', check='hub/icmp', state='up', was=None, cause='a')"
    )
    said = {
        form: subprocess.run(
            [sys.executable, "-c", program.format(form=form)], capture_output=True, text=True, timeout=30, check=True,
            cwd=Path(__file__).parents[2],
        ).stderr
        for form in ("console", "json")
    }  # fmt: skip
    assert re.search(r"state changed +check=hub/icmp state=up cause=a$", said["console"].rstrip())
    assert json.loads(said["json"])["was"] is None


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_gets_colours_unless_its_user_wants_none(no_color: str) -> None:
    program = "import structlog; from haidang.logs import configure; configure(); structlog.get_logger('a').info('up')"
    outside, terminal = os.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "JOURNAL_STREAM"}
    subprocess.run(
        [sys.executable, "-c", program], stderr=terminal, timeout=30, check=True, cwd=Path(__file__).parents[2],
        env={**environment, "NO_COLOR": no_color},
    )  # fmt: skip
    os.close(terminal)
    said = os.read(outside, 4096).decode("utf-8")
    os.close(outside)
    assert "up" in said
    assert ("\x1b[" in said) is (no_color == "")
