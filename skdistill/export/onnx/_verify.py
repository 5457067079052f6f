"""Run an ONNX model, and compare it with the estimator that it stands for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._answers import TOLERANCE, Answers, Values, describe_difference
from ._session import open_session


def ask_model(model: Any, feed: dict[str, Any], like: Answers | Values) -> Any:
    """Return what a model answers on the fed rows, in the form of other answers."""
    *label, outputs = open_session(model).run(like.names, feed)
    labels = {"label": label[0]} if label else {}
    return replace(like, outputs=outputs, **labels)


def find_difference(
    model: Any, feed: dict[str, Any], expected: Answers | Values
) -> str | None:
    """Describe where a model differs from the estimator; None: nowhere."""
    first = {name: array[:1] for name, array in feed.items()}
    try:
        run = open_session(model).run
        *label, outputs = run(expected.names, feed)
        (alone,) = run(expected.names[-1:], first)
    except Exception as error:
        # ONNX Runtime has exceptions of its own, without a common base.
        return f"ONNX Runtime can't run the converter's graph: {str(error)[:300]}"
    # A model that fixed the number of rows would show where one is run alone.
    for found in (outputs, np.vstack([alone, outputs[1:]])):
        difference = describe_difference(found, expected, "the ONNX model")
        if difference is not None:
            return difference
    if isinstance(expected, Values):
        return None
    return _describe_labels(label[0], outputs, expected)


def _describe_labels(
    label: NDArray[Any], proba: NDArray[Any], expected: Answers
) -> str | None:
    """Describe where labels differ, but for ties of the most probable classes.

    There rounding decides, and each probability may be off by the tolerance.
    """
    wrong = np.flatnonzero(~_same_labels(label, expected.label))
    likely = expected.outputs[wrong]
    highest = likely >= likely.max(axis=1, keepdims=True) - 2 * TOLERANCE
    is_tie = np.full(len(wrong), True)
    for labels in (label, expected.label):
        named = _same_labels(labels[wrong, None], expected.classes)
        is_tie &= (named & highest).any(axis=1)
    wrong = wrong[~is_tie]
    if not len(wrong):
        return None
    row = wrong[0]
    return (
        f"the label of {len(wrong)} of {len(label)} rows differs, first in row "
        f"{row}: predict gives {expected.label[row]!r}, the ONNX model "
        f"{label[row]!r}, with probabilities {proba[row].tolist()}"
    )


def _same_labels(label: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.bool_]:
    if expected.dtype.kind in "biuf" and label.dtype.kind in "biuf":
        return label == expected.astype(label.dtype)
    return label.astype(str) == expected.astype(str)
