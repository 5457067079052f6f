"""The statements that compute probabilities: tables of terms and networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._typing import IndexArray
from .._reading._dense import Dense, fold_first
from .._reading._inputs import Inputs
from .._reading._table import Category, Missing, Table, Value, list_bounds, list_fills
from ._source import CSource

_ACTIVATIONS = {
    # NaN stays, which stands for a category that is refused.
    "Relu": "@to[j] = @to[j] < 0.0 ? 0.0 : @to[j];",
    "Tanh": "@to[j] = tanh(@to[j]);",
    "Sigmoid": "@to[j] = 1.0 / (1.0 + exp(-@to[j]));",
}


def write_dense(source: CSource, inputs: Inputs, table: Table, dense: Dense) -> None:
    """Write a network or linear model on a table."""
    first = fold_first(table, dense)
    hidden = write_table(source, inputs, first)
    width = first.width
    for weights, biases in zip(dense.weights[1:], dense.biases[1:], strict=True):
        if dense.activation:
            write_loop(source, hidden, width, _ACTIVATIONS[dense.activation])
        width, before, given = weights.shape[1], hidden, weights.shape[0]
        hidden = source.make_name()
        source.add(
            """
double @to[@width];
for (int j = 0; j < @width; j++) {
    double sum = @biases[j];
    for (int i = 0; i < @given; i++) {
        sum += @before[i] * @weights[i * @width + j];
    }
    @to[j] = sum;
}
""",
            to=hidden,
            before=before,
            width=width,
            given=given,
            weights=source.hold(np.asarray(weights, dtype=float)),
            biases=source.hold(np.asarray(biases, dtype=float)),
        )
    if dense.ending == "sigmoid" and width > 2:
        # One sigmoid a class, normalised, by their logarithms.
        z = "@to[j]"
        soft = f"{z} < 0.0 ? {z} - log1p(exp({z})) : -log1p(exp(-{z}))"
        write_loop(source, hidden, width, f"{z} = {soft};")
        write_softmax(source, hidden, width)
    elif dense.ending == "sigmoid":
        write_loop(source, hidden, width, "@answers[j] = 1.0 / (1.0 + exp(-@to[j]));")
    elif not dense.ending:
        write_loop(source, hidden, width, "@answers[j] = @to[j];")
    elif dense.ending == "huber":
        clipped = "@to[j] = @to[j] < -1.0 ? 1e-30 : @to[j] > 1.0 ? 2.0 : @to[j] + 1.0;"
        write_loop(source, hidden, width, clipped)
        _write_shares(source, hidden, width)
    else:
        write_softmax(source, hidden, width)


def write_loop(source: CSource, name: str, width: int, statement: str) -> None:
    loop = f"for (int j = 0; j < @width; j++) {{\n    {statement}\n}}"
    source.add(loop, to=name, width=width)


def write_softmax(source: CSource, name: str, width: int) -> None:
    most = source.make_name()
    source.add(
        """
double @most = @from[0];
for (int j = 1; j < @width; j++) {
    if (@from[j] > @most) {
        @most = @from[j];
    }
}
for (int j = 0; j < @width; j++) {
    @from[j] = exp(@from[j] - @most);
}
""",
        **{"from": name, "most": most, "width": width},
    )
    _write_shares(source, name, width)


def _write_shares(source: CSource, name: str, width: int) -> None:
    source.add(
        """
double @total = 0.0;
for (int j = 0; j < @width; j++) {
    @total += @from[j];
}
for (int j = 0; j < @width; j++) {
    @answers[j] = @from[j] / @total;
}
""",
        **{"from": name, "total": source.make_name(), "width": width},
    )


# Tables ------------------------------------------------------------------------------


def write_table(source: CSource, inputs: Inputs, table: Table) -> str:
    """Write what computes all columns of a table; return the array of them."""
    result = source.make_name()
    source.add(
        """
