"""Scorers of what a model costs to serve: the time of a row, and the size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from ._costs import check_deployment, dump_deployed, open_deployed, time_predictions

_MIN_CALLS = 20
#: A search measures every candidate on every split, so each gets only this long.
_SECONDS = 0.2


def latency_scorer(
    percentile: float = 50, batch_size: int = 1, *, deployment: str = "joblib"
) -> _LatencyScorer:
    """Make a scorer of the time that a row takes: minus microseconds a row.

    What is timed is ``predict_proba``, or ``predict`` where there is none, of what
    is deployed: the `student_` of a :class:`~skdistill.DistilledClassifier` (also
    as a step of a Pipeline), otherwise the estimator itself.

    Parameters
    ----------
    percentile : float, default=50
        In [0, 100): of the times of the calls, 50 for the median, 99 for the slow
        ones.
    batch_size : int, default=1
        Rows in a call; the time of the call is divided by it. Where there are
        fewer rows they are used again.
    deployment : {"joblib", "onnx"}, default="joblib"
        Whether scikit-learn serves, on rows in the container that they come in, or
        :class:`~skdistill.export.OnnxClassifier`, on arrays, and on dicts of columns
        in place of data frames, as a service has them; the model is that of
        ``to_onnx(..., grouped=True)``. "onnx" needs the extra `onnx`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None)`` returns minus the percentile, in
        microseconds a row: greater is better. `y` and `sample_weight` are not used.

    Raises
    ------
    ImportError
        On scoring, the extra for "onnx" is not installed.
    TypeError
        A parameter is not a number; or, on scoring, the estimator does not predict or
        can't be exported.
    ValueError
        A parameter is out of range; or, on scoring, there are no rows, or the exported
        model differs.

    See Also
    --------
    size_scorer : Scorer of the size.
    within_budget : Chooses the best candidate of a search that is fast and small
        enough.

    Notes
    -----
    After five calls to warm up, calls are timed one by one for 0.2 seconds: at least
    20, and enough to put one above the percentile (100 for the 99th); at most 1000,
    if that is enough. Where a search has ``n_jobs`` above 1, other fits on the same
    cores make latencies too long: measure the finalists again, alone.

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
    ...     scoring={"latency": latency_scorer(percentile=99), "bytes": size_scorer()},
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
    check_deployment(deployment)
    return _LatencyScorer(percentile, batch_size, deployment)


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
    deployment: str

    def __repr__(self) -> str:
        return (
            f"latency_scorer(percentile={self.percentile}, "
            f"batch_size={self.batch_size}, deployment={self.deployment!r})"
        )

    def __call__(
        self, estimator: Any, X: Any, y: Any = None, *, sample_weight: Any = None
    ) -> float:
        return self.score_served(open_deployed(estimator, self.deployment, X), X)

    def score_served(self, served: Any, X: Any) -> float:
        """Return minus the microseconds a row of what is already open."""
        calls_above = math.ceil(1 / (1 - self.percentile / 100))
        times = time_predictions(
            served,
            X,
            batch_size=int(self.batch_size),
            min_calls=max(_MIN_CALLS, calls_above),
            seconds=_SECONDS,
        )
        nanoseconds = np.percentile(times, self.percentile)
        return -float(nanoseconds) / 1000 / self.batch_size


def size_scorer(*, deployment: str = "joblib") -> _SizeScorer:
    """Make a scorer of the size of what is deployed: minus its bytes.

    That is the `student_` of a :class:`~skdistill.DistilledClassifier` (also as a
    step of a Pipeline), otherwise the estimator itself.

    Parameters
    ----------
    deployment : {"joblib", "onnx"}, default="joblib"
        Whether the size is that of the pickle of what :func:`skdistill.export.slim`
        returns, with the highest protocol and uncompressed, or that of the model of
        :func:`skdistill.export.to_onnx`, grouped. "onnx" needs the extra `onnx`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X=None, y=None)`` returns minus the number of bytes:
        greater is better. "onnx" needs `X`; `y` and `sample_weight` are not used.

    Raises
    ------
    ImportError
        On scoring, the extra for "onnx" is not installed.
    TypeError
        On scoring, what is deployed can't be pickled or exported.
    ValueError
        The deployment is none of these; or, on scoring, the exported model differs.

    See Also
    --------
    latency_scorer : Scorer of the time of a row.
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
    >>> size_scorer()(model) == -len(pickle.dumps(model, pickle.HIGHEST_PROTOCOL))
    True
    """
    check_deployment(deployment)
    return _SizeScorer(deployment)


@dataclass(frozen=True)
class _SizeScorer(_CostScorer):
    deployment: str

    def __repr__(self) -> str:
        return f"size_scorer(deployment={self.deployment!r})"

    def __call__(
        self, estimator: Any, X: Any = None, y: Any = None, *, sample_weight: Any = None
    ) -> float:
        return -float(len(dump_deployed(estimator, self.deployment, X)))
