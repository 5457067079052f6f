"""Figures that decisions between two classes, or among many, are made by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_curve, top_k_accuracy_score

from .._typing import FloatArray

_MAX_FALSE_POSITIVE_RATE, _TOP_SHARE = 0.01, 0.005
#: Fewer rows or positives decide nothing at such rates.
_MIN_ROWS, _MIN_POSITIVES = 1000, 20
_TOP_K = 5


def measure_decisions(
    codes: NDArray[np.intp], proba: FloatArray, weight: FloatArray
) -> dict[str, float | None]:
    """Return the figures for the number of classes.

    For two classes, of the second: `average_precision`, `mean_probability`, `rate`, and
    `recall_at_one_percent_fpr` and `recall_in_top_half_percent` (None with fewer than
    1000 rows or 20 positives). For more than five: `top_5_accuracy`.
    """
    n_classes = proba.shape[1]
    if n_classes == 2:
        return _measure_binary(codes == 1, proba[:, 1], weight)
    if n_classes <= _TOP_K:
        return {}
    labels = np.arange(n_classes)
    accuracy = top_k_accuracy_score(
        codes, proba, k=_TOP_K, labels=labels, sample_weight=weight
    )
    return {"top_5_accuracy": float(accuracy)}


def _measure_binary(
    positive: NDArray[np.bool_], score: FloatArray, weight: FloatArray
) -> dict[str, float | None]:
    n_positives = np.count_nonzero(positive)
    figures: dict[str, float | None] = {
        "average_precision": None,
        "recall_at_one_percent_fpr": None,
        "recall_in_top_half_percent": None,
        "mean_probability": float(np.average(score, weights=weight)),
        "rate": float(np.average(positive, weights=weight)),
    }
    if n_positives:
        precision = average_precision_score(positive, score, sample_weight=weight)
        figures["average_precision"] = float(precision)
    if len(score) >= _MIN_ROWS and _MIN_POSITIVES <= n_positives < len(score):
        low, top = _measure_recalls(positive, score, weight)
        figures["recall_at_one_percent_fpr"] = low
        figures["recall_in_top_half_percent"] = top
    return figures


def _measure_recalls(
    positive: NDArray[np.bool_], score: FloatArray, weight: FloatArray
) -> tuple[float, float]:
    """Recall at 1 % false positives, and among the highest 0.5 % of the weight."""
    false_rate, recall, _ = roc_curve(
        positive, score, sample_weight=weight, drop_intermediate=False
    )
    rate = float(np.average(positive, weights=weight))
    flagged = recall * rate + false_rate * (1 - rate)
    low = recall[false_rate <= _MAX_FALSE_POSITIVE_RATE].max()
    # Of rows with equal scores the expected share is taken.
    return float(low), float(np.interp(_TOP_SHARE, flagged, recall))


def measure_binary_part(
    codes: NDArray[np.intp], proba: FloatArray, weight: FloatArray
) -> dict[str, float | None]:
    """Recall, false-positive rate and mean probability of the second class."""
    positive, flagged = codes == 1, proba.argmax(axis=1) == 1

    def average(rows: NDArray[np.bool_]) -> float | None:
        if not rows.any():
            return None
        return float(np.average(flagged[rows], weights=weight[rows]))

    return {
        "recall": average(positive),
        "false_positive_rate": average(~positive),
        "mean_probability": float(np.average(proba[:, 1], weights=weight)),
    }


def reject_holm(p_values: FloatArray, level: float = 0.05) -> NDArray[np.bool_]:
    """Return which hypotheses Holm's step-down procedure rejects."""
    order = np.argsort(p_values)
    limits = level / np.arange(len(p_values), 0, -1)
    kept = p_values[order] > limits
    n_rejected = int(kept.argmax()) if kept.any() else len(p_values)
    rejected = np.zeros(len(p_values), dtype=bool)
    rejected[order[:n_rejected]] = True
    return rejected
