"""What estimators hold: the deployed model, and where row weights go."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter


def find_deployed(estimator: Any) -> Any:
    """Return what is deployed of a fitted estimator, itself where nothing is wrapped.

    Recognised by their public attributes, for the meta-estimator stands above this
    file: the `student_` of a DistilledClassifier and the `best_estimator_` of a
    search, alone or as steps of a Pipeline. Nothing is copied but the list of steps.

    Raises
    ------
    TypeError
        A search did not keep its best estimator.
    """
    for attribute in ("student_", "best_estimator_"):
        if hasattr(estimator, attribute):
            return find_deployed(getattr(estimator, attribute))
    if isinstance(estimator, BaseSearchCV) and hasattr(estimator, "cv_results_"):
        raise TypeError(
            "A search is deployed as its best_estimator_, which "
            f"{type(estimator).__name__} does not keep with refit=False. Set "
            "refit=True."
        )
    if not isinstance(estimator, Pipeline):
        return estimator
    deployed = copy.copy(estimator)
    deployed.steps = [(name, find_deployed(step)) for name, step in estimator.steps]
    return deployed


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
