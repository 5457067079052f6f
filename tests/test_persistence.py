"""What is saved loads anywhere, and what is fitted twice is the same."""

import io
import pickle

import cloudpickle
import joblib
import numpy as np
import pytest
import skops.io
from _core import PLAIN
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import check_is_fitted
from skops.io.exceptions import UntrustedTypesFoundException

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

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def network(**params):
    return MLPClassifier((4,), max_iter=15, **params)


STUDENTS = {
    "logistic": LogisticRegression(),
    "mlp": network(),
    "mlp that stops": network(early_stopping=True),
    "pipeline": make_pipeline(StandardScaler(), network(solver="lbfgs")),
    "forest": RandomForestClassifier(5),
    "lightgbm": LGBMClassifier(
        n_estimators=5, min_child_samples=2, verbose=-1, n_jobs=1, subsample=0.7,
        subsample_freq=1, colsample_bytree=0.7,
    ),
    "default": None,
}  # fmt: skip

#: What skops asks about before it loads the student.
ADAM = "sklearn.neural_network._stochastic_optimizers.AdamOptimizer"
ASKED = {
    "logistic": set(),
    "mlp": {ADAM},
    "mlp that stops": {ADAM},
    "pipeline": set(),
    "forest": {"sklearn.tree._tree.Tree"},
    "lightgbm": {
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
    },
    "default": {"numpy.dtype", ADAM},
}


def distil(student, seed=0, **params):
    teacher = params.pop("teacher", LogisticRegression())
    params = {"random_state": seed, **PLAIN, **params}
    return DistilledClassifier(teacher, student, **params).fit(X, Y)


@pytest.fixture(scope="module")
def fitted():
    return {name: distil(student) for name, student in STUDENTS.items()}


# Saved and loaded


def through_joblib(estimator):
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


ROUND_TRIPS = {
    "pickle": lambda e: pickle.loads(pickle.dumps(e)),
    "joblib": through_joblib,
    "cloudpickle": lambda e: pickle.loads(cloudpickle.dumps(e)),
}


@pytest.mark.parametrize("way", ROUND_TRIPS)
@pytest.mark.parametrize("name", STUDENTS)
def test_round_trips_are_bit_identical(way, name, fitted):
    distilled = fitted[name]
    expected = distilled.predict_proba(X)
    loaded = ROUND_TRIPS[way](distilled)
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)
    np.testing.assert_array_equal(loaded.predict(X), distilled.predict(X))
    assert loaded.classes_.tolist() == [0, 1, 2]
    student = ROUND_TRIPS[way](distilled.student_)
    np.testing.assert_array_equal(student.predict_proba(X), expected)
    np.testing.assert_array_equal(
        loaded.teacher_.predict_proba(X), distilled.teacher_.predict_proba(X)
    )


@pytest.mark.parametrize("name", STUDENTS)
def test_skops_names_what_it_asks_about_and_loads(name, fitted):
    distilled = fitted[name]
    expected = distilled.predict_proba(X)
    data = skops.io.dumps(distilled.student_)
    asked = skops.io.get_untrusted_types(data=data)
    assert set(asked) <= ASKED[name]
    loaded = skops.io.loads(data, trusted=asked)
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)

    data = skops.io.dumps(distilled)
    own = f"{DistilledClassifier.__module__}.DistilledClassifier"
    asked = skops.io.get_untrusted_types(data=data)
    assert own in asked
    assert set(asked) - {own} <= ASKED[name]
    with pytest.raises(UntrustedTypesFoundException, match="DistilledClassifier"):
        skops.io.loads(data)
    loaded = skops.io.loads(data, trusted=asked)
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)


# Parameters


def nested():
    vote = VotingClassifier(
        [("lr", LogisticRegression()), ("forest", RandomForestClassifier(3))],
        voting="soft",
    )
    student = Pipeline([("scale", StandardScaler()), ("mlp", network())])
    return DistilledClassifier(vote, student, temperature=2.0, alpha=0.5, cv=3, **PLAIN)


