"""The command line: a CSV file in, one comparison and one small model out."""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from .._classifier import DistilledClassifier
from .._progress import raise_interrupts, show_progress
from ..inspection._measure import (
    BASELINE,
    DISTILLED,
    TEACHER,
    Comparison,
    Figures,
    compare_models,
    dump_bytes,
    encode_json,
    format_report,
    list_versions,
    measure_models,
    select_plain,
)
from ._budget import Pilot, format_pilots, has_budget, search_students, strip_names
from ._csv import Refusal, Rows, one_line, read_rows
from ._students import STUDENTS

_HELP = """\
usage: python -m skdistill [data.csv --target COLUMN] [options]
Distils a slow, accurate classifier into a small, fast one, compares the two, and
writes a model that scikit-learn alone loads. Without a file: a bundled example.
  --teacher FILE   a fitted classifier (joblib) that you trust; default: fit one
  --student NAME   mlp (default), logistic, tree, forest or lightgbm
  --max-latency-us U, --max-bytes B   instead: the best inside this budget of
                   logistic, tree, mlp-16, mlp-32, mlp-64-32, lightgbm-50x7
  --temperature T, --alpha A, --cv K, --seed S   as in DistilledClassifier
  --test-size F    share of rows kept to test on (default 0.25); or --test FILE
  --out FILE       where the student goes (default student.joblib)
  --json FILE      write every figure to a file as well
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 2 (refused) or 130."""
    try:
        options = _parse_options(argv)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            # The student on hard labels is fitted outside of DistilledClassifier.
            with raise_interrupts():
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
    """The whole job; the files are written last, and the report returned."""
    _check_outputs(options)
    rows = read_rows(options)
    teacher = None if options.teacher is None else _load_teacher(options, rows)
    if has_budget(options) and teacher is None:
        rows = strip_names(rows)
    distilled, pilots = _fit_distilled(options, rows, teacher)
    models = {
        TEACHER: distilled.teacher_ if teacher is None else teacher.estimator,
        BASELINE: _fit_baseline(distilled, rows),
        DISTILLED: distilled.student_,
    }
    _say("Measuring the three models on the test rows.")
    figures = measure_models(models, rows.X_test, rows.y_test, distilled.classes_)
    comparison = compare_models(figures)
    contents = {options.out: dump_bytes(distilled.student_)}
    if options.json is not None:
        record = _describe_run(options, rows, distilled, figures, comparison)
        record["candidates"] = [asdict(pilot) for pilot in pilots]
        contents[options.json] = encode_json(record)
    _write_files(contents)
    return "\n".join(
        [
            _format_title(options, rows),
            format_report(figures, comparison),
            *format_pilots(pilots, options, figures[DISTILLED]),
            _format_outputs(options, rows),
        ]
    )


