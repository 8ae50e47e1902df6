"""The interface for programs answers as it describes itself, and refuses with words."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx2
import pytest

from tests.dashboards.conftest import HOSTILE

Schema = dict[str, Any]
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


def check(value: Any, schema: Schema, components: Schema, where: str = "answer") -> None:
    """Hold a value against a JSON Schema, as far as this interface uses it."""
    if "$ref" in schema:
        schema = components[schema["$ref"].rsplit("/", 1)[1]]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert isinstance(value, tuple(kind for name in kinds for kind in _KINDS[name])), (where, value, kinds)
    if "enum" in schema:
        assert value in schema["enum"], (where, value)
    if isinstance(value, dict):
        for key in schema.get("required", ()):
            assert key in value, f"{where}.{key} is missing"
        for key, one in value.items():
            if key in schema.get("properties", {}):
                check(one, schema["properties"][key], components, f"{where}.{key}")
            else:
                assert (
                    "properties" not in schema
                    or schema == {"type": "object"}
                    or not schema["properties"]
                    or (where.endswith("answer"))
                ), f"{where}.{key} is not described"
    if isinstance(value, list) and "items" in schema:
        for number, one in enumerate(value):
            check(one, schema["items"], components, f"{where}[{number}]")


@pytest.fixture(scope="session")
def openapi(browser: httpx2.Client) -> Schema:
    found: Schema = browser.get("/api/v1/openapi.json").json()
    return found


def test_every_path_answers_with_what_it_describes(browser: httpx2.Client, openapi: Schema) -> None:
    assert openapi["openapi"].startswith("3.1")
    for path, methods in openapi["paths"].items():
        operation = methods.get("get")
        if operation is None or path == "/events":  # those are tried in test_tokens
            continue
        real = path.format(id="loop", number=1, month="2026-10", revision=9, name="none.pdf")
        answer = browser.get(f"/api/v1{real}")
        described = operation["responses"][str(answer.status_code)]
        if answer.status_code == 404:
            assert answer.headers["content-type"] == "application/problem+json"
            assert set(answer.json()) == {"type", "title", "status", "detail"}
            continue
        assert answer.status_code == 200, path
        schema = described["content"]["application/json"]["schema"]
        check(answer.json(), schema, openapi["components"]["schemas"])


def test_names_come_as_they_are_written(browser: httpx2.Client) -> None:
    found = browser.get("/api/v1/targets/loop").json()
    assert found["name"] == {"vi": HOSTILE, "en": HOSTILE}
    assert found["checks"][0]["check"] == "loop/icmp"


def test_pages_follow_each_other_without_a_gap(browser: httpx2.Client) -> None:
    first = browser.get("/api/v1/targets", params={"limit": 1}).json()
    second = browser.get("/api/v1/targets", params={"limit": 1, "after": first["next"]}).json()
    assert [first["items"][0]["id"], second["items"][0]["id"]] == ["loop", "names"]
    assert first["total"] == second["total"] == 2
    assert second["next"] is None


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=-1",
        "state=well",
        "site=%27--",
        "nonsense=1",
        "system=" + "x" * 300,
    ],
)
def test_a_parameter_that_is_not_right_is_a_problem_in_words(browser: httpx2.Client, query: str) -> None:
    answer = browser.get(f"/api/v1/targets?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert query.partition("=")[0] in answer.json()["detail"]


def test_what_did_not_change_is_not_sent_again(browser: httpx2.Client) -> None:
    first = browser.get("/api/v1/sites")
    assert browser.get("/api/v1/sites", headers={"if-none-match": first.headers["etag"]}).status_code == 304


def test_months_that_are_none_and_systems_that_are_not_there_are_refused(browser: httpx2.Client) -> None:
    assert browser.get("/api/v1/availability?month=2026-13").status_code == 400
    assert browser.get("/api/v1/availability?system=nowhere").status_code == 404
    assert browser.get("/api/v1/nothing").status_code == 404


def test_a_token_of_nobody_opens_nothing(browser: httpx2.Client) -> None:
    answer = browser.get("/api/v1/sites", headers={"authorization": "Bearer nonsense"})
    assert answer.status_code == 401
    assert "haidang user token" in answer.json()["detail"]


def test_maintenance_and_reports_are_told_and_a_kept_file_is_sent_as_it_was_kept(browser: httpx2.Client) -> None:
    assert set(browser.get("/api/v1/maintenance").json()) == {"items", "next", "total"}
    [kept] = browser.get("/api/v1/reports").json()["items"]
    assert (kept["month"], kept["revision"]) == ("2026-10", 1)
    file = next(one for one in kept["files"] if one["name"].endswith(".pdf"))
    taken = browser.get(file["path"])
    assert hashlib.sha256(taken.content).hexdigest() == file["sha256"]
    for path in ("2026-10/1/secret.txt", "2026-10/9/report-2026-10.json", "2026-10/1/SHA256SUMS"):
        answer = browser.get(f"/api/v1/reports/{path}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE"])
def test_what_only_reads_says_so_to_whoever_wants_to_change_something(browser: httpx2.Client, method: str) -> None:
    answer = browser.request(method, "/api/v1/systems")
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert "GET" in answer.headers["allow"]


def test_a_page_after_something_that_is_gone_is_not_found(browser: httpx2.Client) -> None:
    answer = browser.get("/api/v1/targets?after=nobody")
    assert answer.status_code == 404
    assert "without after" in answer.json()["detail"]
