"""The report in plain text, at most 100 columns wide."""

from __future__ import annotations

import textwrap
from typing import Any

from ._report_sections import SIDE_BY_SIDE, Section, make_sections, make_title

_WIDTH = 100
_MAX_PARTS = 20
_MIN_NAME = 12


def format_text(
    report: Any, width: int = _WIDTH, sections: tuple[str, ...] | None = None
) -> str:
    """Return the report, or the sections of these titles, in plain text."""
    shown = [
        section
        for section in make_sections(report, _MAX_PARTS)
        if sections is None or section.title in sections
    ]
    return format_sections(make_title(report), shown, width)


def format_sections(title: str, sections: list[Section], width: int = _WIDTH) -> str:
    """Return a title and its sections in plain text."""
    lines = [title, "=" * len(title)]
    for section in sections:
        lines += ["", section.title, "-" * len(section.title)]
        for line in section.lines:
            lines += textwrap.wrap(
                line, width, subsequent_indent="  ", break_on_hyphens=False
            )
        lines += format_table(section, width)
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
