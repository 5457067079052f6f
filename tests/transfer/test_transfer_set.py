"""The rows beyond the training rows: where they come from, and who learns them."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from _core import echo_rows
from _samplers import SEEDED, Counting, Echo, Spy, numbers
from joblib import parallel_config
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill.transfer import GaussianCopula, Munge, Spunge

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"augmenter": "smote"}, ValueError, "augmenter must be .* received 'smote'"),
        ({"augmenter": Munge}, TypeError, "augmenter must be a sampler .* instance"),
        ({"augmenter": GaussianNB()}, TypeError, "received GaussianNB"),
        ({"n_synthetic": 0}, ValueError, "n_synthetic must be .* received 0"),
        ({"n_synthetic": 10.0}, ValueError, "n_synthetic must be .* received 10.0"),
        ({"n_synthetic": True}, ValueError, "n_synthetic must be .* received True"),
        ({"n_synthetic": "all"}, ValueError, "n_synthetic must be .* received 'all'"),
    ],
)
def test_what_is_no_sampler_is_refused(data, params, error, match):
    with pytest.raises(error, match=match):
        DistilledClassifier(Counting(), Spy(), **params).fit(*data)
    assert not Counting.fits


class Passing(TransformerMixin, BaseEstimator):
    """A step that notes the rows that pass through it."""

    tables = []

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        Passing.tables.append(X)
        return X

    def __sklearn_is_fitted__(self):
        return True


@pytest.mark.parametrize(
    ("student", "params", "share"),
    [
        (MLPClassifier((4,), max_iter=3, early_stopping=True), {}, 0.1),
        (
            MLPClassifier(
                (4,), max_iter=3, early_stopping=True, validation_fraction=0.25
            ),
            {},
            0.25,
        ),
        (MLPClassifier((4,), max_iter=3), {"fine_tune": 1}, 0.1),
        (MLPClassifier((4,), max_iter=3), {}, 0.0),
        (LogisticRegression(), {}, 0.0),
    ],
)
def test_held_out_rows_are_no_parents(data, student, params, share):
    X, y = data
    Passing.tables.clear()
    DistilledClassifier(
        GaussianNB(),
        make_pipeline(Passing(), student),
        augmenter=Echo(),
        n_synthetic=1000,
        **{**SEEDED, **params},
    ).fit(X, y)
    (parents,) = Echo.fits
    assert len(parents) == 520 - np.ceil(520 * share)
    # Training rows come first; the transfer set has 1000 rows; others are held out.
    train, *others = Passing.tables
    np.testing.assert_array_equal(train, parents)
    (transfer,) = (table for table in others if len(table) == 1000)
    np.testing.assert_array_equal(numbers(parents), numbers(transfer))
    held_out = [table for table in others if len(table) not in (1000, len(train))]
    assert bool(held_out) == (share > 0)
    for table in held_out:
        assert not np.intersect1d(numbers(parents), numbers(table)).size
        assert len(parents) + len(table) == 520


@pytest.mark.filterwarnings("ignore:The teacher:UserWarning")
@pytest.mark.parametrize("cv", [None, KFold(4)])
def test_validation_rows_of_the_pilots_are_no_parents(data, cv, monkeypatch):
    X, y = data
    echo_rows(monkeypatch, Munge, Spunge)
    DistilledClassifier(Counting(), Spy(), cv=cv, random_state=0, n_synthetic=1300).fit(
        X, y
    )
    parents = numbers(Echo.fits[0])
    held_out = np.setdiff1d(np.arange(520), parents)
    assert len(held_out) == (104 if cv is None else 130)
    # The fold's teacher was fitted on what the sampler was.
    assert Counting.fits[0] == len(parents)
    # No pilot learned anything of them; the final student learned all.
    *pilots, final = Spy.fits
    assert len(pilots) == 5
    for pilot in pilots:
        assert not np.intersect1d(numbers(pilot.rows_), held_out).size
    np.testing.assert_array_equal(numbers(final.rows_), np.arange(520))


@pytest.mark.parametrize(
    "augmenter",
    [
        "munge",
        Spunge(),
        GaussianCopula(),
        GaussianMixture(3),
        GaussianMixture(3, random_state=7),
        KernelDensity(bandwidth=0.3),
    ],
    ids=str,
)
def test_same_seed_same_bytes(data, augmenter):
    X, y = data
    made = []
    for n_jobs in (1, 2):
        # A draw from the global generator must not count.
        np.random.seed(n_jobs)  # noqa: NPY002
        distilled = DistilledClassifier(
            DecisionTreeClassifier(max_depth=4),
            LogisticRegression(),
            augmenter=augmenter,
            n_synthetic=1000,
            cv=2,
            n_jobs=n_jobs,
            random_state=3,
        )
        with parallel_config("threading"):
            distilled.fit(X[:, :4], y)
        made.append(pickle.dumps(distilled.student_))
    assert made[0] == made[1]
    given = distilled.augmenter
    assert given == "munge" or not hasattr(given, "n_features_in_")
    assert distilled.augmenter_ is not given
    other = clone(distilled).set_params(random_state=4, n_jobs=None).fit(X[:, :4], y)
    assert pickle.dumps(other.student_) != made[0]


@pytest.mark.parametrize("kind", ["tuple", "frame", "columns"])
def test_a_sampler_that_makes_something_else_is_refused(data, kind):
    X, y = data
    rows, wrong = X, X[:, :3]
    if kind == "frame":
        rows, wrong = pd.DataFrame(X, columns=list("abcde")), X
    if kind == "tuple":
        wrong = X.tolist()

    class Wrong(BaseEstimator):
        def fit(self, X):
            return self

        def sample(self, n_samples, random_state=None):
            return wrong[:n_samples]

    error = ValueError if kind == "columns" else TypeError
    distilled = DistilledClassifier(Counting(), Spy(), augmenter=Wrong())
    with pytest.raises(error, match="The rows of Wrong must"):
        distilled.fit(rows, y)
    assert not Counting.fits


def test_nested_parameters_are_searched(data):
    X, y = data
    search = GridSearchCV(
        DistilledClassifier(
            *(GaussianNB(), LogisticRegression()),
            augmenter=Munge(),
            n_synthetic=200,
            **SEEDED,
        ),
        {"augmenter__p": [0.1, 0.9], "augmenter__s": [1.0, 100.0]},
        cv=2,
    ).fit(X, y)
    assert search.best_estimator_.augmenter_.p == search.best_params_["augmenter__p"]
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    copy = clone(search.best_estimator_)
    assert copy.augmenter is not search.best_estimator_.augmenter
    assert copy.get_params()["augmenter__s"] == search.best_params_["augmenter__s"]
    assert not hasattr(copy.augmenter, "n_features_in_")


@pytest.mark.parametrize("cv", [None, 2])
@pytest.mark.slow
def test_a_search_over_the_student_fits_each_teacher_once(data, cv, tmp_path):
    X, y = data
    fits = tmp_path / "fits"
    fits.mkdir()
    students = [
        LogisticRegression(),
        Spy(),
        # One that holds rows out, and one that keeps to true labels.
        MLPClassifier((4,), max_iter=3, early_stopping=True),
        RandomForestClassifier(5, max_depth=3),
    ]
    search = GridSearchCV(
        DistilledClassifier(
            Counting(),
            augmenter="auto",
            n_synthetic=1000,
            cv=cv,
            memory=tmp_path,
            random_state=0,
        ),
        {"student": students, "temperature": [1.0]},
        cv=KFold(2, shuffle=True, random_state=0),
        refit=False,
        error_score="raise",
    )
    rows = np.concatenate([X, X + 0.1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        search.fit(rows, np.concatenate([y, y]))
    # Two splits, each with the teachers of the folds and one on all rows.
    folds = [416] if cv is None else [260, 260]
    assert Counting.fits == 2 * [*folds, 520]


def make_frame(n_rows):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=n_rows),
            "count": rng.integers(0, 9, n_rows),
            "text": rng.choice(["red", "green", "blue"], n_rows).astype(object),
            "category": pd.Categorical(rng.choice(["low", "high"], n_rows)),
            "flag": rng.random(n_rows) < 0.5,
            "holes": np.where(
                rng.random(n_rows) < 0.2, np.nan, rng.normal(size=n_rows)
            ),
        }
    )
    y = np.where((frame["text"] == "red") ^ (frame["number"] > 0), "yes", "no")
    return frame, y


class Watching(ClassifierMixin, BaseEstimator):
    """A teacher that insists on the dtypes it was trained on."""

    def fit(self, X, y):
        self.schema_, self.n_rows_ = dict(zip(X.columns, X.dtypes, strict=True)), []
        self.categories_ = set(X["text"])
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        assert dict(zip(X.columns, X.dtypes, strict=True)) == self.schema_
        assert set(X["text"]) <= self.categories_
        self.n_rows_.append(len(X))
        return np.full((len(X), 2), 0.5)

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_the_teacher_sees_the_dtypes_it_was_trained_on(container):
    frame, y = make_frame(200)
    if container == "polars":
        frame = pl.from_pandas(frame)
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    student = make_pipeline(codes, DecisionTreeClassifier(max_depth=2))
    distilled = DistilledClassifier(
        Watching(), student, augmenter="munge", n_synthetic=300, **SEEDED
    ).fit(frame, y, X_unlabeled=frame[:30])
    assert distilled.teacher_.n_rows_ == [200, 330]


def test_the_defaults_take_a_mixed_frame():
    frame, y = make_frame(100)
    distilled = DistilledClassifier(augmenter="munge", n_synthetic=300, **SEEDED)
    distilled.fit(frame, y)
    assert isinstance(distilled.augmenter_, Munge)
    assert (distilled.predict(frame) == y).mean() > 0.85


@pytest.mark.parametrize(
    "make", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array]
)
def test_sparse_rows(make):
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((120, 6)) < 0.6, 0.0, rng.normal(size=(120, 6)))
    y = (dense[:, 0] + dense[:, 1] > 0.1).astype(int)
    X = make(dense)
    models = DecisionTreeClassifier(max_depth=3), LogisticRegression()
    distilled = DistilledClassifier(
        *models, augmenter="munge", n_synthetic=500, **SEEDED
    ).fit(X, y, X_unlabeled=make(dense[:20]))
    assert distilled.augmenter_.n_features_in_ == 6
    assert distilled.score(dense, y) > 0.7
