"""A number an output added to what a fitted regressor predicts.

It stands in the model itself, where predictions are sums: an intercept, or the values
of leaves. Behind a link (Poisson, gamma) or a transform of the target it would be
another number in each row.

Private name of scikit-learn: `_baseline_prediction`, what histogram boosting adds its
trees to. Without it a shift is an AttributeError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.tree import DecisionTreeRegressor

from .._nested import last_step
from .._sklearn import BaseSearchCV
from .._typing import FloatArray
from . import _lightgbm_params as lgbm
from ._boosting import change_leaves, is_stock
from ._value_losses import list_tried

#: What can be shifted, for errors.
SHIFTED = (
    "an MLPRegressor, a linear model, a tree or a forest, or a MultiOutputRegressor of "
    "these, of LightGBM or of HistGradientBoosting, each with a squared error"
)

_LINKED = PoissonRegressor, GammaRegressor, TweedieRegressor


class _Shift(NamedTuple):
    """How one kind of model is shifted."""

    kind: Any
    #: Whether what a model of the kind, fitted or not, predicts is such a sum.
    adds_up: Callable[[Any], bool]
    add: Callable[[Any, FloatArray], None]


def can_shift_values(model: Any) -> bool:
    """Whether `shift_values` takes the model once it is fitted."""
    return _find(last_step(model)) is not None


def shift_values(model: Any, shift: FloatArray) -> None:
    """Add one number an output to the predictions of a fitted model, in place."""
    model = last_step(model)
    kind = _find(model)
    if kind is None:
        raise TypeError(
            f"A {type(model).__name__} as it is configured takes no shift of its "
            f"predictions. Pass {SHIFTED}."
        )
    kind.add(model, shift)


def _find(model: Any) -> _Shift | None:
    known = (shift for shift in _SHIFTS if isinstance(model, shift.kind))
    return next((shift for shift in known if shift.adds_up(model)), None)


def _always(model: Any) -> bool:
    return True


def _can_shift_all(search: BaseSearchCV) -> bool:
    return all(map(can_shift_values, list_tried(search)))


def _can_shift_member(model: MultiOutputRegressor) -> bool:
    return can_shift_values(model.estimator)


def _has_squared_error(model: Any) -> bool:
    found: bool = model.loss == "squared_error"
    return found


def _is_boosted(model: Any) -> bool:
    stock = is_stock(model, "lightgbm", "LGBMRegressor")
    return stock and lgbm.adds_leaves(model.get_params())


def _is_linear(model: Any) -> bool:
    # RANSAC holds a model, which has the intercept.
    own = type(model).__module__.startswith("sklearn.linear_model.")
    return own and not hasattr(model, "estimator") and not isinstance(model, _LINKED)


def _shift_best(search: Any, shift: FloatArray) -> None:
    shift_values(search.best_estimator_, shift)


def _shift_members(model: MultiOutputRegressor, shift: FloatArray) -> None:
    for member, added in zip(model.estimators_, shift, strict=True):
        shift_values(member, np.array([added]))


def _shift_network(model: MLPRegressor, shift: FloatArray) -> None:
    model.intercepts_[-1] = model.intercepts_[-1] + shift


def _shift_baseline(model: HistGradientBoostingRegressor, shift: FloatArray) -> None:
    model._baseline_prediction = model._baseline_prediction + shift


def _shift_tree(tree: DecisionTreeRegressor, shift: FloatArray) -> None:
    tree.tree_.value[:] += shift[:, None]


def _shift_trees(forest: Any, shift: FloatArray) -> None:
    for tree in forest.estimators_:
        _shift_tree(tree, shift)


def _shift_boosted(model: Any, shift: FloatArray) -> None:
    added = float(shift[0])
    change_leaves(model.booster_, lambda tree, value: value + added, n_rounds=1)


def _shift_intercept(model: Any, shift: FloatArray) -> None:
    model.intercept_ = model.intercept_ + (shift[0] if shift.size == 1 else shift)


_FORESTS = RandomForestRegressor, ExtraTreesRegressor
_SHIFTS = (
    _Shift(BaseSearchCV, _can_shift_all, _shift_best),
    _Shift(MultiOutputRegressor, _can_shift_member, _shift_members),
    _Shift(MLPRegressor, _has_squared_error, _shift_network),
    _Shift(HistGradientBoostingRegressor, _has_squared_error, _shift_baseline),
    _Shift(DecisionTreeRegressor, _always, _shift_tree),
    _Shift(_FORESTS, _always, _shift_trees),
    _Shift(object, _is_boosted, _shift_boosted),
    _Shift(object, _is_linear, _shift_intercept),
)
