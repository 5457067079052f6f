"""What decides between the candidates, and what the student then learns."""

import warnings

import numpy as np
import pytest
from _core import (
    NET_WAYS,
    WAYS,
    Table,
    add_numbers,
    calibrate,
    clip,
    echo_rows,
    fit_calibration,
)
from _samplers import Counting, Echo, Spy, forget_fits, number_rows
from lightgbm import LGBMClassifier
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier, DistilledRegressor
from skdistill.transfer import Munge, Spunge

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:The teacher:UserWarning",
)


@pytest.fixture(scope="module")
def data():
    return number_rows(class_sep=0.8)


@pytest.fixture(autouse=True)
def forget():
    forget_fits()


def test_learned_labels_are_out_of_fold_and_calibrated(data):
    X, y = data
    cv = KFold(3, shuffle=True, random_state=0)
    distilled = DistilledClassifier(
        GaussianNB(), Table(), cv=cv, augmenter=None, random_state=0
    ).fit(X, y)
    proba = cross_val_predict(GaussianNB(), X, y, cv=cv, method="predict_proba")
    clipped = clip(proba, y)
    expected = calibrate(clipped, *fit_calibration(clipped, y))
    np.testing.assert_allclose(distilled.student_.mass_, expected, atol=1e-5)
    assert not any(pilot["chosen"] for pilot in distilled.pilots_)


def test_pilots_learn_out_of_fold_labels_where_there_are_any(data, monkeypatch):
    X, y = data
    echo_rows(monkeypatch, Munge)
    cv = KFold(3, shuffle=True, random_state=0)
    DistilledClassifier(
        GaussianNB(), Spy(), cv=cv, calibrate=False, random_state=0
    ).fit(X, y)
    tried, _ = next(cv.split(X))
    proba = cross_val_predict(GaussianNB(), X, y, cv=cv, method="predict_proba")
    pilot = Spy.fits[WAYS.index("training rows")]
    np.testing.assert_allclose(
        pilot.mass_[np.argsort(pilot.rows_[:, 4])], clip(proba, y)[tried], atol=1e-12
    )


def test_without_a_pilot_nothing_is_tried(data, monkeypatch):
    X, y = data
    echo_rows(monkeypatch, Munge, Spunge)
    distilled = DistilledClassifier(
        Counting(), Spy(), pilot=0, calibrate=False, random_state=0
    ).fit(X, y)
    assert distilled.pilots_ == []
    assert len(Spy.fits) == 1
    assert distilled.augmenter_ is None
    assert distilled.alpha_ == 1
    assert Echo.fits == []


@pytest.mark.parametrize("pilot", [0.08, 0.15, 0.3, 5.0])
def test_rows_that_pilots_learn_are_bounded(data, pilot, monkeypatch):
    X, y = data
    echo_rows(monkeypatch, Munge, Spunge)
    DistilledClassifier(
        GaussianNB(), Spy(), pilot=pilot, n_synthetic=5200, random_state=0
    ).fit(X, y)
    pilots = Spy.fits[:-1]
    # Each soft row has a copy a class, of weights that sum to its own.
    rows = [pilot.mass_.sum() for pilot in pilots]
    # What the final fit labels and learns, and ten times what the teacher learned.
    most = pilot * (11 * 520 + 2 * 5720)
    assert sum(rows) <= most
    # At most, all the rows there are to try on.
    assert sum(rows) >= min(0.95 * most, 8 * 416 - 1)
    np.testing.assert_allclose(rows[0], 3 * rows[2], rtol=0.02)
    np.testing.assert_allclose(rows[1], 2 * rows[2], rtol=0.02)
    assert rows[2] == pytest.approx(rows[4])


class Script:
    """Log losses that pilots are to have on the held-out rows, one array a pilot.

    Of 100 rows, it takes the place of the `predict_proba` of the students. The last
    column of X numbers the rows.
    """

    def __init__(self, monkeypatch, kind, y, losses):
        self.y = y
        self.losses = iter(losses)
        original = kind.predict_proba

        def predict_proba(student, X, *args, **kwargs):
            # A student that stops early is asked about other rows as well, and the
            # last one about the rows of the pilots.
            loss = next(self.losses, None) if len(X) == 100 else None
            if loss is not None:
                return self.serve(X, loss)
            return original(student, X, *args, **kwargs)

        monkeypatch.setattr(kind, "predict_proba", predict_proba)

    def serve(self, X, loss):
        rows = X[:, -1].astype(int)
        right = np.exp(-(loss(rows) if callable(loss) else loss))
        proba = np.column_stack([1 - right, right])
        return np.where(self.y[rows, None] == 1, proba, proba[:, ::-1])


