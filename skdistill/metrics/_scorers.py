"""Scorers of what a model costs to serve: its time for a row and its size."""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._nested import find_deployed
from .._sklearn import _safe_indexing

#: The first calls pay for caches, thread pools and lazy imports.
_WARM_UP_CALLS = 5
#: Different batches taken in turn, so that no single one decides a latency.
_N_BATCHES = 50
_MIN_CALLS = 20
_MAX_CALLS = 1000
#: A search measures every candidate on every split, so each gets only this long.
_SECONDS = 0.2


def latency_scorer(percentile: float = 50, batch_size: int = 1) -> _LatencyScorer:
    """Make a scorer of the time that a row takes: minus microseconds a row.

    What is timed is ``predict_proba``, or ``predict`` where there is none, of what
    is deployed: the `student_` of a :class:`~skdistill.DistilledClassifier` (also
    as a step of a :class:`~sklearn.pipeline.Pipeline`), otherwise the estimator
    itself. The rows are those of the test split, in the container that they come
    in, cut into batches beforehand.

    Parameters
    ----------
    percentile : float, default=50
        In [0, 100): of the times of the calls, 50 for the median, 99 for the slow
        ones.
    batch_size : int, default=1
        Rows in a call; the time of the call is divided by it. Where there are
        fewer rows they are used again.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None)`` returns minus the percentile, in
        microseconds a row: greater is better. `y` and `sample_weight` do not
        matter to it.

    Raises
    ------
    TypeError
        A parameter is no number; or, on scoring, the estimator does not predict.
    ValueError
        A parameter is out of range; or, on scoring, there are no rows.

    See Also
    --------
    size_scorer : Scorer of the size.
    within_budget : Chooses the best candidate of a search that is fast and small
        enough.

    Notes
    -----
    Five calls to warm up are not counted. Then calls are timed one by one with
    :func:`time.perf_counter_ns` for 0.2 seconds, but at least 20 calls, and at
    least as many as it takes for one of them to lie above the percentile (100 for
    the 99th); at most 1000, if that is enough.

    Times hold for the machine, and for the threads that the model may use. With
    ``n_jobs`` above 1 a search times candidates while others are being fitted on
    the same cores, so latencies come out too long: time once more, alone, what the
    decision hangs on.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_validate
    >>> from skdistill.metrics import latency_scorer, size_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> scores = cross_validate(
    ...     LogisticRegression(max_iter=1000),
    ...     X,
    ...     y,
    ...     scoring={"latency": latency_scorer(percentile=99), "bytes": size_scorer},
    ... )
    >>> bool((scores["test_latency"] < 0).all())
    True
    """
    if not isinstance(percentile, Real) or not isinstance(batch_size, Integral):
        raise TypeError(
            "percentile must be a number and batch_size an integer; got "
            f"percentile={percentile!r}, batch_size={batch_size!r}. Use "
            "latency_scorer() for the median of single rows."
        )
    if not 0 <= percentile < 100:
        raise ValueError(
            f"percentile must be in [0, 100); got {percentile!r}. Use 50 for the "
            "median, 99 for the slow calls."
        )
    if batch_size < 1:
        raise ValueError(
            f"batch_size must be at least 1; got {batch_size!r}. Use 1 for single rows."
        )
    return _LatencyScorer(percentile, batch_size)


class _CostScorer:
    """What scikit-learn asks of a scorer beyond being called."""

    def _accept_sample_weight(self) -> bool:
        # A search with weights, without metadata routing, asks this of every scorer.
        # "No" would warn of statistically incorrect results: a cost has no weights.
        return True


@dataclass(frozen=True)
class _LatencyScorer(_CostScorer):
    percentile: float
    batch_size: int

    def __repr__(self) -> str:
        return (
            f"latency_scorer(percentile={self.percentile}, "
            f"batch_size={self.batch_size})"
        )

    def __call__(
        self, estimator: Any, X: Any, y: Any = None, *, sample_weight: Any = None
    ) -> float:
        predict = _find_method(find_deployed(estimator))
        batches = _cut_batches(X, int(self.batch_size))
        calls_above = math.ceil(1 / (1 - self.percentile / 100))
        min_calls = max(_MIN_CALLS, calls_above)
        times = time_calls(predict, batches, min_calls=min_calls, seconds=_SECONDS)
        nanoseconds = np.percentile(times, self.percentile)
        return -float(nanoseconds) / 1000 / self.batch_size


@dataclass(frozen=True)
class _SizeScorer(_CostScorer):
    """Scorer of the size: minus bytes of the pickle of what is deployed.

    That is the `student_` of a :class:`~skdistill.DistilledClassifier` (also as a
    step of a :class:`~sklearn.pipeline.Pipeline`), otherwise the estimator itself.
    It is pickled as it is, with the highest protocol, uncompressed;
    :func:`skdistill.export.slim` can make it smaller.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    X, y, sample_weight : object, default=None
        As every scorer takes them; they do not matter to this one.

    Returns
    -------
    score : float
        Minus the number of bytes: greater is better.

    Raises
    ------
    TypeError
        What is deployed can't be pickled.

    See Also
    --------
    latency_scorer : Scorer of the time that a row takes.
    within_budget : Chooses the best candidate of a search that is fast and small
        enough.

    Examples
    --------
    >>> import pickle
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdistill.metrics import size_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> size_scorer(model) == -len(pickle.dumps(model, pickle.HIGHEST_PROTOCOL))
    True
    """

    def __repr__(self) -> str:
        return "size_scorer"

    def __call__(
        self, estimator: Any, X: Any = None, y: Any = None, *, sample_weight: Any = None
    ) -> float:
        deployed = find_deployed(estimator)
        try:
            return -float(len(pickle.dumps(deployed, pickle.HIGHEST_PROTOCOL)))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise TypeError(
                "The size is that of the pickle; a part of this "
                f"{type(deployed).__name__} can't be pickled: {error}. Define "
                "functions and classes at the top of a module instead of inside a "
                "function."
            ) from error


size_scorer = _SizeScorer()


def time_calls(
    predict: Callable[[Any], Any],
    batches: Sequence[Any],
    *,
    min_calls: int,
    seconds: float,
) -> NDArray[np.int64]:
    """Nanoseconds of each call, the batches taken in turn.

    Calls are made for `seconds`, but at least `min_calls` of them, and no more than
    `_MAX_CALLS` unless `min_calls` is more.
    """
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
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
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
