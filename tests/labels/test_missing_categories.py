"""One category for all kinds of missing values, at the fit and at predict."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skdistill import DistilledClassifier
from skdistill.export import slim

N = 60
RNG = np.random.RandomState(0)
VALUES = {
    "text": RNG.choice(["green", "red"], N).tolist(),
    "flag": RNG.choice([False, True], N).tolist(),
}
ABSENT = np.arange(N) % 7 == 0


def holes(name, missing=None):
    return [missing if gone else value
            for gone, value in zip(ABSENT, VALUES[name], strict=True)]  # fmt: skip


def objects(name, missing):
    return pd.DataFrame({name: pd.Series(holes(name, missing), dtype=object)})


#: The strings of pandas 3.
STR = pd.StringDtype(na_value=np.nan)
TABLES = {
    "objects with None": lambda name: objects(name, None),
    "objects with NaN": lambda name: objects(name, np.nan),
    "objects with NA": lambda name: objects(name, pd.NA),
    "categories": lambda name: objects(name, None).astype("category"),
    "own dtype": lambda name: objects(name, None).convert_dtypes(),
    "str": lambda name: objects(name, None).astype(STR),
    "polars": lambda name: pl.DataFrame({name: holes(name)}),
    "arrow": lambda name: pa.table({name: holes(name)}),
}
#: Without pandas the fitted model can't know NA.
WITH_NA = {"objects with NA", "own dtype"}
CASES = [(name, table) for name in VALUES for table in TABLES
         if (name, table) != ("flag", "str")]  # fmt: skip


def fit(rows):
    """Return the default student, whose network has nothing to learn."""
    y, stored = np.arange(N) % 2, np.full((N, 2), 0.5)
    distilled = DistilledClassifier(augmenter=None, random_state=0)
    return distilled.fit(rows, y, teacher_proba=stored).student_


@pytest.mark.parametrize(("name", "table"), CASES)
def test_every_table_with_missing_values_is_served_alike(name, table):
    columns = fit(TABLES[table](name))[:-1]
    expected = np.zeros((N, 3))
    order = sorted(set(VALUES[name]))
    codes = [order.index(value) for value in VALUES[name]]
    expected[np.arange(N), np.where(ABSENT, 2, codes)] = 1
    without_pandas = table in ("polars", "arrow")
    for other in (t for n, t in CASES if n == name):
        if without_pandas and other in WITH_NA:
            continue
        rows = TABLES[other](name)
        np.testing.assert_array_equal(columns.transform(rows), expected, other)
        for k in (0, 1):
            alone = rows.slice(k, 1) if other == "arrow" else rows[k : k + 1]
            np.testing.assert_array_equal(columns.transform(alone), expected[[k]])
    for value in (None, np.nan) if without_pandas else (None, np.nan, pd.NA):
        one = columns.transform(pd.DataFrame([{name: value}]))
        np.testing.assert_array_equal(one, [[0, 0, 1]])


@pytest.mark.parametrize("missing", [None, np.nan])
def test_arrays_of_objects(missing):
    rows = np.array([RNG.normal(size=N), holes("text", missing)], dtype=object).T
    columns = fit(rows)[:-1]
    for value in (None, np.nan):
        one = columns.transform(np.array([[0.5, value]], dtype=object))
        np.testing.assert_array_equal(one[0, 1:], [0, 0, 1])
    one = columns.transform(np.array([[0.5, np.nan]]))
    np.testing.assert_array_equal(one[0, 1:], [0, 0, 1])


@pytest.mark.parametrize("name", VALUES)
def test_what_was_never_missing_is_unknown_however_it_is_missing(name):
    columns = fit(pd.DataFrame({name: VALUES[name]}))[:-1]
    for value in (None, np.nan, pd.NA):
        one = columns.transform(pd.DataFrame([{name: value}]))
        np.testing.assert_array_equal(one, [[0, 0]])


def test_a_record_is_served_as_its_row_was():
    """The models that a user has: default teacher and student, pickle, ONNX."""
    pytest.importorskip("onnxruntime")
    from skdistill.export import OnnxClassifier, to_onnx

    rng = np.random.default_rng(11)
    rows = pd.DataFrame(
        {"a": rng.normal(size=300), "city": rng.choice(["x", "y"], 300)}
    )
    rows.loc[rng.random(300) < 0.3, "city"] = None
    y = (rows["a"] + 3 * rows["city"].isna() > 1).astype(int)
    distilled = DistilledClassifier(augmenter=None, random_state=0).fit(rows, y)
    record = {"a": 0.5, "city": None}
    for model in (distilled, distilled.teacher_, slim(distilled)):
        beside = pd.DataFrame([record, record | {"city": "x"}])
        expected = model.predict_proba(beside)[0]
        assert expected[1] > 0.9
        for value in (None, np.nan, pd.NA):
            alone = pd.DataFrame([record | {"city": value}])
            np.testing.assert_allclose(
                model.predict_proba(alone)[0], expected, rtol=1e-10
            )
    served = OnnxClassifier(to_onnx(distilled, rows))
    np.testing.assert_allclose(
        served.predict_proba(record)[0], distilled.predict_proba(beside)[0], atol=1e-5
    )
