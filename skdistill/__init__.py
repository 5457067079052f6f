"""Distil an accurate ensemble into one small, fast student."""

from __future__ import annotations

from ._classifier import DistilledClassifier
from ._regressor import DistilledRegressor
from ._version import __version__
from .teachers import FunctionClassifier, FunctionRegressor

__all__ = [
    "DistilledClassifier",
    "DistilledRegressor",
    "FunctionClassifier",
    "FunctionRegressor",
    "__version__",
]
