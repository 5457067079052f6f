"""What a model is made to answer: classes with probabilities, or values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias

import numpy as np
from onnx import helper, numpy_helper

from ..._typing import AnyArray, FloatArray
from .._answers import Values
from .._reading._dense import Dense
from .._reading._inputs import Inputs, lacks_digits
from .._reading._table import Table
from .._reading._trees import Trees
from ._emit_dense import emit_dense, emit_folded, emit_hidden, emit_label
from ._emit_trees import emit_trees, emit_value_trees
from ._graph import VALUES, Graph


@dataclass(frozen=True)
class ClassTarget:
    """The outputs ``label`` and ``probabilities``.

    `labels` are as `list_labels` gives them; a network's last layer of up to
    `most_fused` weights and its ending are one node.
    """

    labels: AnyArray
    most_fused: float

    output: ClassVar[str] = "probabilities"
    dtype: ClassVar[Any] = np.float32
    #: Whether trees are written in place of what a converter makes of them.
    writes_trees: ClassVar[bool] = False

    def list_member_target(self) -> ClassTarget:
        """Return what the members of a vote answer: positions of the labels."""
        return replace(self, labels=np.arange(len(self.labels)))

    def emit_dense(self, inputs: Inputs, table: Table, dense: Dense) -> Iterator[Graph]:
        """Yield graphs of a network or linear model, the fastest first."""
        # Where columns are of very different sizes, or far from 0, the sums of the
        # first layer need more digits than float32 has.
        for dtype in (np.float32, np.float64):
            graph = Graph(inputs, dtype, centered=dtype is np.float32)
            hidden = emit_folded(graph, table, dense)
            emit_dense(graph, hidden, dense, self.labels, self.most_fused)
            yield graph

    def emit_trees(
        self, graph: Graph, table: Table, trees: Trees, refused: str
    ) -> None:
        emit_trees(graph, table, trees, self.labels, refused)

    def emit_label(self, graph: Graph) -> None:
        """Append the most probable label."""
        emit_label(graph, self.output, self.labels)

    def to_model(self, graph: Graph) -> Any:
        return graph.to_classifier(self.labels)


@dataclass(frozen=True)
class ValueTarget:
    """The output ``values``.

    `offsets` are numbers in the middle of values that float32 can't hold, which are
    double.
    """

    n_outputs: int
    offsets: FloatArray | None

    output: ClassVar[str] = VALUES
    labels: ClassVar[AnyArray] = np.empty(0)
    writes_trees: ClassVar[bool] = True

    @property
    def dtype(self) -> Any:
        return np.float32 if self.offsets is None else np.float64

    def list_member_target(self) -> ValueTarget:
        return self

    def emit_dense(self, inputs: Inputs, table: Table, dense: Dense) -> Iterator[Graph]:
        if self.offsets is None:
            for dtype in (np.float32, np.float64):
                graph = Graph(inputs, dtype)
                hidden = emit_hidden(graph, emit_folded(graph, table, dense), dense)
                graph.add("Identity", [hidden], VALUES)
                yield graph
            return
        # The layers compute what differs among rows; the offset is added at the end.
        *first, last = dense.biases
        centered = np.asarray(last, dtype=float) - self.offsets
        small = replace(dense, biases=[*first, centered])
        types = (np.float32, False), (np.float64, False), (np.float64, True)
        for dtype, double in types:
            graph = Graph(inputs, dtype)
            hidden = emit_hidden(graph, emit_folded(graph, table, small, double), small)
            if not double:
                hidden = graph.cast(hidden, np.float64)
            graph.add("Add", [hidden, graph.hold_as(self.offsets)], VALUES)
            yield graph

    def emit_trees(
        self, graph: Graph, table: Table, trees: Trees, refused: str
    ) -> None:
        emit_value_trees(graph, table, trees, refused, self.dtype)

    def emit_label(self, graph: Graph) -> None:
        """Values have none."""

    def to_model(self, graph: Graph) -> Any:
        return graph.to_regressor(self.n_outputs, self.dtype)


Target: TypeAlias = ClassTarget | ValueTarget


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
