"""What a student costs at least, known before it is fitted."""

from __future__ import annotations

from argparse import Namespace
from types import SimpleNamespace
from typing import Any

import numpy as np
from sklearn.base import clone, is_regressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline

from .._labels._defaults import count_weights
from .._soft_data import count_outputs
from ..metrics._costs import dump_deployed, time_predictions
from ._read_data import Rows

#: Bytes of a weight in single precision; no leaf or split of a tree is sure.
_BYTES = 4
_MIN_CALLS, _SECONDS = 20, 0.1


def explain_left_out(student: Any, rows: Rows, options: Namespace) -> str:
    """Return why a student can't be within the budget whatever it learns, or "".

    Weights are counted, and as joblib the preprocessing is fitted, pickled and timed:
    a frame of one row may take it a hundred times as long as the model.
    """
    if options.max_bytes is None and options.max_latency_us is None:
        return ""
    columns, learner = None, student
    if isinstance(student, Pipeline):
        columns, learner = clone(student[:-1]).fit(rows.X), student[-1]
        student = Pipeline([*columns.steps, student.steps[-1]])
    size = _BYTES * _count_weights(columns, learner, rows)
    if options.deployment == "joblib":
        size += len(dump_deployed(student))
    if options.max_bytes is not None and size > options.max_bytes:
        return f"at least {size:,.0f} bytes"
    if columns is None or options.deployment == "onnx":
        return ""
    if options.max_latency_us is not None:
        fastest = _time_columns(columns, rows.X_test)
        if fastest > options.max_latency_us:
            return f"at least {fastest:,.0f} microseconds a row"
    return ""


def _count_weights(columns: Any, learner: Any, rows: Rows) -> int:
    """Count the weights of a network or linear model; trees may have none."""
    hidden: tuple[int, ...] = ()
    if isinstance(learner, MLPClassifier | MLPRegressor):
        hidden = learner.hidden_layer_sizes
    elif not hasattr(learner, "fit_intercept"):
        return 0
    n_outputs = 1 if is_regressor(learner) else count_outputs(len(np.unique(rows.y)))
    return count_weights(columns, rows.X, hidden, n_outputs)


def _time_columns(columns: Any, X: Any) -> float:
    """Return the microseconds of the fastest row."""
    model = SimpleNamespace(predict=columns.transform)
    given: dict[str, Any] = {"min_calls": _MIN_CALLS, "seconds": _SECONDS}
    return float(time_predictions(model, X, batch_size=1, **given).min()) / 1000
