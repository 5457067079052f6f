"""Rows come in X's own container and types, and could all exist."""

import datetime
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from sklearn.base import clone

from skdistill.transfer import GaussianCopula, Munge, Spunge

SAMPLERS = [Munge(), Spunge(p=0.3), GaussianCopula()]
every_sampler = pytest.mark.parametrize(
    "sampler", SAMPLERS, ids=lambda s: type(s).__name__
)
pairing = pytest.mark.parametrize(
    "sampler", SAMPLERS[:2], ids=lambda s: type(s).__name__
)
quick = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)

N = 60
R = np.random.RandomState(0)
ROWS = np.arange(N)


def with_gaps(values, gap=None, every=4):
    return [gap if k % every == 0 else v for k, v in enumerate(values)]


# Columns whose samples must lie within the range, as multiples of a step.
PANDAS_NUMBERS = {
    "float64": R.standard_normal(N),
    "float32": R.standard_normal(N).astype("float32"),
    "float_nan": with_gaps(ROWS / 3, np.nan),
    "whole_float": R.randint(0, 9, N).astype(float),
    "int8": R.randint(-100, 100, N).astype("int8"),
    "tens": 10 * R.randint(0, 50, N),
    "uint64": 2**64 - 1 - 7 * ROWS.astype("uint64"),
    "object_int": np.array(with_gaps(ROWS.tolist()), dtype=object),
    "object_float": np.array(with_gaps((ROWS / 7).tolist(), np.nan), dtype=object),
    "Int16": pd.array(with_gaps(ROWS), dtype="Int16"),
    "Float32": pd.array(with_gaps(ROWS / 3), dtype="Float32"),
    "arrow_int": pd.array(with_gaps(ROWS), dtype="int64[pyarrow]"),
    "arrow_float": pd.array(with_gaps(ROWS / 3), dtype="double[pyarrow]"),
    "sparse": pd.arrays.SparseArray(with_gaps(ROWS / 3, np.nan)),
    "sparse_int": pd.arrays.SparseArray(R.randint(0, 3, N)),
    "date": pd.Series(pd.date_range("2020-01-01", periods=N)).mask(ROWS % 4 == 0),
    "date_zone": pd.Series(
        pd.date_range("2020-01-01", periods=N, freq="h", tz="Europe/Berlin")
    ).mask(ROWS % 4 == 0),
    "delta": pd.Series(pd.to_timedelta(ROWS, unit="h")).mask(ROWS % 4 == 0),
    "arrow_date": pd.Series(pd.date_range("2020", periods=N)).astype(
        "date32[day][pyarrow]"
    ),
    "arrow_time": pd.Series(pd.date_range("2020", periods=N, tz="UTC"))
    .mask(ROWS % 4 == 0)
    .astype("timestamp[us, tz=UTC][pyarrow]"),
    "arrow_delta": pd.Series(pd.to_timedelta(ROWS, unit="h")).astype(
        "duration[s][pyarrow]"
    ),
    "one_infinity": with_gaps(ROWS / 3, np.inf),
}
# Columns of which only values that occur can be sampled.
PANDAS_LEVELS = {
    "bool": R.rand(N) > 0.5,
    "text": R.choice(list("abc"), N),
    "mixed": np.array([1, "x", None, 2.5, True, np.nan] * 10, dtype=object),
    "hashes": R.randint(-(2**63), 2**63 - 1, N),
    "huge": np.array([10**30 + k for k in range(N)], dtype=object),
    "category": pd.Categorical(
        with_gaps(R.choice(list("xyz"), N)), categories=list("wxyz"), ordered=True
    ),
    "boolean": pd.array(with_gaps(ROWS % 3 == 0), dtype="boolean"),
    "string": pd.array(with_gaps(R.choice(list("ab"), N)), dtype="string"),
    "arrow_text": pd.array(with_gaps(["a", "b", "c"] * 20), dtype="string[pyarrow]"),
    "arrow_decimal": pd.array(ROWS, dtype="int64[pyarrow]").astype(
        pd.ArrowDtype(pa.decimal128(30, 2))
    ),
    "complex": 1j * ROWS,
    "period": pd.period_range("2020", periods=N, freq="M"),
    "constant": np.full(N, 3),
    "all_missing": np.full(N, np.nan),
    "object_missing": np.full(N, None, dtype=object),
}
PANDAS = pd.DataFrame({**PANDAS_NUMBERS, **PANDAS_LEVELS})


def polars_series(name, values, dtype):
    return pl.Series(name, list(values), dtype=dtype)


