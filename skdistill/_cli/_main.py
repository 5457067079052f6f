"""The command line: a CSV file in, a report and a small model out."""

from __future__ import annotations

import argparse
import sys
import warnings
from contextlib import redirect_stdout
from typing import Any

import joblib
from sklearn.frozen import FrozenEstimator

from .._classifier import DistilledClassifier
from .._files import write_files
from .._progress import show_progress
from ..inspection import distillation_report
from ..inspection._json import encode_json
from ..metrics._costs import dump_deployed
from ._budget_search import (
    Candidate,
    has_budget,
    name_deployment,
    search_students,
    strip_names,
)
from ._errors import Refusal, one_line
from ._options import check_outputs, parse_options
from ._output import describe_run, format_output
from ._read_data import Rows, read_rows
from ._students import STUDENTS


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 2 (refused) or 130."""
    try:
        options = parse_options(argv)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            report = _distil(options)
        _note_warnings(caught)
        print(report)
    except Refusal as refusal:
        print(f"skdistill: error: {refusal}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("skdistill: interrupted, nothing was written.", file=sys.stderr)
        return 130
    return 0


def _distil(options: argparse.Namespace) -> str:
    """Run the whole job, write the files at its end, and return what to print."""
    check_outputs(options)
    rows = read_rows(options)
    for note in rows.notes:
        _print_progress(f"Note: {note}")
    teacher = None if options.teacher is None else _load_teacher(options, rows)
    if has_budget(options) and teacher is None:
        rows = strip_names(rows)
    try:
        distilled, candidates = _fit_distilled(options, rows, teacher)
        _print_progress("Fitting the same student on the true labels, and comparing.")
        report = distillation_report(
            distilled,
            rows.X_test,
            rows.y_test,
            baseline="fit",
            train=(rows.X, rows.y),
            random_state=options.seed,
        )
        content = dump_deployed(distilled, name_deployment(options), rows.X)
    except (ValueError, TypeError) as error:
        raise Refusal(one_line(error)) from error
    contents = {options.out: content}
    if options.json is not None:
        record = describe_run(options, rows, distilled, report, candidates)
        contents[options.json] = encode_json(record)
    try:
        write_files(contents)
    except OSError as error:
        raise Refusal(f"can't write to {error.filename}: {error.strerror}.") from error
    return format_output(options, rows, report, candidates)


def _load_teacher(options: argparse.Namespace, rows: Rows) -> FrozenEstimator:
    path = options.teacher
    if not path.is_file():
        raise Refusal(f"no teacher file {path}.")
    try:
        teacher = joblib.load(path)
    except Exception as error:
        # Unpickling runs what the file says, and may raise anything.
        raise Refusal(
            f"can't load the teacher {path}: {type(error).__name__}: {one_line(error)}"
        ) from error
    if not hasattr(teacher, "predict_proba") or not hasattr(teacher, "fit"):
        raise Refusal(f"the teacher in {path} is no classifier with predict_proba.")
    try:
        teacher.predict_proba(rows.X_test[:1])
    except Exception as error:
        # As above: the model is the user's own.
        raise Refusal(
            f"the teacher in {path} can't predict rows of {rows.source}: "
            f"{one_line(error)}"
        ) from error
    return FrozenEstimator(teacher)


def _fit_distilled(
    options: argparse.Namespace, rows: Rows, teacher: FrozenEstimator | None
) -> tuple[DistilledClassifier, list[Candidate]]:
    """Return the distilled student and the candidates of a search.

    With a budget, `options.student` is set to the name of the student chosen.
    """
    given = {name: getattr(options, name) for name in ("temperature", "alpha", "cv")}
    given = {name: value for name, value in given.items() if value is not None}
    distilled = DistilledClassifier(teacher, random_state=options.seed, **given)
    if has_budget(options):
        distilled, candidates = search_students(distilled, rows, options, _fit_visibly)
        options.student = next(found.name for found in candidates if found.chosen)
        return distilled, candidates
    options.student = options.student or "mlp"
    distilled.set_params(student=STUDENTS[options.student](rows.X))
    _fit_visibly(distilled, rows)
    return distilled, []


def _fit_visibly(estimator: Any, rows: Rows) -> None:
    """Fit with a progress bar, or a line a step where rich is not installed."""
    show_progress(estimator)
    # The standard output is for the report alone.
    with redirect_stdout(sys.stderr):
        estimator.fit(rows.X, rows.y)


def _print_progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _note_warnings(caught: list[warnings.WarningMessage]) -> None:
    """Print one line for the warnings, without those of future changes."""
    future = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
    texts = {
        f"{warning.category.__name__}: {one_line(warning.message, 120)}": None
        for warning in caught
        if isinstance(warning.message, Warning)
        and not issubclass(warning.category, future)
        and "feature names" not in str(warning.message)
    }
    if texts:
        more = f" (and {len(texts) - 1} more)" if len(texts) > 1 else ""
        _print_progress(f"Note: {next(iter(texts))}{more}")