#: 500 rows, of which pilots are compared on 100.
X500, Y500 = make_classification(500, 4, random_state=0)
X500 = add_numbers(X500)

BASE = np.full(100, 0.5)
#: The mean over the 100 rows has a standard error of .02.
NOISE = 0.2 * np.tile([1.0, -1.0], 50)


#: As documented: sets at several distances from the training rows.
SAMPLERS = {
    "transfer set": Munge(),
    "wide transfer set": Munge(p=0.5, n_neighbors=10),
    "far transfer set": Spunge(p=0.5),
}


def choose(monkeypatch, student, ways, losses, weight=None, teacher=None):
    """Return the name of the candidate that is chosen by these losses."""
    script = [losses.get(way, BASE) for way in ways]
    finalists = []
    if ways == NET_WAYS:
        # The two best transfer sets have a second pilot, and the best a third one
        # before the true labels are taken.
        order = np.argsort([np.mean(losses.get(way, BASE)) for way in ways[:3]])
        finalists = [script[k] for k in (*order[:2], order[0])]
    Script(monkeypatch, type(student), Y500, script + finalists)
    distilled = DistilledClassifier(
        GaussianNB() if teacher is None else teacher,
        student,
        calibrate=False,
        n_synthetic=50,
        random_state=0,
    ).fit(X500, Y500, sample_weight=weight)
    assert [pilot["learns from"] for pilot in distilled.pilots_] == ways
    for pilot, loss in zip(distilled.pilots_, script, strict=True):
        if not callable(loss):
            assert pilot["log_loss"] == pytest.approx(loss.mean())
    (chosen,) = (pilot for pilot in distilled.pilots_ if pilot["chosen"])
    way = chosen["learns from"]
    assert chosen["alpha"] == distilled.alpha_
    sampler, expected = distilled.augmenter_, SAMPLERS.get(way)
    assert type(sampler) is type(expected)
    assert expected is None or sampler.get_params() == expected.get_params()
    return way


NETWORK = MLPClassifier((2,), max_iter=2)
RULES = [
    (DecisionTreeClassifier(max_depth=2), WAYS, "true labels", "training rows"),
    (DecisionTreeClassifier(max_depth=2), WAYS, "true labels", "far transfer set"),
    (
        MLPClassifier((2,), solver="lbfgs", max_iter=2),
        WAYS,
        "true labels",
        "training rows",
    ),
]


@pytest.mark.parametrize(("student", "ways", "stays", "better"), RULES)
def test_a_standard_error_decides(student, ways, stays, better, monkeypatch):
    for lead, chosen in ((0.02 - 1e-3, stays), (0.02 + 1e-3, better)):
        losses = {better: BASE + NOISE - lead}
        assert choose(monkeypatch, student, ways, losses) == chosen


def test_rows_that_the_true_labels_exclude_decide(monkeypatch):
    """Two such rows make the lead and its error, whose ratio is the root of two."""
    losses = {"true labels": np.where(np.arange(100) < 2, 36.0, 0.4)}
    student = DecisionTreeClassifier(max_depth=2)
    assert choose(monkeypatch, student, WAYS, losses) != "true labels"


@pytest.mark.parametrize(("student", "ways", "stays", "better"), RULES)
def test_weights_count_in_the_choice(student, ways, stays, better, monkeypatch):
    """Where the rows that gain weigh next to nothing, nothing is won."""
    weight = np.where(np.arange(500) % 2, 1e-6, 1.0)

    def gain_on_odd_rows(rows):
        return 0.5 - 0.1 + np.where(rows % 2, -0.2, 0.2)

    losses = {better: gain_on_odd_rows} | {
        way: lambda rows: np.full(len(rows), 0.5) for way in ways if way != better
    }
    assert choose(monkeypatch, student, ways, losses, weight) == stays
    assert choose(monkeypatch, student, ways, losses, weight[::-1]) == better


NEAR, WIDE, FAR, _ = NET_WAYS


@pytest.mark.parametrize(
    ("losses", "chosen"),
    [
        # A standard error is .02.
        ({FAR: BASE - 0.01, NEAR: BASE + NOISE - 0.029}, FAR),
        ({FAR: BASE - 0.01, NEAR: BASE + NOISE - 0.031}, NEAR),
        ({WIDE: BASE - 0.01, NEAR: BASE + NOISE - 0.029}, WIDE),
        ({FAR: BASE - 0.001, WIDE: BASE - 0.002}, WIDE),
        ({"true labels": BASE + NOISE - 0.019}, WIDE),
        ({"true labels": BASE + NOISE - 0.021}, "true labels"),
    ],
)
def test_a_network_takes_the_furthest_of_equals(losses, chosen, monkeypatch):
    """It is one of two transfer sets, unless the true labels are certainly better.

    The teacher certainly is better than these.
    """
    teacher = ExtraTreesClassifier(20, min_samples_leaf=5, random_state=0)
    found = choose(monkeypatch, NETWORK, NET_WAYS, losses, teacher=teacher)
    assert found == chosen


