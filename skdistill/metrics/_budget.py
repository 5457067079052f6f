"""The best candidate of a search among those that are fast and small enough."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from .._typing import BoolArray, FloatArray

#: Candidates that an error or a warning shows, and the room for the parameters of one.
_N_SHOWN = 3
_PARAMS_WIDTH = 100


def within_budget(
    score: str = "neg_log_loss",
    max_latency_us: float | None = None,
    max_bytes: float | None = None,
    *,
    latency_key: str = "latency",
    bytes_key: str = "bytes",
) -> _WithinBudget:
    """Make a `refit` for a search: the best score among what the budget allows.

    The search takes the candidate with the best mean score among those whose mean
    latency and mean size over the splits are within their limits; among equals the
    first.

    Parameters
    ----------
    score : str, default="neg_log_loss"
        Key in the `scoring` of the search of the score to maximise.
    max_latency_us : float, default=None
        Largest latency allowed, in microseconds a row. None: any.
    max_bytes : float, default=None
        Largest size allowed, in bytes. None: any.
    latency_key : str, default="latency"
        Key in the `scoring` of the search of a :func:`latency_scorer`.
    bytes_key : str, default="bytes"
        Key in the `scoring` of the search of :func:`size_scorer`.

    Returns
    -------
    refit : callable
        ``refit(cv_results)`` returns the index of the chosen candidate. It raises a
        ValueError where none is within the budget or a key is missing in `scoring`,
        and leaves out candidates with a NaN among these figures with a UserWarning.

    Raises
    ------
    TypeError
        A limit is not a number.
    ValueError
        There is no limit, one is not above 0, or two keys are the same.

    See Also
    --------
    latency_scorer : Scorer of the time that a row takes.
    size_scorer : Scorer of the size.

    Notes
    -----
    The costs are those of models fitted on the training splits. A tree or a forest
    that is refitted on all rows may be larger and slower: measure it with
    ``size_scorer()(search.best_estimator_, X)``. A search with a callable `refit` has
    no `best_score_`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skdistill.metrics import size_scorer, within_budget
    >>> X, y = load_iris(return_X_y=True)
    >>> search = GridSearchCV(
    ...     DecisionTreeClassifier(random_state=0),
    ...     {"max_leaf_nodes": [2, 3, 40]},
    ...     scoring={"accuracy": "accuracy", "bytes": size_scorer()},
    ...     refit=within_budget(score="accuracy", max_bytes=2000),
    ... ).fit(X, y)
    >>> search.best_params_
    {'max_leaf_nodes': 3}
    """
    limits = {"max_latency_us": max_latency_us, "max_bytes": max_bytes}
    given = {name: limit for name, limit in limits.items() if limit is not None}
    if not given:
        raise ValueError(
            "A budget needs max_latency_us, max_bytes or both; got neither. Without a "
            f"budget, pass refit={score!r} to the search."
        )
    if len({score, latency_key, bytes_key}) < 3:
        raise ValueError(
            "score, latency_key and bytes_key must be three different keys of "
            f"scoring; got {score!r}, {latency_key!r} and {bytes_key!r}. Name each "
            "scorer once."
        )
    for name, limit in given.items():
        if not isinstance(limit, Real):
            raise TypeError(
                f"{name} must be a number; got {limit!r}. Pass microseconds for a row "
                "and bytes, such as max_latency_us=50, max_bytes=100_000."
            )
        if not limit > 0:
            raise ValueError(
                f"{name} must be above 0; got {limit!r}. Latency and size are given "
                "without the sign of their scores."
            )
    return _WithinBudget(score, max_latency_us, max_bytes, latency_key, bytes_key)


@dataclass(frozen=True)
class _WithinBudget:
    score: str
    max_latency_us: float | None
    max_bytes: float | None
    latency_key: str
    bytes_key: str

    def __call__(self, cv_results: Mapping[str, Any]) -> int:
        limits = self._limits()
        check_keys(cv_results, [self.score, *limits])
        score = _read_means(cv_results, self.score)
        costs = {key: -_read_means(cv_results, key) for key in limits}
        _check_signs(costs)
        known = _find_known({self.score: score, **costs}, cv_results["params"])
        # How many times the worst of the costs is over its limit.
        excess = np.max([costs[key] / limits[key] for key in limits], axis=0)
        within = known & (excess <= 1)
        if not within.any():
            nearest = sorted(np.flatnonzero(known), key=excess.__getitem__)[:_N_SHOWN]
            raise ValueError(self._describe(nearest, cv_results, score, costs))
        allowed = np.flatnonzero(within)
        return int(allowed[np.argmax(score[allowed])])

    def _limits(self) -> dict[str, float]:
        """Limit of each cost that has one, by its key in `scoring`."""
        limits = {self.latency_key: self.max_latency_us, self.bytes_key: self.max_bytes}
        return {key: limit for key, limit in limits.items() if limit is not None}

    def _describe(
        self,
        nearest: list[Any],
        cv_results: Mapping[str, Any],
        score: FloatArray,
        costs: dict[str, FloatArray],
    ) -> str:
        units = {self.latency_key: "microseconds a row", self.bytes_key: "bytes"}
        allowed = " and ".join(
            f"{_format_cost(limit)} {units[key]}"
            for key, limit in self._limits().items()
        )
        lines = []
        for k in nearest:
            figures = [f"{_format_cost(costs[key][k])} {units[key]}" for key in costs]
            lines.append(
                f"  candidate {k}: {', '.join(figures)}, {self.score} "
                f"{score[k]:.4g}; {_shorten(cv_results['params'][k])}\n"
            )
        return (
            f"No candidate of {len(score)} is within the budget of {allowed} (means "
            f"over the splits). The nearest:\n{''.join(lines)}Raise the limits to the "
            "figures of one of these, or search smaller students."
        )


def check_keys(cv_results: Mapping[str, Any], keys: list[str]) -> None:
    """Raise a ValueError that names the keys that a search has no scores of."""
    prefix = "mean_test_"
    found = sorted(
        name.removeprefix(prefix) for name in cv_results if name.startswith(prefix)
    )
    missing = [key for key in keys if key not in found]
    if missing:
        raise ValueError(
            f"The search must have scored {keys}; {missing} not among its scores "
            f"{found}. Pass scoring={{'neg_log_loss': 'neg_log_loss', 'latency': "
            "latency_scorer(), 'bytes': size_scorer()} to the search, or name other "
            "keys."
        )


def _read_means(cv_results: Mapping[str, Any], key: str) -> FloatArray:
    return np.asarray(cv_results[f"mean_test_{key}"], dtype=np.float64)


def _check_signs(costs: dict[str, FloatArray]) -> None:
    for key, cost in costs.items():
        if (cost < 0).any():
            raise ValueError(
                "A cost is scored with a minus, so that greater is better; the search "
                f"scored {key!r} with {-cost.min():g}. Use latency_scorer() and "
                "size_scorer(), or make_scorer(..., greater_is_better=False)."
            )


def _find_known(
    figures: dict[str, FloatArray], params: list[dict[str, Any]]
) -> BoolArray:
    """Where no figure is NaN; warns of where one is, raises where one is everywhere."""
    unknown: BoolArray = np.any(np.isnan([*figures.values()]), axis=0)
    if unknown.all():
        raise ValueError(
            f"Every candidate has a NaN among its scores {list(figures)}, so none can "
            "be chosen: their fits or scorers failed. Pass error_score='raise' to the "
            "search to see why."
        )
    if unknown.any():
        shown = "".join(
            f"\n  candidate {k}: "
            f"{[key for key, figure in figures.items() if np.isnan(figure[k])]}; "
            f"{_shorten(params[k])}"
            for k in np.flatnonzero(unknown)[:_N_SHOWN]
        )
        rest = unknown.sum() - _N_SHOWN
        shown += f"\n  and {rest} more" if rest > 0 else ""
        warnings.warn(
            f"{unknown.sum()} of {len(unknown)} candidates have a NaN score on at "
            "least one split (a fit or a scorer failed) and are left out:"
            f"{shown}",
            UserWarning,
            stacklevel=3,
        )
    return ~unknown


def _format_cost(cost: float) -> str:
    """Whole bytes and whole slow microseconds; three digits of fast ones."""
    return f"{cost:,.0f}" if cost >= 1000 else f"{cost:.3g}"


def _shorten(params: Mapping[str, Any]) -> str:
    """Parameters on one line; the repr of a Pipeline spans several."""
    return textwrap.shorten(str(dict(params)), _PARAMS_WIDTH, placeholder=" ...}")
