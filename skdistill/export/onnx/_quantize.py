"""Smaller weights for arithmetic of 32 bits: 16 bits, or 8 bits with a scale a row.

Weights are made float32 again once, when the model is loaded, so that a row costs as
much as without.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ..._typing import AnyArray, FloatArray
from ._graph import VALUES
from ._session import open_session

#: Nodes with a matrix, and which of their inputs it is.
_MATRIX_INPUT = {"Gemm": 1, "MatMul": 1, "Gather": 0}
_PRODUCTS = ("Gemm", "MatMul")

#: A smaller tensor is not worth the nodes.
_LEAST_SIZE = 16


def quantize_model(model: Any, quantize: str, feed: dict[str, Any]) -> Any:
    """Return a copy of a model with weights as "float16" or "int8-weights".

    Over the rows of `feed`, "int8-weights" takes the means of each layer's inputs.
    Raise a ValueError where the model has no layers of weights, or one that float16
    can't hold.
    """
    if not any(node.op_type in _PRODUCTS for node in model.graph.node):
        raise ValueError(
            f"quantize={quantize!r} is for the layers of networks and linear models; "
            "this model has none. Leave quantize=None, or prune it."
        )
    copied = type(model)()
    copied.CopyFrom(model)
    if quantize == "float16":
        _halve_weights(copied)
    else:
        _store_bytes(copied, feed)
    onnx.checker.check_model(copied)
    return copied


def _halve_weights(model: Any) -> None:
    """Store weights as float16, in place."""
    last = _find_target_weights(model.graph)
    casts = []
    for tensor in list(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _LEAST_SIZE:
            continue
        name = f"{tensor.name}h"
        halved = numpy_helper.from_array(_to_half(values, tensor.name in last), name)
        model.graph.initializer.remove(tensor)
        model.graph.initializer.append(halved)
        casts.append(helper.make_node("Cast", [name], [tensor.name], to=1))
    _put_first(casts, model.graph)


def _find_target_weights(graph: Any) -> list[str]:
    """Return the tensors of the last layer of a regressor, which scale its values."""
    if graph.output[0].name != VALUES:
        return []
    return list([n for n in graph.node if n.op_type in _PRODUCTS][-1].input)


def _to_half(values: AnyArray, is_target: bool) -> NDArray[np.float16]:
    largest = float(np.finfo(np.float16).max)
    found = np.abs(values[np.isfinite(values)]).max(initial=0)
    if found > largest:
        cure = "Scale the columns"
        if is_target:
            cure = (
                "It is in the last layer, which has the scale of the target: fit on a "
                "larger unit, thousands say, and scale the columns of a linear model"
            )
        raise ValueError(
            f"quantize='float16' holds weights up to {largest:g}; this model has "
            f"{found:g}. {cure}, or use quantize='int8-weights'."
        )
    return values.astype(np.float16)


def _put_first(nodes: list[Any], graph: Any) -> None:
    whole = [*nodes, *graph.node]
    del graph.node[:]
    graph.node.extend(whole)


def _store_bytes(model: Any, feed: dict[str, Any]) -> None:
    """Store matrices of floats as int8, in place.

    The change in the mean of a layer's outputs is taken off its bias [1]_, which
    matters most where columns are far from 0.

    References
    ----------
    .. [1] M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, "Data-free
       quantization through weight equalization and bias correction", ICCV 2019.
    """
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    nodes = [node for node in graph.node if _has_matrix(node, tensors)]
    gemms = [node for node in nodes if _has_own_bias(node, graph, tensors)]
    means = _average_inputs(model, gemms, feed)
    # One matrix can be that of several nodes.
    names = dict.fromkeys(node.input[_MATRIX_INPUT[node.op_type]] for node in nodes)
    lost, restored = {}, []
    for name in names:
        matrix = numpy_helper.to_array(tensors[name])
        codes, scale = _round_rows(matrix)
        lost[name] = matrix.astype(np.float64) - codes * scale.astype(np.float64)
        graph.initializer.remove(tensors[name])
        restored += _add_product(graph, name, codes, scale)
    for node in gemms:
        change = lost[node.input[1]]
        change = change.T if _is_transposed(node) else change
        _shift_bias(tensors[node.input[2]], means[node.input[0]] @ change)
    _put_first(restored, graph)


def _has_matrix(node: Any, tensors: dict[str, Any]) -> bool:
    if node.op_type not in _MATRIX_INPUT:
        return False
    tensor = tensors.get(node.input[_MATRIX_INPUT[node.op_type]])
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
    if tensor is None or tensor.data_type not in kinds or len(tensor.dims) != 2:
        return False
    values = numpy_helper.to_array(tensor)
    # NaN answers a category that was not in the training rows.
    return values.size >= _LEAST_SIZE and bool(np.isfinite(values).all())


def _has_own_bias(node: Any, graph: Any, tensors: dict[str, Any]) -> bool:
    """Whether a node adds a constant that no other node reads."""
    if node.op_type != "Gemm" or len(node.input) < 3 or node.input[2] not in tensors:
        return False
    return sum(node.input[2] in other.input for other in graph.node) == 1


def _round_rows(matrix: AnyArray) -> tuple[NDArray[np.int8], AnyArray]:
    """Return integers and the scale of each row."""
    scale = np.abs(matrix).max(axis=1, keepdims=True) / 127
    scale[scale == 0] = 1
    return np.rint(matrix / scale).astype(np.int8), scale


def _shift_bias(bias: Any, shift: AnyArray) -> None:
    values = numpy_helper.to_array(bias)
    moved = (values + shift).astype(values.dtype)
    bias.CopyFrom(numpy_helper.from_array(moved, bias.name))


def _is_transposed(gemm: Any) -> bool:
    return any(part.name == "transB" and part.i for part in gemm.attribute)


def _average_inputs(
    model: Any, nodes: list[Any], feed: dict[str, Any]
) -> dict[str, FloatArray]:
    """Return the mean row that each of the nodes multiplies."""
    rows = {node.input[0]: feed.get(node.input[0]) for node in nodes}
    asked = [name for name, values in rows.items() if values is None]
    if asked:
        probed = type(model)()
        probed.CopyFrom(model)
        del probed.graph.output[:]
        probed.graph.output.extend(map(helper.make_empty_tensor_value_info, asked))
        answers = open_session(probed).run(asked, feed)
        rows |= dict(zip(asked, answers, strict=True))
    return {
        name: np.asarray(part, dtype=np.float64).mean(axis=0)
        for name, part in rows.items()
    }


def _add_product(graph: Any, name: str, codes: AnyArray, scale: AnyArray) -> list[Any]:
    """Store both factors; return the nodes whose product has the given name.

    ONNX Runtime multiplies constants when it loads a model, where it would leave a
    DequantizeLinear for each call.
    """
    tensors = {f"{name}q": codes, f"{name}s": scale}
    graph.initializer.extend(
        [numpy_helper.from_array(value, key) for key, value in tensors.items()]
    )
    kind = helper.np_dtype_to_tensor_dtype(scale.dtype)
    return [
        helper.make_node("Cast", [f"{name}q"], [f"{name}c"], to=kind),
        helper.make_node("Mul", [f"{name}c", f"{name}s"], [name]),
    ]
