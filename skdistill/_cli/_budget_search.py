"""A search for the best small student within a budget."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from ..metrics import latency_scorer, size_scorer, within_budget
from ._errors import Refusal
from ._read_data import Rows
from ._task import Task

#: Splits of the rows to learn from; the teacher is fitted anew for each.
_N_SPLITS = 3
#: Of so many rows to learn from, the first split tells enough, and so does one transfer
#: set for all students: pilots for each would take most of the time.
_MANY_ROWS = 2000


@dataclass(frozen=True)
class Candidate:
    """Means over the splits, how many these are, and whether it was chosen."""

    name: str
    loss: float
    latency_us: float
    bytes: float
    n_splits: int
    chosen: bool


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
    deployment, task = options.deployment, rows.task
    scoring = {
        task.scoring: task.scoring,
        "latency": latency_scorer(deployment=deployment),
        "bytes": size_scorer(deployment=deployment),
    }
    students = [make(rows.X) for make in task.candidates.values()]
    splitter = task.splitter(_N_SPLITS, shuffle=True, random_state=options.seed)
    splits, searched = list(splitter.split(rows.X, rows.y)), clone(distilled)
    if len(rows.y) >= _MANY_ROWS:
        splits = splits[:1]
        searched.set_params(pilot=0, augmenter="munge")
    with TemporaryDirectory() as folder:
        search = GridSearchCV(
            # The cache spares the next candidates the teacher of the split.
            searched.set_params(memory=folder),
            {"student": students},
            scoring=scoring,
            refit=False,
            cv=splits,
            error_score="raise",
        )
        fit(search, rows)
    results = search.cv_results_
    best = _choose_best(results, options, task)
    loss, latency, size = (-results[f"mean_test_{key}"] for key in scoring)
    n_splits = len(splits)
    candidates = [
        Candidate(
            name,
            loss=float(loss[k]),
            latency_us=float(latency[k]),
            bytes=float(size[k]),
            n_splits=n_splits,
            chosen=k == best,
        )
        for k, name in enumerate(task.candidates)
    ]
    chosen = clone(distilled).set_params(student=students[best])
    fit(chosen, rows)
    return chosen, candidates


def format_candidates(
    candidates: list[Candidate],
    options: Namespace,
    task: Task,
    figures: dict[str, Any],
) -> list[str]:
    """Return a table of the candidates; warn if the refitted one is over the budget."""
    if not candidates:
        return []
    n_splits = candidates[0].n_splits
    means = f"means over {n_splits} splits" if n_splits > 1 else "on a third"
    lines = [
        "",
        f"Students tried, {means} of the rows to learn from:",
        f"{'':15}{task.loss_name:>8}  microseconds/row     bytes",
    ]
    for found in candidates:
        loss = format(found.loss, task.short_spec)
        lines.append(
            f"{found.name:15}{loss:>8}{found.latency_us:18,.0f}"
            f"{found.bytes:10,.0f}{'  chosen' if found.chosen else ''}"
        )
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


def _choose_best(results: Mapping[str, Any], options: Namespace, task: Task) -> int:
    if options.max_latency_us is None and options.max_bytes is None:
        return int(np.argmax(results[f"mean_test_{task.scoring}"]))
    named = [{"student": name} for name in task.candidates]
    budget = within_budget(task.scoring, options.max_latency_us, options.max_bytes)
    try:
        return budget({**results, "params": named})
    except ValueError as error:
        raise Refusal(str(error)) from error
