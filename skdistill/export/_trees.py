"""Fitted trees of every library in one form.

Sums of leaves over all trees, plus a start, are scores; an ending makes them
probabilities.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from .._typing import BoolArray, FloatArray, IndexArray
from ._libraries import is_from

_TREES = DecisionTreeClassifier | DecisionTreeRegressor
_FORESTS = (
    RandomForestClassifier
    | ExtraTreesClassifier
    | RandomForestRegressor
    | ExtraTreesRegressor
)
_BOOSTED = GradientBoostingClassifier | GradientBoostingRegressor
_HISTOGRAMS = HistGradientBoostingClassifier | HistGradientBoostingRegressor

#: What stands for infinity where LightGBM writes JSON: a split on "is missing" has it.
_LIGHTGBM_INFINITY = 1e300
#: Objectives of LightGBM whose scores are the values.
_VALUES = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")
#: Those of XGBoost.
_XGBOOST_VALUES = tuple(
    f"reg:{name}error" for name in ("squared", "absolute", "quantile", "pseudohuber")
)


@dataclass(frozen=True)
class Split:
    """Categories of one column that go left, and where a missing value goes.

    Any other category goes right. A number `truncates` to the category before it.
    """

    column: int
    categories: tuple[int, ...]
    missing_left: bool
    truncates: bool = False


@dataclass(frozen=True)
class Trees:
    """The nodes of all trees, one after the other.

    Attributes
    ----------
    roots : ndarray of shape (n_trees,)
        Position of the first node of each tree.
    column : ndarray of shape (n_nodes,)
        The column that a node compares; -1: it is a leaf.
    threshold : ndarray of shape (n_nodes,)
        A number up to it goes left, or only below it where `strict`.
    missing_left : ndarray of shape (n_nodes,)
    left, right : ndarray of shape (n_nodes,)
        Positions of the nodes below.
    value : ndarray of shape (n_nodes, n_scores)
        What a leaf adds to the scores.
    splits : dict of int to Split
        The nodes that compare categories, by position.
    start : ndarray of shape (n_scores,)
    ending : {"none", "sigmoid", "softmax"}
        How scores become probabilities. A single score is that of the second class.
    strict : bool
    single : bool
        Whether numbers are compared in float32.
    """

    roots: IndexArray
    column: IndexArray
    threshold: FloatArray
    missing_left: BoolArray
    left: IndexArray
    right: IndexArray
    value: FloatArray
    splits: dict[int, Split]
    start: FloatArray
    ending: str
    strict: bool = False
    single: bool = False

    def round_down(self, dtype: Any) -> NDArray[Any]:
        """Return thresholds with which numbers of a type compare as with these."""
        rounded = self.threshold.astype(dtype)
        above = rounded > self.threshold
        return np.where(above, np.nextafter(rounded, dtype(-np.inf)), rounded)

    def center(self) -> Trees:
        """Return the same scores as small sums: the start holds each tree's middle."""
        leaf = (self.column < 0)[:, None]
        low, high = (
            reduce.reduceat(np.where(leaf, self.value, fill), self.roots, axis=0)
            for reduce, fill in ((np.minimum, np.inf), (np.maximum, -np.inf))
        )
        middle = (low + high) / 2
        sizes = np.diff([*self.roots, len(self.column)])
        value = np.where(leaf, self.value - np.repeat(middle, sizes, axis=0), 0.0)
        return replace(self, value=value, start=self.start + middle.sum(axis=0))


def read_trees(learner: Any) -> Trees | None:
    """Read a tree, a forest or boosted trees; None: the learner is another kind."""
    if isinstance(learner, _TREES | _FORESTS):
        return _read_forest(learner)
    if isinstance(learner, _BOOSTED):
        return _read_boosted(learner)
    if isinstance(learner, _HISTOGRAMS):
        return _read_histograms(learner)
    if is_from(learner, "lightgbm"):
        return _read_lightgbm(learner)
    return _read_xgboost(learner) if is_from(learner, "xgboost") else None


def join_trees(parts: list[dict[str, Any]], **settings: Any) -> Trees:
    """Put trees one after the other; nodes below are counted within their tree."""
    sizes = [len(part["column"]) for part in parts]
    roots = np.cumsum([0, *sizes[:-1]])
    names = ("column", "threshold", "missing_left", "value")
    joined: dict[str, Any] = {
        name: np.concatenate([part[name] for part in parts]) for name in names
    }
    for name in ("left", "right"):
        joined[name] = np.concatenate(
            [part[name] + root for part, root in zip(parts, roots, strict=True)]
        )
    splits = {
        int(root) + node: split
        for part, root in zip(parts, roots, strict=True)
        for node, split in part.get("splits", {}).items()
    }
    return Trees(roots=roots, splits=splits, **joined, **settings)


