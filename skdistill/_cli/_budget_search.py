"""A search for the best small student within a budget."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV

from .._copies import find_copies
from .._dataset import keep_together
from ..metrics import latency_scorer, within_budget
from ..metrics._costs import dump_deployed, open_deployed
from ._bounds import explain_left_out
from ._errors import Refusal
from ._read_data import Rows
from ._task import Task

#: Splits of the rows to learn from; the teacher is fitted anew for each.
_N_SPLITS = 3
#: Of so many rows to learn from, the first split tells enough, and so does one transfer
#: set for all students: pilots for each would take most of the time.
_MANY_ROWS = 2000
_COSTS = "latency", "bytes"


@dataclass(frozen=True)
class Candidate:
    """Means over the splits, how many these are, and whether it was chosen.

    `left_out` says why it was not fitted; there are no means then.
    """

    name: str
    loss: float = math.nan
    latency_us: float = math.nan
    bytes: float = math.nan
    n_splits: int = 0
    chosen: bool = False
    left_out: str = ""


def strip_names(rows: Rows) -> Rows:
    """Rows of numbers alone as arrays: a frame costs one row 300 microseconds."""
    frame = not isinstance(rows.X, np.ndarray)
    if not frame or any(dtype.kind not in "iufb" for dtype in rows.X.dtypes):
        return rows
    return replace(rows, X=rows.X.to_numpy(float), X_test=rows.X_test.to_numpy(float))


def search_students(
    distilled: Any,
    rows: Rows,
    options: Namespace,
    fit: Callable[[Any, Rows], None],
) -> tuple[Any, list[Candidate]]:
    """Search the candidates by GridSearchCV, and fit the best within the budget.

    `fit` fits the search, and then the best, and shows its progress.
    """
    task = rows.task
    students = {name: make(rows.X) for name, make in task.candidates.items()}
    reasons = {
        name: explain_left_out(student, rows, options)
        for name, student in students.items()
    }
    tried = [students[name] for name, reason in reasons.items() if not reason]
    if not tried:
        raise Refusal(_describe_hopeless(reasons, options))
    splitter = task.splitter(_N_SPLITS, shuffle=True, random_state=options.seed)
    splits = keep_together(
        lambda drawn: list(splitter.split(drawn, rows.y[drawn])),
        len(rows.y),
        find_copies(rows.X),
    )
    searched = clone(distilled)
    if len(rows.y) >= _MANY_ROWS:
        splits = splits[:1]
        searched.set_params(pilot=0, augmenter="munge")
    with TemporaryDirectory() as folder:
        search = GridSearchCV(
            # The cache spares the next candidates the teacher of the split.
            searched.set_params(memory=folder),
            {"student": tried},
            scoring=partial(_score, task.scoring, options.deployment),
            refit=False,
            cv=splits,
            error_score="raise",
        )
        fit(search, rows)
    candidates = _list_candidates(search, reasons, options, task)
    best = next(found.name for found in candidates if found.chosen)
    chosen = clone(distilled).set_params(student=students[best])
    fit(chosen, rows)
    return chosen, candidates


def _score(
    scoring: str, deployment: str, estimator: Any, X: Any, y: Any
) -> dict[str, float]:
    """Score a student; what is deployed is made once for both of its costs."""
    content = dump_deployed(estimator, deployment, X)
    served = open_deployed(estimator, deployment, X, content)
    latency = latency_scorer(deployment=deployment).score_served(served, X)
    costs = dict(zip(_COSTS, (latency, -len(content)), strict=True))
    return {scoring: get_scorer(scoring)(estimator, X, y), **costs}


def _list_candidates(
    search: GridSearchCV, reasons: dict[str, str], options: Namespace, task: Task
) -> list[Candidate]:
    """Return all candidates in their order, those left out too."""
    results, fitted = search.cv_results_, iter(range(len(reasons)))
    best = _choose_best(results, reasons, options, task)
    candidates = []
    for name, reason in reasons.items():
        if reason:
            candidates.append(Candidate(name, left_out=reason))
            continue
        k = next(fitted)
        loss, latency, size = (
            -float(results[f"mean_test_{key}"][k]) for key in (task.scoring, *_COSTS)
        )
        figures = loss, latency, size, search.n_splits_
        candidates.append(Candidate(name, *figures, chosen=k == best))
    return candidates


def _describe_hopeless(reasons: dict[str, str], options: Namespace) -> str:
    limits = {"microseconds a row": options.max_latency_us, "bytes": options.max_bytes}
    allowed = " and ".join(
        f"{limit:,.10g} {unit}" for unit, limit in limits.items() if limit is not None
    )
    fix = "Raise the limits."
    if options.deployment == "joblib":
        fix = "Raise the limits, or write ONNX, which is faster: --out student.onnx."
    head = f"No student can be within the budget of {allowed}, whatever it learns:"
    return "\n".join([head, *_list_left_out(reasons), fix])


def format_candidates(
    candidates: list[Candidate],
    options: Namespace,
    task: Task,
    figures: dict[str, Any],
) -> list[str]:
    """Return a table of the candidates; warn if the refitted one is over the budget."""
    if not candidates:
        return []
    tried = [found for found in candidates if not found.left_out]
    n_splits = tried[0].n_splits
    means = f"means over {n_splits} splits" if n_splits > 1 else "on a third"
    lines = [
        "",
        f"Students tried, {means} of the rows to learn from:",
        f"{'':15}{task.loss_name:>8}  microseconds/row     bytes",
    ]
    for found in tried:
        loss = format(found.loss, task.short_spec)
        lines.append(
            f"{found.name:15}{loss:>8}{found.latency_us:18,.0f}"
            f"{found.bytes:10,.0f}{'  chosen' if found.chosen else ''}"
        )
    lines += _list_left_out({found.name: found.left_out for found in candidates})
    prefix = "onnx_" if options.deployment == "onnx" else ""
    over = [
        f"{cost:,.0f} {unit} instead of {limit:,.0f}"
        for cost, limit, unit in (
            (
                figures[f"{prefix}latency_p50_us"],
                options.max_latency_us,
                "microseconds a row",
            ),
            (figures[f"{prefix}bytes"], options.max_bytes, "bytes"),
        )
        if limit is not None and cost > limit
    ]
    if over:
        lines.append(
            f"Fitted on all rows it is over the budget: {' and '.join(over)}.\n"
            "Lower the limits by as much, and run again."
        )
    return lines


def _choose_best(
    results: Mapping[str, Any], reasons: dict[str, str], options: Namespace, task: Task
) -> int:
    """Return which of those that were fitted is the best within the budget."""
    if options.max_latency_us is None and options.max_bytes is None:
        return int(np.argmax(results[f"mean_test_{task.scoring}"]))
    named = [{"student": name} for name, reason in reasons.items() if not reason]
    budget = within_budget(task.scoring, options.max_latency_us, options.max_bytes)
    try:
        return budget({**results, "params": named})
    except ValueError as error:
        raise Refusal("\n".join([str(error), *_list_left_out(reasons)])) from error


def _list_left_out(reasons: dict[str, str]) -> list[str]:
    return [
        f"{name:15}  not fitted: it takes {reason}"
        for name, reason in reasons.items()
        if reason
    ]
