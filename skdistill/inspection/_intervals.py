"""What the student gains on the other models, and the share of the advantage.

All intervals are of 95 %, by the paired percentile bootstrap: every draw of rows
serves all models. With few rows they are infinite, and there are no shares.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.utils import gen_batches

from .._tasks import Tasks
from .._typing import AnyArray, FloatArray, IndexArray
from ..metrics import gap_recovered
from ._evaluation_rows import BASELINE, STUDENT, TEACHER, Rows

_TAIL = 0.025

#: Times that rows are drawn for the intervals, in one task.
_BLOCK = 50


def measure_gains(
    rows: Rows,
    n_bootstrap: int,
    rng: np.random.RandomState,
    n_jobs: int | None = None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return what the student gains on the teacher and on the baseline, and its shares.

    Each is a dict by score: the gain and its interval, or the share of the teacher's
    advantage that the student recovers; empty without a baseline.
    """
    names, kinds = list(rows.served), rows.kinds()
    table = np.column_stack([read(n) for _, read, _ in kinds.values() for n in names])
    means = np.average(table, axis=0, weights=rows.weight)
    # Each draw has a seed of its own, so that any worker may make it.
    seeds = rng.randint(np.iinfo(np.int32).max, size=n_bootstrap)
    blocks = gen_batches(n_bootstrap, _BLOCK)
    calls = [(table, rows.weight, seeds[block]) for block in blocks]
    drawn = np.concatenate([*Tasks(n_jobs=n_jobs).run(_draw_means, calls, len(calls))])
    against: dict[str, dict[str, Any]] = {TEACHER: {}, BASELINE: {}}
    shares = {}
    for k, (kind, (sign, _, finish)) in enumerate(kinds.items()):
        columns = range(k * len(names), (k + 1) * len(names))
        pairs = list(zip(names, columns, strict=True))
        scores = {n: float(finish(means[j])) for n, j in pairs}
        draws = None if rows.are_few else {n: finish(drawn[:, j]) for n, j in pairs}
        for other in names[:-1]:
            against[other][kind] = _describe_gain(scores, draws, STUDENT, other, sign)
        if BASELINE in names:
            shares[kind] = _measure_share(scores, draws, sign, rows.least_advantage)
    return against[TEACHER], against[BASELINE], shares


def _draw_means(table: FloatArray, weight: FloatArray, seeds: IndexArray) -> FloatArray:
    """Weighted means of the columns over rows drawn with replacement, once a seed."""
    n_rows = len(table)
    means = np.empty((len(seeds), table.shape[1]))
    rng = np.random.RandomState()  # to make one takes longer than the draws of it
    for k, seed in enumerate(seeds):
        rng.seed(seed)
        chosen = rng.randint(n_rows, size=n_rows)
        drawn = np.bincount(chosen, minlength=n_rows) * weight
        means[k] = drawn @ table / drawn.sum()
    return means


def _describe_gain(
    scores: dict[str, float],
    drawn: dict[str, AnyArray] | None,
    first: str,
    second: str,
    sign: float,
) -> dict[str, float]:
    """The amount by which the first is better, in units of the score."""
    low, high = -np.inf, np.inf
    if drawn is not None:
        gains = sign * (drawn[first] - drawn[second])
        low, high = np.quantile(gains, [_TAIL, 1 - _TAIL])
    return {
        "gain": sign * (scores[first] - scores[second]),
        "low": float(low),
        "high": float(high),
    }


def _measure_share(
    scores: dict[str, float],
    drawn: dict[str, AnyArray] | None,
    sign: float,
    least: float,
) -> dict[str, float | None]:
    """The share and its interval; None where the advantage is within chance.

    Or below the share `least` of the baseline's score.
    """
    advantage = _describe_gain(scores, drawn, TEACHER, BASELINE, sign)
    # A ratio to an advantage within chance has no meaning.
    noise = least * abs(scores[BASELINE])
    if advantage["low"] <= 0:
        noise = float(np.finfo(np.float64).max)
    with warnings.catch_warnings():
        # It warns where there is no advantage; so does the report.
        warnings.simplefilter("ignore", UserWarning)
        share = gap_recovered(
            scores[TEACHER],
            scores[BASELINE],
            scores[STUDENT],
            noise=noise,
            greater_is_better=sign > 0,
        )
    known = not np.isnan(share)
    low, high = (
        _find_interval(drawn, sign) if known and drawn is not None else (None, None)
    )
    return {
        "share": share if known else None,
        "low": low,
        "high": high,
        "advantage": advantage["gain"],
        "advantage_low": advantage["low"],
        "advantage_high": advantage["high"],
    }


def _find_interval(drawn: dict[str, AnyArray], sign: float) -> tuple[float, float]:
    """Percentiles of the share over the draws.

    In a draw without an advantage of the teacher (a smaller part of the draws than
    the tail) the share counts as infinite, with the sign of the student's gain.
    """
    advantages = sign * (drawn[TEACHER] - drawn[BASELINE])
    gains = sign * (drawn[STUDENT] - drawn[BASELINE])
    ratios = np.where(gains > 0, np.inf, -np.inf)
    np.divide(gains, advantages, out=ratios, where=advantages > 0)
    # A number and infinity can't be interpolated.
    low = np.quantile(ratios, _TAIL, method="inverted_cdf")
    high = np.quantile(ratios, 1 - _TAIL, method="inverted_cdf")
    return float(low), float(high)
