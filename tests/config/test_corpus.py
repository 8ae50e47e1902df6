"""Configuration errors are user interface: every bad file here has its exact output beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

import config

FOLDER = Path(__file__).parent
BAD = sorted((FOLDER / "bad").glob("*.yaml"))
GOOD = sorted((FOLDER / "good").glob("*.yaml"))


def test_the_corpus_is_there() -> None:
    assert len(BAD) >= 40
    assert len(GOOD) >= 3


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_gives_exactly_these_errors(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    found = "".join(f"{error}\n" for error in config.check(Path(path.name)))
    assert found
    assert found == path.with_suffix(".expected").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_no_error_repeats_a_secret(path: Path) -> None:
    assert "hunter22" not in "".join(map(str, config.check(path)))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_file_has_no_errors(path: Path) -> None:
    assert config.check(path) == []


def test_five_different_errors_are_told_at_once_in_the_order_of_the_file() -> None:
    errors = config.check(FOLDER / "bad" / "66-five-errors.yaml")
    assert [error.line for error in errors] == [2, 4, 7, 7, 8]
    assert len({error.message for error in errors}) == 5


def test_loading_a_bad_file_raises_all_its_errors() -> None:
    path = FOLDER / "bad" / "66-five-errors.yaml"
    with pytest.raises(config.ConfigurationInvalid) as raised:
        config.load(path)
    assert list(raised.value.errors) == config.check(path)
    assert str(raised.value).count("\n") == 4
