"""`fine_tune`: who decides, on which rows, and what is kept."""

import numpy as np
import pytest
from _samplers import Counting, Echo, numbers
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill import _fit as _steps

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def data():
    """300 rows of three classes, and blurred probabilities that say little of them."""
    X, y = make_classification(
        300,
        n_features=4,
        n_informative=4,
        n_redundant=0,
        n_classes=3,
        n_clusters_per_class=1,
        random_state=0,
    )
    return X, y, 0.2 * np.eye(3)[y] + 0.8 / 3


@pytest.fixture
def tuned(monkeypatch):
    """What every call of the last step was given."""
    calls = []

    def note(student, train, validation, epochs):
        calls.append((student, train, validation, epochs))
        return fine_tune_student(student, train, validation, epochs)

    fine_tune_student = _steps.fine_tune_student
    monkeypatch.setattr(_steps, "fine_tune_student", note)
    return calls


def make_net(**kwargs):
    return MLPClassifier((8,), max_iter=20, learning_rate_init=0.02, **kwargs)


STUDENTS = {
    "net": make_pipeline(StandardScaler(), make_net()),
    "early-stopped net": make_net(early_stopping=True, validation_fraction=0.2),
    "sgd": make_pipeline(
        StandardScaler(),
        SGDClassifier(
            loss="log_loss", learning_rate="constant", eta0=0.05, max_iter=10
        ),
    ),
    "trees": LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", STUDENTS)
def test_what_is_better_on_held_out_rows_is_kept(data, tuned, name, weighted):
    X, y, proba = data
    weight = np.random.default_rng(0).uniform(0.2, 3, 300) if weighted else None
    distilled = DistilledClassifier(
        None, STUDENTS[name], augmenter=None, fine_tune=5, random_state=0
    ).fit(X, y, teacher_proba=proba, sample_weight=weight)
    ((student, train, held_out, epochs),) = tuned
    assert epochs == 5
    assert held_out.n_samples == (60 if name == "early-stopped net" else 30)
    assert train.n_samples + held_out.n_samples == 300
    assert distilled.fine_tune_["kept"]
    assert distilled.student_ is not student
    for key, model in (("before", student), ("after", distilled.student_)):
        expected = log_loss(
            held_out.y,
            model.predict_proba(held_out.X),
            sample_weight=held_out.weight,
        )
        assert distilled.fine_tune_[key] == pytest.approx(expected)
    assert distilled.fine_tune_["after"] < distilled.fine_tune_["before"]
    # Without, it is the student as it was before; a stock estimator either way.
    assert type(distilled.student_) is type(STUDENTS[name])
    if name == "trees":
        assert distilled.student_.booster_.current_iteration() == 10


def test_what_is_worse_is_dropped(tuned):
    """Labels that no feature predicts are memorised."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 6)), rng.integers(0, 2, 80)
    distilled = DistilledClassifier(
        FrozenEstimator(DummyClassifier(strategy="prior").fit(X, y)),
        MLPClassifier((30,), max_iter=100, learning_rate_init=0.05),
        augmenter=None,
        fine_tune=100,
        random_state=0,
    ).fit(X, y)
    ((student, _, held_out, _),) = tuned
    assert distilled.fine_tune_["kept"] is False
    assert distilled.student_ is student
    assert distilled.fine_tune_["after"] > distilled.fine_tune_["before"]
    before = log_loss(held_out.y, distilled.predict_proba(held_out.X))
    assert distilled.fine_tune_["before"] == pytest.approx(before)


def test_before_is_the_student_that_learned_the_same_rows(data, tuned):
    X, y, proba = data
    net = make_pipeline(StandardScaler(), make_net(random_state=0))
    distilled = DistilledClassifier(
        None, net, augmenter=None, temperature=1.0, fine_tune=2, random_state=0
    ).fit(X, y, teacher_proba=proba)
    ((before, train, _, _),) = tuned
    rows = np.flatnonzero((X[:, None] == train.X[None]).all(axis=2).any(axis=1))
    assert len(rows) == 270
    again = DistilledClassifier(
        None, net, augmenter=None, temperature=1.0, random_state=0
    ).fit(X[rows], y[rows], teacher_proba=proba[rows])
    assert distilled.fine_tune_ is not None
    assert again.fine_tune_ is None
    # The priors of the clip are those of other rows: a thousandth of a few percent.
    np.testing.assert_allclose(
        before.predict_proba(X), again.predict_proba(X), atol=1e-3
    )


def test_held_out_rows_are_not_learned(data, tuned):
    """Whatever they hold, the student is the same."""
    X, y, proba = data
    distilled = DistilledClassifier(
        None,
        make_pipeline(StandardScaler(), make_net()),
        augmenter=None,
        fine_tune=3,
        random_state=0,
    ).fit(X, y, teacher_proba=proba)
    held_out = tuned[0][2].X
    rows = (X[:, None] == held_out[None]).all(axis=2).any(axis=1)
    assert rows.sum() == 30
    other, other_proba = X.copy(), proba.copy()
    other[rows] *= 1.01
    other_proba[rows] = 1 / 3
    again = clone(distilled).fit(other, y, teacher_proba=other_proba)
    assert again.fine_tune_["kept"] == distilled.fine_tune_["kept"]
    assert again.fine_tune_ != distilled.fine_tune_
    np.testing.assert_array_equal(again.predict_proba(X), distilled.predict_proba(X))


def test_synthetic_rows_are_not_tuned_on(data, tuned):
    X, y, _ = data
    X = np.column_stack([X, np.arange(300)])
    Echo.fits.clear()
    DistilledClassifier(
        GaussianNB(),
        make_pipeline(StandardScaler(), make_net()),
        augmenter=Echo(),
        n_synthetic=600,
        calibrate=False,
        fine_tune=1,
        random_state=0,
    ).fit(X, y, X_unlabeled=X[:50] + 0.5)
    ((_, train, held_out, _),) = tuned
    assert train.n_samples == 270
    labelled = Echo.fits[0][Echo.fits[0][:, 4] % 1 == 0]
    np.testing.assert_array_equal(numbers(labelled), numbers(train.X))
    assert not np.intersect1d(numbers(labelled), numbers(held_out.X)).size
    # True labels, of the rows themselves.
    np.testing.assert_array_equal(train.y, y[train.X[:, 4].astype(int)])
    np.testing.assert_array_equal(held_out.y, y[held_out.X[:, 4].astype(int)])


@pytest.mark.parametrize(
    ("student", "match"),
    [
        (DecisionTreeClassifier(), "received DecisionTreeClassifier. Set fine_tune=0"),
        (GaussianNB(), r"received GaussianNB.*MLPClassifier \(adam or sgd\)"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "LogisticRegression"),
        (make_net(solver="lbfgs"), "MLPClassifier with solver='lbfgs'. Set fine_"),
        (SGDClassifier(loss="modified_huber"), r"SGDClassifier\. .*log_loss"),
        (CalibratedClassifierCV(make_net()), "received CalibratedClassifierCV"),
        (
            LGBMClassifier(boosting_type="rf", subsample=0.5, subsample_freq=1),
            r"LGBMClassifier with boosting_type='rf'\. Set",
        ),
    ],
)
def test_who_cannot_train_on_is_named_before_the_teacher_is_fitted(
    data, student, match
):
    X, y, _ = data
    Counting.fits.clear()
    distilled = DistilledClassifier(Counting(), student, fine_tune=3)
    with pytest.raises(TypeError, match=match):
        distilled.fit(X, y > 0)
    assert not Counting.fits


def test_too_few_rows_to_hold_out(data):
    X, y, proba = data
    rows = [0, 1, 2, 3, 4, 5, 6, 7]
    with pytest.raises(ValueError, match="at least 2 validation rows"):
        DistilledClassifier(None, make_net(), augmenter=None, fine_tune=1).fit(
            X[rows], y[rows], teacher_proba=proba[rows][:, np.unique(y[rows])]
        )
