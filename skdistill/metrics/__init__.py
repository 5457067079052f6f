"""Metrics of a student: against its teacher, against the labels, and its cost.

`agreement_score` and `kl_divergence` compare a student with its teacher,
`gap_recovered` compares both with a baseline, and `expected_calibration_error`
compares probabilities with true labels.

`latency_scorer` and `size_scorer` score the cost of serving a model in a search, and
`within_budget` chooses the best candidate whose cost is within limits.
"""

from ._budget import within_budget
from ._scorers import latency_scorer, size_scorer
from ._scores import (
    agreement_score,
    expected_calibration_error,
    gap_recovered,
    kl_divergence,
)

__all__ = [
    "agreement_score",
    "expected_calibration_error",
    "gap_recovered",
    "kl_divergence",
    "latency_scorer",
    "size_scorer",
    "within_budget",
]
