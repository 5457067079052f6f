"""The way through skl2onnx."""

from __future__ import annotations

import textwrap
import warnings
from typing import Any

import numpy as np
from onnx import helper, numpy_helper
from sklearn.base import is_regressor
from sklearn.preprocessing import MaxAbsScaler

from ..._nested import split_pipeline
from .._libraries import import_for_onnx
from ._graph import OPSET
from ._register import prepare, register_with_skl2onnx

#: Characters of a converter's error that are shown.
_MAX_TEXT = 300


def run_skl2onnx(estimator: Any, given: list[tuple[str, Any, int]]) -> Any:
    """Convert an estimator; the model's outputs are label and probabilities, or values.

    Each input is given by its name, type and number of columns. Raise a TypeError where
    there is no converter for a part of the estimator.
    """
    skl2onnx = import_for_onnx("skl2onnx")
    types = import_for_onnx("skl2onnx.common.data_types")
    kinds = {
        np.float32: types.FloatTensorType,
        np.float64: types.DoubleTensorType,
        object: types.StringTensorType,
    }
    # A meta-estimator may hold one.
    register_with_skl2onnx()
    estimator = prepare(estimator)
    _refuse_clipping(estimator)
    try:
        with warnings.catch_warnings():
            # About the versions that the converters were tested with.
            warnings.simplefilter("ignore")
            model = skl2onnx.convert_sklearn(
                estimator,
                initial_types=[(n, kinds[dtype]([None, k])) for n, dtype, k in given],
                options=None if is_regressor(estimator) else {"zipmap": False},
                target_opset=OPSET,
            )
            _gather_by_rows(model.graph)
            return model
    except Exception as error:
        name = type(split_pipeline(estimator)[1]).__name__
        text = textwrap.shorten(str(error), _MAX_TEXT, placeholder=" ...")
        raise TypeError(
            f"No converter makes this model an ONNX graph ({name}, "
            f"{type(error).__name__}: {text}). Use a student such as "
            "MLPClassifier, LogisticRegression or LGBMClassifier, behind imputation, "
            "scaling and one-hot encoding of scikit-learn."
        ) from error


def _gather_by_rows(graph: Any) -> None:
    """Put `Gather` where `ArrayFeatureExtractor` looks up what was computed of rows.

    ONNX Runtime's refuses to look up nothing, as it has to of no rows.
    """
    fixed = {tensor.name for tensor in graph.initializer}
    vector = numpy_helper.from_array(np.array([-1]), "vector")
    nodes = []
    for k, node in enumerate(graph.node):
        if node.op_type != "ArrayFeatureExtractor" or node.input[1] in fixed:
            nodes.append(node)
            continue
        # A vector becomes one row.
        table, places = f"table_{k}", f"places_{k}"
        nodes += [
            helper.make_node("Flatten", [node.input[0]], [table], axis=-1),
            helper.make_node("Reshape", [node.input[1], vector.name], [places]),
            helper.make_node("Gather", [table, places], node.output, axis=1),
        ]
    if len(nodes) > len(graph.node):
        graph.initializer.append(vector)
    del graph.node[:]
    graph.node.extend(nodes)


def _refuse_clipping(estimator: Any) -> None:
    """Raise where a part clips, which its converter leaves out.

    The rows that verify the model need not show it.
    """
    parts = [estimator, *estimator.get_params().values()]
    if any(isinstance(part, MaxAbsScaler) and part.clip for part in parts):
        raise TypeError(
            "No converter clips as MaxAbsScaler(clip=True) does. Set clip=False, or "
            "use MinMaxScaler(clip=True)."
        )
