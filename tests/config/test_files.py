"""Files that are not files, too large, unreadable: an error each, and never a wait."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import config
from config import source


def messages(path: Path) -> list[str]:
    return [error.message for error in config.check(path)]


def test_a_missing_file(tmp_path: Path) -> None:
    assert messages(tmp_path / "none.yaml") == ["there is no such file"]


def test_a_directory(tmp_path: Path) -> None:
    assert messages(tmp_path) == ["this is a directory, not a file"]


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.yaml")
    assert messages(tmp_path / "fifo.yaml") == ["this is not a regular file"]


def test_a_device_is_not_read() -> None:
    assert messages(Path("/dev/zero")) == ["this is not a regular file"]


def test_a_link_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    assert messages(tmp_path / "loop.yaml") == ["cannot be opened: Too many levels of symbolic links"]


def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text("haidang: 1\n")
    path.chmod(0)
    mine = os.geteuid()
    if mine == 0:  # root may read everything
        os.seteuid(65534)
    try:
        assert messages(path) == ["no permission to read this file"]
    finally:
        os.seteuid(mine)


def test_more_than_a_mebibyte_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_bytes(b"haidang: 1\n" + b"[" * 2**20)
    [message] = messages(path)
    assert message == (
        "the file has 1,048,587 bytes, more than the 1,048,576 (1 MiB) allowed in one file: "
        "split it and list the parts under include or inventory"
    )


def test_a_mebibyte_exactly_is_read(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    text = b"haidang: 1\n"
    path.write_bytes(text + b"#" * (2**20 - len(text)))
    assert messages(path) == []


def test_included_files_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.files.LARGEST_WHOLE", 3 * source.MEBIBYTE)
    for number in range(4):
        (tmp_path / f"part-{number}.yaml").write_text("sites: []\n" + "#" * (2**20 - 20))
    (tmp_path / "haidang.yaml").write_text("haidang: 1\ninclude: [part-*.yaml]\n")
    errors = config.check(tmp_path / "haidang.yaml")
    assert [error.message for error in errors] == ["all files together have more than 3 MiB"] * 2
    assert [error.file.name for error in errors] == ["part-2.yaml", "part-3.yaml"]


def test_a_million_opening_brackets_cost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text("haidang: 1\nsites: " + "[" * 1_000_000)
    assert messages(path) == ["nested more than 16 levels deep"]


def test_a_laughing_file_is_refused_without_growing(tmp_path: Path) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))
    path = tmp_path / "haidang.yaml"
    path.write_text("haidang: 1\nl0: &l0 [ha]\n" + levels)
    assert "the alias *l0 is not allowed: write the value out" in messages(path)


def test_files_that_include_each_other_are_told_with_their_way(tmp_path: Path) -> None:
    (tmp_path / "haidang.yaml").write_text("haidang: 1\ninclude: [a.yaml]\n")
    (tmp_path / "a.yaml").write_text("include: [sub/b.yaml]\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.yaml").write_text("include: [../a.yaml]\n")
    errors = config.check(tmp_path / "haidang.yaml")
    assert [error.message for error in errors] == ["files include each other in a circle: a.yaml → b.yaml → a.yaml"]
    assert (errors[0].file.name, errors[0].line, errors[0].column) == ("b.yaml", 1, 11)


def test_names_are_relative_to_the_file_that_says_them(tmp_path: Path) -> None:
    (tmp_path / "haidang.yaml").write_text("haidang: 1\ndata_dir: data\ninclude: [sub/*.yaml]\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.yaml").write_text(
        "inventory: [t.csv]\ncredentials: [{id: core, community: {file: secrets/c}}]\n"
    )
    (tmp_path / "sub" / "t.csv").write_text("id,address,snmp\ngw,192.0.2.1,core\n")
    loaded = config.load(tmp_path / "haidang.yaml")
    assert loaded.data_dir == tmp_path / "data"
    assert [path.name for path in loaded.files] == ["haidang.yaml", "a.yaml", "t.csv"]
    access = loaded.inventory.targets["gw"].credential
    assert access is not None
    assert access.community is not None
    assert access.community.file == str(tmp_path / "sub" / "secrets" / "c")


def test_a_name_longer_than_a_file_can_have_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "haidang.yaml").write_text(f"haidang: 1\ninclude: [{'9' * 900}.yaml]\ntimezone: {'Z' * 5000}\n")
    assert [error.path for error in config.check(tmp_path / "haidang.yaml")] == ["include[0]", "timezone"]
