"""Unlabelled rows in chunks: what is read, and what is refused, and how."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdistill import DistilledClassifier

N = 90


def make_frame(n_rows=N, seed=0):
    """A column of every kind that a file can hold."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "float": rng.standard_normal(n_rows),
            "int": rng.integers(0, 9, n_rows),
            "bool": rng.random(n_rows) < 0.5,
            "text": rng.choice(["red", "green"], n_rows),
            "category": pd.Categorical(rng.choice(list("abc"), n_rows), list("cabd")),
            "day": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(rng.integers(0, 99, n_rows), "D"),
        }
    )


@pytest.fixture
def frame():
    return make_frame()


def cut(rows, *ends):
    """Return consecutive parts of a table."""
    starts = (0, *ends)
    return [rows[a:b] for a, b in zip(starts, (*ends, None), strict=True)]


def write_parquet(folder, parts, **options):
    folder.mkdir(exist_ok=True)
    for k, part in enumerate(parts):
        pq.write_table(pa.Table.from_pandas(part), folder / f"{k}.parquet", **options)
    return folder


JOIN = {
    pd.DataFrame: lambda rows: pd.concat(rows, ignore_index=True),
    pl.DataFrame: pl.concat,
    sparse.csr_array: sparse.vstack,
}


class Noting(ClassifierMixin, BaseEstimator):
    """A teacher of any rows, which notes those that it labels."""

    tables = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        Noting.tables.append(X)
        return np.tile([0.3, 0.7], (np.shape(X)[0], 1))

    def predict(self, X):
        return np.ones(np.shape(X)[0], dtype=int)


def fit(X, X_unlabeled):
    """Distil any rows: the student learns their number alone."""
    y = np.arange(np.shape(X)[0]) % 2
    count = FunctionTransformer(lambda rows: np.arange(np.shape(rows)[0])[:, None])
    student = make_pipeline(count, GaussianNB())
    given = {"augmenter": None, "alpha": 1.0, "calibrate": False, "random_state": 0}
    DistilledClassifier(Noting(), student, **given).fit(X, y, X_unlabeled=X_unlabeled)


def read_all(X_unlabeled, X):
    """The unlabelled rows as the teacher receives them, after the training rows."""
    Noting.tables.clear()
    fit(X, X_unlabeled)
    return JOIN.get(type(X), np.concatenate)(Noting.tables[1:])


# What is read -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "folder", "dataset", "string"])
def test_parquet_gives_the_rows_of_the_frame(frame, tmp_path, kind):
    folder = write_parquet(tmp_path / "rows", cut(frame, 20, 60), row_group_size=7)
    source, expected = folder, frame
    if kind == "file":
        source, expected = folder / "1.parquet", frame[20:60].reset_index(drop=True)
    elif kind == "dataset":
        source = ds.dataset(folder)
    elif kind == "string":
        source = str(folder)
    rows = read_all(source, make_frame(seed=1))
    assert_frame_equal(rows, expected)


def test_csv_is_read_as_the_types_of_x(frame, tmp_path):
    frame = frame.assign(whole=np.arange(N) * 1.0, code=[f"{k:03}" for k in range(N)])
    frame.loc[3, ["text", "category", "whole"]] = None
    for k, part in enumerate(cut(frame, 50)):
        part.to_csv(tmp_path / f"{k}.csv", index=False)
    rows = read_all(tmp_path, frame)
    assert_frame_equal(rows, frame)


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_files_become_an_array_where_x_is_one(tmp_path, ending, dtype):
    X = np.random.default_rng(0).standard_normal((N, 3)).astype(dtype)
    X[:, 2] = np.arange(N)
    table = pd.DataFrame(X, columns=["b", "a", "c"])
    if ending == "csv":
        # Here the last column looks whole.
        table.astype({"c": int}).to_csv(tmp_path / "rows.csv", index=False)
    else:
        table.to_parquet(tmp_path / "rows.parquet")
    rows = read_all(tmp_path / f"rows.{ending}", X)
    assert rows.dtype == dtype
    np.testing.assert_array_equal(rows, X)


