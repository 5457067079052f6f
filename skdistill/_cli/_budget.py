"""The best of a few small students inside a budget, for the command line."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from .._classifier import DistilledClassifier
from ..inspection._measure import Figures
from ..metrics import latency_scorer, size_scorer, within_budget
from ._csv import Refusal, Rows
from ._students import CANDIDATES

#: Splits of the rows to learn from; the teacher is fitted anew for each.
_N_SPLITS = 3
_SCORING = {
    "neg_log_loss": "neg_log_loss",
    "latency": latency_scorer(),
    "bytes": size_scorer,
}


@dataclass(frozen=True)
class Pilot:
    """One candidate: means over the splits, and whether it was chosen."""

    name: str
    log_loss: float
    latency_us: float
    bytes: float
    chosen: bool


def has_budget(options: Namespace) -> bool:
    return options.max_latency_us is not None or options.max_bytes is not None


def strip_names(rows: Rows) -> Rows:
    """Rows of numbers alone as arrays: a frame costs one row 300 microseconds."""
    if isinstance(rows.X, np.ndarray) or not _holds_numbers(rows.X):
        return rows
    return replace(rows, X=rows.X.to_numpy(float), X_test=rows.X_test.to_numpy(float))


def search_students(
    distilled: DistilledClassifier,
    rows: Rows,
    options: Namespace,
    fit: Callable[[Any, Rows], None],
) -> tuple[DistilledClassifier, list[Pilot]]:
    """Search the candidates, with the best inside of the budget refitted on all rows.

    The search is scikit-learn's own. `fit` fits it, and shows how far it has come.

    Raises
    ------
    Refusal
        No candidate is inside, and which are the nearest.
    """
    with TemporaryDirectory() as folder:
        search = GridSearchCV(
            # What is kept there saves the teacher of a split for the next candidate.
            clone(distilled).set_params(memory=folder),
            {"student": [make(rows.X) for make in CANDIDATES.values()]},
            scoring=_SCORING,
            refit=_make_refit(options),
            cv=StratifiedKFold(_N_SPLITS, shuffle=True, random_state=options.seed),
            error_score="raise",
        )
        fit(search, rows)
    best = search.best_estimator_.set_params(memory=None)
    return best, _list_pilots(search)


def format_pilots(
    pilots: list[Pilot], options: Namespace, figures: Figures
) -> list[str]:
    """A table of the candidates, and a warning where the refitted one outgrew it."""
    if not pilots:
        return []
    lines = [
        "",
        f"Students tried, means over {_N_SPLITS} splits of the rows to learn from:",
        f"{'':15}log loss  microseconds/row     bytes",
    ]
    for pilot in pilots:
        figure = (
            f"{pilot.name:15}{pilot.log_loss:8.3f}{pilot.latency_us:18,.0f}"
            f"{pilot.bytes:10,.0f}"
        )
        lines.append(figure + ("  chosen" if pilot.chosen else ""))
    over = [
        f"{cost:,.0f} {unit} instead of {limit:,.0f}"
        for cost, limit, unit in (
            (figures.median_us, options.max_latency_us, "microseconds a row"),
            (figures.bytes_on_disk, options.max_bytes, "bytes"),
        )
        if limit is not None and cost > limit
    ]
    if over:
        lines.append(
            f"Fitted on all rows it is over the budget: {' and '.join(over)}.\n"
            "Lower the limits by as much, and run again."
        )
    return lines


def _holds_numbers(frame: Any) -> bool:
    return all(dtype.kind in "iufb" for dtype in frame.dtypes)


def _make_refit(options: Namespace) -> Callable[[Mapping[str, Any]], int]:
    budget = within_budget("neg_log_loss", options.max_latency_us, options.max_bytes)

    def refit(results: Mapping[str, Any]) -> int:
        named = [{"student": name} for name in CANDIDATES]
        try:
            return budget({**results, "params": named})
        except ValueError as error:
            raise Refusal(str(error)) from error

    return refit


def _list_pilots(search: GridSearchCV) -> list[Pilot]:
    results, best = search.cv_results_, search.best_index_
    loss, latency, size = (-results[f"mean_test_{key}"] for key in _SCORING)
    return [
        Pilot(name, float(loss[k]), float(latency[k]), float(size[k]), k == best)
        for k, name in enumerate(CANDIDATES)
    ]
