"""The report in HTML: a fragment for a notebook, and a page with pictures."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import Any

from .._version import __version__
from ._plotting import require_matplotlib
from ._report_sections import SIDE_BY_SIDE, WARNINGS, Section

#: Colours are inherited, so that it fits any theme of a notebook.
_STYLE = """
.skdistill-report h2 { font-size: 1.1em; margin: 1.2em 0 .3em; }
.skdistill-report table { border-collapse: collapse; margin: .4em 0 1em;
  color: inherit; font-size: inherit; }
.skdistill-report th, .skdistill-report td { padding: .15em .8em; text-align: right;
  border: 0; border-bottom: 1px solid rgba(128, 128, 128, .35);
  font-variant-numeric: tabular-nums; }
.skdistill-report th { vertical-align: bottom; font-weight: 600; }
.skdistill-report th:first-child { text-align: left; min-width: 7em; }
.skdistill-report thead th { white-space: nowrap; }
.skdistill-report tbody th { font-weight: inherit; }
.skdistill-report li { overflow-wrap: anywhere; }
.skdistill-report .wide { overflow-x: auto; }
.skdistill-report ul { margin: .3em 0 1em; padding-left: 1.3em; }
.skdistill-report .warnings ul { margin: .4em 0; }
.skdistill-report .warnings { border-left: 4px solid #d55e00; padding: .1em 1em;
  background: rgba(213, 94, 0, .10); }
"""

#: Pictures are drawn on white; in the dark they are inverted, hues kept.
_PAGE_STYLE = """
:root { color-scheme: light dark; }
body { margin: 2em auto; max-width: 64em; padding: 0 1em; color: #1b1b1b;
  background: #fff; font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5em; }
figure { margin: 0; } figcaption, footer { font-size: .87em; opacity: .75; }
.pictures { display: grid; gap: 1.5em;
  grid-template-columns: repeat(auto-fit, minmax(min(24em, 100%), 1fr)); }
img { width: 100%; height: auto; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e6e6; background: #151515; }
  img { filter: invert(.917) hue-rotate(180deg); }
}
"""


def format_fragment(report: Any) -> str:
    """Return tables and sentences for a cell of a notebook."""
    body = "\n".join(_format_section(section) for section in report._sections())
    return (
        f'<div class="skdistill-report"><style>{_STYLE}</style>\n'
        f"<p><strong>{escape(report._title())}</strong></p>\n{body}\n</div>"
    )


def format_page(report: Any) -> str:
    """Return a page that holds its style and its pictures."""
    title = escape(report._title())
    sections = report._sections()
    parts = [_format_section(section) for section in sections]
    # Between the summary and the details.
    place = [section.title for section in sections].index(SIDE_BY_SIDE) + 1
    parts.insert(place, _format_pictures(report))
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}{_PAGE_STYLE}</style>\n</head>\n"
        f'<body class="skdistill-report">\n<h1>{title}</h1>\n{body}\n'
        f"<footer>skdistill {__version__}. Times hold for the machine that they were "
        "measured on.</footer>\n</body>\n</html>\n"
    )


def _format_section(section: Section) -> str:
    if section.table:
        lines = "".join(f"<p>{escape(line)}</p>" for line in section.lines)
    else:
        items = "".join(f"<li>{escape(line)}</li>" for line in section.lines)
        lines = f"<ul>{items}</ul>"
    if section.title == WARNINGS:
        lines = f'<div class="warnings">{lines}</div>'
    return f"<h2>{escape(section.title)}</h2>\n{lines}{_format_table(section)}"


def _format_table(section: Section) -> str:
    if not section.table:
        return ""
    head = "".join(
        f'<th scope="col">{_break_lines(cell)}</th>' for cell in section.header
    )
    body = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for name, *row in section.table
    )
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _break_lines(cell: str) -> str:
    # A hyphen before the break is there for narrow columns of text alone.
    return escape(cell).replace("-\n", "").replace("\n", "<br>")


def _format_pictures(report: Any) -> str:
    owner = type(report).__name__
    drawn = {text: _draw(draw, text, owner) for text, draw in report._pictures()}
    figures = "\n".join(
        f'<figure><img alt="{escape(text)}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{escape(text)}</figcaption></figure>"
        for text, data in drawn.items()
    )
    return f'<h2>Pictures</h2>\n<div class="pictures">\n{figures}\n</div>'


def _draw(draw: Any, salt: str, owner: str) -> str:
    """The picture in matplotlib's default style, the same bytes every time."""
    require_matplotlib(f"{owner}.to_html")
    from matplotlib import rc_context, style
    from matplotlib.figure import Figure

    with style.context("default", after_reset=True), rc_context({"svg.hashsalt": salt}):
        figure = Figure(figsize=(5.6, 5.0), layout="constrained")
        draw(ax=figure.subplots())
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return base64.b64encode(buffer.getvalue()).decode()
