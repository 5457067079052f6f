"""Optional libraries: what an estimator is from, and imports that name the extra.

Private name of skorch: `_get_predict_nonlinearity`, for its parameter alone may be
"auto"; without it an error.
"""

from __future__ import annotations

import importlib
from typing import Any


def is_from(estimator: Any, library: str) -> bool:
    """Whether an estimator, or a class that it inherits from, is a library's."""
    bases = type(estimator).__mro__
    return any(base.__module__.split(".")[0] == library for base in bases)


def import_for_onnx(name: str, extra: str = "onnx") -> Any:
    """Import a module that an ONNX model needs.

    Raise an ImportError that names the extra to install: "onnx" brings what exports,
    "serve" what serves.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        what = "Exporting to ONNX" if extra == "onnx" else "Serving an ONNX model"
        raise ImportError(
            f"{what} needs {name.split('.')[0]}, which can't be imported: "
            f'{error}. Run pip install "skdistill[{extra}]".'
        ) from error


def find_nonlinearity(net: Any) -> Any:
    """Return what makes a fitted skorch net's outputs probabilities."""
    if not hasattr(net, "_get_predict_nonlinearity"):
        raise TypeError(
            "Export needs to know what makes a net's outputs probabilities; received a "
            f"{type(net).__name__} of a release of skorch that does not say it. "
            "Install an earlier release of skorch."
        )
    return net._get_predict_nonlinearity()
