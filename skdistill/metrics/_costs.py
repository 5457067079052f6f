"""What a model costs to serve: the one clock and the one size of the package."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._nested import find_deployed
from .._sklearn import _num_samples, _safe_indexing

#: The first calls pay for caches, thread pools and lazy imports.
_WARM_UP_CALLS = 5
#: Different batches taken in turn, so that no single one decides a latency.
_N_BATCHES = 50
_MAX_CALLS = 1000


def dump_deployed(estimator: Any) -> bytes:
    """Return the pickle of what is deployed; its length is the size of a model.

    Raises
    ------
    TypeError
        What is deployed can't be pickled.
    """
    deployed = find_deployed(estimator)
    try:
        return pickle.dumps(deployed, pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            "The size is that of the pickle; a part of this "
            f"{type(deployed).__name__} can't be pickled: {error}. Define functions "
            "and classes at the top of a module instead of inside a function."
        ) from error


def time_predictions(
    estimator: Any, X: Any, *, batch_size: int, min_calls: int, seconds: float
) -> NDArray[np.int64]:
    """Return the nanoseconds of calls of what is deployed, shape (n_calls,).

    `predict_proba`, or `predict`, is called with `batch_size` rows of X at a time, in
    the container that they come in; after the last row comes the first again. Calls
    are made for `seconds`, but at least `min_calls` of them, and no more than 1000
    unless `min_calls` is more. Five calls to warm up are not counted.
    """
    predict = _find_method(find_deployed(estimator))
    batches = _cut_batches(X, batch_size)
    for k in range(_WARM_UP_CALLS):
        predict(batches[k % len(batches)])
    times: list[int] = []
    end = time.perf_counter_ns() + round(seconds * 1e9)
    while len(times) < max(min_calls, _MAX_CALLS):
        batch = batches[len(times) % len(batches)]
        start = time.perf_counter_ns()
        if start > end and len(times) >= min_calls:
            break
        predict(batch)
        times.append(time.perf_counter_ns() - start)
    return np.array(times, dtype=np.int64)


def _cut_batches(X: Any, batch_size: int) -> list[Any]:
    """Batches of consecutive rows; after the last row comes the first again."""
    n_rows = _num_samples(X)
    if n_rows < 1:
        raise ValueError(
            "There must be at least one row to time a prediction with; got none. "
            "Pass rows like those that the model will serve."
        )
    # Cut beforehand: taking a row out of a frame is not the model's time.
    starts = range(0, n_rows, batch_size)[:_N_BATCHES]
    return [
        _safe_indexing(X, (start + np.arange(batch_size)) % n_rows) for start in starts
    ]


def _find_method(estimator: Any) -> Callable[[Any], Any]:
    for name in ("predict_proba", "predict"):
        if hasattr(estimator, name):
            return getattr(estimator, name)
    raise TypeError(
        "Only an estimator with predict_proba or predict can be timed; "
        f"{type(estimator).__name__} has neither. Pass a classifier or a regressor."
    )
