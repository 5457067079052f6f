"""Students of values whose loss, or target transformer, takes some values only.

True values are among them, and the labels of a teacher need not be: boosted trees say
a little less than 0 where a count is 0. Where such a label is met, labels beyond the
true values are set to the outermost of these, and a warning says so.

A student with a quantile loss would lose its quantile: it would learn it of the
teacher's labels, which have none of the noise of the true values, and squared error
would judge what it learned.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import VotingRegressor
from sklearn.linear_model import (
    GammaRegressor,
    PoissonRegressor,
    QuantileRegressor,
    TweedieRegressor,
)
from sklearn.model_selection import ParameterGrid

from .._nested import last_step, list_models
from .._outofcore._spill import SoftStream
from .._sklearn import BaseSearchCV
from .._soft_data import SoftDataset, as_columns
from .._typing import BoolArray, FloatArray
from .._warnings import warn_caller
from ._lightgbm_params import OBJECTIVE

#: The libraries' names of the loss, and of its level; CatBoost names both at once, such
#: as "Quantile:alpha=0.9".
LOSSES = (*OBJECTIVE, "loss_function")
_LEVELS = ("quantile", "quantile_alpha", "alpha")


def refuse_quantile_loss(student: Any) -> None:
    """Raise where a student, or a learner inside it, has a quantile loss."""
    for learner in walk_learners(student):
        settings = _read_quantile(learner)
        if settings:
            named = ", ".join(f"{name}={value!r}" for name, value in settings.items())
            levels = tuple(map(float, re.findall(r"\d*\.\d+", named)))
            raise ValueError(
                "A student of DistilledRegressor learns values, or the quantiles of a "
                f"teacher, by squared error; received {type(learner).__name__}"
                f"({named}), whose quantile would be lost. Pass quantiles="
                f"{levels or '(...)'} with a teacher that gives them, and a student of "
                "squared error, such as MLPRegressor()."
            )


def _read_quantile(learner: Any) -> dict[str, Any]:
    """Return the settings that ask for a quantile; none where none is asked for."""
    params = learner.get_params(deep=False)
    losses = {name: params[name] for name in LOSSES if name in params}
    asked = {name: v for name, v in losses.items() if "quantile" in str(v).lower()}
    if not asked and not isinstance(learner, QuantileRegressor):
        return {}
    levels = (name for name in _LEVELS if params.get(name) is not None)
    # One name alone: QuantileRegressor has an alpha too, that of its penalty.
    return asked | {name: params[name] for name in list(levels)[:1]}


def walk_learners(student: Any) -> Iterator[Any]:
    """Yield a student and the regressors inside whose predictions it returns."""
    student = last_step(student)
    if not hasattr(student, "get_params") or isinstance(student, type):
        return
    if isinstance(student, BaseSearchCV):
        for tried in list_tried(student):
            yield from walk_learners(tried)
        return
    yield student
    inside = [
        getattr(student, name, None)
        for name in ("regressor", "estimator", "final_estimator")
    ]
    if isinstance(student, VotingRegressor):
        inside += [member for _, member in student.estimators]
    for part in inside:
        yield from walk_learners(part)


def list_tried(search: Any) -> Iterator[Any]:
    """Yield what a search fits, with each loss and estimator that it tries."""
    given = getattr(search, "param_grid", getattr(search, "param_distributions", {}))
    for grid in [given] if isinstance(given, Mapping) else given:
        kept = {
            name: values
            for name, values in grid.items()
            # A distribution, of numbers, is no list.
            if isinstance(values, Iterable)
            and (name.split("__")[-1] in LOSSES or any(map(_is_estimator, values)))
        }
        for params in ParameterGrid(kept):
            yield clone(search.estimator).set_params(**params)


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "get_params")


#: Parameters that name a loss, and parts of what scikit-learn, LightGBM, XGBoost and
#: CatBoost call losses of values of at least 0, and of values between 0 and 1.
_NAMES = (*LOSSES, "criterion")
_POSITIVE = ("poisson", "gamma", "tweedie", "squaredlogerror")
_SHARES = ("logistic", "entropy")

#: Whether each value is one that a student cannot learn.
Fails = Callable[[FloatArray], BoolArray]


def limit_targets(
    student: Any, train: SoftDataset
) -> Callable[[SoftDataset | SoftStream], Any] | None:
    """Return what mends targets that the student cannot learn, and warns once.

    None where it learns all. `train` has the true values.
    """
    y = as_columns(train.y)
    checks = list(_list_checks(student, y))
    if not checks:
        return None
    low, high = y.min(axis=0), y.max(axis=0)
    said = False

    def limit(data: Any) -> Any:
        nonlocal said
        if isinstance(data, SoftStream):
            return SoftStream(map(limit, data))
        labels = data.targets
        failed = np.logical_or.reduce([fails(labels) for fails in checks])
        below, above = failed & (labels < low), failed & (labels > high)
        if not below.any() and not above.any():
            return data
        targets = np.maximum(labels, low) if below.any() else labels
        targets = np.minimum(targets, high) if above.any() else targets
        if not said:
            said = True
            _warn_of_border(labels, targets)
        return replace(data, targets=targets)

    return limit


def _list_checks(student: Any, y: FloatArray) -> Iterator[Fails]:
    """Yield what finds values that a student, or a part of it, cannot learn."""
    parts = (list_models(learner) for learner in walk_learners(student))
    for learner in chain.from_iterable(parts):
        params = learner.get_params(deep=False)
        losses = " ".join(str(params[n]).lower() for n in _NAMES if n in params)
        shares = any(name in losses for name in _SHARES)
        named = any(name in losses for name in _POSITIVE)
        if shares or named or _is_positive(learner):
            yield partial(_is_outside, strict=bool((y > 0).all()), shares=shares)
        if isinstance(learner, TransformedTargetRegressor):
            check = _check_transform(learner, y)
            if check is not None:
                yield check


def _is_positive(learner: Any) -> bool:
    if isinstance(learner, TweedieRegressor):
        return learner.power > 0
    return isinstance(learner, PoissonRegressor | GammaRegressor)


def _is_outside(labels: FloatArray, strict: bool, shares: bool) -> BoolArray:
    """Whether labels are below 0, or 0 where no true value is, or shares above 1."""
    low = labels <= 0 if strict else labels < 0
    return low | (labels > 1) if shares else low


def _check_transform(
    student: TransformedTargetRegressor, y: FloatArray
) -> Fails | None:
    """Return what finds values that have no transform; None: true ones have none."""
    probe = clone(student).set_params(regressor=DummyRegressor(), check_inverse=False)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # The student's own fit says them.
        warnings.simplefilter("ignore")
        try:
            transformer = probe.fit(np.zeros((len(y), 1)), y).transformer_
        except (ArithmeticError, ValueError):
            return None

    def fails(labels: FloatArray) -> BoolArray:
        with np.errstate(all="ignore"):
            try:
                found = np.isfinite(transformer.transform(labels))
            except (ArithmeticError, ValueError):
                return np.ones(labels.shape, dtype=bool)
        return np.broadcast_to(~found.all(axis=1)[:, None], labels.shape)

    return fails


def _warn_of_border(labels: FloatArray, targets: FloatArray) -> None:
    moved = np.abs(targets - labels)
    row, column = np.unravel_index(moved.argmax(), moved.shape)
    label, border = labels[row, column], targets[row, column]
    side = "lowest" if label < border else "highest"
    warn_caller(
        "The loss or the target transformer of the student does not take all labels of "
        f"the teacher: the {side} is {label:.4g}, and that of y {border:.4g}. Labels "
        f"beyond those of y, of {int(moved.any(axis=1).sum())} of {len(labels)} rows, "
        "are set to it. A teacher of such values, as "
        "HistGradientBoostingRegressor(loss='poisson') is of counts, gives none."
    )
