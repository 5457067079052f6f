"""What the families of regressors share, and the family of any regressor.

Private name of scikit-learn: `_baseline_prediction`, what histogram boosting adds its
trees to. Without it a shift is an AttributeError.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.tree import DecisionTreeRegressor

from .._nested import last_step, takes_outputs, weight_params
from .._sklearn import BaseSearchCV
from .._soft_data import MaybeRows, SoftDataset
from .._typing import FloatArray
from ._boosting import change_leaves, is_stock
from ._skorch import inherits
from ._soft_learner import EPOCHS_WORSE, ROUNDS_WORSE, TREES_WORSE, SoftLearner
from ._value_losses import limit_labels, refuse_quantile_loss

#: What can be shifted, for errors.
SHIFTED = (
    "an MLPRegressor, a linear model, a tree, a forest, or a MultiOutputRegressor of "
    "these, of LightGBM or of HistGradientBoosting"
)

_FORESTS = RandomForestRegressor, ExtraTreesRegressor


class ValueLearner(SoftLearner):
    """How the students of one family learn values.

    There are no classes to weigh, and the temperature is 1. Of `SoftLearner`, n_classes
    is the number of outputs.
    """

    method = "predict"
    is_calibrated = False

    def check_kind(self, student: Any) -> None:
        """Raise a TypeError: a classifier is asked for."""
        raise TypeError(
            "The student must have predict_proba, which "
            f"{type(student).__name__} has not as it is configured. Use a classifier "
            "with probabilities, such as MLPClassifier; DistilledRegressor takes "
            "regressors."
        )

    def check(self, student: Any, n_classes: int, n_samples: int) -> None:
        refuse_quantile_loss(student)
        if n_classes > 1 and not takes_outputs(student):
            raise ValueError(
                f"With {n_classes} outputs the student must learn "
                f"several; received {type(student).__name__}, which learns one. Wrap "
                "it in MultiOutputRegressor, or take an MLPRegressor, a linear model, "
                "a tree or a forest, which learn several."
            )

    def can_shift_logits(self, student: Any) -> bool:
        return can_shift_values(student)

    def shift_logits(self, student: Any, shift: FloatArray) -> None:
        shift_values(student, shift)


class RegressorLearner(ValueLearner):
    """Every regressor that has no family of its own: its `fit` on all rows, joined.

    Each row has one target, so that there is nothing to weigh: what a student learns is
    the blend of the teacher's value and the true one, by whatever loss it has.
    """

    def accepts(self, student: Any) -> bool:
        known = hasattr(student, "__sklearn_tags__") and not isinstance(student, type)
        return known and is_regressor(student)

    def limit_labels(self, student: Any, train: SoftDataset) -> Any:
        return limit_labels(student, train)

    def explain_worse(self, student: Any) -> str:
        params = student.get_params()
        if "lr" in params:
            return EPOCHS_WORSE
        # That of linear models is the name of a schedule.
        if not isinstance(params.get("learning_rate", ""), str):
            return ROUNDS_WORSE
        known = "min_samples_leaf" in params
        return TREES_WORSE if known else super().explain_worse(student)

    def fit_rows(self, student: Any, rows: Any, validation: MaybeRows) -> Any:
        params = {**weight_params(student, rows.weight), **(rows.params or {})}
        values = rows.values
        if inherits(student, "skorch.", "NeuralNet"):
            # A loss of torch compares columns in single precision.
            values = rows.targets.astype(np.float32)
        return student.fit(rows.X, values, **params)


# Shifts of what a fitted regressor predicts ------------------------------------------


def can_shift_values(model: Any) -> bool:
    """Whether `shift_values` takes the model once it is fitted."""
    model = last_step(model)
    if isinstance(model, BaseSearchCV | MultiOutputRegressor):
        return can_shift_values(model.estimator)
    if isinstance(model, HistGradientBoostingRegressor):
        return model.loss == "squared_error"
    known = MLPRegressor, DecisionTreeRegressor, *_FORESTS
    return isinstance(model, known) or _is_linear(model) or _is_lightgbm(model)


def shift_values(model: Any, shift: FloatArray) -> None:
    """Add one number an output, in place: to intercepts, or to the values of leaves."""
    model = last_step(model)
    if isinstance(model, BaseSearchCV):
        shift_values(model.best_estimator_, shift)
    elif isinstance(model, MultiOutputRegressor):
        for member, added in zip(model.estimators_, shift, strict=True):
            shift_values(member, np.array([added]))
    elif isinstance(model, MLPRegressor):
        model.intercepts_[-1] = model.intercepts_[-1] + shift
    elif isinstance(model, HistGradientBoostingRegressor):
        model._baseline_prediction = model._baseline_prediction + shift
    elif isinstance(model, DecisionTreeRegressor):
        model.tree_.value[:] += shift[:, None]
    elif isinstance(model, _FORESTS):
        for tree in model.estimators_:
            shift_values(tree, shift)
    elif _is_lightgbm(model):
        added = float(shift[0])
        change_leaves(model.booster_, lambda tree, value: value + added, n_rounds=1)
    else:
        model.intercept_ = model.intercept_ + (shift[0] if shift.size == 1 else shift)


def _is_linear(model: Any) -> bool:
    # RANSAC holds a model, which has the intercept.
    own = type(model).__module__.startswith("sklearn.linear_model.")
    return own and not hasattr(model, "estimator")


def _is_lightgbm(model: Any) -> bool:
    stock = is_stock(model, "lightgbm", "LGBMRegressor")
    # A random forest averages its trees.
    return stock and model.boosting_type != "rf"