def join_outputs(parts: list[Trees]) -> Trees | None:
    """Put models of one output each together; None: they compare in different ways."""
    settings = {(part.ending, part.strict, part.single) for part in parts}
    if settings - {("none", part.strict, part.single) for part in parts[:1]}:
        return None
    joined = []
    for k, part in enumerate(parts):
        value = _spread(part.value[:, 0], k, len(parts))
        # All of its trees are one part, whose roots are counted below.
        names = "column", "threshold", "missing_left", "left", "right", "splits"
        joined.append({**{name: getattr(part, name) for name in names}, "value": value})
    trees = join_trees(
        joined,
        start=np.concatenate([part.start for part in parts]),
        ending="none",
        strict=parts[0].strict,
        single=parts[0].single,
    )
    roots = [part.roots + first for part, first in zip(parts, trees.roots, strict=True)]
    return replace(trees, roots=np.concatenate(roots))


def _spread(values: FloatArray, k: int, n_scores: int) -> FloatArray:
    """Return what leaves add to each score, where they add to one of them."""
    spread = np.zeros((len(values), n_scores))
    spread[:, k] = values
    return spread


# scikit-learn ------------------------------------------------------------------------


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
    if not isinstance(learner.init_, str | DummyClassifier | DummyRegressor):
        # It starts from what another model predicts.
        return None
    (start,) = learner._raw_predict_init(np.zeros((1, learner.n_features_in_)))
    # The exponential loss is of half the logarithm of the odds.
    factor = 2.0 if learner.loss == "exponential" else 1.0
    parts = []
    for trees in learner.estimators_:
        for k, member in enumerate(trees):
            leaves = member.tree_.value[:, 0, 0] * learner.learning_rate * factor
            value = _spread(leaves, k, len(start))
            parts.append(_flatten_tree(member.tree_, value))
    ending = _find_ending(learner, start)
    return join_trees(parts, start=start * factor, ending=ending, single=True)


def _find_ending(learner: Any, start: FloatArray) -> str:
    if is_regressor(learner):
        return "none"
    return "sigmoid" if len(start) == 1 else "softmax"


def _read_histograms(learner: Any) -> Trees | None:
    if getattr(learner, "loss", "") in ("gamma", "poisson"):
        # Its scores are logarithms.
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
                    "value": _spread(np.where(leaf, nodes["value"], 0), k, len(start)),
                    "splits": splits,
                }
            )
    return join_trees(parts, start=start, ending=_find_ending(learner, start))


def _list_bits(bitset: NDArray[np.uint32]) -> tuple[int, ...]:
    words = [(word, bit) for word in range(len(bitset)) for bit in range(32)]
    return tuple(32 * word + bit for word, bit in words if bitset[word] >> bit & 1)


# LightGBM ----------------------------------------------------------------------------


def _read_lightgbm(learner: Any) -> Trees | None:
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
        part = _flatten_lightgbm(info["tree_structure"])
        if part is None:
            return None
        part["value"] = _spread(part["value"] * factor, k % n_scores, n_scores)
        parts.append(part)
    return join_trees(parts, start=np.zeros(n_scores), ending=ending)


def _flatten_lightgbm(structure: dict[str, Any]) -> dict[str, Any] | None:
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
        is_infinite = abs(threshold) >= _LIGHTGBM_INFINITY
        infinity = np.copysign(np.inf, threshold)
        part["threshold"][place] = infinity if is_infinite else threshold
        # Where none was missing in the training rows, a missing one is 0.
        none = node["missing_type"] == "None"
        left = threshold >= 0 if none else node["default_left"]
        part["missing_left"][place] = left
    return part


# XGBoost -----------------------------------------------------------------------------


def _read_xgboost(learner: Any) -> Trees | None:
    booster = learner.get_booster()
    if learner.early_stopping_rounds:
        booster = booster[: learner.best_iteration + 1]
    model = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective = model["objective"]["name"]
    endings = {"binary:logistic": "sigmoid", "multi:softprob": "softmax"}
    if is_regressor(learner):
        endings = dict.fromkeys(_XGBOOST_VALUES, "none")
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
        part = _flatten_xgboost(tree)
        part["value"] = _spread(part["value"], target, n_scores)
        parts.append(part)
    settings = {"ending": endings[objective], "strict": True, "single": True}
    return join_trees(parts, start=start, **settings)


def _flatten_xgboost(tree: dict[str, Any]) -> dict[str, Any]:
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
        # The categories that are listed go right: of the split, the sides are changed.
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
