"""Matrices of 8 bits for arithmetic of 32: a quarter of the bytes, the same speed.

Each row of a matrix is stored as integers of its own scale, and multiplied out once,
when the model is loaded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._require import require
from ._verify import open_session

#: Nodes with a matrix, and which of their inputs it is.
_MATRIX_INPUT = {"Gemm": 1, "MatMul": 1, "Gather": 0}

#: A smaller matrix is not worth the nodes.
_LEAST_SIZE = 16


def store_bytes(model: Any, nodes: list[Any], feed: dict[str, Any]) -> None:
    """Store matrices of floats as int8, in place.

    What that changes in the mean of a layer's outputs goes into its bias [1]_, which
    matters most where columns are far from 0.

    Parameters
    ----------
    model : onnx.ModelProto
        Changed.
    nodes : list of onnx.NodeProto
        Nodes of the model; those with a constant matrix are rounded.
    feed : dict of str to ndarray
        Rows, over which the means are taken.

    References
    ----------
    .. [1] M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, "Data-free
       quantization through weight equalization and bias correction", ICCV 2019.
    """
    onnx = require("onnx")
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    nodes = [node for node in nodes if _has_matrix(node, tensors, onnx)]
    gemms = [node for node in nodes if _has_own_bias(node, graph, tensors)]
    means = _average_inputs(model, gemms, feed)
    # One matrix can be that of several nodes.
    names = dict.fromkeys(node.input[_MATRIX_INPUT[node.op_type]] for node in nodes)
    lost, restored = {}, []
    for name in names:
        matrix = onnx.numpy_helper.to_array(tensors[name])
        codes, scale = _round_rows(matrix)
        lost[name] = matrix.astype(np.float64) - codes * scale.astype(np.float64)
        graph.initializer.remove(tensors[name])
        restored += _add_product(graph, name, codes, scale, onnx)
    for node in gemms:
        change = lost[node.input[1]].T if _is_transposed(node) else lost[node.input[1]]
        bias = tensors[node.input[2]]
        values = onnx.numpy_helper.to_array(bias)
        moved = (values + means[node.input[0]] @ change).astype(values.dtype)
        bias.CopyFrom(onnx.numpy_helper.from_array(moved, bias.name))
    whole = [*restored, *graph.node]
    del graph.node[:]
    graph.node.extend(whole)
    onnx.checker.check_model(model)


def _has_matrix(node: Any, tensors: dict[str, Any], onnx: Any) -> bool:
    if node.op_type not in _MATRIX_INPUT:
        return False
    tensor = tensors.get(node.input[_MATRIX_INPUT[node.op_type]])
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
    if tensor is None or tensor.data_type not in kinds or len(tensor.dims) != 2:
        return False
    values = onnx.numpy_helper.to_array(tensor)
    # NaN answers a level that was never seen.
    return values.size >= _LEAST_SIZE and bool(np.isfinite(values).all())


def _has_own_bias(node: Any, graph: Any, tensors: dict[str, Any]) -> bool:
    """Whether a node adds a constant that no other node reads."""
    if node.op_type != "Gemm" or len(node.input) < 3 or node.input[2] not in tensors:
        return False
    return sum(node.input[2] in other.input for other in graph.node) == 1


def _round_rows(matrix: NDArray[Any]) -> tuple[NDArray[np.int8], NDArray[Any]]:
    """Return integers and the scale of each row."""
    scale = np.abs(matrix).max(axis=1, keepdims=True) / 127
    scale[scale == 0] = 1
    return np.rint(matrix / scale).astype(np.int8), scale


def _is_transposed(gemm: Any) -> bool:
    return any(part.name == "transB" and part.i for part in gemm.attribute)


def _average_inputs(
    model: Any, nodes: list[Any], feed: dict[str, Any]
) -> dict[str, NDArray[np.float64]]:
    """Return the mean row that each of the nodes multiplies."""
    rows = {node.input[0]: feed.get(node.input[0]) for node in nodes}
    asked = [name for name, values in rows.items() if values is None]
    if asked:
        probed = type(model)()
        probed.CopyFrom(model)
        del probed.graph.output[:]
        make = require("onnx.helper").make_empty_tensor_value_info
        probed.graph.output.extend([make(name) for name in asked])
        answers = open_session(probed).run(asked, feed)
        rows |= dict(zip(asked, answers, strict=True))
    return {
        name: np.asarray(part, dtype=np.float64).mean(axis=0)
        for name, part in rows.items()
    }


def _add_product(
    graph: Any, name: str, codes: NDArray[Any], scale: NDArray[Any], onnx: Any
) -> list[Any]:
    """Store both factors; return the nodes whose product has the given name.

    ONNX Runtime multiplies constants when it loads a model, where it would leave a
    DequantizeLinear for each call.
    """
    tensors = {f"{name}q": codes, f"{name}s": scale}
    graph.initializer.extend(
        [onnx.numpy_helper.from_array(value, key) for key, value in tensors.items()]
    )
    kind = onnx.helper.np_dtype_to_tensor_dtype(scale.dtype)
    return [
        onnx.helper.make_node("Cast", [f"{name}q"], [f"{name}c"], to=kind),
        onnx.helper.make_node("Mul", [f"{name}c", f"{name}s"], [name]),
    ]
