"""Rows in every container, labels of every kind: handed on as they came."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from _core import PLAIN
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier

N = 80
X, Y = make_classification(
    N,
    4,
    n_informative=3,
    n_redundant=0,
    n_classes=3,
    n_clusters_per_class=1,
    random_state=1,
)
RNG = np.random.RandomState(0)
HOLES = np.arange(N) % 7 == 0


def describe(X):
    """Container, width, and the names and types of the columns."""
    if sp.issparse(X):
        return type(X), X.shape[1], X.dtype
    if isinstance(X, pd.DataFrame | pl.DataFrame):
        types = list(X.dtypes)
        return type(X), list(X.columns), types
    return type(X), np.asarray(X).shape[1], np.asarray(X).dtype


class Spy(ClassifierMixin, BaseEstimator):
    """Learns the weighted class frequencies, and notes what it is given."""

    seen = []

    def __init__(self, role="teacher"):
        self.role = role

    def fit(self, X, y, sample_weight=None):
        self.seen.append((self.role, "fit", describe(X)))
        self.classes_, codes = np.unique(y, return_inverse=True)
        counts = np.bincount(codes, weights=sample_weight)
        self.frequencies_ = counts / counts.sum()
        return self

    def predict_proba(self, X):
        self.seen.append((self.role, "predict_proba", describe(X)))
        return np.tile(self.frequencies_, (X.shape[0], 1))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@pytest.fixture
def seen():
    Spy.seen.clear()
    yield Spy.seen
    Spy.seen.clear()


def mixed_pandas():
    towns = RNG.choice(["Bern", "Oslo", "Rome"], N)
    return pd.DataFrame(
        {
            "number": np.where(HOLES, np.nan, X[:, 0]),
            "small": X[:, 1].astype(np.float32),
            "count": RNG.randint(0, 9, N),
            "town": pd.Series(towns).mask(HOLES),
            "object": pd.Series(towns, dtype=object).where(~HOLES, None),
            "grade": pd.Categorical(RNG.choice(["low", "high"], N)),
            "nullable": pd.Series(RNG.randint(0, 9, N), dtype="Int64").mask(HOLES),
            "share": pd.Series(X[:, 2], dtype="Float64").mask(HOLES),
            "flag": X[:, 3] > 0,
            "maybe": pd.Series(X[:, 3] > 0, dtype="boolean").mask(HOLES),
        }
    )


def mixed_polars():
    towns = RNG.choice(["Bern", "Oslo", "Rome"], N).tolist()
    some = [None if hole else town for hole, town in zip(HOLES, towns, strict=True)]
    return pl.DataFrame(
        {
            "number": [None if h else v for h, v in zip(HOLES, X[:, 0], strict=True)],
            "small": pl.Series(X[:, 1], dtype=pl.Float32),
            "count": RNG.randint(0, 9, N),
            "town": some,
            "kind": pl.Series(some, dtype=pl.Categorical),
            "grade": pl.Series(towns, dtype=pl.Enum(["Bern", "Oslo", "Rome"])),
            "flag": X[:, 3] > 0,
            "maybe": [None if h else bool(h % 2) for h in HOLES],
        }
    )


CONTAINERS = {
    "float64": X,
    "float32": X.astype(np.float32),
    "integers": X.round().astype(np.int16),
    "objects": np.array(mixed_pandas(), dtype=object),
    "fortran": np.asfortranarray(X),
    "pandas numbers": pd.DataFrame(X, columns=list("abcd")),
    "pandas numbered columns": pd.DataFrame(X),
    "pandas mixed": mixed_pandas(),
    "pandas other index": mixed_pandas().set_axis(np.arange(N)[::-1] * 3),
    "polars numbers": pl.DataFrame(X, schema=list("abcd")),
    "polars mixed": mixed_polars(),
    "csr matrix": sp.csr_matrix(X),
    "csr array": sp.csr_array(X),
}


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("name", CONTAINERS)
def test_rows_reach_teacher_and_student_untouched(name, cv, seen):
    rows = CONTAINERS[name]
    distilled = DistilledClassifier(Spy("teacher"), Spy("student"), cv=cv, **PLAIN).fit(
        rows, Y
    )
    distilled.predict_proba(rows)
    roles = {(role, method) for role, method, _ in seen}
    assert roles == {
        ("teacher", "fit"),
        ("teacher", "predict_proba"),
        ("student", "fit"),
        ("student", "predict_proba"),
    }
    assert [what for _, _, what in seen] == [describe(rows)] * len(seen)
    assert distilled.n_features_in_ == rows.shape[1]
    columns = list(getattr(rows, "columns", []))
    named = bool(columns) and all(isinstance(column, str) for column in columns)
    assert hasattr(distilled, "feature_names_in_") == named
    if named:
        assert distilled.feature_names_in_.tolist() == columns


@pytest.mark.parametrize(
    ("given", "fitted"),
    [
        (sp.csc_matrix, sp.csr_matrix),
        (sp.csc_array, sp.csr_array),
        (sp.coo_matrix, sp.csr_matrix),
        (sp.coo_array, sp.csr_array),
    ],
)
def test_sparse_rows_are_made_indexable_for_fit_and_left_alone_for_predict(
    given, fitted, seen
):
    """As in scikit-learn's own meta-estimators: matrix or array stays what it is."""
    rows = given(X)
    distilled = DistilledClassifier(Spy("teacher"), Spy("student"), **PLAIN).fit(
        rows, Y
    )
    assert {what for _, _, what in seen} == {(fitted, 4, np.dtype(float))}
    seen.clear()
    distilled.predict_proba(rows)
    assert seen == [("student", "predict_proba", (given, 4, np.dtype(float)))]


