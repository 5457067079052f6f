"""Which converter makes a graph of which model.

Networks and linear models behind arithmetic preprocessing are written directly, as are
CatBoost's trees; a vote joins the graphs of its members; skorch nets write themselves,
and the rest goes through skl2onnx with the converters of onnxmltools.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from functools import partial
from typing import Any

import numpy as np

from ..._labels._members import is_vote
from ..._nested import split_pipeline
from ..._typing import AnyArray
from .._libraries import is_from
from .._reading._dense import Dense, read_dense
from .._reading._inputs import TABLE, Inputs
from .._reading._native_categories import describe_learner, read_compared
from .._reading._preprocessing import transform_inputs
from .._reading._read_trees import read_trees
from .._reading._table import Category, Table, UnsupportedError
from .._tree_kinds import Histograms
from ._emit_dense import emit_dense, emit_folded, emit_label
from ._emit_table import emit_features, emit_refused
from ._emit_trees import emit_trees, make_graphs
from ._exporters import export_skorch
from ._graph import Graph
from ._skl2onnx import run_skl2onnx
from ._votes import build_members, join_classifiers

#: The number of the type double in ONNX.
_DOUBLE = 11
_BOOSTERS = "lightgbm", "xgboost", "catboost"
#: What is taken of libraries whose trees we read.
_CATBOOST = (
    'grow_policy="SymmetricTree" with the losses Logloss, CrossEntropy and MultiClass, '
    "or those whose scores are the values"
)
_LIGHTGBM = (
    'boosting_type="gbdt" or "dart" with the objectives binary, cross_entropy and '
    "multiclass, without linear_tree"
)


def build_models(
    served: Any, inputs: Inputs, classes: AnyArray, *, most_fused: float
) -> Iterator[Any]:
    """Make the candidates, the fastest first, each an `onnx.ModelProto`.

    `classes` are as `list_labels` gives them; a network's last layer of up to
    `most_fused` weights and its ending are one node. Raise a TypeError where no
    converter takes the model.
    """
    steps, learner = split_pipeline(served)
    try:
        table = transform_inputs(steps, inputs)
    except UnsupportedError:
        yield from _convert_whole(served, inputs, classes)
        return
    dense = read_dense(learner)
    if dense is not None and not table.keeps_any(inputs.texts):
        yield from _build_dense(inputs, table, dense, classes, most_fused)
        return
    if is_vote(learner):
        # Members learn the positions of the labels.
        codes = np.arange(len(classes))
        build = partial(
            build_models, inputs=inputs, classes=codes, most_fused=most_fused
        )
        if (found := build_members(steps, learner, build)) is not None:
            yield from join_classifiers(inputs, learner, found, classes)
            return
    failure = None
    is_taken = not table.keeps_any(_list_native(learner, inputs))
    if is_from(learner, "catboost"):
        failure = _refuse(learner, _CATBOOST)
    elif is_from(learner, "lightgbm") and read_trees(learner) is None:
        failure = _refuse(learner, _LIGHTGBM)
    elif is_taken and not _is_written(learner, table, inputs):
        try:
            yield from _convert_learner(inputs, table, learner, classes)
        except TypeError as error:
            failure = error
    yield from _build_trees(inputs, table, learner, classes, failure)


def _refuse(learner: Any, taken: str) -> TypeError:
    """Return the error of trees that neither we nor a converter writes."""
    return TypeError(f"to_onnx does not take {describe_learner(learner)}, but {taken}.")


def _is_written(learner: Any, table: Table, inputs: Inputs) -> bool:
    """Whether trees are written, in place of what a converter makes of them.

    They compare inputs, not scaled ones: fewer nodes, and exact. Or they truncate
    numbers to categories, as the converters do not.
    """
    if not (table.steps or is_from(learner, "lightgbm")):
        return False
    try:
        compared = read_compared(learner, table, inputs)[1]
    except UnsupportedError:
        return False
    is_unscaled = bool(table.steps) and not compared.steps
    return is_unscaled or any(a.truncates for a in compared.stack(Category)[0])


def _list_native(learner: Any, inputs: Inputs) -> Set[int]:
    """Return the input columns that a learner may take as categories."""
    boosted = any(is_from(learner, library) for library in _BOOSTERS)
    boosted = boosted or isinstance(learner, Histograms)
    return inputs.texts | (inputs.categories.keys() if boosted else set())


def _build_dense(
    inputs: Inputs, table: Table, dense: Dense, classes: AnyArray, most_fused: float
) -> Iterator[Any]:
    # Where columns are of very different sizes, or far from 0, the sums of the first
    # layer need more digits than float32 has.
    for dtype in (np.float32, np.float64):
        graph = Graph(inputs, dtype, centered=dtype is np.float32)
        hidden = emit_folded(graph, table, dense)
        emit_dense(graph, hidden, dense, classes, most_fused)
        yield graph.to_classifier(classes)


def _build_trees(
    inputs: Inputs,
    table: Table,
    learner: Any,
    classes: AnyArray,
    failure: TypeError | None,
) -> Iterator[Any]:
    """Make the trees that the converters make otherwise, or not at all.

    Raise a TypeError where the learner is another kind.
    """
    try:
        trees, compared = read_compared(learner, table, inputs)
    except UnsupportedError as error:
        refuse_categories(inputs, table, learner, error)
        if failure is not None:
            raise failure from None
        # Another converter made a model.
        return
    for graph, rounded in make_graphs(inputs, trees):
        refused = emit_refused(graph, table)
        emit_trees(graph, compared, rounded, classes, refused)
        yield graph.to_classifier(classes)


def refuse_categories(
    inputs: Inputs, table: Table, learner: Any, error: UnsupportedError
) -> None:
    """Raise where a learner takes columns of categories that no converter takes."""
    if table.keeps_any(_list_native(learner, inputs)):
        raise TypeError(
            f"No converter takes columns of categories as they are ({error}). Encode "
            "them, with OneHotEncoder or OrdinalEncoder, say, or give the columns a "
            "categorical type."
        ) from None


def list_labels(classes: AnyArray) -> AnyArray:
    """Return labels as ONNX holds them: int64, double, booleans or strings.

    Raise a TypeError where it holds no such labels, or not all of them.
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


