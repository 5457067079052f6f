"""Smaller models: fewer units, fewer trees, fewer leaves."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from .._sklearn import BaseSearchCV
from ._lesson import make_lesson
from ._prune_net import prune_mlp, prune_skorch
from ._scores import refuse_loss, score_answers
from ._slim import is_skorch, slim
from .onnx._skl2onnx import is_from, split_steps
from .onnx._verify import Reference


class Pruned(NamedTuple):
    """A pruned model, and what it cost on the rows given.

    Attributes
    ----------
    estimator : estimator
        A stock estimator, slimmed.
    before, after : dict
        ``accuracy`` and ``log_loss`` (nats).
    """

    estimator: Any
    before: dict[str, float]
    after: dict[str, float]


def prune(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    sparsity: float = 0.5,
    tolerance: float = 0.002,
    steps: int = 4,
    passes: int | None = None,
    random_state: int | None = None,
) -> Pruned:
    """Make a copy of a fitted model smaller.

    Of an :class:`~sklearn.neural_network.MLPClassifier` or a skorch net made of
    linear layers, hidden units are removed: `steps` times, those with the smallest
    product of incoming and outgoing weights [1]_, after which the rest is trained on
    the soft targets. The matrices shrink, so the model is smaller and faster
    everywhere. Boosting keeps its first rounds, a forest or bagging its first trees,
    and a decision tree what minimal cost-complexity pruning leaves.

    Parameters
    ----------
    estimator : estimator
        Fitted; a :class:`~skdistill.DistilledClassifier` makes the soft targets
        again from its `teacher_`, any other model from its own `predict_proba` (see
        Notes).
    X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        Rows to train on and to score; labels are not needed.
    y : array-like of shape (n_samples,), default=None
        True labels to score against. None: those that the estimator predicts.
    sparsity : float in (0, 1), default=0.5
        Share of a network's weights (by the same share of each hidden layer's
        units), of the rounds or trees, or of a tree's nodes to remove.
    tolerance : float, default=0.002
        How much accuracy may be lost on the rows.
    steps : int, default=4
        In how many steps units are removed.
    passes : int or None, default=None
        Passes over the rows after each step. None: 1,000 batches of 200 rows, and at
        least 5 passes.
    random_state : int or None, default=None
        Shuffles the rows between passes.

    Returns
    -------
    pruned : Pruned
        With `estimator`, `before` and `after`.

    Raises
    ------
    TypeError
        A model of another kind.
    ValueError
        A parameter is out of range, or more accuracy was lost than `tolerance`.

    Notes
    -----
    The teacher's labels are calibrated, blended and joined by synthetic rows as they
    were in `fit` (`calibration_`, `alpha_`, `augmenter_`), at temperature 1. A
    student teaches itself where that can't be made again: from stored probabilities,
    where true labels had a share and `y` is not given, and where the teacher weighs
    classes.

    References
    ----------
    .. [1] S. Han, J. Pool, J. Tran, W. Dally, "Learning both weights and connections
       for efficient neural networks", NeurIPS 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdistill import DistilledClassifier
    >>> from skdistill.export import prune
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPClassifier((32,), max_iter=1000, tol=1e-3)
    >>> student = make_pipeline(StandardScaler(), network)
    >>> teacher = RandomForestClassifier()
    >>> distilled = DistilledClassifier(teacher, student, random_state=0).fit(X, y)
    >>> pruned = prune(distilled, X, y, passes=50, tolerance=0.02, random_state=0)
    >>> pruned.estimator[-1].coefs_[0].shape
    (4, 16)
    """
    _check_range(sparsity, steps, passes)
    served = slim(estimator)
    reference = Reference(served, X)
    classes = reference.find_classes(served)
    labels = reference.label if y is None else np.asarray(y)
    before = score_answers(labels, reference.label, reference.proba, classes)
    learner = split_steps(served)[1]
    if isinstance(learner, MLPClassifier) or is_skorch(learner):
        settings = (sparsity, steps, passes, random_state)
        known = None if y is None else labels
        pruned = _prune_network(served, estimator, X, known, settings)
    else:
        pruned = _replace_learner(served, X, lambda m, _: _shrink_trees(m, sparsity))
    answers = Reference(pruned, X)
    after = score_answers(labels, answers.label, answers.proba, classes)
    refuse_loss(f"sparsity={sparsity:g}", before, after, tolerance)
    return Pruned(slim(pruned), before, after)


def _check_range(sparsity: float, steps: int, passes: int | None) -> None:
    if not 0 < sparsity < 1:
        raise ValueError(
            f"sparsity must be above 0 and below 1, received {sparsity}: the share of "
            "the model to remove."
        )
    if steps < 1 or (passes is not None and passes < 0):
        raise ValueError(
            "Pruning takes at least one step and no negative number of passes; "
            f"received steps={steps}, passes={passes}."
        )


def _prune_network(
    served: Any, estimator: Any, X: Any, y: Any, settings: tuple[Any, ...]
) -> Any:
    """Go down what is served next to the estimator, to the level it learned at."""
    if isinstance(estimator, BaseSearchCV):
        return _prune_network(served, estimator.best_estimator_, X, y, settings)
    if isinstance(estimator, Pipeline):
        *steps, (name, last) = served.steps
        Z = Pipeline(steps).transform(X) if steps else X
        pruned = _prune_network(last, estimator.steps[-1][1], Z, y, settings)
        served.steps = [*steps, (name, pruned)]
        return served
    rows, targets = make_lesson(estimator, X, y, settings[-1])

    def shrink(network: Any, Z: Any) -> Any:
        train = prune_skorch if is_skorch(network) else prune_mlp
        return train(network, Z, targets, *settings)

    return _replace_learner(served, rows, shrink)


def _replace_learner(served: Any, X: Any, shrink: Callable[[Any, Any], Any]) -> Any:
    if not isinstance(served, Pipeline):
        return shrink(served, X)
    *steps, (name, last) = served.steps
    Z = Pipeline(steps).transform(X) if steps else X
    served.steps = [*steps, (name, _replace_learner(last, Z, shrink))]
    return served


def _shrink_trees(learner: Any, sparsity: float) -> Any:
    """Shrink a slimmed copy in place, or replace it."""
    if isinstance(learner, DecisionTreeClassifier):
        return _prune_tree(learner, sparsity)
    if isinstance(learner, HistGradientBoostingClassifier):
        learner._predictors = _keep_first(learner._predictors, sparsity)
    elif isinstance(learner, GradientBoostingClassifier):
        learner.estimators_ = _keep_first(learner.estimators_, sparsity)
        learner.n_estimators_ = len(learner.estimators_)
    elif isinstance(learner, RandomForestClassifier | ExtraTreesClassifier):
        learner.estimators_ = _keep_first(learner.estimators_, sparsity)
        learner.set_params(n_estimators=len(learner.estimators_))
    elif isinstance(learner, BaggingClassifier):
        learner.estimators_ = _keep_first(learner.estimators_, sparsity)
        kept = len(learner.estimators_)
        learner.estimators_features_ = learner.estimators_features_[:kept]
        learner.set_params(n_estimators=kept)
    elif is_from(learner, "lightgbm"):
        booster = learner.booster_
        rounds = _count_kept(booster.current_iteration(), sparsity)
        text = booster.model_to_string(num_iteration=rounds)
        learner._Booster = type(booster)(model_str=text)
    elif is_from(learner, "xgboost"):
        booster = learner.get_booster()
        rounds = _count_kept(booster.num_boosted_rounds(), sparsity)
        learner._Booster = booster[:rounds]
    elif is_from(learner, "catboost"):
        learner.shrink(ntree_end=_count_kept(learner.tree_count_, sparsity))
    else:
        raise TypeError(
            "prune takes MLPClassifier, a skorch net, a decision tree, a forest, "
            f"bagging or boosting, received {type(learner).__name__}."
        )
    return learner


def _count_kept(count: int, sparsity: float) -> int:
    # Rounded, lest .9 of 10 leave two by a rounding error.
    return max(1, math.ceil(round((1.0 - sparsity) * count, 6)))


def _keep_first(parts: Any, sparsity: float) -> Any:
    return parts[: _count_kept(len(parts), sparsity)]


def _prune_tree(
    learner: DecisionTreeClassifier, sparsity: float
) -> DecisionTreeClassifier:
    """Raise the cost of a leaf until few enough nodes are left."""
    most = _count_kept(learner.tree_.node_count, sparsity)
    # Twice the impurity of the root prices every split out.
    low, high = 0.0, 2.0 * float(learner.tree_.impurity[0]) + 1e-12
    pruned = _price_leaves(learner, high)
    for _ in range(50):
        middle = (low + high) / 2
        pilot = _price_leaves(learner, middle)
        if pilot.tree_.node_count > most:
            low = middle
        else:
            high, pruned = middle, pilot
    return pruned


def _price_leaves(
    learner: DecisionTreeClassifier, alpha: float
) -> DecisionTreeClassifier:
    pilot = copy.deepcopy(learner)
    given = pilot.ccp_alpha
    pilot.set_params(ccp_alpha=alpha)._prune_tree()
    return pilot.set_params(ccp_alpha=given)
