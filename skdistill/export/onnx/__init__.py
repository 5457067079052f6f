"""One ONNX model of a fitted estimator, compared with it before it is written."""

from ._onnx_classifier import OnnxClassifier
from ._onnx_regressor import OnnxRegressor
from ._register import register_with_skl2onnx
from ._to_onnx import to_onnx

__all__ = ["OnnxClassifier", "OnnxRegressor", "register_with_skl2onnx", "to_onnx"]
