"""The walks from a pipeline, search or meta-estimator to the models inside it.

A DistilledClassifier is recognised by its `student_`, because its module imports this
one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
)
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from ._fixed_model import FixedModel
from ._sklearn import BaseSearchCV

#: Combine members whose `fit` they call with the weights.
_VOTES = (VotingClassifier, VotingRegressor, StackingClassifier, StackingRegressor)

#: Pass the weights on to clones of one estimator; others draw rows by them.
_WEIGHED = (
    *(CalibratedClassifierCV, AdaBoostClassifier),
    *(MultiOutputClassifier, MultiOutputRegressor),
)

# Before fit --------------------------------------------------------------------------


def can_refit(teacher: Any) -> bool:
    """Whether a clone of the teacher can be fitted; a fixed teacher labels as it is.

    A FrozenEstimator is fixed, and this package's functions and ONNX models. The tag
    `requires_fit` does not tell: a Gaussian process, which needs no fit to predict by
    its prior, learns.
    """
    return teacher is not None and not isinstance(teacher, FrozenEstimator | FixedModel)


def last_step(estimator: Any) -> Any:
    """Return the last step of nested Pipelines; any other estimator itself.

    A FrozenEstimator ends the walk, because its `fit` learns nothing.
    """
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def has_probabilities(classifier: Any) -> bool:
    """Whether `predict_proba` is there, or will be once the classifier is fitted."""
    last = last_step(classifier)
    if isinstance(last, BaseSearchCV) and not hasattr(last, "best_estimator_"):
        return bool(last.refit) and has_probabilities(last.estimator)
    if isinstance(last, StackingClassifier) and not hasattr(last, "final_estimator_"):
        # Without a final estimator, which is then a LogisticRegression, it has none
        # until it is fitted.
        return last.final_estimator is None or has_probabilities(last.final_estimator)
    return hasattr(classifier, "predict_proba")


def refuse_several_labels(classifier: Any, role: str) -> None:
    """Raise where a classifier learns, or has learned, several labels a row."""
    last = last_step(classifier)
    if isinstance(last, BaseSearchCV):
        return refuse_several_labels(last.estimator, role)
    classes = getattr(last, "classes_", None)
    # A classifier of several labels has a list of arrays, one a label.
    several = isinstance(classes, list) and any(map(np.ndim, classes))
    if several or isinstance(last, MultiOutputClassifier | ClassifierChain):
        raise TypeError(
            f"The {role} must give the probabilities of one label a row; received "
            f"{type(last).__name__}, which has several. Pass a classifier of one "
            "label, and fit one DistilledClassifier a label."
        )


def list_steps(estimator: Any) -> list[Any]:
    """Return the steps of nested Pipelines, flat; any other estimator alone."""
    if not isinstance(estimator, Pipeline):
        return [estimator]
    return [found for _, step in estimator.steps for found in list_steps(step)]


def takes_sample_weight(estimator: Any) -> bool:
    """Whether `fit` takes `sample_weight`, itself or through its last step.

    `has_fit_parameter` alone is False for every meta-estimator that passes its `fit`
    parameters on.
    """
    if isinstance(estimator, Pipeline):
        return takes_sample_weight(last_step(estimator))
    held = _list_weighed(estimator)
    if held is None:
        return bool(has_fit_parameter(estimator, "sample_weight"))
    # None and "drop" stand for what takes weights, and for nothing.
    members = [member for member in held if hasattr(member, "fit")]
    return all(map(_takes_weight_itself, members))


def _list_weighed(estimator: Any) -> list[Any] | None:
    """Return what a `fit` that takes weights hands them on to; None: its own."""
    if isinstance(estimator, _VOTES):
        final = getattr(estimator, "final_estimator", None)
        return [*(member for _, member in estimator.estimators), final]
    if isinstance(estimator, TransformedTargetRegressor):
        return [estimator.regressor]
    return [estimator.estimator] if isinstance(estimator, _WEIGHED) else None


def _takes_weight_itself(member: Any) -> bool:
    """Whether fit(X, y, sample_weight=...) can be called, as a Pipeline's cannot.

    That of a FrozenEstimator does nothing.
    """
    if isinstance(member, Pipeline):
        return False
    return isinstance(member, FrozenEstimator) or takes_sample_weight(member)


def takes_outputs(estimator: Any) -> bool:
    """Whether a regressor learns several outputs, itself or through what it holds."""
    estimator = last_step(estimator)
    if isinstance(estimator, BaseSearchCV):
        return takes_outputs(estimator.estimator)
    if isinstance(estimator, TransformedTargetRegressor):
        inner = estimator.regressor
        return inner is None or takes_outputs(inner)
    # Its tags do not say so.
    if isinstance(estimator, MLPRegressor):
        return True
    return bool(get_tags(estimator).target_tags.multi_output)


def weight_params(estimator: Any, weight: Any) -> dict[str, Any]:
    """Return the keyword arguments of `fit` that bring `weight` to the last step."""
    if weight is None:
        return {}
    prefix = ""
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        prefix += f"{name}__"
    return {f"{prefix}sample_weight": weight}


def list_models(estimator: Any, fixed: bool = True) -> Iterator[Any]:
    """Yield an estimator, and all that are inside it: steps, members, what is frozen.

    A fitted search is its best estimator; any other has each that it may try. Without
    `fixed`, models that a fit leaves as they are do not count.
    """
    if not (fixed or can_refit(estimator)):
        return
    if hasattr(estimator, "best_estimator_"):
        yield from list_models(estimator.best_estimator_, fixed)
        return
    yield estimator
    for _, value in list_own_settings(estimator):
        for part in list_held(value):
            yield from list_models(part, fixed)


def list_settings(estimator: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of each parameter of those that `list_models` finds.

    A search that is not fitted has each value that it may try.
    """
    for model in list_models(estimator):
        for name, value in list_own_settings(model):
            yield name.split("__")[-1], value


