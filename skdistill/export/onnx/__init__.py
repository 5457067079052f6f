"""One ONNX model of a fitted estimator, compared with it before it is written."""

from . import _registration  # noqa: F401 - registers with skl2onnx
from ._to_onnx import to_onnx

__all__ = ["to_onnx"]
