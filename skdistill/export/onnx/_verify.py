"""Run a model, and compare it with the estimator that it stands for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._require import require

#: Largest difference of a probability that rounding to float32 explains.
TOLERANCE = 1e-5


class Reference:
    """What the estimator answers on the example rows."""

    def __init__(self, estimator: Any, X: Any) -> None:
        self.proba: NDArray[Any] = np.asarray(estimator.predict_proba(X))
        self.label: NDArray[Any] = np.asarray(estimator.predict(X))
        if self.label.shape == (len(self.proba), 1):
            # CatBoost's shape of more than two classes.
            self.label = self.label[:, 0]
        if self.proba.ndim != 2 or self.label.ndim != 1:
            raise TypeError(
                "A model with one label a row can be exported; this "
                f"{type(estimator).__name__} predicts several. Export one a label."
            )

    def find_classes(self, estimator: Any) -> NDArray[Any]:
        """Return the labels in the order of the probabilities.

        A skorch net predicts positions, whatever its labels were.
        """
        positions = self.proba.argmax(axis=1)
        if self.label.dtype.kind in "iu" and np.array_equal(self.label, positions):
            return np.arange(self.proba.shape[1])
        return np.asarray(estimator.classes_)


def open_session(model: Any) -> Any:
    """Return an ONNX Runtime session of one thread on the processor."""
    runtime = require("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def run_model(model: Any, feed: dict[str, Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return label and probabilities of the fed rows."""
    label, proba = open_session(model).run(["label", "probabilities"], feed)
    return label, proba


def find_difference(
    model: Any, feed: dict[str, Any], reference: Reference
) -> str | None:
    """Say where a model differs from the estimator; None: nowhere.

    The rows are run together and the first one also alone: a model that fixed the
    number of rows would show.
    """
    label, proba = run_model(model, feed)
    first = {name: array[:1] for name, array in feed.items()}
    _, alone = run_model(model, first)
    differs = np.abs(proba - reference.proba)
    differs[0] = np.maximum(differs[0], np.abs(alone[0] - reference.proba[0]))
    differs[np.isnan(differs)] = np.inf
    wrong = np.flatnonzero(differs.max(axis=1) > TOLERANCE)
    if len(wrong):
        row, column = np.unravel_index(differs.argmax(), differs.shape)
        return (
            f"{len(wrong)} of {len(proba)} rows differ by more than {TOLERANCE:g}, "
            f"the most in row {row}, column {column}: predict_proba gives "
            f"{reference.proba[row, column]:.9g}, the ONNX model "
            f"{proba[row, column]:.9g}"
        )
    wrong = np.flatnonzero(~_same_labels(label, reference.label))
    if len(wrong):
        row = wrong[0]
        return (
            f"the label of {len(wrong)} of {len(proba)} rows differs, first in row "
            f"{row}: predict gives {reference.label[row]!r}, the ONNX model "
            f"{label[row]!r}, with probabilities {proba[row].tolist()}"
        )
    return None


def _same_labels(label: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.bool_]:
    if expected.dtype.kind in "biuf" and label.dtype.kind in "biuf":
        return label == expected.astype(label.dtype)
    return label.astype(str) == expected.astype(str)