DAYS = [datetime.date(2020, 1, 1) + datetime.timedelta(weeks=int(k)) for k in ROWS]
HOURS = [datetime.datetime(2020, 1, 1, int(k) % 24, 30) for k in ROWS]
POLARS = pl.DataFrame(
    [
        pl.Series("float", R.standard_normal(N)),
        polars_series("float32", with_gaps((ROWS / 3).tolist()), pl.Float32),
        polars_series("nan", with_gaps((ROWS / 3).tolist(), np.nan), pl.Float64),
        polars_series("int8", with_gaps(ROWS.tolist()), pl.Int8),
        polars_series(
            "uint64", with_gaps([2**64 - 1 - k for k in range(N)]), pl.UInt64
        ),
        polars_series("int128", ROWS.tolist(), pl.Int128),
        polars_series("date", with_gaps(DAYS), pl.Date),
        polars_series("datetime", with_gaps(HOURS), pl.Datetime("ms")),
        polars_series("zone", HOURS, pl.Datetime("us", "UTC")),
        polars_series("time", [hour.time() for hour in HOURS], pl.Time),
        polars_series("delta", [d - DAYS[0] for d in DAYS], pl.Duration("us")),
        polars_series("text", with_gaps(["a", "b", "c"] * 20), pl.String),
        polars_series("bool", with_gaps([True, False] * 30), pl.Boolean),
        polars_series("category", with_gaps(["a", "b", "c"] * 20), pl.Categorical),
        polars_series("enum", ["a", "b"] * 30, pl.Enum(["c", "b", "a"])),
        polars_series("decimal", [str(k) for k in range(N)], pl.String).cast(
            pl.Decimal(9, 2)
        ),
        polars_series("null", [None] * N, pl.Null),
    ]
)
STEPPED = {
    "date": datetime.timedelta(weeks=1),
    "datetime": datetime.timedelta(hours=1),
    "zone": datetime.timedelta(hours=1),
    "delta": datetime.timedelta(weeks=1),
}


def to_key(value):
    """Something to compare that tells 1 from True, and knows a missing value."""
    missing = value is None or value is pd.NA or value is pd.NaT or value != value
    return (type(value), None if missing else value)


@every_sampler
def test_pandas_frames_keep_columns_and_types(sampler):
    X = PANDAS.set_index(pd.Index(ROWS[::-1] * 2))
    before = X.copy(deep=True)
    rows = clone(sampler).fit(X).sample(151, random_state=0)
    pd.testing.assert_frame_equal(X, before)
    assert type(rows) is pd.DataFrame
    assert len(rows) == 151
    pd.testing.assert_series_equal(rows.dtypes, X.dtypes)
    pd.testing.assert_index_equal(rows.index, pd.RangeIndex(151))


@every_sampler
@pytest.mark.parametrize("name", PANDAS_NUMBERS)
def test_pandas_numbers_lie_in_the_range_and_on_the_grid(sampler, name):
    X = PANDAS[["float64", name]] if name != "float64" else PANDAS[[name]]
    drawn = clone(sampler).fit(X).sample(200, random_state=0)[name]
    seen, given = PANDAS[name].dropna(), drawn.dropna()
    assert given.min() >= seen.min()
    assert given.max() <= seen.max()
    assert drawn.isna().any() == PANDAS[name].isna().any()
    if name == "tens":
        assert not (given % 10).any()
    if name.startswith("object"):
        assert {type(v) for v in given} == {type(v) for v in seen}
    if name in ("date", "arrow_date"):
        assert (pd.to_datetime(given).dt.normalize() == pd.to_datetime(given)).all()


@every_sampler
@pytest.mark.parametrize("name", PANDAS_LEVELS)
def test_pandas_categories_are_categories_that_occur(sampler, name):
    drawn = clone(sampler).fit(PANDAS[["float64", name]]).sample(200, 0)[name]
    seen = {to_key(v) for v in PANDAS[name].tolist()}
    assert {to_key(v) for v in drawn.tolist()} <= seen


@every_sampler
@pytest.mark.parametrize("name", POLARS.columns)
def test_polars_columns_keep_type_range_and_gaps(sampler, name):
    X = POLARS.select({"float", name} | {"int8"})
    rows = clone(sampler).fit(X).sample(200, random_state=0)
    assert rows.schema == X.schema
    seen, drawn = X[name].drop_nulls(), rows[name].drop_nulls()
    assert bool(rows[name].null_count()) == bool(X[name].null_count())
    if name == "nan":
        assert drawn.is_nan().any()
        seen, drawn = seen.fill_nan(None), drawn.fill_nan(None)
    if name in ("text", "bool", "category", "enum", "decimal", "int128"):
        assert set(drawn.to_list()) <= set(seen.to_list())
    elif name != "null":
        assert drawn.min() >= seen.min()
        assert drawn.max() <= seen.max()
    if name in STEPPED:
        first = seen.min()
        assert all((v - first) % STEPPED[name] == datetime.timedelta(0) for v in drawn)


