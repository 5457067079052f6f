"""Models that write themselves: skorch nets, through torch."""

from __future__ import annotations

import copy
import io
import warnings
from typing import Any

import onnx

from .._libraries import find_nonlinearity
from ._graph import OPSET


def export_skorch(net: Any, width: int) -> Any:
    """Convert a skorch net with torch's exporter, softmax included.

    Its input is a matrix of `width` columns, its output the probabilities.
    """
    import torch

    nonlinearity = find_nonlinearity(net)
    base: Any = torch.nn.Module

    class Served(base):
        def __init__(self) -> None:
            super().__init__()
            self.module = copy.deepcopy(net.module_).cpu().eval()

        def forward(self, X: Any) -> Any:
            output = self.module(X)
            output = output[0] if isinstance(output, tuple) else output
            return nonlinearity(output)

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter by tracing, which needs no further library.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Served().eval(),
            (torch.zeros(2, width),),
            buffer,
            dynamo=False,
            input_names=["X"],
            output_names=["probabilities"],
            dynamic_axes={"X": {0: "n"}, "probabilities": {0: "n"}},
            opset_version=OPSET[""],
        )
    return onnx.load_from_string(buffer.getvalue())
