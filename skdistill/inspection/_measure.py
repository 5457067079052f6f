"""What `python -m skdistill` measures of a fitted model, and how it says so."""

from __future__ import annotations

import io
import json
import math
import platform
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import log_loss

from .. import __version__
from .._labels._probabilities import align
from .._typing import FloatArray
from ..metrics import (
    agreement_score,
    expected_calibration_error,
    gap_recovered,
    kl_divergence,
)

#: Names of the rows of the table, in its order.
TEACHER, BASELINE, DISTILLED = "teacher", "hard-label student", "distilled student"

_WARM_UP = 5
#: Different rows taken in turn, so that no single one decides a latency.
_N_DISTINCT_ROWS = 50
_MIN_REPEATS = {TEACHER: 20, BASELINE: 200, DISTILLED: 200}
_MAX_REPEATS = 2000
_LATENCY_SECONDS = 1.0
_BATCH_SECONDS = 0.1

_HEADER = (
    "                             log   agrees      bytes  microseconds/row     rows/",
    "                  accuracy  loss  teacher    on disk    median     99%   second",
)


@dataclass(frozen=True)
class Figures:
    """What was measured of one model on the test rows.

    Attributes
    ----------
    agreement, kl_divergence : float
        With the teacher, and from it (nats).
    median_us, p99_us : float
        Microseconds for one row through `predict_proba`, over `repeats` calls.
    correct : ndarray of shape (n_samples,)
        Whether each test row is predicted right.
    """

    accuracy: float
    log_loss: float
    agreement: float
    kl_divergence: float
    calibration_error: float
    bytes_on_disk: int
    median_us: float
    p99_us: float
    repeats: int
    rows_per_second: float
    correct: NDArray[np.bool_]


@dataclass(frozen=True)
class Comparison:
    """The distilled student against the teacher and the same student without one.

    Attributes
    ----------
    recovered_accuracy, recovered_log_loss : float
        Share of the teacher's advantage over the hard-label student; NaN: no advantage.
    advantage_rows : int
        Test rows by which the teacher's accuracy exceeds the hard-label student's.
    advantage_p_value : float
        Of the sign test on the rows that one of the two predicts right.
    """

    recovered_accuracy: float
    recovered_log_loss: float
    advantage_rows: int
    advantage_p_value: float
    times_smaller: float
    times_faster_one_row: float
    times_faster_batch: float


def measure_models(
    models: dict[str, Any], X: Any, y: NDArray[Any], classes: NDArray[Any]
) -> dict[str, Figures]:
    """Measure each model on the test rows; the one named TEACHER is the reference."""
    probas = {
        name: align(model.predict_proba(X), model.classes_, classes)
        for name, model in models.items()
    }
    return {
        name: _measure_model(name, model, X, y, classes, probas[name], probas[TEACHER])
        for name, model in models.items()
    }


def _measure_model(
    name: str,
    model: Any,
    X: Any,
    y: NDArray[Any],
    classes: NDArray[Any],
    proba: FloatArray,
    reference: FloatArray,
) -> Figures:
    correct = classes[proba.argmax(axis=1)] == y
    times = time_single_rows(model.predict_proba, X, _MIN_REPEATS[name])
    return Figures(
        accuracy=float(correct.mean()),
        log_loss=float(log_loss(y, proba, labels=classes)),
        agreement=agreement_score(reference, proba),
        kl_divergence=kl_divergence(reference, proba),
        calibration_error=expected_calibration_error(y, proba, labels=classes),
        bytes_on_disk=len(dump_bytes(model)),
        median_us=float(np.median(times)) * 1e6,
        p99_us=float(np.percentile(times, 99)) * 1e6,
        repeats=len(times),
        rows_per_second=_time_batch(model.predict_proba, X),
        correct=correct,
    )


def dump_bytes(model: Any) -> bytes:
    """The model as joblib writes it to a file."""
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


def time_single_rows(
    predict: Callable[[Any], Any], X: Any, min_repeats: int
) -> FloatArray:
    """Seconds of each call with one row, in the container that X is.

    About a second in all, unless `min_repeats` calls take longer.
    """
    # Sliced beforehand: cutting a row out of a frame is not the model's time.
    rows = [X[k : k + 1] for k in range(min(_N_DISTINCT_ROWS, len(X)))]
    for row in rows[:_WARM_UP]:
        predict(row)
    times: list[float] = []
    end = time.perf_counter() + _LATENCY_SECONDS
    while len(times) < _MAX_REPEATS:
        row = rows[len(times) % len(rows)]
        start = time.perf_counter()
        if start > end and len(times) >= min_repeats:
            break
        predict(row)
        times.append(time.perf_counter() - start)
    return np.array(times)


def _time_batch(predict: Callable[[Any], Any], X: Any) -> float:
    """Rows a second, all rows at once."""
    n_calls, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < _BATCH_SECONDS:
        predict(X)
        n_calls += 1
    return n_calls * len(X) / seconds


