"""Distil an accurate ensemble into one small, fast student."""

from __future__ import annotations

from ._classifier import DistilledClassifier
from .teachers import FunctionClassifier

__version__ = "0.1.0"

__all__ = ["DistilledClassifier", "FunctionClassifier"]
