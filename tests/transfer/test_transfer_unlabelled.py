"""Unlabelled rows: labelled by the teacher, and built on."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from _core import PLAIN
from _samplers import SEEDED, Counting, Echo, Spy
from scipy import sparse
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline

from skdistill import DistilledClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_unlabelled_rows_come_first_and_the_teacher_labels_them(data):
    X, y = data
    real, more = X[:300], X[300:]
    distilled = DistilledClassifier(GaussianNB(), Spy(), random_state=0, **PLAIN).fit(
        real, y[:300], X_unlabeled=more
    )
    teacher = GaussianNB().fit(real, y[:300])
    prior = np.bincount(y[:300]) / 300
    expected = 0.999 * teacher.predict_proba(X) + 0.001 * prior
    student = distilled.student_
    order = np.argsort(student.rows_[:, 4])
    np.testing.assert_allclose(student.mass_[order], expected, atol=1e-12)
    assert distilled.augmenter_ is None


def test_true_labels_are_for_rows_that_have_one(data):
    X, y = data
    distilled = DistilledClassifier(
        GaussianNB(), Spy(), alpha=0.0, random_state=0, **PLAIN
    ).fit(X[:300], y[:300], X_unlabeled=X[300:])
    student = distilled.student_
    mass = student.mass_[np.argsort(student.rows_[:, 4])]
    np.testing.assert_array_equal(mass[:300], np.eye(3)[y[:300]])
    teacher = GaussianNB().fit(X[:300], y[:300])
    expected = 0.999 * teacher.predict_proba(X[300:]) + 0.001 * mass[:300].mean(axis=0)
    np.testing.assert_allclose(mass[300:], expected, atol=1e-12)


class Labelling(GaussianNB):
    """A teacher that notes the rows that it labels."""

    tables = []

    def predict_proba(self, X):
        Labelling.tables.append(X)
        return super().predict_proba(X)


def test_synthetic_rows_build_on_unlabelled_ones(data):
    X, y = data
    Labelling.tables.clear()
    DistilledClassifier(
        Labelling(), Spy(), augmenter=Echo(), n_synthetic=600, **SEEDED
    ).fit(X[:300], y[:300], X_unlabeled=X[300:])
    np.testing.assert_array_equal(Echo.fits[0], X)
    *_, table = Labelling.tables
    np.testing.assert_array_equal(table, np.concatenate([X[300:], X, X[:80]]))


FRAME = pd.DataFrame({"a": [0.0, 1.0] * 30, "b": pd.Categorical(["x", "y"] * 30)})


@pytest.mark.parametrize(
    ("X", "X_unlabeled", "error", "parts"),
    [
        (FRAME, FRAME.to_numpy(), TypeError, ["same kind as X, a DataFrame"]),
        (FRAME, pl.from_pandas(FRAME), TypeError, ["same kind as X"]),
        (np.eye(60), sparse.eye(60, format="csr"), TypeError, ["same kind as X"]),
        (
            np.eye(60),
            np.eye(61),
            ValueError,
            ["columns", "shape (60,)", "shape (61,)"],
        ),
        (FRAME, FRAME[["b", "a"]], ValueError, ["columns of X", "order"]),
        (FRAME, FRAME.rename(columns={"a": "c"}), ValueError, ["columns of X", "c"]),
        (FRAME, FRAME[:0], ValueError, ["must hold rows", "Leave it out"]),
        (
            FRAME,
            FRAME.astype({"a": int}),
            TypeError,
            ["dtypes of X", "'a'", "float64", "int64"],
        ),
        (
            FRAME,
            FRAME.assign(b=FRAME["b"].cat.add_categories("z")),
            ValueError,
            ["categories that X declares", "'b' holds 'z'"],
        ),
        (
            pl.DataFrame({"a": [1, 2] * 30}),
            pl.DataFrame({"a": [1.0]}),
            TypeError,
            ["dtypes of X", "Int64", "Float64"],
        ),
    ],
)
def test_unlabelled_rows_of_another_table_are_refused(X, X_unlabeled, error, parts):
    distilled = DistilledClassifier(
        Counting(), LogisticRegression(), augmenter=None, random_state=0
    )
    with pytest.raises(error, match="X_unlabeled must") as raised:
        distilled.fit(X, [0, 1] * 30, X_unlabeled=X_unlabeled)
    for part in parts:
        assert part in str(raised.value)
    assert not Counting.fits


@pytest.mark.parametrize("extra", ["X_unlabeled", "augmenter"])
def test_stored_probabilities_label_no_other_row(data, extra):
    X, y = data
    fit = {"X_unlabeled": X} if extra == "X_unlabeled" else {}
    distilled = DistilledClassifier(
        None, Spy(), augmenter=None if fit else "munge", random_state=0
    )
    with pytest.raises(ValueError, match=rf"received (an )?{extra}, whose rows"):
        distilled.fit(X, y, teacher_proba=np.full((520, 3), 1 / 3), **fit)


@pytest.mark.parametrize("unlabeled", [False, True])
def test_weights_of_parents_carry_over(data, unlabeled):
    X, y = data
    weight = np.random.default_rng(0).integers(1, 5, 300).astype(float)
    fit = {"X_unlabeled": X[300:]} if unlabeled else {}
    n_rows = 520 if unlabeled else 300
    distilled = DistilledClassifier(
        GaussianNB(), Spy(), augmenter=Echo(), n_synthetic=2 * n_rows, **SEEDED
    ).fit(X[:300], y[:300], sample_weight=weight, **fit)
    student = distilled.student_
    mass = student.mass_[np.argsort(student.rows_[:, 4])].sum(axis=1)
    # Every row came three times: as itself, and twice as a parent.
    np.testing.assert_allclose(mass[:300], 3 * weight)
    # A row without a label weighs as much as one with a label, on average.
    np.testing.assert_allclose(mass[300:], 3 * weight.mean())


def test_weights_of_rows_without_parents(data):
    X, y = data
    weight = np.random.default_rng(0).uniform(0.1, 3, 520)
    distilled = DistilledClassifier(
        GaussianNB(), Spy(), augmenter=KernelDensity(), n_synthetic=100, random_state=0
    ).fit(X, y, sample_weight=weight)
    student = distilled.student_
    synthetic = ~np.isin(student.rows_[:, 4], X[:, 4])
    mass = student.mass_.sum(axis=1)
    assert synthetic.sum() == 100
    np.testing.assert_allclose(mass[synthetic], weight.mean())
    np.testing.assert_allclose(np.sort(mass[~synthetic]), np.sort(weight))


def test_lists_of_rows_are_built_on(data):
    X, y = data
    for augmenter in ("munge", KernelDensity()):
        given = {"augmenter": augmenter, "n_synthetic": 100, "random_state": 0}
        model = DistilledClassifier(GaussianNB(), LogisticRegression(), **given)
        lists = clone(model).fit(X.tolist(), y, X_unlabeled=X[:50].tolist())
        arrays = clone(model).fit(X, y, X_unlabeled=X[:50])
        np.testing.assert_array_equal(lists.predict_proba(X), arrays.predict_proba(X))


class Table(Spy):
    """A teacher that takes any rows."""

    def fit(self, X, y):
        Counting.fits.append(len(X))
        self.classes_ = np.unique(y)
        return self


def use_of_no_sampler():
    """Rows that nothing can be built on, with a student that learns them."""
    texts = [f"word{number % 7} word{number % 5}" for number in range(520)]
    return {
        "identical": (np.ones((520, 2)), GaussianNB(), "at least two rows that differ"),
        "texts": (texts, make_pipeline(TfidfVectorizer(), LogisticRegression()), "2D"),
    }


@pytest.mark.parametrize("alpha", ["auto", 1.0])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("name", ["identical", "texts"])
def test_rows_that_nothing_can_be_built_on(name, frozen, alpha):
    X, student, why = use_of_no_sampler()[name]
    y = np.arange(520) % 2
    teacher = FrozenEstimator(Table().fit(X, y)) if frozen else Table()
    distilled = DistilledClassifier(teacher, student, alpha=alpha, random_state=0)
    Counting.fits.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        distilled.fit(X, y)
    caught = [w for w in caught if "makes no synthetic rows" in str(w.message)]
    assert len(caught) == 1
    assert caught[0].category is UserWarning
    assert caught[0].filename == __file__
    assert why in str(caught[0].message)
    assert "augmenter=None" in str(caught[0].message)
    # Some errors of scikit-learn print all of the rows.
    assert "\n" not in str(caught[0].message)
    assert distilled.augmenter_ is None
    tried = [pilot["learns from"] for pilot in distilled.pilots_]
    assert "transfer set" not in tried
    # One way is no choice, and the true labels judge the teacher.
    assert len(tried) == (3 if alpha == "auto" else 2)

    # Asked for, they are an error, before any teacher is fitted.
    Counting.fits.clear()
    with pytest.raises(ValueError, match=why):
        clone(distilled).set_params(augmenter="munge").fit(X, y)
    assert not Counting.fits


def test_unlabelled_texts_need_no_sampler():
    X, student, _ = use_of_no_sampler()["texts"]
    distilled = DistilledClassifier(clone(student), student, **PLAIN)
    distilled.fit(X[:300], np.arange(300) % 2, X_unlabeled=X[300:])
    assert distilled.predict_proba(X).shape == (520, 2)
