"""MLPRegressor by the learner of `_mlp`, with the squared error.

Targets are standardised by the training rows, and the last layer takes the scale back
afterwards: the stock object serves the user's units. So is a fit on training rows alone
that of a `TransformedTargetRegressor` with a `StandardScaler`.
"""

from __future__ import annotations

import copy
from typing import Any

from sklearn.neural_network import MLPRegressor

from .._outofcore._spill import Spill
from .._soft_data import MaybeRows, SoftDataset
from ._losses import Scale, SquaredError
from ._mlp import MLPLearner
from ._value_learner import ValueLearner


class MLPRegressorLearner(ValueLearner, MLPLearner):
    """The stock MLPRegressor with the squared error, and no other loss."""

    auto_temperature = 1.0

    def accepts(self, student: Any) -> bool:
        return type(student) is MLPRegressor and student.loss == "squared_error"

    def check(self, student: Any, n_classes: int, n_samples: int) -> None:
        MLPLearner.check(self, student, n_classes, n_samples)

    def make_loss(self, data: SoftDataset) -> SquaredError:
        return SquaredError(data.targets)

    def fit(
        self,
        student: Any,
        train: SoftDataset,
        transfer: MaybeRows = None,
        validation: MaybeRows = None,
    ) -> Any:
        scale = Scale.of(train)
        super().fit(
            student,
            scale.transform(train),
            transfer and scale.transform(transfer),
            validation and scale.transform(validation),
        )
        return _fold(scale, student)

    def fit_chunks(self, student: Any, spill: Spill, validation: MaybeRows) -> Any:
        scale = Scale.of(spill.train)
        spill.change(scale.transform)
        super().fit_chunks(student, spill, validation and scale.transform(validation))
        return _fold(scale, student)

    def fine_tune(self, student: Any, rows: SoftDataset, epochs: int) -> Any:
        scale = Scale.of(rows)
        bare, rows = _unfold(scale, student), scale.transform(rows)
        return _fold(scale, super().fine_tune(bare, rows, epochs))


def _fold(scale: Scale, student: Any) -> Any:
    """Give a network's last layer the scale, in place.

    In double precision, since a mean may be far from 0.
    """
    student.coefs_[-1] = student.coefs_[-1] * scale.deviation
    student.intercepts_[-1] = scale.restore(student.intercepts_[-1])
    return student


def _unfold(scale: Scale, student: Any) -> Any:
    """Return a copy of a network without the scale."""
    bare = copy.copy(student)
    bare.coefs_ = [*student.coefs_[:-1], student.coefs_[-1] / scale.deviation]
    last = scale.standardize(student.intercepts_[-1])
    bare.intercepts_ = [*student.intercepts_[:-1], last]
    return bare
