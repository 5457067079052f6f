"""Warnings that name the line of the caller."""

from __future__ import annotations

import sys
import warnings

#: Packages whose frames stand between the caller and the warning.
_INNER = ("skdistill", "sklearn.callback", "contextlib")


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, and attribute it to the first line outside of this package."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and _is_inner(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _is_inner(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in _INNER)
