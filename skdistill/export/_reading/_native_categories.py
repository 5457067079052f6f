"""Categories that boosted trees take as they are, as columns of numbers.

A split of categories becomes one column, 0 for what goes left and 1 for the rest, which
is looked up as every encoding is: so a row costs one look-up, whatever the splits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.multioutput import MultiOutputRegressor

from ..._typing import FloatArray
from .._libraries import is_from
from .._tree_kinds import Histograms
from ._inputs import Inputs
from ._preprocessing import transform_table
from ._read_trees import read_trees
from ._table import Category, Table, UnsupportedError, Value, join_tables, look_up
from ._trees import Split, Trees, join_outputs
from ._trees_catboost import read_catboost
from ._unscale import unscale


def read_compared(learner: Any, table: Table, inputs: Inputs) -> tuple[Trees, Table]:
    """Return a learner's trees without splits of categories, and what they compare.

    They compare numbers as they are given, whatever scalers make of them; `table` holds
    the columns as they arrive. Raise an UnsupportedError where the learner is no tree,
    forest or boosted trees, or compares something else.
    """
    several = isinstance(learner, MultiOutputRegressor)
    members = learner.estimators_ if several else [learner]
    # All of them were fitted on the same columns.
    orders = _list_orders(members[0], table, inputs.categories)
    parts = [
        read_catboost(member, orders)
        if is_from(member, "catboost")
        else read_trees(member)
        for member in members
    ]
    found = [part for part in parts if part is not None]
    trees = None
    if len(found) == len(parts):
        trees = join_outputs(found) if several else found[0]
    if trees is None:
        raise UnsupportedError(describe_learner(learner))
    encoded = _encode_categories(members[0], table, orders)
    return unscale(*_replace_splits(trees, encoded), inputs.given_dtype)


def describe_learner(learner: Any) -> str:
    """Return a learner's class, and the settings that decide about its trees."""
    name = type(learner).__name__
    if isinstance(learner, MultiOutputRegressor):
        return f"{name} of {describe_learner(learner.estimators_[0])}"
    if isinstance(getattr(learner, "init_", None), BaseEstimator):
        return f"{name} with init={learner.init_!r}"
    settings = {k: getattr(learner, k, None) for k in _list_settings(learner)}
    if is_from(learner, "catboost"):
        given = learner.get_all_params()
        settings = {key: given[key] for key in ("grow_policy", "loss_function")}
    shown = [
        f"{key.rstrip('_')}={value!r}"
        for key, value in settings.items()
        if value is not None and value is not False and value != "gbdt"
    ]
    return f"{name} with {', '.join(shown)}" if shown else name


def _list_settings(learner: Any) -> tuple[str, ...]:
    """Return the parameters of which some values make trees that are not read."""
    if is_from(learner, "xgboost"):
        return "booster", "objective", "multi_strategy", "missing"
    if is_from(learner, "lightgbm"):
        return "objective_", "boosting_type", "zero_as_missing", "linear_tree"
    return ("loss",) if isinstance(learner, Histograms) else ()


def _list_orders(
    learner: Any, table: Table, known: Mapping[int, tuple[Any, ...]]
) -> dict[int, tuple[Any, ...]]:
    """Return the categories of a learner's columns, as it numbers them."""
    if isinstance(learner, Histograms):
        # It has an encoder of its own.
        return {}
    columns = [k for k, raw in enumerate(table.raw) if raw and raw.column in known]
    orders = [known[_find_raw(table, k).column] for k in columns]
    if is_from(learner, "lightgbm"):
        orders = list(learner.booster_.pandas_categorical or [])
    taken = len(columns)
    if is_from(learner, "catboost"):
        held = learner.get_cat_feature_indices()
        taken = len(columns) if set(held) <= set(columns) else -1
    if len(orders) != taken:
        raise UnsupportedError("categories of columns that X_example declares none of")
    return dict(zip(columns, orders, strict=True))


def _encode_categories(
    learner: Any, table: Table, orders: Mapping[int, tuple[Any, ...]]
) -> Table:
    """Return the columns as a learner numbers their categories."""
    if isinstance(learner, Histograms):
        own = getattr(learner, "_preprocessor", None)
        return table if own is None else transform_table(own, table)
    return join_tables(
        [
            _number(_find_raw(table, k), orders[k])
            if k in orders
            else table.select(np.array([k]))
            for k in range(table.width)
        ]
    )


def _find_raw(table: Table, k: int) -> Value:
    raw = table.raw[k]
    if raw is None or raw.fill is not None:
        raise UnsupportedError("categories after arithmetic")
    return raw


def _number(raw: Value, order: Any) -> Table:
    """Return the position of a category; NaN for any other value."""
    codes = np.r_[np.arange(len(order), dtype=float), np.nan]
    return look_up(Category(raw.column, tuple(order)), codes)


def _replace_splits(trees: Trees, table: Table) -> tuple[Trees, Table]:
    """Let columns of 0 and 1 stand for the splits of categories.

    The columns that no node compares are left out.
    """
    distinct = list(dict.fromkeys(trees.splits.values()))
    column, threshold = trees.column.copy(), trees.threshold.copy()
    for node, split in trees.splits.items():
        column[node] = table.width + distinct.index(split)
        threshold[node] = 0.5
    compared = np.unique(column[column >= 0])
    kept = compared[compared < table.width]
    joined = join_tables(
        [table.select(kept), *(_indicate(table, split) for split in distinct)]
    )
    column[column >= 0] = np.searchsorted(
        np.r_[kept, table.width + np.arange(len(distinct))], column[column >= 0]
    )
    if any(table.raw[k] and not table.is_number(k) for k in kept):
        raise UnsupportedError("strings that are not encoded")
    return replace(trees, column=column, threshold=threshold, splits={}), joined


def _indicate(table: Table, split: Split) -> Table:
    """Return 0 for the values of a column that go left, else 1."""
    found, raw = table.find_lookup(split.column), table.raw[split.column]
    if found is not None:
        atom, codes = found
    elif raw is not None and raw.fill is None and table.is_number(split.column):
        # Numbers that are categories: those of the split, a missing one, any other.
        known = (*map(float, split.categories), None)
        atom = Category(raw.column, known, truncates=split.truncates)
        codes = np.array([*split.categories, np.nan, -1.0])
    else:
        raise UnsupportedError("categories after arithmetic")
    return look_up(atom, _go_right(codes, split))


def _go_right(codes: FloatArray, split: Split) -> FloatArray:
    missing = np.isnan(codes)
    left = np.isin(np.where(missing, -1, codes), split.categories)
    return 1.0 - np.where(missing, split.missing_left, left)