# Options


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and whose help is ours."""

    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{message} (see python -m skdistill --help)")

    def format_help(self) -> str:
        return _HELP


def _parse_options(argv: list[str] | None) -> argparse.Namespace:
    parser = _Parser(prog="python -m skdistill", allow_abbrev=False)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--target")
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--student", choices=sorted(STUDENTS))
    parser.add_argument("--max-latency-us", type=_number(float, 0, math.inf, "()"))
    parser.add_argument("--max-bytes", type=_number(int, 1, math.inf, "[)"))
    parser.add_argument("--temperature", type=_number(float, 0, math.inf, "()"))
    parser.add_argument("--alpha", type=_number(float, 0, 1, "[]"))
    parser.add_argument("--cv", type=_number(int, 2, math.inf, "[)"))
    parser.add_argument("--seed", type=_number(int, 0, 2**32, "[)"), default=0)
    parser.add_argument("--test-size", type=_number(float, 0, 1, "()"))
    parser.add_argument("--test", type=Path)
    parser.add_argument("--out", type=Path, default=Path("student.joblib"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    if options.data is None and (options.target or options.test):
        parser.error("--target and --test need a CSV file as the first argument")
    if options.data is not None and options.target is None:
        parser.error(f"{options.data} needs --target, the column to predict")
    if options.test is not None and options.test_size is not None:
        parser.error("give either --test or --test-size, not both")
    if options.teacher is not None and options.cv is not None:
        parser.error("--cv refits the teacher, and --teacher is never refitted")
    if has_budget(options) and options.student is not None:
        parser.error("a budget chooses the student itself: leave out --student")
    options.test_size = options.test_size or 0.25
    return options


def _number(
    kind: type, low: float, high: float, brackets: str
) -> Callable[[str], float]:
    """A reader of numbers in an interval; round brackets leave the end out."""
    what = "a whole number" if kind is int else "a number"

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        above = value >= low if brackets[0] == "[" else value > low
        below = value <= high if brackets[1] == "]" else value < high
        if above and below:
            return value
        interval = f"{brackets[0]}{low}, {high}{brackets[1]}"
        raise argparse.ArgumentTypeError(
            f"must be {what} in {interval}, received {text!r}"
        )

    return read


def _check_outputs(options: argparse.Namespace) -> None:
    """Refuse before the work what could not be written after it."""
    outputs = [path for path in (options.out, options.json) if path is not None]
    taken = {p.resolve() for p in (options.data, options.test, options.teacher) if p}
    for path in outputs:
        if path.resolve() in taken:
            raise Refusal(f"{path} is used twice; choose another name to write to.")
        taken.add(path.resolve())
        if path.exists() and not path.is_file():
            raise Refusal(f"can't write to {path}: it is not a file.")
        if not path.parent.is_dir():
            raise Refusal(f"can't write to {path}: no folder {path.parent}.")
        try:
            # Asking for permissions is not enough: disks are mounted read-only.
            tempfile.TemporaryFile(dir=path.parent).close()
        except OSError as error:
            raise Refusal(f"can't write to {path}: {error.strerror}.") from error


# Models


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
) -> tuple[DistilledClassifier, list[Pilot]]:
    """The distilled student; with a budget, the best inside of it and all tried.

    `options.student` holds its name afterwards.
    """
    given = {name: getattr(options, name) for name in ("temperature", "alpha", "cv")}
    given = {name: value for name, value in given.items() if value is not None}
    distilled = DistilledClassifier(teacher, random_state=options.seed, **given)
    try:
        if has_budget(options):
            distilled, pilots = search_students(distilled, rows, options, _fit_visibly)
            options.student = next(pilot.name for pilot in pilots if pilot.chosen)
            return distilled, pilots
        options.student = options.student or "mlp"
        distilled.set_params(student=STUDENTS[options.student](rows.X))
        _fit_visibly(distilled, rows)
    except (ValueError, TypeError) as error:
        raise Refusal(one_line(error)) from error
    return distilled, []


def _fit_baseline(distilled: DistilledClassifier, rows: Rows) -> Any:
    """The same student on the true labels.

    It is fitted as the student comes, with the same seeds: a network that stops
    early does so on its own validation rows, in both.
    """
    _say("Fitting the same student on the true labels, to compare.")
    try:
        return clone(distilled.student_).fit(rows.X, rows.y)
    except (ValueError, TypeError) as error:
        raise Refusal(one_line(error)) from error


def _fit_visibly(estimator: Any, rows: Rows) -> None:
    """Fit with a progress bar, or a line a step where rich is not installed."""
    show_progress(estimator)
    # The report alone belongs on the standard output.
    with redirect_stdout(sys.stderr):
        estimator.fit(rows.X, rows.y)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _note_warnings(caught: list[warnings.WarningMessage]) -> None:
    """One line for what the libraries warned of; their own plans are left out."""
    plans = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
    texts = {
        f"{warning.category.__name__}: {one_line(warning.message, 120)}": None
        for warning in caught
        if isinstance(warning.message, Warning)
        and not issubclass(warning.category, plans)
        and "feature names" not in str(warning.message)
    }
    if texts:
        more = f" (and {len(texts) - 1} more)" if len(texts) > 1 else ""
        _say(f"Note: {next(iter(texts))}{more}")


# Results


def _format_title(options: argparse.Namespace, rows: Rows) -> str:
    lines = [
        "",
        f"{rows.source}: {len(rows.y):,} rows to learn from, {len(rows.y_test):,} to "
        f"test on, seed {options.seed}",
    ]
    if options.teacher is not None:
        lines.append(
            "The teacher came already fitted. If it learned from the test rows, its "
            "scores\nare optimistic: name rows that it never saw with --test."
        )
    return "\n".join([*lines, ""])


def _format_outputs(options: argparse.Namespace, rows: Rows) -> str:
    library = "LightGBM" if "lightgbm" in options.student else "scikit-learn"
    named = options.data is not None and isinstance(rows.X, np.ndarray)
    lines = [
        "",
        f"Wrote the distilled student to {options.out}.",
        f"To use it, with {library} alone:",
        "  import joblib",
        f"  model = joblib.load({str(options.out)!r})",
        "  model.predict_proba(rows)"
        + ("  # an array, columns in the order of the file" if named else ""),
    ]
    if options.json is not None:
        lines.append(f"Wrote every figure to {options.json}.")
    return "\n".join(lines)


def _describe_run(
    options: argparse.Namespace,
    rows: Rows,
    distilled: DistilledClassifier,
    figures: dict[str, Figures],
    comparison: Comparison,
) -> dict[str, Any]:
    """Everything that `--json` writes."""
    models = {name: asdict(figure) for name, figure in figures.items()}
    for model in models.values():
        del model["correct"]
    return {
        "data": rows.source,
        "test": None if options.test is None else str(options.test),
        "test_size": None if options.test is not None else options.test_size,
        "target": options.target,
        "n_rows": len(rows.y),
        "n_test_rows": len(rows.y_test),
        "n_features": distilled.n_features_in_,
        "classes": distilled.classes_.tolist(),
        "seed": options.seed,
        "teacher_file": None if options.teacher is None else str(options.teacher),
        "student": options.student,
        "student_file": str(options.out),
        "parameters": distilled.get_params(deep=False),
        "student_parameters": select_plain(distilled.student_.get_params()),
        "models": models,
        "comparison": asdict(comparison),
        "versions": list_versions(),
    }


def _write_files(contents: dict[Path, bytes]) -> None:
    """Write all files or none: each beside its place first, then moved there."""
    beside = {
        path: path.resolve().with_name(f".{path.name}.{os.getpid()}.part")
        for path in contents
    }
    try:
        for path, content in contents.items():
            beside[path].write_bytes(content)
        for path, part in beside.items():
            os.replace(part, path.resolve())
    except OSError as error:
        raise Refusal(f"can't write to {path}: {error.strerror}.") from error
    finally:
        for part in beside.values():
            part.unlink(missing_ok=True)
