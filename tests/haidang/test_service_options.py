"""The options of ``haidang probe KIND`` are the keys of a target's section: one list, one set of rules and words."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config import SERVICES
from haidang.cli import app
from haidang.commands.services import PASSWORD, _options, _settings
from probes.rtsp import RtspSettings


@pytest.mark.parametrize("kind", SERVICES)
def test_every_key_of_a_service_is_an_option_with_its_help(kind: str) -> None:
    shown = CliRunner().invoke(app, ["probe", kind, "--help"], env={"COLUMNS": "240"})
    assert shown.exit_code == 0
    keys = {field.alias or name for name, field in SERVICES[kind].model_fields.items()}
    assert keys - {key for key, _ in _options(kind).values()} <= {
        "cadence", "password", "url", "headers", "steps", "variables"
    }  # fmt: skip
    for name in _options(kind):
        assert f"--{name.replace('_', '-')}" in shown.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("http http://127.0.0.1/ --status 20O", '--status: "20O" is no list of status codes: write 200 or 200-299'),
        ("http http://127.0.0.1/ --json-path x --redirects 21", '--redirects: "21" is out of bounds: 0 to 20'),
        ("http http://127.0.0.1/ --body x", "--body: only POST has a body, the method is GET"),
        ("sip 127.0.0.1 --transport ucp", '--transport: "ucp" is not one of udp, tcp, tls (did you mean udp?)'),
        ("tcp 127.0.0.1 --port 80 --timeout soon", '--timeout: "soon" is not a duration: write 500ms, 10s'),
        ("tls 127.0.0.1 --key key.pem", "--key: a key without its certificate"),
        ("smtp not/a/host", "not/a/host is not the address or the name of a host"),
        ("rtsp 10.0.0.9:554", "10.0.0.9:554 is not the address or the name of a host: write 10.0.0.9 --port 554"),
        ("tls 10.0.0.9 --starttls pop3", '--starttls: "pop3" is not one of smtp, imap, ldap, postgres'),
    ],
)
def test_what_makes_no_sense_is_said_in_the_words_of_the_configuration(words: str, message: str) -> None:
    refused = CliRunner().invoke(app, ["probe", *words.split()])
    assert refused.exit_code == 2
    assert message in refused.stderr


def test_options_reach_the_probe() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        words = ("--port", str(silent.getsockname()[1]), "--expect", "+PONG", "--timeout", "200ms")
        done = CliRunner().invoke(app, ["probe", "tcp", "127.0.0.1", *words, "--json"])
    assert json.loads(done.stdout)["reason"].startswith("no answer within 0.2 s")


def test_a_password_comes_from_the_environment_and_stands_on_no_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "password" not in _options("rtsp")
    monkeypatch.setenv(PASSWORD, "a secret")
    settings = _settings("rtsp", {"username": "an"})
    assert isinstance(settings, RtspSettings)
    assert (settings.username, settings.password) == ("an", "a secret")


def test_a_reason_is_told_in_the_language_asked_for_or_configured_and_to_programs_in_english(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        words = ("probe", "tcp", "127.0.0.1", "--port", str(closed.getsockname()[1]))
    english, vietnamese = "connection refused while connecting", "từ chối kết nối khi đang kết nối"

    def said(*more: str) -> str:
        return CliRunner().invoke(app, [*words, *more]).stdout

    monkeypatch.chdir(tmp_path)
    assert english in said()
    assert vietnamese in said("--language", "vi")
    (tmp_path / "haidang.yaml").write_text("haidang: 1\ntargets: [{id: language, nam", encoding="utf-8")
    assert vietnamese in said(), "of a broken configuration the usual language"
    (tmp_path / "haidang.yaml").write_text("haidang: 1\nsites: [{id: language}]\nlanguage: en\n", encoding="utf-8")
    assert english in said()
    assert vietnamese in said("-l", "vi")
    assert english in said("-l", "vi", "--json")
    assert CliRunner().invoke(app, [*words, "-l", "fr"]).exit_code == 2
