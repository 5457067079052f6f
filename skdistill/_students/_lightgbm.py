"""LGBMClassifier on one row a sample.

Two classes: LightGBM's own "cross_entropy" on float targets. Its loss is that of
"binary", gradient p - q and Hessian p (1 - p), for any q in [0, 1].

More classes: the gradient p - q and the Hessian K / (K - 1) p (1 - p) of LightGBM's
"multiclass" from Python, on top of the logarithm of the class shares, from which
LightGBM starts too. Those start values are added to the leaves of the first tree of
each class. One array of n_samples * n_classes is held for the targets, and four of
that size for the time of a round; rows are never repeated.

In the end LightGBM itself declares the model "binary" or "multiclass"
(`Booster.reset_parameter`), so that a saved booster predicts probabilities. With
one-hot targets the trees are those of the stock fit, bit for bit; only the columns
that `colsample_bytree` draws for more than two classes are others. With soft targets
they are those of the weighted copies, except that `min_child_samples` counts rows
(LightGBM estimates the rows of a leaf from its Hessian, of copies another number).

What it can't do raises: with more than two classes, boosting_type "dart" (trees are
not dropped under derivatives from Python), "rf" (takes none) and linear_tree (its
start values can't be added to the leaves); with any, `is_unbalance`,
`scale_pos_weight` and the like, which count hard labels.

Source: Ke et al., "LightGBM: a highly efficient gradient boosting decision tree",
NIPS 2017; `multiclass_objective.hpp` and `xentropy_objective.hpp` in its sources.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import LabelEncoder

from .._outofcore._spill import Spill
from .._soft_data import SoftDataset
from ._boosting import adopt, check_metadata, is_stock, soft_derivatives, soft_loss
from ._leaves import refit_leaves
from ._tuning import SMALL_STEP, refuse_tuning

#: LightGBM's names for one parameter, the one that wins first.
_OBJECTIVE = ("objective", "objective_type", "app", "application", "loss")
_METRIC = ("metric", "metrics", "metric_types")
_STOPPING = (
    "early_stopping_round",
    "early_stopping_rounds",
    "early_stopping",
    "n_iter_no_change",
)
_ROUNDS = (
    "num_iterations",
    "num_iteration",
    "n_iter",
    "num_tree",
    "num_trees",
    "num_round",
    "num_rounds",
    "nrounds",
    "num_boost_round",
    "n_estimators",
    "max_iter",
)
_BOOSTING = ("boosting", "boosting_type", "boost")
_NUM_CLASS = ("num_class", "num_classes")

#: Names that mean the log loss, by what they ask of the number of classes.
_BINARY = ("binary", "cross_entropy", "xentropy")
_MULTICLASS = ("multiclass", "softmax")
_LOG_LOSSES = (*_BINARY, *_MULTICLASS, "binary_logloss", "multi_logloss", "logloss")

_WEIGH = "Set class_weight={negative: 1, positive: w}, which weighs the soft targets"
_BAG = "Set subsample, which draws rows whatever their label"

#: Parameters that look at hard labels: their neutral value, and what to do instead.
_REFUSED: dict[str, tuple[Any, str]] = {
    "scale_pos_weight": (1, _WEIGH),
    "is_unbalance": (False, _WEIGH),
    "unbalance": (False, _WEIGH),
    "unbalanced_sets": (False, _WEIGH),
    "pos_bagging_fraction": (1, _BAG),
    "pos_sub_row": (1, _BAG),
    "pos_subsample": (1, _BAG),
    "pos_bagging": (1, _BAG),
    "neg_bagging_fraction": (1, _BAG),
    "neg_sub_row": (1, _BAG),
    "neg_subsample": (1, _BAG),
    "neg_bagging": (1, _BAG),
    "sigmoid": (1, "Leave it out; learning_rate sets the step"),
}

#: LightGBM's floor of a class's share.
_LEAST_SHARE = 1e-15


def accepts(student: Any) -> bool:
    """Only the stock class."""
    return is_stock(student, "lightgbm", "LGBMClassifier")


def wants_validation(student: Any, n_samples: int) -> bool:
    """Whether it stops early."""
    return _stopping_rounds(student) > 0


def check_stopping(student: Any) -> None:
    """Raise where LightGBM would not stop on the soft cross-entropy."""
    params = student.get_params()
    if "dart" in _given(params, _BOOSTING):
        raise ValueError(
            "A student with boosting_type='dart' can't stop early: later rounds "
            f"change earlier trees; received {_named(params, _STOPPING)}. Leave it "
            "out, or set boosting_type='gbdt'."
        )
    metrics = np.ravel(np.array(_given(params, _METRIC), dtype=object))
    if any(metric not in _LOG_LOSSES for metric in metrics):
        raise ValueError(
            "A student that stops early is judged by the cross-entropy of soft "
            f"targets; received {_named(params, _METRIC)}. Leave it out."
        )


def check_parameters(student: Any, n_classes: int) -> None:
    """Raise where a parameter has no exact meaning on soft targets.

    Raises
    ------
    ValueError
        Another loss than the log loss, weights or bags of hard labels, or, with more
        than two classes, a kind of boosting that takes no derivatives from Python.
    """
    params = student.get_params()
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
    for objective in _given(params, _OBJECTIVE):
        if not isinstance(objective, str) or objective not in allowed:
            raise ValueError(
                "An LGBMClassifier learns soft targets by the log loss, "
                f"{' or '.join(map(repr, allowed))} with {n_classes} classes; received "
                f"{_named(params, _OBJECTIVE)}. Leave it out."
            )


def _check_multiclass(params: dict[str, Any], n_classes: int) -> None:
    boosting = [b for b in _given(params, _BOOSTING) if b not in ("gbdt", "goss")]
    boosting = [b for b in boosting if b not in ("gbrt", "gradient_boosting")]
    if boosting:
        raise ValueError(
            f"With {n_classes} classes a LightGBM student needs boosting_type 'gbdt' "
            f"or 'goss'; received {boosting[0]!r}, which takes no derivatives of soft "
            "targets. Set boosting_type='gbdt', or use RandomForestClassifier."
        )
    if any(_given(params, ("linear_tree", "linear_trees"))) and _starts_high(params):
        raise ValueError(
            f"With {n_classes} classes and linear_tree a LightGBM student can't start "
            "from the class shares; received linear_tree=True. Set "
            "boost_from_average=False, or leave linear_tree out."
        )


def rescales(student: Any, n_classes: int) -> bool:
    """Leaves can be multiplied, but not the linear models in them."""
    return not student.get_params().get("linear_tree", False)


def fold(student: Any, temperature: float) -> None:
    """Multiply the margins in the leaves."""
    booster = student.booster_
    for tree in booster.dump_model(num_iteration=-1)["tree_info"]:
        number = tree["tree_index"]
        for leaf in range(tree["num_leaves"]):
            value = booster.get_leaf_output(number, leaf)
            booster.set_leaf_output(number, leaf, temperature * value)


def fit(student: Any, train: SoftDataset, validation: SoftDataset | None) -> Any:
    """Fit on float targets."""
    check_parameters(student, len(train.classes))
    return _boost(student, student.get_params(), train, validation)


def fit_transfer(
    student: Any,
    train: SoftDataset,
    transfer: SoftDataset,
    validation: SoftDataset | None,
) -> Any:
    """Grow trees on real rows where that is possible, and set leaves on all rows."""
    rows = train.join(transfer)
    if not may_refit_leaves(student):
        return fit(student, rows, validation)
    alone = transfer.synthetic and train.labelled is None
    student = fit(student, train if alone else rows, validation)
    refit_leaves(student, rows)
    return student


def fit_chunks(student: Any, spill: Spill, validation: SoftDataset | None) -> Any:
    """Grow trees and set leaves on all rows."""
    rows = spill.map()
    student = fit(student, rows, validation)
    if may_refit_leaves(student):
        refit_leaves(student, rows)
    return student


def may_refit_leaves(student: Any) -> bool:
    """Whether leaves hold one number each, that nothing constrains."""
    params = student.get_params()
    boosting = {*_given(params, _BOOSTING)} - {"gbdt", "gbrt", "goss"}
    constrained = ("monotone_constraints", "mc", "monotone_constraint")
    bound = ("linear_tree", "linear_trees", "max_delta_step", *constrained)
    return not boosting and not any(_given(params, bound))


def check_fine_tuning(student: Any) -> None:
    """A random forest has no next round."""
    if {"rf", "random_forest"} & set(_given(student.get_params(), _BOOSTING)):
        refuse_tuning(student, " with boosting_type='rf'")


def tune(student: Any, data: SoftDataset, passes: int) -> Any:
    """Add `passes` rounds at a tenth of the learning rate."""
    params = {k: v for k, v in student.get_params().items() if k not in _ROUNDS}
    params["n_estimators"] = passes
    params["learning_rate"] = SMALL_STEP * student.learning_rate
    return _boost(copy.deepcopy(student), params, data, None, student.booster_)


def _boost(
    student: Any,
    params: dict[str, Any],
    train: SoftDataset,
    validation: SoftDataset | None,
    init_model: Any = None,
) -> Any:
    """Train by `LGBMModel.fit`, the base of the classifier's that takes any label.

    Parameters
    ----------
    student : LGBMClassifier
        Receives the result.
    params : dict
        Parameters to train with.
    train, validation : SoftDataset
        Rows to learn from, and rows to stop early on.
    init_model : Booster or None
        What to continue.
    """
    from lightgbm import LGBMClassifier, LGBMModel
    from lightgbm.basic import LightGBMError

    check_metadata(train, student, ("categorical_feature", "feature_name"))
    n_classes = len(train.classes)
    binary = n_classes == 2
    objective: Any = "cross_entropy"
    offsets = None
    if not binary and init_model is None and _starts_high(params):
        offsets = _log_shares(train)
    if not binary:
        curvature = n_classes / (n_classes - 1)
        objective = soft_derivatives(train.targets, curvature, offsets=offsets)
        # Derivatives from Python need a column, though it be one too small to split.
        params = {"feature_pre_filter": False} | params
    replaced = {*_OBJECTIVE, *_METRIC, *_STOPPING, *_NUM_CLASS, "class_weight"}
    worker = LGBMClassifier(
        **{k: v for k, v in params.items() if k not in replaced},
        objective=objective,
        metric="cross_entropy" if binary else "None",
    )
    _name_classes(worker, train.classes)
    finisher = _Finisher(train.targets, offsets, _make_stopper(params, validation))
    try:
        LGBMModel.fit(
            worker,
            train.X,
            _label(train),
            sample_weight=train.weight,
            callbacks=[finisher],
            init_model=init_model,
            **_evaluation(validation, offsets),
            **(train.params or {}),
        )
    except LightGBMError as error:
        if "num_features" not in str(error):
            raise
        raise ValueError(
            f"With {n_classes} classes a LightGBM student needs a column that varies; "
            "received none. Pass other columns, or use RandomForestClassifier."
        ) from error
    # What a stock fit leaves here; `predict` asks it whether margins are all it has.
    worker._objective = "binary" if binary else "multiclass"
    return adopt(student, worker, [*worker.get_params(), "_other_params"])


class _Finisher:
    """Callback that turns the booster into one of the stock objective.

    It needs the booster while that still has its training rows, before LightGBM
    hands it out. So the last round must be known, and early stopping, which decides
    it, is called from here.
    """

    order = 30  # that of LightGBM's own early stopping
    before_iteration = False

    def __init__(
        self,
        targets: NDArray[np.float64],
        offsets: NDArray[np.float64] | None,
        stopper: Callable[[Any], None] | None,
    ):
        self.targets = targets
        self.offsets = offsets
        self.stopper = stopper

    def __call__(self, env: Any) -> None:
        from lightgbm.callback import EarlyStopException

        try:
            if self.stopper is not None:
                self.stopper(env)
        except EarlyStopException:
            self._finish(env.model)
            raise
        if env.iteration + 1 == env.end_iteration:
            self._finish(env.model)

    def _finish(self, booster: Any) -> None:
        n_classes = self.targets.shape[1]
        if n_classes == 2 and not booster.feature_importance().any():
            # Where no column can be split LightGBM fails at a reset; "cross_entropy"
            # predicts the same.
            return
        if self.offsets is not None:
            _add_to_leaves(booster, self.offsets)
        if n_classes == 2:
            # "binary" looks at the labels when it is declared.
            booster.train_set.set_label(self.targets.argmax(axis=1))
            booster.reset_parameter({"objective": "binary"})
        else:
            booster.reset_parameter({"objective": "multiclass", "num_class": n_classes})


def _add_to_leaves(booster: Any, offsets: NDArray[np.float64]) -> None:
    """Add each class's start value to its first tree."""
    for tree in booster.dump_model(num_iteration=1)["tree_info"]:
        number = tree["tree_index"]
        for leaf in range(tree["num_leaves"]):
            value = booster.get_leaf_output(number, leaf) + offsets[number]
            booster.set_leaf_output(number, leaf, value)


