"""The options of the command, and the checks that need no data."""

from __future__ import annotations

import argparse
import math
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from .._version import __version__
from ..export._libraries import import_for_onnx
from ._errors import Refusal, one_line
from ._students import STUDENTS, VALUE_STUDENTS

_HELP = """\
usage: skdistill [data.csv --target COLUMN] [options]  (or python -m skdistill)

Distils a slow, accurate model into a small, fast one, compares both with the
same student on the true labels, and writes the model and a report. Without a
file it takes a table that ships with the package.

  --task NAME       classification or regression; else numbers with fractions
                    or over 50 different ones are values, all others classes
  --teacher FILE    a fitted model (joblib) that you trust; else: fit one
  --student NAME    mlp (default), logistic (classes), linear (values), sgd,
                    tree, forest, extratrees, boosting, hist, lightgbm, xgboost,
                    catboost; or auto, the best of six
  --max-latency-us U, --max-bytes B    the best of these six inside this budget
  --test FILE       rows to test on; or --test-size F, a share (default 0.25)
  --drop NAME       leave a column out; --keep NAME: as it stands (both repeat)
  --distilled       write the distilled student, even if true labels are better
  --out FILE        default student.joblib, and student.onnx beside it; a budget
                    is that of the one named
  --report FILE     default report.html, beside the student
  --json FILE       write every figure to a file as well
  --no-onnx, --no-report    leave out these files
  --seed S, --version, --help

example: skdistill customers.csv --target churn --student auto --out churn.onnx
"""

#: Share of the rows of a CSV file that are tested on.
_TEST_SIZE = 0.25
#: Options that say something of a CSV file.
_OF_FILES = "target", "task", "test", "test_size", "drop", "keep"


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and whose help is ours."""

    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{message} (see skdistill --help)")

    def format_help(self) -> str:
        return _HELP


class _Once(argparse.Action):
    """Keep a value that is given once."""

    def __call__(self, parser: Any, options: Any, value: Any, flag: Any = None) -> None:
        first = getattr(options, self.dest)
        if first is not None:
            parser.error(f"{flag} is given twice: {first} and {value}")
        setattr(options, self.dest, value)


def _make_parser() -> _Parser:
    parser = _Parser(prog="skdistill", allow_abbrev=False)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--target", action=_Once)
    parser.add_argument("--task", choices=["auto", "classification", "regression"])
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--student", choices=[*(STUDENTS | VALUE_STUDENTS), "auto"])
    parser.add_argument("--max-latency-us", type=_number(float, 0, math.inf))
    parser.add_argument("--max-bytes", type=_number(int, 1, math.inf))
    parser.add_argument("--seed", type=_number(int, 0, 2**32), default=0)
    parser.add_argument("--test-size", type=_number(float, 0, 1))
    parser.add_argument("--test", type=Path)
    parser.add_argument("--drop", action="append", default=[])
    parser.add_argument("--keep", action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path("student.joblib"))
    parser.add_argument("--report", type=Path)
    parser.add_argument("--json", type=Path)
    for flag in ("--distilled", "--no-onnx", "--no-report"):
        parser.add_argument(flag, action="store_true")
    version = f"skdistill {__version__}"
    parser.add_argument("--version", action="version", version=version)
    return parser


def parse_options(argv: list[str] | None) -> argparse.Namespace:
    """Return the options, checked, and what follows from them."""
    parser = _make_parser()
    options = parser.parse_args(argv)
    if options.data is None and any(getattr(options, name) for name in _OF_FILES):
        parser.error(
            "--target, --task, --test, --test-size, --drop and --keep need a CSV file "
            "as the first argument"
        )
    if options.data is not None and options.target is None:
        parser.error(f"{options.data} needs --target, the column to predict")
    if options.test is not None and options.test_size is not None:
        parser.error("give either --test or --test-size, not both")
    budget = options.max_latency_us is not None or options.max_bytes is not None
    if budget and options.student not in (None, "auto"):
        parser.error("a budget chooses the student itself: leave out --student")
    out = options.out
    options.deployment = "onnx" if out.suffix == ".onnx" else "joblib"
    if options.no_onnx and options.deployment == "onnx":
        parser.error("--out names an ONNX file: leave out --no-onnx")
    options.searches = budget or options.student == "auto"
    # One of them is `--out`.
    options.pickle, options.onnx = out, out.parent / f"{out.stem}.onnx"
    if options.deployment == "onnx":
        options.pickle, options.onnx = out.with_suffix(".joblib"), out
    options.task = options.task or "auto"
    if options.data is not None and options.test is None:
        options.test_size = options.test_size or _TEST_SIZE
    options.report = options.report or out.parent / "report.html"
    return options


def _number(kind: type, low: float, high: float) -> Callable[[str], float]:
    """A reader of numbers below `high`: whole ones from `low` on, others above it."""
    what, bracket = ("a whole number", "[") if kind is int else ("a number", "(")

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if low < value < high or (kind is int and value == low):
            return value
        raise argparse.ArgumentTypeError(
            f"must be {what} in {bracket}{low}, {high}), received {text!r}"
        )

    return read


def check_outputs(options: argparse.Namespace) -> None:
    """Refuse before the work what could not be written after it."""
    if options.deployment == "onnx":
        try:
            import_for_onnx("onnx")
            import_for_onnx("onnxruntime")
        except ImportError as error:
            raise Refusal(one_line(error)) from error
    outputs = [options.pickle]
    if not options.no_onnx:
        outputs.append(options.onnx)
    if not options.no_report:
        outputs.append(options.report)
    if options.json is not None:
        outputs.append(options.json)
    given = (options.data, options.test, options.teacher)
    taken = {Path(os.path.realpath(path)) for path in given if path}
    for path in outputs:
        try:
            _check_output(path, taken)
        except OSError as error:
            raise Refusal(f"can't write to {path}: {error.strerror}.") from error


def _check_output(path: Path, taken: set[Path]) -> None:
    """Refuse a name that can't be written to; add it to those that are taken."""
    target = Path(os.path.realpath(path))
    if target in taken:
        raise Refusal(f"{path} is used twice; choose another name to write to.")
    taken.add(target)
    if not path.parent.is_dir():
        raise Refusal(f"can't write to {path}: no folder {path.parent}.")
    # pathlib takes a name that is too long for a file that does not exist.
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Refusal(f"can't write to {path}: it is not a file.")
        if not os.access(path, os.W_OK):
            raise Refusal(f"can't write to {path}: it is read-only.")
    if path.is_symlink() and not path.exists():
        raise Refusal(f"can't write to {path}: it is a link to nothing.")
    # Asking for permissions is not enough: disks are mounted read-only.
    tempfile.TemporaryFile(dir=target.parent).close()
