"""One ONNX model of a fitted regressor, verified before it is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    Ridge,
    RidgeCV,
    SGDRegressor,
)
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.neural_network import MLPRegressor

from ..._labels._quantiles import rate_quantiles
from ..._nested import find_distilled, split_pipeline, transform_before
from ..._typing import FloatArray
from ..._value_data import as_columns
from .._answers import describe_difference, refuse_value_loss
from .._libraries import import_for_onnx
from ._dense import ACTIVATIONS, Dense, emit_folded, emit_hidden
from ._emit_table import emit_features
from ._graph import Graph
from ._inputs import TABLE, Inputs, describe_inputs
from ._preprocessing import transform_inputs
from ._probe import MISSING, find_differing, list_outside
from ._session import open_session, serve_output
from ._skl2onnx import run_skl2onnx
from ._standard import keep_standard
from ._table import UnsupportedError

#: The output of a model.
VALUES = "values"

#: How far values may be off, as a share of the largest one and of the spread of each
#: output: what rounding to float32 explains.
_ROUNDING, _SPREAD = 1e-6, 1e-4

_LINEAR = (
    *(LinearRegression, Ridge, RidgeCV, Lasso, ElasticNet, BayesianRidge),
    *(HuberRegressor, SGDRegressor),
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
    inputs, expected = describe_inputs(X, grouped), ask_values(estimator, X)
    distilled, teacher = find_distilled(estimator), None
    levels = getattr(distilled, "quantiles", None)
    model = find_equal(served, inputs, X, expected, standard, levels is not None)
    entries: dict[str, Any] = {"scores": None}
    missing = _list_missing(estimator, model, inputs, X, expected)
    entries["accepts"] = {"missing": missing, "infinite": False}
    if y is not None:
        if distilled is not None and distilled.teacher_ is not None:
            rows = transform_before(estimator, X)
            teacher = score_values(ask_values(distilled.teacher_, rows), y, levels)
        student = score_values(expected, y, levels)
        entries["scores"] = {"student": student, "teacher": teacher}
    if quantize is not None:
        from ._quantize import quantize_model

        model = quantize_model(model, quantize, inputs.feed(X))
        (found,) = open_session(model).run([VALUES], inputs.feed(X))
        truth, scored = (expected, None) if y is None else (np.asarray(y), levels)
        before, after = (
            score_values(part, truth, scored) for part in (expected, found)
        )
        refuse_value_loss(f"quantize={quantize!r}", before, after, tolerance, truth)
        entries["quantization"] = {"kind": quantize, "scores": [before, after]}
    return model, np.empty(0), inputs, entries


def ask_values(estimator: Any, X: Any) -> FloatArray:
    """Return what a regressor predicts, of shape (n_samples, n_outputs)."""
    return as_columns(np.asarray(estimator.predict(X), dtype=np.float64))


def score_values(values: FloatArray, y: Any, quantiles: Any = None) -> dict[str, float]:
    """Return RMSE and R² against true values, of quantiles the mean pinball loss."""
    y = as_columns(np.asarray(y, dtype=np.float64))
    if quantiles is not None:
        losses = rate_quantiles(values, y, np.asarray(quantiles))
        return {"pinball": float(losses.mean())}
    return {
        "rmse": float(root_mean_squared_error(y, values)),
        "r2": float(r2_score(y, values)),
    }


def find_equal(
    served: Any,
    inputs: Inputs,
    X: Any,
    expected: FloatArray,
    standard: bool,
    ordered: bool,
) -> Any:
    """Return the first model whose values are those of the regressor.

    `standard` asks for standard operators alone; `ordered` values are sorted along the
    row.

    Raises
    ------
    TypeError
        No converter takes the model.
    ValueError
        None of them is within rounding.
    """
    difference: str | None = ""
    bound = find_bound(expected)
    models = _build_models(served, inputs, expected.shape[1])
    if standard:
        models = keep_standard(models, inputs, None, expected.shape[1])
    for model in models:
        if ordered:
            _sort_values(model, expected.shape[1])
        found = serve_output(model, inputs, VALUES)(X)
        compared = (found, expected, bound, "the ONNX model", "predict")
        difference = describe_difference(*compared)
        if difference is None:
            return model
    raise ValueError(
        f"The ONNX model must equal predict; {difference}. Nothing was written. ONNX "
        "computes in float32. Where a tree's threshold falls between two numbers that "
        "float32 can't tell apart, fit on X.astype('float32'); in front of other "
        "models, scale columns of very different sizes."
    )


def find_bound(expected: FloatArray) -> FloatArray:
    """Return how far each output may be off; rows with an infinite one don't count."""
    finite = expected[np.isfinite(expected).all(axis=1)]
    largest = np.abs(finite).max(axis=0, initial=0)
    spread = finite.std(axis=0) if len(finite) else largest
    return _SPREAD * spread + _ROUNDING * largest


def _list_missing(
    estimator: Any, model: Any, inputs: Inputs, X: Any, expected: FloatArray
) -> list[int]:
    """Return the columns whose missing values a model takes as the estimator does."""

    def predict(rows: Any) -> FloatArray:
        return ask_values(estimator, rows)

    outside = [o for o in list_outside(predict, X, inputs) if o.kind == MISSING]
    bound = find_bound(expected)
    serve = serve_output(model, inputs, VALUES)
    differing = find_differing(serve, outside, lambda part: bound)
    return [part.column for part in outside if part not in differing]


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


def _build_models(served: Any, inputs: Inputs, n_outputs: int) -> Iterator[Any]:
    """Make the candidates, the fastest first."""
    inputs.check_names()
    steps, learner = split_pipeline(served)
    try:
        table = transform_inputs(steps, inputs)
        if table.keeps_any(inputs.texts):
            raise UnsupportedError("strings that are not encoded")
    except UnsupportedError as error:
        raise TypeError(
            f"No converter takes the preprocessing of this regressor ({error}). Use "
            "imputation, scaling and one-hot encoding of scikit-learn."
        ) from error
    dense = read_values(learner)
    if dense is not None:
        for dtype in (np.float32, np.float64):
            graph = Graph(inputs, dtype)
            hidden = emit_hidden(graph, emit_folded(graph, table, dense), dense)
            graph.add("Identity", [hidden], VALUES)
            yield graph.to_model(None, n_outputs)
        return
    types = import_for_onnx("skl2onnx.common.data_types")
    graph = Graph(inputs, np.float32 if table.is_untouched else np.float64)
    features = emit_features(graph, table)
    if graph.dtype is not np.float32:
        features = graph.cast(features, np.float32)
    model = run_skl2onnx(learner, [(TABLE, types.FloatTensorType([None, table.width]))])
    (output,) = model.graph.output
    graph.append(model, {model.graph.input[0].name: features, output.name: VALUES})
    yield graph.to_model(None, n_outputs)


def read_values(learner: Any) -> Dense | None:
    """Read a network or linear model; None: it is another kind."""
    if isinstance(learner, MLPRegressor) and learner.out_activation_ == "identity":
        weights, biases = list(learner.coefs_), list(learner.intercepts_)
        return Dense(weights, biases, ACTIVATIONS[learner.activation], "")
    if not isinstance(learner, _LINEAR):
        return None
    coef = np.atleast_2d(learner.coef_).T
    return Dense([coef], [np.broadcast_to(learner.intercept_, coef.shape[1])], "", "")
