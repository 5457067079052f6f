"""The first model that equals its estimator, on the example and outside of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..._warnings import warn_caller
from ._inputs import Inputs, describe_inputs
from ._probe import (
    INFINITE,
    MISSING,
    Outside,
    describe_differing,
    find_differing,
)
from ._session import serve_output


@dataclass(frozen=True)
class Comparison:
    """How models are compared with an estimator.

    Attributes
    ----------
    method, output : str
        Of the estimator, and of a model.
    served : str
        What serves a model, and refuses rows on which it differs.
    difference : callable
        From a model and what it is fed to where it differs on the example; None:
        nowhere.
    bound : callable
        How far answers on changed rows may be off.
    advice : str
        What to do where no model is equal.
    """

    method: str
    output: str
    served: str
    difference: Callable[[Any, Any], str | None]
    bound: Callable[[Outside], Any]
    advice: str


def list_ways(X: Any, grouped: bool) -> Sequence[Inputs]:
    """Return the inputs to try: as few digits as columns need, or all of them."""
    inputs = describe_inputs(X, grouped)
    exact = describe_inputs(X, grouped, exact=True)
    return (inputs, exact) if exact.offsets != inputs.offsets else (inputs,)


def take_equal(
    ways: Sequence[Inputs],
    build: Callable[[Inputs], Iterable[Any]],
    X: Any,
    compared: Comparison,
    outside: list[Outside],
) -> tuple[Any, Inputs, list[Outside]]:
    """Return a model that answers as the estimator does, its inputs, and equal parts.

    It is the first one without a difference. Where each differs on rows outside of the
    example, it is the one that differs there the least; equal parts are the others.
    Inputs with all digits are tried where the first ones do not end the search.

    Raises
    ------
    ValueError
        Each differs on the example, or on rows outside of it with known numbers.

    Warns
    -----
    UserWarning
        It differs where numbers are missing.
    """
    difference: str | None = ""
    found: list[tuple[Any, Inputs, dict[Outside, float]]] = []
    for inputs in ways:
        feed = inputs.feed(X)
        for model in build(inputs):
            difference = compared.difference(model, feed)
            if difference is not None:
                continue
            serve = serve_output(model, inputs, compared.output)
            differing = find_differing(serve, outside, compared.bound)
            found.append((model, inputs, differing))
            if not differing:
                break
        if any(not _list_told(differing) for *_, differing in found):
            break
    if not found:
        raise ValueError(
            f"The ONNX model must equal {compared.method}; {difference}. Nothing was "
            f"written. {compared.advice}"
        )
    model, inputs, differing = min(found, key=lambda entry: len(entry[-1]))
    _tell_differing(differing, inputs, compared)
    return model, inputs, [part for part in outside if part not in differing]


def _list_told(differing: dict[Outside, float]) -> dict[Outside, float]:
    """Return where a model differs on rows that a service may send."""
    return {part: most for part, most in differing.items() if part.kind != INFINITE}


def _tell_differing(
    differing: dict[Outside, float], inputs: Inputs, compared: Comparison
) -> None:
    """Refuse a model that differs outside of the example; warn of missing values.

    These are what few services send, and what serves a file refuses them.
    """
    told = _list_told(differing)
    shown = describe_differing(told, inputs)
    if any(part.kind != MISSING for part in told):
        raise ValueError(
            f"The ONNX model must equal {compared.method} outside of the example too; "
            f"it differs {shown}. Nothing was written. Use another preprocessing or "
            "student."
        )
    if told:
        warn_caller(
            f"The ONNX model differs from {compared.method} {shown}. "
            f"{compared.served} refuses such rows; another runtime must not be given "
            "any."
        )
