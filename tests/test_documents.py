"""The pages people read: what they point to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*/README.md"))]


def _anchors(page: Path) -> set[str]:
    """Name the headings of a page as a browser of the repository does."""
    heads = re.findall(r"^#+ +(.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.strip().lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in _anchors(there)):
            lost.append(link)
    assert lost == []


def test_every_page_of_the_manual_is_reached_from_another() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    lost = [
        page.name
        for page in PAGES
        if page.parent.name == "docs" and not re.search(rf"{re.escape(page.name)}[)#]", text)
    ]
    assert lost == []
