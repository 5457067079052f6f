"""A table of terms as nodes of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._typing import AnyArray, FloatArray
from .._reading._table import Category, Missing, Table, Value, list_bounds, list_fills
from ._graph import Graph

#: Stands for a missing number among categories: the lowest of float32.
_NO_NUMBER = float(np.finfo(np.float32).min)
#: Fewer numbers are not worth a node.
_LEAST_BYTES = 64


def emit_table(graph: Graph, table: Table) -> str:
    """Append the nodes that compute all columns of a table; return their matrix."""
    constant = table.constant
    total = ""
    values, matrix = table.stack(Value)
    if values:
        constant = constant + graph.list_offsets([a.column for a in values]) @ matrix
        numbers = _emit_values(graph, values)
        total = _emit_product(graph, numbers, matrix, graph.hold(constant))
    flags, matrix = table.stack(Missing)
    if flags:
        numbers = graph.take_numbers(tuple(atom.column for atom in flags))
        ones = graph.cast(graph.flag_missing(numbers), graph.dtype)
        total = _emit_product(graph, ones, matrix, total or graph.hold(constant))
    categories, matrix = table.stack(Category)
    if categories:
        looked_up = _emit_categories(graph, categories, matrix)
        total = graph.add("Add", [looked_up, total or graph.hold(constant)])
    # Columns of constants need no input but for the number of rows.
    return total or graph.add("Add", [graph.take_zeros(), graph.hold(constant)])


def _emit_product(graph: Graph, left: str, matrix: AnyArray, plus: str) -> str:
    return graph.add("Gemm", [left, graph.hold(matrix), plus])


def _emit_values(graph: Graph, values: Sequence[Value]) -> str:
    """Return numbers less their offsets, missing ones filled in, and clipped."""
    columns = tuple(atom.column for atom in values)
    numbers, offsets = graph.take_numbers(columns), graph.list_offsets(columns)
    fills, bounds = list_fills(values), list_bounds(values)
    if not np.isnan(fills).all():
        held = graph.hold(fills - offsets)
        numbers = graph.add("Where", [graph.flag_missing(numbers), held, numbers])
    if bounds is not None:
        low, high = (graph.hold(bound - offsets) for bound in bounds)
        numbers = graph.add("Min", [graph.add("Max", [numbers, low]), high])
    return numbers


def _emit_categories(graph: Graph, columns: list[Category], matrix: FloatArray) -> str:
    """Look up one row a column in a single matrix, and add the rows."""
    codes = []
    start = 0
    for atom in columns:
        codes.append(_emit_codes(graph, atom, start))
        start += len(atom.categories) + 1
    positions = graph.add("Concat", codes, axis=1) if len(codes) > 1 else codes[0]
    found = graph.add("Gather", [_hold_rows(graph, matrix), positions])
    axes = graph.hold(np.array([1]))
    return graph.add("ReduceSum", [found, axes], keepdims=0)


def _hold_rows(graph: Graph, rows: AnyArray) -> str:
    """Store rows, in a byte a number where that is enough."""
    if rows.size < _LEAST_BYTES or not (rows == rows.clip(-127, 127).round()).all():
        return graph.hold(rows)
    # Made floats again once, when the model is loaded.
    return graph.cast(graph.hold_as(rows.astype(np.int8)), graph.dtype)


def _emit_codes(graph: Graph, atom: Category, start: int) -> str:
    """Number the categories of a column from `start` on, any other value last."""
    codes: dict[str, Any] = {
        "values_int64s": list(range(start, start + len(atom.categories))),
        "default_int64": start + len(atom.categories),
    }
    if atom.column in graph.inputs.texts:
        texts = [None if key is None else str(key) for key in atom.categories]
        keys = [graph.inputs.write_text(text, atom.column) for text in texts]
        source = graph.take_text(atom.column)
        return graph.add("LabelEncoder", [source], keys_strings=keys, **codes)
    source, offset = graph.take_key(atom.column)
    # NaN is no key that every ONNX Runtime finds.
    floats = [_NO_NUMBER if k is None else float(k) - offset for k in atom.categories]
    given = source
    if atom.truncates:
        source = graph.cast(graph.cast(source, np.int64), np.float32)
    if None in atom.categories:
        missing = graph.flag_missing(given)
        number = graph.hold_as(np.float32(_NO_NUMBER))
        source = graph.add("Where", [missing, number, source])
    return graph.add("LabelEncoder", [source], keys_floats=floats, **codes)


def emit_features(graph: Graph, table: Table) -> str:
    """Append the nodes that compute each column on its own.

    Trees compare columns with thresholds, often where a value of the training rows
    stands: the arithmetic is best done in double, as scikit-learn does it. They also
    know what to do with NaN, which a product would spread over all columns.
    """
    alone = table.find_multiples()
    others = [k for k in range(table.width) if k not in alone]
    parts = []
    if alone:
        parts.append(_emit_alone(graph, alone, table.constant[[*alone]]))
    if others:
        parts.append(emit_table(graph, table.select(others)))
    result = parts[0]
    if len(parts) > 1:
        joined = graph.add("Concat", parts, axis=1)
        order = graph.hold(np.argsort([*alone, *others]))
        result = graph.add("Gather", [joined, order], axis=1)
    return result


def _emit_alone(
    graph: Graph, alone: dict[int, tuple[Value, float]], constant: FloatArray
) -> str:
    atoms, factors = zip(*alone.values(), strict=True)
    taken = graph.list_offsets([atom.column for atom in atoms])
    offsets = -constant / factors - taken
    result = _emit_values(graph, atoms)
    # Centred before it is scaled, as the scalers do it.
    if offsets.any():
        result = graph.add("Sub", [result, graph.hold(offsets)])
    if any(factor != 1 for factor in factors):
        result = graph.add("Mul", [result, graph.hold(factors)])
    return result


def emit_refused(graph: Graph, table: Table) -> str:
    """Append a column that is NaN where an encoder raises, else 0; "": none does.

    Trees would send the NaN that stands for such a category somewhere.
    """
    refused = table.find_refused()
    if refused is None:
        return ""
    column = emit_table(graph, refused)
    return column if graph.dtype is np.float32 else graph.cast(column, np.float32)
