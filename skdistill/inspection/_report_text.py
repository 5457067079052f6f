"""The report in plain text: lines of 80 columns, and tables of 100 at most."""

from __future__ import annotations

import textwrap
from typing import Any

from ._report_sections import SIDE_BY_SIDE, Section

_WIDTH, _TABLE_WIDTH = 80, 100
_MAX_PARTS = 20
_MIN_NAME = 12


def format_text(report: Any) -> str:
    """Return the report in plain text."""
    title = report._title()
    lines = [title, "=" * len(title)]
    for section in report._sections(_MAX_PARTS):
        lines += ["", section.title, "-" * len(section.title)]
        for line in section.lines:
            lines += textwrap.wrap(
                line, _WIDTH, subsequent_indent="  ", break_on_hyphens=False
            )
        lines += format_table(section, _TABLE_WIDTH)
    return "\n".join(line.rstrip() for line in lines)


def format_table(section: Section, page: int) -> list[str]:
    """Names to the left, figures to the right; long names are cut to fit."""
    if not section.table:
        return []
    heads = [cell.split("\n") for cell in section.header]
    depth = max(len(head) for head in heads)
    heads = [[""] * (depth - len(head)) + head for head in heads]
    table = [*map(list, zip(*heads, strict=True)), *section.table]
    widths = [max(len(row[k]) for row in table) for k in range(len(heads))]
    if section.title != SIDE_BY_SIDE:
        # Names of classes and groups; those of figures are never cut.
        rest = sum(widths[1:]) + 2 * len(widths[1:])
        widths[0] = min(widths[0], max(page - rest, _MIN_NAME))
    room = (page - widths[0]) // len(widths[1:]) - 2
    if sum(widths) + 2 * len(widths[1:]) > page:
        widths[1:] = [min(width, room) for width in widths[1:]]
    return [
        "  ".join(
            _fit(cell, width).ljust(width) if k == 0 else _fit(cell, width).rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