@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csc_array, sp.coo_array])
@pytest.mark.parametrize(
    "student", [LogisticRegression(), MLPClassifier((4,), solver="lbfgs", max_iter=20)]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_sparse_and_dense_rows_teach_the_same(container, student):
    distilled = DistilledClassifier(
        LogisticRegression(), student, random_state=0, **PLAIN
    )
    dense = distilled.fit(X, Y).predict_proba(X)
    sparse = distilled.fit(container(X), Y).predict_proba(container(X))
    np.testing.assert_allclose(sparse, dense, atol=1e-3)


def test_names_are_forgotten_by_a_fit_on_rows_without():
    distilled = DistilledClassifier(LogisticRegression(), LogisticRegression(), **PLAIN)
    distilled.fit(CONTAINERS["pandas numbers"], Y)
    assert distilled.feature_names_in_.tolist() == list("abcd")
    distilled.fit(X[:, :3], Y)
    assert not hasattr(distilled, "feature_names_in_")
    assert distilled.n_features_in_ == 3


@pytest.mark.parametrize("name", ["pandas numbers", "polars numbers"])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
@pytest.mark.parametrize(
    "student",
    [LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression())],
)
def test_columns_in_another_order_are_refused(name, method, student):
    rows = CONTAINERS[name]
    distilled = DistilledClassifier(LogisticRegression(), student, **PLAIN).fit(rows, Y)
    with pytest.raises(ValueError, match="must be in the same order"):
        getattr(distilled, method)(rows[["b", "a", "c", "d"]])
    with pytest.raises(ValueError, match="unseen at fit time"):
        getattr(distilled, method)(
            rows.rename({"a": "z"})
            if name[:2] == "po"
            else rows.rename(columns={"a": "z"})
        )


@pytest.mark.parametrize("name", ["pandas numbers", "polars numbers", "float64"])
def test_every_container_teaches_the_same(name):
    rows = CONTAINERS[name]
    student = make_pipeline(StandardScaler(), LogisticRegression())
    distilled = DistilledClassifier(LogisticRegression(), student, **PLAIN)
    expected = distilled.fit(X, Y).predict_proba(X)
    proba = distilled.fit(rows, Y).predict_proba(rows)
    np.testing.assert_allclose(proba, expected, atol=1e-10)