@pytest.mark.parametrize(("lead", "chosen"), [(0.019, "true labels"), (0.021, FAR)])
def test_a_network_keeps_the_true_labels_where_the_teacher_is_no_better(
    lead, chosen, monkeypatch
):
    """That of a teacher without columns is log 2, or .69."""
    losses = {FAR: BASE + NOISE - lead}
    teacher = DummyClassifier()
    found = choose(monkeypatch, NETWORK, NET_WAYS, losses, teacher=teacher)
    assert found == chosen


@pytest.mark.parametrize(
    ("lead", "hidden"), [(0.019, (64, 32)), (0.021, (128, 128))], ids=["less", "more"]
)
@pytest.mark.slow
def test_a_wider_default_student_must_be_better_by_a_standard_error(
    lead, hidden, monkeypatch
):
    first = [BASE, BASE, BASE, BASE + 1]
    wider = [BASE, BASE + NOISE - lead]
    Script(monkeypatch, Pipeline, Y500, [*first, BASE, BASE, *wider])
    distilled = DistilledClassifier(
        GaussianNB(), calibrate=False, n_synthetic=50, random_state=0
    ).fit(X500, Y500)
    assert distilled.student_[-1].hidden_layer_sizes == hidden
    assert [pilot["learns from"] for pilot in distilled.pilots_[4:]] == [
        "wide transfer set, 128-64 units",
        "wide transfer set, 128-128 units",
    ]
    (chosen,) = (k for k, pilot in enumerate(distilled.pilots_) if pilot["chosen"])
    assert chosen == (5 if hidden == (128, 128) else 1)


@pytest.mark.parametrize(("n_columns", "n_wider"), [(63, 2), (64, 1)])
def test_a_default_student_of_two_values_has_25000_weights_at_most(n_columns, n_wider):
    """Of 128-128 units it has 24,962 with 63 columns, and 25,090 with 64."""
    X = np.random.default_rng(0).normal(size=(500, n_columns))
    distilled = DistilledRegressor(
        LinearRegression(), alpha=1, pilot=1e-3, n_synthetic=50, random_state=0
    ).fit(X, X[:, :2])
    names = [pilot["learns from"] for pilot in distilled.pilots_]
    assert sum("units" in name for name in names) == n_wider
    # Networks of other widths, not one by several names.
    assert len({pilot["rmse"] for pilot in distilled.pilots_}) == len(names)


@pytest.mark.slow
@pytest.mark.parametrize(("n_columns", "n_wider"), [(64, 2), (65, 1), (130, 0)])
def test_the_default_student_has_25000_weights_at_most(n_columns, n_wider):
    """Each unit has an intercept; two classes have one output.

    With alpha 1 a transfer set is learned, and with it the width is chosen.
    """
    X = np.random.default_rng(0).normal(size=(500, n_columns))
    distilled = DistilledClassifier(
        GaussianNB(), alpha=1, pilot=1e-3, n_synthetic=50, random_state=0
    ).fit(X, X[:, 0] > 0)
    names = [pilot["learns from"] for pilot in distilled.pilots_]
    assert sum("units" in name for name in names) == n_wider
    student = distilled.student_[-1]
    weights = [w.size for w in student.coefs_ + student.intercepts_]
    assert sum(weights) <= 25_000


BOOSTED_WAYS = ["transfer set", "training rows", "half true labels", "true labels"]


@pytest.mark.parametrize(
    ("params", "ways", "lead", "chosen"),
    [
        ({}, BOOSTED_WAYS, 1e-3, "transfer set"),
        ({}, BOOSTED_WAYS, -1e-3, "true labels"),
        # Leaves that cannot be refitted: trees with and without the set have little in
        # common, and a lead of 1.5 standard errors is enough.
        ({"linear_tree": True}, WAYS, 1e-3, "training rows"),
    ],
)
def test_where_leaves_are_refitted_the_better_one_is_taken(
    params, ways, lead, chosen, monkeypatch
):
    student = LGBMClassifier(n_estimators=2, n_jobs=1, verbose=-1, **params)
    losses = {
        "transfer set": BASE + NOISE - lead,
        "training rows": BASE - NOISE - 0.03,
    }
    assert choose(monkeypatch, student, ways, losses) == chosen