def test_nested_parameters_are_read_and_set():
    distilled = nested()
    params = distilled.get_params()
    assert params["teacher__forest__n_estimators"] == 3
    assert params["student__mlp__hidden_layer_sizes"] == (4,)
    distilled.set_params(teacher__forest__n_estimators=2, student__mlp__alpha=0.5)
    assert distilled.teacher.estimators[1][1].n_estimators == 2
    assert distilled.student[-1].alpha == 0.5
    distilled.set_params(student=LogisticRegression(), student__C=0.1)
    assert distilled.student.C == 0.1
    with pytest.raises(ValueError, match="Invalid parameter 'warmth'"):
        distilled.set_params(warmth=1)


def test_fit_leaves_the_parameters_alone():
    distilled = nested().set_params(random_state=0)
    before = pickle.dumps(distilled.get_params())
    distilled.fit(X, Y)
    assert pickle.dumps(distilled.get_params()) == before
    assert distilled.teacher_ is not distilled.teacher
    assert distilled.student_ is not distilled.student
    with pytest.raises(NotFittedError):
        check_is_fitted(distilled.student[-1])


def test_a_clone_is_unfitted_and_fits_the_same():
    distilled = nested().set_params(random_state=0).fit(X, Y)
    copy = clone(distilled)
    with pytest.raises(NotFittedError):
        check_is_fitted(copy)
    assert not [name for name in vars(copy) if name.endswith("_")]
    assert repr(copy) == repr(distilled)
    np.testing.assert_array_equal(
        copy.fit(X, Y).predict_proba(X), distilled.predict_proba(X)
    )


def test_a_clone_keeps_a_frozen_teacher_fitted():
    frozen = FrozenEstimator(LogisticRegression().fit(X, Y))
    distilled = distil(LogisticRegression(), teacher=frozen)
    copy = clone(distilled)
    assert copy.teacher.estimator is frozen.estimator
    np.testing.assert_array_equal(
        copy.fit(X, Y).predict_proba(X), distilled.predict_proba(X)
    )


@pytest.mark.parametrize("fit", [False, True], ids=["unfitted", "fitted"])
def test_the_html_diagram_shows_teacher_and_student(fit):
    distilled = nested()
    if fit:
        distilled.fit(X, Y)
    html = estimator_html_repr(distilled)
    shown = "teacher student VotingClassifier RandomForestClassifier"
    for part in [*shown.split(), "StandardScaler", "MLPClassifier"]:
        assert part in html, part


# Memory


class CountingTeacher(LogisticRegression):
    """Adds a line to a file each time that it is fitted."""

    def __init__(self, log=None, C=1.0, random_state=None):
        super().__init__(C=C, random_state=random_state)
        self.log = log

    def fit(self, X, y, sample_weight=None):
        with open(self.log, "a") as log:
            log.write(f"{joblib.hash((np.asarray(X), np.asarray(y)))}\n")
        return super().fit(X, y, sample_weight)


def read_log(path):
    return path.read_text().split() if path.exists() else []


GRID = {"student__C": [0.1, 1.0], "temperature": [1.0, 2.0], "alpha": [0.5, 1.0]}


@pytest.mark.parametrize(
    ("cv", "n_fits"), [(None, 1), (2, 3)], ids=["in sample", "out of fold"]
)
@pytest.mark.slow
def test_a_search_fits_each_teacher_once_a_training_split(cv, n_fits, tmp_path):
    log = tmp_path / "log"
    distilled = DistilledClassifier(
        CountingTeacher(str(log)),
        LogisticRegression(),
        cv=cv,
        memory=joblib.Memory(tmp_path / "cache", verbose=0),
        random_state=0,
        **PLAIN,
    )
    # Shuffled: halves of contiguous thirds would be the same rows by accident.
    splitter = StratifiedKFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(distilled, GRID, cv=splitter).fit(X, Y)
    fits = read_log(log)
    # Three splits of the search and the refit on all rows.
    assert len(fits) == 4 * n_fits
    assert len(set(fits)) == len(fits)
    # What came from the cache is what a fit gives.
    distilled.set_params(memory=None)
    plain = GridSearchCV(distilled, GRID, cv=splitter).fit(X, Y)
    # Without memory: 8 candidates on 3 splits, and the refit.
    assert len(read_log(log)) - len(fits) == (8 * 3 + 1) * n_fits
    assert search.best_params_ == plain.best_params_
    np.testing.assert_array_equal(search.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
    )


