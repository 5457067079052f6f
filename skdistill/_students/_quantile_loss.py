"""Regressors with a quantile loss, which as students would lose their quantile.

They would learn it of the teacher's labels, which have none of the noise of the true
values, and squared error would judge what they learned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sklearn.base import clone
from sklearn.ensemble import VotingRegressor
from sklearn.linear_model import QuantileRegressor
from sklearn.model_selection import ParameterGrid

from .._nested import last_step
from .._sklearn import BaseSearchCV
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
        for tried in _list_tried(student):
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


def _list_tried(search: Any) -> Iterator[Any]:
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
