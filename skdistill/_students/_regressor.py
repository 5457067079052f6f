"""Any regressor: its own `fit` on training rows and transfer rows, joined.

Each row has one target, so that there is nothing to weigh: what a student learns is the
blend of the teacher's value and the true one, by whatever loss the student has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_regressor

from .._nested import weight_params
from .._soft_data import SoftDataset
from ._skorch import inherits
from ._value_learner import ValueLearner


class RegressorLearner(ValueLearner):
    """Every regressor that has no family of its own."""

    def accepts(self, student: Any) -> bool:
        known = hasattr(student, "__sklearn_tags__") and not isinstance(student, type)
        return known and is_regressor(student)

    def fit_rows(self, student: Any, rows: Any, validation: SoftDataset | None) -> Any:
        params = {**weight_params(student, rows.weight), **(rows.params or {})}
        values = rows.values
        if inherits(student, "skorch.", "NeuralNet"):
            # A loss of torch compares columns in single precision.
            values = rows.targets.astype(np.float32)
        return student.fit(rows.X, values, **params)
