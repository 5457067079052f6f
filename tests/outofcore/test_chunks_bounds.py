"""What chunks may hold, what a fit leaves behind, and how much it holds itself."""

import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from _chunk_fits import cut, distil, distil_both
from joblib import parallel_config
from lightgbm import LGBMClassifier
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill.transfer import Munge

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# Containers ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def frame(chunk_data):
    X, _ = chunk_data
    table = pd.DataFrame(X[:, :4], columns=list("abcd"))
    codes = np.digitize(X[:, 4], [-1, 0, 1])
    return table.assign(
        category=pd.Categorical.from_codes(codes, list("uvwx")), whole=codes * 3
    )


class Codes(ClassifierMixin, BaseEstimator):
    """A teacher for frames: the categories' codes and the numbers, in a forest."""

    def fit(self, X, y):
        self.forest_ = RandomForestClassifier(20, min_samples_leaf=5, random_state=0)
        self.forest_.fit(self._encode(X), y)
        self.classes_ = self.forest_.classes_
        return self

    def predict_proba(self, X):
        return self.forest_.predict_proba(self._encode(X))

    def _encode(self, X):
        if isinstance(X, pl.DataFrame):
            return X.with_columns(pl.col(pl.Enum).to_physical()).to_numpy()
        return X.assign(category=X["category"].cat.codes).to_numpy()


@pytest.mark.parametrize(
    "student",
    [
        LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1),
        HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=10),
    ],
    ids=["LightGBM", "boosting"],
)
def test_pandas_students_see_names_and_categories(
    chunk_data, frame, student, small_blocks
):
    y = chunk_data[1]
    whole, chunked = distil_both(frame, y, student, Codes())
    names = whole.student_.feature_names_in_
    np.testing.assert_array_equal(chunked.student_.feature_names_in_, names)
    np.testing.assert_allclose(
        chunked.predict_proba(frame[3000:]), whole.predict_proba(frame[3000:])
    )


def test_polars_students_see_names(chunk_data, frame, small_blocks, scratch):
    y = chunk_data[1]
    table = pl.from_pandas(frame.drop(columns="category"))
    array = table.to_numpy()
    for student in (RandomForestClassifier(5), MLPClassifier((8,), max_iter=2)):
        named, bare = (
            distil(rows[:600], y[:600], cut(rows[600:3000]), student)
            for rows in (table, array)
        )
        assert list(named.student_.feature_names_in_) == table.columns
        np.testing.assert_array_equal(
            named.predict_proba(table), bare.predict_proba(array)
        )


@pytest.mark.parametrize(
    "student",
    [LogisticRegression(), MLPClassifier((8,), max_iter=2)],
    ids=["logistic", "network"],
)
def test_sparse_rows_stay_sparse(chunk_data, student, small_blocks, scratch):
    X, y = chunk_data
    # No block holds a number of the last column.
    X = np.where((np.abs(X) > 1) & (np.arange(10) < 9), X, 0)
    dense, thin = (
        distil(rows[:600], y[:600], cut(rows[600:3000]), student)
        for rows in (X, sparse.csr_matrix(X))
    )
    np.testing.assert_allclose(
        thin.predict_proba(sparse.csr_matrix(X)), dense.predict_proba(X), atol=1e-6
    )


def test_longer_text_stays_whole(scratch):
    rng = np.random.default_rng(0)
    X, U = rng.choice(["a", "b"], (100, 2)), rng.choice(["a", "b", "also"], (300, 2))
    y = (X[:, 0] == "a").astype(int)
    teacher = make_pipeline(OneHotEncoder(handle_unknown="ignore"), BernoulliNB())
    # A search is given the rows as they come, before any step of its pipeline.
    student = make_pipeline(
        OneHotEncoder(handle_unknown="ignore"), LogisticRegression()
    )
    search = GridSearchCV(student, {"logisticregression__C": [1.0]}, cv=2)
    whole, chunked = (distil(X, y, rows, search, teacher) for rows in (U, cut(U)))
    encoder = chunked.student_.best_estimator_[0]
    assert [c.tolist() for c in encoder.categories_] == [["a", "also", "b"]] * 2
    np.testing.assert_allclose(chunked.predict_proba(U), whole.predict_proba(U))


def test_lists_of_other_numbers_stay_whole(chunk_data, scratch):
    X, y = chunk_data
    whole_numbers = X[:200].round().astype(int).tolist()
    fits = [
        distil(whole_numbers, y[:200], rows, DecisionTreeClassifier(max_depth=3))
        for rows in (X[200:500].tolist(), tuple(p.tolist() for p in cut(X[200:500])))
    ]
    whole, chunked = (fit.predict_proba(X) for fit in fits)
    np.testing.assert_allclose(chunked, whole)


def test_categories_in_another_order_are_the_same(chunk_data, frame, scratch):
    y = chunk_data[1]
    student = LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1)
    other = frame.assign(category=frame["category"].cat.set_categories(list("xwvu")))
    first, second = (
        distil(frame[:600], y[:600], cut(table[600:1200]), student, Codes())
        for table in (frame, other)
    )
    np.testing.assert_array_equal(
        second.predict_proba(frame), first.predict_proba(frame)
    )


