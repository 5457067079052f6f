"""What reads the trees of a fitted model, and scikit-learn's own trees.

Private names of scikit-learn: what boosting adds its trees to (`_raw_predict_init`,
`_baseline_prediction`), and the trees of histogram boosting (`_predictors`). Without
them the model is of another kind: a converter of skl2onnx takes it, or an error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor

from ..._typing import FloatArray
from .._libraries import is_from
from .._tree_kinds import Boosted, Forest, Histograms, Tree
from ._trees import Split, Trees, join_trees, spread
from ._trees_lightgbm import read_lightgbm
from ._trees_xgboost import read_xgboost


def read_trees(learner: Any) -> Trees | None:
    """Read a tree, a forest or boosted trees; None: the learner is another kind."""
    if isinstance(learner, Tree | Forest):
        return _read_forest(learner)
    if isinstance(learner, Boosted):
        return _read_boosted(learner)
    if isinstance(learner, Histograms):
        return _read_histograms(learner)
    if is_from(learner, "lightgbm"):
        return read_lightgbm(learner)
    return read_xgboost(learner) if is_from(learner, "xgboost") else None


def _read_forest(learner: Any) -> Trees:
    members, parts = getattr(learner, "estimators_", [learner]), []
    for member in members:
        value = member.tree_.value
        if is_regressor(member):
            value = value[:, :, 0]
        else:
            value = value[:, 0, :]
            value = value / value.sum(axis=1, keepdims=True)
        parts.append(_flatten_tree(member.tree_, value / len(members)))
    start = np.zeros(parts[0]["value"].shape[1])
    return join_trees(parts, start=start, ending="none", single=True)


def _flatten_tree(tree: Any, value: FloatArray) -> dict[str, Any]:
    leaf = tree.children_left < 0
    return {
        "column": np.where(leaf, -1, tree.feature),
        "threshold": tree.threshold,
        "missing_left": np.asarray(tree.missing_go_to_left, dtype=bool),
        "left": tree.children_left,
        "right": tree.children_right,
        "value": np.where(leaf[:, None], value, 0.0),
    }


def _read_boosted(learner: Any) -> Trees | None:
    constant = isinstance(learner.init_, str | DummyClassifier | DummyRegressor)
    # Otherwise it starts from what another model predicts.
    if not constant or not hasattr(learner, "_raw_predict_init"):
        return None
    (start,) = learner._raw_predict_init(np.zeros((1, learner.n_features_in_)))
    # The exponential loss is of half the logarithm of the odds.
    factor = 2.0 if learner.loss == "exponential" else 1.0
    parts = []
    for trees in learner.estimators_:
        for k, member in enumerate(trees):
            leaves = member.tree_.value[:, 0, 0] * learner.learning_rate * factor
            value = spread(leaves, k, len(start))
            parts.append(_flatten_tree(member.tree_, value))
    ending = _find_ending(learner, start)
    return join_trees(parts, start=start * factor, ending=ending, single=True)


def _find_ending(learner: Any, start: FloatArray) -> str:
    if is_regressor(learner):
        return "none"
    return "sigmoid" if len(start) == 1 else "softmax"


def _read_histograms(learner: Any) -> Trees | None:
    # Scores of these losses are logarithms.
    is_log = getattr(learner, "loss", "") in ("gamma", "poisson")
    names = "_baseline_prediction", "_predictors"
    if is_log or not all(hasattr(learner, name) for name in names):
        return None
    parts = []
    start = np.ravel(learner._baseline_prediction)
    for trees in learner._predictors:
        for k, tree in enumerate(trees):
            nodes = tree.nodes
            leaf = nodes["is_leaf"].astype(bool)
            splits = {
                int(node): Split(
                    int(nodes["feature_idx"][node]),
                    _list_bits(tree.raw_left_cat_bitsets[nodes["bitset_idx"][node]]),
                    bool(nodes["missing_go_to_left"][node]),
                )
                for node in np.flatnonzero(nodes["is_categorical"] & ~leaf)
            }
            parts.append(
                {
                    "column": np.where(leaf, -1, nodes["feature_idx"].astype(np.intp)),
                    "threshold": nodes["num_threshold"].astype(np.float64),
                    "missing_left": nodes["missing_go_to_left"].astype(bool),
                    "left": nodes["left"].astype(np.intp),
                    "right": nodes["right"].astype(np.intp),
                    "value": spread(np.where(leaf, nodes["value"], 0), k, len(start)),
                    "splits": splits,
                }
            )
    return join_trees(parts, start=start, ending=_find_ending(learner, start))


def _list_bits(bitset: NDArray[np.uint32]) -> tuple[int, ...]:
    words = [(word, bit) for word in range(len(bitset)) for bit in range(32)]
    return tuple(32 * word + bit for word, bit in words if bitset[word] >> bit & 1)
