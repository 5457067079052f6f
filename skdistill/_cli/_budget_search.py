"""A search for the best small student within a budget."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping
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
#: With so many rows to learn from, the first split tells enough, and so does one
#: transfer set for all students: pilots for each would take most of the time.
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
    candidates = {
        name: Candidate(name, left_out=explain_left_out(student, rows, options))
        for name, student in students.items()
    }
    tried = [name for name, found in candidates.items() if not found.left_out]
    if not tried:
        raise Refusal(_describe_hopeless(candidates.values(), options))
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
            {"student": [students[name] for name in tried]},
            scoring=partial(_score, task.scoring, options.deployment),
            refit=False,
            cv=splits,
            error_score="raise",
        )
        fit(search, rows)
    results = search.cv_results_
    try:
        best = tried[_choose_best(results, tried, options, task.scoring)]
    except ValueError as error:
        lines = [str(error), *_list_left_out(candidates.values())]
        raise Refusal("\n".join(lines)) from error
    means = [-results[f"mean_test_{key}"] for key in (task.scoring, *_COSTS)]
    for name, *figures in zip(tried, *means, strict=True):
        given = [*map(float, figures), search.n_splits_, name == best]
        candidates[name] = Candidate(name, *given)
    chosen = clone(distilled).set_params(student=students[best])
    fit(chosen, rows)
    return chosen, [*candidates.values()]


def _score(
    scoring: str, deployment: str, estimator: Any, X: Any, y: Any
) -> dict[str, float]:
    """Score a student; what is deployed is made once for both of its costs."""
    content = dump_deployed(estimator, deployment, X)
    served = open_deployed(estimator, deployment, X, content)
    latency = latency_scorer(deployment=deployment).score_served(served, X)
    costs = dict(zip(_COSTS, (latency, -len(content)), strict=True))
    return {scoring: get_scorer(scoring)(estimator, X, y), **costs}


def _list_limits(options: Namespace) -> dict[str, float]:
    """Return the limits that are given, by their unit."""
    limits = {"microseconds a row": options.max_latency_us, "bytes": options.max_bytes}
    return {unit: limit for unit, limit in limits.items() if limit is not None}


def _describe_hopeless(candidates: Iterable[Candidate], options: Namespace) -> str:
    limits = _list_limits(options).items()
    allowed = " and ".join(f"{limit:,.10g} {unit}" for unit, limit in limits)
    fix = "Raise the limits."
    if options.deployment == "joblib":
        fix = "Raise the limits, or write ONNX, which is faster: --out student.onnx."
    head = f"No student can be within the budget of {allowed}, whatever it learns:"
    return "\n".join([head, *_list_left_out(candidates), fix])


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
    lines += _list_left_out(candidates)
    prefix = "onnx_" if options.deployment == "onnx" else ""
    keys = {"microseconds a row": f"{prefix}latency_p50_us", "bytes": f"{prefix}bytes"}
    over = [
        f"{cost:,.0f} {unit} instead of {limit:,.0f}"
        for unit, limit in _list_limits(options).items()
        if (cost := figures[keys[unit]]) > limit
    ]
    if over:
        lines.append(
            f"Fitted on all rows it is over the budget: {' and '.join(over)}.\n"
            "Lower the limits by as much, and run again."
        )
    return lines


def _choose_best(
    results: Mapping[str, Any], names: list[str], options: Namespace, scoring: str
) -> int:
    """Return the position of the best within the budget; ValueError if none is."""
    if not _list_limits(options):
        return int(np.argmax(results[f"mean_test_{scoring}"]))
    named = [{"student": name} for name in names]
    budget = within_budget(scoring, options.max_latency_us, options.max_bytes)
    return budget({**results, "params": named})


def _list_left_out(candidates: Iterable[Candidate]) -> list[str]:
    return [
        f"{found.name:15}  not fitted: it takes {found.left_out}"
        for found in candidates
        if found.left_out
    ]
