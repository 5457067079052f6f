"""Optional libraries, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any


def require(name: str) -> Any:
    """Import an optional library, or say how to install it.

    Raises
    ------
    ImportError
        It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"Exporting to ONNX needs {name.split('.')[0]}, which can't be imported: "
            f'{error}. Run pip install "skdistill[onnx]".'
        ) from error