def test_parquet_becomes_a_polars_frame_where_x_is_one(frame, tmp_path):
    kinds = {"category": pl.Enum(list("cabd")), "text": pl.String}
    X = pl.from_pandas(frame).with_columns(
        [pl.col(name).cast(kind) for name, kind in kinds.items()]
    )
    folder = write_parquet(tmp_path, cut(frame, 40))
    rows = read_all(folder, X)
    assert rows.schema == X.schema
    assert rows.equals(X)


@pytest.mark.parametrize("kind", ["array", "pandas", "polars", "csr", "memmap"])
def test_chunks_in_memory_come_as_they_are(frame, tmp_path, kind):
    X = np.random.default_rng(0).standard_normal((N, 3))
    if kind == "memmap":
        np.save(tmp_path / "rows.npy", X)
        mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
        for table in (X, mapped):
            rows = read_all(mapped, table)
            np.testing.assert_array_equal(rows, X)
            # Chunks are copied into memory, and are no maps of all rows.
            assert type(Noting.tables[1]) is np.ndarray
        return
    whole = {
        "array": X,
        "pandas": frame,
        "polars": pl.DataFrame(X),
        "csr": sparse.csr_array(X),
    }[kind]
    rows = read_all(cut(whole, 30, 31), whole)
    assert type(rows) is type(whole)
    if kind == "csr":
        np.testing.assert_array_equal(rows.toarray(), X)
    elif kind == "pandas":
        assert_frame_equal(rows, frame)
    else:
        np.testing.assert_array_equal(rows, X)


def test_dask_partitions_are_chunks(frame):
    dd = pytest.importorskip("dask.dataframe")
    assert_frame_equal(read_all(dd.from_pandas(frame, npartitions=3), frame), frame)
    numbers = frame[["float", "int"]]
    X = numbers.to_numpy()
    rows = read_all(dd.from_pandas(numbers, npartitions=2), X)
    np.testing.assert_array_equal(rows, X)


def test_columns_of_a_partitioned_dataset_are_columns(frame, tmp_path):
    frame = frame[["float", "int", "text"]]
    ds.write_dataset(
        pa.Table.from_pandas(frame, preserve_index=False),
        tmp_path,
        format="parquet",
        partitioning=["text"],
        partitioning_flavor="hive",
    )
    rows = read_all(ds.dataset(tmp_path, partitioning="hive"), frame)
    expected = frame.sort_values(["text", "float"], ignore_index=True)
    assert_frame_equal(rows.sort_values(["text", "float"], ignore_index=True), expected)


@pytest.mark.parametrize("sizes", [[5], [1] * 40, [700, 3, 1, 2500], [1500]])
def test_blocks_hold_all_rows_in_order(sizes, small_blocks):
    X = np.arange(sum(sizes), dtype=float)[:, None]
    rows = read_all(cut(X, *np.cumsum(sizes)[:-1]), X)
    np.testing.assert_array_equal(rows, X)
    blocks = Noting.tables[1:]
    assert all(500 <= len(block) < 1000 for block in blocks) or len(blocks) == 1


def test_one_table_of_the_kind_of_x_is_no_source(frame):
    X = frame[["float"]].to_numpy()
    for rows in (X, frame, sparse.csr_array(X), X.tolist()):
        read_all(rows, rows)
        assert len(Noting.tables) == 2
        assert type(Noting.tables[1]) is type(rows)
        assert np.shape(Noting.tables[1]) == np.shape(rows)
    read_all([X], X)
    np.testing.assert_array_equal(Noting.tables[1], X)


# What is refused ----------------------------------------------------------------------

DRIFTS = {
    "missing": (lambda f: f.drop(columns="int"), ValueError, "'int' is missing"),
    "extra": (lambda f: f.assign(more=1), ValueError, "'more' is not one of them"),
    "reordered": (
        lambda f: f[["int", "float", *f.columns[2:]]],
        ValueError,
        "'int' in the place of 'float'",
    ),
    "retyped": (lambda f: f.astype({"int": float}), TypeError, "column 'int'"),
    "text for numbers": (
        lambda f: f.assign(float=f["float"].map(str)),
        TypeError,
        "column 'float'",
    ),
    "category": (
        lambda f: f.assign(category=f["category"].cat.rename_categories({"a": "new"})),
        ValueError,
        "column 'category' holds 'new'",
    ),
    "empty": (lambda f: f[:0], ValueError, "received none"),
}


