"""XGBoost's trees, read from the model that it writes as JSON."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from sklearn.base import is_regressor

from ..._students._xgboost import take_best_rounds
from ._trees import Split, Trees, join_trees, spread

#: Objectives whose scores are the values.
_VALUES = tuple(
    f"reg:{name}error" for name in ("squared", "absolute", "quantile", "pseudohuber")
)


def read_xgboost(learner: Any) -> Trees | None:
    booster = take_best_rounds(learner)
    model = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective = model["objective"]["name"]
    endings = {"binary:logistic": "sigmoid", "multi:softprob": "softmax"}
    if is_regressor(learner):
        endings = dict.fromkeys(_VALUES, "none")
    gradient, params = model["gradient_booster"], model["learner_model_param"]
    known = objective in endings and gradient["name"] == "gbtree"
    if not known or not np.isnan(learner.missing):
        return None
    n_scores = max(1, int(params["num_class"]), int(params.get("num_target", 1)))
    start = np.atleast_1d(json.loads(params["base_score"]))
    start = np.broadcast_to(start, n_scores).astype(np.float64)
    if objective == "binary:logistic":
        start = np.log(start / (1 - start))
    parts = []
    for tree, target in zip(
        gradient["model"]["trees"], gradient["model"]["tree_info"], strict=True
    ):
        if int(tree["tree_param"]["size_leaf_vector"]) > 1:
            return None
        part = _flatten(tree)
        part["value"] = spread(part["value"], target, n_scores)
        parts.append(part)
    settings = {"ending": endings[objective], "strict": True, "single": True}
    return join_trees(parts, start=start, **settings)


def _flatten(tree: dict[str, Any]) -> dict[str, Any]:
    left = np.array(tree["left_children"])
    right = np.array(tree["right_children"])
    leaf = left < 0
    # Written with the digits that tell numbers of float32 apart.
    threshold = np.array(tree["split_conditions"], np.float32).astype(np.float64)
    column = np.where(leaf, -1, tree["split_indices"])
    default_left = np.array(tree["default_left"], dtype=bool)
    splits = {}
    for node, begin, size in zip(
        tree["categories_nodes"],
        tree["categories_segments"],
        tree["categories_sizes"],
        strict=True,
    ):
        # The categories that are listed go right, so the sides are exchanged.
        listed = tuple(tree["categories"][begin : begin + size])
        splits[node] = Split(int(column[node]), listed, not default_left[node])
        left[node], right[node] = right[node], left[node]
    return {
        "column": column,
        "threshold": np.where(leaf, 0.0, threshold),
        "missing_left": default_left,
        "left": left,
        "right": right,
        "value": np.where(leaf, threshold, 0.0),
        "splits": splits,
    }
