"""Optional libraries: what an estimator is from, and imports that name the extra."""

from __future__ import annotations

import importlib
from typing import Any


def is_from(estimator: Any, library: str) -> bool:
    """Whether an estimator, or a class that it inherits from, is a library's."""
    bases = type(estimator).__mro__
    return any(base.__module__.split(".")[0] == library for base in bases)


def import_for_onnx(name: str) -> Any:
    """Import a module that the export to ONNX needs.

    Raises
    ------
    ImportError
        It can't be imported; the error names the extra to install.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"Exporting to ONNX needs {name.split('.')[0]}, which can't be imported: "
            f'{error}. Run pip install "skdistill[onnx]".'
        ) from error


def find_nonlinearity(net: Any) -> Any:
    """Return what makes a fitted skorch net's outputs probabilities."""
    # The parameter alone may be "auto", and skorch has no public name for the rest.
    return net._get_predict_nonlinearity()
