"""LGBMRegressor: trees grown by its own `fit`, leaves refitted on a transfer set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .._soft_data import SoftDataset
from ._boosting import is_stock
from ._leaves import LeafLearner, refit_leaves
from ._lightgbm_params import OBJECTIVE, given, may_refit_leaves, stopping_rounds
from ._losses import Scale, SquaredError
from ._value_learner import RegressorLearner

#: LightGBM's names of the squared error.
_SQUARED = {
    *("regression", "regression_l2", "l2", "mean_squared_error", "mse"),
    *("l2_root", "root_mean_squared_error", "rmse"),
}

#: Weight of the ridge around the boosted values, in standard deviations.
_RIDGE = 1e-3


class LightGBMRegressorLearner(LeafLearner, RegressorLearner):
    """The stock LGBMRegressor; with another loss than the squared error no refit."""

    def accepts(self, student: Any) -> bool:
        return is_stock(student, "lightgbm", "LGBMRegressor")

    def wants_validation(self, student: Any, n_samples: int) -> bool:
        return stopping_rounds(student.get_params()) > 0

    def refits_leaves(self, student: Any) -> bool:
        params = student.get_params()
        squared = _SQUARED.issuperset(given(params, OBJECTIVE))
        return squared and may_refit_leaves(params)

    def refit_leaves(self, student: Any, rows: SoftDataset) -> None:
        unit = float(Scale.of(rows).deviation[0])

        def make_loss(data: SoftDataset) -> SquaredError:
            return SquaredError(data.targets / unit)

        refit_leaves(student, rows, make_loss, _RIDGE, unit)

    def fit_rows(self, student: Any, rows: Any, validation: Any) -> Any:
        if validation is not None:
            extra = {"eval_X": validation.X, "eval_y": validation.values}
            if validation.weight is not None:
                extra["eval_sample_weight"] = [validation.weight]
            rows = replace(rows, params={**(rows.params or {}), **extra})
        return super().fit_rows(student, rows, None)
