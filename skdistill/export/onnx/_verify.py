"""Run an ONNX model, and compare it with the estimator that it stands for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._answers import TOLERANCE, Answers, describe_difference
from ._session import open_session


def ask_model(model: Any, feed: dict[str, Any], classes: NDArray[Any]) -> Answers:
    """Return what a model answers on the fed rows."""
    label, proba = open_session(model).run(["label", "probabilities"], feed)
    return Answers(label, proba, classes)


def find_difference(model: Any, feed: dict[str, Any], expected: Answers) -> str | None:
    """Describe where a model differs from the estimator; None: nowhere.

    The rows are run together and the first one also alone: a model that fixed the
    number of rows would show.
    """
    first = {name: array[:1] for name, array in feed.items()}
    try:
        answers = ask_model(model, feed, expected.classes)
        alone = ask_model(model, first, expected.classes).proba
    except Exception as error:
        # ONNX Runtime has exceptions of its own, without a common base.
        return f"ONNX Runtime can't run the converter's graph: {str(error)[:300]}"
    proba = answers.proba
    for found in (proba, np.vstack([alone, proba[1:]])):
        compared = (found, expected.proba, TOLERANCE, "the ONNX model")
        difference = describe_difference(*compared)
        if difference is not None:
            return difference
    wrong = np.flatnonzero(~_same_labels(answers.label, expected.label))
    if len(wrong):
        row = wrong[0]
        return (
            f"the label of {len(wrong)} of {len(proba)} rows differs, first in row "
            f"{row}: predict gives {expected.label[row]!r}, the ONNX model "
            f"{answers.label[row]!r}, with probabilities {proba[row].tolist()}"
        )
    return None


def _same_labels(label: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.bool_]:
    if expected.dtype.kind in "biuf" and label.dtype.kind in "biuf":
        return label == expected.astype(label.dtype)
    return label.astype(str) == expected.astype(str)
