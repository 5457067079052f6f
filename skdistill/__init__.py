"""Distil an accurate ensemble into one small, fast student."""

from __future__ import annotations

from ._classifier import DistilledClassifier
from ._version import __version__
from .teachers import FunctionClassifier

__all__ = ["DistilledClassifier", "FunctionClassifier", "__version__"]