def _convert_learner(
    inputs: Inputs, table: Table, learner: Any, classes: AnyArray
) -> Iterator[Any]:
    """Append a learner that takes one matrix of numbers."""
    if is_from(learner, "skorch"):
        graph, features = emit_matrix(inputs, table, np.float32, exact=True)
        model = export_skorch(learner, table.width)
        given, (probabilities,) = [features], model.graph.output
        yield _append(graph, model, given, probabilities.name, None, classes)
        return
    for dtype in _list_types(inputs, learner):
        graph, features = emit_matrix(inputs, table, dtype)
        model = run_skl2onnx(learner, [(TABLE, dtype, table.width)])
        label, probabilities = (output.name for output in model.graph.output)
        refused = emit_refused(graph, table)
        yield _append(graph, model, [features], probabilities, label, classes, refused)


def _list_types(inputs: Inputs, learner: Any) -> list[Any]:
    """Return in which types a converted learner takes numbers, the best first.

    Trees that compare in double are written by `_build_trees` where that is needed.
    """
    if not inputs.offsets:
        return [np.float32]
    trees = read_trees(learner)
    if trees is None:
        return [np.float64, np.float32]
    return [np.float32] if trees.single else []


def emit_matrix(
    inputs: Inputs, table: Table, dtype: Any, exact: bool = False
) -> tuple[Graph, str]:
    """Return a graph that computes the columns, and their matrix.

    The arithmetic is done in double, unless there is none or `exact` is set.
    """
    single = dtype is np.float32 and (exact or table.is_untouched)
    graph = Graph(inputs, np.float32 if single else np.float64)
    features = emit_features(graph, table)
    if graph.dtype is not dtype:
        features = graph.cast(features, dtype)
    return graph, features


def _append(
    graph: Graph,
    model: Any,
    given: list[str],
    probabilities: str,
    label: str | None,
    classes: AnyArray,
    refused: str = "",
) -> Any:
    """Append a converted model, whose inputs are `given` tensors of the graph.

    Where it has no label, or where converters do not know the type of the labels, the
    most probable one is appended. `refused` is what `emit_refused` returns.
    """
    names = dict(zip((entry.name for entry in model.graph.input), given, strict=True))
    kinds = {
        entry.name: entry.type.tensor_type.elem_type for entry in model.graph.output
    }
    double = kinds.get(probabilities) == _DOUBLE
    raw = double or refused
    names[probabilities] = graph.make_name() if raw else "probabilities"
    own = label is not None and classes.dtype.kind in "iO"
    if own:
        names[str(label)] = "label"
    graph.append(model, names)
    if raw:
        result = names[probabilities]
        result = graph.cast(result, np.float32) if double else result
        operands = [result, refused] if refused else [result]
        graph.add("Sum", operands, "probabilities")
    if not own:
        emit_label(graph, "probabilities", classes)
    return graph.to_classifier(classes)


def _convert_whole(served: Any, inputs: Inputs, classes: AnyArray) -> Iterator[Any]:
    """Convert a Pipeline whose preprocessing only skl2onnx knows."""
    for dtype in (np.float32, np.float64) if inputs.offsets else (np.float32,):
        graph = Graph(inputs, dtype)
        if inputs.is_table and not inputs.named:
            declared: list[Any] = [(TABLE, dtype, len(inputs.columns))]
            given = [graph.take_numbers(inputs.numbers)]
        else:
            # By the names that the steps were fitted on.
            declared = [
                (name, object if k in inputs.texts else dtype, 1)
                for k, name in enumerate(inputs.columns)
            ]
            given = [
                graph.take_text(k) if k in inputs.texts else graph.take_numbers((k,))
                for k in range(len(inputs.columns))
            ]
        model = run_skl2onnx(served, declared)
        label, probabilities = (output.name for output in model.graph.output)
        yield _append(graph, model, given, probabilities, label, classes)