def _name_classes(worker: Any, classes: NDArray[Any]) -> None:
    """Set what `LGBMClassifier.fit` sets before it calls its base."""
    worker._le = LabelEncoder().fit(classes)
    codes = worker._le.transform(classes)
    worker._class_map = dict(zip(worker._le.classes_, codes, strict=True))
    worker._classes = worker._le.classes_
    worker._n_classes = len(classes)


def _label(data: SoftDataset) -> NDArray[Any]:
    """Float targets of two classes; of more, labels that only fill their place."""
    if len(data.classes) == 2:
        return data.targets[:, 1]
    return data.targets.argmax(axis=1)


def _evaluation(
    validation: SoftDataset | None, offsets: NDArray[np.float64] | None
) -> dict[str, Any]:
    """Validation rows and their metric, as `LGBMModel.fit` takes them."""
    if validation is None:
        return {}
    weight = None if validation.weight is None else [validation.weight]
    rows = {
        "eval_X": validation.X,
        "eval_y": _label(validation),
        "eval_sample_weight": weight,
    }
    if len(validation.classes) == 2:
        return rows
    loss = soft_loss(validation.targets, offsets)

    def metric(labels: Any, margins: Any, weight: Any) -> tuple[str, float, bool]:
        return "cross_entropy", loss(labels, margins, weight), False

    return {**rows, "eval_metric": metric}


