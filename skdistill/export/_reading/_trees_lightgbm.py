"""LightGBM's trees, for any booster but a random forest."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_regressor

from ._trees import Split, Trees, join_trees, spread

#: What stands for infinity where LightGBM writes JSON: a split on "is missing" has it.
_INFINITY = 1e300
#: Objectives whose scores are the values.
_VALUES = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")


def read_lightgbm(learner: Any) -> Trees | None:
    booster = learner.booster_
    header = booster.model_to_string().split("\nTree=0")[0].splitlines()
    settings = dict(line.split("=", 1) for line in header if "=" in line)
    objective = settings.get("objective", "").split()
    endings = {"binary": "sigmoid", "cross_entropy": "sigmoid", "multiclass": "softmax"}
    scale = [float(word[8:]) for word in objective if word.startswith("sigmoid:")]
    if is_regressor(learner) and "sqrt" not in objective:
        endings = dict.fromkeys(_VALUES, "none")
    ending = endings.get(objective[0]) if objective else None
    if ending is None or "average_output" in header:
        return None
    n_scores = int(settings["num_tree_per_iteration"])
    infos = booster.dump_model()["tree_info"]
    factor = scale[0] if scale and ending == "sigmoid" else 1.0
    parts = []
    for k, info in enumerate(infos):
        part = _flatten(info["tree_structure"])
        if part is None:
            return None
        part["value"] = spread(part["value"] * factor, k % n_scores, n_scores)
        parts.append(part)
    return join_trees(parts, start=np.zeros(n_scores), ending=ending)


def _flatten(structure: dict[str, Any]) -> dict[str, Any] | None:
    nodes, stack = [], [structure]
    while stack:
        node = stack.pop()
        nodes.append(node)
        stack += [node[side] for side in ("right_child", "left_child") if side in node]
    places = {id(node): place for place, node in enumerate(nodes)}
    part: dict[str, Any] = {
        "column": np.full(len(nodes), -1),
        "threshold": np.zeros(len(nodes)),
        "missing_left": np.zeros(len(nodes), dtype=bool),
        "left": np.full(len(nodes), -1),
        "right": np.full(len(nodes), -1),
        "value": np.zeros(len(nodes)),
        "splits": {},
    }
    for place, node in enumerate(nodes):
        if "leaf_const" in node:
            # A linear model in a leaf.
            return None
        if "left_child" not in node:
            part["value"][place] = node["leaf_value"]
            continue
        if node["missing_type"] == "Zero":
            return None
        part["column"][place] = node["split_feature"]
        part["left"][place] = places[id(node["left_child"])]
        part["right"][place] = places[id(node["right_child"])]
        if node["decision_type"] == "==":
            categories = tuple(int(c) for c in str(node["threshold"]).split("||"))
            column = node["split_feature"]
            part["splits"][place] = Split(column, categories, False, truncates=True)
            continue
        threshold = node["threshold"]
        is_infinite = abs(threshold) >= _INFINITY
        infinity = np.copysign(np.inf, threshold)
        part["threshold"][place] = infinity if is_infinite else threshold
        # Where none was missing in the training rows, a missing one is 0.
        none = node["missing_type"] == "None"
        left = threshold >= 0 if none else node["default_left"]
        part["missing_left"][place] = left
    return part
