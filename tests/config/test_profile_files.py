"""Device profiles as files: every mistake is told at its place, and what loads fits together."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from config import ConfigurationInvalid
from config.profile_files import SHIPPED, load
from config.schema.profile import (
    ConditionText,
    FactsText,
    LimitsText,
    MatchText,
    ProfileText,
    RuleText,
    SourceText,
)

HEAD = "profile: mine\nclass: ups\nmatch: [{sys_object_id: 1.3.6.1.4.1.32473}]\n"


def told(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationInvalid) as caught:
        load([path])
    return [str(error).removeprefix(f"{tmp_path}/") for error in caught.value.errors]


def rule(keys: str) -> str:
    return f"{HEAD}sensors:\n  - {{kind: temperature, value: 1.3.6.1.4.1.32473.1.1, {keys}}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("profile: mine\nvendr: Example\n", 'mine.yaml:2:1: vendr: unknown key "vendr" (did you mean "vendor"?)'),
        ("vendor: Example\n", "mine.yaml:1:1: the key profile is missing"),
        ("profile: mine\nclass: toaster\n", 'mine.yaml:2:8: class: "toaster" is not one of router, switch,'),
        ("profile: mine\nextends: [generik]\n", 'there is no profile "generik" (did you mean "generic"?)'),
        ("profile: mine\nextends: [mine]\n", "mine.yaml:2:11: extends[0]: profiles extend each other in a circle"),
        ("profile: mine\nobjects: {a: b, b: a}\n", "mine.yaml:2:14: objects.a: this object is defined by itself"),
        ("profile: mine\nobjects: {a: 1.3.x}\n", 'objects.a: "1.3.x" is not an object identifier'),
        ("profile: mine\nobjects: {a: 1.3.6.1.4294967296}\n", "is not an object identifier"),
        (rule("scale: fast"), '"fast" is not a factor: write 0.1, -1, 1/6000'),
        (rule("scale: 1/0"), '"1/0" is not a factor'),
        (rule('pattern: "(a+)+$"'), "a repetition inside a repetition"),
        (rule('pattern: "("'), '"(" is not a regular expression'),
        (rule("total: unknownObject"), '"unknownObject" is neither an OID nor one of objects'),
        (rule('name: "{label}"'), 'sensors[0].name: "label" is neither an OID nor one of objects'),
        (rule("where: {label: x}"), 'sensors[0].where.label: "label" is neither an OID nor one of objects'),
        (rule("where: {index: {like: a, not: [b]}}"), "give a value, a list of values, or one of is, not, like"),
        (rule("where: {index: {lke: a}}"), 'unknown key "lke" (did you mean "like"?)'),
        (rule('states: {"1": fine}'), '"fine" must begin with ok, warning, critical, unknown'),
        (rule('states: {"1": ok}, pattern: x'), "an enumeration is not calculated with"),
        (rule("enumeration: fanState"), 'sensors[0].enumeration: "fanState" is not one of enumerations'),
        (rule("status: {object: 1.3.6.1.4.1.1.1}"), "give either states or an enumeration"),
        (rule("every: true"), "every needs a pattern"),
        (rule('pattern: "^(?P<name>.+) ([0-9]+)$"'), "beside (?P<name>…) the number is in (?P<value>…)"),
        (rule("limits: {warning_high: hot!}"), "limits.warning_high"),
        (HEAD + "sensors:\n  - {kind: temprature, value: 1.3.6.1.4.1.1.1}\n", '(did you mean "temperature"?)'),
        (HEAD.replace("32473", "x"), "is not an object identifier"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_cure(tmp_path: Path, text: str, expected: str) -> None:
    errors = told(tmp_path, text)
    assert any(expected in error for error in errors), errors
    assert all(error.startswith("mine.yaml:") for error in errors), errors


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    errors = told(tmp_path, rule("scale: fast, colour: red").replace("class: ups", "class: toaster"))
    assert [error.split(" ")[0] for error in errors] == ["mine.yaml:2:8:", "mine.yaml:5:62:", "mine.yaml:5:68:"]


def test_a_file_that_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match="there is no such file"):
        load([tmp_path / "absent.yaml"])
    assert told(tmp_path, "- a\n") == [
        "mine.yaml:1:1: the file must hold a mapping (key: value), not a list or a single value"
    ]


def test_an_own_profile_replaces_a_shipped_one_once(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    for path in (first, second):
        path.write_text("profile: zte\nvendor: Ours\n", encoding="utf-8")
    assert load([first])["zte"].text.vendor == "Ours"
    with pytest.raises(ConfigurationInvalid, match=r'b\.yaml:1:10: profile: "zte" is also in'):
        load([first, second])


def test_every_shipped_profile_loads_and_is_named_as_its_file() -> None:
    found = load()
    assert {path.stem for path in SHIPPED.glob("*.yaml")} == set(found)
    assert len(found) >= 40


def test_the_page_shows_a_profile_that_loads_and_names_every_key(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    path = tmp_path / "example.yaml"
    path.write_text(textwrap.dedent(example), encoding="utf-8")
    assert load([path])["example"].text.vendor == "Example"
    for model in (ProfileText, MatchText, SourceText, RuleText, LimitsText, ConditionText, FactsText):
        for name, field in model.model_fields.items():
            assert re.search(rf"\b{field.alias or name}\b", page), f"{model.__name__}.{name}"