def test_both_kinds_of_missing_float_become_null_in_polars():
    X = pl.DataFrame({"x": [None, float("nan"), *np.arange(8.0)]})
    drawn = Munge().fit(X).sample(500, random_state=0)["x"]
    assert drawn.null_count() > 0
    assert not drawn.is_nan().any()


@every_sampler
def test_names_that_are_no_strings(sampler):
    X = pd.DataFrame(R.standard_normal((20, 3)), columns=[0, 7, 2])
    assert clone(sampler).fit(X).sample(3).columns.tolist() == [0, 7, 2]


def test_feature_names_do_not_outlive_a_fit():
    sampler = Spunge().fit(PANDAS[["float64", "text"]])
    assert sampler.feature_names_in_.tolist() == ["float64", "text"]
    sampler.fit(R.standard_normal((9, 4)))
    assert not hasattr(sampler, "feature_names_in_")
    assert sampler.n_features_in_ == 4


@pytest.mark.parametrize("sampler", [Munge(p=0.5), Spunge(p=0.5)])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_numbers_and_missing_values_swap_alone(sampler, container):
    X = np.array([[np.nan, 9.5], [0.5, np.nan]])
    rows = sampler.fit(container(X)).sample(600, random_state=0)
    rows = rows.toarray() if sp.issparse(rows) else rows
    rows = np.nan_to_num(rows, nan=-1)
    patterns, counts = np.unique(rows, axis=0, return_counts=True)
    np.testing.assert_array_equal(
        patterns, [[-1, -1], [-1, 9.5], [0.5, -1], [0.5, 9.5]]
    )
    assert counts.min() > 100


@pytest.mark.parametrize(
    "X",
    [
        np.array([["a", "b"], ["c", "d"], ["cc", "b"]]),
        np.array([[True, False], [False, False], [False, True]]),
        np.array([["2020-01-01", "NaT"], ["2020-02-01", "2021-01-01"]], dtype="M8[D]"),
        np.array([[1, 2], [3, 400]], dtype="m8[s]"),
        R.randint(0, 200, (20, 3)).astype(np.uint8),
        R.standard_normal((20, 3)).astype(np.float16),
        np.asfortranarray(R.standard_normal((20, 3))),
        [[1, "a"], [2, "b"], [3, "a"]],
        [[1, 2], [3, 4]],
        [["a", "b"], ["c", "d"]],
    ],
    ids=lambda X: str(getattr(X, "dtype", "list")),
)
@every_sampler
def test_arrays_keep_their_type(sampler, X):
    rows = clone(sampler).fit(X).sample(50, random_state=0)
    assert type(rows) is np.ndarray
    if isinstance(X, np.ndarray):
        assert rows.dtype == X.dtype
    else:
        assert {type(v) for v in rows[:, 1].tolist()} == {type(row[1]) for row in X}


@every_sampler
def test_equal_values_of_other_types_stay_apart(sampler):
    X = np.array([[1], [True], [1.0], ["x"], [None], [np.nan]], dtype=object)
    rows = clone(sampler).fit(X).sample(200, random_state=0)
    assert find_rows(rows) == find_rows(X)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_the_two_zeros_are_the_same(container):
    X = container(np.array([[1.0], [1.0], [0.5]]))
    (X.data if sp.issparse(X) else X[:, 0])[:2] = 0.0, -0.0
    rows, parents = Munge(p=1.0, s=1e9).fit(X).sample_with_parents(90, random_state=0)
    rows = rows.toarray() if sp.issparse(rows) else rows
    np.testing.assert_allclose(rows[parents < 2], 0.5)


@every_sampler
def test_named_columns_hold_codes_of_categories(sampler):
    X = np.column_stack([R.choice([0, 7, 40], N), R.choice([1.5, np.nan, 9], N), ROWS])
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    wanted = [
        (X, [0, 1]),
        (X, np.array([True, True, False])),
        (frame, ["a", "b"]),
        (pl.DataFrame(frame), ["a", "b"]),
    ]
    for table, columns in wanted:
        sampler = clone(sampler).set_params(categorical_features=columns)
        rows = np.asarray(sampler.fit(table).sample(200, random_state=0), dtype=float)
        assert set(rows[:, 0]) == {0, 7, 40}
        assert set(rows[~np.isnan(rows[:, 1]), 1]) == {1.5, 9}
        assert np.isnan(rows[:, 1]).any()


