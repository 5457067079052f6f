"""Tables below 500 rows: synthetic rows, folds, and the choice of the true labels."""

import warnings

import numpy as np
import pytest
from scipy.special import logit
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_iris,
    load_wine,
    make_classification,
)
from sklearn.ensemble import (
    ExtraTreesClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier

X, Y = make_classification(200, 6, n_informative=4, flip_y=0.1, random_state=0)
FOREST = ExtraTreesClassifier(20, min_samples_leaf=2, random_state=0)
STUMP = DecisionTreeClassifier(max_depth=1, random_state=0)
#: A linear student knows these labels, a stump does not.
LINEAR_X = np.random.RandomState(0).normal(size=(150, 3))
LINEAR_Y = (LINEAR_X.sum(axis=1) > 0).astype(int)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def distil(X=X, y=Y, teacher=FOREST, student=None, **params):
    student = student or DecisionTreeClassifier(max_depth=4)
    return DistilledClassifier(teacher, student, random_state=0, **params).fit(X, y)


def make_net(**params):
    return MLPClassifier((8,), max_iter=30, random_state=0, **params)


@pytest.mark.parametrize("student", [DecisionTreeClassifier(max_depth=4), make_net()])
def test_synthetic_rows_are_learned_at_temperature_1(student):
    distilled = distil(student=student)
    assert distilled.augmenter_.n_features_in_ == 6
    assert distilled.temperature_ == distilled.alpha_ == 1
    assert distilled.calibration_ is not None
    assert distilled.distilled_
    learned = [pilot["learns from"] for pilot in distilled.pilots_]
    further = ["wide transfer set", "far transfer set"]
    network = isinstance(student, MLPClassifier)
    sets = ["transfer set", *further] if network else ["transfer set"]
    alone = (
        ["true labels", "true labels, stopped in time"] if network else ["true labels"]
    )
    assert learned == [*sets, *alone]
    chosen = [pilot["chosen"] for pilot in distilled.pilots_]
    assert sum(chosen[: len(sets)]) == sum(chosen) == 1
    again = distil(student=student)
    np.testing.assert_array_equal(again.predict_proba(X), distilled.predict_proba(X))


def test_a_network_learns_noisy_labels_further_from_its_rows():
    """Near them a forest repeats their labels; folds find the distance that is best."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(2300, 8))
    y = ((X[:, 0] > 0) & (X[:, 1] > -0.5)) ^ (rng.random(2300) < 0.15)
    forest = RandomForestClassifier(50, random_state=0)
    network = MLPClassifier((32,), learning_rate_init=0.01, random_state=0)
    chosen, near = (
        distil(X[:450], y[:450], forest, network, augmenter=augmenter)
        for augmenter in ("auto", "munge")
    )
    (name,) = [p["learns from"] for p in chosen.pilots_ if p["chosen"]]
    assert name in ("wide transfer set", "far transfer set")
    losses = [
        log_loss(y[450:], model.predict_proba(X[450:])) for model in (chosen, near)
    ]
    assert losses[0] < 0.97 * losses[1]


@pytest.mark.parametrize("pilot", [0, 0.3])
def test_without_pilots_the_training_rows_are_learned(pilot):
    augmenter = "auto" if pilot == 0 else None
    distilled = distil(pilot=pilot, augmenter=augmenter, student=make_net())
    assert distilled.augmenter_ is None
    assert distilled.temperature_ == 3
    assert len(distilled.pilots_) == (pilot > 0)


def test_the_pilot_of_the_true_labels_is_out_of_fold():
    fits = []

    class Spy(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            fits.append(X)
            return super().fit(X, y, sample_weight)

    with pytest.warns(UserWarning, match="no better"):
        distilled = distil(teacher=Spy(), student=LogisticRegression())
    proba = np.zeros((len(Y), 2))
    for rows in fits[:5]:
        held_out = ~(X[:, None] == rows).all(axis=2).any(axis=1)
        own = LogisticRegression().fit(X[~held_out], Y[~held_out])
        proba[held_out] = own.predict_proba(X[held_out])
    pilot = distilled.pilots_[-1]
    assert pilot["learns from"] == "true labels"
    assert pilot["log_loss"] == pytest.approx(log_loss(Y, proba), abs=1e-4)
    hits = proba.argmax(axis=1) == Y
    assert pilot["accuracy"] == pytest.approx(hits.mean())


@pytest.mark.parametrize("kind", ["live", "frozen", "stored"])
def test_a_teacher_that_is_worse_is_said_and_not_learned(kind):
    teacher, fit = STUMP, {}
    if kind != "live":
        teacher = FrozenEstimator(clone(STUMP).fit(LINEAR_X, LINEAR_Y))
    if kind == "stored":
        fit["teacher_proba"], teacher = teacher.predict_proba(LINEAR_X), None
    distilled = DistilledClassifier(teacher, LogisticRegression(), random_state=0)
    with pytest.warns(UserWarning, match="no better than the student") as caught:
        distilled.fit(LINEAR_X, LINEAR_Y, **fit)
    *others, said = [str(warning.message) for warning in caught]
    assert len(others) == (kind == "frozen")
    assert said.count("log loss") == 2
    assert "on 150 rows" in said
    assert not distilled.distilled_
    assert distilled.alpha_ == 0
    assert distilled.calibration_ is None
    # It is the student that nobody distilled.
    direct = LogisticRegression().fit(LINEAR_X, LINEAR_Y)
    scale = distilled.student_calibration_
    np.testing.assert_allclose(
        distilled.decision_function(LINEAR_X),
        direct.decision_function(LINEAR_X) / scale,
        rtol=1e-3,
        atol=1e-3,
    )
    distilled.set_params(alpha=1.0).fit(LINEAR_X, LINEAR_Y, **fit)
    assert distilled.distilled_


def test_a_network_then_learns_the_true_labels_as_it_is():
    net = MLPClassifier((8,), learning_rate_init=0.01, max_iter=40, random_state=0)
    with pytest.warns(UserWarning, match="no better than the student"):
        distilled = distil(LINEAR_X, LINEAR_Y, STUMP, net)
    direct = clone(net)
    direct.fit(LINEAR_X, LINEAR_Y)
    assert distilled.student_.n_iter_ == direct.n_iter_
    logits, expected = (logit(m.predict_proba(LINEAR_X)) for m in (distilled, direct))
    np.testing.assert_allclose(
        logits * distilled.student_calibration_, expected, rtol=1e-6
    )


@pytest.mark.parametrize(
    "student",
    [
        pytest.param(
            MLPClassifier((16,), max_iter=300, random_state=0), marks=pytest.mark.slow
        ),
        LogisticRegression(),
        DecisionTreeClassifier(max_depth=4, random_state=0),
    ],
    ids=lambda student: type(student).__name__,
)
@pytest.mark.parametrize("load", [load_iris, load_wine])
def test_public_tables_are_no_worse_than_hard_labels(load, student):
    X, y = load(return_X_y=True)
    members = [
        ("forest", RandomForestClassifier(10, random_state=0)),
        ("logistic", make_pipeline(StandardScaler(), LogisticRegression())),
        ("bayes", GaussianNB()),
    ]
    vote = VotingClassifier(members, voting="soft")
    losses = []
    for train, test in StratifiedKFold(2, shuffle=True, random_state=0).split(X, y):
        direct = make_pipeline(StandardScaler(), student)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            distilled = distil(X[train], y[train], vote, direct)
        direct.fit(X[train], y[train])
        losses.append(
            [log_loss(y[test], m.predict_proba(X[test])) for m in (distilled, direct)]
        )
    soft, hard = np.mean(losses, axis=0)
    assert soft <= hard + 0.01


def test_a_fit_has_three_warnings_at_most():
    """They are of rare classes, of folds, and of a teacher without an advantage."""
    X, y = make_classification(1000, 8, n_informative=5, n_classes=3, random_state=0)
    labels = np.r_[y[:52], 3:11]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        distil(X[:60], labels, RandomForestClassifier(20), make_net(), cv=2)
    texts = {str(warning.message) for warning in caught}
    assert any("[3, 4, 5, 6, 7, 8, 9, 10]" in text for text in texts)
    assert len(caught) <= 3


@pytest.mark.parametrize("seed", range(3))
def test_a_teacher_that_memorises_noise_leaves_the_shares_of_the_classes(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(1400, 5)), rng.choice(4, 1400, p=[0.4, 0.3, 0.2, 0.1])
    # Its probabilities are 0 and 1, whatever the row.
    distilled = distil(X[:400], y[:400], DecisionTreeClassifier(), make_net())
    entropy = -np.sum(np.log([0.4, 0.3, 0.2, 0.1]) * [0.4, 0.3, 0.2, 0.1])
    loss = log_loss(y[400:], distilled.predict_proba(X[400:]))
    assert loss < entropy + 0.04


def test_a_network_that_memorises_noise_is_compared_as_stopped_in_time():
    """As set it looks worse than a teacher that is worse than it need be."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1400, 12))
    y = (X[:, :6].sum(axis=1) / 2 + rng.logistic(size=1400) > 0).astype(int)
    teacher = DecisionTreeClassifier(max_depth=2, random_state=0)
    network = MLPClassifier((64,), learning_rate_init=0.01, random_state=0)
    with pytest.warns(UserWarning, match="The teacher is no better"):
        model = distil(X[:400], y[:400], teacher, network)
    pilots = {pilot["learns from"]: pilot for pilot in model.pilots_}
    as_set, stopped = pilots["true labels"], pilots["true labels, stopped in time"]
    assert stopped["chosen"]
    assert not model.distilled_
    served = log_loss(y[400:], teacher.fit(X[:400], y[:400]).predict_proba(X[400:]))
    assert as_set["log_loss"] > served > stopped["log_loss"]
    assert log_loss(y[400:], model.predict_proba(X[400:])) < served - 0.03


@pytest.mark.usefixtures("all_updates")
def test_true_labels_stopped_in_time_must_be_better_by_an_error():
    """Folds end at lengths of their own, so that a small lead is chance."""
    X, y = load_breast_cancer(return_X_y=True)
    teacher = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
    network = MLPClassifier((16,), max_iter=300, random_state=0)
    model = distil(
        X[1:501:2], y[1:501:2], teacher, make_pipeline(StandardScaler(), network)
    )
    pilots = {pilot["learns from"]: pilot for pilot in model.pilots_}
    stopped = pilots["true labels, stopped in time"]
    assert stopped["log_loss"] < min(
        pilot["log_loss"] for pilot in pilots.values() if pilot is not stopped
    )
    assert pilots["true labels"]["chosen"]


@pytest.mark.usefixtures("all_updates")
def test_true_labels_stopped_in_time_are_learned_no_longer_than_as_set():
    """Few rows of certain labels ask for ever longer trainings: here for 4,800."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(300, 6))
    y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int)
    network = MLPClassifier((32,), max_iter=300, random_state=0)
    model = distil(X, y, GaussianNB(), network)
    chosen = [p["learns from"] for p in model.pilots_ if p["chosen"]]
    assert chosen == ["true labels, stopped in time"]
    assert model.student_.n_iter_ <= clone(network).fit(X, y).n_iter_ <= 300