@pytest.mark.parametrize("drift", DRIFTS)
@pytest.mark.parametrize("kind", ["pandas", "parquet", "dataset", "dask"])
def test_drift_names_chunk_and_column(frame, tmp_path, drift, kind):
    change, error, words = DRIFTS[drift]
    parts = [frame[:30], change(frame[30:60]), frame[60:]]
    source, where = parts, "Chunk 1 of X_unlabeled"
    if kind in ("parquet", "dataset"):
        source, where = write_parquet(tmp_path, parts), r"1\.parquet"
        source = ds.dataset(source) if kind == "dataset" else source
    elif kind == "dask":
        dd = pytest.importorskip("dask.dataframe")
        if drift == "empty":
            pytest.skip("Dask drops empty partitions when it is given them.")
        source = dd.from_map(lambda k: parts[k], range(3), meta=frame[:0])
        where = r"Chunk 1 of X_unlabeled \(partition 1\)"
    with pytest.raises(error, match=f"(?s){where}.*{re.escape(words)}"):
        fit(frame, source)


@pytest.mark.parametrize("drift", ["retyped", "text for numbers"])
def test_partitions_of_other_types_are_not_converted(frame, drift):
    """Text alone is given the type of X, which Dask replaces."""
    dd = pytest.importorskip("dask.dataframe")
    change, error, words = DRIFTS[drift]
    rows = dd.from_map(lambda part: change(frame), [0], meta=frame[:0])
    with pytest.raises(error, match=words):
        fit(frame, rows)


@pytest.mark.parametrize(
    "drift", ["missing", "extra", "reordered", "category", "empty"]
)
def test_drift_between_csv_files(frame, tmp_path, drift):
    change, error, words = DRIFTS[drift]
    for k, part in enumerate([frame[:30], change(frame[30:60])]):
        part.to_csv(tmp_path / f"{k}.csv", index=False)
    with pytest.raises(error, match=rf"(?s)1\.csv.*{re.escape(words)}"):
        fit(frame, tmp_path)


def test_csv_with_other_values_names_file_and_column(frame, tmp_path):
    frame = frame[["float", "int"]]
    frame.to_csv(tmp_path / "0.csv", index=False)
    lines = (tmp_path / "0.csv").read_text().splitlines()
    (tmp_path / "1.csv").write_text("\n".join([*lines[:5], "1.5,many"]) + "\n")
    with pytest.raises(ValueError, match=r"\(1\.csv, column 'int'\).*many"):
        fit(frame, tmp_path)
    (tmp_path / "1.csv").write_text("\n".join([*lines[:5], "1.5"]))
    with pytest.raises(ValueError, match=r"\(1\.csv\).*Expected 2 columns, got 1"):
        fit(frame, tmp_path)


@pytest.mark.parametrize("which", [0, 2])
def test_truncated_parquet_names_the_file(frame, tmp_path, which):
    write_parquet(tmp_path, cut(frame, 30, 60))
    file = tmp_path / f"{which}.parquet"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(ValueError, match=rf"\({which}\.parquet\) must be a whole file"):
        fit(frame, tmp_path)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda X: X[:, :2], ValueError, "shape (3,), received rows of shape (2,)"),
        (lambda X: X.astype(np.float32), TypeError, "dtype of X, float64"),
        (lambda X: X[:0], ValueError, "received none"),
        (lambda X: X[0], ValueError, "received rows of shape ()"),
        (lambda X: X.tolist(), TypeError, "same kind as X, a ndarray"),
        (lambda X: pd.DataFrame(X), TypeError, "received a DataFrame"),
    ],
)
def test_arrays_that_are_no_part_of_the_table(change, error, words):
    X = np.ones((N, 3))
    with pytest.raises(error, match=f"Chunk 1 of X_unlabeled.*{re.escape(words)}"):
        fit(X, [X, change(X)])