def test_columns_that_are_not_named_are_numbers():
    """A value of a near row is given noise, and a code is one that occurs."""
    frame = pd.DataFrame({"code": R.choice([0.5, 9.25, 40.5], N), "number": ROWS / 3})
    for named in (["code"], [0], [True, False]):
        sampler = Munge(p=1.0, s=0.1, n_neighbors=50, categorical_features=named)
        rows = sampler.fit(frame).sample(200, random_state=0)
        assert set(rows["code"]) == {0.5, 9.25, 40.5}
        assert not set(rows["number"]) <= set(ROWS / 3)


def find_rows(X):
    return {tuple(map(to_key, row)) for row in X.tolist()}


def check_column(drawn, seen):
    if seen.dtype.kind in "?bU":
        assert set(drawn) <= set(seen)
        return
    gaps, seen_gaps = pd.isna(drawn), pd.isna(seen)
    assert seen_gaps.any() or not gaps.any()
    known, inside = drawn[~gaps], seen[~seen_gaps]
    if len(known):
        assert known.min() >= inside.min()
        assert known.max() <= inside.max()
    if seen.dtype.kind == "f" and np.all(inside == np.rint(inside)):
        assert np.all(known == np.rint(known))


@quick
@given(
    npst.arrays(
        st.sampled_from(["f8", "f4", "i8", "u1", "?", "M8[s]", "<U2"]),
        st.tuples(st.integers(2, 12), st.integers(1, 4)),
    ),
    st.integers(1, 30),
)
def test_any_array_gives_rows_that_could_exist(X, n_samples):
    for sampler in SAMPLERS:
        if not isinstance(sampler, GaussianCopula) and len(find_rows(X)) == 1:
            with pytest.raises(ValueError, match="at least two rows that differ"):
                clone(sampler).fit(X)
            continue
        rows = clone(sampler).fit(X).sample(n_samples, random_state=0)
        assert rows.dtype == X.dtype
        assert rows.shape == (n_samples, X.shape[1])
        for drawn, seen in zip(rows.T, X.T, strict=True):
            check_column(drawn, seen)


def make_sparse(family, fmt="csr"):
    X = R.poisson(0.4, (N, 12)).astype(float)
    X[:, 1] *= 0.3
    X[:, 2] = 0
    X[:, 3] = np.where(X[:, 3] > 0, -X[:, 3], 0)
    X[0, 4] = np.nan
    X[1, 4] = np.inf
    return family(X).asformat(fmt)


@pairing
@pytest.mark.parametrize("family", [sp.csr_array, sp.csr_matrix])
@pytest.mark.parametrize("fmt", ["csr", "csc", "coo"])
def test_sparse_rows_stay_sparse(sampler, family, fmt):
    # More cells than are exchanged at once.
    n_samples = 1000 * N + 1
    X = make_sparse(family, fmt)
    dense = X.toarray()
    sampler = clone(sampler).fit(X)
    rows, parents = sampler.sample_with_parents(n_samples, random_state=0)
    assert type(rows) is family
    assert rows.dtype == X.dtype
    assert set(np.bincount(parents)) == {1000, 1001}
    np.testing.assert_array_equal(
        sampler.sample(n_samples, random_state=0).toarray(), rows.toarray()
    )
    given = rows.toarray()
    for j in range(12):
        known, seen = (v[np.isfinite(v)] for v in (given[:, j], dense[:, j]))
        assert known.min() >= seen.min()
        assert known.max() <= seen.max()
        if j != 1:
            np.testing.assert_array_equal(known, np.rint(known))
    assert rows.nnz == np.count_nonzero(given)
    assert abs(given[:, 5:].mean() / dense[:, 5:].mean() - 1) < 0.25
    assert np.isnan(given[:, 4]).any() or np.isinf(given[:, 4]).any()
    assert np.mean(given != dense[parents]) < 0.5


@pytest.mark.parametrize("dtype", [np.int32, bool, np.float32])
@pairing
def test_sparse_types_are_kept(sampler, dtype):
    X = sp.csr_array(R.randint(0, 3, (N, 6)).astype(dtype))
    rows = clone(sampler).fit(X).sample(90, random_state=0)
    assert rows.dtype == X.dtype
    assert set(np.unique(rows.toarray())) <= set(np.unique(X.toarray()))


