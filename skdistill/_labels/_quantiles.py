"""Quantiles: what is learned where a teacher gives some of them, and such a teacher."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from .._checks import is_number
from .._nested import last_step
from .._sklearn import _num_samples
from .._soft_data import as_columns
from .._typing import AnyArray, FloatArray
from ._defaults import default_teacher, make_boosted
from ._task import Regression
from ._values import check_values


class QuantileVote(VotingRegressor):
    """One regressor a quantile; all of them learn the same values."""

    def predict(self, X: Any) -> FloatArray:
        """Return the quantiles, of shape (n_samples, n_quantiles)."""
        return self.transform(X)


class QuantileRegression(Regression):
    """Labels are quantiles, one column each; the true values are one column.

    A student learns the teacher's quantiles by squared error: the pinball loss against
    a quantile that has no noise would move the quantiles of a limited student. True
    values judge, by their mean pinball loss, and are never learned.
    """

    learns_labels = False

    def __init__(
        self, y: AnyArray, weight: FloatArray | None, quantiles: FloatArray
    ) -> None:
        super().__init__(y, weight)
        self.quantiles, self.n_columns = quantiles, len(quantiles)

    def read_answer(self, answer: Any, X: Any, teacher: Any) -> FloatArray:
        owner = f"With quantiles, the predict of the teacher ({type(teacher).__name__})"
        n_rows, levels = _num_samples(X), f"the quantiles {self.quantiles.tolist()}"
        return check_values(answer, n_rows, self.n_columns, owner, levels)

    def check_order(self, labels: FloatArray, y: AnyArray, teacher: Any) -> None:
        means = labels.mean(axis=0)
        # Equal columns may differ by rounding, as those of two equal trees do.
        if (np.diff(means) < -1e-9 * np.abs(means).max()).any():
            raise ValueError(
                "The columns of a teacher of quantiles must rise with the quantiles "
                f"{self.quantiles.tolist()}; received columns with the means "
                f"{means.tolist()}. Put them in order."
            )

    def serve(self, student: Any, X: Any) -> FloatArray:
        return np.sort(super().serve(student, X), axis=1)

    def score(self, served: FloatArray, y: AnyArray) -> FloatArray:
        """Return pinball losses, the mean over the quantiles."""
        return rate_quantiles(served, y, self.quantiles).mean(axis=1)

    def rate_labels(
        self, labels: FloatArray, y: AnyArray, weight: FloatArray | None
    ) -> dict[str, float]:
        """Return the mean pinball loss."""
        return {"pinball": float(np.average(self.score(labels, y), weights=weight))}

    def repeats_labels(self, memorization: dict[str, float]) -> bool:
        return False

    def default_teacher(self, X: Any) -> Any:
        members = [
            (repr(level), make_boosted(objective="quantile", alpha=level))
            for level in self.quantiles.tolist()
        ]
        return default_teacher(X, vote=QuantileVote(members))


def rate_quantiles(
    served: FloatArray, y: AnyArray, quantiles: FloatArray
) -> FloatArray:
    """Return the pinball loss of each row and quantile."""
    over = as_columns(y) - served
    return np.maximum(quantiles * over, (quantiles - 1) * over)


def check_quantiles(estimator: Any, y: AnyArray) -> FloatArray:
    """Return the levels as an array; raise where a parameter contradicts them."""
    levels = estimator.quantiles
    given = list(levels) if isinstance(levels, list | tuple | np.ndarray) else []
    found = np.array([v if is_number(v, 0, 1) else np.nan for v in given], dtype=float)
    bounds = np.concatenate([[0.0], found, [1.0]])
    if not len(found) or not (np.diff(bounds) > 0).all():
        raise ValueError(
            "quantiles must be levels that rise within (0, 1), or None; received "
            f"{levels!r}. Pass them in order, such as (0.1, 0.5, 0.9)."
        )
    if y.ndim > 1:
        raise ValueError(
            f"Quantiles are of one output; received y of shape {y.shape}. Fit one "
            "DistilledRegressor an output."
        )
    refused = {
        "alpha": estimator.alpha not in ("auto", 1),
        "fine_tune": estimator.fine_tune != 0,
        "max_labels": estimator.max_labels is not None,
    }
    for name, wrong in refused.items():
        if wrong:
            raise ValueError(
                "With quantiles the student learns the teacher's alone, since true "
                f"values have none; received {name}={getattr(estimator, name)!r}, "
                f"which learns true values. Leave {name} out."
            )
    return found


def stack_quantiles(teacher: Any, quantiles: FloatArray) -> Any:
    """Return one teacher of regressors that were given one a quantile.

    Fitted ones are used as they are; others are to be cloned and fitted.
    """
    if len(teacher) != len(quantiles):
        raise ValueError(
            f"A list of teachers must hold one regressor a quantile, {len(quantiles)}; "
            f"received {len(teacher)}. Pass them in the order of quantiles="
            f"{quantiles.tolist()}."
        )
    for member, level in zip(teacher, quantiles.tolist(), strict=True):
        own = getattr(last_step(member), "quantile", None)
        if is_number(own) and own != level:
            raise ValueError(
                f"The teacher of the quantile {level} must give it; received a "
                f"{type(last_step(member)).__name__} of the quantile {own}. Pass the "
                "regressors in the order of the quantiles."
            )
    fitted = [_is_fitted(member) for member in teacher]
    names = map(repr, quantiles.tolist())
    vote = QuantileVote(list(zip(names, teacher, strict=True)))
    if not any(fitted):
        return vote
    if not all(fitted):
        raise ValueError(
            "A list of teachers must be fitted, all of them, or none; received "
            f"{sum(fitted)} fitted ones of {len(fitted)}. Fit the others."
        )
    vote.estimators_ = list(teacher)
    return FrozenEstimator(vote)


def _is_fitted(estimator: Any) -> bool:
    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError):
        return False
    return True
