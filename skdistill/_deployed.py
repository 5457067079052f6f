"""What of a fitted estimator is deployed."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline


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
