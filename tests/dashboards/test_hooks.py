"""Events that other programs hand in: on record, a reason to look, in measure, and never a state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.web.api.hooks import words_of
from tests.dashboards.conftest import HOSTILE, Site, write
from tests.support.answerer import Answerer
from tests.support.daemon import Daemon, ask, until

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(st.dictionaries(st.sampled_from(["text", "target", "alert", "\x00"]), JSON))
def test_whatever_is_sent_becomes_one_printable_line_of_bounded_length(sent: dict[str, object]) -> None:
    text = words_of(sent)
    assert text.isprintable()
    assert len(text) <= 500


def test_the_text_is_kept_and_else_the_whole_body() -> None:
    assert words_of({"target": "x", "text": "on\n battery"}) == "on battery"
    assert words_of({"target": "x", "alert": "cháy"}) == '{"alert": "cháy"}'


@pytest.fixture
def hook(site: Site, request: pytest.FixtureRequest) -> Iterator[httpx2.Client]:
    """A program of its own for each test, since what one sends is counted."""
    name = f"h{abs(hash(request.node.name)) % 10**9}"
    token = ask(site.config, "user", "token", name, "--scope", "hook")["token"]
    base = f"{site.base}/api/v1/hooks"
    with httpx2.Client(base_url=base, headers={"authorization": f"Bearer {token}"}) as client:
        yield client


def test_what_is_handed_in_stands_at_the_target_and_sets_no_state(
    site: Site, browser: httpx2.Client, hook: httpx2.Client
) -> None:
    before = browser.get("/api/v1/targets/names").json()
    done = hook.post("/building", json={"target": "names", "severity": "critical", "text": HOSTILE})
    assert (done.status_code, done.json()) == (202, {"target": "names", "name": "building"})
    foreign = hook.post("/other-monitor?target=names", json={"status": "firing", "severity": "page"})
    assert foreign.status_code == 202
    until(lambda: "firing" in browser.get("/target/names").text or None, 10, "it stands there")
    page = browser.get("/target/names").text
    assert "building" in page
    assert HOSTILE not in page
    after = browser.get("/api/v1/targets/names").json()
    assert (after["state"], after["since"]) == (before["state"], before["since"])


@pytest.mark.slow
def test_an_outage_between_two_rare_probes_is_seen_at_once_when_somebody_tells_of_it(tmp_path: Path) -> None:
    server = Answerer()
    config = write(tmp_path, server.port)
    config.write_text(config.read_text("utf-8").replace("cadence: 1s, timeout", "cadence: 10m, timeout"), "utf-8")

    def state() -> str:
        return next(str(one["state"]) for one in ask(config, "status")["targets"] if one["target"] == "names")

    with Daemon(config) as daemon:
        base = daemon.wait_for("pages are served")["address"]
        until(lambda: state() == "up" or None, 30, "the name server is up")
        server.on = False
        token = ask(config, "user", "token", "building", "--scope", "hook")["token"]
        told = httpx2.post(
            f"{base}/api/v1/hooks/fire", json={"target": "names"}, headers={"authorization": f"Bearer {token}"}
        )
        assert told.status_code == 202
        until(lambda: state() == "down" or None, 30, "the outage is seen long before the next probe is due")
    server.close()


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/building", b'{"target": "nowhere"}', 404, "there is no target nowhere"),
        ("/building", b'{"text": "x"}', 404, "?target=ID"),
        ("/building?targt=names", b"{}", 400, "target is"),
        ("/Not%20a%20name", b'{"target": "names"}', 400, "name must be"),
        ("/building", b'{"target": ["names"]}', 404, "?target=ID"),
        ("/building", b'{"target": "names", "text": "' + b"x" * 8200 + b'"}', 413, "8192"),
        ("/building", b"no json", 400, "not JSON"),
    ],
)
def test_what_is_not_right_is_refused_in_words(
    site: Site, hook: httpx2.Client, path: str, body: bytes, status: int, says: str
) -> None:
    answer = hook.post(path, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert says in answer.json()["detail"]


def test_who_sends_too_much_is_held_back_and_takes_nothing_from_others(
    site: Site, browser: httpx2.Client, hook: httpx2.Client
) -> None:
    answers = [hook.post("/storm", json={"target": "names", "text": "again"}) for _ in range(60)]
    refused = [one for one in answers if one.status_code == 429]
    assert len(refused) >= 20
    assert {one.status_code for one in answers} == {202, 429}
    assert refused[0].headers["retry-after"] == "1"
    token = ask(site.config, "user", "token", "calm", "--scope", "hook")["token"]
    calm = httpx2.post(
        f"{site.base}/api/v1/hooks/calm", json={"target": "names"}, headers={"authorization": f"Bearer {token}"}
    )
    assert calm.status_code == 202


def test_only_a_token_with_the_scope_hook_may(site: Site, browser: httpx2.Client) -> None:
    admin = ask(site.config, "user", "token", "chief", "--scope", "admin")["token"]
    url, body = f"{site.base}/api/v1/hooks/building", {"target": "names"}
    assert httpx2.post(url, json=body).status_code == 401
    assert browser.post(url, json=body).status_code == 401
    refused = httpx2.post(url, json=body, headers={"authorization": f"Bearer {admin}"})
    assert refused.status_code == 403
    assert "scope hook" in refused.json()["detail"]
