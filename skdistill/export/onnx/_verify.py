"""Run an ONNX model, and compare it with the estimator that it stands for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._answers import TOLERANCE, Answers, describe_difference
from ._session import open_session

#: The output of a regressor's model.
VALUES = "values"


def ask_model(model: Any, feed: dict[str, Any], classes: NDArray[Any]) -> Answers:
    """Return what a model answers on the fed rows."""
    label, proba = open_session(model).run(["label", "probabilities"], feed)
    return Answers(label, proba, classes)


def find_difference(model: Any, feed: dict[str, Any], expected: Answers) -> str | None:
    """Describe where a model differs from the estimator; None: nowhere."""
    found = _run_twice(model, ["label", "probabilities"], feed)
    if isinstance(found, str):
        return found
    label, *probas = found
    for proba in probas:
        compared = (proba, expected.proba, TOLERANCE, "the ONNX model")
        difference = describe_difference(*compared)
        if difference is not None:
            return difference
    wrong = _find_wrong(label, expected)
    if len(wrong):
        row = wrong[0]
        return (
            f"the label of {len(wrong)} of {len(label)} rows differs, first in row "
            f"{row}: predict gives {expected.label[row]!r}, the ONNX model "
            f"{label[row]!r}, with probabilities {probas[0][row].tolist()}"
        )
    return None


def find_value_difference(
    model: Any, feed: dict[str, Any], expected: NDArray[Any], bound: Any
) -> str | None:
    """Describe where a model's values differ from the estimator's; None: nowhere."""
    found = _run_twice(model, [VALUES], feed)
    if isinstance(found, str):
        return found
    for values in found:
        compared = (values, expected, bound, "the ONNX model", "predict")
        difference = describe_difference(*compared)
        if difference is not None:
            return difference
    return None


def _run_twice(
    model: Any, outputs: list[str], feed: dict[str, Any]
) -> list[NDArray[Any]] | str:
    """Return the outputs on all rows, and the last one with the first row run alone.

    A model that fixed the number of rows would show. Where it can't be run, return why.
    """
    first = {name: array[:1] for name, array in feed.items()}
    try:
        run = open_session(model).run
        answers = run(outputs, feed)
        (alone,) = run(outputs[-1:], first)
    except Exception as error:
        # ONNX Runtime has exceptions of its own, without a common base.
        return f"ONNX Runtime can't run the converter's graph: {str(error)[:300]}"
    return [*answers, np.vstack([alone, answers[-1][1:]])]


def _find_wrong(label: NDArray[Any], expected: Answers) -> NDArray[np.intp]:
    """Return the rows whose label differs, but for ties of the most probable classes.

    There rounding decides, and each probability may be off by the tolerance.
    """
    wrong = np.flatnonzero(~_same_labels(label, expected.label))
    proba = expected.proba[wrong]
    highest = proba >= proba.max(axis=1, keepdims=True) - 2 * TOLERANCE
    is_tie = np.full(len(wrong), True)
    for labels in (label, expected.label):
        named = _same_labels(labels[wrong, None], expected.classes)
        is_tie &= (named & highest).any(axis=1)
    return wrong[~is_tie]


def _same_labels(label: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.bool_]:
    if expected.dtype.kind in "biuf" and label.dtype.kind in "biuf":
        return label == expected.astype(label.dtype)
    return label.astype(str) == expected.astype(str)
