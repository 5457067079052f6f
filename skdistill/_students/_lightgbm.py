"""LGBMClassifier on one row a sample.

Two classes: LightGBM's own "cross_entropy" on float targets. Its loss is that of
"binary", gradient p - q and Hessian p (1 - p), for any q in [0, 1].

More classes: the gradient p - q and the Hessian K / (K - 1) p (1 - p) of LightGBM's
"multiclass" from Python, on top of the logarithm of the class shares, from which
LightGBM starts too. Those start values are added to the leaves of the first tree of
each class. One array of n_samples * n_classes is held for the targets, and four of
that size for the time of a round; rows are never repeated. So are true labels learned
at a temperature other than 1 (`_losses`), of two classes too.

In the end LightGBM itself declares the model "binary" or "multiclass"
(`Booster.reset_parameter`), so that a saved booster predicts probabilities. With
one-hot targets the trees are those of the stock fit, bit for bit; only the columns
that `colsample_bytree` draws for more than two classes are others. With soft targets
they are those of the weighted copies, except that `min_child_samples` counts rows
(LightGBM estimates the rows of a leaf from its Hessian, which copies change).

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
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelEncoder

from .._soft_data import MaybeRows, SoftDataset
from .._typing import AnyArray, FloatArray
from . import _lightgbm_params as lgbm
from ._boosting import (
    change_leaves,
    check_metadata,
    is_stock,
    learns_natively,
    soft_derivatives,
    soft_loss,
    start_logits,
)
from ._leaves import LeafLearner, refit_leaves
from ._losses import Scale, SquaredError, fold_shift
from ._soft_learner import HESSIAN_WORSE, RATE_SHARE, move_state, refuse_fine_tuning
from ._value_learner import RegressorLearner
from ._weighted_copies import COPIES

#: Private attributes that `LGBMClassifier.fit` sets, and that `predict` reads. Where a
#: release has moved one, weighted copies learn the same targets at more rows.
#: Before a fit there is no `_le`, which it sets as well.
_PRIVATE = ("_class_map", "_classes", "_n_classes", "_objective")


class LightGBMLearner(LeafLearner):
    """The stock LGBMClassifier."""

    worse = HESSIAN_WORSE

    def accepts(self, student: Any) -> bool:
        return is_stock(student, "lightgbm", "LGBMClassifier")

    def check(self, student: Any, n_classes: int, n_samples: int) -> None:
        params = student.get_params()
        lgbm.check_parameters(params, n_classes)
        if self.wants_validation(student, n_samples):
            lgbm.check_stopping(params)
            if not has_native_fit():
                received = lgbm.named(params, lgbm.STOPPING)
                raise ValueError(
                    "This release of LightGBM has moved what a student that stops "
                    f"early needs; received {received}. Leave it out, or use another "
                    "release."
                )

    def check_fine_tuning(self, student: Any) -> None:
        # A random forest has no next round.
        if lgbm.FORESTS & {*lgbm.given(student.get_params(), lgbm.BOOSTING)}:
            refuse_fine_tuning(student, " with boosting_type='rf'")
        if not has_native_fit():
            refuse_fine_tuning(student, " in a LightGBM whose rounds can't go on")

    def can_scale_logits(self, student: Any, n_classes: int) -> bool:
        # Leaves can be multiplied, but not the linear models in them.
        return lgbm.holds_numbers(student.get_params())

    def learns_mixtures(self, student: Any) -> bool:
        return has_native_fit() and lgbm.takes_derivatives(student.get_params())

    def refits_leaves(self, student: Any) -> bool:
        return lgbm.may_refit_leaves(student.get_params())

    def fit_rows(self, student: Any, rows: SoftDataset, validation: MaybeRows) -> Any:
        if not has_native_fit():
            return COPIES.fit_rows(student, rows, validation)
        return _boost(student, student.get_params(), rows, validation)

    def scale_logits(self, student: Any, factor: float) -> None:
        change_leaves(student.booster_, lambda tree, value: factor * value)

    def can_shift_logits(self, student: Any) -> bool:
        averages = lgbm.averages_trees(student.get_params())
        return self.can_scale_logits(student, 2) and not averages

    def shift_logits(self, student: Any, shift: FloatArray) -> None:
        """Add to the leaves of the first tree of each class."""
        booster = student.booster_
        added = fold_shift(shift, booster.num_model_per_iteration())
        change_leaves(booster, lambda tree, value: value + added[tree], n_rounds=1)

    def fine_tune(self, student: Any, rows: SoftDataset, epochs: int) -> Any:
        """Add rounds at a tenth of the learning rate."""
        params = {k: v for k, v in student.get_params().items() if k not in lgbm.ROUNDS}
        params["n_estimators"] = epochs
        params["learning_rate"] = RATE_SHARE * student.learning_rate
        return _boost(copy.deepcopy(student), params, rows, None, student.booster_)


def has_native_fit() -> bool:
    """Whether this LightGBM has the private attributes that a worker is given."""
    from lightgbm import LGBMClassifier

    worker = LGBMClassifier()
    return all(hasattr(worker, name) for name in _PRIVATE)


def _boost(
    student: Any,
    params: dict[str, Any],
    train: SoftDataset,
    validation: MaybeRows,
    init_model: Any = None,
) -> Any:
    """Train by `LGBMModel.fit`, the base of the classifier's that takes any label."""
    from lightgbm import LGBMClassifier, LGBMModel
    from lightgbm.basic import LightGBMError

    check_metadata(train, student, ("categorical_feature", "feature_name"))
    n_classes = len(train.classes)
    native = learns_natively(train)
    objective: Any = "cross_entropy"
    offsets = None
    if not native and init_model is None and lgbm.starts_high(params):
        offsets = _start(train)
    if not native:
        curvature = 1.0 if n_classes == 2 else n_classes / (n_classes - 1)
        objective = soft_derivatives(train, curvature, offsets=offsets)
        # Derivatives from Python need a column, though it be one too small to split.
        params = {"feature_pre_filter": False} | params
    kept = {k: v for k, v in params.items() if k not in lgbm.REPLACED}
    metric = "cross_entropy" if native else "None"
    worker = LGBMClassifier(**kept, objective=objective, metric=metric)
    _name_classes(worker, train.classes)
    finisher = _Finisher(train, offsets, _make_stopper(params, validation))
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
    worker._objective = "binary" if n_classes == 2 else "multiclass"
    return move_state(worker, student, [*worker.get_params(), "_other_params"])


