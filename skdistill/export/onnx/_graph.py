"""A graph under construction, and how a table of terms becomes nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._columns import MISSING_TEXT, TEXTS, Inputs
from ._preprocessing import Level, Missing, Table, Value

#: Read by every ONNX Runtime since 1.14 (2023), on each platform.
OPSET = {"": 18, "ai.onnx.ml": 3}
IR_VERSION = 8

#: Stands for a missing number among levels: the lowest of float32.
_NO_NUMBER = float(np.finfo(np.float32).min)


class Graph:
    """Nodes and tensors of a model, with short names that cost few bytes.

    Parameters
    ----------
    inputs : Inputs
        What the model is fed.
    dtype : type, default=float32
        In which arithmetic is done.
    """

    def __init__(self, inputs: Inputs, dtype: Any = np.float32) -> None:
        self.inputs = inputs
        self.dtype = dtype
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self.domains: dict[str, int] = {}
        self._numbers: dict[tuple[int, ...], str] = {}
        self._flags: dict[str, str] = {}
        self._texts: dict[int, str] = {}
        self._n_names = 0

    def add(self, op: str, inputs: list[str], output: str = "", **attributes) -> str:
        """Append a node; return the name of its output."""
        output = output or self.make_name()
        self.add_outputs(op, inputs, [output], **attributes)
        return output

    def add_outputs(
        self, op: str, inputs: list[str], outputs: list[str], **attributes
    ) -> None:
        """Append a node with several outputs."""
        from onnx import helper

        domain = "ai.onnx.ml" if op in ("LabelEncoder", "LinearClassifier") else ""
        self.nodes.append(
            helper.make_node(op, inputs, outputs, domain=domain, **attributes)
        )

    def hold(self, values: Any) -> str:
        """Store a tensor, floats as `dtype`. Return its name."""
        values = np.asarray(values)
        return self.hold_as(
            values.astype(self.dtype) if values.dtype.kind == "f" else values
        )

    def hold_as(self, values: Any) -> str:
        """Store a tensor as it is. Return its name."""
        from onnx import numpy_helper

        name = self.make_name()
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def make_name(self) -> str:
        self._n_names += 1
        # No column is named like it.
        return f"_{self._n_names}"

    def take_numbers(self, columns: tuple[int, ...]) -> str:
        """Return the given input columns as one matrix of numbers."""
        if columns not in self._numbers:
            self._numbers[columns] = self._take_numbers(columns)
        return self._numbers[columns]

    def _take_numbers(self, columns: tuple[int, ...]) -> str:
        if not (self.inputs.is_table or self.inputs.is_grouped):
            parts = [self.inputs.columns[k] for k in columns]
            return self.add("Concat", parts, axis=1) if len(parts) > 1 else parts[0]
        # Numbers are in one input, the first.
        name, held = next(iter(self.inputs.parts.items()))
        if columns == held:
            return name
        positions = np.array([held.index(k) for k in columns])
        return self.add("Gather", [name, self.hold(positions)], axis=1)

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
            self.add_outputs("Split", [TEXTS, sizes], [*self._texts.values()], axis=1)
        return self._texts[column]

    def cast(self, name: str, dtype: Any) -> str:
        """Return a matrix in another type."""
        from onnx import helper

        return self.add(
            *("Cast", [name]), to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        )

    def flag_missing(self, numbers: str) -> str:
        """Return where a matrix is NaN."""
        if numbers not in self._flags:
            self._flags[numbers] = self.add("IsNaN", [numbers])
        return self._flags[numbers]


def emit_table(graph: Graph, table: Table) -> str:
    """Append the nodes that compute all columns of a table."""
    values = [atom for atom in table.terms if isinstance(atom, Value)]
    flags = [atom for atom in table.terms if isinstance(atom, Missing)]
    levels = [atom for atom in table.terms if isinstance(atom, Level)]
    constant = table.constant
    total = ""
    if values:
        matrix = np.vstack([table.terms[atom] for atom in values])
        numbers = _emit_values(graph, values)
        total = _emit_product(graph, numbers, matrix, graph.hold(constant))
    if flags:
        matrix = np.vstack([table.terms[atom] for atom in flags])
        numbers = graph.take_numbers(tuple(atom.column for atom in flags))
        ones = graph.cast(graph.flag_missing(numbers), graph.dtype)
        total = _emit_product(graph, ones, matrix, total or graph.hold(constant))
    if levels:
        looked_up = _emit_levels(graph, table, levels)
        total = graph.add("Add", [looked_up, total or graph.hold(constant)])
    return total


def _emit_product(graph: Graph, left: str, matrix: NDArray[Any], plus: str) -> str:
    return graph.add("Gemm", [left, graph.hold(matrix), plus])


def _emit_values(graph: Graph, values: list[Value]) -> str:
    numbers = graph.take_numbers(tuple(atom.column for atom in values))
    known = numbers if graph.dtype is np.float32 else graph.cast(numbers, graph.dtype)
    fills = [np.nan if atom.fill is None else atom.fill for atom in values]
    if np.isnan(fills).all():
        return known
    filled = [graph.flag_missing(numbers), graph.hold(np.array(fills)), known]
    return graph.add("Where", filled)


def _emit_levels(graph: Graph, table: Table, levels: list[Level]) -> str:
    """Look up one row a column in a single matrix, and add the rows."""
    rows, codes = [], []
    start = 0
    for atom in levels:
        codes.append(_emit_codes(graph, atom, start))
        rows.append(table.terms[atom])
        start += len(rows[-1])
    positions = graph.add("Concat", codes, axis=1) if len(codes) > 1 else codes[0]
    found = graph.add("Gather", [graph.hold(np.vstack(rows)), positions])
    axes = graph.hold(np.array([1]))
    return graph.add("ReduceSum", [found, axes], keepdims=0)


def _emit_codes(graph: Graph, atom: Level, start: int) -> str:
    values = list(range(start, start + len(atom.levels)))
    other = start + len(atom.levels)
    if atom.column in graph.inputs.texts:
        keys = [MISSING_TEXT if key is None else str(key) for key in atom.levels]
        if len(set(keys)) < len(keys):
            raise ValueError(
                "An empty string stands for a missing one in ONNX, and column "
                f"{graph.inputs.columns[atom.column]!r} has both. Replace the empty "
                "strings before fitting."
            )
        return graph.add(
            *("LabelEncoder", [graph.take_text(atom.column)]),
            keys_strings=keys,
            values_int64s=values,
            default_int64=other,
        )
    # NaN is no key that every ONNX Runtime finds.
    floats = [_NO_NUMBER if key is None else float(key) for key in atom.levels]
    source = graph.take_numbers((atom.column,))
    if None in atom.levels:
        missing = graph.flag_missing(source)
        number = graph.hold_as(np.float32(_NO_NUMBER))
        source = graph.add("Where", [missing, number, source])
    return graph.add(
        *("LabelEncoder", [source]),
        keys_floats=floats,
        values_int64s=values,
        default_int64=other,
    )


def emit_features(graph: Graph, table: Table) -> str:
    """Append the nodes that compute each column on its own, as float32.

    Trees compare columns with thresholds, often where a value of the training rows
    stands: the arithmetic is best done in double, as scikit-learn does it. They also
    know what to do with NaN, which a product would spread over all columns.
    """
    alone = [k for k in range(table.width) if _find_value(table, k) is not None]
    others = [k for k in range(table.width) if k not in set(alone)]
    parts = []
    if alone:
        parts.append(_emit_alone(graph, table, alone))
    if others:
        parts.append(emit_table(graph, table.select(others)))
    result = parts[0]
    if len(parts) > 1:
        joined = graph.add("Concat", parts, axis=1)
        order = graph.hold(np.argsort([*alone, *others]))
        result = graph.add("Gather", [joined, order], axis=1)
    return result if graph.dtype is np.float32 else graph.cast(result, np.float32)


def is_untouched(table: Table) -> bool:
    """Whether a table is input columns, filled in or not, without arithmetic."""
    return all(raw is not None for raw in table.raw)


def _find_value(table: Table, k: int) -> Value | None:
    """Return the number that a column is a multiple of, plus a constant."""
    atoms = [atom for atom, part in table.terms.items() if part[:, k].any()]
    return atoms[0] if len(atoms) == 1 and isinstance(atoms[0], Value) else None


def _emit_alone(graph: Graph, table: Table, columns: list[int]) -> str:
    atoms = [atom for k in columns if (atom := _find_value(table, k)) is not None]
    factors = np.array(
        [table.terms[atom][0, k] for atom, k in zip(atoms, columns, strict=True)]
    )
    offsets = -table.constant[columns] / factors
    result = _emit_values(graph, atoms)
    # Centred before it is scaled, as the scalers do it.
    if offsets.any():
        result = graph.add("Sub", [result, graph.hold(offsets)])
    if (factors != 1).any():
        result = graph.add("Mul", [result, graph.hold(factors)])
    return result
