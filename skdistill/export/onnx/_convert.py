"""Which converter makes a graph of which model.

Networks and linear models behind arithmetic preprocessing are written directly
(`_dense`), skorch nets and CatBoost write themselves, and the rest goes through
skl2onnx with the converters of onnxmltools.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._nested import split_pipeline
from .._libraries import import_for_onnx, is_from
from ._dense import emit_dense, emit_folded, emit_label, read_dense
from ._emit_table import emit_features
from ._exporters import export_catboost, export_skorch
from ._graph import Graph
from ._inputs import TABLE, Inputs
from ._preprocessing import transform_table
from ._skl2onnx import run_skl2onnx
from ._table import Table, UnsupportedError, start_table


def build_models(
    served: Any, inputs: Inputs, classes: NDArray[Any], *, most_fused: float = np.inf
) -> Iterator[Any]:
    """Make the candidates, the fastest first, each an `onnx.ModelProto`.

    Parameters
    ----------
    served : estimator
        Fitted, without anything of this package.
    inputs : Inputs
        What the model is fed.
    classes : ndarray of shape (n_classes,)
        The labels, as `list_labels` gives them.
    most_fused : float, default=inf
        Up to how many weights a network's last layer and its ending are one node.

    Raises
    ------
    TypeError
        No converter takes the model.
    """
    inputs.check_names()
    steps, learner = split_pipeline(served)
    try:
        table = _read_steps(steps, inputs)
    except UnsupportedError:
        yield _convert_whole(served, inputs, classes)
        return
    dense = read_dense(learner)
    if dense is None:
        exact = table.is_untouched or is_from(learner, "skorch")
        graph = Graph(inputs, np.float32 if exact else np.float64)
        features = emit_features(graph, table)
        yield _convert_learner(graph, features, table.width, learner, classes)
        return
    # Where columns are of very different sizes, or far from 0, the sums of the first
    # layer need more digits than float32 has.
    for dtype in (np.float32, np.float64):
        graph = Graph(inputs, dtype)
        hidden = emit_folded(graph, table, dense)
        emit_dense(graph, hidden, dense, classes, most_fused)
        yield graph.to_model(classes)


def list_labels(classes: NDArray[Any]) -> NDArray[Any]:
    """Return labels as ONNX holds them: int64, double, booleans or strings.

    Raises
    ------
    TypeError
        It holds no such labels, or not all of them.
    """
    kind = classes.dtype.kind
    if kind in "OUST":
        texts = [str(label) for label in classes]
        try:
            "".join(texts).encode()
        except UnicodeEncodeError as error:
            raise TypeError(
                "ONNX takes labels that can be encoded as UTF-8; received "
                f"{error.object!r}. Replace lone surrogates before fitting."
            ) from None
        return np.array(texts, dtype=object)
    held = classes.astype({"b": bool, "f": np.float64}.get(kind, np.int64))
    if kind not in "biuf" or (held != classes).any():
        raise TypeError(
            "ONNX takes labels that are strings, booleans, floats or integers of 64 "
            f"bits with a sign; received {classes.dtype} such as {classes[-1]!r}. Fit "
            "on y.astype(str), say."
        )
    return held


def _read_steps(steps: list[Any], inputs: Inputs) -> Table:
    table = start_table(len(inputs.columns), inputs.texts)
    for step in steps:
        table = transform_table(step, table)
    if any(raw is not None and raw.column in inputs.texts for raw in table.raw):
        raise UnsupportedError("strings that are not encoded")
    return table


def _convert_learner(
    graph: Graph, features: str, width: int, learner: Any, classes: NDArray[Any]
) -> Any:
    """Append a learner that takes one matrix of numbers."""
    if is_from(learner, "skorch"):
        model = export_skorch(learner, width)
        given, (probabilities,) = [features], model.graph.output
        return _append(graph, model, given, probabilities.name, None, classes)
    if is_from(learner, "catboost"):
        model, label, probabilities = export_catboost(learner)
        return _append(graph, model, [features], probabilities, label, classes)
    types = import_for_onnx("skl2onnx.common.data_types")
    model = run_skl2onnx(learner, [(TABLE, types.FloatTensorType([None, width]))])
    label, probabilities = (output.name for output in model.graph.output)
    return _append(graph, model, [features], probabilities, label, classes)


def _append(
    graph: Graph,
    model: Any,
    given: list[str],
    probabilities: str,
    label: str | None,
    classes: NDArray[Any],
) -> Any:
    """Append a converted model.

    Parameters
    ----------
    given : list of str
        Tensors of the graph for the inputs of the model.
    probabilities, label : str
        Outputs of the model. Where it has no label, or where converters do not know
        the type of the labels, the most probable one is appended.
    """
    names = dict(zip((entry.name for entry in model.graph.input), given, strict=True))
    names[probabilities] = "probabilities"
    own = label is not None and classes.dtype.kind in "iO"
    if own:
        names[str(label)] = "label"
    graph.append(model, names)
    if not own:
        emit_label(graph, "probabilities", classes)
    return graph.to_model(classes)


def _convert_whole(served: Any, inputs: Inputs, classes: NDArray[Any]) -> Any:
    """Convert a Pipeline whose preprocessing only skl2onnx knows."""
    types = import_for_onnx("skl2onnx.common.data_types")
    graph = Graph(inputs)
    if inputs.is_table and not inputs.named:
        declared = [(TABLE, types.FloatTensorType([None, len(inputs.columns)]))]
        given = [TABLE]
    else:
        # By the names that the steps were fitted on.
        text, number = types.StringTensorType, types.FloatTensorType
        declared = [
            (name, (text if k in inputs.texts else number)([None, 1]))
            for k, name in enumerate(inputs.columns)
        ]
        given = [
            graph.take_text(k) if k in inputs.texts else graph.take_numbers((k,))
            for k in range(len(inputs.columns))
        ]
    model = run_skl2onnx(served, declared)
    label, probabilities = (output.name for output in model.graph.output)
    return _append(graph, model, given, probabilities, label, classes)
