"""Several pages in a row against a real web application: a login with a form's token, a session cookie, a bearer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

import config
from collectors.plan import plan, service_settings
from collectors.services import ServiceSettings
from config import ConfigurationInvalid, load_steps
from haidang.cli import app
from haidang.clock import SystemClock
from haidang.model import Observation, Status
from probes.attempt import FAULT
from probes.http import HttpSettings, Step, Take
from probes.kinds import probe
from probes.sequence import fill, hide
from tests.support.peers import HOST, free_port, peer, saying, silent

SECRET = 'mật "khẩu" & more'
BEARER = "b-0123456789abcdef"


async def form(_: Request) -> Response:
    answer = HTMLResponse('<form><input name="csrf" value="c-42+/="></form>')
    answer.set_cookie("visit", "one", path="/")
    answer.set_cookie("elsewhere", "x", path="/other")
    return answer


async def login(request: Request) -> Response:
    data = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    if request.cookies != {"visit": "one"} or data != {"user": "monitor", "password": SECRET, "csrf": "c-42+/="}:
        return PlainTextResponse(f"refused: {data.get('password')}", 403)
    answer = RedirectResponse("/welcome", 302)
    answer.set_cookie("session", "s1", httponly=True)
    return answer


async def welcome(request: Request) -> Response:
    return JSONResponse({"method": request.method, "cookies": request.cookies, "data": {"token": BEARER}})


async def me(request: Request) -> Response:
    fine = request.headers.get("authorization") == f"Bearer {BEARER}" and request.cookies.get("session") == "s1"
    return JSONResponse({"user": "monitor" if fine else "nobody", "asked": request.query_params.get("q", "")})


async def echo(request: Request) -> Response:
    return Response(await request.body(), 418)


async def bake(_: Request) -> Response:
    answer = PlainTextResponse("cookies")
    for number in range(5):
        answer.set_cookie(f"c{number}", "x" * 3000)
    return answer


@contextmanager
def served() -> Iterator[str]:
    """Serve the application in a thread of its own; gives its address."""
    port = free_port()
    routes = [Route(f"/{one.__name__}", one, methods=["GET", "POST"]) for one in (form, login, welcome, me, echo, bake)]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), HOST, port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.01)
    try:
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def portal() -> Iterator[str]:
    with served() as address:
        yield address


LOGIN = (
    Step(url="/form", take={"csrf": Take(after='name="csrf" value="', before='"')}),
    Step(
        name="login", url="/login", method="POST", headers={"Content-Type": "application/x-www-form-urlencoded"},
        body="user=monitor&password=${password}&csrf=${csrf}", json="method", equals="GET",
        take={"token": Take(json="data.token")},
    ),
    Step(url="/me?q=${csrf}", headers={"Authorization": "Bearer ${token}"}, json="user", equals="monitor"),
)  # fmt: skip


async def ask(portal: str, *steps: Step, **more: Any) -> Observation:
    first = replace(steps[0], url=portal + steps[0].url)
    settings = HttpSettings(steps=(first, *steps[1:]), **{"variables": {"password": SECRET}, **more})
    found = await probe("http", SystemClock(), "portal", HOST, settings)
    assert FAULT not in found.reason
    return found


async def test_one_logs_in_as_a_browser_does_and_sees_ones_own_page(portal: str) -> None:
    seen = await ask(portal, *LOGIN)
    assert (seen.status, seen.reason) == (Status.UP, "")
    assert seen.fields["steps"] == 3
    steps = [float(seen.fields[f"step_{number}_ms"]) for number in (1, 2, 3)]
    assert all(step > 0 for step in steps)
    assert sum(steps) <= seen.duration_ms


async def test_the_next_try_begins_without_cookies(portal: str) -> None:
    await ask(portal, *LOGIN)
    seen = await ask(portal, replace(LOGIN[0], url="/welcome", take={}, json="cookies", equals="{}"))
    assert seen.status is Status.UP


async def test_the_step_that_is_not_well_is_named_and_no_secret_is_told(portal: str) -> None:
    wrong = replace(LOGIN[1], body="user=nobody&password=${password}&csrf=${csrf}", status="100-599")
    seen = await ask(portal, LOGIN[0], wrong)
    assert seen.status is Status.DOWN
    assert seen.reason == "step 2, login: its page is not JSON: refused: ***"
    seen = await ask(portal, LOGIN[0], replace(LOGIN[1], body=""))
    assert seen.reason == "step 2, login: it answered 403, expected is 200-399"
    assert seen.fields["steps"] == 1


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (Step(url="/form", take={"a": Take(after="nothing", before='"')}), "nothing is not in its page, a is taken"),
        (Step(url="/form", take={"a": Take(after="value", before="§")}), "§ is not in its page, a is taken from there"),
        (Step(url="/form", take={"a": Take(header="X-Token")}), "its answer has no header X-Token, a is taken from"),
        (Step(url="/welcome", take={"a": Take(json="data.x")}), "there is no data.x in its JSON"),
        (Step(url="/bake"), "it sets more than 8 KiB of cookies"),
        (Step(url="/me", headers={"X-Test": "${password}"}), "password has characters in it that cannot stand in a"),
    ],
)
async def test_what_cannot_be_taken_or_kept_is_told(portal: str, step: Step, reason: str) -> None:
    seen = await ask(portal, step)
    assert seen.status is Status.DOWN
    assert seen.reason.startswith(f"step 1, GET {portal}{step.url}: {reason}")


async def test_one_deadline_is_for_all_steps_and_the_reason_names_the_one_under_way(portal: str) -> None:
    async with peer(silent) as port:
        steps = (Step(url="/form"), Step(name="the far one", url=f"http://{HOST}:{port}/"))
        seen = await ask(portal, *steps, timeout_s=0.4)
    assert seen.reason == "step 2, the far one: no answer within 0.4 s, while waiting for the first byte"
    assert seen.duration_ms < 450
    seen = await ask(portal, steps[0], replace(steps[1], url=f"http://{HOST}:{free_port()}/"))
    assert seen.reason.startswith("step 2, the far one: connection refused while connecting to port ")


async def test_what_a_hostile_page_puts_into_a_variable_stays_one_value(portal: str) -> None:
    evil = 'x"}\r\nHost: evil ${password}&a=b#?/../'
    body = json.dumps({"v": evil}).encode()
    async with peer(saying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))) as port:
        first = Step(url=f"http://{HOST}:{port}/", take={"v": Take(json="v")})
        then = Step(url=f"{portal}/me?q=${{v}}", json="asked", equals=evil)
        settings = HttpSettings(steps=(first, then), variables={"password": SECRET})
        seen = await probe("http", SystemClock(), "portal", HOST, settings)
        assert (seen.status, seen.reason) == (Status.UP, "")
        header = replace(then, headers={"X-V": "${v}"})
        seen = await probe("http", SystemClock(), "portal", HOST, replace(settings, steps=(first, header)))
        assert seen.reason.endswith("v has characters in it that cannot stand in a header")


@given(st.text(max_size=40))
def test_a_value_survives_every_place_it_may_stand_in(value: str) -> None:
    step = Step(url="/a/${v}?x=${v}", method="POST", body='{"a": "${v}"}', headers={"Content-Type": "application/json"})
    filled = fill(step, {"v": value.encode("utf-8", "replace").decode()})
    value = value.encode("utf-8", "replace").decode()
    assert json.loads(filled.body) == {"a": value}
    path, _, query = filled.url.partition("?x=")
    assert unquote(path.removeprefix("/a/")) == unquote(query) == value
    assert not any(map(str.isspace, filled.url))


@given(st.text(min_size=4, max_size=30), st.text(max_size=30), st.integers(4, 29))
def test_no_value_is_left_in_a_reason_also_where_it_is_cut_off(value: str, around: str, size: int) -> None:
    assert value not in hide(around + value + around, [value]) or value in "***"
    if size < len(value) and "*" not in value and "…" not in value:
        assert f"{value[:size]}…" not in hide(f"{around.replace('…', '')} {value[:size]}…", [value])


FILE = """\
timeout: 3s
variables: {{password: {{env: HAIDANG_TEST_PORTAL}}}}
steps:
  - url: {start}/form
    take: {{csrf: {{after: 'name="csrf" value="', before: '"'}}}}
  - name: login
    url: /login
    method: POST
    headers: {{Content-Type: application/x-www-form-urlencoded}}
    body: user=monitor&password=${{password}}&csrf=${{csrf}}
    take: {{token: {{json: data.token}}}}
  - url: /me
    headers: {{Authorization: "Bearer ${{token}}"}}
    json: user
    equals: monitor
