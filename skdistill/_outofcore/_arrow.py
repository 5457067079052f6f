"""Parquet and CSV files and pyarrow Datasets, read in batches of X's own kind.

Columns are compared file by file, because pyarrow fills a missing one with nulls and
leaves an extra one out. Types are compared as Arrow's, in which the same text may be
plain or a dictionary, and values arrive in X's own types. A CSV file has no types: its
text is read as the types of X.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

try:
    import pyarrow
    from pyarrow import csv, dataset, types
except ImportError as error:
    raise ImportError(
        "X_unlabeled as a path needs pyarrow, which is not installed: pip install "
        "pyarrow. Or pass an iterable of chunks."
    ) from error

from .._frames import (
    check_categories,
    check_names,
    count_columns,
    is_pandas,
    is_polars,
    list_categories,
    refuse_empty,
)
from ._chunks import Read, count_block_rows

_FORMATS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv"}


def open_path(path: Any, X: Any) -> Read:
    """Return a reader of a file, or of every file of a folder, in sorted order."""
    files = _list_files(Path(os.fspath(path)))
    formats = {_FORMATS[file.suffix.lower()] for file in files}
    if len(formats) > 1:
        raise ValueError(
            f"X_unlabeled must be files of one format, received Parquet and CSV in "
            f"{path}. Pass one of the two, or a pyarrow Dataset."
        )
    schema = _Schema(X)
    reader: Any = formats.pop()
    if reader == "csv":
        reader = _read_text_as(schema, files[0])

    def read() -> Iterator[tuple[str, Any]]:
        # One dataset a file: pyarrow would check the first of several files alone.
        for file in files:
            with _explain(file.name, schema):
                opened = dataset.dataset(str(file), format=reader)
            yield from _read_fragments(opened, schema, file.name)

    return read


def open_dataset(opened: Any, X: Any) -> Read:
    """Return a reader of a pyarrow Dataset."""
    schema = _Schema(X)
    return lambda: _read_fragments(opened, schema, "")


def _list_files(path: Path) -> list[Path]:
    if not path.exists():
        raise FileNotFoundError(
            f"X_unlabeled must be a file or folder that exists, received {str(path)!r}."
            " Pass a local path; for other storage, a pyarrow Dataset."
        )
    found = [path]
    if path.is_dir():
        # Hidden files and the marker files of Spark hold no rows.
        found = [f for f in sorted(path.rglob("*")) if f.name[0] not in "._"]
    files = [file for file in found if file.suffix.lower() in _FORMATS]
    if not files:
        raise ValueError(
            "X_unlabeled must be a .parquet or .csv file, or a folder with such files; "
            f"received {str(path)!r}. Pass a pyarrow Dataset for other formats."
        )
    return files


class _Schema:
    """Names and Arrow types of the columns of X, and the way back to X's kind.

    Where X is an array, the first file gives the names.
    """

    def __init__(self, X: Any) -> None:
        self.n_rows, self.n_columns = count_block_rows(X), count_columns(X)
        self.dtype = X.dtype if isinstance(X, np.ndarray) else None
        self.is_pandas = is_pandas(X)
        #: Makes an Arrow table rows in X's own kind and types.
        self.convert = self._to_frame if self.dtype is None else self._to_array
        self.names: list[str] | None = None
        self.types: dict[str, Any] = {}
        if self.dtype is None:
            self.adopt(_read_schema(X))
            self.names = list(X.columns)
            self.dtypes = dict(zip(X.columns, X.dtypes, strict=True))

    def check(self, received: Any, where: str) -> None:
        """Raise unless a file has the columns of X, and their types."""
        if self.names is None:
            self.adopt_first(received, where)
        check_names(received.names, self.names or [], where)
        for field in received:
            expected = self.types[field.name]
            if not _is_alike(_strip(field.type), expected):
                raise TypeError(
                    f"{where} must have the types of X; column {field.name!r} is "
                    f"{expected} there, received {_strip(field.type)}. Convert it, and "
                    "write the file anew."
                )

    def adopt_first(self, received: Any, where: str) -> None:
        """Take the names and types of the first file, because X is an array."""
        if len(received.names) != self.n_columns:
            raise ValueError(
                f"{where} must have the {self.n_columns} columns of X, received "
                f"{len(received.names)}: {received.names[:10]}. Write those columns, "
                "in the order of X."
            )
        self.adopt(received)

    def adopt(self, schema: Any) -> None:
        self.names = list(schema.names)
        self.types = {field.name: _strip(field.type) for field in schema}

    def _to_array(self, table: Any, where: str) -> Any:
        rows = np.empty((table.num_rows, self.n_columns), dtype=self.dtype)
        for j, name in enumerate(table.column_names):
            values = table.column(j).to_numpy()
            alike = np.can_cast(values.dtype, rows.dtype, "same_kind")
            if not alike and rows.dtype.kind != "O":
                raise _refuse_values(where, name, rows.dtype, values.dtype)
            rows[:, j] = values
        return rows

    def _to_frame(self, table: Any, where: str) -> Any:
        if self.is_pandas:
            frame = table.to_pandas(ignore_metadata=True)
        else:
            import polars

            frame = polars.from_arrow(table)
        for name, dtype in self.dtypes.items():
            column = frame[name]
            if column.dtype == dtype:
                continue
            known = list_categories(dtype)
            if known is not None:
                present = nw.from_native(column, series_only=True).drop_nulls()
                check_categories(present.unique().to_list(), known, name, where)
            try:
                if self.is_pandas:
                    frame[name] = column.astype(dtype)
                else:
                    frame = frame.with_columns(column.cast(dtype))
            # Each library has errors of its own.
            except Exception as error:
                raise _refuse_values(where, name, dtype, error) from error
        return frame


def _read_schema(X: Any) -> Any:
    """Return the Arrow schema of a data frame."""
    if is_polars(X):
        return X.head(0).to_arrow().schema
    if not is_pandas(X):
        raise TypeError(
            "Files and Datasets hold columns, which become an array or a dataframe; "
            f"received X as a {type(X).__name__}. Pass X as one of those, or "
            "X_unlabeled as an iterable of chunks of X's kind."
        )
    try:
        # Columns of objects have the type of what they hold.
        return pyarrow.Schema.from_pandas(X, preserve_index=False)
    except pyarrow.ArrowException as error:
        raise TypeError(
            "X_unlabeled as files needs columns of one type each in X; received "
            f"{error}. Convert them, or pass an iterable of chunks."
        ) from error


def _read_fragments(
    opened: Any, schema: _Schema, name: str
) -> Iterator[tuple[str, Any]]:
    """Yield the batches of every file of a Dataset."""
    for number, fragment in enumerate(opened.get_fragments()):
        file = name or Path(getattr(fragment, "path", "") or f"part {number}").name
        with _explain(file, schema):
            found = fragment.physical_schema
        # Columns that partitioning takes from names of folders are in no file.
        keys = dataset.get_partition_keys(fragment.partition_expression)
        index = (found.pandas_metadata or {}).get("index_columns", [])
        fields = [field for field in found if field.name not in index]
        fields += [f for f in opened.schema if f.name in set(keys) - set(found.names)]
        found = pyarrow.schema(fields)
        where = f"X_unlabeled ({file})"
        schema.check(found, where)
        n_rows = 0
        for batch in _read_batches(fragment, found, schema, file):
            n_rows += batch.num_rows
            if batch.num_rows:
                table = pyarrow.Table.from_batches([batch])
                yield file, schema.convert(table, where)
        if not n_rows:
            raise refuse_empty(where)


def _read_batches(
    fragment: Any, found: Any, schema: _Schema, file: str
) -> Iterator[Any]:
    with _explain(file, schema):
        # Little is read ahead, to save memory.
        yield from fragment.to_batches(
            schema=found,
            columns=found.names,
            batch_size=schema.n_rows,
            batch_readahead=1,
            fragment_readahead=1,
        )


@contextmanager
def _explain(file: str, schema: _Schema) -> Iterator[None]:
    """Name the file that pyarrow could not read, and, where it is known, the column."""
    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        text = " ".join(str(error).split())
        told = re.search(r"CSV column #(\d+)", text)
        column = ""
        if told and schema.names:
            column = f", column {schema.names[int(told[1])]!r}"
        raise ValueError(
            f"X_unlabeled ({file}{column}) must be a whole file with the types of X, "
            f"and can't be read: {text} Write it anew, or leave it out."
        ) from error


def _read_text_as(schema: _Schema, first: Path) -> Any:
    """Return the CSV format with the types of X."""
    if schema.dtype is not None:
        # The first line of the first file names the columns of an array.
        with _explain(first.name, schema):
            names = csv.open_csv(first).schema.names
        if schema.dtype.kind not in "biuf":
            raise TypeError(
                "A CSV file is read as the types of X, which must be numbers or a "
                f"dataframe; received an array of {schema.dtype}. Pass X as a "
                "dataframe."
            )
        kind = pyarrow.from_numpy_dtype(schema.dtype)
        schema.adopt_first(pyarrow.schema([(n, kind) for n in names]), first.name)
    options = csv.ConvertOptions(column_types=schema.types, strings_can_be_null=True)
    return dataset.CsvFileFormat(convert_options=options)


def _strip(kind: Any) -> Any:
    """Return the type of the values, however text is stored."""
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_large_string(kind) or types.is_string_view(kind):
        return pyarrow.string()
    return kind


def _is_alike(received: Any, expected: Any) -> bool:
    """Whether types are the same, apart from units of time and columns of nulls."""
    if types.is_null(received) or types.is_null(expected):
        return True
    if types.is_timestamp(received) and types.is_timestamp(expected):
        return bool(received.tz == expected.tz)
    return bool(received == expected)


def _refuse_values(where: str, name: str, dtype: Any, received: Any) -> TypeError:
    return TypeError(
        f"{where} must have the dtypes of X; the values of column {name!r} do not "
        f"become {dtype}: {received}. Convert it, and write the file anew."
    )
