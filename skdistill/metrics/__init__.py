"""How near a student is to its teacher, and how far its probabilities can be trusted.

Plain functions of arrays: `agreement_score` and `kl_divergence` compare a student
with its teacher, `gap_recovered` compares both with a baseline, and
`expected_calibration_error` compares probabilities with what happened.

Scorers for a search: `latency_scorer` and `size_scorer` say what a model costs to
serve, `within_budget` chooses the best that costs no more than it may.
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
