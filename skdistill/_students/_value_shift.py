"""A number an output added to what a fitted regressor predicts."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.tree import DecisionTreeRegressor

from .._nested import last_step
from .._sklearn import BaseSearchCV
from .._typing import FloatArray
from ._boosting import change_leaves, is_stock

#: What can be shifted, for errors.
SHIFTED = (
    "an MLPRegressor, a linear model, a tree, a forest, or a MultiOutputRegressor of "
    "these, of LightGBM or of HistGradientBoosting"
)

_FORESTS = RandomForestRegressor, ExtraTreesRegressor


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
