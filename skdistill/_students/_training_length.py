"""A network's training for as many epochs as validation rows ask.

The learning rate falls to 0 over the epochs, so that each length is a training of its
own. Lengths grow until the loss of the validation rows falls no more.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline

from .._nested import last_step
from .._progress import part_of_step
from .._soft_data import MaybeRows, SoftDataset
from .._typing import IndexArray
from ._epochs import count_batch
from ._fit_student import fit_head, fit_student, set_learner

#: Fewer rows are too few to choose on. A class of fewer rows does not count: of
#: others there must be two. A single one asks for ever longer trainings.
_MIN_ROWS, _MIN_CLASS_ROWS = 200, 10

#: The shortest training that is tried at first, in epochs, and the ratio of one to the
#: next. At smaller steps the noise of a few hundred validation rows would end the
#: search: at √2 it ended on airfoil at a sixth of the best length.
_MIN_EPOCHS, _RATIO = 10, 2

#: A longer training is taken for a loss that is lower by more: RMSE by a percent. Less
#: is chance on a few hundred rows, some of which decide: on laser it memorised
#: outliers. Two lengths that gain less end the search; one would on airfoil, where the
#: second gains 7%.
_LEAST_GAIN, _PATIENCE = 0.02, 2

#: All lengths up to the longest take so many times its updates together.
SUM_OF_LENGTHS = 1 / (1 - 1 / _RATIO)


def can_choose_length(student: Any, codes: IndexArray) -> bool:
    """Whether validation rows can choose the student's training.

    It is a network of scikit-learn that learns by gradient steps, and there are rows
    enough: `codes` has the class of each, or 0.
    """
    network = last_step(student)
    is_network = isinstance(network, MLPClassifier | MLPRegressor)
    if not is_network or network.solver == "lbfgs":
        return False
    counts = np.bincount(codes)
    common = counts[counts >= _MIN_CLASS_ROWS]
    n_needed = min(2, int(np.count_nonzero(counts)))
    return bool(common.sum() >= _MIN_ROWS and len(common) >= n_needed)


def count_updates(network: Any, n_epochs: float, n_rows: float) -> int:
    """Return the updates that a network makes in so many epochs over so many rows."""
    n_rows = max(1, round(n_rows))
    return math.ceil(n_epochs * math.ceil(n_rows / count_batch(network, n_rows)))


def fit_chosen_length(
    student: Any,
    train: SoftDataset,
    transfer: MaybeRows,
    validation: SoftDataset,
    n_updates: int,
    *,
    learns_all: bool,
    in_time: bool = False,
) -> Any:
    """Fit a network in place for as many epochs as validation rows ask.

    A training has `n_updates` at most, and `in_time` no more than the network makes as
    it is set: few validation rows of certain labels ask for ever longer trainings, and
    one row that they lack costs more than all of them gain. With `learns_all` the
    validation rows are learned as well, once the length is chosen.
    """
    with warnings.catch_warnings():
        # A length that is chosen does not ask for more.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if in_time:
            n_updates = min(n_updates, _count_own_updates(student, train))
        given = student, train, transfer, validation
        share = SUM_OF_LENGTHS / (SUM_OF_LENGTHS + 1)
        with part_of_step(0, share):
            n_epochs = _choose_epochs(*given, n_updates=n_updates)
        if learns_all:
            train = train.join(validation)
        with part_of_step(share, 1):
            return _fit_for_epochs(student, train, transfer, n_epochs)


def _count_own_updates(student: Any, train: SoftDataset) -> int:
    """Return the updates that a network makes as it is set."""
    network = last_step(fit_student(clone(student), train))
    return count_updates(network, network.n_iter_, train.n_labelled)


def _choose_epochs(
    student: Any,
    train: SoftDataset,
    transfer: MaybeRows,
    validation: Any,
    n_updates: int,
) -> int:
    """Return the longest training that lowered the held-out loss worth its cost."""
    if isinstance(student, Pipeline):
        student = clone(student)
        given = fit_head(student, train, transfer, validation)
        return _choose_epochs(*given, n_updates=n_updates)
    n_rows = train.n_labelled + (0 if transfer is None else transfer.n_samples)
    most = max(1, math.ceil(n_updates / count_updates(student, 1, n_rows)))
    n_steps = int(math.log(max(1, most / _MIN_EPOCHS), _RATIO))

    n_run, n_planned = 0, SUM_OF_LENGTHS * most

    def measure(n_epochs: int) -> float:
        nonlocal n_run
        start, n_run = n_run, n_run + n_epochs
        with part_of_step(start / n_planned, min(1, n_run / n_planned)):
            model = _fit_for_epochs(clone(student), train, transfer, n_epochs)
        return validation.measure(validation.ask(model))

    shortest = chosen = math.ceil(most / _RATIO**n_steps)
    lowest, n_failed = measure(shortest), 0
    for k in range(n_steps - 1, -1, -1):
        n_epochs = math.ceil(most / _RATIO**k)
        loss = measure(n_epochs)
        if loss <= (1 - _LEAST_GAIN) * lowest:
            chosen, lowest, n_failed = n_epochs, loss, 0
        else:
            n_failed += 1
            if n_failed == _PATIENCE:
                break
    # Many noisy labels are memorised within a few epochs: for 4,000 flights 5 are best,
    # and 20 lose .02 nats.
    while chosen == shortest > 1:
        shortest = math.ceil(shortest / _RATIO)
        loss = measure(shortest)
        if loss < lowest:
            chosen, lowest = shortest, loss
    return chosen


def _fit_for_epochs(
    student: Any, train: SoftDataset, transfer: MaybeRows, n_epochs: int
) -> Any:
    """Fit in place at a learning rate that falls to 0 over so many epochs."""
    if isinstance(student, Pipeline):
        learner, train, transfer, _ = fit_head(student, train, transfer, None)
        learner = _fit_for_epochs(learner, train, transfer, n_epochs)
        return set_learner(student, learner)
    given = {name: getattr(student, name) for name in ("max_iter", "early_stopping")}
    student.set_params(max_iter=n_epochs, early_stopping=False)
    if transfer is None:
        # The rate falls where there is a transfer set, be it empty.
        transfer = train.take(np.arange(0))
    return fit_student(student, train, transfer).set_params(**given)
