"""The wheel: it holds what the tree holds, and works in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.parts import missing, require

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the tree without a network."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True,
        capture_output=True,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_rooms_and_nothing_else(wheel: Path) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rooms = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *rooms], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    wanted = {name for name in tracked if name and (ROOT / name).exists()}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name and ".data/" not in name}
        units = {name.rpartition("/")[2] for name in archive.namelist() if ".data/" in name}
    assert held == wanted
    assert "haidang.service" in units
    assert not any(name.startswith(("tests/", "benchmarks/", "docs/")) for name in held)


def test_every_room_of_the_tree_is_in_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rooms = set(settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert rooms == packages


def test_the_installed_command_runs_outside_the_tree(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    site = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], check=True, capture_output=True,
        text=True,
    ).stdout.strip()  # fmt: skip
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check",
         "--target", site, str(wheel)], check=True, capture_output=True,
    )  # fmt: skip
    # The dependencies are this environment's; our own rooms must come from the wheel.
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    (tmp_path / "libraries").mkdir()
    for entry in Path(libraries).iterdir():
        if "haidang" not in entry.name and not entry.name.startswith("__editable__"):
            (tmp_path / "libraries" / entry.name).symlink_to(entry)
    (Path(site) / "libraries.pth").write_text(str(tmp_path / "libraries") + "\n", encoding="utf-8")

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(python), "-P", "-m", "haidang", *words], check=False, capture_output=True, text=True, cwd=tmp_path
        )

    assert command("--version").stdout.startswith("haidang ")
    probed = command("probe", "host", "--json")
    assert probed.returncode == 0, probed.stderr
    assert '"mem.used_percent"' in probed.stdout
    where = subprocess.run(
        [str(python), "-P", "-c", "import config, storage; print(config.__file__, storage.__file__)"], check=True,
        capture_output=True, text=True, cwd=tmp_path,
    ).stdout  # fmt: skip
    assert str(ROOT) not in where


@pytest.mark.slow
def test_an_installation_that_cannot_have_its_packages_says_what_helps_and_leaves_nothing(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        missing("the script wants root: sudo")
    python = "/usr/bin/python3"  # a Python in somebody's home is refused
    made = subprocess.run(["env", python, "-c", "import ensurepip, tomllib"], check=False, capture_output=True)
    if made.returncode != 0:
        missing(f"{python} is missing, older than 3.11 or cannot make environments: apt-get install python3-venv")
    done = subprocess.run(
        [ROOT / "systemd" / "install.sh"], capture_output=True, text=True, check=False, timeout=80,
        env={**os.environ, "PREFIX": str(tmp_path / "haidang"), "PYTHON": python, "PIP_NO_INDEX": "1"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_the_unit_is_hardened() -> None:
    analyse = require("systemd-analyze", "systemd")
    told = subprocess.run(
        [analyse, "security", "--offline=yes", "--no-pager", str(ROOT / "systemd" / "haidang.service")],
        check=False, capture_output=True, text=True,
    ).stdout  # fmt: skip
    level = next(line for line in told.splitlines() if "Overall exposure level" in line)
    assert float(level.split(":")[1].split()[0]) <= 1.5, level
