"""What held-out rows decide: which way of teaching, on which figures, at what cost."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from _lessons import WAYS
from _samplers import Counting, Echo, Spy, forget_fits, number_rows, numbers
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill import _fit as _steps
from skdistill._labels._calibration import fit_calibration
from skdistill._selection import _pilots as _study
from skdistill._selection._candidates import Candidate
from skdistill._selection._pilots import Pilot, choose_candidate
from skdistill.transfer import Munge, Spunge

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:The teacher:UserWarning",
)


#: Of networks.
NET_WAYS = ["transfer set", "wide transfer set", "far transfer set", "true labels"]


@pytest.fixture(scope="module")
def data():
    return number_rows(class_sep=0.8)


@pytest.fixture(autouse=True)
def forget():
    forget_fits()


def make_forest():
    return ExtraTreesClassifier(40, min_samples_leaf=2, random_state=0)


def make_net():
    return MLPClassifier((16,), max_iter=40, learning_rate_init=0.01, random_state=0)


def test_a_network_learns_the_transfer_set_where_it_helps():
    X, y = make_classification(
        3000,
        n_features=12,
        n_informative=4,
        n_redundant=0,
        n_clusters_per_class=3,
        flip_y=0.1,
        random_state=1,
    )
    distilled = DistilledClassifier(
        make_forest(), make_net(), n_synthetic=3000, random_state=0
    ).fit(X[:600], y[:600])
    assert isinstance(distilled.augmenter_, Munge | Spunge)
    assert distilled.temperature_ == 1
    assert distilled.alpha_ == 1
    assert [pilot["learns from"] for pilot in distilled.pilots_] == NET_WAYS
    assert not distilled.pilots_[-1]["chosen"]
    direct = make_net().fit(X[:600], y[:600])
    losses = [
        log_loss(y[600:], model.predict_proba(X[600:])) for model in (distilled, direct)
    ]
    assert losses[0] < losses[1] - 0.02


@pytest.mark.parametrize("student", [make_net(), GaussianNB()])
def test_a_bad_teacher_does_no_harm(data, student):
    X, y = data[0][:, :4], data[1]
    distilled = DistilledClassifier(
        DecisionTreeClassifier(max_depth=1), student, random_state=0
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        distilled.fit(X, y)
    (warned,) = [w for w in caught if "The teacher" in str(w.message)]
    assert warned.category is UserWarning
    assert warned.filename == __file__
    assert "no better than the student trained directly" in str(warned.message)
    assert "learns from: true labels" in str(warned.message)
    figures = distilled.pilots_[-1]
    assert figures["chosen"]
    assert f"{figures['accuracy']:.4f}" in str(warned.message)
    assert f"{figures['log_loss']:.4f}" in str(warned.message)
    assert (distilled.alpha_, distilled.temperature_) == (0, 1)
    assert distilled.augmenter_ is None
    assert distilled.calibration_ is None
    assert distilled.memorization_["accuracy_in_sample"] < 0.7
    if isinstance(student, GaussianNB):
        # Plain labels are what is learned.
        plain = GaussianNB().fit(X, y)
        np.testing.assert_allclose(
            distilled.predict_proba(X), plain.predict_proba(X), atol=1e-9
        )


def test_a_good_teacher_is_no_cause_to_warn(data):
    X, y = data[0][:, :4], data[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        distilled = DistilledClassifier(
            GaussianNB(), DecisionTreeClassifier(max_depth=8), random_state=0
        ).fit(X, y)
    assert distilled.alpha_ > 0


def fit_on_copies(student, X, targets, weight):
    """The weighted log loss of copies is the soft cross-entropy of rows."""
    n_classes = targets.shape[1]
    return clone(student).fit(
        np.repeat(X, n_classes, axis=0),
        np.tile(np.arange(n_classes), len(X)),
        sample_weight=(targets * weight[:, None]).ravel(),
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_figures_of_the_pilots_by_hand(data, weighted, monkeypatch):
    X, y = data
    monkeypatch.setattr("skdistill.transfer._transfer_set.Munge", Echo)
    monkeypatch.setattr("skdistill._selection._candidates.Spunge", lambda **_: Echo())
    weight = np.ones(520)
    if weighted:
        weight = np.random.default_rng(0).uniform(0.2, 3, 520)
    student = GaussianNB(var_smoothing=0)
    distilled = DistilledClassifier(GaussianNB(), student, random_state=0).fit(
        X, y, sample_weight=weight if weighted else None
    )
    # The sampler was fitted on the rows to try on, and gave them back three times.
    tried = numbers(Echo.fits[0])
    judges = np.setdiff1d(np.arange(520), tried)
    teacher = GaussianNB().fit(X[tried], y[tried], weight[tried])
    prior = np.bincount(y, weights=weight) / weight.sum()
    proba = 0.999 * teacher.predict_proba(X) + 0.001 * prior
    scalar = fit_calibration(proba[judges], y[judges], weight[judges])
    labels = scalar.apply(proba)[tried]
    truth = np.eye(3)[y[tried]]
    expected = {}
    for name, targets, times in (
        ("transfer set", labels, 4),
        # The teacher's own rows are left out.
        ("far transfer set", labels, 3),
        ("training rows", labels, 1),
        ("half true labels", (labels + truth) / 2, 1),
        ("true labels", truth, 1),
    ):
        model = fit_on_copies(student, X[tried], targets, times * weight[tried])
        proba = model.predict_proba(X[judges])
        expected[name] = {
            "log_loss": log_loss(y[judges], proba, sample_weight=weight[judges]),
            "accuracy": accuracy_score(
                y[judges], proba.argmax(axis=1), sample_weight=weight[judges]
            ),
        }
    assert [pilot["learns from"] for pilot in distilled.pilots_] == WAYS
    for pilot in distilled.pilots_:
        name = pilot["learns from"]
        assert pilot["log_loss"] == pytest.approx(expected[name]["log_loss"], abs=1e-5)
        assert pilot["accuracy"] == pytest.approx(expected[name]["accuracy"])
    assert sum(pilot["chosen"] for pilot in distilled.pilots_) == 1


def test_the_memorization_by_hand(data, monkeypatch):
    X, y = data
    monkeypatch.setattr("skdistill.transfer._transfer_set.Munge", Echo)
    weight = np.random.default_rng(0).uniform(0.2, 3, 520)
    distilled = DistilledClassifier(
        DecisionTreeClassifier(max_depth=5, random_state=0), Spy(), random_state=0
    ).fit(X, y, sample_weight=weight)
    seen = numbers(Echo.fits[0])
    unseen = np.setdiff1d(np.arange(520), seen)
    teacher = DecisionTreeClassifier(max_depth=5, random_state=0)
    teacher.fit(X[seen], y[seen], weight[seen])
    prior = np.bincount(y, weights=weight) / weight.sum()
    for name, rows in (("in_sample", seen), ("out_of_fold", unseen)):
        proba = teacher.predict_proba(X[rows])
        clipped = 0.999 * proba + 0.001 * prior
        entropy = -(clipped * np.log(clipped)).sum(axis=1)
        memorization = distilled.memorization_
        assert memorization[f"accuracy_{name}"] == pytest.approx(
            teacher.score(X[rows], y[rows], weight[rows])
        )
        assert memorization[f"entropy_{name}"] == pytest.approx(
            np.average(entropy, weights=weight[rows])
        )


def test_out_of_fold_labels_are_computed_once_for_all(data):
    X, y = data
    cv = KFold(3, shuffle=True, random_state=0)
    distilled = DistilledClassifier(
        Counting(C=0.1), Spy(), cv=cv, n_synthetic=600, alpha=1.0, random_state=0
    ).fit(X, y)
    assert Counting.fits == [346, 347, 347, 520]
    proba = cross_val_predict(
        LogisticRegression(C=0.1), X, y, cv=cv, method="predict_proba"
    )
    # For the memorization: the first fold.
    train, test = next(cv.split(X))
    first = LogisticRegression(C=0.1).fit(X[train], y[train])
    memorization = distilled.memorization_
    assert memorization["accuracy_in_sample"] == pytest.approx(
        first.score(X[train], y[train])
    )
    assert memorization["accuracy_out_of_fold"] == pytest.approx(
        first.score(X[test], y[test])
    )
    # For calibration: every row.
    clipped = 0.999 * proba + 0.001 * np.bincount(y) / 520
    calibration = fit_calibration(clipped, y)
    assert distilled.calibration_ == pytest.approx(calibration.temperature, rel=1e-4)


@pytest.mark.parametrize("pilot", [0.05, 0.3])
def test_rows_that_a_network_visits_are_bounded(data, pilot, monkeypatch):
    X, y = data
    visits = []

    def note(student, train, transfer=None, validation=None, temperature=1.0):
        student = fit_student(student, train, transfer, validation, temperature)
        n_rows = train.n_labelled + (transfer.n_samples if transfer is not None else 0)
        visits.append((student.n_iter_ * n_rows, n_rows))
        return student

    fit_student = _study.fit_student
    monkeypatch.setattr(_study, "fit_student", note)
    DistilledClassifier(
        GaussianNB(),
        MLPClassifier((2,), max_iter=30, random_state=0),
        pilot=pilot,
        n_synthetic=1560,
        random_state=0,
    ).fit(X[:, :4], y)
    assert len(visits) == 4
    whole_passes = sum(n_rows for _, n_rows in visits) / 2
    # Passes are whole: rounding may add half of one to each.
    assert sum(v for v, _ in visits) <= pilot * 30 * 2080 + whole_passes


@pytest.mark.parametrize("n_rare", [1, 2, 3])
@pytest.mark.parametrize("pilot", [0.3, 1e-4])
@pytest.mark.parametrize(
    "student", [GaussianNB(), LogisticRegression(), MLPClassifier((2,), max_iter=2)]
)
def test_a_rare_class_may_be_missing_from_a_pilot(student, n_rare, pilot):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(520, 2))
    y = np.array(["common"] * 520, dtype=object)
    y[:n_rare] = "rare"
    y[n_rare : 2 * n_rare] = "seldom"
    # Whether rows of a class are tried on or judged on is a matter of the seed.
    for seed in range(8 if isinstance(student, GaussianNB) and n_rare == 1 else 1):
        distilled = DistilledClassifier(
            GaussianNB(), student, pilot=pilot, n_synthetic=520, random_state=seed
        ).fit(X, y)
        assert len(distilled.pilots_) >= 3
        assert distilled.predict_proba(X).shape == (520, 3)
        assert all(np.isfinite(pilot["log_loss"]) for pilot in distilled.pilots_)


@pytest.mark.parametrize("kind", ["frozen", "stored"])
def test_what_is_not_refitted_is_tried_all_the_same(data, kind):
    X, y = data
    frozen = FrozenEstimator(GaussianNB().fit(X, y))
    stored = frozen.predict_proba(X) if kind == "stored" else None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        distilled = DistilledClassifier(
            None if kind == "stored" else frozen,
            DecisionTreeClassifier(max_depth=3),
            n_synthetic=520,
            random_state=0,
        ).fit(X, y, teacher_proba=stored)
    # Nobody could label other rows than the stored ones.
    ways = WAYS if kind == "frozen" else WAYS[2:]
    assert [pilot["learns from"] for pilot in distilled.pilots_] == ways
    assert distilled.memorization_ is None
    assert distilled.calibration_ is None


@pytest.mark.parametrize(
    ("params", "ways", "temperatures"),
    [
        ({}, NET_WAYS, [1, 1, 1, 1]),
        ({"alpha": 0.7}, [*NET_WAYS[:3], "training rows"], [1, 1, 1, 3]),
        ({"temperature": 2.0}, NET_WAYS, [2, 2, 2, 1]),
        ({"augmenter": None}, [], []),
        ({"augmenter": "munge"}, [], []),
    ],
)
def test_what_parameters_leave_open_is_tried(data, params, ways, temperatures):
    X, y = data
    distilled = DistilledClassifier(
        GaussianNB(),
        MLPClassifier((2,), max_iter=2),
        random_state=0,
        n_synthetic=520,
        **params,
    ).fit(X, y)
    assert [pilot["learns from"] for pilot in distilled.pilots_] == ways
    assert [pilot["temperature"] for pilot in distilled.pilots_] == temperatures
    again = clone(distilled).fit(X, y)
    assert again.pilots_ == distilled.pilots_


def test_a_teacher_that_knows_labels_by_heart_is_not_blended(data):
    """Half of the true labels and half of the same are no other choice."""
    X, y = data
    distilled = DistilledClassifier(
        DecisionTreeClassifier(), GaussianNB(), n_synthetic=520, random_state=0
    ).fit(X, y)
    assert distilled.memorization_["accuracy_in_sample"] == 1
    assert distilled.memorization_["entropy_in_sample"] < 0.02
    ways = [pilot["learns from"] for pilot in distilled.pilots_]
    assert ways == [
        "transfer set",
        "far transfer set",
        "training rows",
        "true labels",
    ]


def test_rows_that_a_fold_trains_and_tests_decide_nothing(data):
    X, y = data
    rows = np.arange(520)
    distilled = DistilledClassifier(
        GaussianNB(), Spy(), cv=[(rows, rows)], random_state=0
    ).fit(X, y)
    assert distilled.pilots_ == []
    assert distilled.memorization_ is None
    assert len(Spy.fits) == 1


def make_pilots(*losses):
    candidates = [
        Candidate("transfer set", Munge(), 1.0, 1.0),
        Candidate("training rows", None, 1.0, 1.0),
        Candidate("true labels", None, 0.0, 1.0),
    ]
    return [
        Pilot(
            candidate,
            np.asarray(loss),
            np.ones(len(loss), dtype=bool),
            np.full((len(loss), 2), 0.5),
            to_end=False,
        )
        for candidate, loss in zip(candidates, losses, strict=True)
    ]


@pytest.mark.parametrize(
    ("student", "stays"),
    [
        (MLPClassifier(), "transfer set"),
        (DecisionTreeClassifier(), "true labels"),
        (MLPClassifier(solver="lbfgs"), "true labels"),
    ],
)
def test_two_standard_errors_decide(student, stays):
    """100 judges: the mean of the differences has a standard error of .02."""
    noise = 0.2 * np.tile([1.0, -1.0], 50)
    base = np.full(100, 0.5)
    for lead, chosen in ((0.04 - 1e-3, stays), (0.04 + 1e-3, "training rows")):
        pilots = make_pilots(base, base + noise - lead, base)
        problem = SimpleNamespace(
            weight=None, pilot=(None, np.arange(100)), student=student
        )
        assert choose_candidate(problem, pilots).name == chosen
    # Weights count: where the rows that gain weigh next to nothing, nothing is won.
    weight = np.where(noise < 0, 1e-6, 1.0)
    problem = SimpleNamespace(
        weight=weight, pilot=(None, np.arange(100)), student=student
    )
    pilots = make_pilots(base, base + noise - 0.1, base)
    assert choose_candidate(problem, pilots).name == stays


@pytest.mark.parametrize(
    ("params", "lead", "chosen"),
    [
        ({}, 1e-3, "transfer set"),
        ({}, -1e-3, "true labels"),
        # Leaves that can't be moved: trees with and without the set have little in
        # common.
        ({"linear_tree": True}, 1e-3, "true labels"),
    ],
)
def test_where_only_leaves_move_the_better_one_is_taken(params, lead, chosen):
    base = np.full(100, 0.5)
    noise = 0.2 * np.tile([1.0, -1.0], 50)
    problem = SimpleNamespace(
        weight=None, pilot=(None, np.arange(100)), student=LGBMClassifier(**params)
    )
    pilots = make_pilots(base + noise - lead, base - noise - 0.03, base)
    assert choose_candidate(problem, pilots).name == chosen


@pytest.mark.parametrize("early_stopping", [False, True])
def test_pilots_of_a_network_stop_on_rows_of_their_own(
    data, early_stopping, monkeypatch
):
    X, y = data
    parts = []

    def note(student, train, transfer=None, validation=None, temperature=1.0):
        parts.append((train, validation, transfer))
        return fit_student(student, train, transfer, validation, temperature)

    fit_student = _steps.fit_student
    for module in (_study, _steps):
        monkeypatch.setattr(module, "fit_student", note)
    DistilledClassifier(
        GaussianNB(),
        MLPClassifier((2,), max_iter=3, early_stopping=early_stopping),
        n_synthetic=520,
        random_state=0,
    ).fit(X, y)
    assert len(parts) == 5
    for train, validation, _ in parts:
        if early_stopping:
            assert validation is not None
        if validation is not None:
            assert not np.intersect1d(numbers(train.X), numbers(validation.X)).size


def test_of_a_far_transfer_set_the_student_learns_no_row_known_by_heart(
    data, monkeypatch
):
    X, y = data
    seen = {}

    def note(student, train, transfer=None, validation=None, temperature=1.0):
        seen.update(train=train, transfer=transfer)
        return fit_student(student, train, transfer, validation, temperature)

    def choose(problem, pilots):
        return pilots[2].candidate

    fit_student = _steps.fit_student
    monkeypatch.setattr(_steps, "fit_student", note)
    monkeypatch.setattr(_study, "choose_candidate", choose)
    scaled = make_pipeline(StandardScaler(), MLPClassifier((2,), max_iter=2))
    teacher = DecisionTreeClassifier(random_state=0)
    distilled = DistilledClassifier(
        teacher, scaled, n_synthetic=520, calibrate=False, random_state=0
    ).fit(X, y)
    assert isinstance(distilled.augmenter_, Spunge)
    train = seen["train"]
    # The steps before the network see every row.
    np.testing.assert_array_equal(numbers(train.X), np.arange(520))
    assert distilled.student_[0].n_samples_seen_ == 520
    np.testing.assert_allclose(distilled.student_[0].mean_, X.mean(axis=0))
    # It learns those that the teacher of the pilot did not see, by its labels.
    honest = train.labelled
    assert len(honest) == 104
    others = np.setdiff1d(np.arange(520), honest)
    first = DecisionTreeClassifier(random_state=distilled.teacher_.random_state)
    proba = first.fit(X[others], y[others]).predict_proba(X[honest])
    expected = 0.999 * proba + 0.001 * np.bincount(y) / 520
    np.testing.assert_allclose(train.targets[honest], expected, atol=1e-12)
    assert seen["transfer"].n_samples == 520
    assert distilled.student_[-1].t_ == distilled.student_[-1].n_iter_ * 624
