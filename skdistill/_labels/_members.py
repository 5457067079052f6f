"""The members of the default teacher: what each says of a row, and what each weighs.

The weights come from greedy selection with replacement [1]_ on rows that the members
were not fitted on: to the equal vote the member that lowers the loss of the mean most
is added, again and again, and the best of these means is kept. So a few rows move the
weights little, and each member keeps some. Their own labels are cross-fitted: each
fifth of them has the weights that the others choose, so that no row calibrates or
judges weights that were chosen on it. Where these labels are no better than those of
equal weights, which few rows can rarely improve on, the weights stay equal.

.. [1] R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes, "Ensemble selection from
   libraries of models", ICML 2004.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.ensemble import VotingClassifier, VotingRegressor

from .._dataset import Dataset, draw_folds, find_firsts
from .._nested import last_step, replace_last
from .._typing import AnyArray, FloatArray
from ._cross_fit import OutOfFold
from ._row_labels import RowLabels
from ._task import Task
from ._teacher import Labeller

#: Members that are added to the equal vote, one at a time.
_N_ROUNDS = 20

#: Parts of the rows, each with the weights of the others.
_N_PARTS = 5

#: Losses that differ by a smaller share are the same, but for rounding.
_ROUNDING = 1e-6


def is_vote(teacher: Any) -> bool:
    """Whether the last step is a vote or mean, which a subclass of them need not be."""
    return type(last_step(teacher)) in (VotingClassifier, VotingRegressor)


def choose_weights(
    labels: FloatArray, y: AnyArray, weight: FloatArray | None, task: Task
) -> FloatArray:
    """Return the weights of members by greedy selection with replacement.

    Their sum is 1. The first of equal choices is taken. `labels` have the shape
    (n_members, n_rows, n_columns): what each says of rows that it was not fitted on.
    """
    labels = task.clip(labels)
    counts, total = np.ones(len(labels)), labels.sum(axis=0, dtype=np.float64)

    def rate(mean: FloatArray) -> float:
        return float(np.average(task.score(mean, y), weights=weight))

    kept, lowest = counts.copy(), rate(total / len(labels))
    for n_chosen in range(len(labels) + 1, len(labels) + _N_ROUNDS + 1):
        losses = np.array([rate((total + own) / n_chosen) for own in labels])
        best = int(np.argmax(losses <= losses.min() * (1 + _ROUNDING)))
        counts[best] += 1
        total += labels[best]
        if losses[best] < lowest * (1 - _ROUNDING):
            kept, lowest = counts.copy(), losses[best]
    return kept / kept.sum()


def weigh_labels(data: Dataset, oof: OutOfFold, seed: Any) -> OutOfFold:
    """Choose the weights of members, and weigh their out-of-fold labels.

    The result has `weights`, and one label a row: by these weights, but for the rows
    that chose them, which have those that the other parts choose. The weights are None
    where they are no better than equal ones, which the labels have then.
    """
    rows, given = oof.held_out.rows, oof.held_out.values
    members = np.stack(np.split(given, given.shape[1] // data.task.n_columns, axis=1))
    equal, at = _average(members, None), oof.find_validation_rows(data)
    if (weight := data.take_labels(rows[at])[2]) is not None:
        at = at[weight > 0]
    y, codes, weight = data.take_labels(rows[at])
    groups = data.take_groups(rows[at])
    if len(find_firsts(groups, len(at))) < _N_PARTS:
        return replace(oof, held_out=RowLabels(rows, equal))

    def choose(rows: Any) -> FloatArray:
        own = None if weight is None else weight[rows]
        return choose_weights(members[:, at[rows]], y[rows], own, data.task)

    weights = choose(slice(None))
    labels = _average(members, weights)
    for others, part in draw_folds(codes, _N_PARTS, seed, groups):
        labels[at[part]] = _average(members[:, at[part]], choose(others))
    before, after = (
        np.average(data.task.score(data.task.clip(some[at]), y), weights=weight)
        for some in (equal, labels)
    )
    if after >= before:
        return replace(oof, held_out=RowLabels(rows, equal))
    return replace(oof, held_out=RowLabels(rows, labels), weights=weights)


def _average(members: FloatArray, weights: FloatArray | None) -> FloatArray:
    return np.average(members, axis=0, weights=weights).astype(members.dtype)


def set_weights(teacher: Any, weights: FloatArray | None) -> Any:
    """Return a teacher whose vote has these weights, fitted or not.

    What is given is not changed, and members are not copied.
    """
    if weights is None:
        return teacher
    vote = copy.copy(last_step(teacher))
    vote.weights = weights.tolist()
    return replace_last(teacher, vote)


def weigh_members(labeller: Labeller, weights: FloatArray | None) -> Labeller:
    """Return a fitted teacher whose labels are those of all members, so weighed."""
    name = labeller.tasks.name(labeller.name, weights)
    teacher = set_weights(labeller.teacher, weights)
    return replace(labeller, teacher=teacher, name=name, n_members=0)
