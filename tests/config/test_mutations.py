"""Whatever is done to a configuration, loading it ends in a result or in errors with places, never in anything else."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import config

FULL = (Path(__file__).parent / "good" / "full.yaml").read_text(encoding="utf-8").replace("full-*.inc", "part.inc")
PART = (Path(__file__).parent / "good" / "full-part.inc").read_text(encoding="utf-8")
TABLE = (Path(__file__).parent / "good" / "full-cameras.csv").read_text(encoding="utf-8-sig")
WORDS = """- |: |{|}|[|]|&a |*a|<<: |!!str |>|'|"|#|? |\\|null|1e999|.nan|%eth0|::|/|;|,"""
PIECES = st.sampled_from(
    [*WORDS.split("|"), "|", "\t", "\n", "---\n", "%YAML 1.1\n", "\u2028", "\x85", "\ufeff", "\ud7ff", "9" * 5000]
) | st.text(max_size=5)


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 3, 20, 200]))
        text = text[:at] + draw(PIECES) + text[at + length :]
    return text


def hold(main: str, part: str, table: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        texts = {"haidang.yaml": main, "part.inc": part, "full-cameras.csv": table}
        for name, text in texts.items():
            Path(folder, name).write_bytes(text.encode("utf-8", "surrogatepass"))
        for error in config.check(Path(folder, "haidang.yaml")):
            lines = (
                texts[error.file.name].count("\n") + sum(map(texts[error.file.name].count, "\r\x85\u2028\u2029")) + 1
            )
            assert 1 <= error.line <= lines, str(error)
            assert error.column >= 1
            assert "\n" not in str(error)
            assert error.message


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=mutated(FULL))
def test_a_mutated_main_file_gives_only_errors_with_places(text: str) -> None:
    hold(text, PART, TABLE)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=mutated(TABLE))
def test_a_mutated_table_gives_only_errors_with_places(text: str) -> None:
    hold("haidang: 1\ninventory: [full-cameras.csv]\n", PART, text)


@settings(max_examples=100, deadline=None)
@given(noise=st.binary(max_size=200))
def test_noise_gives_only_errors(noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "haidang.yaml")
        path.write_bytes(noise)
        assert config.check(path)
