"""One fitted object in many threads, fits that are interrupted, and seeds."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill.transfer import Munge

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:The teacher:UserWarning",
)

X, Y = make_classification(560, 5, n_informative=4, n_redundant=0, random_state=0)

STUDENTS = {
    "network": make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=8)),
    "logistic": LogisticRegression(),
    "tree": DecisionTreeClassifier(max_depth=3, max_features=3),
    "forest": RandomForestClassifier(4),
    "boosted": LGBMClassifier(n_estimators=4, n_jobs=1, verbose=-1, subsample=0.5),
    "hist": HistGradientBoostingClassifier(max_iter=3),
    "bayes": GaussianNB(),
}


def distil(name, **params):
    params = {"random_state": 0, "n_synthetic": 200} | params
    teacher = RandomForestClassifier(5, max_depth=4)
    return DistilledClassifier(teacher, STUDENTS[name], **params)


@pytest.fixture(scope="module")
def fitted():
    return {name: distil(name).fit(X, Y) for name in STUDENTS}


@pytest.mark.parametrize("name", STUDENTS)
def test_many_threads_are_served_as_one_is(name, fitted):
    distilled = fitted[name]
    parts = [X[start : start + 14] for start in range(0, 560, 14)]
    methods = ("predict_proba", "predict", "predict_log_proba")
    calls = [(method, part) for part in parts for method in methods]
    before = pickle.dumps(distilled)

    def serve(call):
        method, part = call
        return getattr(distilled, method)(part).tobytes()

    expected = [serve(call) for call in calls]
    together = threading.Barrier(8)
    with ThreadPoolExecutor(8, initializer=together.wait) as threads:
        for _ in range(2):
            assert list(threads.map(serve, calls)) == expected
    assert pickle.dumps(distilled) == before


@pytest.mark.parametrize("name", STUDENTS)
@pytest.mark.slow
def test_a_seed_decides_every_byte_whatever_the_number_of_workers(name, fitted):
    def digest(distilled):
        given = distilled.pilots_, distilled.calibration_, distilled.memorization_
        return pickle.dumps([distilled.student_, distilled.teacher_]), given

    first = digest(fitted[name])
    assert digest(distil(name).fit(X, Y)) == first
    with joblib.parallel_config(backend="threading"):
        # Nor do two of the folds, chunks and pilots at the same time change it.
        assert digest(distil(name, n_jobs=2).fit(X, Y)) == first
    with_folds = digest(distil(name, cv=3).fit(X, Y))
    with joblib.parallel_config(backend="threading"):
        assert digest(distil(name, cv=3, n_jobs=2).fit(X, Y)) == with_folds
    assert digest(distil(name, random_state=1).fit(X, Y))[0] != first[0]


class Interrupted(BaseEstimator):
    """Ends the n-th call of one of its methods by Ctrl-C, or by an error."""

    left = {}

    def strike(self, what):
        Interrupted.left[what] = Interrupted.left.get(what, -1) - 1
        if Interrupted.left[what] == 0:
            raise Interrupted.error


class Teacher(Interrupted, LogisticRegression):
    def fit(self, X, y, sample_weight=None):
        self.strike("teacher.fit")
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        self.strike("teacher.predict_proba")
        return super().predict_proba(X)


class Student(Interrupted, GaussianNB):
    def fit(self, X, y, sample_weight=None):
        self.strike("student.fit")
        return super().fit(X, y, sample_weight)


class Sampler(Interrupted, Munge):
    def fit(self, X, y=None, sample_weight=None):
        self.strike("sampler.fit")
        return super().fit(X, y, sample_weight)

    def sample_with_parents(self, n_samples=1, random_state=None):
        self.strike("sampler.sample")
        return super().sample_with_parents(n_samples, random_state)


def count_state(estimator):
    return {k: joblib.hash(v) for k, v in vars(estimator).items()}


@pytest.mark.parametrize(
    ("what", "number", "params", "error"),
    [
        ("teacher.fit", 1, {}, KeyboardInterrupt),
        ("teacher.fit", 2, {}, MemoryError),
        # The last of the folds, before the teacher that is kept.
        ("teacher.fit", 3, {"cv": 3, "augmenter": None}, KeyboardInterrupt),
        ("teacher.predict_proba", 1, {}, MemoryError),
        ("teacher.predict_proba", 2, {"augmenter": Sampler()}, KeyboardInterrupt),
        ("student.fit", 1, {}, KeyboardInterrupt),
        ("student.fit", 3, {}, MemoryError),
        # The pilots end, and the last fit does not.
        ("student.fit", 6, {}, KeyboardInterrupt),
        ("student.fit", 6, {}, MemoryError),
        ("student.fit", 1, {"augmenter": Sampler()}, MemoryError),
        (
            *("student.fit", 1),
            {"student": make_pipeline(StandardScaler(), Student()), "cv": 2},
            MemoryError,
        ),
        ("sampler.fit", 1, {"augmenter": Sampler()}, KeyboardInterrupt),
        ("sampler.sample", 1, {"augmenter": Sampler()}, MemoryError),
    ],
)
def test_an_interrupted_fit_leaves_the_state_before_or_none(
    what, number, params, error, monkeypatch
):
    monkeypatch.setattr(Interrupted, "left", {})
    monkeypatch.setattr(Interrupted, "error", error, raising=False)
    given = {"student": Student(), "n_synthetic": 100, "random_state": 0} | params
    distilled = DistilledClassifier(Teacher(), **given)
    Interrupted.left[what] = number
    with pytest.raises(error):
        distilled.fit(X, Y)
    assert Interrupted.left[what] == 0
    assert not [name for name in vars(distilled) if name.endswith("_")]
    with pytest.raises(NotFittedError):
        distilled.predict(X)
    distilled.fit(X, Y)
    before, served = count_state(distilled), distilled.predict_proba(X)
    Interrupted.left[what] = number
    with pytest.raises(error):
        distilled.fit(X[:540, :4], Y[:540])
    assert count_state(distilled) == before
    np.testing.assert_array_equal(distilled.predict_proba(X), served)
    # Neither the parts that were passed nor the next fit remember it.
    student = params.get("student", [distilled.student])[-1]
    assert not [name for name in vars(student) if name.endswith("_")]
    distilled.fit(X, Y)
    np.testing.assert_array_equal(distilled.predict_proba(X), served)
