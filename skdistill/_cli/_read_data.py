"""The rows of a run: from a CSV file, or a bundled example."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.utils.multiclass import type_of_target

from ._errors import Refusal, one_line

#: Rows to learn from, for each class: fewer do not allow for early stopping.
_MIN_ROWS_PER_CLASS = 10
#: More values than this in a column of decimal numbers are not classes.
_MAX_FLOAT_CLASSES = 50


@dataclass(frozen=True)
class Rows:
    """Rows to learn from and rows to test on."""

    source: str
    X: Any
    y: NDArray[Any]
    X_test: Any
    y_test: NDArray[Any]


def read_rows(options: Namespace) -> Rows:
    if options.data is None:
        X, y = datasets.load_digits(return_X_y=True)
        return _split_rows(options, "digits, from scikit-learn", X, y)
    X, y = _read_table(options.data, options.target)
    if all(X[name].nunique(dropna=False) <= 1 for name in X.columns):
        raise Refusal(f"every column of {options.data} is constant: nothing to learn.")
    if options.test is None:
        return _split_rows(options, str(options.data), X, y)
    X_test, y_test = _read_test(options, X, y)
    _check_enough(y, str(options.data))
    return Rows(str(options.data), X, y, X_test, y_test)


def _split_rows(options: Namespace, source: str, X: Any, y: NDArray[Any]) -> Rows:
    try:
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=options.test_size, stratify=y, random_state=options.seed
        )
    except ValueError as error:
        raise Refusal(f"too few rows to test on: {one_line(error)}") from error
    _check_enough(y_train, source)
    return Rows(source, X_train, y_train, X_test, y_test)


def _check_enough(y: NDArray[Any], source: str) -> None:
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        raise Refusal(
            f"every label of {source} is {classes.tolist()[0]!r}; there must be two "
            "classes or more."
        )
    least = _MIN_ROWS_PER_CLASS * len(classes)
    if len(y) < least:
        raise Refusal(
            f"{source} leaves {len(y)} rows to learn from; {len(classes)} classes need "
            f"at least {least}."
        )
    if counts.min() < 2:
        rare = classes.tolist()[counts.argmin()]
        raise Refusal(
            f"class {rare!r} of {source} has one row to learn from; leave it out, or "
            "add rows of it."
        )


def _read_table(path: Path, target: str, dtype: Any = None) -> tuple[Any, NDArray[Any]]:
    """Features as a frame and labels as an array, both fit for classification."""
    frame = _read_csv(path, dtype)
    if target not in frame.columns:
        raise Refusal(f"{path} has no column {target!r}; it has {_list(frame)}.")
    X, column = frame.drop(columns=target), frame[target]
    if not len(frame) or not len(X.columns):
        missing = "columns beside the target" if len(frame) else "rows"
        raise Refusal(f"{path} has no {missing}.")
    n_missing = int(column.isna().sum())
    if n_missing:
        raise Refusal(
            f"the target {target!r} is missing in {n_missing} rows of {path}; leave "
            "them out."
        )
    # pandas' own types of text would make the student's file depend on pandas.
    y = column.to_numpy()
    y = y if y.dtype.kind in "iufb" else np.array([str(label) for label in y])
    _check_labels(y, target, path)
    return X, y


def _check_labels(y: NDArray[Any], target: str, path: Path) -> None:
    n_classes = len(np.unique(y))
    if type_of_target(y) == "continuous" or (
        y.dtype.kind == "f" and n_classes > _MAX_FLOAT_CLASSES
    ):
        raise Refusal(
            f"the target {target!r} of {path} is continuous ({n_classes} values); only "
            "classes can be distilled. Bin it, or name another column."
        )


def _read_csv(path: Path, dtype: Any = None) -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise Refusal(
            'reading a CSV file needs pandas: pip install "skdistill[cli]".'
        ) from error
    try:
        # The whole of a column decides its type, not a chunk of it.
        frame = pd.read_csv(path, low_memory=False, dtype=dtype)
    except OSError as error:
        raise Refusal(f"can't read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise Refusal(f"{path} is not text in UTF-8; save it as such.") from error
    except pd.errors.EmptyDataError as error:
        raise Refusal(f"{path} is empty.") from error
    except ValueError as error:
        raise Refusal(f"{path} is not a CSV file: {one_line(error)}") from error
    if not isinstance(frame.index, pd.RangeIndex):
        # pandas takes the first fields for names of rows, and shifts the others.
        raise Refusal(f"{path} has rows with more fields than its first line names.")
    return frame


def _read_test(options: Namespace, X: Any, y: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
    """The rows of `--test`, with the columns and types of the training file."""
    from pandas.api.types import is_numeric_dtype

    numeric = [name for name in X.columns if is_numeric_dtype(X[name])]
    text = dict.fromkeys(X.columns.difference(numeric), str)
    if y.dtype.kind == "U":
        text[options.target] = str
    X_test, y_test = _read_table(options.test, options.target, text)
    absent = X.columns.difference(X_test.columns)
    if len(absent):
        raise Refusal(
            f"{options.test} lacks columns of {options.data}: {list(absent)}."
        )
    for name in numeric:
        if not is_numeric_dtype(X_test[name]):
            raise Refusal(
                f"column {name!r} holds numbers in {options.data}, and text in "
                f"{options.test}."
            )
    unknown = sorted(set(y_test.tolist()) - set(y.tolist()), key=str)
    if unknown:
        raise Refusal(f"{options.test} has labels {options.data} lacks: {unknown}.")
    return X_test[X.columns], y_test


def _list(frame: Any) -> str:
    """The first few columns, for an error."""
    names = [str(name) for name in frame.columns]
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
