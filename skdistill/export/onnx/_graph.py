"""A graph under construction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import checker, helper, numpy_helper

from ..._typing import AnyArray, FloatArray
from .._reading._inputs import TEXTS, Inputs

#: Read by every ONNX Runtime since 1.14 (2023), on each platform.
OPSET = {"": 18, "ai.onnx.ml": 3}
IR_VERSION = 8
#: The output of a regressor's model.
VALUES = "values"
_OF_LEARNERS = "LabelEncoder", "LinearClassifier", "TreeEnsembleRegressor"


class Graph:
    """Nodes and tensors of a model, with short names that cost few bytes.

    Arithmetic is done in `dtype`; `centered`: numbers are taken less the offset of
    their column.
    """

    def __init__(
        self, inputs: Inputs, dtype: Any = np.float32, centered: bool = False
    ) -> None:
        self.inputs = inputs
        self.dtype = dtype
        self._offsets = inputs.offsets if centered else {}
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self._numbers: dict[Any, str] = {}
        self._flags: dict[str, str] = {}
        self._texts: dict[int, str] = {}
        self._n_names = 0
        self._prefix = "_"
        while any(column.startswith(self._prefix) for column in inputs.columns):
            self._prefix += "_"

    # Nodes and tensors ---------------------------------------------------------------

    def add(self, op: str, inputs: list[str], *outputs: str, **attributes) -> str:
        """Append a node; return the name of its first output, which may be new."""
        first, *others = outputs or [""]
        names = [first or self.make_name(), *others]
        domain = "ai.onnx.ml" if op in _OF_LEARNERS else ""
        node = helper.make_node(op, inputs, names, domain=domain, **attributes)
        self.nodes.append(node)
        return names[0]

    def hold(self, values: Any) -> str:
        """Store a tensor, floats as `dtype`. Return its name."""
        values = np.asarray(values)
        return self.hold_as(
            values.astype(self.dtype) if values.dtype.kind == "f" else values
        )

    def hold_as(self, values: Any) -> str:
        """Store a tensor as it is. Return its name."""
        name = self.make_name()
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def make_name(self) -> str:
        """Return a name that no column and no other tensor has."""
        self._n_names += 1
        return f"{self._prefix}{self._n_names}"

    def append(self, model: Any, names: dict[str, str]) -> None:
        """Append another model's nodes, under names of this graph; change that model.

        `names` holds the tensor of this graph for each input of the model and each
        output that is used.
        """
        known = {"": "", **names}

        def rename(name: str) -> str:
            if name not in known:
                known[name] = self.make_name()
            return known[name]

        _rename_tensors(model.graph, rename)
        self.nodes.extend(model.graph.node)
        self.tensors.extend(model.graph.initializer)

    def to_classifier(self, classes: AnyArray) -> Any:
        """Make the model, whose outputs are ``label`` and ``probabilities``."""
        proba = _declare("probabilities", np.float32, len(classes))
        return self.to_model([_declare("label", classes.dtype), proba])

    def to_regressor(self, n_outputs: int, dtype: Any = np.float32) -> Any:
        """Make the model, whose output is ``values`` of a type."""
        return self.to_model([_declare(VALUES, dtype, n_outputs)])

    def to_model(self, outputs: Sequence[Any]) -> Any:
        """Make the model with these outputs."""
        given = [
            _declare(name, self.inputs.find_dtype(name), len(columns))
            for name, columns in self.inputs.parts.items()
        ]
        nodes, read = _keep_used(self.nodes, {entry.name for entry in outputs})
        tensors = [tensor for tensor in self.tensors if tensor.name in read]
        made = helper.make_graph(nodes, "model", given, outputs, tensors)
        used = {"", *(node.domain for node in nodes)}
        opsets = [helper.make_opsetid(d, OPSET.get(d, 1)) for d in sorted(used)]
        names = {"ir_version": IR_VERSION, "producer_name": "skdistill"}
        model = helper.make_model(made, opset_imports=opsets, **names)
        for node in model.graph.node:
            # Names of nodes are nothing but bytes.
            node.ClearField("name")
            node.ClearField("doc_string")
        checker.check_model(model)
        return model

    # Input columns -------------------------------------------------------------------

    def take_numbers(self, columns: tuple[int, ...]) -> str:
        """Return the given input columns, less their offsets, as one matrix."""
        return self._take(columns, self.dtype, self.list_offsets(columns))

    def take_zeros(self, dtype: Any = None) -> str:
        """Return a column of zeros, one a row, whatever the inputs hold."""
        n_rows = self.add("Shape", [next(iter(self.inputs.parts))], start=0, end=1)
        shape = self.add("Concat", [n_rows, self.hold(np.array([1]))], axis=0)
        zero = numpy_helper.from_array(np.zeros(1, dtype or self.dtype))
        return self.add("ConstantOfShape", [shape], value=zero)

    def list_offsets(self, columns: Sequence[int]) -> FloatArray:
        """Return what `take_numbers` subtracts from each column."""
        return np.array([self._offsets.get(k, 0.0) for k in columns])

    def take_key(self, column: int) -> tuple[str, float]:
        """Return a column in float32, and what was subtracted from it before."""
        offset = self.inputs.offsets.get(column, 0.0)
        return self._take((column,), np.float32, np.array([offset])), offset

    def _take(self, columns: tuple[int, ...], dtype: Any, offsets: FloatArray) -> str:
        key = (columns, dtype, tuple(offsets))
        if key not in self._numbers:
            self._numbers[key] = self._take_columns(columns, dtype, offsets)
        return self._numbers[key]

    def _take_columns(
        self, columns: tuple[int, ...], dtype: Any, offsets: FloatArray
    ) -> str:
        if not (self.inputs.is_table or self.inputs.is_grouped):
            names = [self.inputs.columns[k] for k in columns]
            parts = [
                self._convert(name, self.inputs.find_dtype(name), dtype, offset)
                for name, offset in zip(names, offsets, strict=True)
            ]
            return self.add("Concat", parts, axis=1) if len(parts) > 1 else parts[0]
        # Numbers are in one input, the first.
        name, held = next(iter(self.inputs.parts.items()))
        given = self.inputs.find_dtype(name)
        if columns != held:
            positions = np.array([held.index(k) for k in columns])
            name = self.add("Gather", [name, self.hold(positions)], axis=1)
        return self._convert(name, given, dtype, offsets)

    def _convert(self, matrix: str, given: Any, dtype: Any, offsets: Any) -> str:
        """Return a matrix less offsets, in another type."""
        if np.any(offsets):
            held = self.hold_as(np.asarray(offsets, dtype=given))
            matrix = self.add("Sub", [matrix, held])
        return matrix if given is dtype else self.cast(matrix, dtype)

    def take_text(self, column: int) -> str:
        """Return an input column of strings, of shape (n_samples, 1)."""
        if not self.inputs.is_grouped:
            return self.inputs.columns[column]
        texts = self.inputs.parts[TEXTS]
        if len(texts) == 1:
            return TEXTS
        if not self._texts:
            self._texts = {k: self.make_name() for k in texts}
            sizes = self.hold(np.ones(len(texts), dtype=np.int64))
            self.add("Split", [TEXTS, sizes], *self._texts.values(), axis=1)
        return self._texts[column]

    def cast(self, name: str, dtype: Any, *outputs: str) -> str:
        """Return a matrix in another type."""
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.add("Cast", [name], *outputs, to=kind)

    def flag_missing(self, numbers: str) -> str:
        """Return where a matrix is NaN."""
        if numbers not in self._flags:
            self._flags[numbers] = self.add("IsNaN", [numbers])
        return self._flags[numbers]


def _declare(name: str, dtype: Any, *width: int) -> Any:
    """Return an input or output of some rows; a vector has no width."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, ["n", *width])


