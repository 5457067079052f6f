"""Columns of pandas' nullable and Arrow's types with missing values, all along."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

from skdistill import DistilledClassifier, DistilledRegressor

N = 160
RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(2, N))
Y = (A + B + RNG.normal(size=N) / 3 > 0).astype(int)
HOLES = np.arange(N) % 9 == 0

TYPES = {
    "Int64": (B * 5).round(),
    "Float64": B,
    "boolean": B > 0,
    "string": np.where(B > 0, "u", "w"),
    "category": np.where(B > 0, "u", "w"),
    "object": np.where(B > 0, "u", "w"),
    "int64[pyarrow]": (B * 5).round(),
    "double[pyarrow]": B,
    "bool[pyarrow]": B > 0,
    "string[pyarrow]": np.where(B > 0, "u", "w"),
}


def make_rows(dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    column = pd.Series(TYPES[dtype]).astype(dtype)
    column[HOLES] = pd.NA
    return pd.DataFrame({"a": A, "b": column})


def prepare(rows):
    """The columns of the default student, before any model."""
    stored = np.full((len(rows), 2), 0.5)
    student = DistilledClassifier(None, augmenter=None, pilot=0, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y = np.arange(len(rows)) % 2
        return student.fit(rows, y, teacher_proba=stored).student_[0]


@pytest.fixture(scope="module")
def columns():
    """One fit a type."""
    known = {}

    def find(dtype):
        if dtype not in known:
            known[dtype] = prepare(make_rows(dtype))
        return known[dtype]

    return find


@pytest.mark.parametrize("dtype", TYPES)
def test_rows_of_fit_validation_and_chunks(dtype, columns):
    rows = make_rows(dtype)
    empty = rows[130:].copy()
    empty["b"] = pd.Series([pd.NA] * len(empty), index=empty.index, dtype=rows.b.dtype)
    est = DistilledClassifier(
        make_pipeline(columns(dtype), RandomForestClassifier(20, max_depth=4)),
        make_pipeline(columns(dtype), LogisticRegression()),
        n_synthetic=200,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        est.set_params(pilot=0).fit(
            *(rows[:100], Y[:100]),
            **{"X_val": rows[100:], "y_val": Y[100:]},
            X_unlabeled=[rows[100:130], empty],
        )
    proba = est.predict_proba(rows)
    assert est.score(rows, Y) > 0.8
    # A hole is what a missing value of another type is, and a row is served alone.
    np.testing.assert_allclose(est.predict_proba(rows[9:10]), proba[9:10], atol=1e-6)
    assert np.isfinite(est.predict_proba(empty)).all()


@pytest.mark.parametrize("dtype", TYPES)
def test_values_of_nullable_columns(dtype, columns):
    rows, y = make_rows(dtype), pd.Series(A - B).astype("Float64")
    est = DistilledRegressor(
        make_pipeline(columns(dtype), RandomForestRegressor(10, max_depth=4)),
        make_pipeline(columns(dtype), LinearRegression()),
        n_synthetic=200,
        pilot=0,
        random_state=0,
    ).fit(rows, y)
    assert est.score(rows, y) > 0.5
    with pytest.raises(ValueError, match="y must hold a finite number for every row"):
        est.fit(rows, y.mask(HOLES))


@pytest.mark.parametrize("dtype", TYPES)
def test_served_by_onnx(dtype, columns, tmp_path):
    pytest.importorskip("onnxruntime")
    from skdistill.export import OnnxClassifier, to_onnx

    rows = make_rows(dtype)
    student = make_pipeline(columns(dtype), MLPClassifier((4,), max_iter=20))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        student.fit(rows, Y)
    served = OnnxClassifier(to_onnx(student, rows))
    expected = student.predict_proba(rows)
    np.testing.assert_allclose(served.predict_proba(rows), expected, atol=1e-5)
    one = served.predict_proba(rows[9:10])
    np.testing.assert_allclose(one, expected[9:10], atol=1e-5)
