"""Which converter makes a graph of which regressor.

Networks, linear models and trees are written directly, a mean joins the graphs of its
members, and the rest goes through skl2onnx.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from ..._labels._members import is_vote
from ..._nested import split_pipeline
from ..._typing import FloatArray
from .._answers import Values
from .._reading._dense import Dense, read_dense
from .._reading._inputs import TABLE, Inputs, lacks_digits
from .._reading._native_categories import read_compared
from .._reading._preprocessing import transform_inputs
from .._reading._table import Table, UnsupportedError
from ._convert import emit_matrix, refuse_categories
from ._emit_dense import emit_folded, emit_hidden
from ._emit_table import emit_refused
from ._emit_trees import emit_value_trees, make_graphs
from ._graph import VALUES, Graph
from ._skl2onnx import run_skl2onnx
from ._votes import build_members, join_regressors


def build_values(
    served: Any, inputs: Inputs, n_outputs: int, offsets: FloatArray | None
) -> Iterator[Any]:
    """Make the candidates, the fastest first, each an `onnx.ModelProto`.

    `offsets` are numbers in the middle of values that float32 can't hold, which are
    double. Raise a TypeError where no converter takes the model.
    """
    steps, learner = split_pipeline(served)
    try:
        table = transform_inputs(steps, inputs)
    except UnsupportedError as error:
        raise TypeError(
            f"No converter takes the preprocessing of this regressor ({error}). Use "
            "imputation, scaling and one-hot encoding of scikit-learn."
        ) from error
    dense = read_dense(learner)
    if dense is not None and not table.keeps_any(inputs.texts):
        yield from _build_dense(inputs, table, dense, n_outputs, offsets)
        return
    dtype = np.float32 if offsets is None else np.float64
    if is_vote(learner):
        build = partial(
            build_values, inputs=inputs, n_outputs=n_outputs, offsets=offsets
        )
        if (found := build_members(steps, learner, build)) is not None:
            yield from join_regressors(inputs, learner, found, dtype)
            return
    try:
        trees, compared = read_compared(learner, table, inputs)
    except UnsupportedError as error:
        refuse_categories(inputs, table, learner, error)
        yield _convert_learner(inputs, table, learner, n_outputs)
        return
    for graph, rounded in make_graphs(inputs, trees):
        refused = emit_refused(graph, table)
        emit_value_trees(graph, compared, rounded, refused, dtype)
        yield graph.to_regressor(n_outputs, dtype)


def find_offsets(expected: Values) -> FloatArray | None:
    """Return a number in the middle of each output; None: float32 holds them all."""
    lost = [
        # Without a spread nothing tells how many digits count.
        lacks_digits(values, exact=not has_spread)
        for values, has_spread in zip(
            expected.finite.T, expected.spread > 0, strict=True
        )
    ]
    return np.median(expected.finite, axis=0) if any(lost) else None


def _build_dense(
    inputs: Inputs,
    table: Table,
    dense: Dense,
    n_outputs: int,
    offsets: FloatArray | None,
) -> Iterator[Any]:
    if offsets is None:
        for dtype in (np.float32, np.float64):
            graph = Graph(inputs, dtype)
            hidden = emit_hidden(graph, emit_folded(graph, table, dense), dense)
            graph.add("Identity", [hidden], VALUES)
            yield graph.to_regressor(n_outputs)
        return
    # The layers compute what differs among rows, and the offset is added at the end.
    *first, last = dense.biases
    small = replace(dense, biases=[*first, np.asarray(last, dtype=float) - offsets])
    for dtype, double in ((np.float32, False), (np.float64, False), (np.float64, True)):
        graph = Graph(inputs, dtype)
        hidden = emit_hidden(graph, emit_folded(graph, table, small, double), small)
        if not double:
            hidden = graph.cast(hidden, np.float64)
        graph.add("Add", [hidden, graph.hold_as(offsets)], VALUES)
        yield graph.to_regressor(n_outputs, np.float64)


def _convert_learner(inputs: Inputs, table: Table, learner: Any, n_outputs: int) -> Any:
    graph, features = emit_matrix(inputs, table, np.float32)
    refused = emit_refused(graph, table)
    model = run_skl2onnx(learner, [(TABLE, np.float32, table.width)])
    (output,) = model.graph.output
    result = graph.make_name() if refused else VALUES
    graph.append(model, {model.graph.input[0].name: features, output.name: result})
    if refused:
        graph.add("Sum", [result, refused], VALUES)
    return graph.to_regressor(n_outputs)


def sort_values(model: Any) -> Any:
    """Return a model with the values of a row sorted, by a last node."""
    graph = model.graph
    n_outputs = graph.output[0].type.tensor_type.shape.dim[1].dim_value
    known = {name for node in graph.node for name in (*node.input, *node.output)}
    known |= {entry.name for entry in graph.input}
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
    return model
