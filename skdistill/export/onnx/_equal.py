"""Models compared with an estimator, on the example and outside of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..._typing import AnyArray, BoolArray
from ..._warnings import warn_caller
from .._answers import TOLERANCE, Answers, Values, describe_difference
from .._probe import INFINITE, MISSING, Outside, describe_differing, find_differing
from .._reading._inputs import Inputs, describe_inputs
from ._session import open_session, serve_output

_ADVICE = (
    "ONNX computes in float32. Where a tree's threshold falls between two numbers that "
    "float32 can't tell apart, leave out the scaling in front of the trees, which they "
    "do not need{}; in front of other models, scale columns of very different sizes."
)
_ADVICE_FAR = (
    "The values lie far from 0 beside their spread, which float32 can't hold. Networks "
    "and linear models of scikit-learn that were fitted on float64, and trees that "
    "predict in double (not XGBoost), are written with an offset in double: use one of "
    "those, or fit on y less its mean, and add that to the answers."
)


def list_ways(X: Any, grouped: bool) -> Sequence[Inputs]:
    """Return the inputs to try: as few digits as columns need, or all of them."""
    inputs = describe_inputs(X, grouped)
    exact = describe_inputs(X, grouped, exact=True)
    return (inputs, exact) if exact.offsets != inputs.offsets else (inputs,)


def take_equal(
    ways: Sequence[Inputs],
    build: Callable[[Inputs], Iterable[Any]],
    X: Any,
    expected: Answers | Values,
    outside: list[Outside],
    explain: Callable[[], str],
) -> tuple[Any, Inputs, list[Outside]]:
    """Return a model that answers as the estimator does, its inputs, and equal parts.

    It is the first one without a difference. Where each differs on rows outside of the
    example, it is the one that differs there the least; equal parts are the others.
    Inputs with all digits are tried where the first ones do not end the search.

    Raise a ValueError where each differs on the example, with the advice that `explain`
    may return, or on rows outside of it with known numbers; warn where it differs on
    missing ones.
    """
    difference: str | None = ""
    found: list[tuple[Any, Inputs, dict[Outside, float]]] = []
    for inputs in ways:
        feed = inputs.feed(X)
        for model in build(inputs):
            difference = find_difference(model, feed, expected)
            if difference is not None:
                continue
            serve = serve_output(model, inputs, expected.names[-1])
            differing = find_differing(serve, outside, expected)
            found.append((model, inputs, differing))
            if not differing:
                break
        if any(not _list_told(differing) for *_, differing in found):
            break
    if not found:
        raise ValueError(
            f"The ONNX model must equal {expected.method}; {difference}. Nothing was "
            f"written. {explain() or _advise(expected)}"
        )
    model, inputs, differing = min(found, key=lambda entry: len(entry[-1]))
    _tell_differing(differing, inputs, expected)
    return model, inputs, [part for part in outside if part not in differing]


def _advise(expected: Answers | Values) -> str:
    if isinstance(expected, Answers):
        return _ADVICE.format(", and fit on X.astype('float32')")
    return _ADVICE_FAR if expected.are_far else _ADVICE.format("")


def _list_told(differing: dict[Outside, float]) -> dict[Outside, float]:
    """Return where a model differs on rows that a service may send."""
    return {part: most for part, most in differing.items() if part.kind != INFINITE}


def _tell_differing(
    differing: dict[Outside, float], inputs: Inputs, expected: Answers | Values
) -> None:
    """Refuse a model that differs outside of the example; warn of missing values.

    These are what few services send, and what serves a file refuses them.
    """
    told = _list_told(differing)
    shown = describe_differing(told, inputs)
    if any(part.kind != MISSING for part in told):
        raise ValueError(
            f"The ONNX model must equal {expected.method} outside of the example too; "
            f"it differs {shown}. Nothing was written. Use another preprocessing or "
            "student."
        )
    if told:
        warn_caller(
            f"The ONNX model differs from {expected.method} {shown}. "
            f"{expected.server} refuses such rows; another runtime must not be given "
            "any."
        )


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


def _describe_labels(label: AnyArray, proba: AnyArray, expected: Answers) -> str | None:
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


def _same_labels(label: AnyArray, expected: AnyArray) -> BoolArray:
    if expected.dtype.kind in "biuf" and label.dtype.kind in "biuf":
        return label == expected.astype(label.dtype)
    return label.astype(str) == expected.astype(str)
