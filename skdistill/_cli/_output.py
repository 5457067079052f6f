"""The results of a run: what is printed, and the record for `--json`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np

from .._files import list_versions
from .._fit_figures import FIGURE_NAMES
from .._version import __version__
from ..inspection._evaluation_rows import BASELINE
from ..inspection._report_sections import (
    SIDE_BY_SIDE,
    Section,
    describe_ratios,
    describe_share,
    format_figure,
    list_rows,
)
from ..inspection._report_text import format_table
from ._budget_search import Candidate, format_candidates
from ._deployed import Deployed
from ._read_data import Rows
from ._task import Task

_WIDTH = 80
#: Key, words, format.
_COSTS = (
    ("bytes", "bytes", ",d"),
    ("latency_p50_us", "microseconds a row", ",.0f"),
    ("rows_per_second", "rows a second, in batches", ",.0f"),
)
_LIBRARIES = "LightGBM", "XGBoost", "CatBoost"
_MAX_WARNINGS = 2
_OPTIMISTIC = (
    "The teacher came already fitted. If it was fitted on the test rows, its scores "
    "are optimistic: pass rows that it was not fitted on with --test. So is the "
    "choice of what the student learns, where it was fitted on the data."
)
_PACKAGES = "scikit-learn", "numpy", "scipy", "joblib", "lightgbm", "pandas"


def format_screen(
    options: Namespace,
    rows: Rows,
    report: Any,
    deployed: Deployed,
    candidates: list[Candidate],
    written: list[Path],
    missing: list[str],
) -> str:
    """Return what is printed: the warnings, the comparison, and what was written."""
    lines = ["", *wrap_lines(_shorten(options, report.warnings))]
    if options.teacher is not None:
        lines += wrap_lines([_OPTIMISTIC])
    lines += [
        *format_candidates(candidates, options, rows.task, deployed.figures),
        "",
        f"{rows.source}: {len(rows.y):,} rows to learn from, {len(rows.y_test):,} to "
        f"test on, seed {options.seed}",
        "",
        *format_table(_compare(report, deployed, rows.task), _WIDTH),
        "",
        *wrap_lines(_list_findings(report, deployed, rows.task)),
        *wrap_lines(missing),
        f"Wrote {', '.join(map(str, written))}.",
        *_tell_use(options, rows, written[0]),
    ]
    if options.json is not None:
        lines.append(f"Wrote every figure to {options.json}.")
    return "\n".join(line.rstrip() for line in lines)


def _shorten(options: Namespace, texts: list[str]) -> list[str]:
    """Return the first warnings; the page has the others."""
    more = len(texts) - _MAX_WARNINGS
    if options.no_report or more <= 0:
        return texts
    words = "more warning" if more == 1 else "more warnings"
    return [*texts[:_MAX_WARNINGS], f"{more} {words}: {options.report}."]


def wrap_lines(texts: Iterable[str]) -> list[str]:
    """Return lines of the screen's width, that names of files are never cut in."""
    given: dict[str, Any] = {"break_on_hyphens": False, "break_long_words": False}
    lines = [wrap(text, _WIDTH, subsequent_indent="  ", **given) for text in texts]
    return list(chain.from_iterable(lines))


def _compare(report: Any, deployed: Deployed, task: Task) -> Section:
    """Return the table of the models, and of the written one as ONNX."""
    header = ["", *(_name(name, task) for name in report.models)]
    with_onnx = deployed.onnx is not None
    if with_onnx:
        header.append(f"{_name(deployed.name, task)}\nas ONNX")
    table = []
    for key, words, spec in (*task.list_figures(report), *_COSTS):
        for row in list_rows(report, [(key, words, spec)]):
            if with_onnx:
                served = deployed.figures.get(f"onnx_{key}")
                row.append("" if served is None else format_figure(served, spec))
            table.append(row)
    return Section(SIDE_BY_SIDE, header=header, table=table)


def _list_findings(report: Any, deployed: Deployed, task: Task) -> Iterator[str]:
    yield (
        f"{task.baseline.capitalize()}: the same student, trained without the teacher "
        "(the baseline)."
    )
    teacher, served = report.models["teacher"], "student"
    if deployed.name == "baseline":
        served = f"student on {task.baseline}"
    if deployed.onnx is not None:
        served += " as ONNX"
    ratios = describe_ratios(deployed.compare(teacher))
    yield f"The {served} against the teacher: {ratios}."
    for key in task.shares:
        yield describe_share(FIGURE_NAMES[key], report.share_recovered[key])
    if deployed.name == "baseline":
        losses = [report.models[m][task.loss] for m in ("baseline", "student")]
        first, second = (format(loss, task.spec) for loss in losses)
        yield (
            f"The student on {task.baseline} has the lower {task.loss_name} ({first} "
            f"against {second}), and was written; --distilled writes the distilled one."
        )


def _name(model: str, task: Task) -> str:
    return task.baseline if model == BASELINE else model


def _tell_use(options: Namespace, rows: Rows, path: Path) -> list[str]:
    """Return how the first file is served."""
    named = options.data is not None and isinstance(rows.X, np.ndarray)
    order = "  # an array, columns in the order of the file" if named else ""
    if rows.dates:
        order = "  # with the numbers of dates, as noted above"
    predict = f"  model.{rows.task.method}(rows){order}"
    if options.deployment == "onnx":
        return [
            "To use it, by ONNX Runtime:",
            f"  from skdistill.export import {rows.task.served}",
            f"  model = {rows.task.served}({str(options.out)!r})",
            predict,
        ]
    libraries = (name for name in _LIBRARIES if name.lower() in options.student)
    return [
        f"To use it, with {next(libraries, 'scikit-learn')} alone:",
        "  import joblib",
        f"  model = joblib.load({str(path)!r})",
        predict,
    ]


def describe_run(
    options: Namespace,
    rows: Rows,
    distilled: Any,
    report: Any,
    deployed: Deployed,
    candidates: list[Candidate],
) -> dict[str, Any]:
    """Return what `--json` writes: the run, and the report under "report"."""
    return {
        "data": rows.source,
        "test": None if options.test is None else str(options.test),
        "test_size": options.test_size,
        "target": options.target,
        "task": rows.task.name,
        "n_rows": len(rows.y),
        "notes": rows.notes,
        "n_features": distilled.n_features_in_,
        "seed": options.seed,
        "teacher_file": None if options.teacher is None else str(options.teacher),
        "student": options.student,
        "written": deployed.name,
        "student_file": str(options.out),
        "parameters": distilled.get_params(deep=False),
        "student_parameters": {
            # An estimator among them is no value; its own parameters are listed, too.
            name: value
            for name, value in distilled.student_.get_params().items()
            if isinstance(value, str | int | float | tuple | None)
        },
        "candidates": [
            {
                rows.task.loss if key == "loss" else key: value
                for key, value in asdict(found).items()
            }
            for found in candidates
        ],
        "report": report.to_dict(),
        "versions": {"skdistill": __version__, **list_versions(_PACKAGES)},
    }
