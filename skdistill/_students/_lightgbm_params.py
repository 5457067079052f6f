"""The parameters of LGBMClassifier: their many names, and which a student may have."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._soft_data import SoftDataset
from ._boosting import refuse_metric

#: LightGBM's names for one parameter, the one that wins first.
OBJECTIVE = ("objective", "objective_type", "app", "application", "loss")
METRIC = ("metric", "metrics", "metric_types")
STOPPING = (
    *("early_stopping_round", "early_stopping_rounds", "early_stopping"),
    "n_iter_no_change",
)
ROUNDS = (
    *("num_iterations", "num_iteration", "n_iter", "num_tree", "num_trees"),
    *("num_round", "num_rounds", "nrounds", "num_boost_round", "n_estimators"),
    "max_iter",
)
BOOSTING = ("boosting", "boosting_type", "boost")
_LINEAR = ("linear_tree", "linear_trees")
#: What bounds the values of leaves.
_BOUNDS = (
    *("max_delta_step", "max_tree_output", "max_leaf_output"),
    *("monotone_constraints", "mc", "monotone_constraint", "monotonic_cst"),
)

#: Names of the squared error.
_SQUARED = {
    *("regression", "regression_l2", "l2", "mean_squared_error", "mse"),
    *("l2_root", "root_mean_squared_error", "rmse"),
}

#: What a worker that learns soft targets is not given.
REPLACED = {*OBJECTIVE, *METRIC, *STOPPING, "num_class", "num_classes", "class_weight"}

#: Average their trees.
FORESTS = {"rf", "random_forest"}

#: The kinds of boosting that take derivatives from Python.
_DERIVED = {"gbdt", "gbrt", "gradient_boosting", "goss"}

#: Names that mean the log loss, by what they ask of the number of classes.
_BINARY = ("binary", "cross_entropy", "xentropy")
_MULTICLASS = ("multiclass", "softmax")
_LOG_LOSSES = (*_BINARY, *_MULTICLASS, "binary_logloss", "multi_logloss", "logloss")

_WEIGH = "Set class_weight={negative: 1, positive: w}, which weighs the soft targets"
_BAG = "Set subsample, which draws rows whatever their label"

_BAGS = ("bagging_fraction", "sub_row", "subsample", "bagging")

#: Parameters that look at hard labels: their neutral value, and what to do instead.
_REFUSED: dict[str, tuple[Any, str]] = {
    "scale_pos_weight": (1, _WEIGH),
    **dict.fromkeys(("is_unbalance", "unbalance", "unbalanced_sets"), (False, _WEIGH)),
    **{f"{side}_{name}": (1, _BAG) for side in ("pos", "neg") for name in _BAGS},
    "sigmoid": (1, "Leave it out; set learning_rate instead"),
}


def check_parameters(params: dict[str, Any], n_classes: int) -> None:
    """Raise where a parameter has no exact meaning on soft targets."""
    _check_objective(params, n_classes)
    for name, (neutral, fix) in _REFUSED.items():
        if params.get(name, neutral) not in (None, neutral):
            raise ValueError(
                "A student's parameters must not depend on hard labels or on another "
                f"loss; received {name}={params[name]!r}. {fix}."
            )
    if n_classes > 2:
        _check_multiclass(params, n_classes)


def _check_objective(params: dict[str, Any], n_classes: int) -> None:
    allowed = _BINARY if n_classes == 2 else _MULTICLASS
    for objective in given(params, OBJECTIVE):
        if not isinstance(objective, str) or objective not in allowed:
            raise ValueError(
                "An LGBMClassifier learns soft targets by the log loss, "
                f"{' or '.join(map(repr, allowed))} with {n_classes} classes; received "
                f"{named(params, OBJECTIVE)}. Leave it out."
            )


def _check_multiclass(params: dict[str, Any], n_classes: int) -> None:
    if not takes_derivatives(params):
        raise ValueError(
            f"With {n_classes} classes a LightGBM student needs boosting_type 'gbdt' "
            f"or 'goss'; received {named(params, BOOSTING)}, which takes no "
            "derivatives of soft targets. Set boosting_type='gbdt', or use "
            "RandomForestClassifier."
        )
    if any(given(params, _LINEAR)) and starts_high(params):
        raise ValueError(
            f"With {n_classes} classes and linear_tree a LightGBM student can't start "
            "from the class shares; received linear_tree=True. Set "
            "boost_from_average=False, or leave linear_tree out."
        )


def check_stopping(params: dict[str, Any]) -> None:
    """Raise where LightGBM would not stop on the soft cross-entropy."""
    if "dart" in given(params, BOOSTING):
        raise ValueError(
            "A student with boosting_type='dart' can't stop early: later rounds "
            f"change earlier trees; received {named(params, STOPPING)}. Leave it "
            "out, or set boosting_type='gbdt'."
        )
    metrics = np.ravel(np.array(given(params, METRIC), dtype=object))
    if any(metric not in _LOG_LOSSES for metric in metrics):
        refuse_metric(named(params, METRIC))


def may_refit_leaves(params: dict[str, Any]) -> bool:
    """Whether each leaf holds one number that nothing constrains."""
    free = takes_derivatives(params) and holds_numbers(params)
    return free and not any(given(params, _BOUNDS))


def adds_leaves(params: dict[str, Any]) -> bool:
    """Whether what an LGBMRegressor predicts is a sum of leaves of one number each."""
    averages = averages_trees(params)
    return has_squared_error(params) and not averages and holds_numbers(params)


def has_squared_error(params: dict[str, Any]) -> bool:
    return _SQUARED.issuperset(given(params, OBJECTIVE))


def averages_trees(params: dict[str, Any]) -> bool:
    """Whether the model is a random forest, whose trees are not summed."""
    return not FORESTS.isdisjoint(given(params, BOOSTING)[:1])


def holds_numbers(params: dict[str, Any]) -> bool:
    """Whether leaves hold numbers that nothing transforms, and all trees count.

    With reg_sqrt they are roots of values, which LightGBM squares when it predicts.
    With pred_early_stop the first trees alone serve the rows of which they are sure.
    """
    return not any(given(params, (*_LINEAR, "reg_sqrt", "pred_early_stop")))


def takes_derivatives(params: dict[str, Any]) -> bool:
    """Whether the kind of boosting takes derivatives from Python."""
    return not {*given(params, BOOSTING)} - _DERIVED


def stopping_rounds(params: dict[str, Any]) -> int:
    return next(iter(given(params, STOPPING)), 0)


def starts_high(params: dict[str, Any]) -> bool:
    """Whether boosting starts from the class shares."""
    asked = str(params.get("boost_from_average", True)).lower()
    return asked not in ("false", "0", "-")


def evaluate_on(rows: SoftDataset, y: Any) -> dict[str, Any]:
    """Return what a fit is given of validation rows."""
    weight = None if rows.weight is None else [rows.weight]
    return {"eval_X": rows.X, "eval_y": y, "eval_sample_weight": weight}


def given(params: dict[str, Any], names: tuple[str, ...]) -> list[Any]:
    """Values given under any name of a parameter, the one that wins first."""
    return [params[name] for name in names if params.get(name) is not None]


def named(params: dict[str, Any], names: tuple[str, ...]) -> str:
    return ", ".join(f"{n}={params[n]!r}" for n in names if params.get(n) is not None)