def test_memory_knows_teachers_rows_and_weights_apart(tmp_path):
    log = tmp_path / "log"
    distilled = DistilledClassifier(
        CountingTeacher(str(log)),
        LogisticRegression(),
        memory=str(tmp_path / "cache"),
        **PLAIN,
    )
    weight = np.linspace(0.5, 2, N)
    steps = [
        (1, {}, X, Y, None),
        (1, {"student__C": 0.1, "temperature": 3.0, "alpha": 0.0}, X, Y, None),
        (2, {"teacher__C": 0.1}, X, Y, None),
        (3, {}, X + 1, Y, None),
        (4, {}, X, Y[::-1], None),
        (5, {}, X, Y, weight),
        (5, {"student__C": 2.0}, X, Y, weight),
        (6, {"random_state": 3}, X, Y, weight),
        (6, {"student": network()}, X, Y, weight),
        (7, {"random_state": 4}, X, Y, weight),
    ]
    for n_fits, params, rows, labels, w in steps:
        distilled.set_params(**params)
        if isinstance(distilled.student, MLPClassifier):
            distilled.student.set_params(max_iter=5)
        distilled.fit(rows, labels, sample_weight=w)
        assert len(read_log(log)) == n_fits, params
    fresh = clone(distilled).set_params(memory=None).fit(X, Y, sample_weight=weight)
    assert pickle.dumps(fresh.student_) == pickle.dumps(distilled.student_)


@pytest.mark.parametrize(
    "teacher",
    [
        KNeighborsClassifier(algorithm="kd_tree"),
        make_pipeline(StandardScaler(), KNeighborsClassifier(algorithm="ball_tree")),
        HistGradientBoostingClassifier(max_iter=3),
    ],
    ids=["kd tree", "ball tree", "histograms"],
)
def test_memory_knows_a_frozen_teacher_that_was_asked_or_loaded(teacher, tmp_path):
    def count_asked(model):
        frozen, memory = FrozenEstimator(model), str(tmp_path / "cache")
        distilled = distil(LogisticRegression(), teacher=frozen, memory=memory)
        return sum(distilled.labels_asked_.values())

    model = clone(teacher).fit(X, Y)
    loaded = pickle.loads(pickle.dumps(model))
    assert count_asked(model) == N
    model.predict_proba(X)
    assert count_asked(model) == count_asked(loaded) == 0
    # Another teacher is none of these.
    assert count_asked(clone(teacher).fit(X + 1e-9, Y)) == N
    assert count_asked(clone(teacher).fit(X, Y[::-1])) == N


def test_a_teacher_from_the_cache_is_not_shared(tmp_path):
    memory = str(tmp_path / "cache")
    first = distil(LogisticRegression(), memory=memory)
    expected = first.teacher_.predict_proba(X)
    first.teacher_.coef_[:] = 0
    second = distil(LogisticRegression(), memory=memory)
    np.testing.assert_array_equal(second.teacher_.predict_proba(X), expected)


# Seeds


@pytest.mark.parametrize("name", STUDENTS)
def test_the_seed_decides_every_byte(name, fitted):
    again = distil(STUDENTS[name])
    other = distil(STUDENTS[name], seed=1)
    expected = pickle.dumps(fitted[name].student_)
    assert pickle.dumps(again.student_) == expected
    assert pickle.dumps(again) == pickle.dumps(fitted[name])
    assert pickle.dumps(other.student_) != expected
    if name != "logistic":
        # Bytes may differ by the seed alone; what is served must differ, too.
        assert not np.array_equal(other.predict_proba(X), again.predict_proba(X))


def test_the_seed_decides_every_byte_of_the_defaults():
    one, two = (
        DistilledClassifier(random_state=5, **PLAIN).fit(X, Y) for _ in range(2)
    )
    assert pickle.dumps(one.student_) == pickle.dumps(two.student_)
    np.testing.assert_array_equal(
        one.teacher_.predict_proba(X), two.teacher_.predict_proba(X)
    )


def test_a_seed_inside_is_kept():
    student = network(random_state=7)
    one, two = distil(student, seed=0), distil(student, seed=1)
    assert one.student_.random_state == two.student_.random_state == 7
    assert pickle.dumps(one.student_) == pickle.dumps(two.student_)


def test_no_seed_leaves_the_seeds_inside_alone():
    distilled = distil(network(), seed=None, teacher=RandomForestClassifier(3))
    assert distilled.student_.random_state is None
    assert distilled.teacher_.random_state is None
