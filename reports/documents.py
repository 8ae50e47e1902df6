"""The report as PDF and as one self-contained HTML file; the same report gives the same bytes."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path

import jinja2
import typst

from reports.model import Report
from reports.pages import laid_out
from reports.words import Words

HTML_ROWS = 5_000
"""Of each table of the HTML file; more make a browser slow."""


def as_html(report: Report, words: Words) -> bytes:
    """Write the report as one file that loads nothing from anywhere."""
    return (_template().render(data=laid_out(report, words, HTML_ROWS)).rstrip() + "\n").encode()


def as_pdf(report: Report, words: Words) -> bytes:
    """Typeset the report as PDF/A. Fonts are our own alone, so that it looks the same on every machine.

    Raises:
        typst.TypstError: it cannot be typeset; a fault of ours.
    """
    data = json.dumps(laid_out(report, words), ensure_ascii=False)
    try:
        return _typeset(report, data, ["a-2a"])
    except typst.TypstError:
        # A name has a letter that our fonts lack, an emoji say: PDF/A may have no empty box in its place, a PDF may.
        return _typeset(report, data, [])


def _typeset(report: Report, data: str, standards: list[typst.PDFStandard]) -> bytes:
    with resources.as_file(resources.files("reports")) as room:
        made = typst.compile(
            str(room / "templates" / "report.typ"), format="pdf", font_paths=_fonts(room), ignore_system_fonts=True,
            sys_inputs={"data": data}, timestamp=round(report.until.timestamp()), pdf_standards=standards,
        )  # fmt: skip
    assert isinstance(made, bytes)  # noqa: S101 one document was asked for
    return made


def _fonts(room: Path) -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(room / "fonts")])


@cache
def _template() -> jinja2.Template:
    text = (resources.files("reports") / "templates" / "report.html").read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
