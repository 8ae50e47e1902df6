"""Secrets: read when needed, from where the configuration says, and shown nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config import Secret, SecretUnavailable


def test_one_newline_at_the_end_of_a_file_is_not_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    for written, read in (("pass", "pass"), ("pass\n", "pass"), ("pass\r\n", "pass"), (" pass \n\n", " pass \n")):
        path.write_bytes(written.encode())
        assert Secret(file=str(path)).read() == read


def test_it_is_read_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    secret = Secret(file=str(path))
    path.write_text("old")
    assert secret.read() == "old"
    path.write_text("new")
    assert secret.read() == "new"


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Secret(env="HAIDANG_TEST_SECRET")
    monkeypatch.delenv("HAIDANG_TEST_SECRET", raising=False)
    with pytest.raises(SecretUnavailable, match="environment variable HAIDANG_TEST_SECRET: not set, or empty"):
        secret.read()
    monkeypatch.setenv("HAIDANG_TEST_SECRET", "hunter22")
    assert secret.read() == "hunter22"


def test_from_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Secret(credential="mail")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(SecretUnavailable, match="LoadCredential=mail:PATH"):
        secret.read()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(SecretUnavailable, match="systemd credential mail: there is no such file"):
        secret.read()
    (tmp_path / "mail").write_text("hunter22\n")
    assert secret.read() == "hunter22"


def test_what_cannot_be_read_is_said_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * 100_000)
    for name, why in (
        ("fifo", "not a reg"), ("empty", "empty"), ("binary", "not UTF-8"), ("large", "bytes"), ("none", "no such"),
    ):  # fmt: skip
        with pytest.raises(SecretUnavailable, match=why):
            Secret(file=str(tmp_path / name)).read()


def test_a_file_everyone_can_read_is_a_weakness_with_a_cure(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hunter22")
    path.chmod(0o644)
    assert Secret(file=str(path)).weakness() == f"{path} can be read by everyone on this machine: chmod o= {path}"
    path.chmod(0o640)
    assert Secret(file=str(path)).weakness() == ""


def test_it_shows_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("hunter22")
    secret = Secret(file=str(path))
    assert secret.read() == "hunter22"
    assert "hunter22" not in f"{secret} {secret!r} {secret.model_dump()} {secret.model_dump_json()} {vars(secret)}"
