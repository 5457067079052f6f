"""Seeing whether a student may replace its teacher.

`distillation_report` puts the student beside its teacher and a baseline: scores,
fidelity, calibration, classes and groups, size and speed, and what to beware of.

Displays in scikit-learn's convention, drawn with matplotlib: `FidelityDisplay`
compares the student with its teacher row by row, `ReliabilityDisplay` compares both
with what happened, and `TradeoffDisplay` compares scores with what they cost.
"""

from ._displays import FidelityDisplay, ReliabilityDisplay, TradeoffDisplay
from ._report import DistillationReport, distillation_report

__all__ = [
    "DistillationReport",
    "FidelityDisplay",
    "ReliabilityDisplay",
    "TradeoffDisplay",
    "distillation_report",
]
