"""Figures of a fit: what they are called, and what they say of the teacher."""

from __future__ import annotations

from typing import Any

#: What models are compared by, and pilots; the order is that of the report.
FIGURE_NAMES = {
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "r2": "R²",
    "rmse": "RMSE",
    "mae": "MAE",
    "pinball": "pinball loss",
}

#: A teacher has memorised its own rows where its score, which has no unit, is higher on
#: them by so much, and where its labels leave less than this share of what they leave
#: open on others.
_LEAST_GAP, _MOST_LEFT = 0.03, 0.5


def find_loss(pilot: dict[str, Any]) -> str:
    """Return the figure by which pilots are chosen."""
    return next(key for key in ("log_loss", "rmse", "pinball") if key in pilot)


def describe_confidence(calibration: float) -> str:
    """Say what a teacher is whose log probabilities are divided by this."""
    return "underconfident" if calibration < 1 else "overconfident"


def find_memorized(
    memorization: dict[str, float] | None,
) -> tuple[str, float, float] | None:
    """Return the figure which shows that the teacher has memorised its own rows.

    With its value on them and on others. None: it has not, or nothing tells.
    """
    if memorization is None:
        return None
    own, others = (
        {key.removesuffix(end): x for key, x in memorization.items() if end in key}
        for end in ("_in_sample", "_out_of_fold")
    )
    figure = next(key for key in ("accuracy", "r2", "pinball") if key in own)
    # A loss has the unit of y, in which no least difference holds for all tables.
    better = figure == "pinball" or own[figure] - others[figure] >= _LEAST_GAP
    if better and _measure_rest(own) < _MOST_LEFT * _measure_rest(others):
        return figure, own[figure], others[figure]
    return None


def _measure_rest(figures: dict[str, float]) -> float:
    """Return what labels leave open: entropy, variance not explained, or a loss."""
    if "r2" in figures:
        return 1 - figures["r2"]
    return figures["entropy" if "entropy" in figures else "pinball"]
