"""Numbers of a CSV file that are written with a comma, or for people."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import numpy as np

from .._frames import find_kinds

#: Numbers with points between thousands, if any, and a comma before a fraction.
_COMMAS = r"[-+]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?"
#: Those of them that can be nothing else: a comma of 1,500 may separate thousands.
_CERTAIN = r".*(\..*,\d+|,(\d{1,2}|\d{4,}))"
#: Numbers whose points may separate thousands, unlike 0.531, 12.34 and 1500.125.
_POINTS = r"[-+]?([1-9]\d{0,2}(\.\d{3})+|\d{1,3})"
#: A number with a currency, separators of thousands or a sign of percent, not 007.
_WRITTEN = re.compile(
    r"[-+(]?\s*[$€£]?\s*(0|[1-9]\d{0,2}([,. ']?\d{3})*)([.,]\d+)?(e[-+]?\d+)?"
    r"\s*[%€$£)]*",
    re.IGNORECASE,
)
#: Share of different values from which text looks like numbers, and odd ones named.
_NUMBERS_SHARE, _MAX_ODD = 0.9, 3
#: What to do about it.
WRITE_NUMBERS = ": write numbers as 1234.5"
#: Fewer numbers with a point may look like thousands by chance.
_FEWEST_POINTS = 3


def find_commas(frame: Any, known: Collection[str]) -> list[str]:
    """Return the columns of text that are numbers such as 1,5 and 1.234,5.

    Where one of them is certain, or known, 1,500 of another has a fraction, too.
    """
    found, certain = [], False
    for name, kind in find_kinds(frame).items():
        present = frame[name].dropna()
        if kind != "string" or not len(present):
            continue
        present = present.str.strip()
        signs = present.str.contains("[.,]").any()
        if signs and present.str.fullmatch(_COMMAS).all():
            found.append(name)
            certain |= name in known or present.str.fullmatch(_CERTAIN).any()
    return found if certain else []


def list_thousandths(frame: Any) -> list[str]:
    """Return the columns of numbers below 1000 with three decimal places at most."""
    floats = frame.select_dtypes("float")
    return [name for name in floats.columns if _has_thousandths(floats[name].dropna())]


def _has_thousandths(values: Any) -> bool:
    thousandths = 1000 * values
    off = (thousandths - thousandths.round()).abs()
    return len(values) > 0 and bool(((values.abs() < 1000) & (off < 1e-6)).all())


def read_numbers(
    frame: Any, written: Any, commas: list[str], thousands: Collection[str] | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Put numbers in place of columns with decimal commas, or points between thousands.

    The first are `commas`. `written` has the columns of `list_thousandths` as they
    stand in the file. Points separate thousands in columns of `thousands`; None: in
    those where the file tells it. Return a number of each column where they do, and
    where they may.
    """
    points = _find_points(frame, written)
    if thousands is None:
        sure, maybe = _decide_points(frame, points, bool(commas))
    else:
        sure, maybe = [name for name in points if name in thousands], []
    columns = {name: written[name].where(frame[name].notna()) for name in sure}
    for name in commas:
        columns[name] = present = frame[name].dropna()
        points[name] = present[present.str.contains(".", regex=False)]
    for name, column in columns.items():
        frame[name] = _read_commas(column)
    sure = [name for name in columns if len(points[name])]
    read, doubtful = ({n: points[n].iloc[0] for n in part} for part in (sure, maybe))
    return read, doubtful


def _find_points(frame: Any, written: Any) -> dict[str, Any]:
    """Return the numbers with a point of columns where it may separate thousands.

    `written` has the columns of `list_thousandths` as they stand in the file.
    """
    found = {}
    for name in written.columns:
        values = written[name][frame[name].notna()].str.strip()
        points = values[values.str.contains(".", regex=False)]
        if len(points) and values.str.fullmatch(_POINTS).all():
            found[name] = points
    return found


def _decide_points(
    frame: Any, points: dict[str, Any], decimal_commas: bool
) -> tuple[list[str], list[str]]:
    """Return the columns whose points separate thousands, and those where they may.

    Decimal commas elsewhere in the file tell it, unless there are decimal points, too.
    A column itself makes it likely: where 50.140 stands beside 586, places of decimals
    would be neither always written nor cut where they end in 0.
    """
    floats = frame.select_dtypes("float").drop(columns=[*points])
    decimal_points = bool((floats.notna() & (floats % 1 != 0)).any(axis=None))
    sure, maybe = [], []
    for name, found in points.items():
        few = len(found) < _FEWEST_POINTS or len(found) == frame[name].notna().sum()
        likely = not few and found.str.endswith("0").any()
        if decimal_commas and (likely or not decimal_points):
            sure.append(name)
        elif likely:
            maybe.append(name)
    return sure, maybe


def _read_commas(text: Any) -> Any:
    """Return numbers of text in which a comma is the decimal sign."""
    import pandas as pd

    text = text.str.strip().str.replace(".", "", regex=False)
    return pd.to_numeric(text.str.replace(",", ".", regex=False))


def describe_text(values: Collection[str]) -> str:
    """Say that different values look like numbers written for people, or return ""."""
    values = [value.strip() for value in values]
    odd = [value for value in values if not _WRITTEN.fullmatch(value)]
    if len(odd) > (1 - _NUMBERS_SHARE) * len(values) or len(odd) == len(values):
        return ""
    first = next(value for value in values if value not in odd)
    more = ", ..." if len(odd) > _MAX_ODD else ""
    but = f", but for {', '.join(map(repr, odd[:_MAX_ODD]))}{more}" if odd else ""
    return f"looks like numbers, such as {first!r}{but}"


def describe_labels(y: Any) -> str:
    """Say it of the different labels of a target, where they are text."""
    return describe_text(np.unique(y)) if y.dtype.kind == "U" else ""


def note_points(
    thousands: dict[str, str], doubtful: dict[str, str], names: Collection[str]
) -> list[str]:
    """Say how points of these columns are read, and how to write what is meant else.

    Both have a number with a point, by the name of its column.
    """
    read, unsure = (
        "; ".join(f"{n!r}, {value}" for n, value in part.items() if n in names)
        for part in (thousands, doubtful)
    )
    notes = []
    if read:
        notes.append(
            f"the file has decimal commas, so that points separate thousands ({read}); "
            "write fractions after a comma alone."
        )
    if unsure:
        notes.append(
            f"points are taken for decimal points ({unsure}), but three digits follow "
            "each and other values have none, as where they separate thousands; write "
            "those without points."
        )
    return notes
