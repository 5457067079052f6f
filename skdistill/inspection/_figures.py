"""The figures of each model, of each class and of each group."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.base import is_regressor
from sklearn.metrics import brier_score_loss, log_loss, recall_score, roc_auc_score

from .._nested import split_pipeline
from .._paired import paired_difference
from .._sklearn import _num_samples
from .._typing import FloatArray
from ..export import OnnxClassifier, OnnxRegressor
from ..metrics import agreement_score, expected_calibration_error, kl_divergence
from ..metrics._costs import dump_deployed, time_predictions
from ._decision_figures import measure_binary_part, measure_decisions, reject_holm
from ._evaluation_rows import STUDENT, TEACHER, EvaluationRows
from ._parameter_count import count_parameters

#: Of the calibration error.
N_BINS = 15
_SECONDS = 0.5
#: Of a slow model; a quick one is called as often as the time allows.
_MIN_CALLS = 20
_BATCH_ROWS, _BATCH_SECONDS, _MIN_BATCHES = 1000, 0.2, 3

Figures = dict[str, Any]

_PART_KEYS = "accuracy", "log_loss", "agreement"
_BINARY_PART_KEYS = "recall", "false_positive_rate", "mean_probability"
_COSTS = (
    *("bytes", "parameters", "latency_p50_us", "latency_p99_us"),
    *("timed_calls", "rows_per_second"),
)
_ONNX_COSTS = (
    *("onnx_bytes", "onnx_latency_p50_us", "onnx_latency_p99_us"),
    *("onnx_rows_per_second", "onnx_error"),
)


def measure_quality(rows: EvaluationRows, name: str) -> Figures:
    """Score one model against the labels and against the teacher."""
    proba, teacher = rows.probas[name], rows.probas[TEACHER]
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
        **measure_decisions(codes, proba, weight),
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


def measure_costs(model: Any | None, X: Any) -> Figures:
    """Measure size and speed of what is deployed; None: all costs are unknown."""
    if model is None:
        return dict.fromkeys(_COSTS)
    return {
        "bytes": _count_bytes(model),
        "parameters": count_parameters(model),
        **_measure_times(model, X),
    }


def measure_onnx_costs(model: Any, X: Any) -> Figures:
    """Measure the same of the model as ONNX; unknown where it can't be exported."""
    figures: Figures = dict.fromkeys(_ONNX_COSTS)
    try:
        content = dump_deployed(model, "onnx", X)
    except Exception as error:
        # Any converter's: what can't be exported is reported all the same.
        return figures | {"onnx_error": f"{type(error).__name__}: {error}"}
    serve = OnnxRegressor if is_regressor(model) else OnnxClassifier
    times = _measure_times(serve(content), X)
    del times["timed_calls"]
    measured = {"bytes": len(content), **times}
    return figures | {f"onnx_{name}": value for name, value in measured.items()}


def _measure_times(model: Any, X: Any) -> Figures:
    times = time_predictions(
        model, X, batch_size=1, min_calls=_MIN_CALLS, seconds=_SECONDS
    )
    size = min(_num_samples(X), _BATCH_ROWS)
    batch_times = time_predictions(
        model, X, batch_size=size, min_calls=_MIN_BATCHES, seconds=_BATCH_SECONDS
    )
    return {
        "latency_p50_us": float(np.percentile(times, 50)) / 1000,
        "latency_p99_us": float(np.percentile(times, 99)) / 1000,
        "timed_calls": len(times),
        "rows_per_second": size * 1e9 / float(np.median(batch_times)),
    }


def _count_bytes(model: Any) -> int | None:
    # One of the report's warnings is that it can't be pickled.
    with suppress(TypeError):
        return len(dump_deployed(model))
    return None


def compare_costs(teacher: Figures, student: Figures) -> dict[str, float | None]:
    """Return how many times the student is smaller and faster."""

    def divide(first: Any, second: Any) -> float | None:
        return None if first is None or second is None else first / second

    return {
        "smaller": divide(teacher["bytes"], student["bytes"]),
        "faster_one_row": divide(teacher["latency_p50_us"], student["latency_p50_us"]),
        "faster_batch": divide(student["rows_per_second"], teacher["rows_per_second"]),
    }


def name_classifier(model: Any) -> str:
    """Return the class of the classifier itself; "stored" where there is none."""
    return "stored" if model is None else type(split_pipeline(model)[1]).__name__


def measure_parts(
    rows: EvaluationRows, codes: NDArray[np.intp], names: list[Any]
) -> list[dict[str, Any]]:
    """Measure each model on each class or group.

    `behind`: whether the student is right less often than the teacher by more than
    chance, by a one-sided test of the paired difference at 5 % over all parts (Holm).
    """
    members = [np.flatnonzero(codes == k) for k in range(len(names))]
    behind = reject_holm(np.array([_test_loss(rows, part) for part in members]))
    return [
        {"name": name, **_measure_part(rows, part), "behind": bool(flag)}
        for name, part, flag in zip(names, members, behind, strict=True)
    ]


def _test_loss(rows: EvaluationRows, members: NDArray[np.intp]) -> float:
    """p-value of the student being right as often as the teacher, or more often."""
    if len(members) < 2:
        return 1.0
    student, teacher = rows.hits(STUDENT)[members], rows.hits(TEACHER)[members]
    gain, error = paired_difference(student, teacher, rows.weight[members])
    if error == 0:
        return float(gain >= 0)
    return float(norm.cdf(gain / error))


def _measure_part(rows: EvaluationRows, members: NDArray[np.intp]) -> dict[str, Any]:
    part: dict[str, Any] = {"n_rows": len(members), "rate": None}
    weight, binary = rows.weight[members], len(rows.classes) == 2
    if binary and len(members):
        part["rate"] = float(np.average(rows.codes[members] == 1, weights=weight))
    teacher = rows.probas[TEACHER][members]
    for name, probas in rows.probas.items():
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
            part[name] |= measure_binary_part(rows.codes[members], proba, weight)
    return part
