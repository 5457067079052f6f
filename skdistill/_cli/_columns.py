"""The columns of a CSV file that are learned from, and what is noted about them."""

from __future__ import annotations

import re
import warnings
from argparse import Namespace
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._frames import Kind, find_kinds
from ._errors import Refusal
from ._written_numbers import WRITE_NUMBERS, describe_text

#: Share of different values from which a column looks like an identifier.
_IDENTIFIER_SHARE = 0.99
#: More different strings than this, or than a tenth of the rows, are left out.
_MAX_STRINGS = 100
#: Beyond it a number is infinite in float32, in which several models compute.
LARGEST = float(np.finfo(np.float32).max)
#: Names of a date's numbers, and pandas' own; the last are counted.
_DATE_PARTS = {
    "year": "year",
    "month": "month",
    "weekday": "day_of_week",
    "hour": "hour",
    "days": None,
}


@dataclass(frozen=True)
class Columns:
    """The columns to learn from."""

    #: The kind of each, in the order of the file.
    kinds: dict[str, Kind]
    #: The format of each of them that holds dates.
    dates: dict[str, str]
    #: What the user should know of them, one line each.
    notes: list[str]


def choose_columns(X: Any, options: Namespace) -> Columns:
    """Decide from a table which of its columns are learned, and how."""
    _check_options(X, options)
    X = X.drop(columns=options.drop)
    if not len(X.columns):
        raise Refusal(f"no column is left of {options.data} to learn from.")
    kinds = find_kinds(X)
    free = [name for name in kinds if name not in options.keep]
    strings = [name for name in free if kinds[name] == "string"]
    formats = {name: _find_date_format(X[name]) for name in strings}
    dates = {name: form for name, form in formats.items() if form is not None}
    most = max(_MAX_STRINGS, len(X) // 10)
    left_out = [s for s in strings if s not in dates and X[s].nunique() > most]
    taken = {name: kind for name, kind in kinds.items() if name not in left_out}
    checked = [name for name in free if name in taken and name not in dates]
    notes = [
        f"{name!r} holds dates; the model takes instead "
        + _quote([f"{name}.{part}" for part in _DATE_PARTS])
        + " (Monday is weekday 0; days since 1970-01-01, UTC)."
        + _note_order(X[name], form)
        for name, form in dates.items()
    ]
    if left_out:
        words = (
            f"left out, as text with more than {most} different values: "
            f"{_quote(left_out)} (--keep NAME takes it)."
        )
        if numbers := _note_numbers(X[left_out]):
            words += f" {numbers}"
        if not taken:
            raise Refusal(f"no column is left of {options.data} to learn from; {words}")
        notes.insert(0, words)
    learned = [s for s in strings if s in taken and s not in dates]
    if numbers := _note_numbers(X[learned]):
        notes.append(f"learned as categories, not as numbers: {numbers}")
    return Columns(taken, dates, notes + _note_identifiers(X[checked], kinds))


def take_columns(X: Any, columns: Columns, source: Any) -> Any:
    """Return the chosen columns of a table, dates as numbers."""
    absent = sorted(columns.kinds.keys() - {*X.columns})
    if absent:
        raise Refusal(f"{source} lacks columns of the rows to learn from: {absent}.")
    X = X[list(columns.kinds)]
    for name in columns.kinds:
        if name in columns.dates:
            X = _replace_date(X, name, columns.dates[name], source)
    for name in X.select_dtypes("number").columns:
        _check_numbers(X[name], source)
    return X


def _check_options(X: Any, options: Namespace) -> None:
    for option in ("drop", "keep"):
        unknown = [name for name in getattr(options, option) if name not in X.columns]
        if unknown:
            raise Refusal(
                f"--{option} {unknown[0]!r}: {options.data} has no such feature."
            )
    both = [name for name in options.drop if name in options.keep]
    if both:
        raise Refusal(f"give column {both[0]!r} to --drop or to --keep, not to both.")


def _check_numbers(column: Any, source: Any) -> None:
    values = column.to_numpy(float)
    large = np.flatnonzero(np.abs(values) > LARGEST)
    if len(large):
        raise Refusal(
            f"column {column.name!r} of {source} holds {values[large[0]]:g} in row "
            f"{large[0] + 1}; infinity and numbers beyond {LARGEST:.2g} can't be "
            "learned."
        )


def _note_numbers(X: Any) -> str:
    """Say which columns of strings look like numbers that are written for people."""
    looks = {name: describe_text(X[name].dropna().unique()) for name in X.columns}
    found = [f"{name!r} {words}" for name, words in looks.items() if words]
    if not found:
        return ""
    return f"{' and '.join(found)}{WRITE_NUMBERS}, and leave a missing one blank."


# Dates -------------------------------------------------------------------------------


def _find_date_format(column: Any) -> str | None:
    """Return the format in which all strings of a column are dates, or None."""
    present = column.dropna()
    if not any(map(str.isdigit, present.iloc[0])):
        return None
    for form in _list_date_formats(present.iloc[0]):
        # A few values first: most columns of strings are no dates.
        parts = present[:20], present
        if all(_parse_dates(part, form).notna().all() for part in parts):
            return form
    return None


def _list_date_formats(value: str) -> list[str]:
    """Return the formats with a year that a value may have, the likely ones first."""
    from pandas.tseries.api import guess_datetime_format

    # Between points the day comes first.
    points = re.match(r"\s*\d+\.\d+\.", value) is not None
    with warnings.catch_warnings():
        # It warns where only one order of day and month is possible.
        warnings.simplefilter("ignore", UserWarning)
        orders = points, not points
        guesses = [guess_datetime_format(value, dayfirst=order) for order in orders]
    known = [form for form in guesses if form is not None and "%Y" in form]
    return ["ISO8601", *known, "%m/%d/%y", "%d/%m/%y", "%d.%m.%y"]


def _note_order(column: Any, form: str) -> str:
    """Return what to say where month and day might be the other way round."""
    if form[:3] not in ("%m/", "%d/", "%m-", "%d-"):
        return ""
    other = form.translate(str.maketrans("md", "dm"))
    present = column.dropna()
    dates, others = (_parse_dates(present, f) for f in (form, other))
    if others.isna().any() or dates.equals(others):
        return ""
    first = "month" if form.startswith("%m") else "day"
    return (
        f" Nothing tells month from day, and the {first} is taken to come first: write "
        "dates as 2024-12-31 to be sure."
    )


def _parse_dates(column: Any, form: str) -> Any:
    import pandas as pd

    return pd.to_datetime(column, format=form, errors="coerce", utc=True)


def _replace_date(X: Any, name: str, form: str, source: Any) -> Any:
    """Put the numbers of a date in place of its column."""
    import pandas as pd

    dates = _parse_dates(X[name], form)
    odd = X[name][dates.isna() & X[name].notna()]
    if len(odd):
        raise Refusal(
            f"column {name!r} holds dates in the rows to learn from, and "
            f"{odd.iloc[0]!r} in {source}."
        )
    since = (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    place = X.columns.get_loc(name)
    X = X.drop(columns=name)
    for k, (part, attribute) in enumerate(_DATE_PARTS.items()):
        values = since if attribute is None else getattr(dates.dt, attribute)
        if f"{name}.{part}" in X.columns:
            raise Refusal(
                f"date column {name!r} of {source} makes a second '{name}.{part}'; "
                "rename one, or leave one out with --drop."
            )
        X.insert(place + k, f"{name}.{part}", values.to_numpy(float))
    return X


def _note_identifiers(X: Any, kinds: dict[str, Kind]) -> list[str]:
    found: dict[str, list[str]] = {"numbers the rows": [], "differs in almost all": []}
    for name in X.columns:
        values = X[name].dropna()
        whole = kinds[name] == "number" and not (values % 1 != 0).any()
        if len(values) < 2 or not (whole or kinds[name] == "string"):
            continue
        steps: Any = np.unique(np.diff(values.to_numpy(float))) if whole else []
        if len(steps) == 1 and steps[0] != 0:
            found["numbers the rows"].append(name)
        elif values.nunique() >= _IDENTIFIER_SHARE * len(values):
            found["differs in almost all"].append(name)
    return [
        f"looks like an identifier, for it {reason}: {_quote(names)} (--drop NAME "
        "leaves it out, --keep NAME takes it without this note)."
        for reason, names in found.items()
        if names
    ]


def _quote(names: list[str]) -> str:
    return ", ".join(map(repr, names))
