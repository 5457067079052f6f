"""What pilots learn, the figures they report, and what they may cost."""

import warnings

import numpy as np
import pytest
from _core import NET_WAYS, WAYS, calibrate, clip, echo_rows, fit_calibration
from _samplers import Counting, Echo, Spy, forget_fits, number_rows, numbers
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
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
    (figures,) = [pilot for pilot in distilled.pilots_ if pilot["chosen"]]
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
    echo_rows(monkeypatch, Munge, Spunge)
    weight = np.ones(520)
    if weighted:
        weight = np.random.default_rng(0).uniform(0.2, 3, 520)
    student = GaussianNB(var_smoothing=0)
    distilled = DistilledClassifier(GaussianNB(), student, random_state=0).fit(
        X, y, sample_weight=weight if weighted else None
    )
    # The sampler was fitted on the rows to try on, and gave them back three times.
    tried = numbers(Echo.fits[0])
    held_out = np.setdiff1d(np.arange(520), tried)
    teacher = GaussianNB().fit(X[tried], y[tried], weight[tried])
    proba = clip(teacher.predict_proba(X), y, weight)
    prior = np.bincount(y, weights=weight)
    found = fit_calibration(proba[held_out], y[held_out], weight[held_out], prior)
    labels = calibrate(proba, *found)[tried]
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
        proba = model.predict_proba(X[held_out])
        expected[name] = {
            "log_loss": log_loss(y[held_out], proba, sample_weight=weight[held_out]),
            "accuracy": accuracy_score(
                y[held_out], proba.argmax(axis=1), sample_weight=weight[held_out]
            ),
        }
    assert [pilot["learns from"] for pilot in distilled.pilots_] == WAYS
    for pilot in distilled.pilots_:
        name = pilot["learns from"]
        assert pilot["log_loss"] == pytest.approx(expected[name]["log_loss"], abs=1e-5)
        assert pilot["accuracy"] == pytest.approx(expected[name]["accuracy"])
    assert sum(pilot["chosen"] for pilot in distilled.pilots_) == 1


class Diverging(GaussianNB):
    """Is certain of another class than its own where it was fitted on many rows."""

    def __init__(self, most=np.inf):
        super().__init__()
        self.most = most

    def fit(self, X, y, sample_weight=None):
        self.diverges_ = len(np.unique(X, axis=0)) > self.most
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        proba = super().predict_proba(X)
        return proba[:, [1, 2, 0]] if self.diverges_ else proba


