"""Tables and summaries that the benchmarks print."""

from __future__ import annotations

import numpy as np


def spread(values) -> dict[str, float]:
    """Mean, and standard deviation between seeds: NaN of a single one."""
    values = np.asarray(list(values), dtype=float)
    sd = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return {"mean": float(values.mean()), "sd": sd}


def show(summary: dict[str, float], digits: int = 4) -> str:
    """Mean ± standard deviation; the mean alone where one seed has no deviation."""
    text = f"{summary['mean']:.{digits}f}"
    return text if np.isnan(summary["sd"]) else f"{text} ± {summary['sd']:.{digits}f}"


def group(records: list[dict], *names: str) -> dict[tuple, list[dict]]:
    """Records by the values of some columns."""
    groups: dict[tuple, list[dict]] = {}
    for record in records:
        groups.setdefault(tuple(record[name] for name in names), []).append(record)
    return groups


def sort_like(records: list[dict], **orders) -> list[dict]:
    """Sort by the position of a column's value in a list, the first column first."""

    def find_place(record: dict) -> list[int]:
        return [list(order).index(record[name]) for name, order in orders.items()]

    return sorted(records, key=find_place)


def print_table(title: str, header: list[str], rows: list[list]) -> None:
    """Print a Markdown table with aligned columns."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[k]) for row in cells) for k in range(len(header))]
    cells.insert(1, ["-" * width for width in widths])
    print(f"\n{title}\n")
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print(f"| {' | '.join(padded)} |")