@pytest.mark.parametrize("name", ["pandas numbers", "polars numbers"])
def test_dates_may_stand_beside_what_is_learned(name):
    rows, days = CONTAINERS[name][["a"]], pd.date_range("2024-01-01", periods=N)
    # NumPy has no type of all three.
    odd = {"word": ["one", "two"] * (N // 2), "day": days}
    if name[:2] == "pa":
        dated = rows.assign(**odd)
    else:
        dated = rows.with_columns(pl.from_pandas(pd.DataFrame(odd)))
    student = make_column_transformer((StandardScaler(), ["a"]))
    student = make_pipeline(student, LogisticRegression())
    distilled = DistilledClassifier(clone(student), student, **PLAIN)
    served = []
    for some in (rows, dated):
        more = {"X_unlabeled": some[:60], "X_val": some[20:], "y_val": Y[20:]}
        served.append(distilled.fit(some[:60], Y[:60], **more).predict_proba(some))
    np.testing.assert_array_equal(*served)


@pytest.mark.parametrize("given", ["X_val", "X_unlabeled"])
@pytest.mark.parametrize("name", ["defaults", "boosted"])
def test_tables_of_pyarrow_teach_what_frames_do(name, given):
    pytest.importorskip("pyarrow")
    distilled = DistilledClassifier(random_state=0, **PLAIN)
    # pyarrow takes a missing category for another one.
    frame = mixed_polars().drop("kind")
    table = frame.to_arrow()
    if name == "boosted":
        # They are given the joined rows themselves.
        boosted = LGBMClassifier(n_estimators=3, min_child_samples=5, verbose=-1)
        distilled.set_params(teacher=clone(boosted), student=boosted)
        frame = mixed_pandas()[["small", "count", "number"]]
        table = pl.from_pandas(frame).to_arrow()
    served = []
    for rows in (frame, table):
        more = {given: rows[50:]} | ({"y_val": Y[50:]} if "val" in given else {})
        served.append(distilled.fit(rows[:50], Y[:50], **more).predict_proba(rows))
    # Sums of columns are taken in another order.
    np.testing.assert_allclose(*served, atol=1e-6)


def test_a_missing_category_of_pyarrow_is_not_read_as_another_one():
    arrow = pytest.importorskip("pyarrow")
    town = arrow.array(["Bern", None] * (N // 2)).dictionary_encode()
    table = arrow.table({"number": X[:, 0], "town": town})
    distilled = DistilledClassifier(random_state=0, **PLAIN)
    with pytest.raises(ValueError, match=r"column 'town' has missing .* Convert"):
        distilled.fit(table, Y)
    whole = table.set_column(1, "town", town.dictionary_decode())
    assert distilled.fit(whole, Y).n_features_in_ == 2


def test_another_table_of_pyarrow_is_refused():
    pytest.importorskip("pyarrow")
    table = mixed_polars()[["small", "count"]].to_arrow()
    distilled = DistilledClassifier(random_state=0, **PLAIN)
    with pytest.raises(ValueError, match="column 'count' is missing"):
        distilled.fit(table, Y, X_unlabeled=table.select(["small"]))
    with pytest.raises(ValueError, match="'count' in the place of 'small'"):
        distilled.fit(table, Y, X_unlabeled=table.select(["count", "small"]))
    other = pl.from_arrow(table).with_columns(pl.col("count").cast(pl.Float64))
    with pytest.raises(TypeError, match="'count' is Int64 in X, received Float64"):
        distilled.fit(table, Y, X_unlabeled=other.to_arrow())


# Labels


def exact():
    """A teacher and a student whose optimum does not depend on the labels' order."""
    tight = LogisticRegression(tol=1e-10, max_iter=2000)
    return DistilledClassifier(tight, tight, temperature=2.0, alpha=0.8, **PLAIN)


@cache
def fit_plainly(cv, n_classes):
    return exact().set_params(cv=cv).fit(X, np.minimum(Y, n_classes - 1))


LABELS = {
    "strings": np.array(["ant", "bee", "cow"]),
    "objects": np.array(["ant", "bee", "cow"], dtype=object),
    "negative": np.array([-7, -1, 3]),
    "non-contiguous": np.array([10, 200, 3000]),
    "floats": np.array([-1.0, 0.0, 2.0]),
    "large": np.array([2**40, 2**41, 2**42]),
    "permuted": np.array([1, 2, 0]),
    "reversed": np.array([2, 1, 0]),
    "reversed strings": np.array(["zoo", "yak", "ant"]),
    "booleans": np.array([False, True]),
    "two strings": np.array(["no", "yes"]),
    "two reversed strings": np.array(["yes", "no"]),
    "signs": np.array([-1, 1]),
    "two reversed": np.array([5, 2]),
}


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("name", LABELS)
def test_labels_keep_their_space(name, cv):
    labels = LABELS[name]
    order, y = np.argsort(labels), labels[np.minimum(Y, len(labels) - 1)]
    plain = fit_plainly(cv, len(labels))
    named = exact().set_params(cv=cv).fit(X, y)
    assert named.classes_.dtype == labels.dtype
    assert named.classes_.tolist() == labels[order].tolist()
    assert named.student_.classes_.tolist() == labels[order].tolist()
    proba, expected = named.predict_proba(X), plain.predict_proba(X)[:, order]
    np.testing.assert_allclose(proba, expected, atol=1e-5)
    if (order == np.arange(len(labels))).all():
        np.testing.assert_array_equal(proba, expected)
    np.testing.assert_array_equal(named.predict(X), labels[plain.predict(X)])
    assert named.score(X, y) == np.mean(named.predict(X) == y) > 0.5


@pytest.mark.parametrize(
    "wrap",
    [
        list,
        pd.Series,
        lambda y: pd.Series(y, index=np.arange(N)[::-1]),
        lambda y: pd.Series(y, dtype="string"),
        lambda y: pd.Series(y, dtype="category"),
        lambda y: pl.Series(y.tolist()),
        lambda y: pl.Series(y.tolist(), dtype=pl.Categorical),
    ],
    ids=["list", "pandas", "reindexed", "string", "category", "polars", "categorical"],
)
def test_labels_in_every_container(wrap):
    y = np.array(["ant", "bee", "cow"])[Y]
    expected = exact().fit(X, y)
    distilled = exact().fit(X, wrap(y))
    assert distilled.classes_.tolist() == expected.classes_.tolist()
    np.testing.assert_array_equal(distilled.predict_proba(X), expected.predict_proba(X))
    np.testing.assert_array_equal(distilled.predict(X), expected.predict(X))


@pytest.mark.parametrize("wrap", [lambda y: pd.Series(y, dtype="Int64"), pl.Series])
def test_whole_numbers_in_a_nullable_container(wrap):
    expected = exact().fit(X, Y)
    distilled = exact().fit(X, wrap(Y))
    assert distilled.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(distilled.predict(X), expected.predict(X))


def test_a_column_of_labels_is_flattened_with_a_warning():
    with pytest.warns(UserWarning, match="column-vector y"):
        distilled = exact().fit(X, Y[:, None])
    np.testing.assert_array_equal(distilled.predict(X), exact().fit(X, Y).predict(X))


# The defaults on frames


def with_surprises(rows):
    """The same columns, with categories and holes that training never saw."""
    if isinstance(rows, pd.DataFrame):
        odd = rows.copy()
        odd["town"] = odd["town"].where(np.arange(len(odd)) > 5, "Atlantis")
        odd["grade"] = pd.Categorical(["unheard of"] * 5 + list(odd["grade"][5:]))
        odd.loc[odd.index[:10], ["small", "share"]] = np.nan
        odd["flag"] = odd["flag"].astype(object).where(np.arange(len(odd)) > 3, None)
        return odd
    return rows.with_columns(
        town=pl.Series(["Atlantis", None] * (N // 2)),
        kind=pl.Series(["Atlantis"] * N, dtype=pl.Categorical),
        small=pl.Series([None, 1.0] * (N // 2), dtype=pl.Float32),
        count=pl.Series([None, 2] * (N // 2)),
        flag=pl.Series([None, True] * (N // 2)),
    )


@pytest.mark.parametrize(
    "rows", [mixed_pandas(), mixed_polars()], ids=["pandas", "polars"]
)
def test_defaults_on_a_mixed_frame(rows):
    y = np.array(["no", "yes"])[(Y > 0).astype(int)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        distilled = DistilledClassifier(random_state=0, **PLAIN).fit(rows, y)
        proba = distilled.predict_proba(rows)
        odd = with_surprises(rows)
        surprised = distilled.predict_proba(odd)
        one = distilled.predict_proba(rows[:1])
    assert distilled.score(rows, y) > 0.8
    for served in (proba, surprised):
        assert served.shape == (N, 2)
        np.testing.assert_allclose(served.sum(axis=1), 1)
    assert not np.array_equal(proba, surprised)
    np.testing.assert_allclose(one, proba[:1], atol=1e-12)
    np.testing.assert_array_equal(distilled.student_.predict_proba(rows), proba)
    np.testing.assert_array_equal(distilled.student_.predict_proba(odd), surprised)
    labels = distilled.predict(rows)
    np.testing.assert_array_equal(distilled.student_.predict(rows), labels)