def _keep_used(nodes: list[Any], outputs: set[str]) -> tuple[list[Any], set[str]]:
    """Return the nodes that the outputs depend on, and the tensors that are read."""
    kept, read = [], set(outputs)
    for node in reversed(nodes):
        if not read.isdisjoint(node.output):
            kept.append(node)
            read |= _list_read(node)
    return kept[::-1], read


def _list_read(node: Any) -> set[str]:
    """Return what a node reads, and the nodes of the graphs inside it."""
    found = set(node.input)
    for graph in _list_inner(node):
        found.update(entry.name for entry in graph.output)
        found.update(*map(_list_read, graph.node))
    return found


def _list_inner(node: Any) -> list[Any]:
    """Return the graphs inside a node."""
    return [
        graph
        for attribute in node.attribute
        for graph in ([attribute.g] if attribute.HasField("g") else attribute.graphs)
    ]


def _rename_tensors(graph: Any, rename: Any) -> None:
    """Rename the tensors of a graph and of the graphs inside its nodes."""
    for entry in [*graph.initializer, *graph.input, *graph.output]:
        entry.name = rename(entry.name)
    for node in graph.node:
        node.input[:] = [rename(name) for name in node.input]
        node.output[:] = [rename(name) for name in node.output]
        for part in _list_inner(node):
            _rename_tensors(part, rename)
