"""What is measured of each model, of each class and of each group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import (
    brier_score_loss,
    log_loss,
    recall_score,
    roc_auc_score,
)

from ..._typing import FloatArray
from ...metrics import (
    agreement_score,
    expected_calibration_error,
    kl_divergence,
)
from ...metrics._costs import count_rows, dump_deployed, time_predictions
from ...metrics._paired import paired_difference
from ._parameters import count_parameters

#: The models, in the order in which they stand side by side.
TEACHER, BASELINE, STUDENT = "teacher", "baseline", "student"

#: Of the calibration error.
N_BINS = 15
_SECONDS = 0.5
#: Of a slow teacher; a quick model is called as often as the time allows.
_MIN_CALLS = 20
_BATCH_ROWS, _BATCH_SECONDS = 1000, 0.2
_MIN_BATCHES = 3

Figures = dict[str, float | int | None]


@dataclass(frozen=True)
class Rows:
    """The rows of a report, and what the models say of them.

    Attributes
    ----------
    codes : ndarray of shape (n_samples,)
        Position of the true label in `classes`.
    probas : dict of str to ndarray of shape (n_samples, n_classes)
        By model.
    groups : tuple of (ndarray of shape (n_samples,), list of str) or None
        Position of each row's group, and the names of the groups.
    """

    codes: NDArray[np.intp]
    classes: NDArray[Any]
    weight: FloatArray
    probas: dict[str, FloatArray]
    groups: tuple[NDArray[np.intp], list[str]] | None

    def hits(self, name: str) -> NDArray[np.bool_]:
        """Whether the label of the largest probability is the true one."""
        return np.asarray(self.probas[name].argmax(axis=1) == self.codes)

    def losses(self, name: str) -> FloatArray:
        """Log loss of each row, cut off where scikit-learn's is."""
        own = self.probas[name][np.arange(len(self.codes)), self.codes]
        return -np.log(np.clip(own, np.finfo(np.float64).eps, None))


def measure_quality(rows: Rows, name: str) -> Figures:
    """Score one model against the labels and against the teacher."""
    proba, teacher = rows.probas[name], rows.probas[TEACHER]
    codes, weight = rows.codes, rows.weight
    labels = np.arange(len(rows.classes))
    predicted = proba.argmax(axis=1)
    scores = proba[:, 1] if len(labels) == 2 else proba
    missed = ~rows.hits(TEACHER)
    return {
        "accuracy": float(np.average(predicted == codes, weights=weight)),
        # Over the classes that occur; balanced_accuracy_score warns of others.
        "balanced_accuracy": float(
            recall_score(
                codes,
                predicted,
                labels=np.unique(codes),
                average="macro",
                sample_weight=weight,
            )
        ),
        "log_loss": float(log_loss(codes, proba, sample_weight=weight, labels=labels)),
        "brier_score": float(
            brier_score_loss(codes, scores, sample_weight=weight, labels=labels)
        ),
        "roc_auc": _measure_auc(codes, proba, weight),
        "calibration_error": expected_calibration_error(
            codes, proba, n_bins=N_BINS, sample_weight=weight, labels=labels
        ),
        "agreement": agreement_score(teacher, proba, sample_weight=weight),
        "kl_divergence": kl_divergence(teacher, proba, sample_weight=weight),
        "agreement_where_teacher_wrong": (
            agreement_score(
                teacher[missed], proba[missed], sample_weight=weight[missed]
            )
            if missed.any()
            else float("nan")
        ),
    }


def _measure_auc(
    codes: NDArray[np.intp], proba: FloatArray, weight: FloatArray
) -> float:
    """Mean of each class against the rest, over those that have rows and a rest."""
    columns = [1] if proba.shape[1] == 2 else range(proba.shape[1])
    areas = [
        roc_auc_score(codes == k, proba[:, k], sample_weight=weight)
        for k in columns
        if 0 < np.count_nonzero(codes == k) < len(codes)
    ]
    return float(np.mean(areas)) if areas else float("nan")


def measure_costs(model: Any, X: Any) -> Figures:
    """Size and speed of what would be deployed."""
    times = time_predictions(
        model, X, batch_size=1, min_calls=_MIN_CALLS, seconds=_SECONDS
    )
    size = min(count_rows(X), _BATCH_ROWS)
    batch_times = time_predictions(
        model, X, batch_size=size, min_calls=_MIN_BATCHES, seconds=_BATCH_SECONDS
    )
    return {
        "bytes": _count_bytes(model),
        "parameters": count_parameters(model),
        "latency_p50_us": float(np.percentile(times, 50)) / 1000,
        "latency_p99_us": float(np.percentile(times, 99)) / 1000,
        "timed_calls": len(times),
        "rows_per_second": size * 1e9 / float(np.median(batch_times)),
    }


def _count_bytes(model: Any) -> int | None:
    try:
        return len(dump_deployed(model))
    except TypeError:
        # One of the report's warnings is that it can't be pickled.
        return None


#: Costs of a teacher of which there are only probabilities.
NO_COSTS: Figures = dict.fromkeys(
    (
        "bytes",
        "parameters",
        "latency_p50_us",
        "latency_p99_us",
        "timed_calls",
        "rows_per_second",
    )
)


def measure_parts(
    rows: Rows, codes: NDArray[np.intp], names: list[Any]
) -> list[dict[str, Any]]:
    """Every class or group: its rows, and how each model serves it.

    `behind` says whether the student is right less often than the teacher by more
    than chance: the mean of the paired differences lies that many standard errors
    below 0 which one of all the parts would reach once in 40 reports of equal
    models (Bonferroni).
    """
    limit = float(norm.isf(0.025 / max(len(names), 1)))
    return [
        {"name": name, **_measure_part(rows, np.flatnonzero(codes == k), limit)}
        for k, name in enumerate(names)
    ]


def _measure_part(
    rows: Rows, members: NDArray[np.intp], limit: float
) -> dict[str, Any]:
    part: dict[str, Any] = {"n_rows": len(members)}
    teacher = rows.probas[TEACHER][members]
    weight = rows.weight[members]
    for name, proba in rows.probas.items():
        figures: Figures = dict.fromkeys(("accuracy", "log_loss", "agreement"))
        if len(members):
            figures = {
                "accuracy": float(np.average(rows.hits(name)[members], weights=weight)),
                "log_loss": float(
                    np.average(rows.losses(name)[members], weights=weight)
                ),
                "agreement": agreement_score(
                    teacher, proba[members], sample_weight=weight
                ),
            }
        part[name] = figures
    part["behind"] = len(members) > 1 and _is_behind(rows, members, limit)
    return part


def _is_behind(rows: Rows, members: NDArray[np.intp], limit: float) -> bool:
    student, teacher = (
        rows.hits(name)[members].astype(float) for name in (STUDENT, TEACHER)
    )
    mean, error = paired_difference(student, teacher, rows.weight[members])
    return mean < 0 and mean + limit * error < 0
