"""Numbers that are stored as text, which the default models take for categories."""

from __future__ import annotations

import re
from typing import Any

import narwhals.stable.v2 as nw
from scipy.sparse import issparse

from .._frames import find_kind, list_columns, list_some
from .._warnings import warn_caller
from ._defaults import MAX_CATEGORIES

#: Numbers, with a decimal point or comma; those that begin with 0 are codes.
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?\s*", re.IGNORECASE)
_CODE = re.compile(r"\s*0\d")

#: Least share of the different texts that are numbers (others mark missing values), and
#: of different numbers among them all: categories with two rows each teach nothing.
_NUMBERS, _DIFFERENT = 0.9, 0.5


def warn_of_text_numbers(X: Any) -> None:
    """Warn where columns of text hold numbers, and are no codes that repeat."""
    if issparse(X):
        return
    columns = zip(*list_columns(X), strict=True)
    found = [name for name, column in columns if _holds_numbers(column)]
    if found:
        warn_caller(
            "The default teacher and student make categories of text, and columns "
            f"{list_some(found)} hold numbers as text. Convert them, by "
            "X.astype(float) or pandas.to_numeric; codes of which most rows have one "
            "of their own are best left out."
        )


def _holds_numbers(column: Any) -> bool:
    if find_kind(column) != "string":
        return False
    values = column.to_list() if isinstance(column, nw.Series) else column.tolist()
    texts = [value for value in values if isinstance(value, str)]
    different = set(texts)
    if len(different) <= MAX_CATEGORIES:
        return False
    numbers = {text for text in different if _NUMBER.fullmatch(text)}
    if len(numbers) < _NUMBERS * len(different) or any(map(_CODE.match, numbers)):
        return False
    return len(numbers) >= _DIFFERENT * sum(text in numbers for text in texts)
