"""The pictures of a report's page: captions, and what draws them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from sklearn.metrics import PredictionErrorDisplay

from ._evaluation_rows import STUDENT, TEACHER
from ._fidelity import FidelityDisplay
from ._figures import N_BINS
from ._reliability import ReliabilityDisplay
from ._tradeoff import COST_NAMES, TradeoffDisplay
from ._tradeoff_figures import REPORT_COSTS

Picture = tuple[str, Callable[..., Any]]


def list_pictures(report: Any) -> Iterator[Picture]:
    """Return those of classes."""
    rows, draw_reliability = report._rows, ReliabilityDisplay.from_predictions
    y, given = rows.classes[rows.codes], {"classes": rows.classes}
    both = rows.probas[TEACHER], rows.probas[STUDENT]
    once = " Each row counts once, whatever its weight." if report.weighted else ""
    yield (
        "Student against teacher, row by row." + once,
        partial(FidelityDisplay.from_predictions, *both, **given),
    )
    # The bins of the calibration error in the tables.
    yield (
        "Predicted probabilities against what happened." + once,
        partial(draw_reliability, y, *both, **given, n_bins=N_BINS),
    )
    for cost, key in REPORT_COSTS.items():
        if report.models[STUDENT][key] is not None:
            draw = TradeoffDisplay.from_reports
            yield (
                f"Log loss against {COST_NAMES[cost]}.",
                partial(draw, {"student": report}, cost=cost),
            )


def list_value_pictures(report: Any) -> Iterator[Picture]:
    """Return scikit-learn's displays of the errors of student and teacher."""
    rows, rng = report._rows, np.random.RandomState(0)
    middle = " The middle quantile." if report.quantiles else ""
    kinds = {
        "actual_vs_predicted": "Values predicted by the {} against the true ones.",
        "residual_vs_predicted": "True value minus that of the {}, by the latter.",
    }
    for kind, caption in kinds.items():
        for name in (STUDENT, TEACHER):
            draw = PredictionErrorDisplay.from_predictions
            served = rows.served[name]
            if report.quantiles:
                served = served[:, len(report.quantiles) // 2]
            given = {"kind": kind, "random_state": rng.randint(2**31)}
            yield caption.format(name) + middle, partial(draw, rows.y, served, **given)
