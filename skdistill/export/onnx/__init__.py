"""One ONNX model of a fitted estimator, compared with it before it is written."""

from ._skl2onnx import register_distilled
from ._to_onnx import to_onnx

__all__ = ["register_distilled", "to_onnx"]
