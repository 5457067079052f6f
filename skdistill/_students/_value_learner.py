"""What the families of regressors share, and the family of any regressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_regressor

from .._nested import takes_outputs, weight_params
from .._nets import inherits, is_net
from .._soft_data import MaybeRows, SoftDataset
from .._typing import FloatArray
from . import _lightgbm_params as lgbm
from ._soft_learner import EPOCHS_WORSE, ROUNDS_WORSE, TREES_WORSE, SoftLearner
from ._value_losses import limit_targets, refuse_quantile_loss, walk_learners
from ._value_shift import can_shift_values, shift_values


class ValueLearner(SoftLearner):
    """How the students of one family learn values.

    There are no classes to weigh, and the temperature is 1. The `n_classes` of
    `SoftLearner` is the number of outputs.
    """

    method = "predict"
    is_calibrated = False

    def check_kind(self, student: Any) -> None:
        """Raise a TypeError: a classifier is asked for."""
        raise TypeError(
            "The student must have predict_proba, which "
            f"{type(student).__name__} has not as it is configured. Use a classifier "
            "with probabilities, such as MLPClassifier; DistilledRegressor takes "
            "regressors."
        )

    def check(self, student: Any, n_classes: int, n_samples: int) -> None:
        refuse_quantile_loss(student)
        if n_classes > 1 and not takes_outputs(student):
            raise ValueError(
                f"With {n_classes} outputs the student must learn "
                f"several; received {type(student).__name__}, which learns one. Wrap "
                "it in MultiOutputRegressor, or take an MLPRegressor, a linear model, "
                "a tree or a forest, which learn several."
            )

    def can_shift_logits(self, student: Any) -> bool:
        return can_shift_values(student)

    def shift_logits(self, student: Any, shift: FloatArray) -> None:
        shift_values(student, shift)


class RegressorLearner(ValueLearner):
    """Every regressor that has no family of its own: its `fit` on all rows, joined.

    Each row has one target, so that there is nothing to weigh: what a student learns is
    the blend of the teacher's value and the true one, by whatever loss it has.
    """

    def accepts(self, student: Any) -> bool:
        known = hasattr(student, "__sklearn_tags__") and not isinstance(student, type)
        return known and is_regressor(student)

    def check(self, student: Any, n_classes: int, n_samples: int) -> None:
        super().check(student, n_classes, n_samples)
        for part in walk_learners(student):
            _refuse_stopping(part, inside=part is not student)

    def limit_targets(self, student: Any, train: SoftDataset) -> Any:
        return limit_targets(student, train)

    def explain_worse(self, student: Any) -> str:
        params = student.get_params()
        if "lr" in params:
            return EPOCHS_WORSE
        # That of linear models is the name of a schedule.
        if not isinstance(params.get("learning_rate", ""), str):
            return ROUNDS_WORSE
        known = "min_samples_leaf" in params
        return TREES_WORSE if known else super().explain_worse(student)

    def fit_rows(self, student: Any, rows: Any, validation: MaybeRows) -> Any:
        params = {**weight_params(student, rows.weight), **(rows.params or {})}
        values = rows.values
        if is_net(student):
            # A loss of torch compares columns in single precision.
            values = rows.targets.astype(np.float32)
        return student.fit(rows.X, values, **params)


#: Regressors of libraries, and the parameters with which `fit` needs validation rows.
_STOPPING = (
    ("xgboost.", "XGBModel", ("early_stopping_rounds",)),
    ("catboost.", "CatBoostRegressor", ("use_best_model",)),
    ("lightgbm.", "LGBMModel", lgbm.STOPPING),
)


def _refuse_stopping(student: Any, inside: bool) -> None:
    """Raise where a regressor would stop on rows that its `fit` is not given.

    LightGBM is given some, but not inside another estimator.
    """
    for library, kind, names in _STOPPING:
        if not inherits(student, library, kind):
            continue
        params = student.get_params(deep=False)
        if any(lgbm.given(params, names)) and (inside or kind != "LGBMModel"):
            where = " inside another estimator" if inside else ""
            raise ValueError(
                "A regressor that stops early does so on rows held out for it, which "
                f"{type(student).__name__}{where} is not given; received "
                f"{lgbm.named(params, names)}. Leave it out, or use LGBMRegressor or "
                "MLPRegressor by itself, which is given some."
            )
