"""What a model costs to serve: the one clock and the one size of the package."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_regressor

from .._frames import list_columns
from .._nested import find_deployed
from .._sklearn import _num_samples, _safe_indexing
from .._typing import Int64Array
from ..export import OnnxClassifier, OnnxRegressor, to_onnx
from ..export._slim import dump_slim

#: How a model can be deployed.
DEPLOYMENTS = ("joblib", "onnx")
#: Rows that decide the inputs of an ONNX model, and that it is compared on.
_N_EXAMPLES = 500

#: The first calls pay for caches, thread pools and lazy imports.
_WARM_UP_CALLS = 5
#: Different batches taken in turn, so that no single one decides a latency.
_N_BATCHES = 50
_MAX_CALLS = 1000


def check_deployment(deployment: Any) -> None:
    """Raise unless a deployment is one of those there are."""
    if deployment not in DEPLOYMENTS:
        raise ValueError(
            f"deployment must be one of {list(DEPLOYMENTS)}; got {deployment!r}."
        )


def dump_deployed(estimator: Any, deployment: str = "joblib", X: Any = None) -> bytes:
    """Return what is written where a model is deployed; its length is the size.

    "joblib" is the pickle of what `slim` returns, "onnx" the model of `to_onnx`,
    grouped, for rows like those of X.
    """
    if deployment == "joblib":
        return dump_slim(estimator)
    if X is None:
        raise ValueError(
            "A model is exported to ONNX with rows that decide its inputs; got none. "
            "Pass X."
        )
    example = _safe_indexing(X.tocsr() if issparse(X) else X, slice(0, _N_EXAMPLES))
    # Two inputs in place of one a column cost a row a third less.
    return to_onnx(estimator, example, grouped=True).SerializeToString()


def open_deployed(
    estimator: Any, deployment: str, X: Any, content: bytes | None = None
) -> Any:
    """Return what serves; `content` is what `dump_deployed` gave, None: it is asked."""
    if deployment == "joblib":
        return find_deployed(estimator)
    served = OnnxRegressor if is_regressor(estimator) else OnnxClassifier
    return served(content or dump_deployed(estimator, deployment, X))


def time_predictions(
    model: Any, X: Any, *, batch_size: int, min_calls: int, seconds: float
) -> Int64Array:
    """Return the nanoseconds of calls, shape (n_calls,).

    `predict_proba`, or `predict`, is called with `batch_size` rows of X at a time, in
    the container that they come in, those of a data frame as dicts of columns where an
    ONNX model serves; after the last row comes the first again. Calls are made for
    `seconds`, but at least `min_calls` of them, and no more than 1000 unless
    `min_calls` is more. Five calls to warm up are not counted.
    """
    predict = _find_method(model)
    batches = _cut_batches(X, batch_size)
    if isinstance(model, OnnxClassifier | OnnxRegressor):
        batches = [_as_service(batch) for batch in batches]
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


def _as_service(batch: Any) -> Any:
    """Return rows as a service has them: dense, or a dict of columns."""
    if issparse(batch):
        return batch.toarray()
    if not hasattr(batch, "columns"):
        return batch
    names, columns = list_columns(batch)
    if not all(isinstance(name, str) for name in names):
        return batch
    return {name: column.to_list() for name, column in zip(names, columns, strict=True)}


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
