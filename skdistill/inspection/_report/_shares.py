"""The share of the teacher's advantage that the student recovers, with interval."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from ..._tasks import Tasks
from ..._typing import FloatArray
from ...metrics import gap_recovered
from ._measure import BASELINE, STUDENT, TEACHER, Rows

_TAIL = 0.025

#: Times that rows are drawn for the intervals, in one task.
_BLOCK = 50


def measure_shares(
    rows: Rows,
    n_bootstrap: int,
    rng: np.random.RandomState,
    n_jobs: int | None = None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Gains on teacher and baseline, and the share recovered, with intervals.

    All intervals are of 95 %, from the same resampled rows, so that differences
    between models are paired.

    Returns
    -------
    against_teacher, against_baseline : dict
        By metric: what the student gains; empty without a baseline.
    shares : dict
        By metric; empty without a baseline.
    """
    kinds = {
        "accuracy": (
            1.0,
            {name: rows.hits(name).astype(float) for name in rows.probas},
        ),
        "log_loss": (-1.0, {name: rows.losses(name) for name in rows.probas}),
    }
    names = list(rows.probas)
    table = np.column_stack([kinds[kind][1][n] for kind in kinds for n in names])
    means = _resample_means(table, rows.weight, n_bootstrap, rng, n_jobs)
    against_teacher, against_baseline, shares = {}, {}, {}
    for k, (kind, (sign, values)) in enumerate(kinds.items()):
        drawn = dict(zip(names, means.T[k * len(names) :], strict=False))
        scores = {
            n: float(np.average(v, weights=rows.weight)) for n, v in values.items()
        }
        against_teacher[kind] = _describe_gain(scores, drawn, STUDENT, TEACHER, sign)
        if BASELINE in values:
            against_baseline[kind] = _describe_gain(
                scores, drawn, STUDENT, BASELINE, sign
            )
            shares[kind] = _measure_share(scores, drawn, sign)
    return against_teacher, against_baseline, shares


def _resample_means(
    table: FloatArray,
    weight: FloatArray,
    n_bootstrap: int,
    rng: np.random.RandomState,
    n_jobs: int | None,
) -> FloatArray:
    """Weighted means of the columns over rows drawn with replacement.

    Shape (n_bootstrap, n_columns).
    """
    # Each draw has a seed of its own, so that any worker may make it.
    seeds = rng.randint(np.iinfo(np.int32).max, size=n_bootstrap)
    calls = [
        (table, weight, seeds[block]) for block in gen_batches(n_bootstrap, _BLOCK)
    ]
    return np.concatenate(
        list(Tasks(n_jobs=n_jobs).run(_draw_means, calls, len(calls)))
    )


def _draw_means(
    table: FloatArray, weight: FloatArray, seeds: NDArray[np.intp]
) -> FloatArray:
    n_rows = len(table)
    means = np.empty((len(seeds), table.shape[1]))
    for k, seed in enumerate(seeds):
        chosen = np.random.RandomState(seed).randint(n_rows, size=n_rows)
        drawn = np.bincount(chosen, minlength=n_rows) * weight
        means[k] = drawn @ table / drawn.sum()
    return means


def _describe_gain(
    scores: dict[str, float],
    drawn: dict[str, NDArray[Any]],
    first: str,
    second: str,
    sign: float,
) -> dict[str, float]:
    """By how much the first is better than the second, in the units of the score."""
    gains = sign * (drawn[first] - drawn[second])
    low, high = np.quantile(gains, [_TAIL, 1 - _TAIL])
    return {
        "gain": sign * (scores[first] - scores[second]),
        "low": float(low),
        "high": float(high),
    }


def _measure_share(
    scores: dict[str, float], drawn: dict[str, NDArray[Any]], sign: float
) -> dict[str, float | None]:
    """The share and its interval; None where the advantage is within chance."""
    advantage = _describe_gain(scores, drawn, TEACHER, BASELINE, sign)
    # Below it the ratio is wild, and the sentence about it says more.
    noise = 0.0 if advantage["low"] > 0 else np.finfo(np.float64).max
    with warnings.catch_warnings():
        # It warns where there is no advantage; the report says so in words.
        warnings.simplefilter("ignore", UserWarning)
        share = gap_recovered(
            scores[TEACHER],
            scores[BASELINE],
            scores[STUDENT],
            noise=noise,
            greater_is_better=sign > 0,
        )
    known = not np.isnan(share)
    low, high = _find_interval(drawn, sign) if known else (None, None)
    return {
        "share": share if known else None,
        "low": low,
        "high": high,
        "advantage": advantage["gain"],
        "advantage_low": advantage["low"],
        "advantage_high": advantage["high"],
    }


def _find_interval(drawn: dict[str, NDArray[Any]], sign: float) -> tuple[float, float]:
    """Percentiles of the ratio of two differences of the same resampled rows.

    The few draws in which the teacher has no advantage (fewer than the tail holds, or
    there would be no interval) count as beyond every ratio, on the side on which
    the student lies.
    """
    edges = sign * (drawn[TEACHER] - drawn[BASELINE])
    gains = sign * (drawn[STUDENT] - drawn[BASELINE])
    ratios = np.where(gains > 0, np.inf, -np.inf)
    np.divide(gains, edges, out=ratios, where=edges > 0)
    # Without interpolation: between a number and infinity there is nothing.
    low = np.quantile(ratios, _TAIL, method="inverted_cdf")
    high = np.quantile(ratios, 1 - _TAIL, method="inverted_cdf")
    return float(low), float(high)
