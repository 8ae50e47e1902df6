"""What is written about the configuration is what the schema says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import config
from config.schema.document import Document
from tests.config.reference import SECTIONS, models_of, table

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("section", SECTIONS)
def test_the_page_holds_every_key_with_its_default(section: str) -> None:
    assert f"<!-- {section} -->\n{table(SECTIONS[section])}\n" in PAGE


def test_every_section_is_on_the_page() -> None:
    assert models_of(Document) == set(SECTIONS.values())


def test_every_key_has_a_meaning() -> None:
    for model in SECTIONS.values():
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"


def test_the_examples_on_the_page_are_right(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    [table_text] = re.findall(r"```csv\n(.*?)```", PAGE, flags=re.DOTALL)
    together = "haidang: 1\n" + "".join(
        block for block in blocks if "haidang: 1" not in block and "include" not in block
    )
    together = together.replace("targets:\n", "targets:\n  - {id: hub, address: 10.20.0.2}\n")
    together = together.replace("allow: [10.0.0.0/8,", "allow: [10.0.0.0/8, 192.0.2.0/24,")
    together = together.replace("sites:\n", "sites:\n  - {id: hung-vuong}\n")
    (tmp_path / "haidang.yaml").write_text(together + "inventory: [cameras.csv]\n", encoding="utf-8")
    (tmp_path / "cameras.csv").write_text(table_text, encoding="utf-8")
    assert config.check(tmp_path / "haidang.yaml") == []
    assert len(blocks) >= 10


def test_the_json_schema_names_every_key_and_refuses_others() -> None:
    schema = config.json_schema()
    assert set(schema["properties"]) == {field.alias or name for name, field in Document.model_fields.items()}
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["haidang"]
    assert schema["properties"]["haidang"]["const"] == 1
    icmp = schema["$defs"]["IcmpSettings"]
    assert set(icmp["properties"]) == {"cadence", "echoes", "timeout", "size", "dscp"}
    assert icmp["properties"]["echoes"]["maximum"] == 1000
    assert icmp["additionalProperties"] is False
