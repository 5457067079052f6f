"""CatBoost's symmetric trees, with its own categories.

A split on one column of categories, by hash or by statistics of the target, sends each
category to one side. The model itself tells which: the bits of a leaf's number are the
sides at the splits of its tree.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_regressor

from ..._typing import IndexArray
from ._table import UnsupportedError
from ._trees import Split, Trees, join_trees

_ENDINGS = {"Logloss": "sigmoid", "CrossEntropy": "sigmoid", "MultiClass": "softmax"}
#: Losses of regressors whose scores are the values.
_VALUES = (
    *("RMSE", "MAE", "Quantile", "MAPE", "Huber", "Expectile", "Lq", "LogCosh"),
    *("MultiRMSE", "MultiQuantile"),
)
_UNKNOWN = "\0 no category"


def read_catboost(learner: Any, orders: Mapping[int, tuple[Any, ...]]) -> Trees | None:
    """Read a model; None: it has another loss, or trees of another shape.

    `orders` holds, for each column of categories, these in the order of their codes.
    Raise an UnsupportedError where splits depend on several columns.
    """
    loss = learner.get_all_params()["loss_function"].partition(":")[0]
    endings = dict.fromkeys(_VALUES, "none") if is_regressor(learner) else _ENDINGS
    ending = endings.get(loss)
    model = _read_json(learner)
    if ending is None or "oblivious_trees" not in model:
        return None
    columns, missing_left = _list_splits(model["features_info"])
    trees = model["oblivious_trees"]
    used = {columns[s["split_index"]] for tree in trees for s in tree["splits"] or []}
    asked = used.intersection(learner.get_cat_feature_indices())
    sides = {k: _ask_sides(learner, k, orders) for k in asked}
    scale, bias = model["scale_and_bias"]
    start = np.ravel(bias).astype(float)
    parts = []
    for number, tree in enumerate(trees):
        splits = tree["splits"] or []
        held = [columns[split["split_index"]] for split in splits]
        values = np.reshape(tree["leaf_values"], (-1, len(start))) * scale
        part = _flatten(splits, held, missing_left, values)
        for node, level in enumerate(_list_levels(len(held)).tolist()):
            if held[level] in sides:
                bits = sides[held[level]][:, number] >> level & 1
                left = np.flatnonzero(bits[:-1] == 0).tolist()
                part["splits"][node] = Split(held[level], tuple(left), bits[-1] == 0)
        parts.append(part)
    return join_trees(parts, start=start, ending=ending, single=True)


def _read_json(learner: Any) -> dict[str, Any]:
    """Return a model as CatBoost writes it, in a file only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        learner.save_model(str(path), format="json")
        return json.loads(path.read_bytes())


def _list_splits(info: dict[str, Any]) -> tuple[list[int], dict[int, bool]]:
    """Return the column of each split, and which columns send a missing number left."""
    columns: list[int] = []
    missing_left = {}
    for feature in info.get("float_features", []):
        k = feature["flat_feature_index"]
        columns += [k] * len(feature["borders"] or [])
        missing_left[k] = feature["nan_value_treatment"] != "AsTrue"
    categorical = info.get("categorical_features", [])
    for feature in categorical:
        columns += [feature["flat_feature_index"]] * len(feature.get("values") or [])
    for statistic in info.get("ctrs") or []:
        elements = statistic["elements"]
        if len(elements) > 1:
            raise UnsupportedError(
                "CatBoost's statistics of combined columns; max_ctr_complexity=1 makes "
                "none"
            )
        k = categorical[elements[0]["cat_feature_index"]]["flat_feature_index"]
        columns += [k] * len(statistic["borders"] or [])
    return columns, missing_left


def _ask_sides(
    learner: Any, k: int, orders: Mapping[int, tuple[Any, ...]]
) -> IndexArray:
    """Return the leaves of each category of a column, and last of any other value."""
    from catboost import Pool

    n_columns = len(learner.feature_names_)
    row = [orders[j][0] if j in orders else 0.0 for j in range(n_columns)]
    rows = [[*row[:k], value, *row[k + 1 :]] for value in (*orders[k], _UNKNOWN)]
    pool = Pool(rows, cat_features=list(orders), feature_names=learner.feature_names_)
    return np.asarray(learner.calc_leaf_indexes(pool), dtype=np.intp)


def _list_levels(depth: int) -> IndexArray:
    """Return the level of each node that splits; those below k are 2k+1 and 2k+2."""
    return np.repeat(np.arange(depth), 2 ** np.arange(depth))


def _flatten(
    splits: list[Any], held: list[int], missing_left: dict[int, bool], values: Any
) -> dict[str, Any]:
    depth = len(splits)
    n_inner, n_nodes = 2**depth - 1, 2 ** (depth + 1) - 1
    place = np.arange(n_nodes)
    level = _list_levels(depth)
    # The first split is the lowest bit of a leaf's number, the highest of its place.
    bits = np.arange(2**depth)[:, None] >> np.arange(depth)[::-1] & 1
    number = bits @ (1 << np.arange(depth))
    column, threshold = np.full(n_nodes, -1), np.zeros(n_nodes)
    missing = np.zeros(n_nodes, dtype=bool)
    value = np.zeros((n_nodes, values.shape[1]))
    column[:n_inner] = np.array(held, dtype=int)[level]
    # Those of categories are replaced by their sides.
    threshold[:n_inner] = np.array([s.get("border", 0.0) for s in splits])[level]
    missing[:n_inner] = [missing_left.get(k, True) for k in column[:n_inner].tolist()]
    value[n_inner:] = values[number]
    below = {
        name: np.where(place < n_inner, 2 * place + add, -1)
        for name, add in (("left", 1), ("right", 2))
    }
    return {
        **{"column": column, "threshold": threshold, "missing_left": missing},
        **{"value": value, "splits": {}, **below},
    }
