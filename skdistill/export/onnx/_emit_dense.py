"""Networks and linear models as a handful of nodes.

Labels come from the logits, where saturated probabilities would tie.
"""

from __future__ import annotations

import numpy as np

from ..._typing import AnyArray
from .._reading._dense import Dense, fold_first
from .._reading._table import Table
from ._emit_table import emit_table
from ._graph import Graph


def emit_folded(graph: Graph, table: Table, dense: Dense, double: bool = False) -> str:
    """Append a first layer that has taken the preprocessing in.

    What follows is done in float32, or `double` as the layer itself may be.
    """
    hidden = emit_table(graph, fold_first(table, dense))
    if graph.dtype is not np.float32 and not double:
        hidden = graph.cast(hidden, np.float32)
        graph.dtype = np.float32
    return hidden


def emit_dense(
    graph: Graph, hidden: str, dense: Dense, classes: AnyArray, most_fused: float
) -> None:
    """Append what follows the first layer, up to label and probabilities.

    A last layer of up to `most_fused` weights is one node with its probabilities and
    its label, by which a row costs less; its weights can't be quantised.
    """
    small = dense.weights[-1].size <= most_fused
    if len(dense.weights) > 1 and small and _is_plain(dense, classes):
        hidden = emit_hidden(graph, hidden, dense, last=-1)
        if dense.activation:
            hidden = graph.add(dense.activation, [hidden])
        _emit_classifier(graph, hidden, dense, classes)
        return
    hidden = emit_hidden(graph, hidden, dense)
    _emit_probabilities(graph, hidden, dense)
    emit_label(graph, hidden, classes)


def emit_hidden(
    graph: Graph, hidden: str, dense: Dense, last: int | None = None
) -> str:
    """Append the products of the layers after the first one, up to `last`."""
    layers = list(zip(dense.weights, dense.biases, strict=True))
    for weights, biases in layers[1:last]:
        if dense.activation:
            hidden = graph.add(dense.activation, [hidden])
        hidden = graph.add("Gemm", [hidden, graph.hold(weights), graph.hold(biases)])
    return hidden


def _is_plain(dense: Dense, classes: AnyArray) -> bool:
    """Whether LinearClassifier has this ending and this type of label."""
    binary = dense.ending == "sigmoid" and len(classes) == 2
    return (binary or dense.ending == "softmax") and classes.dtype.kind in "iO"


def _emit_classifier(
    graph: Graph, hidden: str, dense: Dense, classes: AnyArray
) -> None:
    kind = "ints" if classes.dtype.kind == "i" else "strings"
    graph.add(
        *("LinearClassifier", [hidden], "label", "probabilities"),
        coefficients=dense.weights[-1].T.astype(np.float32).ravel().tolist(),
        intercepts=np.asarray(dense.biases[-1], dtype=np.float32).tolist(),
        multi_class=1,
        post_transform="SOFTMAX" if dense.ending == "softmax" else "LOGISTIC",
        **{f"classlabels_{kind}": classes.tolist()},
    )


def _emit_probabilities(graph: Graph, logits: str, dense: Dense) -> None:
    output = "probabilities"
    if dense.ending == "softmax":
        graph.add("Softmax", [logits], output, axis=1)
    elif dense.ending == "huber":
        graph.add("LpNormalization", [_emit_huber(graph, logits)], output, p=1)
    elif len(dense.biases[-1]) == 2:
        graph.add("Sigmoid", [logits], output)
    else:
        # One sigmoid a class, normalised: by their logarithms, since where all are
        # small a sigmoid's rounding would be divided by next to nothing.
        softplus = graph.add("Softplus", [graph.add("Neg", [logits])])
        graph.add("Softmax", [graph.add("Neg", [softplus])], output, axis=1)


def _emit_huber(graph: Graph, logits: str) -> str:
    """One probability a class, up to a common factor a row."""
    moved = graph.add("Add", [logits, graph.hold(np.float32(1))])
    # Not down to 0: a row of zeros stands for equal shares.
    bounds = [graph.hold(np.float32(1e-30)), graph.hold(np.float32(2))]
    return graph.add("Clip", [moved, *bounds])


def emit_label(graph: Graph, scores: str, classes: AnyArray) -> None:
    """Append the label with the highest score."""
    if classes.dtype.kind == "i" and (classes == np.arange(len(classes))).all():
        graph.add("ArgMax", [scores], "label", axis=1, keepdims=0)
        return
    best = graph.add("ArgMax", [scores], axis=1, keepdims=0)
    # Not in the type of the arithmetic, in which two labels could be equal.
    graph.add("Gather", [graph.hold_as(classes), best], "label")
