"""How a row weight reaches an estimator's `fit`."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter


def takes_sample_weight(estimator: Any) -> bool:
    """Whether `fit` takes `sample_weight`, itself or through its last step.

    `has_fit_parameter` alone says no to every meta-estimator that hands its
    `fit` parameters on.
    """
    if isinstance(estimator, Pipeline):
        return takes_sample_weight(estimator.steps[-1][1])
    if isinstance(estimator, VotingClassifier | StackingClassifier):
        members = [est for _, est in estimator.estimators if est != "drop"]
        # They call fit(X, y, sample_weight=...) on each, which a Pipeline refuses.
        return all(
            takes_sample_weight(est) and not isinstance(est, Pipeline)
            for est in members
        )
    return bool(has_fit_parameter(estimator, "sample_weight"))


def weight_params(estimator: Any, weight: Any) -> dict[str, Any]:
    """Keyword arguments that bring `weight` to the estimator's `fit`."""
    if weight is None:
        return {}
    prefix = ""
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        prefix += f"{name}__"
    return {f"{prefix}sample_weight": weight}
