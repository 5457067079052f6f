"""The rows of a run: from a CSV file, or a bundled example."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from .._copies import count_copies, find_copies
from .._dataset import keep_together
from .._frames import find_kinds
from .._sklearn import _safe_indexing
from .._typing import AnyArray, IndexArray
from ._columns import LARGEST, Columns, choose_columns, take_columns
from ._errors import Refusal, one_line
from ._example import SOURCE, split_example
from ._read_csv import CsvFile, read_csv
from ._task import CLASSES, VALUES, Task, choose_task
from ._written_numbers import WRITE_NUMBERS, describe_labels, note_points

#: Rows to learn from, for each class, or for values: fewer do not allow for early
#: stopping.
_MIN_ROWS_PER_CLASS, _MIN_ROWS = 10, 20


@dataclass(frozen=True)
class Rows:
    """Rows to learn from and rows to test on, and what the user should know of them."""

    source: str
    X: Any
    y: AnyArray
    X_test: Any
    y_test: AnyArray
    task: Task = CLASSES
    notes: list[str] = field(default_factory=list)
    dates: tuple[str, ...] = ()


def read_rows(options: Namespace) -> Rows:
    if options.data is None:
        X, X_test, y, y_test = split_example(options.seed)
        return Rows(SOURCE, X, y, X_test, y_test)
    file, table, y = _read_table(options, options.data)
    task, notes = choose_task(options, y)
    columns = choose_columns(table, options)
    X = take_columns(table, columns, options.data)
    if all(X[name].nunique(dropna=False) <= 1 for name in X.columns):
        raise Refusal(f"every column of {options.data} is constant: nothing to learn.")
    if options.test is None:
        rows, found = _split_rows(options, str(options.data), X, y, task)
    else:
        X_test, y_test = _read_test(options, columns, file, y, task)
        rows = Rows(str(options.data), X, y, X_test, y_test)
        found = _find_known(options, X, X_test)
    (_check_values if task is VALUES else _check_classes)(rows.y, rows.source)
    known = {options.target, *columns.kinds}
    notes += note_points(file.thousands, file.doubtful, known) + columns.notes + found
    return replace(rows, task=task, notes=notes, dates=tuple(columns.dates))


def _split_rows(
    options: Namespace, source: str, X: Any, y: AnyArray, task: Task
) -> tuple[Rows, list[str]]:
    """Return rows to learn from and to test on, and a note where some are copies."""
    groups = find_copies(X)

    def draw(rows: IndexArray) -> list[Any]:
        given = {"test_size": options.test_size, "random_state": options.seed}
        strata = None if task is VALUES else y[rows]
        return [train_test_split(np.arange(len(rows)), stratify=strata, **given)]

    try:
        train, test = keep_together(draw, len(y), groups)[0]
    except ValueError as error:
        if task is not VALUES:
            _check_counts(y, source)
        hint = "" if task is VALUES else _hint(y)
        raise Refusal(f"too few rows to test on{hint}: {one_line(error)}") from error
    parts = (_safe_indexing(X, train), y[train], _safe_indexing(X, test), y[test])
    notes = []
    if groups is not None:
        n_more = len(y) - int(groups.max()) - 1
        notes = [
            f"{n_more} of {len(y)} rows of {source} repeat others in every column but "
            "the target; the rows to test on repeat none to learn from."
        ]
    return Rows(source, *parts), notes


def _find_known(options: Namespace, X: Any, X_test: Any) -> list[str]:
    """Return a note where rows of `--test` are rows to learn from."""
    n_known = count_copies(X, X_test)
    if not n_known:
        return []
    return [
        f"{n_known} of {len(X_test)} rows of {options.test} are also in "
        f"{options.data}, so that the figures are too good; leave them out of one."
    ]


def _check_values(y: AnyArray, source: str) -> None:
    if y.min() == y.max():
        raise Refusal(f"every value of the target of {source} is {y[0]}.")
    if len(y) < _MIN_ROWS:
        raise Refusal(
            f"{source} leaves {len(y)} rows to learn from; values need at least "
            f"{_MIN_ROWS}."
        )


def _check_classes(y: AnyArray, source: str) -> None:
    classes = np.unique(y)
    if len(classes) < 2:
        raise Refusal(
            f"every label of {source} is {classes.tolist()[0]!r}; there must be two "
            "classes or more."
        )
    least = _MIN_ROWS_PER_CLASS * len(classes)
    if len(y) < least:
        raise Refusal(
            f"{source} leaves {len(y)} rows to learn from; {len(classes)} classes need "
            f"at least {least}{_hint(y)}."
        )
    _check_counts(y, source)


def _check_counts(y: AnyArray, source: str) -> None:
    """Refuse classes of one row."""
    classes, counts = np.unique(y, return_counts=True)
    if 2 * len(classes) > len(y):
        raise Refusal(
            f"the target of {source} holds {len(classes)} different labels in "
            f"{len(y)} rows, too many to be classes"
            f"{_hint(y) or '; name another column'}."
        )
    if counts.min() < 2:
        rare = classes.tolist()[counts.argmin()]
        raise Refusal(
            f"class {rare!r} of {source} has one row to learn from; leave it out, or "
            f"add rows of it{_hint(y)}."
        )


def _hint(y: AnyArray) -> str:
    if y.dtype.kind in "iuf":
        return "; --task regression learns values"
    looks = describe_labels(y)
    return f"; it {looks}{WRITE_NUMBERS}, which are learned as values" if looks else ""


def _read_table(
    options: Namespace, path: Path, **known: Any
) -> tuple[CsvFile, Any, AnyArray]:
    """The file, features as a frame, and the target as an array."""
    target = options.target
    file = read_csv(path, target, **known)
    frame, text = file.frame, file.labels
    X, column = frame.drop(columns=target), frame[target]
    if not len(frame) or not len(X.columns):
        missing = "columns beside the target" if len(frame) else "rows"
        raise Refusal(f"{path} has no {missing}.")
    if options.task != VALUES.name and not _holds_numbers(column, text):
        # "NA" and "None" are names of classes, too.
        column = text.where(text.str.strip() != "")
    n_missing = int(column.isna().sum())
    if n_missing:
        raise Refusal(
            f"the target {target!r} is missing in {n_missing} rows of {path}; leave "
            "them out."
        )
    # pandas' own types of text would make the student's file depend on pandas.
    y = column.to_numpy()
    y = y if y.dtype.kind in "iufb" else np.array([str(label) for label in y])
    if y.dtype.kind == "f" and (large := np.abs(y) > LARGEST).any():
        raise Refusal(
            f"the target {target!r} of {path} is infinite or beyond {LARGEST:.2g} in "
            f"{large.sum()} rows; leave them out."
        )
    return file, X, y


def _holds_numbers(column: Any, text: Any) -> bool:
    """Whether labels are numbers or booleans; 007 is text."""
    kind = getattr(column.dtype, "kind", "O")
    zeros = text.str.match(r"\s*[+-]?0\d").any()
    return kind in "iufb" and bool(column.notna().any()) and not zeros


def _read_test(
    options: Namespace, columns: Columns, file: CsvFile, y: AnyArray, task: Task
) -> tuple[Any, AnyArray]:
    """The rows of `--test`, with the columns and types of the training file."""
    path, kinds = options.test, columns.kinds
    # A column of text that happens to hold numbers alone stays text.
    text = {name for name, kind in kinds.items() if kind == "string"}
    if y.dtype.kind == "U":
        text.add(options.target)
    _, X_test, y_test = _read_table(options, path, text=text, known=file)
    numbers = "number", "boolean"
    for name, found in find_kinds(X_test.dropna(axis=1, how="all")).items():
        kind = kinds.get(name)
        if kind in numbers and found not in numbers:
            raise Refusal(
                f"column {name!r} holds {kind}s in {options.data}, and text in {path}."
            )
    if task is VALUES and y_test.dtype.kind not in "iuf":
        raise Refusal(
            f"the target {options.target!r} holds numbers in {options.data}, and "
            f"others, such as {y_test[0]!s}, in {path}."
        )
    unknown = sorted(set(y_test.tolist()) - set(y.tolist()), key=str)
    if unknown and task is CLASSES:
        raise Refusal(f"{path} has labels {options.data} lacks: {unknown}.")
    return take_columns(X_test, columns, path), y_test
