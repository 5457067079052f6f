"""Smaller numbers: weights of half precision, or arithmetic of 8 bits."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np

from ._require import require

#: What `to_onnx` takes; "int8" is static.
KINDS = ("float16", "int8", "int8-dynamic")

_PRODUCTS = ("Gemm", "MatMul")


def check_quantize(quantize: Any) -> None:
    """Raise where a quantisation is not known."""
    if quantize is not None and quantize not in KINDS:
        raise ValueError(
            f"quantize must be None or one of {list(KINDS)}, received {quantize!r}."
        )


def quantize_model(model: Any, quantize: str, feed: dict[str, Any]) -> Any:
    """Return a quantised copy of a model.

    Parameters
    ----------
    model : onnx.ModelProto
        Left as it is.
    quantize : {"float16", "int8", "int8-dynamic"}
        How.
    feed : dict of str to ndarray
        Calibration rows, which "int8" fits the ranges of all layers to.

    Raises
    ------
    ValueError
        The model has no layers of weights.
    """
    if not any(node.op_type in _PRODUCTS for node in model.graph.node):
        raise ValueError(
            f"quantize={quantize!r} is for the layers of networks and linear models; "
            "this model has none. Leave quantize=None, or prune it."
        )
    # ONNX Runtime's quantisers change what they are given.
    copied = type(model)()
    copied.CopyFrom(model)
    if quantize == "float16":
        return _halve_weights(copied)
    return _quantize_int8(copied, quantize, feed)


def _halve_weights(model: Any) -> Any:
    """Store weights as float16; they are cast when the model is loaded.

    Arithmetic stays float32, so that no processor is slower for it.
    """
    onnx = require("onnx")
    casts = []
    for tensor in list(model.graph.initializer):
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < 16:
            continue
        name = f"{tensor.name}h"
        halved = onnx.numpy_helper.from_array(_to_half(values), name)
        model.graph.initializer.remove(tensor)
        model.graph.initializer.append(halved)
        casts.append(onnx.helper.make_node("Cast", [name], [tensor.name], to=1))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def _to_half(values: Any) -> Any:
    largest = float(np.finfo(np.float16).max)
    if np.abs(values[np.isfinite(values)]).max(initial=0) > largest:
        raise ValueError(
            f"quantize='float16' holds weights up to {largest:g}; this model has "
            f"{np.abs(values).max():g}. Scale the columns, or use quantize='int8'."
        )
    return values.astype(np.float16)


def _quantize_int8(model: Any, quantize: str, feed: dict[str, Any]) -> Any:
    tools = require("onnxruntime.quantization")
    # Says "quantise" without a note that the model could be optimised first.
    entry = model.metadata_props.add()
    entry.key, entry.value = "onnx.quant.pre_process", "onnxruntime.quant"
    settings = {
        "op_types_to_quantize": list(_PRODUCTS),
        "weight_type": tools.QuantType.QInt8,
        "per_channel": True,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        if quantize == "int8":
            rows = _make_reader(tools, feed)
            tools.quantize_static(model, path, rows, **settings)
        else:
            tools.quantize_dynamic(model, path, **settings)
        quantized = require("onnx").load(path)
    del quantized.metadata_props[:]
    for node in quantized.graph.node:
        node.ClearField("name")
    return quantized


def _make_reader(tools: Any, feed: dict[str, Any]) -> Any:
    class Reader(tools.CalibrationDataReader):
        def __init__(self) -> None:
            self.rows = iter([feed])

        def get_next(self) -> Any:
            return next(self.rows, None)

    return Reader()
