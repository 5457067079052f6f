"""Deployment: one small file, proven equal to what was validated.

`slim` strips a fitted model to what predicting needs, `prune` makes it smaller,
`to_onnx` writes it as one ONNX model, which `OnnxClassifier` or `OnnxRegressor` serves,
`to_c` as C99.
`register_with_skl2onnx` lets skl2onnx convert a `DistilledClassifier` itself.
"""

from ._prune import Pruned, prune
from ._slim import slim
from .c import to_c
from .onnx import OnnxClassifier, OnnxRegressor, register_with_skl2onnx, to_onnx

__all__ = [
    "OnnxClassifier",
    "OnnxRegressor",
    "Pruned",
    "prune",
    "register_with_skl2onnx",
    "slim",
    "to_c",
    "to_onnx",
]