"""


def test_the_command_takes_a_file_of_steps(portal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "login.yaml"
    file.write_text(FILE.format(start=portal), encoding="utf-8")
    missing = CliRunner().invoke(app, ["probe", "http", "--steps", str(file)])
    assert (missing.exit_code, "environment variable HAIDANG_TEST_PORTAL: not set" in missing.stderr) == (2, True)
    monkeypatch.setenv("HAIDANG_TEST_PORTAL", SECRET)
    done = CliRunner().invoke(app, ["probe", "http", "--steps", str(file), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["fields"]["steps"] == 3
    file.write_text(FILE.format(start=""), encoding="utf-8")
    done = CliRunner().invoke(app, ["probe", "http", portal, "--steps", str(file), "--json"])
    assert json.loads(done.stdout)["status"] == "up", done.output
    alone = CliRunner().invoke(app, ["probe", "http", "--steps", str(file)])
    assert (alone.exit_code, "or give the server" in alone.stderr) == (2, True)
    twice = CliRunner().invoke(app, ["probe", "http", portal, "--steps", str(file), "--status", "200"])
    assert (twice.exit_code, "--status and --steps" in twice.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("timeout: 1s\n", "1:1: steps are missing: write steps: [{url: …}, …]"),
        ("steps:\n  - url: /${a}\n", 'step 1 has the variable "a" in its url: an earlier step takes it, or'),
        ("steps:\n  - {url: 'http://${a}.test/'}\n", "2:11: steps[0].url: a variable cannot stand in the host"),
        ("steps:\n  - {url: /, take: {a: {json: x, header: y}}}\n", "exactly one of {json: PLACE}, {header: NAME}, "),
        ("steps:\n  - {url: /, body: x}\n", "only POST has a body, the method is GET"),
        ("status: 200\nsteps:\n  - {url: /}\n", "1:9: status: with steps, each of them says this"),
        ("steps: [" + "{url: /}, " * 11 + "]\n", "steps: 11 steps: at most 10 are allowed"),
        ("steps:\n  - {url: /}\nvariables: {p: secret}\n", "a secret in clear"),
    ],
)  # fmt: skip
def test_a_bad_file_of_steps_is_told_at_its_place(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationInvalid) as invalid:
        load_steps(file)
    assert any(message in str(error) for error in invalid.value.errors), list(map(str, invalid.value.errors))


async def test_a_target_is_watched_by_its_steps(portal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAIDANG_TEST_PORTAL", SECRET)
    lines = FILE.format(start=portal).replace("\n", "\n      ")
    main = tmp_path / "haidang.yaml"
    main.write_text(f"haidang: 1\ntargets:\n  - id: portal\n    address: {HOST}\n    http:\n      {lines}\n")
    configuration = config.load(main)
    assert "targets portal http.variables.password" in configuration.secrets()
    [_, settings] = [one.settings for one in plan(configuration)]
    assert isinstance(settings, ServiceSettings)
    assert settings == service_settings("http", configuration.inventory.targets["portal"].services["http"], tmp_path)
    seen = await probe("http", SystemClock(), "portal", HOST, settings.settings)
    assert (seen.status, seen.reason) == (Status.UP, "")
