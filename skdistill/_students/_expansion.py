"""Any classifier whose `fit` takes `sample_weight`.

Each row is repeated once per class and weighted by its soft target. The
weighted log loss of the copies is the soft cross-entropy of the row, so the
route is exact for every loss that is a weighted sum over rows; the price is up
to `n_classes` times the rows.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils import _safe_indexing, check_random_state

from .._targets import cross_entropy
from .._weights import takes_sample_weight, weight_params
from ._data import SoftData

#: A weight below machine epsilon cannot change a row's sum of weights.
VANISHING = np.finfo(np.float64).eps

#: The row count from which scikit-learn's histogram boosting stops early by itself.
_HIST_AUTO_ROWS = 10_000

#: Parameters by which estimators ask for a validation split inside their `fit`.
_STOPPING = (
    "early_stopping",
    "n_iter_no_change",
    "early_stopping_round",
    "early_stopping_rounds",
    "early_stopping_min_delta",
)


def accepts(student: Any) -> bool:
    """Every classifier that takes row weights."""
    return takes_sample_weight(student)


def wants_validation(student: Any, n_samples: int) -> bool:
    """Whether the student stops early on a split that it would draw itself."""
    wish = getattr(student, "early_stopping", False)
    if wish == "auto":
        return n_samples > _HIST_AUTO_ROWS
    if wish:
        return True
    # n_iter_no_change alone only counts where there is no early_stopping switch.
    names = _STOPPING[1:] if not hasattr(student, "early_stopping") else _STOPPING[2:]
    return any(getattr(student, name, None) for name in names)


def check_stopping(student: Any) -> None:
    """Raise where validation rows of our own can't be passed."""
    if isinstance(student, HistGradientBoostingClassifier):
        return
    if hasattr(student, "partial_fit") and getattr(student, "early_stopping", False):
        return
    asked = {n: v for n in _STOPPING if (v := getattr(student, n, None))}
    raise ValueError(
        "A student that stops early must be validated on rows that share no copy "
        f"with its training rows, and {type(student).__name__} offers no way to "
        f"pass them; received {asked}. Switch early stopping off, or use "
        "MLPClassifier, SGDClassifier or HistGradientBoostingClassifier."
    )


def rescales(student: Any, n_classes: int) -> bool:
    """No general classifier has logits that can be multiplied."""
    return False


def fold(student: Any, temperature: float) -> None:
    """Never called: `rescales` is False."""
    raise NotImplementedError


def fit(student: Any, train: SoftData, validation: SoftData | None) -> Any:
    """Fit the student on weighted copies."""
    if isinstance(student, HistGradientBoostingClassifier):
        return _fit_hist_boosting(student, train, validation)
    if validation is not None:
        return fit_by_epochs(student, train, validation)
    X, y, weight, params = expand_rows(train)
    return student.fit(X, y, **weight_params(student, weight), **params)


def expand_rows(data: SoftData) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Repeat each row once per class that has weight.

    Returns
    -------
    X, y, weight, params
        The copies in the order of the rows, their labels, their weights (a row's
        weights sum to the weight of the row), and the metadata repeated alike.
    """
    rows, columns = np.nonzero(data.targets > VANISHING)
    weight = data.targets[rows, columns]
    kept = np.bincount(rows, weights=weight, minlength=data.n_samples)
    weight = weight / kept[rows]
    if data.weight is not None:
        weight = weight * data.weight[rows]
    labels = data.classes[columns]
    return _safe_indexing(data.X, rows), labels, weight, data.take_params(rows)


def _fit_hist_boosting(
    student: Any, train: SoftData, validation: SoftData | None
) -> Any:
    wish = student.early_stopping
    X, y, weight, params = expand_rows(train)
    if validation is not None:
        names = ("X_val", "y_val", "sample_weight_val")
        params |= dict(zip(names, expand_rows(validation)[:3], strict=True))
    # "auto" would look at the number of copies instead of the number of rows.
    student.set_params(early_stopping=validation is not None)
    student.fit(X, y, sample_weight=weight, **params)
    return student.set_params(early_stopping=wish)


def fit_by_epochs(
    student: Any, train: SoftData, validation: SoftData | None = None
) -> Any:
    """Fit by `partial_fit`, one pass a time, and keep the best pass.

    Without validation rows the number of passes is `max_iter`.
    """
    params = student.get_params(deep=False)
    X, y, weight, _ = expand_rows(train)
    # partial_fit refuses early_stopping, and with an integer seed it would
    # shuffle every pass alike.
    student.set_params(
        early_stopping=False, random_state=check_random_state(params["random_state"])
    )
    best, best_loss, waited = student, np.inf, 0
    for _ in range(params["max_iter"]):
        student.partial_fit(X, y, sample_weight=weight, classes=train.classes)
        if validation is None:
            continue
        loss = cross_entropy(
            validation.targets, student.predict_proba(validation.X), validation.weight
        )
        waited = 0 if loss <= best_loss - (params["tol"] or 0.0) else waited + 1
        if loss < best_loss:
            best, best_loss = copy.deepcopy(student), loss
        if waited > params["n_iter_no_change"]:
            break
    return best.set_params(
        early_stopping=params["early_stopping"], random_state=params["random_state"]
    )