def _make_stopper(
    params: dict[str, Any], validation: SoftDataset | None
) -> Callable[[Any], None] | None:
    """LightGBM's own early stopping, as the parameters ask for it."""
    if validation is None:
        return None
    from lightgbm import early_stopping

    verbosity = next(iter(_given(params, ("verbosity", "verbose"))), 1)
    return early_stopping(
        _given(params, _STOPPING)[0],
        min_delta=params.get("early_stopping_min_delta") or 0.0,
        verbose=verbosity > 0,
    )


def _stopping_rounds(student: Any) -> int:
    return next(iter(_given(student.get_params(), _STOPPING)), 0)


def _starts_high(params: dict[str, Any]) -> bool:
    """Whether boosting starts from the class shares."""
    return str(params.get("boost_from_average", True)).lower() not in (
        "false",
        "0",
        "-",
    )


def _log_shares(data: SoftDataset) -> NDArray[np.float64]:
    weight = data.weight
    if weight is not None:
        # As LightGBM keeps them.
        weight = weight.astype(np.float32).astype(np.float64)
    shares = np.average(data.targets, axis=0, weights=weight)
    return np.log(np.maximum(shares, _LEAST_SHARE))


def _given(params: dict[str, Any], names: tuple[str, ...]) -> list[Any]:
    """Values given under any name of a parameter, the one that wins first."""
    return [params[name] for name in names if params.get(name) is not None]


def _named(params: dict[str, Any], names: tuple[str, ...]) -> str:
    return ", ".join(f"{n}={params[n]!r}" for n in names if params.get(n) is not None)