def test_sparse_pairs_swap_whole_rows_at_rate_one():
    X = sp.csr_array(np.where(R.rand(N, 9) < 0.5, R.rand(N, 9), 0))
    rows, parents = Spunge(p=1.0).fit(X).sample_with_parents(N, random_state=0)
    same = (rows.toarray()[:, None] == X.toarray()[None]).all(axis=2)
    np.testing.assert_array_equal(same.sum(axis=1), 1)
    assert not np.any(same.argmax(axis=1) == parents)


def test_sparse_and_dense_draw_from_the_same_law():
    X = np.where(R.rand(N, 8) < 0.4, R.rand(N, 8), 0)
    for sampler in (Munge(p=0.5), Munge(p=0.5, s=3)):
        dense, base = sampler.fit(X).sample_with_parents(30_000, random_state=0)
        means = [dense[base == k].mean(axis=0) for k in range(N)]
        spread = [dense[base == k].std(axis=0) for k in range(N)]
        rows, base = sampler.fit(sp.csr_array(X)).sample_with_parents(30_000, 1)
        rows = rows.toarray()
        for k in range(N):
            own = rows[base == k]
            np.testing.assert_allclose(own.mean(axis=0), means[k], atol=0.08)
            np.testing.assert_allclose(own.std(axis=0), spread[k], atol=0.08)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_distances_are_in_standard_deviations(container):
    """The rarer a value, the further apart are the rows that differ in it."""
    X = np.zeros((2000, 4))
    X[:2, 0] = 1.0
    for column in (1, 2, 3):
        X[1, column] = 9.0
        X[40 * column : 40 * column + 39, column] = 9.0
    # Squares of these would overflow, or vanish.
    X *= 1e-200, 1e200, 1.0, 1.0
    # 12 standard deviations away, and all others 32 or more.
    sampler = Munge(p=1.0, s=1e9).fit(container(X))
    rows, parents = sampler.sample_with_parents(2000, random_state=0)
    rows = rows.toarray() if sp.issparse(rows) else rows
    np.testing.assert_allclose(rows[parents == 0], X[[1]], rtol=1e-6)


def test_a_missing_number_is_near_the_mean():
    """As far from it as categories that differ are, wherever the mean is."""
    X = np.column_stack([np.tile([99.0, 100, 101], 100), np.linspace(0, 1, 300)])
    X[[0, 299], 0] = np.nan
    rows, parents = Munge(p=1.0, s=1e9).fit(X).sample_with_parents(300, random_state=0)
    # The next row of 100; the other one that lacks a number is at the other end.
    np.testing.assert_allclose(rows[parents == 0], X[[1]], rtol=1e-6)


def test_sparse_codes_swap():
    X = sp.csr_array(R.choice([0, 0, 3, 70], (N, 4)))
    rows = Munge(p=0.5, categorical_features=[0]).fit(X).sample(900, random_state=0)
    assert set(rows.toarray()[:, 0]) == {0, 3, 70}
    assert len(set(rows.toarray()[:, 1])) > 3


@every_sampler
def test_values_without_a_hash_are_refused(sampler):
    X = pd.DataFrame({"a": [[1], [2]], "b": [1, 2]})
    rule = "must hold values that can be hashed"
    for table, name in ((X, "'a'"), (pl.DataFrame(X), "'a'"), (X.to_numpy(), "0")):
        with pytest.raises(TypeError, match=f"Column {name} {rule}"):
            clone(sampler).fit(table)


@every_sampler
@pytest.mark.parametrize("X", [pd.DataFrame(index=[0, 1]), pl.DataFrame({"a": []})])
def test_frames_without_rows_or_columns_are_refused(sampler, X):
    with pytest.raises(ValueError, match="at least one row and one column"):
        clone(sampler).fit(X)


@every_sampler
def test_columns_that_share_a_name_are_refused(sampler):
    X = pd.DataFrame(np.eye(3), columns=["a", "b", "a"])
    with pytest.raises(ValueError, match=r"several columns named \['a'\]"):
        clone(sampler).fit(X)


def test_arrays_need_no_dataframe_library(monkeypatch):
    monkeypatch.delitem(sys.modules, "pandas")
    monkeypatch.delitem(sys.modules, "polars")
    for sampler in SAMPLERS:
        assert clone(sampler).fit(np.eye(5)).sample(7).shape == (7, 5)
    assert not {"pandas", "polars"} & set(sys.modules)
