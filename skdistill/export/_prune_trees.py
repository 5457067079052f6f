"""The first trees of a forest, of bagging or of boosting."""

from __future__ import annotations

import math
from typing import Any

from sklearn.ensemble import BaggingClassifier, BaggingRegressor

from .._students._xgboost import take_best_rounds
from ._libraries import is_from
from ._tree_kinds import Boosted, Forest

_BAGGING = BaggingClassifier | BaggingRegressor


def keep_first_trees(model: Any, sparsity: float) -> Any:
    """Remove the last trees, or the last rounds of boosting, in place.

    Raise a TypeError where the trees of the model are not public, or can't be removed.
    """
    _refuse_whole(model)
    if isinstance(model, Boosted):
        model.estimators_ = model.estimators_[: _count(model.n_estimators_, sparsity)]
        model.n_estimators_ = len(model.estimators_)
    elif isinstance(model, Forest | _BAGGING):
        model.set_params(n_estimators=_count(len(model.estimators_), sparsity))
        model.estimators_ = model.estimators_[: model.n_estimators]
        if isinstance(model, _BAGGING):
            kept = model.estimators_features_[: model.n_estimators]
            model.estimators_features_ = kept
    elif is_from(model, "lightgbm"):
        booster = model.booster_
        n_rounds = _count(booster.current_iteration(), sparsity)
        booster.model_from_string(booster.model_to_string(num_iteration=n_rounds))
    elif is_from(model, "xgboost"):
        booster = take_best_rounds(model)
        n_rounds = _count(booster.num_boosted_rounds(), sparsity)
        model.load_model(booster[:n_rounds].save_raw())
    elif is_from(model, "catboost"):
        model.shrink(ntree_end=_count(model.tree_count_, sparsity))
    else:
        raise TypeError(
            "prune takes networks of scikit-learn and skorch, a forest, bagging, "
            "gradient boosting, LightGBM, XGBoost or CatBoost, received "
            f"{type(model).__name__}. Fit it smaller, with fewer or smaller trees."
        )
    return model


def _refuse_whole(model: Any) -> None:
    """Raise a TypeError for a model of a library that removes none of its trees."""
    if is_from(model, "xgboost") and model.booster == "gblinear":
        received, fix = "booster='gblinear', which has no trees", "more reg_alpha"
    elif is_from(model, "catboost") and _has_lopsided_trees(model):
        received = "other trees than those of grow_policy='SymmetricTree'"
        fix = "fewer iterations"
    else:
        return
    raise TypeError(
        "prune takes trees that the library can remove, received "
        f"{type(model).__name__} with {received}. Fit it smaller, with {fix}."
    )


def _has_lopsided_trees(model: Any) -> bool:
    policy = model.get_all_params().get("grow_policy", "SymmetricTree")
    return bool(policy != "SymmetricTree")


def _count(n_trees: int, sparsity: float) -> int:
    # Rounded, lest .9 of 10 leave two by a rounding error.
    return max(1, math.ceil(round((1.0 - sparsity) * n_trees, 6)))
