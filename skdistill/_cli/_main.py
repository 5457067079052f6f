"""The command line: a CSV file in, a report and a small model out."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from contextlib import redirect_stdout
from typing import Any

import joblib
from sklearn.frozen import FrozenEstimator

from .._files import write_files
from .._progress import show_progress
from ..inspection._report import encode_json
from ._budget_search import Candidate, search_students, strip_names
from ._deployed import choose_deployed, write_contents
from ._errors import Refusal, drop_parameters, one_line
from ._example import STUDENT as EXAMPLE_STUDENT
from ._example import make_teacher
from ._options import check_outputs, parse_options
from ._output import describe_run, format_screen, wrap_lines
from ._read_data import Rows, read_rows

#: What comes after the fit takes about this part of its time.
_REST = 0.7


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 2 (refused) or 130."""
    try:
        options = parse_options(argv)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            screen = _distil(options)
        _note_warnings(caught)
        print(screen)
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
    if options.data is None and teacher is None:
        teacher = make_teacher()
        options.student = options.student or EXAMPLE_STUDENT
    elif options.searches and teacher is None:
        rows = strip_names(rows)
    start = time.monotonic()
    try:
        distilled, candidates = _fit_distilled(options, rows, teacher)
        seconds = _REST * (time.monotonic() - start)
        _print_progress(
            "Fitting the student without the teacher, measuring all three: about "
            f"{seconds:.0f} s left."
        )
        report = rows.task.report(
            distilled,
            rows.X_test,
            rows.y_test,
            baseline="fit",
            train=(rows.X, rows.y),
            random_state=options.seed,
        )
        # The screen, the page and the record show them.
        report.warnings = list(map(drop_parameters, report.warnings))
        deployed = choose_deployed(options, distilled, report, rows)
        contents, missing = write_contents(options, deployed, report)
    except (ValueError, TypeError) as error:
        raise Refusal(one_line(error)) from error
    if options.json is not None:
        record = describe_run(options, rows, distilled, report, deployed, candidates)
        contents[options.json] = encode_json(record)
    try:
        write_files(contents)
    except OSError as error:
        raise Refusal(f"can't write to {error.filename}: {error.strerror}.") from error
    written = [path for path in contents if path != options.json]
    return format_screen(options, rows, report, deployed, candidates, written, missing)


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
    if reason := rows.task.explain_teacher(teacher):
        raise Refusal(f"the teacher in {path} {reason}.")
    try:
        getattr(teacher, rows.task.method)(rows.X_test[:1])
    except Exception as error:
        # As above: the model is the user's own.
        raise Refusal(
            f"the teacher in {path} can't predict rows of {rows.source}: "
            f"{one_line(error)}"
        ) from error
    return FrozenEstimator(teacher)


def _fit_distilled(
    options: argparse.Namespace, rows: Rows, teacher: Any
) -> tuple[Any, list[Candidate]]:
    """Return the distilled student and the candidates of a search.

    With a budget, `options.student` is set to the name of the student chosen.
    """
    distilled = rows.task.distilled(teacher, random_state=options.seed)
    if options.searches:
        distilled, candidates = search_students(distilled, rows, options, _fit_visibly)
        options.student = next(found.name for found in candidates if found.chosen)
        return distilled, candidates
    options.student = options.student or "mlp"
    make_student = rows.task.find_student(options.student)
    distilled.set_params(student=make_student(rows.X))
    _fit_visibly(distilled, rows)
    return distilled, []


def _fit_visibly(estimator: Any, rows: Rows) -> None:
    """Fit with a progress bar, or a line a step where rich is not installed."""
    show_progress(estimator)
    # The standard output is for the report alone.
    with redirect_stdout(sys.stderr):
        estimator.fit(rows.X, rows.y)


def _print_progress(line: str) -> None:
    print("\n".join(wrap_lines([line])), file=sys.stderr, flush=True)


def _describe_warning(warning: Warning) -> str:
    """Return its text, behind its category where that says more than UserWarning."""
    kind = "" if type(warning) is UserWarning else f"{type(warning).__name__}: "
    return kind + drop_parameters(one_line(warning))


def _note_warnings(caught: list[warnings.WarningMessage]) -> None:
    """Print one line for the warnings, without those of future changes."""
    future = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
    found = [w.message for w in caught if isinstance(w.message, Warning)]
    texts = {
        _describe_warning(warning): None
        for warning in found
        if not isinstance(warning, future) and "feature names" not in str(warning)
    }
    if texts:
        more = f" (and {len(texts) - 1} more)" if len(texts) > 1 else ""
        _print_progress(f"Note: {next(iter(texts))}{more}")