double @to[@width];
for (int j = 0; j < @width; j++) {
    @to[j] = @constant[j];
}
""",
        to=result,
        width=table.width,
        constant=source.hold(table.constant.astype(float)),
    )
    _write_values(source, inputs, table, result)
    _write_flags(source, inputs, table, result)
    for atom in table.stack(Category)[0]:
        _write_category(source, inputs, table, atom, result)
    return result


def find_places(inputs: Inputs, atoms: Sequence[Any]) -> IndexArray:
    """Return where the columns stand among those of numbers."""
    return np.array([inputs.numbers.index(atom.column) for atom in atoms])


def write_reading(
    source: CSource, inputs: Inputs, atoms: Sequence[Value]
) -> tuple[str, dict[str, str]]:
    """Return statements that make x the number i, and the names in them.

    It is filled in where it is missing, and clipped.
    """
    lines = """    double x = numbers[@from[i]];
    if (isnan(x)) {
        x = @fills[i];
    }
"""
    names = {
        "from": source.hold(find_places(inputs, atoms)),
        "fills": source.hold(list_fills(atoms)),
    }
    if (bounds := list_bounds(atoms)) is not None:
        lines += """    if (x < @low[i]) {
        x = @low[i];
    }
    if (x > @high[i]) {
        x = @high[i];
    }
"""
        names["low"], names["high"] = map(source.hold, bounds)
    return lines, names


def _write_values(source: CSource, inputs: Inputs, table: Table, result: str) -> None:
    atoms, weights = table.stack(Value)
    if not atoms:
        return
    lines, names = write_reading(source, inputs, atoms)
    source.add(
        f"""
for (int i = 0; i < @n; i++) {{
{lines}    for (int j = 0; j < @width; j++) {{
        @to[j] += x * @weights[i * @width + j];
    }}
}}
""",
        **names,
        to=result,
        n=len(atoms),
        width=table.width,
        weights=source.hold(weights),
    )


def _write_flags(source: CSource, inputs: Inputs, table: Table, result: str) -> None:
    atoms, weights = table.stack(Missing)
    if not atoms:
        return
    source.add(
        """
for (int i = 0; i < @n; i++) {
    if (isnan(numbers[@places[i]])) {
        for (int j = 0; j < @width; j++) {
            @to[j] += @weights[i * @width + j];
        }
    }
}
""",
        to=result,
        n=len(atoms),
        width=table.width,
        places=source.hold(find_places(inputs, atoms)),
        weights=source.hold(weights),
    )


def _write_category(
    source: CSource, inputs: Inputs, table: Table, atom: Category, result: str
) -> None:
    """Add the row of a category, the last one for any other value."""
    texts = sorted(inputs.texts)
    known = [key for key in atom.categories if key is not None]
    code = source.make_name()
    # The row of a missing value, the encoder's own before an imputer's, and of any
    # other.
    order = [k for k, key in enumerate(atom.categories) if key is not None]
    missing = [k for k, key in enumerate(atom.categories) if key is None]
    order += missing[:1] or [len(atom.categories)]
    rows = table.terms[atom][[*order, len(atom.categories)]]
    if atom.column in inputs.texts:
        value = f"texts[{texts.index(atom.column)}]"
        keys = source.hold_texts([str(key) for key in known]) if known else ""
        is_missing, is_equal = f"{value} == NULL", f"strcmp({value}, {keys}[i]) == 0"
    else:
        value = f"numbers[{find_places(inputs, [atom])[0]}]"
        keys = source.hold(np.array(known, dtype=float)) if known else ""
        whole = f"trunc({value})" if atom.truncates else value
        is_missing, is_equal = f"isnan({value})", f"{whole} == {keys}[i]"
    search = """
for (int i = 0; i < @n && !(@missing) && @code > @n; i++) {
    if (@equal) {
        @code = i;
    }
}
"""
    source.add(
        f"""
int @code = @missing ? @n : @n + 1;
{search.strip() if known else ""}
for (int j = 0; j < @width; j++) {{
    @to[j] += @rows[@code * @width + j];
}}
""",
        to=result,
        code=code,
        n=len(known),
        width=table.width,
        missing=is_missing,
        equal=is_equal,
        rows=source.hold(rows),
    )


def write_sort(source: CSource, n_outputs: int) -> None:
    """Sort what was computed, by insertion."""
    source.add(
        """
for (int i = 1; i < @n; i++) {
    double value = @answers[i];
    int j = i;
    for (; j > 0 && @answers[j - 1] > value; j--) {
        @answers[j] = @answers[j - 1];
    }
    @answers[j] = value;
}
""",
        n=n_outputs,
    )