def test_columns_that_no_file_holds(chunk_data, frame, scratch):
    y = chunk_data[1]
    text = frame.assign(category=frame["category"].astype(object))[["a", "category"]]
    encode = FunctionTransformer(lambda X: X[["a"]])
    teacher = make_pipeline(encode, GaussianNB())

    class Reader(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            return super().fit(X[["a"]], y, sample_weight)

        def predict_proba(self, X):
            return super().predict_proba(X[["a"]])

    class Named(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            return super().fit(X[["a"]].to_numpy(), y, sample_weight)

        def predict_proba(self, X):
            return super().predict_proba(X[["a"]].to_numpy())

    with pytest.raises(TypeError, match=r"column 'category' is .*Encode it in front"):
        distil(text[:600], y[:600], cut(text[600:2000]), Reader(), teacher)
    flags = pl.DataFrame({"a": frame["a"].to_numpy(), "flag": frame["a"] > 0})
    gaps = flags.with_columns(flag=pl.col("flag").cast(pl.Int64).replace(0, None))
    for table in (flags, gaps):
        with pytest.raises(
            TypeError, match=r"column 'flag' is (Boolean|Int64).*Encode"
        ):
            distil(table[:600], y[:600], cut(table[600:2000]), Named(), Named())
    student = make_pipeline(encode, DecisionTreeClassifier(max_depth=3))
    distil(text[:600], y[:600], cut(text[600:2000]), student, teacher)


# Bounds -------------------------------------------------------------------------------


class Drawn:
    """Chunks that are drawn as they are read, and never kept."""

    def __init__(self, n_chunks, n_rows=2**15, n_columns=20):
        self.shape_, self.n_chunks = (n_rows, n_columns), n_chunks

    def __iter__(self):
        for seed in range(self.n_chunks):
            yield np.random.default_rng(seed).standard_normal(self.shape_)


@pytest.mark.parametrize(
    "student",
    [
        MLPClassifier((4,), max_iter=1, batch_size=2000),
        SGDClassifier("log_loss", max_iter=1),
    ],
    ids=["network", "SGD"],
)
@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(student, scratch):
    """16 chunks are 84 MB."""
    X, y = make_classification(600, 20, random_state=0)
    teacher = FrozenEstimator(GaussianNB().fit(X, y))
    peaks = []
    for n_chunks in (8, 16):
        tracemalloc.start()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            distil(X, y, Drawn(n_chunks), student, teacher)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0]
    assert peaks[1] < 70e6


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_files_are_removed_when_a_fit_fails(chunk_data, small_blocks, scratch, error):
    X, y = chunk_data
    found = []

    class Failing(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            found.extend(scratch.glob("skdistill-*/*"))
            raise error

    with pytest.raises(error):
        distil(X[:600], y[:600], cut(X[600:3000]), Failing())
    assert found


def test_files_are_removed_when_a_label_fails(chunk_data, small_blocks, scratch):
    X, y = chunk_data

    class Failing(GaussianNB):
        def predict_proba(self, X):
            if (X[:, 0] > 99).any():
                assert list(Path(scratch).glob("skdistill-*/*"))
                raise ZeroDivisionError
            return super().predict_proba(X)

    U = X[600:3000].copy()
    U[-1, 0] = 100
    with pytest.raises(ZeroDivisionError):
        distil(X[:600], y[:600], cut(U), LogisticRegression(), Failing())


@pytest.mark.parametrize("backend", ["threading", "loky"])
@pytest.mark.slow
def test_workers_give_the_same_bytes(chunk_data, small_blocks, backend):
    X, y = chunk_data
    student = MLPClassifier((4,), max_iter=2)
    given = (X[:600], y[:600], cut(X[600:3000]), student)
    sampled = {"augmenter": "munge", "n_synthetic": 1500}
    serial = distil(*given, **sampled)
    with parallel_config(backend=backend):
        parallel = distil(*given, **sampled, n_jobs=2)
    np.testing.assert_array_equal(
        serial.predict_proba(X[3000:]), parallel.predict_proba(X[3000:])
    )


def test_pilots_see_the_first_block_alone(chunk_data, small_blocks, monkeypatch):
    X, y = chunk_data
    seen = []
    fit = Munge.fit

    def note(self, rows):
        seen.append(np.asarray(rows))
        return fit(self, rows)

    monkeypatch.setattr(Munge, "fit", note)
    distilled = DistilledClassifier(
        RandomForestClassifier(10),
        MLPClassifier((8,), max_iter=5),
        n_synthetic=600,
        random_state=0,
    ).fit(X[:600], y[:600], X_unlabeled=cut(X[600:6000], 20))
    assert distilled.pilots_[0]["learns from"] == "transfer set"
    # Four fifths of the training rows, and a block of several chunks.
    assert len(seen[0]) == 480 + 500
    np.testing.assert_array_equal(seen[0][480:], X[600:1100])


class Counting(GaussianNB):
    """Notes how many rows it labels."""

    calls: list = []

    def predict_proba(self, X):
        self.calls.append(len(X))
        return super().predict_proba(X)


def test_labelled_chunks_are_remembered(chunk_data, small_blocks, tmp_path):
    X, y = chunk_data
    student = MLPClassifier((4,), max_iter=1)
    given = (X[:600], y[:600], cut(X[600:3000]), student, Counting())
    Counting.calls.clear()
    first = distil(*given, memory=tmp_path / "memory")
    assert sum(Counting.calls) == 600 + 2400
    again = distil(*given, memory=tmp_path / "memory")
    assert sum(Counting.calls) == 600 + 2400
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))
