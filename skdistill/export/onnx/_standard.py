"""Graphs of standard operators alone: without those of ``ai.onnx.ml``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from ..._typing import AnyArray
from .._reading._inputs import Inputs
from .._reading._table import UnsupportedError
from ._graph import Graph


def keep_standard(models: Iterable[Any], inputs: Inputs) -> Iterator[Any]:
    """Yield the models that standard operators can express.

    Raise a TypeError where there are none, or a column holds strings, which no such
    node compares.
    """
    texts = [inputs.columns[k] for k in sorted(inputs.texts)]
    if texts:
        raise TypeError(
            "standard_operators=True takes columns of numbers; columns "
            f"{texts} hold strings. Replace the strings by integer codes before "
            "fitting, or leave standard_operators=False."
        )
    refused, n_kept = [], 0
    for model in models:
        try:
            yield _replace_nodes(model, inputs)
            n_kept += 1
        except UnsupportedError as error:
            refused.append(str(error))
    if refused and not n_kept:
        raise TypeError(
            "standard_operators=True takes networks, linear models and trees behind "
            "imputation, scaling, encoding of numbers, selection or projection; no "
            f"standard operators stand for {', '.join(dict.fromkeys(refused))}. Use "
            "such a student, or leave standard_operators=False."
        )


def _replace_nodes(model: Any, inputs: Inputs) -> Any:
    """Return a model in which nodes of ``ai.onnx.ml`` are replaced; change the given.

    Raise an UnsupportedError where no standard operators stand for a node.
    """
    graph = Graph(inputs)
    kept = [entry.name for entry in [*model.graph.input, *model.graph.output]]
    graph.append(model, {name: name for name in kept})
    nodes, graph.nodes = graph.nodes, []
    for node in nodes:
        if node.domain == "":
            graph.nodes.append(node)
        elif node.op_type in _REPLACEMENTS:
            _REPLACEMENTS[node.op_type](graph, node, _read_attributes(node))
        else:
            raise UnsupportedError(node.op_type)
    return graph.to_model(model.graph.output)


def _read_attributes(node: Any) -> dict[str, Any]:
    """Return the attributes of a node; lists and tensors as arrays."""
    found = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        name = attribute.name.removesuffix("_as_tensor")
        if name != attribute.name:
            value = numpy_helper.to_array(value)
        elif not isinstance(value, int | float | bytes):
            value = np.asarray(value)
            value = value.astype(np.float32) if value.dtype.kind == "f" else value
        found[name] = value
    return found


# Categories --------------------------------------------------------------------------


def _emit_lookup(graph: Graph, node: Any, given: dict[str, Any]) -> None:
    """Compare a column with each category; the default is larger than all codes."""
    keys, codes = given.get("keys_floats"), given.get("values_int64s")
    if keys is None or codes is None or codes.max() >= given["default_int64"]:
        raise UnsupportedError("LabelEncoder of strings")
    equal = graph.add("Equal", [node.input[0], graph.hold_as(keys)])
    default = graph.hold_as(np.array([given["default_int64"]]))
    found = graph.add("Where", [equal, graph.hold_as(codes), default])
    axes = graph.hold_as(np.array([1]))
    graph.add("ReduceMin", [found, axes], node.output[0], keepdims=1)


# Trees -------------------------------------------------------------------------------


def _emit_walk(graph: Graph, node: Any, given: dict[str, Any]) -> None:
    """Go one level down in all trees at once, as often as the deepest one has levels.

    A row holds one node a tree, of shape (n_samples, n_trees); a leaf leads to itself.
    """
    trees = _Nodes(given)
    (features,), (output,) = node.input, node.output
    at = ""
    for _ in range(trees.depth):
        at = _emit_level(graph, features, trees, at)
    start = graph.hold_as(trees.start)
    if not at:
        # One leaf a tree.
        leaves = trees.value[trees.roots].sum(axis=0)
        zeros = graph.take_zeros(trees.value.dtype)
        total = graph.add("Add", [zeros, graph.hold_as(leaves)])
    else:
        leaves = graph.add("Gather", [graph.hold_as(trees.value), at])
        axes = graph.hold_as(np.array([1]))
        total = graph.add("ReduceSum", [leaves, axes], keepdims=0)
    if trees.value.dtype == np.float32:
        graph.add("Add", [total, start], output)
        return
    # The operator answers in single precision, whatever it computes in.
    graph.cast(graph.add("Add", [total, start]), np.float32, output)


def _emit_level(graph: Graph, features: str, trees: _Nodes, at: str) -> str:
    def take(values: AnyArray) -> str:
        if at:
            return graph.add("Gather", [graph.hold_as(values), at])
        return graph.hold_as(values[trees.roots])

    gather = "GatherElements" if at else "Gather"
    numbers = graph.add(gather, [features, take(trees.column)], axis=1)
    below = graph.add(trees.compare, [numbers, take(trees.threshold)])
    if trees.missing_left.any():
        missing = graph.add("IsNaN", [numbers])
        missing = graph.add("And", [missing, take(trees.missing_left)])
        below = graph.add("Or", [below, missing])
    return graph.add("Where", [below, take(trees.left), take(trees.right)])


class _Nodes:
    """The nodes of all trees, the leaves first; positions are of 32 bits."""

    def __init__(self, given: dict[str, Any]) -> None:
        modes = [mode.decode() for mode in given["nodes_modes"]]
        leaf = np.array([mode == "LEAF" for mode in modes])
        branches = set(modes) - {"LEAF"}
        compare = {"BRANCH_LEQ": "LessOrEqual", "BRANCH_LT": "Less"}
        plain = given.get("post_transform", b"NONE") == b"NONE"
        if len(branches) > 1 or branches - compare.keys() or not plain:
            raise UnsupportedError("TreeEnsembleRegressor of mixed nodes")
        self.compare = compare[next(iter(branches), "BRANCH_LEQ")]
        tree, number = given["nodes_treeids"], given["nodes_nodeids"]
        order = np.argsort(~leaf, kind="stable")
        places = {(tree[k], number[k]): p for p, k in enumerate(order)}
        n_leaves, own = int(leaf.sum()), np.arange(len(order), dtype=np.int32)
        below = [
            np.where(
                leaf[order], own, [places.get((tree[k], ids[k]), 0) for k in order]
            )
            for ids in (given["nodes_truenodeids"], given["nodes_falsenodeids"])
        ]
        self.left, self.right = (side.astype(np.int32) for side in below)
        reached = np.concatenate([side[n_leaves:] for side in (self.left, self.right)])
        self.roots = np.setdiff1d(own, reached)
        self.column = given["nodes_featureids"][order].astype(np.int32)
        self.threshold = given["nodes_values"][order]
        missing = given.get("nodes_missing_value_tracks_true", np.zeros(len(order)))
        self.missing_left = missing[order].astype(bool) & ~leaf[order]
        weights = given["target_weights"]
        self.value = np.zeros((n_leaves, given["n_targets"]), weights.dtype)
        held = zip(given["target_treeids"], given["target_nodeids"], strict=True)
        rows = [places[pair] for pair in held]
        np.add.at(self.value, (rows, given["target_ids"]), weights)
        self.start = given.get("base_values", np.zeros(1)).astype(weights.dtype)
        self.depth = self._count_levels(n_leaves)

    def _count_levels(self, n_leaves: int) -> int:
        level, depth = self.roots, 0
        while (level >= n_leaves).any():
            branches = level[level >= n_leaves]
            level = np.concatenate([self.left[branches], self.right[branches]])
            depth += 1
        return depth


_REPLACEMENTS = {"LabelEncoder": _emit_lookup, "TreeEnsembleRegressor": _emit_walk}