def list_own_settings(estimator: Any) -> list[tuple[str, Any]]:
    """Return the name and value of each parameter, and what a search tries."""
    settings = list(estimator.get_params(deep=False).items())
    if isinstance(estimator, BaseSearchCV):
        settings += _list_tried(settings)
    return settings


def _list_tried(settings: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return what a search tries, whatever its class calls its grid.

    A distribution stands for its values.
    """
    found = []
    for _, grids in settings:
        for grid in grids if isinstance(grids, list | tuple) else [grids]:
            for name, tried in grid.items() if isinstance(grid, dict) else ():
                several = isinstance(tried, list | tuple | np.ndarray)
                found += [(name, value) for value in (tried if several else [tried])]
    return found


def list_held(value: Any) -> Iterator[Any]:
    """Yield the estimators that are a value, or in a list such as that of steps."""
    if isinstance(value, list | tuple):
        for part in value:
            yield from list_held(part)
    elif hasattr(value, "get_params") and not isinstance(value, type):
        yield value


# After fit ---------------------------------------------------------------------------


def find_deployed(estimator: Any) -> Any:
    """Return the model that serves, where it stands behind the same transformers.

    The `student_` of a DistilledClassifier and the `best_estimator_` of a search
    replace them, alone or as steps of a Pipeline. Only the list of steps is copied.
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
    steps = [(name, find_deployed(step)) for name, step in estimator.steps]
    return _copy_pipeline(estimator, steps)


def find_distilled(estimator: Any) -> Any:
    """Return the fitted DistilledClassifier at the end of searches and Pipelines.

    None where there is no such model.
    """
    *_, found = _walk_down(estimator)
    return found if hasattr(found, "student_") else None


def transform_before(estimator: Any, X: Any) -> Any:
    """Return rows as they arrive at what `find_distilled` finds."""
    for level in _walk_down(estimator):
        if isinstance(level, Pipeline) and len(level) > 1:
            X = level[:-1].transform(X)
    return X


def replace_last(estimator: Any, model: Any) -> Any:
    """Return `model` behind the transformers that stand before the last step.

    That is the DistilledClassifier, where there is one. Nothing is copied but Pipelines
    and their lists of steps.
    """
    for level in reversed(list(_walk_down(estimator))):
        if isinstance(level, Pipeline):
            *steps, (name, _) = level.steps
            model = _copy_pipeline(level, [*steps, (name, model)])
    return model


def _walk_down(estimator: Any) -> Iterator[Any]:
    """Yield the estimator and what is inside, down to a DistilledClassifier."""
    yield estimator
    while not hasattr(estimator, "student_"):
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        else:
            return
        yield estimator


def split_pipeline(estimator: Any) -> tuple[list[Any], Any]:
    """Return the transformers of nested Pipelines in order, and the learner.

    A FrozenEstimator stands for what it holds.
    """
    transformers: list[Any] = []
    while isinstance(estimator, Pipeline | FrozenEstimator):
        if isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        else:
            transformers += [step for _, step in estimator.steps[:-1]]
            estimator = estimator.steps[-1][1]
    return transformers, estimator


def find_decider(classifier: Any) -> Any:
    """Return the classifier whose `predict` that of Pipelines and searches is."""
    learner = split_pipeline(classifier)[1]
    if isinstance(learner, BaseSearchCV):
        return find_decider(getattr(learner, "best_estimator_", learner.estimator))
    return learner


def map_learner(estimator: Any, X: Any, change: Callable[[Any, Any], Any]) -> Any:
    """Return a fitted estimator with another learner at the end of its Pipelines.

    `change` takes the last step and the rows as they arrive there, and returns the new
    one. Pipelines and their lists of steps are copied, nothing else is. A
    FrozenEstimator stands for what it holds.
    """
    if isinstance(estimator, FrozenEstimator):
        return FrozenEstimator(map_learner(estimator.estimator, X, change))
    if not isinstance(estimator, Pipeline):
        return change(estimator, X)
    *steps, (name, last) = estimator.steps
    rows = estimator[:-1].transform(X) if steps else X
    return _copy_pipeline(estimator, [*steps, (name, map_learner(last, rows, change))])


def list_members(model: Any) -> list[Any] | None:
    """Return the fitted models whose predictions a meta-estimator combines.

    Pipelines, searches, a DistilledClassifier and a FrozenEstimator have one member.
    None where the model is no meta-estimator.
    """
    if isinstance(model, Pipeline):
        return [model.steps[-1][1]]
    for name in ("best_estimator_", "student_"):
        if hasattr(model, name):
            return [getattr(model, name)]
    if isinstance(model, FrozenEstimator):
        return [model.estimator]
    if hasattr(model, "calibrated_classifiers_"):
        return [member.estimator for member in model.calibrated_classifiers_]
    if hasattr(model, "estimators_"):
        # Gradient boosting keeps an array of trees, one column a class. A list must
        # not become one: NumPy would take Pipelines and forests for sequences.
        members = model.estimators_
        members = members.ravel() if isinstance(members, np.ndarray) else members
        final = getattr(model, "final_estimator_", None)
        return [*members, *([] if final is None else [final])]
    return None


def _copy_pipeline(pipeline: Pipeline, steps: list[tuple[str, Any]]) -> Pipeline:
    new = copy.copy(pipeline)
    new.steps = steps
    return new
