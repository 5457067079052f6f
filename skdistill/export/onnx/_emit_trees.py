"""Trees as one node, on numbers and on "goes left" indicators of categories."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import numpy_helper

from ..._typing import AnyArray
from .._reading._inputs import Inputs
from .._reading._table import Table
from .._reading._trees import Trees
from ._emit_dense import emit_label
from ._emit_table import emit_features
from ._graph import VALUES, Graph

_ENDINGS: dict[str, tuple[str, dict[str, int]]] = {
    "none": ("Identity", {}),
    "sigmoid": ("Sigmoid", {}),
    "softmax": ("Softmax", {"axis": 1}),
}


def make_graphs(inputs: Inputs, trees: Trees) -> Iterator[tuple[Graph, Trees]]:
    """Return an empty graph of each type that trees can compare in, the fastest first.

    The thresholds are those to compare with in it. One may lie between two numbers that
    only double tells apart. Numbers that float32 rounds are compared with thresholds
    that it rounds alike, for a threshold may be one of them.
    """
    if not inputs.offsets or trees.single:
        if not (trees.single or inputs.given_dtype is np.float32):
            rounded = trees.threshold.astype(np.float32).astype(np.float64)
            yield Graph(inputs, np.float32), replace(trees, threshold=rounded)
        yield Graph(inputs, np.float32), trees
    yield Graph(inputs, np.float64), trees


def emit_trees(
    graph: Graph, table: Table, trees: Trees, classes: AnyArray, refused: str
) -> None:
    """Append trees on a table, up to label and probabilities.

    They are without splits of categories, see `read_compared`; `refused` is what
    `emit_refused` returns.
    """
    scores = _emit_scores(graph, table, trees)
    if trees.ending == "sigmoid":
        signs = graph.hold_as(np.array([-1, 1], dtype=np.float32))
        scores = graph.add("Mul", [scores, signs])
    output = "" if refused else "probabilities"
    operator, settings = _ENDINGS[trees.ending]
    result = graph.add(operator, [scores], output, **settings)
    if refused:
        graph.add("Sum", [result, refused], "probabilities")
    emit_label(graph, scores, classes)


def emit_value_trees(
    graph: Graph, table: Table, trees: Trees, refused: str, dtype: Any
) -> None:
    """Append trees on a table, up to values of a type, double or float32.

    Values in double are far from 0 beside their spread: trees add up what differs among
    rows, in float32, and the rest is added at the end.
    """
    if dtype is np.float32:
        scores = _emit_scores(graph, table, trees, "" if refused else VALUES)
        if refused:
            graph.add("Sum", [scores, refused], VALUES)
        return
    centered = trees.center()
    small = replace(centered, start=np.zeros_like(centered.start))
    parts = [_emit_scores(graph, table, small), *([refused] if refused else [])]
    operands = [graph.cast(part, dtype) for part in parts]
    graph.add("Sum", [*operands, graph.hold_as(centered.start)], VALUES)


def _emit_scores(graph: Graph, table: Table, trees: Trees, output: str = "") -> str:
    # Trees that are leaves compare none.
    features = emit_features(graph, table) if table.width else graph.take_zeros()
    if trees.single and graph.dtype is not np.float32:
        features = graph.cast(features, np.float32)
        graph.dtype = np.float32
    return _emit_nodes(graph, features, trees, output)


def _emit_nodes(graph: Graph, features: str, trees: Trees, output: str) -> str:
    n_nodes = len(trees.column)
    leaf = trees.column < 0
    tree = np.searchsorted(trees.roots, np.arange(n_nodes), side="right") - 1
    place = np.arange(n_nodes) - trees.roots[tree]
    below = {
        name: np.where(leaf, 0, side - trees.roots[tree]).tolist()
        for name, side in (
            ("nodes_truenodeids", trees.left),
            ("nodes_falsenodeids", trees.right),
        )
    }
    branch = "BRANCH_LT" if trees.strict else "BRANCH_LEQ"
    # A leaf of 0 alone keeps one weight.
    used = trees.value != 0
    used[:, 0] |= leaf & ~used.any(axis=1)
    nodes, targets = np.nonzero(used & leaf[:, None])
    floats = {
        "nodes_values": trees.round_down(graph.dtype),
        "target_weights": trees.value[nodes, targets],
        "base_values": trees.start,
    }
    return graph.add(
        "TreeEnsembleRegressor",
        [features],
        output,
        **_hold_floats(floats, graph.dtype),
        **below,
        n_targets=len(trees.start),
        nodes_treeids=tree.tolist(),
        nodes_nodeids=place.tolist(),
        nodes_featureids=np.where(leaf, 0, trees.column).tolist(),
        nodes_modes=np.where(leaf, "LEAF", branch).tolist(),
        nodes_missing_value_tracks_true=trees.missing_left.astype(int).tolist(),
        target_treeids=tree[nodes].tolist(),
        target_nodeids=place[nodes].tolist(),
        target_ids=targets.tolist(),
        post_transform="NONE",
    )


def _hold_floats(floats: dict[str, AnyArray], dtype: Any) -> dict[str, Any]:
    """Return attributes; numbers of double precision are tensors."""
    if dtype is np.float32:
        return {name: values.astype(dtype).tolist() for name, values in floats.items()}
    return {
        f"{name}_as_tensor": numpy_helper.from_array(values.astype(dtype), name)
        for name, values in floats.items()
    }
