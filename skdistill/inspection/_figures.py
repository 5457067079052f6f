"""The quality of each model of classes, on all rows, a class or a group."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import binom, norm
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    recall_score,
    roc_auc_score,
    roc_curve,
    top_k_accuracy_score,
)

from .._paired import paired_difference
from .._typing import BoolArray, FloatArray, IndexArray
from ..metrics import agreement_score, expected_calibration_error, kl_divergence
from ._evaluation_rows import FEWEST_ROWS, STUDENT, TEACHER, ClassRows, count_equal

#: Bins of the calibration error.
N_BINS = 15
_MAX_FALSE_POSITIVE_RATE, _TOP_SHARE = 0.01, 0.005
#: Fewer rows or positives decide nothing at such rates.
_MIN_ROWS, _MIN_POSITIVES = 1000, 20
_TOP_K = 5

Figures = dict[str, Any]

_PART_KEYS = "accuracy", "log_loss", "agreement"
_BINARY_PART_KEYS = "recall", "false_positive_rate", "mean_probability"


def measure_quality(rows: ClassRows, name: str) -> Figures:
    """Score one model against the labels and against the teacher."""
    proba, teacher = rows.served[name], rows.served[TEACHER]
    codes, weight = rows.codes, rows.weight
    labels = np.arange(len(rows.classes))
    predicted, found = proba.argmax(axis=1), np.unique(codes)
    scores = proba[:, 1] if len(labels) == 2 else proba
    missed, agree = rows.hits(TEACHER) == 0, teacher.argmax(axis=1) == predicted
    return {
        "accuracy": float(np.average(predicted == codes, weights=weight)),
        # Over the classes that occur; balanced_accuracy_score warns of others.
        "balanced_accuracy": float(
            recall_score(
                codes, predicted, labels=found, average="macro", sample_weight=weight
            )
        ),
        "log_loss": float(log_loss(codes, proba, sample_weight=weight, labels=labels)),
        "brier_score": float(
            brier_score_loss(codes, scores, sample_weight=weight, labels=labels)
        ),
        "roc_auc": _measure_auc(codes, proba, weight),
        **_measure_decisions(codes, proba, weight),
        "calibration_error": expected_calibration_error(
            codes, proba, n_bins=N_BINS, sample_weight=weight, labels=labels
        ),
        "agreement": float(np.average(agree, weights=weight)),
        "kl_divergence": kl_divergence(teacher, proba, sample_weight=weight),
        "agreement_where_teacher_wrong": (
            float(np.average(agree[missed], weights=weight[missed]))
            if missed.any()
            else float("nan")
        ),
    }


def _measure_auc(codes: IndexArray, proba: FloatArray, weight: FloatArray) -> float:
    """Mean of each class against the rest, over those that have rows and a rest."""
    columns = [1] if proba.shape[1] == 2 else range(proba.shape[1])
    areas = [
        roc_auc_score(codes == k, proba[:, k], sample_weight=weight)
        for k in columns
        if 0 < np.count_nonzero(codes == k) < len(codes)
    ]
    return float(np.mean(areas)) if areas else float("nan")


def _measure_decisions(
    codes: IndexArray, proba: FloatArray, weight: FloatArray
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
    positive: BoolArray, score: FloatArray, weight: FloatArray
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
    positive: BoolArray, score: FloatArray, weight: FloatArray
) -> tuple[float, float]:
    """Recall at 1 % false positives, and among the highest 0.5 % of the weight."""
    false_rate, recall, _ = roc_curve(
        positive, score, sample_weight=weight, drop_intermediate=False
    )
    rate = float(np.average(positive, weights=weight))
    flagged = recall * rate + false_rate * (1 - rate)
    low = recall[false_rate <= _MAX_FALSE_POSITIVE_RATE].max()
    # The expected share is taken of rows with equal scores.
    return float(low), float(np.interp(_TOP_SHARE, flagged, recall))


def _measure_binary_part(
    codes: IndexArray, proba: FloatArray, weight: FloatArray
) -> dict[str, float | None]:
    """Recall, false-positive rate and mean probability of the second class."""
    positive, flagged = codes == 1, proba.argmax(axis=1) == 1

    def average(rows: BoolArray) -> float | None:
        if not rows.any():
            return None
        return float(np.average(flagged[rows], weights=weight[rows]))

    return {
        "recall": average(positive),
        "false_positive_rate": average(~positive),
        "mean_probability": float(np.average(proba[:, 1], weights=weight)),
    }


def _reject_holm(p_values: FloatArray) -> BoolArray:
    """Return which hypotheses Holm's step-down procedure rejects at 5 %."""
    order = np.argsort(p_values)
    limits = 0.05 / np.arange(len(p_values), 0, -1)
    kept = p_values[order] > limits
    n_rejected = int(kept.argmax()) if kept.any() else len(p_values)
    rejected = np.zeros(len(p_values), dtype=bool)
    rejected[order[:n_rejected]] = True
    return rejected


def measure_parts(
    rows: ClassRows, codes: IndexArray, names: list[Any]
) -> list[dict[str, Any]]:
    """Measure each model on each class or group.

    `behind`: whether the student is right less often than the teacher by more than
    chance, by a one-sided test of the paired difference at 5 % over all parts (Holm).
    """
    members = [np.flatnonzero(codes == k) for k in range(len(names))]
    behind = _reject_holm(np.array([_test_loss(rows, part) for part in members]))
    return [
        {"name": name, **_measure_part(rows, part), "behind": bool(flag)}
        for name, part, flag in zip(names, members, behind, strict=True)
    ]


def _test_loss(rows: ClassRows, members: IndexArray) -> float:
    """p-value of the student being right as often as the teacher, or more often."""
    if len(members) < 2:
        return 1.0
    student, teacher = rows.hits(STUDENT)[members], rows.hits(TEACHER)[members]
    gain, error = paired_difference(student, teacher, rows.weight[members])
    chance = float(norm.cdf(gain / error)) if error > 0 else float(gain >= 0)
    if count_equal(rows.weight[members]) < FEWEST_ROWS:
        # Few rows show no standard error, and each that differs is a coin.
        lost, won = (student < teacher).sum(), (student > teacher).sum()
        chance = max(chance, float(binom.sf(lost - 1, lost + won, 0.5)))
    return chance


def _measure_part(rows: ClassRows, members: IndexArray) -> dict[str, Any]:
    part: dict[str, Any] = {"n_rows": len(members), "rate": None}
    weight, binary = rows.weight[members], len(rows.classes) == 2
    if binary and len(members):
        part["rate"] = float(np.average(rows.codes[members] == 1, weights=weight))
    teacher = rows.served[TEACHER][members]
    for name, probas in rows.served.items():
        keys = _PART_KEYS + (_BINARY_PART_KEYS if binary else ())
        part[name] = dict.fromkeys(keys)
        if not len(members):
            continue
        proba = probas[members]
        part[name] |= {
            "accuracy": float(np.average(rows.hits(name)[members], weights=weight)),
            "log_loss": float(np.average(rows.losses(name)[members], weights=weight)),
            "agreement": agreement_score(teacher, proba, sample_weight=weight),
        }
        if binary:
            part[name] |= _measure_binary_part(rows.codes[members], proba, weight)
    return part
