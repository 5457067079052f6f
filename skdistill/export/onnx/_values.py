"""One ONNX model of a fitted regressor, verified before it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from sklearn.metrics import r2_score, root_mean_squared_error

from ..._labels._quantiles import rate_quantiles
from ..._nested import find_distilled, transform_before
from ..._typing import FloatArray
from ..._value_data import as_columns
from .._answers import refuse_value_loss
from ._build_values import build_values
from ._equal import Comparison, list_ways, take_equal
from ._inputs import Inputs, lacks_digits
from ._probe import INFINITE, MISSING, WIDE, Outside, list_outside
from ._session import serve_output
from ._standard import keep_standard
from ._verify import VALUES, find_value_difference

#: How far values may be off, as shares of the spread of each output and of the largest
#: value: what rounding to float32 explains. Of the latter no more counts than a share
#: of the spread at which no score changes.
_SPREAD, _ROUNDING, _MOST = 1e-4, 1e-6, 1e-3
#: Of the largest value, what is no spread but the rounding of sums in double.
_NO_SPREAD = 1e-12
#: How many times as far values may be off at 10 times the range of a column.
_WIDE = 10

_ADVICE = (
    "ONNX computes in float32. Where a tree's threshold falls between two numbers that "
    "float32 can't tell apart, leave out the scaling in front of the trees, which they "
    "do not need; in front of other models, scale columns of very different sizes."
)
_ADVICE_FAR = (
    "The values lie far from 0 beside their spread, which float32 can't hold. Networks "
    "and linear models of scikit-learn that were fitted on float64, and trees that "
    "predict in double (not XGBoost), are written with an offset in double: use one of "
    "those, or fit on y less its mean, and add that to the answers."
)


def export_values(
    estimator: Any,
    served: Any,
    X: Any,
    y: Any,
    quantize: str | None,
    tolerance: float,
    grouped: bool,
    standard: bool,
) -> tuple[Any, Any, Inputs, dict[str, Any]]:
    """Return the model of a regressor, no classes, and what is written of it."""
    ways, expected = list_ways(X, grouped), ask_values(estimator, X)
    distilled, teacher = find_distilled(estimator), None
    levels = getattr(distilled, "quantiles", None)
    offsets = find_offsets(expected)
    build = _make_builder(served, expected, offsets, standard, levels is not None)
    outside = [
        part
        for part in list_outside(lambda rows: ask_values(estimator, rows), X, ways[0])
        if part.kind != INFINITE
    ]
    model, inputs, equal = take_equal(
        ways, build, X, _compare_values(expected), outside
    )
    found = serve_output(model, inputs, VALUES)(X)
    entries: dict[str, Any] = {"scores": None}
    missing = [part.column for part in equal if part.kind == MISSING]
    entries["accepts"] = {"missing": missing, "infinite": False}
    if y is not None:
        if distilled is not None and distilled.teacher_ is not None:
            rows = transform_before(estimator, X)
            teacher = score_values(ask_values(distilled.teacher_, rows), y, levels)
        student = score_values(found, y, levels)
        entries["scores"] = {"student": student, "teacher": teacher}
    if quantize is not None:
        from ._quantize import quantize_model

        model = quantize_model(model, quantize, inputs.feed(X))
        halved = serve_output(model, inputs, VALUES)(X)
        truth, scored = (expected, None) if y is None else (np.asarray(y), levels)
        before, after = (score_values(part, truth, scored) for part in (found, halved))
        refuse_value_loss(f"quantize={quantize!r}", before, after, tolerance, truth)
        entries["quantization"] = {"kind": quantize, "scores": [before, after]}
    return model, np.empty(0), inputs, entries


def ask_values(estimator: Any, X: Any) -> FloatArray:
    """Return what a regressor predicts, of shape (n_samples, n_outputs)."""
    return as_columns(np.asarray(estimator.predict(X), dtype=np.float64))


def score_values(values: FloatArray, y: Any, quantiles: Any = None) -> dict[str, float]:
    """Return RMSE and R² against true values, of quantiles the mean pinball loss."""
    y = as_columns(np.asarray(y, dtype=np.float64))
    values = np.asarray(values, dtype=np.float64)
    if quantiles is not None:
        losses = rate_quantiles(values, y, np.asarray(quantiles))
        return {"pinball": float(losses.mean())}
    return {
        "rmse": float(root_mean_squared_error(y, values)),
        "r2": float(r2_score(y, values)),
    }


def find_bound(expected: FloatArray) -> FloatArray:
    """Return how far each output may be off; rows with an infinite one don't count."""
    spread, largest = _measure(expected)
    rounding = _ROUNDING * largest
    # Without a spread nothing tells how much of it is lost.
    most = np.where(spread > 0, _MOST * spread, rounding)
    return _SPREAD * spread + np.minimum(rounding, most)


