"""Any classifier whose `fit` takes `sample_weight`.

Each row is repeated once per class and weighted by its soft target. The weighted log
loss of the copies is the soft cross-entropy of the row, so the fit is exact for every
loss that is a weighted sum over rows; the price is up to `n_classes` times the rows.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.svm import SVC, NuSVC
from sklearn.utils import check_random_state

from .._nested import takes_sample_weight, weight_params
from .._sklearn import _safe_indexing
from .._soft_data import MaybeRows, SoftDataset
from ._soft_learner import SoftLearner

#: A weight below machine epsilon cannot change a row's sum of weights.
VANISHING = np.finfo(np.float64).eps

#: The least share of a copy where a model counts `n_classes` copies a row, and leaves
#: out rows without weight. It changes no sum of weights.
LEAST_SHARE = 1e-300

#: Parameters by which estimators ask for a validation split inside their `fit`.
_STOPPING = (
    *("early_stopping", "n_iter_no_change", "early_stopping_round"),
    *("early_stopping_rounds", "early_stopping_min_delta"),
)


class WeightedCopiesLearner(SoftLearner):
    """Every classifier that takes row weights, and has no family of its own."""

    def accepts(self, student: Any) -> bool:
        return True

    def wants_validation(self, student: Any, n_samples: int) -> bool:
        if getattr(student, "early_stopping", False):
            return True
        # n_iter_no_change alone only counts where there is no early_stopping switch.
        names = _STOPPING[2:] if hasattr(student, "early_stopping") else _STOPPING[1:]
        return any(getattr(student, name, None) for name in names)

    def check(self, student: Any, n_classes: int, n_samples: int) -> None:
        name = type(student).__name__
        if isinstance(student, FixedThresholdClassifier | TunedThresholdClassifierCV):
            inner = type(student.estimator).__name__
            raise TypeError(
                "The student learns probabilities, and a threshold on them is set "
                f"after that; received a {name}. Put it around the "
                f"DistilledClassifier: {name}(DistilledClassifier(..., {inner}(...)))."
            )
        if hasattr(student, "cv"):
            raise TypeError(
                "The student must not draw folds of its own, for they would share "
                f"copies of a row; received a {name}. Put it around the "
                "DistilledClassifier, or use one of scikit-learn's searches, "
                "CalibratedClassifierCV or StackingClassifier."
            )
        if isinstance(student, SVC | NuSVC) and hasattr(student, "predict_proba"):
            raise TypeError(
                "The student must not draw folds of its own, in which copies of a row "
                f"count alike whatever their weights; received {name}(probability="
                f"{student.probability}). Use CalibratedClassifierCV({name}())."
            )
        if not takes_sample_weight(student):
            raise TypeError(
                "The student's fit must take sample_weight, by which it learns soft "
                f"targets; {name} does not. Use MLPClassifier, LogisticRegression or "
                "HistGradientBoostingClassifier, alone or at the end of a Pipeline."
            )
        _check_class_weights(student)
        if self.wants_validation(student, n_samples):
            _check_stopping(student)

    def fit_rows(self, student: Any, rows: SoftDataset, validation: MaybeRows) -> Any:
        X, y, weight, params = expand_rows(rows)
        if validation is None:
            return student.fit(X, y, **weight_params(student, weight), **params)

        def run_epoch(student: Any) -> None:
            student.partial_fit(X, y, sample_weight=weight, classes=rows.classes)

        return keep_best_epoch(student, run_epoch, validation)


#: The fit of families where their own does not apply.
COPIES = WeightedCopiesLearner()


def _check_class_weights(student: Any) -> None:
    """Raise where a part would count copies to balance the classes."""
    for name, value in student.get_params().items():
        if name.endswith("__class_weight") and isinstance(value, str):
            raise ValueError(
                f"Every class has as many copies of the rows as any other, so {name}="
                f"{value!r} inside {type(student).__name__} would change nothing. Pass "
                "a dict of class weights, or set class_weight on a single classifier."
            )


def _check_stopping(student: Any) -> None:
    """Raise where validation rows can't be passed."""
    if hasattr(student, "partial_fit") and getattr(student, "early_stopping", False):
        return
    asked = {n: v for n in _STOPPING if (v := getattr(student, n, None))}
    raise ValueError(
        "A student that stops early must be validated on rows that share no copy "
        f"with its training rows, and {type(student).__name__} offers no way to "
        f"pass them; received {asked}. Switch early stopping off, or use "
        "MLPClassifier, SGDClassifier or HistGradientBoostingClassifier."
    )


def expand_rows(
    data: SoftDataset, least: float | None = None
) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Repeat each row once per class that has weight; return X, y, weight, metadata.

    The weights of copies sum to the row's. With `least`, a share of it, each row keeps
    the copy of every class, so that what counts copies can be multiplied.
    """
    if least is None:
        rows, columns = np.nonzero(data.targets > VANISHING)
        weight = data.targets[rows, columns]
        kept = np.bincount(rows, weights=weight, minlength=data.n_samples)
        weight = weight / kept[rows]
    else:
        n_samples, n_classes = data.targets.shape
        rows = np.repeat(np.arange(n_samples), n_classes)
        columns = np.tile(np.arange(n_classes), n_samples)
        weight = np.maximum(data.targets, least).ravel()
    if data.weight is not None:
        weight = weight * data.weight[rows]
    labels = data.classes[columns]
    return _safe_indexing(data.X, rows), labels, weight, data.take_params(rows)


def keep_best_epoch(
    student: Any, run_epoch: Callable[[Any], float | None], validation: MaybeRows
) -> Any:
    """Fit by `run_epoch`, up to `max_iter` times, by scikit-learn's stopping rule.

    Validation rows decide, by whose loss the best epoch is kept. Without them the loss
    on the training rows does, where `run_epoch` returns it, and the last one is kept.
    """
    params = student.get_params(deep=False)
    # SGDClassifier then divides its rate by 5 instead of stopping.
    is_adaptive = params.get("learning_rate") == "adaptive" and "eta0" in params
    # partial_fit refuses early_stopping, and with an integer seed it would
    # shuffle every epoch alike.
    student.set_params(
        early_stopping=False, random_state=check_random_state(params["random_state"])
    )
    # As in scikit-learn, None ends no fit before its last epoch.
    tol = -np.inf if params["tol"] is None else params["tol"]
    best, best_loss, waited, n_epochs = student, np.inf, 0, 0
    while n_epochs < params["max_iter"] and waited <= params["n_iter_no_change"]:
        loss = run_epoch(student)
        n_epochs += 1
        if validation is not None:
            loss = validation.measure(student.predict_proba(validation.X))
        if loss is None:
            continue
        waited = 0 if loss <= best_loss - tol else waited + 1
        if loss < best_loss:
            best_loss = loss
            best = student if validation is None else copy.deepcopy(student)
        plateau = waited > params["n_iter_no_change"]
        if plateau and is_adaptive and student.eta0 > 1e-6:
            student.set_params(eta0=student.eta0 / 5)
            waited = 0
    best.n_iter_ = n_epochs
    names = {"early_stopping", "random_state", "eta0"} & set(params)
    return best.set_params(**{name: params[name] for name in names})