def compare_models(figures: dict[str, Figures]) -> Comparison:
    """Compare the distilled student with the other two models."""
    teacher, baseline = figures[TEACHER], figures[BASELINE]
    student = figures[DISTILLED]
    gained = int((teacher.correct & ~baseline.correct).sum())
    lost = int((~teacher.correct & baseline.correct).sum())
    p_value = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    with warnings.catch_warnings():
        # It warns where there is no advantage; `format_report` says so in words.
        warnings.simplefilter("ignore", UserWarning)
        accuracy = gap_recovered(teacher.accuracy, baseline.accuracy, student.accuracy)
        loss = gap_recovered(
            teacher.log_loss,
            baseline.log_loss,
            student.log_loss,
            greater_is_better=False,
        )
    return Comparison(
        recovered_accuracy=accuracy,
        recovered_log_loss=loss,
        advantage_rows=gained - lost,
        advantage_p_value=float(p_value),
        times_smaller=teacher.bytes_on_disk / student.bytes_on_disk,
        times_faster_one_row=teacher.median_us / student.median_us,
        times_faster_batch=student.rows_per_second / teacher.rows_per_second,
    )


def format_report(figures: dict[str, Figures], comparison: Comparison) -> str:
    """The table and the lines under it, at most 82 characters wide."""
    c = comparison
    lines = [*_HEADER, *(_format_row(name, f) for name, f in figures.items()), ""]
    lines += [
        "Hard-label student: the same student, fitted on the true labels alone.",
        "Share of the teacher's advantage over it that distillation recovers:",
        f"  accuracy  {_format_share(c.recovered_accuracy)}"
        f"{_describe_advantage(figures, c)}",
        f"  log loss  {_format_share(c.recovered_log_loss)}",
        f"Against the teacher: {_format_ratio(c.times_smaller, 'smaller', 'larger')}, "
        f"{_format_ratio(c.times_faster_one_row, 'faster', 'slower')} on one row, ",
        f"  {_format_ratio(c.times_faster_batch, 'faster', 'slower')} on all test rows "
        "at once.",
    ]
    return "\n".join(line.rstrip() for line in lines + _say_plainly(figures, c))


def _format_row(name: str, f: Figures) -> str:
    return (
        f"{name:<18}{f.accuracy:>8.4f}{f.log_loss:>7.3f}{f.agreement:>8.4f}"
        f"{f.bytes_on_disk:>11,}{f.median_us:>10,.0f}{f.p99_us:>8,.0f}"
        f"{f.rows_per_second:>10,.0f}"
    )


def _format_share(share: float) -> str:
    return "undefined (no advantage)" if np.isnan(share) else f"{share:.0%}"


def _describe_advantage(figures: dict[str, Figures], comparison: Comparison) -> str:
    """How many rows the share of accuracy stands on; nothing where it has none."""
    if np.isnan(comparison.recovered_accuracy):
        return ""
    n_rows = len(figures[TEACHER].correct)
    caution = ", within chance" if comparison.advantage_p_value > 0.05 else ""
    n_better = comparison.advantage_rows
    return f"  (an advantage of {n_better} of {n_rows} test rows{caution})"


def _format_ratio(ratio: float, more: str, less: str) -> str:
    """`12 times smaller`, or the other way round where that is the truth."""
    word = more if ratio >= 1 else less
    ratio = max(ratio, 1 / ratio)
    return f"{ratio:,.0f} times {word}" if ratio >= 10 else f"{ratio:.1f} times {word}"


def _say_plainly(figures: dict[str, Figures], comparison: Comparison) -> list[str]:
    """Sentences for what a hurried reader of the table would miss."""
    lines = []
    shares = {
        "accuracy": comparison.recovered_accuracy,
        "log loss": comparison.recovered_log_loss,
    }
    without = [name for name, share in shares.items() if np.isnan(share)]
    if without:
        lines.append(
            "The teacher is no better than the hard-label student in "
            f"{' and '.join(without)}:\n  there is no advantage to hand on."
        )
    behind = [name for name, share in shares.items() if share < 0]
    if behind:
        lines.append(
            "The distilled student is worse than the hard-label student in "
            f"{' and '.join(behind)}."
        )
    return lines


def list_versions() -> dict[str, str]:
    found = {"skdistill": __version__, "python": platform.python_version()}
    for name in ("scikit-learn", "numpy", "scipy", "joblib", "lightgbm", "pandas"):
        # pandas is not needed for the bundled example.
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def select_plain(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters without the objects whose own parameters stand beside them."""
    plain = (str, int, float, tuple, type(None))
    return {name: v for name, v in parameters.items() if isinstance(v, plain)}


def encode_json(record: dict[str, Any]) -> bytes:
    text = json.dumps(_replace_nan(record), indent=2, allow_nan=False, default=repr)
    return f"{text}\n".encode()


def _replace_nan(value: Any) -> Any:
    """JSON has no NaN and no infinity: both become null."""
    if isinstance(value, dict):
        return {key: _replace_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
