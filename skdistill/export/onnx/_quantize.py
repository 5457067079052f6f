"""Smaller numbers: weights of 16 or 8 bits, or arithmetic of 8 bits."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import redirect_stdout
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

from .._require import require
from ._byte_weights import store_bytes
from ._verify import run_model

#: What `to_onnx` takes ("int8" is static), each with the number of weights up to which
#: the last layer stays in float32 and one node with what follows. Where layers
#: compute in 8 bits, ONNX Runtime only joins them if the last one is a layer too.
MOST_FUSED = {
    None: np.inf,
    "float16": 256,
    "int8": 0,
    "int8-dynamic": 0,
    "int8-weights": 256,
}

_PRODUCTS = ("Gemm", "MatMul")

#: Ways to fit the range of a layer's inputs: all values, or all but a few outliers.
_RANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("MinMax", {}),
    ("Percentile", {"CalibPercentile": 99.99}),
    ("Percentile", {"CalibPercentile": 99.9}),
)


def check_quantize(quantize: Any) -> None:
    """Raise where a quantisation is not known."""
    if quantize not in list(MOST_FUSED):
        kinds = [kind for kind in MOST_FUSED if kind is not None]
        raise ValueError(
            f"quantize must be None or one of {kinds}, received {quantize!r}."
        )


def quantize_model(
    model: Any, quantize: str, feed: dict[str, Any], proba: NDArray[Any]
) -> Any:
    """Return a quantised copy of a model.

    The first layer always multiplies float32, by weights of 8 bits: its inputs are
    the columns of the table, with scales of their own, and outliers that would take
    the range away from all others.

    Parameters
    ----------
    model : onnx.ModelProto
        Left as it is.
    quantize : {"float16", "int8", "int8-dynamic", "int8-weights"}
        How.
    feed : dict of str to ndarray
        Calibration rows, which "int8" fits the ranges of all layers to.
    proba : ndarray of shape (n_samples, n_classes)
        Probabilities of the calibration rows, by which "int8" chooses the ranges.

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
    model = _copy(model)
    if quantize == "float16":
        return _halve_weights(model)
    if quantize == "int8-weights":
        store_bytes(model, list(model.graph.node), feed)
        return model
    store_bytes(model, _list_first(model), feed)
    if quantize == "int8":
        return _quantize_static(model, feed, proba)
    return _run_quantizer("quantize_dynamic", model)


def _copy(model: Any) -> Any:
    copied = type(model)()
    copied.CopyFrom(model)
    return copied


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


def _quantize_static(model: Any, feed: dict[str, Any], proba: NDArray[Any]) -> Any:
    """Return the model of those ranges that keep the probabilities the closest."""
    candidates = [_calibrate(model, feed, *ranges) for ranges in _RANGES]
    return min(candidates, key=lambda made: _measure_divergence(made, feed, proba))


def _measure_divergence(model: Any, feed: dict[str, Any], proba: NDArray[Any]) -> float:
    """Return the mean Kullback-Leibler divergence from given probabilities."""
    served = np.maximum(run_model(model, feed)[1], np.finfo(np.float32).tiny)
    return float(rel_entr(proba, served).sum(axis=1).mean())


def _calibrate(model: Any, feed: dict[str, Any], method: str, extra: dict) -> Any:
    tools = require("onnxruntime.quantization")

    base: Any = tools.CalibrationDataReader

    class Rows(base):
        def __init__(self) -> None:
            self.rows = iter([feed])

        def get_next(self) -> Any:
            return next(self.rows, None)

    # What a layer adds up stays float32 up to the next one.
    extra = {"OpTypesToExcludeOutputQuantization": list(_PRODUCTS), **extra}
    return _run_quantizer(
        "quantize_static",
        model,
        calibration_data_reader=Rows(),
        calibrate_method=tools.CalibrationMethod[method],
        extra_options=extra,
    )


def _run_quantizer(name: str, model: Any, **settings: Any) -> Any:
    """Quantise what follows the first layer."""
    tools = require("onnxruntime.quantization")
    named = _copy(model)
    # Says "quantise" without a note that the model could be optimised first.
    entry = named.metadata_props.add()
    entry.key, entry.value = "onnx.quant.pre_process", "onnxruntime.quant"
    for k, node in enumerate(named.graph.node):
        node.name = f"{node.op_type}{k}"
    stored = [node.name for node in _list_first(named)]
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        path = os.path.join(folder, "model.onnx")
        getattr(tools, name)(
            named,
            path,
            op_types_to_quantize=list(_PRODUCTS),
            weight_type=tools.QuantType.QInt8,
            per_channel=True,
            nodes_to_exclude=stored,
            **settings,
        )
        quantized = require("onnx").load(path)
    del quantized.metadata_props[:]
    for node in quantized.graph.node:
        node.ClearField("name")
    return quantized


def _list_first(model: Any) -> list[Any]:
    """Return the nodes that no product is an ancestor of."""
    behind: set[str] = set()
    first = []
    for node in model.graph.node:
        is_product = node.op_type in _PRODUCTS
        # Not what a product adds, such as the product before it.
        is_behind = bool(behind & set(node.input[:2] if is_product else node.input))
        if is_behind or is_product:
            behind |= set(node.output)
        if not is_behind:
            first.append(node)
    return first