def test_an_iterator_is_refused_with_the_fix():
    X = np.ones((N, 3))
    with pytest.raises(TypeError, match=r"starts over.*Received a generator.*list of"):
        fit(X, (X for _ in range(3)))
    with pytest.raises(ValueError, match="received none"):
        fit(X, [])


class Changing:
    """Chunks that are others each time they are read."""

    def __init__(self, *readings):
        self.readings = list(readings)

    def __iter__(self):
        return iter(self.readings.pop(0))


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ([5, 4], "Chunk 1 of X_unlabeled must hold the same rows.*received 5, and"),
        ([5], "Chunk 1 .*received 5, and then 0"),
        ([5, 5, 5], "Chunk 2 .*received 0, and then 5"),
    ],
)
def test_chunks_that_change_between_readings(second, words):
    X = np.ones((9, 3))
    chunks = Changing([X[:5], X[:5]], [X[:n] for n in second])
    with pytest.raises(ValueError, match=words):
        fit(X, chunks)


def test_paths_that_hold_no_rows(tmp_path, frame):
    with pytest.raises(FileNotFoundError, match="file or folder that exists"):
        fit(frame, tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"\.parquet or \.csv file"):
        fit(frame, tmp_path)
    (tmp_path / "rows.txt").write_text("a")
    with pytest.raises(ValueError, match=r"\.parquet or \.csv file"):
        fit(frame, tmp_path / "rows.txt")
    frame.to_csv(tmp_path / "rows.csv")
    frame.to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(ValueError, match="one format"):
        fit(frame, tmp_path)


def test_kinds_that_no_file_holds(tmp_path, frame):
    folder = write_parquet(tmp_path, [frame])
    with pytest.raises(TypeError, match="received X as a csr_array"):
        fit(sparse.csr_array(np.eye(3)), folder)
    with pytest.raises(TypeError, match="columns of one type each"):
        fit(pd.DataFrame({"a": ["x", 1.5]}, dtype=object), folder)
    with pytest.raises(ValueError, match="7 columns of X, received 6"):
        fit(np.ones((N, 7)), folder)
    with pytest.raises(TypeError, match="values of column 'text' do not become"):
        fit(np.ones((N, 6)), folder)


@pytest.mark.parametrize("dates_in", ["X", "file"])
def test_dates_and_numbers_do_not_become_each_other(tmp_path, dates_in):
    """Units of time do, as pandas and Parquet store them differently."""
    dates = pd.DataFrame({"a": pd.date_range("2024-01-01", periods=3, unit="ns")})
    numbers = dates.astype(np.int64)
    X, stored = (dates, numbers) if dates_in == "X" else (numbers, dates)
    stored.to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(TypeError, match="must have the types of X; column 'a' is"):
        read_all(tmp_path, X)
    dates.astype("datetime64[ms]").to_parquet(tmp_path / "rows.parquet")
    rows = read_all(tmp_path, dates)
    assert_frame_equal(rows, dates, check_dtype=False)


def test_missing_whole_numbers_do_not_become_whole_numbers(tmp_path):
    X = pd.DataFrame({"a": [1, 2]})
    table = pa.table({"a": pa.array([1, None])})
    pq.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(TypeError, match="values of column 'a' do not become int64"):
        fit(X, tmp_path)
    nullable = X.astype("Int64")
    rows = read_all(tmp_path, nullable)
    assert_frame_equal(rows, pd.DataFrame({"a": [1, None]}, dtype="Int64"))


def test_a_bad_chunk_is_found_before_any_work():
    class Costly(LogisticRegression):
        def fit(self, X, y):
            raise AssertionError("The teacher was fitted.")

    X, y = make_classification(60, random_state=0)
    with pytest.raises(ValueError, match="Chunk 1 of X_unlabeled"):
        DistilledClassifier(Costly(), GaussianNB()).fit(X, y, X_unlabeled=[X, X[:, :4]])