class _Finisher:
    """Callback that turns the booster into one of the stock objective.

    It needs the booster while that still has its training rows, before LightGBM
    hands it out. So the last round must be known, and early stopping, which decides
    it, is called from here.
    """

    order = 30  # that of LightGBM's own early stopping
    before_iteration = False

    def __init__(self, train: SoftDataset, offsets: Any, stopper: Any) -> None:
        self.train, self.offsets, self.stopper = train, offsets, stopper

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
        targets = self.train.targets
        n_classes = targets.shape[1]
        native = learns_natively(self.train)
        if native and not booster.feature_importance().any():
            # Where no column can be split LightGBM fails at a reset; "cross_entropy"
            # predicts the same.
            return
        if (starts := self.offsets) is not None:
            # The first tree of each class takes its start value.
            change_leaves(booster, lambda tree, value: value + starts[tree], n_rounds=1)
        if n_classes == 2:
            # "binary" looks at the labels when it is declared.
            booster.train_set.set_label(targets.argmax(axis=1))
            booster.reset_parameter({"objective": "binary"})
        else:
            booster.reset_parameter({"objective": "multiclass", "num_class": n_classes})


def _name_classes(worker: Any, classes: AnyArray) -> None:
    """Set what `LGBMClassifier.fit` sets before it calls its base."""
    worker._le = LabelEncoder().fit(classes)
    codes = worker._le.transform(classes)
    worker._class_map = dict(zip(worker._le.classes_, codes, strict=True))
    worker._classes = worker._le.classes_
    worker._n_classes = len(classes)


def _label(data: SoftDataset) -> AnyArray:
    """Float targets; for an objective of ours, labels that only fill their place."""
    return data.targets[:, 1] if learns_natively(data) else data.targets.argmax(axis=1)


def _evaluation(validation: MaybeRows, offsets: FloatArray | None) -> dict[str, Any]:
    """Validation rows and their metric, as `LGBMModel.fit` takes them."""
    if validation is None:
        return {}
    rows = lgbm.evaluate_on(validation, _label(validation))
    if learns_natively(validation):
        return rows
    loss = soft_loss(validation, offsets)

    def metric(labels: Any, margins: Any, weight: Any) -> tuple[str, float, bool]:
        return "cross_entropy", loss(labels, margins, weight), False

    return {**rows, "eval_metric": metric}


def _make_stopper(
    params: dict[str, Any], validation: MaybeRows
) -> Callable[[Any], None] | None:
    """LightGBM's own early stopping, as the parameters ask for it."""
    if validation is None:
        return None
    from lightgbm import early_stopping

    verbosity = next(iter(lgbm.given(params, ("verbosity", "verbose"))), 1)
    return early_stopping(
        lgbm.given(params, lgbm.STOPPING)[0],
        min_delta=params.get("early_stopping_min_delta") or 0.0,
        verbose=verbosity > 0,
    )


def _start(data: SoftDataset) -> FloatArray:
    """The start values of the margins; there is one for two classes."""
    weight = data.weight
    if weight is not None:
        # As LightGBM keeps them.
        weight = weight.astype(np.float32).astype(np.float64)
    start = start_logits(data, weight)
    return start[1:] - start[0] if len(start) == 2 else start


#: Weight of the ridge around the boosted values, in standard deviations.
_RIDGE = 1e-3


class LightGBMRegressorLearner(LeafLearner, RegressorLearner):
    """The stock LGBMRegressor; with another loss than the squared error no refit."""

    def accepts(self, student: Any) -> bool:
        return is_stock(student, "lightgbm", "LGBMRegressor")

    def refits_leaves(self, student: Any) -> bool:
        params = student.get_params()
        return lgbm.has_squared_error(params) and lgbm.may_refit_leaves(params)

    def refit_leaves(self, student: Any, rows: SoftDataset) -> None:
        unit = float(Scale.of(rows).deviation[0])

        def make_loss(data: SoftDataset) -> SquaredError:
            return SquaredError(data.targets / unit)

        refit_leaves(student, rows, make_loss, _RIDGE, unit)

    def fit_rows(self, student: Any, rows: Any, validation: Any) -> Any:
        if validation is not None:
            extra = lgbm.evaluate_on(validation, validation.values)
            rows = replace(rows, params={**(rows.params or {}), **extra})
        return super().fit_rows(student, rows, None)
