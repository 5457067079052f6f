"""Fits and figures that several benchmarks share."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss
from sklearn.pipeline import Pipeline

_STATUS, _SWITCH = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def score(model, X, y) -> dict[str, float]:
    """Accuracy and log loss on held-out rows."""
    proba = model.predict_proba(X)
    predicted = model.classes_[proba.argmax(axis=1)]
    return {
        "accuracy": float(accuracy_score(y, predicted)),
        "log_loss": float(log_loss(y, proba, labels=model.classes_)),
    }


def last_step(model):
    """The learner at the end of a pipeline, or the model itself."""
    return model.steps[-1][1] if isinstance(model, Pipeline) else model


def fit_quietly(model, X, y, **params):
    """Fit; a fixed number of epochs is meant to end before convergence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, **params)


def fit_for_epochs(student, n_epochs: int, X, y):
    """Fit a clone on hard labels for exactly `n_epochs` epochs."""
    student = clone(student)
    last_step(student).set_params(
        early_stopping=False, max_iter=n_epochs, tol=0.0, n_iter_no_change=n_epochs
    )
    return fit_quietly(student, X, y)


def n_bytes(model) -> int:
    """Bytes of the pickle, as it would be stored."""
    return len(pickle.dumps(model))


def count_weights(network) -> int:
    """Weights and intercepts of a fitted `MLPClassifier`."""
    return sum(part.size for part in [*network.coefs_, *network.intercepts_])


def run_fresh(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in a process of its own.

    Memory that was freed before and is used again does not show as added.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def read_megabytes(name: str) -> float:
    """`VmRSS` or `VmHWM` of this process; NaN where there is no /proc."""
    if not _STATUS.exists():
        return float("nan")
    lines = _STATUS.read_text().splitlines()
    return float(next(x for x in lines if x.startswith(name)).split()[1]) / 1e3


def reset_peak() -> None:
    """Let `VmHWM` start from what is held now."""
    if _SWITCH.exists():
        _SWITCH.write_text("5")


def added_megabytes(function: Callable[[], Any]) -> float:
    """MB of resident memory that a call adds at its peak, native libraries' too.

    To be called in a fresh process.
    """
    reset_peak()
    before = read_megabytes("VmRSS")
    function()
    return read_megabytes("VmHWM") - before
