"""The baseline: the same student, fitted without a teacher.

A network trains as long as validation rows ask.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.random import RandomState
from sklearn import config_context
from sklearn.base import clone, is_regressor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted

from .._copies import find_copies
from .._dataset import find_firsts, split_rows
from .._nested import last_step, replace_last, transform_before, weight_params
from .._nets import holds_net, seed_torch
from .._parts import seed_part
from .._progress import raise_interrupts
from .._selection._hold_outs import LENGTH_SHARE
from .._soft_data import SoftDataset, as_columns, make_values, one_hot
from .._students._fit_student import fit_part, validation_fraction
from .._students._properties import encode_labels
from .._students._training_length import (
    can_choose_length,
    count_updates,
    fit_chosen_length,
)
from .._typing import AnyArray

_TRAIN = (
    "Pass train=(X_train, y_train), the rows that the estimator was fitted on; or "
    "baseline=model, fitted on them; or baseline=None."
)


def make_baseline(
    baseline: Any, estimator: Any, distilled: Any, train: Any, rng: RandomState
) -> tuple[Any, AnyArray | None]:
    """Return the baseline and the classes of its columns, or (None, None)."""
    if isinstance(baseline, str) and baseline == "fit":
        return _fit_baseline(estimator, distilled, train, rng)
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
    try:
        check_is_fitted(baseline)
    except NotFittedError as error:
        raise NotFittedError(
            "baseline must be fitted, on the rows that the estimator was fitted on; "
            f"got {type(baseline).__name__}(...), which is not fitted. Fit it, or set "
            "baseline='fit' and train=(X_train, y_train)."
        ) from error
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
    estimator: Any, distilled: Any, train: Any, rng: RandomState
) -> tuple[Any, AnyArray | None]:
    """Fit the same student by its own `fit` on the true labels alone."""
    X, y, weight = _read_train(train)
    given = distilled.student
    student = clone(distilled.student_ if given is None else given)
    # Those of the distilled student, as far as it has any.
    seed_part(student, rng, distilled.student_.get_params())
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
    seed = rng.randint(2**31 - 1) if holds_net(student) else None
    with seed_torch(seed):
        student = fit_directly(student, distilled.student_, rows, y, weight)
    return replace_last(estimator, student), classes


def fit_directly(student: Any, fitted: Any, X: Any, y: AnyArray, weight: Any) -> Any:
    """Return the student, fitted on the true labels alone.

    A network of scikit-learn that learns by gradient steps trains as the distilled one
    (`fitted`) did, at a falling learning rate, and at most for as many updates; how
    many epochs, validation rows choose. Other students, and those of few rows, train as
    they are set.
    """
    if is_regressor(student):
        codes = np.zeros(len(y), dtype=int)
        data: SoftDataset = make_values(X, as_columns(y), y, weight=weight)
    else:
        classes, codes = np.unique(y, return_inverse=True)
        data = SoftDataset(X, one_hot(codes, len(classes)), classes, y, weight)
    with raise_interrupts(), warnings.catch_warnings():
        # A length that is given does not ask for more.
        warnings.simplefilter("ignore", ConvergenceWarning)
        groups = find_copies(X)
        if can_choose_length(student, codes[find_firsts(groups, len(codes))]):
            network = last_step(fitted)
            n_epochs = network.n_iter_
            n_updates = count_updates(network, n_epochs, network.t_ / n_epochs)
            split = split_rows(codes, LENGTH_SHARE, 0, groups)
            train, held_out = map(data.take, split)
            return fit_chosen_length(
                student, train, None, held_out, n_updates, learns_all=True
            )
        if is_regressor(student) or _needs_validation_rows(student, len(y)):
            # A network learns standardised values, as the distilled one did.
            return fit_part(student, data)
        # Weights go to the last step, whatever the user has set.
        with config_context(enable_metadata_routing=False):
            return student.fit(X, y, **weight_params(student, weight))


def _needs_validation_rows(student: Any, n_samples: int) -> bool:
    """Whether the student stops early on rows that its own `fit` does not hold out."""
    stops = validation_fraction(student, n_samples) is not None
    return stops and not hasattr(last_step(student), "validation_fraction")


def _read_train(train: Any) -> tuple[Any, AnyArray, Any]:
    if not isinstance(train, tuple | list) or len(train) not in (2, 3):
        received = "None" if train is None else type(train).__name__
        raise ValueError(
            "baseline='fit' fits the student on the true labels, and needs the rows "
            f"to do so; got train={received}. {_TRAIN}"
        )
    X, y, weight = (*train, None)[:3]
    return X, np.asarray(y), weight
