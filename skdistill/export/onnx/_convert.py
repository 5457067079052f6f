"""Which converter makes a graph of which model.

Networks and linear models behind arithmetic preprocessing are written directly, as are
trees of regressors and CatBoost's; a vote or mean joins the graphs of its members;
skorch nets write themselves, and the rest goes through skl2onnx with the converters of
onnxmltools.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from ..._labels._members import is_vote
from ..._nested import split_pipeline
from ..._typing import AnyArray
from .._libraries import is_from
from .._reading._dense import read_dense
from .._reading._inputs import TABLE, Inputs
from .._reading._native_categories import describe_learner, read_compared
from .._reading._preprocessing import transform_inputs
from .._reading._read_trees import read_trees
from .._reading._table import Category, Table, UnsupportedError
from .._tree_kinds import Histograms
from ._emit_table import emit_features, emit_refused
from ._emit_trees import make_graphs
from ._exporters import export_skorch
from ._graph import Graph
from ._skl2onnx import run_skl2onnx
from ._targets import Target, ValueTarget
from ._votes import build_members, join_members

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


def build_models(served: Any, inputs: Inputs, target: Target) -> Iterator[Any]:
    """Make the candidates, the fastest first, each an `onnx.ModelProto`.

    Raise a TypeError where no converter takes the model.
    """
    steps, learner = split_pipeline(served)
    try:
        table = transform_inputs(steps, inputs)
    except UnsupportedError as error:
        yield from _convert_whole(served, inputs, target, error)
        return
    dense = read_dense(learner)
    if dense is not None and not table.keeps_any(inputs.texts):
        yield from map(target.to_model, target.emit_dense(inputs, table, dense))
        return
    if is_vote(learner):
        member_target = target.list_member_target()
        build = partial(build_models, inputs=inputs, target=member_target)
        if (found := build_members(steps, learner, build)) is not None:
            yield from join_members(inputs, learner, found, target)
            return
    yield from _build_others(inputs, table, learner, target)


def _build_others(
    inputs: Inputs, table: Table, learner: Any, target: Target
) -> Iterator[Any]:
    """Make what the converters make, and the trees that they make otherwise."""
    failure: Exception | None = None
    try:
        read, unread = read_compared(learner, table, inputs), None
    except UnsupportedError as error:
        read, unread = None, error
    is_taken = not table.keeps_any(_list_native(learner, inputs))
    if is_from(learner, "catboost"):
        failure = _refuse(learner, _CATBOOST)
    elif _is_unknown_lightgbm(learner):
        failure = _refuse(learner, _LIGHTGBM)
    elif is_taken and not (read and _is_written(table, read[1], target)):
        try:
            yield from _convert_learner(inputs, table, learner, target)
        except TypeError as error:
            failure = error
    if read is None:
        if not is_taken:
            raise _refuse_categories(unread)
        if failure is not None:
            raise failure
        # Another converter made a model.
        return
    trees, compared = read
    for graph, rounded in make_graphs(inputs, trees):
        refused = emit_refused(graph, table)
        target.emit_trees(graph, compared, rounded, refused)
        yield target.to_model(graph)


def _refuse(learner: Any, taken: str) -> TypeError:
    """Return the error of trees that neither we nor a converter writes."""
    return TypeError(f"to_onnx does not take {describe_learner(learner)}, but {taken}.")


def _is_unknown_lightgbm(learner: Any) -> bool:
    """Whether it is a classifier of LightGBM whose trees are not read."""
    is_asked = is_classifier(learner) and is_from(learner, "lightgbm")
    return is_asked and read_trees(learner) is None


def _is_written(table: Table, compared: Table, target: Target) -> bool:
    """Whether trees are written, in place of what a converter makes of them.

    Those of regressors are. Others may compare inputs, not scaled ones: fewer nodes,
    and exact. Or LightGBM's truncate numbers to categories, as no converter does.
    """
    is_unscaled = bool(table.steps) and not compared.steps
    truncates = any(atom.truncates for atom in compared.stack(Category)[0])
    return target.writes_trees or is_unscaled or truncates


def _list_native(learner: Any, inputs: Inputs) -> Set[int]:
    """Return the input columns that a learner may take as categories."""
    boosted = any(is_from(learner, library) for library in _BOOSTERS)
    boosted = boosted or isinstance(learner, Histograms)
    return inputs.texts | (inputs.categories.keys() if boosted else set())


def _refuse_categories(error: UnsupportedError | None) -> TypeError:
    """Return the error of columns of categories that a learner takes as they are."""
    return TypeError(
        f"No converter takes columns of categories as they are ({error}). Encode them, "
        "with OneHotEncoder or OrdinalEncoder, say, or give the columns a categorical "
        "type."
    )


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
    inputs: Inputs, table: Table, learner: Any, target: Target
) -> Iterator[Any]:
    """Append a learner that takes one matrix of numbers."""
    if is_from(learner, "skorch"):
        graph, features = _emit_matrix(inputs, table, np.float32, exact=True)
        yield _append(graph, export_skorch(learner, table.width), [features], target)
        return
    for dtype in _list_types(inputs, learner):
        graph, features = _emit_matrix(inputs, table, dtype)
        model = run_skl2onnx(learner, [(TABLE, dtype, table.width)])
        yield _append(graph, model, [features], target, emit_refused(graph, table))


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


def _emit_matrix(
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
    graph: Graph, model: Any, given: list[str], target: Target, refused: str = ""
) -> Any:
    """Append a converted model, whose inputs are `given` tensors of the graph.

    Where it has no label, or where converters do not know the type of the labels, the
    most probable one is appended. `refused` is what `emit_refused` returns.
    """
    names = dict(zip((entry.name for entry in model.graph.input), given, strict=True))
    *label, numbers = model.graph.output
    double = numbers.type.tensor_type.elem_type == _DOUBLE
    given_type = np.float64 if double else np.float32
    is_whole = given_type is target.dtype and not refused
    result = target.output if is_whole else graph.make_name()
    names[numbers.name] = result
    own = bool(label) and target.labels.dtype.kind in "iO"
    if own:
        names[label[0].name] = "label"
    graph.append(model, names)
    if not is_whole:
        parts = {result: given_type}
        parts |= {refused: np.float32} if refused else {}
        operands = [
            name if dtype is target.dtype else graph.cast(name, target.dtype)
            for name, dtype in parts.items()
        ]
        graph.add("Sum", operands, target.output)
    if not own:
        target.emit_label(graph)
    return target.to_model(graph)


def _convert_whole(
    served: Any, inputs: Inputs, target: Target, error: UnsupportedError
) -> Iterator[Any]:
    """Convert a Pipeline whose preprocessing only skl2onnx knows; raise for values."""
    if isinstance(target, ValueTarget):
        raise TypeError(
            f"No converter takes the preprocessing of this regressor ({error}). Use "
            "imputation, scaling and one-hot encoding of scikit-learn."
        ) from error
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
        yield _append(graph, model, given, target)