def bound_values(limit: FloatArray, part: Outside) -> FloatArray:
    """Return how far values of changed rows may be off, `limit` on the example."""
    bound = np.maximum(limit, find_bound(part.expected))
    return _WIDE * bound if part.kind == WIDE else bound


def find_offsets(expected: FloatArray) -> FloatArray | None:
    """Return a number in the middle of each output; None: float32 holds them all."""
    finite = expected[np.isfinite(expected).all(axis=1)]
    spread, _ = _measure(expected)
    lost = [
        # Without a spread nothing tells how many digits count.
        lacks_digits(values, exact=not has_spread)
        for values, has_spread in zip(finite.T, spread > 0, strict=True)
    ]
    return np.median(finite, axis=0) if any(lost) else None


def _measure(expected: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the spread and the largest value of each output."""
    finite = expected[np.isfinite(expected).all(axis=1)]
    largest = np.abs(finite).max(axis=0, initial=0)
    spread = finite.std(axis=0) if len(finite) else largest
    return np.where(spread > _NO_SPREAD * largest, spread, 0.0), largest


def _compare_values(expected: FloatArray) -> Comparison:
    limit, (spread, largest) = find_bound(expected), _measure(expected)
    is_far = bool((_ROUNDING * largest > _MOST * spread).any())
    return Comparison(
        method="predict",
        output=VALUES,
        served="OnnxRegressor",
        difference=lambda model, feed: find_value_difference(
            model, feed, expected, limit
        ),
        bound=lambda part: bound_values(limit, part),
        advice=_ADVICE_FAR if is_far else _ADVICE,
    )


def _make_builder(
    served: Any,
    expected: FloatArray,
    offsets: FloatArray | None,
    standard: bool,
    ordered: bool,
) -> Callable[[Inputs], Iterable[Any]]:
    """Return what makes the candidates for inputs.

    `standard` asks for standard operators alone; `ordered` values are sorted along the
    row.
    """
    n_outputs = expected.shape[1]

    def build(inputs: Inputs) -> Iterable[Any]:
        models: Iterable[Any] = build_values(served, inputs, n_outputs, offsets)
        if standard:
            models = keep_standard(models, inputs, None, n_outputs)
        for model in models:
            if ordered:
                _sort_values(model, n_outputs)
            yield model

    return build


def _sort_values(model: Any, n_outputs: int) -> None:
    """Sort the values of a row, by a last node."""
    from onnx import helper, numpy_helper

    graph = model.graph
    known = {name for node in graph.node for name in (*node.input, *node.output)}
    names = [f"{VALUES}_{part}" for part in ("unsorted", "count", "order")]
    while not known.isdisjoint(names):
        names = [f"{name}_" for name in names]
    unsorted, count, order = names
    for node in graph.node:
        given = [unsorted if name == VALUES else name for name in node.output]
        node.output[:] = given
    graph.initializer.append(numpy_helper.from_array(np.array([n_outputs]), count))
    outputs, ascending = [VALUES, order], {"axis": 1, "largest": 0, "sorted": 1}
    node = helper.make_node("TopK", [unsorted, count], outputs, **ascending)
    graph.node.append(node)
