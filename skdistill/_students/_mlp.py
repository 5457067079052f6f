"""MLPClassifier on one row a sample.

The network's loss and gradient (`activation - y`) hold for any probabilities, but
`MLPClassifier` casts its targets to bool in `_validate_input`. A subclass gives float
targets to the stock optimiser, and the result is moved to a stock `MLPClassifier`.
Where a release has moved what `_PRIVATE` lists, weighted copies learn the same targets
at more rows.

The mixture of two temperatures has another gradient g. The stock optimiser takes the
difference of probabilities and targets: it is given the targets that make it g.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from .._outofcore._spill import Spill
from .._soft_data import SoftDataset
from ._fine_tuning import RATE_SHARE, refuse_fine_tuning, run_epochs
from ._mlp_chunks import fit_chunks
from ._soft_learner import NETWORK_TEMPERATURE, SoftLearner
from ._soft_mlp import (
    SoftMLP,
    count_epochs,
    find_highest_rate,
    has_native_fit,
    move_to_stock,
)
from ._weighted_copies import COPIES


class MLPLearner(SoftLearner):
    """The stock MLPClassifier: a subclass may have changed its loss."""

    auto_temperature = NETWORK_TEMPERATURE

    def accepts(self, student: Any) -> bool:
        return type(student) is MLPClassifier

    def check_fine_tuning(self, student: MLPClassifier) -> None:
        if student.solver == "lbfgs":
            refuse_fine_tuning(student, " with solver='lbfgs'")

    def wants_validation(self, student: MLPClassifier, n_samples: int) -> bool:
        # L-BFGS ignores the wish.
        return student.early_stopping and student.solver != "lbfgs"

    def can_scale_logits(self, student: MLPClassifier, n_classes: int) -> bool:
        return True

    def learns_mixtures(self, student: MLPClassifier) -> bool:
        return has_native_fit()

    def learns_in_epochs(self, student: MLPClassifier) -> bool:
        return student.solver != "lbfgs"

    def epochs_parameter(self, student: MLPClassifier) -> str | None:
        return "max_iter" if student.solver != "lbfgs" else None

    def count_epochs(self, student: MLPClassifier, n_rows: int) -> int | None:
        if student.solver == "lbfgs":
            return None
        return min(student.max_iter, count_epochs(student, n_rows))

    def fit(
        self,
        student: MLPClassifier,
        train: SoftDataset,
        transfer: SoftDataset | None = None,
        validation: SoftDataset | None = None,
    ) -> MLPClassifier:
        """Fit with a falling learning rate where there is a transfer set."""
        rows = train.join(transfer)
        if transfer is None or student.solver == "lbfgs" or not has_native_fit():
            return self.fit_rows(student, rows, validation)
        return _fit_natively(student, rows, validation, falls=True)

    def fit_chunks(
        self,
        student: MLPClassifier,
        spill: Spill,
        validation: SoftDataset | None = None,
    ) -> MLPClassifier:
        """Fit in epochs over buffers; L-BFGS has no epochs."""
        if student.solver == "lbfgs" or not has_native_fit():
            return super().fit_chunks(student, spill, validation)
        return fit_chunks(student, spill, validation)

    def fit_rows(
        self,
        student: MLPClassifier,
        rows: SoftDataset,
        validation: SoftDataset | None,
    ) -> MLPClassifier:
        if has_native_fit():
            return _fit_natively(student, rows, validation, falls=False)
        return COPIES.fit_rows(student, rows, validation)

    def scale_logits(self, student: MLPClassifier, factor: float) -> None:
        student.coefs_[-1] = student.coefs_[-1] * factor
        student.intercepts_[-1] = student.intercepts_[-1] * factor

    def fine_tune(
        self, student: MLPClassifier, rows: SoftDataset, epochs: int
    ) -> MLPClassifier:
        """Train on at a tenth of `learning_rate_init`, with a new optimiser state."""
        tuned = copy.deepcopy(student)
        # Its moments belong to the soft targets. Nor is it kept: it holds the small
        # learning rate.
        vars(tuned).pop("_optimizer", None)
        # Early stopping leaves None, which partial_fit cannot compare with.
        best, tuned.best_loss_ = tuned.best_loss_, np.inf
        rate = {"learning_rate_init": RATE_SHARE * student.learning_rate_init}
        run_epochs(tuned, rows, epochs, rate)
        vars(tuned).pop("_optimizer")
        if best is None:
            tuned.best_loss_ = None
        return tuned


def _fit_natively(
    student: MLPClassifier,
    rows: SoftDataset,
    validation: SoftDataset | None,
    falls: bool,
) -> MLPClassifier:
    """Fit float targets, at a learning rate that falls over the epochs or does not."""
    given = student.get_params()
    soft = SoftMLP(**given)
    # The stock split would be stratified on floats and scored by accuracy.
    soft.early_stopping = False
    soft._highest_rate = None
    if falls:
        soft.max_iter = min(student.max_iter, count_epochs(student, rows.n_samples))
        soft._highest_rate = find_highest_rate(student)
    if soft._highest_rate is not None:
        soft.learning_rate_init = soft._highest_rate
    soft._train, soft._validation = rows, validation
    with warnings.catch_warnings():
        if soft.max_iter < student.max_iter:
            # The end that we set is no failure of the user's settings.
            warnings.simplefilter("ignore", ConvergenceWarning)
        soft.fit(rows.X, rows.y, sample_weight=rows.weight)
    return move_to_stock(soft, student, given)