@pytest.mark.parametrize("most", [450, np.inf])
def test_a_fit_that_is_far_worse_than_its_pilot_is_named(data, most):
    X, y = data
    est = DistilledClassifier(make_forest(), Diverging(most), random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # The pilots learn 416 rows, and the fit all 520.
        est.set_params(augmenter="auto", n_synthetic=1).fit(X, y)
    said = [str(w.message) for w in caught if "its pilot" in str(w.message)]
    if most == np.inf:
        assert said == []
        return
    (text,) = said
    assert text.startswith("The Diverging has a log loss of ")
    assert "on 104 rows" in text
    assert text.endswith(". Compare both on rows that they have not learned.")
    chosen = next(pilot for pilot in est.pilots_ if pilot["chosen"])
    assert chosen["log_loss"] < 1


def test_the_memorization_by_hand(data, monkeypatch):
    X, y = data
    echo_rows(monkeypatch, Munge)
    weight = np.random.default_rng(0).uniform(0.2, 3, 520)
    distilled = DistilledClassifier(
        DecisionTreeClassifier(max_depth=5, random_state=0), Spy(), random_state=0
    ).fit(X, y, sample_weight=weight)
    fitted = numbers(Echo.fits[0])
    others = np.setdiff1d(np.arange(520), fitted)
    teacher = DecisionTreeClassifier(max_depth=5, random_state=0)
    teacher.fit(X[fitted], y[fitted], weight[fitted])
    for name, rows in (("in_sample", fitted), ("out_of_fold", others)):
        proba = teacher.predict_proba(X[rows])
        clipped = clip(proba, y, weight)
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
    clipped = clip(proba, y)
    scalar, _ = fit_calibration(clipped, y)
    assert distilled.calibration_ == pytest.approx(scalar, rel=1e-4)


@pytest.mark.parametrize("pilot", [0.05, 0.3])
def test_rows_that_a_network_visits_are_bounded(data, pilot, monkeypatch):
    X, y = data
    visits, lengths = [], []

    def note(network, X):
        if len(X) == 104:
            visits.append((network.t_, network.t_ / network.n_iter_))
        if len(X) == 84:
            lengths.append(network.t_)
        return predict_proba(network, X)

    # A pilot is fitted when it is asked about the rows that are held out.
    predict_proba = MLPClassifier.predict_proba
    monkeypatch.setattr(MLPClassifier, "predict_proba", note)
    distilled = DistilledClassifier(
        GaussianNB(),
        MLPClassifier((2,), max_iter=30, random_state=0),
        pilot=pilot,
        n_synthetic=1560,
        random_state=0,
    ).fit(X[:, :4], y)
    # So is the student in the end.
    visits.pop()
    # The two best transfer sets have a second, longer pilot.
    assert len(distilled.pilots_) == 4
    assert len(visits) == 7
    # A fifth of the rows chooses how long true labels are learned, of lengths that take
    # one final fit together, and an epoch at least.
    n_seen, n_rows = visits.pop(3)
    assert n_rows == 416
    assert 416 <= n_seen <= max(416, pilot * 30 * 2080)
    assert 332 <= sum(lengths) <= max(332, pilot * 30 * 2080)
    # They seem better than sets of short pilots, so that the best has as much time.
    n_seen, n_rows = visits.pop()
    most = min(pilot * 30 * 2080, 30 * n_rows)
    assert n_seen == pytest.approx(most, abs=n_rows / 2)
    # Epochs are whole: rounding may add half of one to each.
    rounding = sum(n_rows for _, n_rows in visits) / 2
    assert sum(n for n, _ in visits) <= pilot * 30 * 2080 + rounding
    assert sum(n for n, _ in visits) >= pilot * 30 * 2080 - rounding


def test_a_pilot_of_hardly_any_update_has_a_length(data):
    X, y = data
    network = MLPClassifier((4,), max_iter=1, random_state=0)
    distilled = DistilledClassifier(GaussianNB(), network, pilot=1e-6, random_state=0)
    distilled.set_params(n_synthetic=10).fit(X, y)
    assert "true labels" in [pilot["learns from"] for pilot in distilled.pilots_]


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
    # Whether rows of a class are held out is a matter of the seed.
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
        warnings.filterwarnings("ignore", "The teacher")
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
        (
            {"alpha": 0.7},
            [*NET_WAYS[:3], "training rows", "true labels"],
            [1, 1, 1, 3, 1],
        ),
        ({"alpha": 0.0}, [*NET_WAYS[:3], "training rows"], [1, 1, 1, 1]),
        ({"temperature": 2.0}, NET_WAYS, [2, 2, 2, 1]),
        # The true labels only judge the teacher.
        ({"augmenter": None}, ["true labels"], [1]),
        ({"augmenter": "munge"}, ["true labels"], [1]),
        ({"augmenter": "munge", "pilot": 0}, [], []),
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


def test_labels_of_a_teacher_that_memorised_them_are_not_blended(data):
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


class Watching(TransformerMixin, BaseEstimator):
    """A first step that notes the rows it is fitted on, and those it transforms."""

    fits = []

    def fit_transform(self, X, y=None):
        self.seen_ = []
        Watching.fits.append((numbers(X), self.seen_))
        return X

    def fit(self, X, y=None):
        raise AssertionError("fit_transform is what is called")

    def transform(self, X):
        self.seen_.append(numbers(X))
        return X


@pytest.mark.parametrize("early_stopping", [False, True])
def test_pilots_of_a_network_stop_on_rows_of_their_own(
    data, early_stopping, monkeypatch
):
    X, y = data
    echo_rows(monkeypatch, Munge, Spunge)
    Watching.fits.clear()
    network = MLPClassifier((2,), max_iter=30, early_stopping=early_stopping)
    distilled = DistilledClassifier(
        GaussianNB(), make_pipeline(Watching(), network), random_state=0
    ).fit(X, y)
    assert [pilot["learns from"] for pilot in distilled.pilots_] == NET_WAYS
    *pilots, (final, (*others, compared)) = Watching.fits
    if not early_stopping:
        # Rows of its own choose how long the true labels are learned; then it learns
        # them, too.
        first, (asked,) = pilots.pop(3)
        assert not np.intersect1d(first, asked).size
        np.testing.assert_array_equal(
            np.sort(np.concatenate([first, asked])), np.sort(pilots[3][0])
        )
    # A set has as much time as the true labels, which choose their length once more.
    assert len(pilots) == (6 if early_stopping else 8)
    assert distilled.distilled_ == early_stopping
    for again, _ in pilots[4:7]:
        assert any(np.array_equal(again, first) for first, _ in pilots[:3])
    pilots = pilots[:4]
    held_out = np.setdiff1d(np.arange(520), np.concatenate([r for r, _ in pilots[:3]]))
    assert len(held_out) == 104
    for way, (train, (*seen, asked)) in zip(NET_WAYS, pilots, strict=True):
        np.testing.assert_array_equal(asked, held_out)
        validation = [rows for rows in seen if not np.isin(rows, train).all()]
        for rows in validation:
            assert not np.intersect1d(rows, train).size
        assert len(validation) == early_stopping
        # Those on true labels are not compared on the rows that ended their fit.
        direct = way == "true labels"
        if direct and early_stopping:
            assert not np.intersect1d(validation[0], held_out).size
        assert len(seen) - len(validation) == (not direct)
    # In the end the student is compared with its pilot.
    np.testing.assert_array_equal(compared, held_out)
    validation = [rows for rows in others if not np.isin(rows, final).all()]
    assert len(validation) == early_stopping
    for rows in validation:
        assert not np.intersect1d(rows, final).size
