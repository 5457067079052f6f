"""How long a network that serves as baseline trains on the true labels."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor

from .._frames import take_rows
from .._nested import split_pipeline, weight_params
from .._progress import raise_interrupts
from .._sklearn import _safe_indexing
from .._soft_data import SoftDataset, one_hot
from .._students import fit_part
from .._students import fit_student as fit_soft
from .._value_data import make_values

#: Fewer rows, or rows of a class, are too few to choose or to stop on.
_MIN_ROWS, _MIN_CLASS_ROWS = 200, 10
_VALIDATION_SHARE = 0.2

_NETWORKS = MLPClassifier, MLPRegressor


def choose_length(
    student: Any, fitted: Any, X: Any, y: NDArray[Any], weight: Any
) -> Any:
    """Return the student, unfitted, with the better of two training lengths.

    Of a network of scikit-learn that learns by gradient steps: early stopping, or as
    many updates as the distilled student (`fitted`) made; the one with the lower log
    loss, or squared error, on validation rows. Other students, and those of few rows,
    train as they are set.
    """
    network, values = split_pipeline(student)[1], is_regressor(student)
    counts = [len(y)] if values else np.unique(y, return_counts=True)[1]
    few = len(y) < _MIN_ROWS or min(counts) < _MIN_CLASS_ROWS
    if few or not isinstance(network, _NETWORKS) or network.solver == "lbfgs":
        return student
    epochs = _count_epochs(network, split_pipeline(fitted)[1], len(y))
    lengths: list[dict[str, Any]] = [
        {"early_stopping": True},
        {"early_stopping": False, "max_iter": epochs, "n_iter_no_change": epochs},
    ]
    candidates = [_set_network(student, length) for length in lengths]
    rows, size = np.arange(len(y)), _VALIDATION_SHARE
    strata = None if values else y
    train, held_out = train_test_split(
        rows, test_size=size, stratify=strata, random_state=0
    )
    weights = [take_rows(weight, rows, len(y)) for rows in (train, held_out)]
    weighted = {"sample_weight": weights[1]}
    losses = []
    for candidate in candidates:
        model = clone(candidate)
        fit_student(model, _safe_indexing(X, train), y[train], weights[0])
        served = _safe_indexing(X, held_out)
        if values:
            loss = mean_squared_error(y[held_out], model.predict(served), **weighted)
        else:
            loss = log_loss(y[held_out], model.predict_proba(served), **weighted)
        losses.append(loss)
    return candidates[int(np.argmin(losses))]


def _count_epochs(network: Any, fitted: Any, n_rows: int) -> int:
    """Return the epochs on `n_rows` in which a network makes its updates again."""

    def count_updates(n_rows: float) -> int:
        size = 200 if network.batch_size == "auto" else network.batch_size
        return math.ceil(n_rows / min(size, n_rows))

    n_updates = fitted.n_iter_ * count_updates(max(fitted.t_ / fitted.n_iter_, 1))
    return math.ceil(n_updates / count_updates(n_rows))


def _set_network(student: Any, params: dict[str, Any]) -> Any:
    """Return a clone whose network has these parameters."""
    network = split_pipeline(student)[1]
    given = student.get_params()
    names = [f"{name}__" for name, value in given.items() if value is network]
    prefix = names[0] if names else ""
    named = {f"{prefix}{name}": value for name, value in params.items()}
    return clone(student).set_params(**named)


def fit_student(student: Any, X: Any, y: NDArray[Any], weight: Any) -> None:
    """Fit on the true labels, interrupts included."""
    network = split_pipeline(student)[1]
    with raise_interrupts(), warnings.catch_warnings():
        # As many updates as another made do not ask for more.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if is_regressor(student):
            # A network learns standardised values, as the distilled one did.
            fit_part(student, make_values(X, y[:, None], y, weight=weight))
        elif type(network) is MLPClassifier and not network.early_stopping:
            # The same fit in a third of the time.
            classes, codes = np.unique(y, return_inverse=True)
            targets = one_hot(codes, len(classes))
            fit_soft(student, SoftDataset(X, targets, classes, y, weight))
        else:
            student.fit(X, y, **weight_params(student, weight))
