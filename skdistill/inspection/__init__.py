"""Inspection of a distilled student.

`distillation_report` compares the student with its teacher and a baseline: scores,
fidelity, calibration, classes and groups, size and speed, with warnings.
`regression_report` is the same for values.

Displays in scikit-learn's convention, drawn with matplotlib: `FidelityDisplay`
compares the student with its teacher row by row, `ReliabilityDisplay` compares both
with the true labels, and `TradeoffDisplay` compares scores with costs.
"""

from ._distillation_report import DistillationReport, distillation_report
from ._fidelity import FidelityDisplay
from ._regression_report import RegressionReport, regression_report
from ._reliability import ReliabilityDisplay
from ._tradeoff import TradeoffDisplay

__all__ = [
    "DistillationReport",
    "FidelityDisplay",
    "RegressionReport",
    "ReliabilityDisplay",
    "TradeoffDisplay",
    "distillation_report",
    "regression_report",
]
