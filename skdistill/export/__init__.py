"""Deployment: one small file, proven equal to what was validated.

`slim` strips a fitted model to what predicting needs, `to_onnx` writes it as one
ONNX model, `prune` makes it smaller. Importing this module registers
`DistilledClassifier` with skl2onnx, where that is installed.
"""

from ._prune import prune
from ._slim import slim
from .onnx import to_onnx

__all__ = ["prune", "slim", "to_onnx"]