@pytest.mark.parametrize(
    ("losses", "warning"),
    [
        ({"true labels": BASE - 0.49}, "the student trained directly, on"),
        (
            {"true labels": BASE + 2},
            "true labels. The student is worse than one",
        ),
        ({"true labels": BASE + 2, "training rows": BASE - 0.1}, None),
    ],
)
def test_a_warning_says_where_the_teacher_brings_nothing(losses, warning, monkeypatch):
    """The teacher is better than the student on true labels where that is bad."""
    losses = dict.fromkeys(WAYS, BASE + 2) | losses
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        choose(monkeypatch, DecisionTreeClassifier(max_depth=2), WAYS, losses)
    found = [str(w.message) for w in caught if "The teacher" in str(w.message)]
    assert len(found) == (warning is not None)
    assert all(warning in message for message in found)


@pytest.mark.parametrize(("lead", "said"), [(0.01, True), (-0.01, False)])
def test_a_lead_within_chance_is_said_to_be_one(lead, said, monkeypatch):
    """The teacher gives each row the rate of its class, a loss of log 2."""
    losses = dict.fromkeys(WAYS, BASE) | {"true labels": np.log(2) + lead + NOISE}
    student = DecisionTreeClassifier(max_depth=2)
    with pytest.warns(UserWarning, match="no better than the student") as caught:
        choose(monkeypatch, student, WAYS, losses, teacher=DummyClassifier())
    found = next(str(w.message) for w in caught if "no better" in str(w.message))
    assert ("beyond chance (its lead is within a standard error)" in found) == said


def drop_number(X):
    return X[:, :-1]


class Marking:
    """Methods of a sampler that gives rows back in turn, their numbers raised."""

    def fit(self, X):
        self.X_ = X
        return self

    def sample_with_parents(self, n_samples, random_state=None):
        parents = np.arange(n_samples) % len(self.X_)
        rows = self.X_[parents]
        rows[:, -1] += 1000
        return rows, parents


class Preferring(Table):
    """The second student that is fitted serves the truth, as no other does."""

    n_fits = 0

    def fit(self, X, y, sample_weight=None):
        Preferring.n_fits += 1
        self.serves_truth_ = Preferring.n_fits == 2
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        truth = np.eye(2)[Y500[X[:, -1].astype(int) % 1000]]
        return truth if self.serves_truth_ else np.full(truth.shape, 0.5)


def test_a_far_transfer_set_goes_without_in_sample_labels(monkeypatch):
    """Real rows beside it are those that a teacher did not see, with its labels."""
    monkeypatch.setattr(Preferring, "n_fits", 0)
    for name in ("fit", "sample_with_parents"):
        monkeypatch.setattr(Spunge, name, vars(Marking)[name])
    tree = DecisionTreeClassifier(random_state=0)
    teacher = make_pipeline(FunctionTransformer(drop_number), tree)
    distilled = DistilledClassifier(
        teacher, Preferring(), n_synthetic=500, calibrate=False, random_state=0
    ).fit(X500, Y500)
    assert isinstance(distilled.augmenter_, Spunge)
    student = distilled.student_
    # All rows in turn, by the labels of the teacher that is fitted on all.
    np.testing.assert_allclose(
        student.mass_[1000:], clip(distilled.teacher_.predict_proba(X500), Y500)
    )
    out_of_fold = student.rows_[student.rows_ < 1000]
    assert len(out_of_fold) == 100
    others = np.setdiff1d(np.arange(500), out_of_fold)
    proba = teacher.fit(X500[others], Y500[others]).predict_proba(X500[out_of_fold])
    np.testing.assert_allclose(student.mass_[out_of_fold], clip(proba, Y500))


def test_a_network_learns_a_far_transfer_set_behind_steps_that_see_every_row(
    monkeypatch,
):
    # Far is the third candidate, and the first of the two with a second pilot.
    calls = iter(range(6))

    def predict_proba(network, X):
        proba = original(network, X)
        return (
            proba
            if len(X) < 100 or next(calls, 2) in (2, 4)
            else np.full(proba.shape, 0.5)
        )

    original = MLPClassifier.predict_proba
    monkeypatch.setattr(MLPClassifier, "predict_proba", predict_proba)
    network = MLPClassifier((4,), max_iter=50, learning_rate_init=0.01)
    distilled = DistilledClassifier(
        DecisionTreeClassifier(max_depth=4),
        make_pipeline(StandardScaler(), network),
        n_synthetic=500,
        calibrate=False,
        random_state=0,
    ).fit(X500, Y500)
    scaler, network = distilled.student_
    assert isinstance(distilled.augmenter_, Spunge)
    assert scaler.n_samples_seen_ == 500
    np.testing.assert_allclose(scaler.mean_, X500.mean(axis=0))
    # 500 rows that were made, and the 100 that a teacher did not see.
    assert network.t_ == network.n_iter_ * 600
