"""The rows beyond the training rows: where they come from, and who learns them."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from joblib import parallel_config
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
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
from skdistill._transfer_set import count_rows
from skdistill.transfer import GaussianCopula, Munge, Spunge

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def data():
    """520 rows of three classes; the last column numbers them."""
    X, y = make_classification(
        520,
        n_features=4,
        n_informative=4,
        n_redundant=0,
        n_classes=3,
        n_clusters_per_class=1,
        random_state=0,
    )
    return np.column_stack([X, np.arange(520)]), y


class Echo(BaseEstimator):
    """A sampler that gives its rows back in turn, and notes what it was fitted on."""

    fits = []

    def __init__(self, p=1):
        self.p = p

    def fit(self, X):
        Echo.fits.append(X)
        self.X_ = X
        return self

    def sample_with_parents(self, n_samples, random_state=None):
        parents = np.arange(n_samples) % len(self.X_)
        return self.X_[parents], parents

    def sample(self, n_samples, random_state=None):
        return self.sample_with_parents(n_samples)[0]


class Spy(ClassifierMixin, BaseEstimator):
    """A student that keeps its copies of rows, put together again."""

    fits = []

    def __init__(self, setting=0):
        self.setting = setting

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        # Copies of a row stand side by side or in blocks: add up by content.
        rows, row_of = np.unique(np.asarray(X), axis=0, return_inverse=True)
        mass = np.zeros((len(rows), len(self.classes_)))
        np.add.at(mass, (row_of, np.searchsorted(self.classes_, y)), sample_weight)
        self.rows_, self.mass_ = rows, mass
        self.given_ = np.asarray(X), np.asarray(y), np.asarray(sample_weight)
        Spy.fits.append(self)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class Counting(LogisticRegression):
    """A teacher that counts its fits, and notes the rows of each."""

    fits = []

    def fit(self, X, y, sample_weight=None):
        Counting.fits.append(len(X))
        return super().fit(X, y, sample_weight)


@pytest.fixture(autouse=True)
def forget():
    for noting in (Echo, Spy, Counting):
        noting.fits.clear()


def numbers(X):
    return np.unique(X[:, 4]).astype(int)


def test_how_many_rows():
    assert [count_rows(n, "auto") for n in (100, 1000, 1500, 30_000, 190_000)] == [
        2000,
        10_000,
        10_000,
        120_000,
        500_000,
    ]
    assert count_rows(100, 7) == 7


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
def test_held_out_rows_are_no_parents(data, student, params, share, monkeypatch):
    X, y = data
    seen = {}

    def note(student, train, validation=None, temperature=1.0, extra=None):
        seen.update(train=train, validation=validation, extra=extra)
        return fit_student(student, train, validation, temperature, extra)

    from skdistill import _steps

    fit_student = _steps.fit_student
    monkeypatch.setattr(_steps, "fit_student", note)
    DistilledClassifier(
        GaussianNB(),
        student,
        augmenter=Echo(),
        n_synthetic=1000,
        calibrate=False,
        random_state=0,
        **params,
    ).fit(X, y)
    (parents,) = Echo.fits
    assert len(parents) == 520 - np.ceil(520 * share)
    np.testing.assert_array_equal(numbers(parents), numbers(seen["train"].X))
    np.testing.assert_array_equal(numbers(parents), numbers(seen["extra"].X))
    if seen["validation"] is not None:
        held_out = numbers(seen["validation"].X)
        assert not np.intersect1d(numbers(parents), held_out).size
        assert len(parents) + len(held_out) == 520


@pytest.mark.filterwarnings("ignore:The teacher:UserWarning")
@pytest.mark.parametrize("cv", [None, KFold(4)])
def test_judges_of_the_trials_are_no_parents(data, cv, monkeypatch):
    X, y = data
    monkeypatch.setattr("skdistill._transfer_set.Munge", Echo)
    monkeypatch.setattr("skdistill._recipe.Spunge", lambda **_: Echo())
    DistilledClassifier(Counting(), Spy(), cv=cv, random_state=0, n_synthetic=1300).fit(
        X, y
    )
    parents = numbers(Echo.fits[0])
    judges = np.setdiff1d(np.arange(520), parents)
    assert len(judges) == (104 if cv is None else 130)
    # The fold's teacher was fitted on what the sampler was.
    assert Counting.fits[0] == len(parents)
    # No trial learned anything of the judges; the final student learned all.
    *trials, final = Spy.fits
    assert len(trials) == 5
    for trial in trials:
        assert not np.intersect1d(numbers(trial.rows_), judges).size
    np.testing.assert_array_equal(numbers(final.rows_), np.arange(520))


def test_unlabelled_rows_come_first_and_the_teacher_labels_them(data):
    X, y = data
    real, more = X[:300], X[300:]
    distilled = DistilledClassifier(
        GaussianNB(), Spy(), augmenter=None, random_state=0
    ).fit(real, y[:300], X_unlabeled=more)
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
        GaussianNB(), Spy(), augmenter=None, alpha=0.0, random_state=0
    ).fit(X[:300], y[:300], X_unlabeled=X[300:])
    student = distilled.student_
    mass = student.mass_[np.argsort(student.rows_[:, 4])]
    np.testing.assert_array_equal(mass[:300], np.eye(3)[y[:300]])
    teacher = GaussianNB().fit(X[:300], y[:300])
    expected = 0.999 * teacher.predict_proba(X[300:]) + 0.001 * mass[:300].mean(axis=0)
    np.testing.assert_allclose(mass[300:], expected, atol=1e-12)


def test_synthetic_rows_build_on_unlabelled_ones(data, monkeypatch):
    X, y = data
    from skdistill import _steps

    label = _steps._teacher.label_rows
    tables = []

    def note(teacher, table, **given):
        tables.append(table)
        return label(teacher, table, **given)

    monkeypatch.setattr(_steps._teacher, "label_rows", note)
    DistilledClassifier(
        GaussianNB(), Spy(), augmenter=Echo(), n_synthetic=600, random_state=0
    ).fit(X[:300], y[:300], X_unlabeled=X[300:])
    np.testing.assert_array_equal(Echo.fits[0], X)
    _, table = tables
    np.testing.assert_array_equal(table, np.concatenate([X[300:], X, X[:80]]))


FRAME = pd.DataFrame({"a": [0.0, 1.0] * 30, "b": pd.Categorical(["x", "y"] * 30)})


@pytest.mark.parametrize(
    ("X", "X_unlabeled", "error", "parts"),
    [
        (FRAME, FRAME.to_numpy(), TypeError, ["same kind as X, a DataFrame"]),
        (FRAME, pl.from_pandas(FRAME), TypeError, ["same kind as X"]),
        (np.eye(60), sparse.eye(60, format="csr"), TypeError, ["same kind as X"]),
        (np.eye(60), np.eye(61), ValueError, ["columns of X", "61 features"]),
        (FRAME, FRAME[["b", "a"]], ValueError, ["columns of X", "order"]),
        (FRAME, FRAME.rename(columns={"a": "c"}), ValueError, ["columns of X", "c"]),
        (FRAME, FRAME[:0], ValueError, ["must hold rows", "None"]),
        (
            FRAME,
            FRAME.astype({"a": int}),
            TypeError,
            ["dtypes of X", "'a'", "float64", "int64"],
        ),
        (
            FRAME,
            FRAME.assign(b=FRAME["b"].cat.add_categories("z")),
            TypeError,
            ["dtypes of X", "'b'"],
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
        GaussianNB(), Spy(), augmenter=Echo(), n_synthetic=2 * n_rows, random_state=0
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


def test_lists_of_rows_are_built_on(data):
    X, y = data
    models = [
        DistilledClassifier(
            GaussianNB(),
            LogisticRegression(),
            augmenter=augmenter,
            n_synthetic=100,
            random_state=0,
        )
        for augmenter in ("munge", KernelDensity())
    ]
    for model in models:
        lists = clone(model).fit(X.tolist(), y, X_unlabeled=X[:50].tolist())
        arrays = clone(model).fit(X, y, X_unlabeled=X[:50])
        np.testing.assert_array_equal(lists.predict_proba(X), arrays.predict_proba(X))


def test_nested_parameters_are_searched(data):
    X, y = data
    search = GridSearchCV(
        DistilledClassifier(
            GaussianNB(),
            LogisticRegression(),
            augmenter=Munge(),
            n_synthetic=200,
            calibrate=False,
            random_state=0,
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
            "level": pd.Categorical(rng.choice(["low", "high"], n_rows)),
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
        self.levels_ = set(X["text"])
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        assert dict(zip(X.columns, X.dtypes, strict=True)) == self.schema_
        assert set(X["text"]) <= self.levels_
        self.n_rows_.append(len(X))
        return np.full((len(X), 2), 0.5)

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_the_teacher_sees_the_dtypes_it_was_trained_on(container):
    frame, y = make_frame(200)
    if container == "polars":
        frame = pl.from_pandas(frame)
    distilled = DistilledClassifier(
        Watching(),
        make_pipeline(
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            DecisionTreeClassifier(max_depth=2),
        ),
        augmenter="munge",
        n_synthetic=300,
        random_state=0,
    ).fit(frame, y, X_unlabeled=frame[:30])
    assert distilled.teacher_.n_rows_ == [200, 330]


def test_the_defaults_take_a_mixed_frame():
    frame, y = make_frame(100)
    distilled = DistilledClassifier(
        augmenter="munge", n_synthetic=300, random_state=0
    ).fit(frame, y)
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
    distilled = DistilledClassifier(
        DecisionTreeClassifier(max_depth=3),
        LogisticRegression(),
        augmenter="munge",
        n_synthetic=500,
        random_state=0,
    ).fit(X, y, X_unlabeled=make(dense[:20]))
    assert distilled.augmenter_.n_features_in_ == 6
    assert distilled.score(dense, y) > 0.7


class Table(ClassifierMixin, BaseEstimator):
    """A teacher that takes any rows."""

    def fit(self, X, y):
        Counting.fits.append(len(X))
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


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
    assert distilled.augmenter_ is None
    tried = [trial["learns from"] for trial in distilled.trials_]
    assert "transfer set" not in tried
    # One way is no choice.
    assert len(tried) == (3 if alpha == "auto" else 0)

    # Asked for, they are an error, before any teacher is fitted.
    Counting.fits.clear()
    with pytest.raises(ValueError, match=why):
        clone(distilled).set_params(augmenter="munge").fit(X, y)
    assert not Counting.fits


def test_unlabelled_texts_need_no_sampler():
    X, student, _ = use_of_no_sampler()["texts"]
    distilled = DistilledClassifier(
        make_pipeline(TfidfVectorizer(), LogisticRegression()), student, augmenter=None
    ).fit(X[:300], np.arange(300) % 2, X_unlabeled=X[300:])
    assert distilled.predict_proba(X).shape == (520, 2)
