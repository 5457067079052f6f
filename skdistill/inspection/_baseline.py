"""The baseline: the same student, fitted without a teacher.

A network trains as long as validation rows ask.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._nested import (
    replace_distilled,
    split_pipeline,
    transform_before,
    weight_params,
)
from .._progress import raise_interrupts
from .._soft_data import SoftDataset, one_hot
from .._students import encode_labels, fit_part
from .._students import fit_student as fit_soft
from .._students._epochs import count_batch
from .._value_data import make_values

_TRAIN = (
    "Pass train=(X_train, y_train), the rows that the estimator was fitted on; or "
    "baseline=model, fitted on them; or baseline=None."
)

#: Fewer rows, or rows of a class, are too few to choose on.
_MIN_ROWS, _MIN_CLASS_ROWS = 200, 10
_VALIDATION_SHARE = 0.2
#: The shortest training that is tried, in epochs, and the ratio of one to the next.
_MIN_EPOCHS, _RATIO = 10, math.sqrt(2)


def make_baseline(
    baseline: Any, estimator: Any, distilled: Any, train: Any, random_state: Any
) -> tuple[Any, NDArray[Any] | None]:
    """Return the baseline and the classes of its columns, or (None, None)."""
    if isinstance(baseline, str) and baseline == "fit":
        return _fit_baseline(estimator, distilled, train, random_state)
    if train is not None:
        name = "None" if baseline is None else f"{type(baseline).__name__}(...)"
        raise ValueError(
            "train is for baseline='fit', which fits the student on its labels; got "
            f"train with baseline={name}. Leave out train, or set baseline='fit'."
        )
    if baseline is None:
        return None, None
    if not hasattr(baseline, "fit") or isinstance(baseline, type):
        raise ValueError(
            "baseline must be 'fit', a fitted classifier with predict_proba, or None; "
            f"got {baseline!r}. {_TRAIN}"
        )
    check_is_fitted(baseline)
    if is_regressor(distilled):
        return baseline, None
    if not hasattr(baseline, "predict_proba"):
        raise TypeError(
            "A baseline needs predict_proba; got "
            f"{type(baseline).__name__} without it. Wrap it in a "
            "CalibratedClassifierCV."
        )
    return baseline, np.asarray(baseline.classes_)


def _fit_baseline(
    estimator: Any, distilled: Any, train: Any, random_state: Any
) -> tuple[Any, NDArray[Any] | None]:
    """Fit the same student by its own `fit` on the true labels alone."""
    X, y, weight = _read_train(train)
    given = distilled.student
    student = clone(distilled.student_ if given is None else given)
    _copy_seeds(student, distilled.student_, random_state)
    classes = getattr(distilled, "classes_", None)
    if classes is not None:
        unknown = set(np.unique(y).tolist()) ^ set(classes.tolist())
        if unknown:
            raise ValueError(
                f"y_train must hold the classes of the student, {classes.tolist()}; "
                f"they differ in {sorted(unknown, key=str)}. {_TRAIN}"
            )
        y = encode_labels(student, y, classes)
    rows = transform_before(estimator, X)
    student = fit_directly(student, distilled.student_, rows, y, weight)
    return replace_distilled(estimator, student), classes


def _read_train(train: Any) -> tuple[Any, NDArray[Any], Any]:
    if not isinstance(train, tuple | list) or len(train) not in (2, 3):
        received = "None" if train is None else type(train).__name__
        raise ValueError(
            "baseline='fit' fits the student on the true labels, and needs the rows "
            f"to do so; got train={received}. {_TRAIN}"
        )
    X, y, weight = (*train, None)[:3]
    return X, np.asarray(y), weight


def _copy_seeds(student: Any, fitted: Any, random_state: Any) -> None:
    """Take the seeds of the distilled student; draw those that it has not."""
    rng = check_random_state(random_state)
    given, params = fitted.get_params(), student.get_params()
    for name in sorted(params):
        if name.split("__")[-1] != "random_state":
            continue
        drawn = int(rng.randint(np.iinfo(np.int32).max))
        if params[name] is None:
            seed = drawn if given.get(name) is None else given[name]
            student.set_params(**{name: seed})


def fit_directly(
    student: Any, fitted: Any, X: Any, y: NDArray[Any], weight: Any
) -> Any:
    """Return the student, fitted on the true labels alone.

    A network of scikit-learn that learns by gradient steps trains as the distilled one
    (`fitted`) did, at a falling learning rate, and at most for as many updates; how
    many epochs, validation rows choose. Other students, and those of few rows, train as
    they are set.
    """
    data = _read(student, X, y, weight)
    with raise_interrupts(), warnings.catch_warnings():
        # A length that is given does not ask for more.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if _can_choose(split_pipeline(student)[1], y):
            n_epochs = _choose_epochs(student, fitted, data)
            return _fit_for_epochs(student, data, n_epochs)
        if is_regressor(student):
            # A network learns standardised values, as the distilled one did.
            return fit_part(student, data)
        return student.fit(X, y, **weight_params(student, weight))


def _read(student: Any, X: Any, y: NDArray[Any], weight: Any) -> SoftDataset:
    if is_regressor(student):
        return make_values(X, y[:, None], y, weight=weight)
    classes, codes = np.unique(y, return_inverse=True)
    return SoftDataset(X, one_hot(codes, len(classes)), classes, y, weight)


def _can_choose(network: Any, y: NDArray[Any]) -> bool:
    is_network = isinstance(network, MLPClassifier | MLPRegressor)
    if not is_network or network.solver == "lbfgs" or len(y) < _MIN_ROWS:
        return False
    counts = np.unique(y, return_counts=True)[1]
    return is_regressor(network) or min(counts) >= _MIN_CLASS_ROWS


def _choose_epochs(student: Any, fitted: Any, data: SoftDataset) -> int:
    """Return the epochs with the lowest held-out loss, raised until it rises."""
    strata = None if is_regressor(student) else data.y
    train, held_out = train_test_split(
        np.arange(data.n_samples),
        test_size=_VALIDATION_SHARE,
        stratify=strata,
        random_state=0,
    )
    rows = data.take(held_out)
    most = _count_epochs(split_pipeline(fitted)[1], data.n_samples)
    n_steps = max(0, int(math.log(most / _MIN_EPOCHS, _RATIO)))
    chosen, lowest = most, np.inf
    for k in range(n_steps, -1, -1):
        n_epochs = math.ceil(most / _RATIO**k)
        model = _fit_for_epochs(clone(student), data.take(train), n_epochs)
        loss = rows.measure(rows.ask(model))
        if loss > lowest:
            break
        chosen, lowest = n_epochs, loss
    return chosen


def _fit_for_epochs(student: Any, data: SoftDataset, n_epochs: int) -> Any:
    """Fit in place at a learning rate that falls to 0 over so many epochs."""
    network = split_pipeline(student)[1]
    given = {name: getattr(network, name) for name in ("max_iter", "early_stopping")}
    network.set_params(max_iter=n_epochs, early_stopping=False)
    # The rate falls where there is a transfer set: the last row stands for one.
    first = np.arange(data.n_samples - 1)
    last = data.take(np.array([data.n_samples - 1]))
    student = fit_soft(student, replace(data, labelled=first), last)
    split_pipeline(student)[1].set_params(**given)
    return student


def _count_epochs(fitted: Any, n_rows: int) -> int:
    """Return the epochs on `n_rows` in which a fitted network's updates are made."""

    def count_updates(n_rows: float) -> int:
        return math.ceil(n_rows / count_batch(fitted, math.ceil(n_rows)))

    n_updates = fitted.n_iter_ * count_updates(max(fitted.t_ / fitted.n_iter_, 1))
    return math.ceil(n_updates / count_updates(n_rows))
