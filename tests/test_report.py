"""The report shows scikit-learn's figures, and says in words what they hide."""

import base64
import copy
import functools
import json
import pickle
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from joblib import parallel_config
from scipy import sparse
from scipy.stats import bootstrap, entropy
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill._report import _html, _measure
from skdistill._report._parameters import count_parameters
from skdistill.inspection import DistillationReport, distillation_report

pd = pytest.importorskip("pandas")

NAMES = np.array(["high", "low", "mid"])
X, CODES = make_classification(
    500, 6, n_informative=5, n_redundant=0, n_classes=3, flip_y=0.1, random_state=0
)
Y = NAMES[CODES]
X_TRAIN, X_TEST, Y_TRAIN, Y_TEST = X[:200], X[200:], Y[:200], Y[200:]
WEIGHT = np.random.default_rng(0).integers(0, 4, size=300).astype(float)
TRAIN = X_TRAIN, Y_TRAIN


@pytest.fixture(autouse=True)
def time_briefly(monkeypatch):
    """Times are not what most tests are about."""
    for name in ("_SECONDS", "_BATCH_SECONDS"):
        monkeypatch.setattr(_measure, name, 0.0)
    monkeypatch.setattr(_measure, "_MIN_CALLS", 2)


def _distil(X=X_TRAIN, y=Y_TRAIN, **params):
    teacher = RandomForestClassifier(10, random_state=0)
    student = DecisionTreeClassifier(max_depth=3)
    given = {"teacher": teacher, "student": student, "random_state": 0, **params}
    return DistilledClassifier(**given).fit(X, y)


def _report(estimator, X=X_TEST, y=Y_TEST, **params):
    return distillation_report(estimator, X, y, **{"n_bootstrap": 100, **params})


@pytest.fixture(scope="module")
def distilled():
    return _distil()


@pytest.fixture(scope="module")
def report(distilled):
    groups = np.where(X_TEST[:, 0] > 0, "a<b>", "c")
    return _report(
        distilled, groups=groups, baseline="fit", train=TRAIN, random_state=0
    )


class _Told(ClassifierMixin, BaseEstimator):
    """A classifier that says what it was told to."""

    def __init__(self, proba, classes=NAMES):
        self.proba, self.classes = proba, classes
        self.classes_ = classes

    def fit(self, X, y):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, X):
        return np.asarray(self.proba)[np.asarray(X)[:, 0].astype(int)]


@functools.cache
def _distil_once():
    return _distil()


def _stage(student, teacher, y, *, baseline=None, **params):
    """The report on models that say what they are told, row by row."""
    model = copy.copy(_distil_once())
    model.student_, model.teacher_ = _Told(student), _Told(teacher)
    rows = np.arange(len(y))[:, None]
    base = None if baseline is None else _Told(baseline)
    return distillation_report(model, rows, y, baseline=base, **params)


def _say(labels, confidence=0.8):
    """Probabilities with which these labels are predicted."""
    proba = np.full((len(labels), 3), (1 - confidence) / 2)
    proba[np.arange(len(labels)), np.searchsorted(NAMES, labels)] = confidence
    return proba


# --- figures -------------------------------------------------------------------


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_are_those_of_scikit_learn(weight, n_classes):
    y = np.where(Y == "mid", "low", Y) if n_classes == 2 else Y
    model = _distil(y=y[:200])
    found = _report(model, y=y[200:], sample_weight=weight).models
    proba = model.student_.predict_proba(X_TEST)
    truth, given = y[200:], {"sample_weight": weight}
    label = model.student_.predict(X_TEST)
    auc = (
        roc_auc_score(truth, proba[:, 1], **given)
        if n_classes == 2
        else roc_auc_score(truth, proba, multi_class="ovr", **given)
    )
    teacher = model.teacher_.predict_proba(X_TEST)
    kl = entropy(teacher.T, (proba * (1 - 1e-15) + 1e-15 / n_classes).T)
    expected = {
        "accuracy": accuracy_score(truth, label, **given),
        "balanced_accuracy": balanced_accuracy_score(truth, label, **given),
        "log_loss": log_loss(truth, proba, **given),
        "brier_score": brier_score_loss(
            truth == "low" if n_classes == 2 else truth,
            proba[:, 1] if n_classes == 2 else proba,
            **given,
        ),
        "roc_auc": auc,
        "kl_divergence": np.average(kl, weights=weight),
    }
    for name, value in expected.items():
        assert found["student"][name] == pytest.approx(value), name
    assert found["teacher"]["log_loss"] == pytest.approx(
        log_loss(truth, teacher, **given)
    )


def test_agreement_where_the_teacher_is_wrong_by_hand():
    y = ["high", "high", "low", "mid"]
    teacher = _say(["high", "low", "mid", "mid"])  # wrong on the middle two
    student = _say(["low", "low", "low", "mid"])  # with it on the second and the last
    found = _stage(student, teacher, y).models
    assert found["student"]["agreement"] == 0.5
    assert found["student"]["agreement_where_teacher_wrong"] == 0.5
    assert found["teacher"]["agreement_where_teacher_wrong"] == 1
    weighted = _stage(student, teacher, y, sample_weight=[1, 3, 1, 1]).models
    assert weighted["student"]["agreement_where_teacher_wrong"] == 0.75
    assert np.isnan(
        _stage(student, _say(y), y).models["student"]["agreement_where_teacher_wrong"]
    )


def test_calibration_error_by_hand():
    y = ["high"] * 8 + ["low"] * 2  # right in 8 of 10, confident by 0.9
    found = _stage(_say(["high"] * 10, 0.9), _say(y), y).models["student"]
    assert found["calibration_error"] == pytest.approx(0.1)


def test_weights_are_rows_given_that_often(distilled):
    times = WEIGHT.astype(int)
    weighted = _report(distilled, sample_weight=WEIGHT)
    repeated = _report(distilled, np.repeat(X_TEST, times, 0), np.repeat(Y_TEST, times))
    assert weighted.n_rows == (times > 0).sum()
    assert weighted.weighted
    assert not repeated.weighted
    for name, figures in weighted.models.items():
        for key in ("accuracy", "roc_auc", "calibration_error", "agreement"):
            assert figures[key] == pytest.approx(repeated.models[name][key]), key
    for one, other in zip(weighted.by_class, repeated.by_class, strict=True):
        assert one["student"] == pytest.approx(other["student"])


def test_rows_of_weight_zero_are_left_out_everywhere(distilled):
    proba = distilled.teacher_.predict_proba(X_TEST)
    groups = np.where(WEIGHT > 0, "in", "out")
    found = _report(distilled, sample_weight=WEIGHT, teacher_proba=proba, groups=groups)
    assert [part["n_rows"] for part in found.by_group] == [int((WEIGHT > 0).sum()), 0]
    assert found.by_group[1]["student"]["accuracy"] is None
    str(found)


def test_classes_and_groups(report, distilled):
    label = distilled.predict(X_TEST)
    for part in report.by_class:
        own = part["name"] == Y_TEST
        assert part["n_rows"] == own.sum()
        assert part["student"]["accuracy"] == pytest.approx(
            (label == Y_TEST)[own].mean()
        )
    own = X_TEST[:, 0] > 0
    part = report.by_group[0]
    assert part["name"] == "a<b>"
    assert part["student"]["log_loss"] == pytest.approx(
        log_loss(Y_TEST[own], distilled.predict_proba(X_TEST[own]), labels=NAMES)
    )
    same = label[own] == distilled.teacher_.predict(X_TEST[own])
    assert part["student"]["agreement"] == pytest.approx(same.mean())


@pytest.mark.parametrize("as_column", [True, False])
@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([10, 9, None], ["9", "10", "(missing)"]),
        (["b", "a", np.nan], ["a", "b", "(missing)"]),
        ([2, "a", 2], ["2", "a"]),
    ],
)
def test_groups_of_every_kind(values, names, as_column):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["g"] = np.zeros(len(frame))
    model = _distil(frame[:200])
    test = frame[200:]
    groups = pd.Series(values * 100, index=test.index, dtype=object)
    if as_column:
        drop = FunctionTransformer(lambda table: table.assign(g=0.0))
        model = make_pipeline(drop, model)
        test, groups = test.assign(g=groups), "g"
    found = _report(model, test, groups=groups)
    assert [part["name"] for part in found.by_group] == names


# --- the share recovered -------------------------------------------------------


def _make_hits(n_teacher, n_baseline, n_student, n_rows=200):
    y = np.full(n_rows, "low")
    rng = np.random.default_rng(0)

    def hit(count):
        labels = np.full(n_rows, "mid")
        labels[rng.permutation(n_rows)[:count]] = "low"
        return _say(labels)

    return y, hit(n_teacher), hit(n_baseline), hit(n_student)


def test_the_share_is_of_the_edge():
    y, teacher, baseline, student = _make_hits(180, 80, 150)
    found = _stage(student, teacher, y, baseline=baseline, random_state=0)
    share = found.share_recovered["accuracy"]
    assert share["share"] == pytest.approx((150 - 80) / (180 - 80))
    assert share["edge"] == pytest.approx(0.5)
    assert found.against_teacher["accuracy"]["gain"] == pytest.approx(-0.15)
    losses = [log_loss(y, p, labels=NAMES) for p in (teacher, baseline, student)]
    assert found.share_recovered["log_loss"]["share"] == pytest.approx(
        (losses[2] - losses[1]) / (losses[0] - losses[1])
    )
    assert found.against_baseline["log_loss"]["gain"] == pytest.approx(
        losses[1] - losses[2]
    )


def test_intervals_are_those_of_a_paired_bootstrap():
    y, *probas = _make_hits(180, 80, 150)
    found = _stage(probas[2], probas[0], y, baseline=probas[1], random_state=0)
    hits = [(p.argmax(axis=1) == 1).astype(float) for p in probas]

    def share(teacher, baseline, student, axis):
        gap = student.mean(axis) - baseline.mean(axis)
        return gap / (teacher.mean(axis) - baseline.mean(axis))

    expected = bootstrap(
        hits,
        share,
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=4000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    own = found.share_recovered["accuracy"]
    # Both are random: 1000 draws place an end within a twentieth of the width.
    width = expected.high - expected.low
    assert own["low"] == pytest.approx(expected.low, abs=0.1 * width)
    assert own["high"] == pytest.approx(expected.high, abs=0.1 * width)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_the_workers_do_not_change_the_intervals(backend):
    y, teacher, baseline, student = _make_hits(180, 80, 150)
    given = {"baseline": baseline, "n_bootstrap": 130, "random_state": 0}
    alone = _stage(student, teacher, y, **given)
    with parallel_config(backend=backend):
        together = _stage(student, teacher, y, n_jobs=2, **given)
    assert together.share_recovered == alone.share_recovered
    assert together.against_teacher == alone.against_teacher


def test_weights_are_part_of_the_intervals():
    y, teacher, _, student = _make_hits(180, 80, 150)
    lost = (teacher.argmax(axis=1) == 1) & (student.argmax(axis=1) != 1)
    # Nearly all of the weight is on rows that the student loses.
    weight = np.where(lost, 1.0, 1e-6)
    gain = _stage(student, teacher, y, sample_weight=weight).against_teacher["accuracy"]
    assert gain["gain"] == pytest.approx(-1, abs=1e-3)
    assert gain["high"] == pytest.approx(-1, abs=1e-3)


def test_no_edge_is_said_in_words():
    y, teacher, baseline, student = _make_hits(100, 150, 120)
    found = _stage(student, teacher, y, baseline=baseline, random_state=0)
    assert found.share_recovered["accuracy"]["share"] is None
    text = " ".join(str(found).split())
    assert (
        "The teacher is no better than the student trained directly (the baseline) in "
        "accuracy and log loss: there is no edge to hand on." in text
    )
    assert "worse than the student trained directly" in text
    assert "accuracy by 0.1500" in text


def test_an_edge_within_chance_has_no_interval():
    y, teacher, baseline, student = _make_hits(101, 99, 100)
    found = _stage(student, teacher, y, baseline=baseline, random_state=0)
    share = found.share_recovered["accuracy"]
    # One row of two: the ratio would be .5, or anything else by chance.
    assert share["share"] is share["low"] is share["high"] is None
    assert share["edge_low"] < 0 < share["edge_high"]
    assert any("within chance" in line for line in found.warnings)
    assert "the edge is within chance" in str(found)
    assert not any("no edge to hand on" in line for line in found.warnings)


def test_the_seed_decides_the_intervals(distilled):
    one, same, other = (
        _report(distilled, random_state=seed).against_teacher for seed in (0, 0, 1)
    )
    assert one == same != other


# --- the baseline --------------------------------------------------------------


@pytest.mark.parametrize("given", [True, False], ids=["student", "default student"])
def test_fit_fits_the_same_student_on_the_true_labels(given):
    model = _distil() if given else _distil(student=None)
    found = _report(model, baseline="fit", train=TRAIN, random_state=0)
    # With the seeds that the distilled student had.
    expected = clone(model.student_).fit(X_TRAIN, Y_TRAIN).predict_proba(X_TEST)
    assert found.models["baseline"]["log_loss"] == pytest.approx(
        log_loss(Y_TEST, expected)
    )


def test_fit_takes_weights():
    weight = np.where(X_TRAIN[:, 0] > 0, 5.0, 1.0)
    model = _distil(student=make_pipeline(StandardScaler(), DecisionTreeClassifier()))
    found = _report(model, baseline="fit", train=(X_TRAIN, Y_TRAIN, weight))
    direct = clone(model.student_)
    direct.fit(X_TRAIN, Y_TRAIN, decisiontreeclassifier__sample_weight=weight)
    assert found.models["baseline"]["accuracy"] == direct.score(X_TEST, Y_TEST)


def test_fit_seeds_a_baseline_that_nothing_else_does():
    model = _distil(
        random_state=None, student=DecisionTreeClassifier(splitter="random")
    )
    one, same, other = (
        _report(model, baseline="fit", train=TRAIN, random_state=seed).models[
            "baseline"
        ]["log_loss"]
        for seed in (0, 0, 1)
    )
    assert one == same != other


def test_fit_works_with_nets():
    pytest.importorskip("torch")
    from skorch import NeuralNetClassifier
    from torch import nn

    rows = X.astype(np.float32)
    net = NeuralNetClassifier(
        nn.Linear(6, 3),
        criterion=nn.CrossEntropyLoss,
        train_split=None,
        verbose=0,
        max_epochs=1,
    )
    model = _distil(rows[:200], student=net, teacher=GaussianNB())
    found = _report(model, rows[200:], baseline="fit", train=(rows[:200], Y_TRAIN))
    assert found.models["baseline"]["parameters"] == 6 * 3 + 3
    assert found.descriptions["baseline"] == "NeuralNetClassifier"


def test_a_fitted_baseline_may_have_missed_a_class(distilled):
    seen = Y_TRAIN != "mid"
    base = GaussianNB().fit(X_TRAIN[seen], Y_TRAIN[seen])
    found = _report(distilled, baseline=base)
    assert found.models["baseline"]["accuracy"] == base.score(X_TEST, Y_TEST)
    assert found.descriptions["baseline"] == "GaussianNB"


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"baseline": "fit"}, ValueError, r"needs the rows .* train=None"),
        ({"baseline": "fit", "train": X_TRAIN}, ValueError, "train=ndarray"),
        ({"baseline": "fit", "train": (X, CODES)}, ValueError, "y_train must hold"),
        ({"train": TRAIN}, ValueError, "train is for baseline='fit'"),
        ({"baseline": "hard"}, ValueError, "baseline must be 'fit'"),
        ({"baseline": GaussianNB}, ValueError, "baseline must be 'fit'"),
        ({"baseline": GaussianNB()}, NotFittedError, "not fitted"),
        (
            {"baseline": GaussianNB().fit(X_TRAIN, CODES[:200])},
            ValueError,
            "baseline must know no other classes",
        ),
        ({"baseline": StandardScaler().fit(X)}, TypeError, "needs predict_proba"),
        ({"groups": "g"}, ValueError, "X has no column names"),
        ({"groups": [1, 2]}, ValueError, "one value for each of the 300 rows; got 2"),
        ({"groups": X_TEST[:, 0]}, ValueError, "at most 100 groups; got 300"),
        ({"n_bootstrap": 0}, ValueError, "n_bootstrap must be"),
        ({"sample_weight": -WEIGHT}, ValueError, "sample_weight must be finite"),
        ({"teacher_proba": np.ones((300, 1))}, ValueError, "teacher_proba must have"),
        (
            {"teacher_proba": np.full((300, 2), 0.5)},
            ValueError,
            r"teacher_proba must hold .* shape \(300, 3\); got \(300, 2\)",
        ),
        ({"teacher_proba": np.ones((3, 3))}, ValueError, "inconsistent numbers"),
    ],
)
def test_what_is_no_report(distilled, params, error, message):
    with pytest.raises(error, match=message):
        _report(distilled, **params)


def test_rows_that_are_no_rows_of_this_estimator(distilled):
    with pytest.raises(ValueError, match=r"got \['huge'\] as well"):
        _report(distilled, y=np.where(Y_TEST == "low", "huge", Y_TEST))
    with pytest.raises(TypeError, match="got GaussianNB without one"):
        _report(GaussianNB().fit(X_TRAIN, Y_TRAIN))
    with pytest.raises(NotFittedError):
        _report(DistilledClassifier())
    frame = pd.DataFrame(X_TEST, columns=list("abcdef"))
    with pytest.raises(ValueError, match=r"X has the columns \['a', 'b'"):
        _report(distilled, frame, groups="g")


# --- the teacher, and where the student stands ---------------------------------


def test_stored_probabilities_stand_in_for_a_teacher():
    teacher = GaussianNB().fit(X_TRAIN, Y_TRAIN)
    model = DistilledClassifier(student=DecisionTreeClassifier(max_depth=3))
    model.fit(X_TRAIN, Y_TRAIN, teacher_proba=teacher.predict_proba(X_TRAIN))
    with pytest.raises(ValueError, match="teacher_ is None"):
        _report(model)
    found = _report(model, teacher_proba=teacher.predict_proba(X_TEST))
    assert found.models["teacher"]["accuracy"] == teacher.score(X_TEST, Y_TEST)
    assert found.models["teacher"]["bytes"] is None
    assert found.ratios == {
        "smaller": None,
        "faster_one_row": None,
        "faster_batch": None,
    }
    assert found.descriptions["teacher"] == "stored"
    assert "Student against teacher:" not in str(found)


def test_stored_probabilities_go_before_those_of_the_teacher(distilled):
    sure = _say(Y_TEST, 0.9)
    found = _report(distilled, teacher_proba=sure.astype(np.float32)).models["teacher"]
    assert found["log_loss"] == pytest.approx(-np.log(0.9))
    assert found["bytes"] == len(
        pickle.dumps(distilled.teacher_, pickle.HIGHEST_PROTOCOL)
    )


def test_a_pipeline_is_measured_as_a_whole():
    inner = DistilledClassifier(
        LogisticRegression(), DecisionTreeClassifier(max_depth=3), random_state=0
    )
    model = make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), inner))
    search = GridSearchCV(model, {}, cv=2).fit(X_TRAIN, Y_TRAIN)
    found = _report(search, baseline="fit", train=TRAIN)
    scaled = search.best_estimator_[0].transform(X_TRAIN)
    scaled = search.best_estimator_[1][0].transform(scaled)
    own = search.best_estimator_[1][1]
    direct = clone(own.student_).fit(scaled, Y_TRAIN)
    rows = search.best_estimator_[1][0].transform(
        search.best_estimator_[0].transform(X_TEST)
    )
    assert found.models["baseline"]["accuracy"] == direct.score(rows, Y_TEST)
    assert found.models["teacher"]["accuracy"] == own.teacher_.score(rows, Y_TEST)
    assert found.models["student"]["accuracy"] == search.score(X_TEST, Y_TEST)
    # Both scalers are part of what is deployed.
    alone = len(pickle.dumps(own.student_, pickle.HIGHEST_PROTOCOL))
    assert found.models["student"]["bytes"] > alone + 500
    assert found.descriptions == {
        "teacher": "LogisticRegression",
        "baseline": "DecisionTreeClassifier",
        "student": "DecisionTreeClassifier",
    }


def test_sparse_rows():
    model = _distil(sparse.csr_array(X_TRAIN))
    found = _report(model, sparse.csr_array(X_TEST), sample_weight=WEIGHT)
    dense = _report(_distil(), sample_weight=WEIGHT)
    assert found.models["student"]["log_loss"] == pytest.approx(
        dense.models["student"]["log_loss"]
    )


# --- costs ---------------------------------------------------------------------


def test_times_are_those_of_the_calls(monkeypatch, distilled):
    calls = []

    def count(predict, batches, *, min_calls, seconds):
        calls.append((len(batches[0]), min_calls))
        return np.array([1_000, 2_000, 3_000, 4_000, 100_000])

    monkeypatch.setattr(_measure, "time_calls", count)
    found = _report(distilled).models["student"]
    assert found["latency_p50_us"] == 3
    assert found["latency_p99_us"] == pytest.approx(96.16)  # .96 of the way to 100
    assert found["timed_calls"] == 5
    assert found["rows_per_second"] == pytest.approx(300 / 3e-6)
    assert calls == [(1, 2), (300, 3)] * 2


def test_a_size_that_is_not_known_is_said_so(distilled):
    teacher = make_pipeline(FunctionTransformer(lambda rows: rows), GaussianNB())
    model = _distil(teacher=teacher)
    found = _report(model)
    assert found.models["teacher"]["bytes"] is None
    assert found.ratios["smaller"] is None
    assert "The teacher can't be pickled, so its size is not known." in found.warnings


def test_a_student_that_costs_more_is_said_so():
    forest = RandomForestClassifier(30, random_state=0)
    found = _report(_distil(teacher=GaussianNB(), student=forest))
    assert found.ratios["smaller"] < 1
    assert any("larger than the teacher" in line for line in found.warnings)


def test_parameters():
    mlp = MLPClassifier((4, 3), max_iter=5).fit(X[:50], CODES[:50])
    n_mlp = (6 * 4 + 4) + (4 * 3 + 3) + (3 * 3 + 3)
    line = LogisticRegression().fit(X, CODES)
    tree = DecisionTreeClassifier(max_depth=1).fit(X, CODES)
    assert count_parameters(mlp) == n_mlp
    assert count_parameters(make_pipeline(StandardScaler(), mlp)) == n_mlp
    assert count_parameters(line) == 3 * 6 + 3
    assert count_parameters(tree) == 1 + 2 * 3  # a threshold, two leaves of three
    assert count_parameters(FrozenEstimator(tree)) == 7
    members = [("a", make_pipeline(StandardScaler(), line)), ("b", tree)]
    vote = VotingClassifier(members, voting="soft").fit(X, CODES)
    one, other = count_parameters(vote.estimators_[1]), 3 * 6 + 3
    assert count_parameters(vote) == one + other
    stack = StackingClassifier(members, cv=2).fit(X, CODES)
    assert count_parameters(stack) == one + other + 3 * 6 + 3
    stumps = GradientBoostingClassifier(n_estimators=4, max_depth=1).fit(X, CODES)
    assert count_parameters(stumps) == 4 * 3 * 3
    sure = CalibratedClassifierCV(line, cv=2).fit(X, CODES)
    assert count_parameters(sure) == 2 * (3 * 6 + 3)
    assert count_parameters(GaussianNB().fit(X, CODES)) is None
    unknown = [*members, ("c", GaussianNB())]
    vote = VotingClassifier(unknown, voting="soft").fit(X, CODES)
    assert count_parameters(vote) is None


def test_parameters_of_boosted_trees():
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMClassifier(n_estimators=4, num_leaves=2, verbose=-1)
    assert count_parameters(model.fit(X, CODES)) == 4 * 3 * 3
    assert count_parameters(_distil(student=model)) == 4 * 3 * 3
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBClassifier(n_estimators=4, max_depth=1, n_jobs=1)
    assert count_parameters(model.fit(X, CODES)) == 4 * 3 * 3
    found = GridSearchCV(DecisionTreeClassifier(max_depth=1), {}, cv=2).fit(X, CODES)
    assert count_parameters(found) == 7


# --- warnings in words ---------------------------------------------------------


def test_a_class_that_the_student_fails():
    y = np.repeat(["high", "low", "mid"], 100)
    student = np.where(np.arange(300) >= 240, "low", y)  # fails 60 of the last class
    found = _stage(_say(student), _say(y), y)
    assert [part["behind"] for part in found.by_class] == [False, False, True]
    assert any(
        "class 'mid', beyond chance: 0.400 against 1.000" in w for w in found.warnings
    )
    assert any("right on every row" in line for line in found.warnings)
    assert any("behind the teacher beyond chance" in line for line in found.warnings)


def test_chance_is_not_called_a_failure():
    y = np.repeat(["high", "low", "mid"], 100)
    student = np.where(np.arange(300) >= 298, "low", y)  # 2 of 100
    found = _stage(_say(student), _say(y), y)
    assert not any(part["behind"] for part in found.by_class)


def test_many_groups_that_it_fails_are_summed_up():
    groups = np.repeat(np.arange(30), 20)
    y = np.full(600, "low")
    student = _say(np.where(np.arange(600) % 20 < 15, "mid", y))
    found = _stage(student, _say(y), y, groups=groups)
    assert sum("group '" in line for line in found.warnings) == 6
    assert any("'14' and 15 more" in line for line in found.warnings)
    assert 'to_frame(by="group")' in str(found)
    assert len(found.to_frame(by="group")) == 60


def test_few_rows_absent_classes_and_trust():
    y = np.repeat(["high", "low"], 20)
    teacher = _say(np.where(np.arange(40) % 5 == 0, "mid", y), 0.8)
    student = _say(np.where(np.arange(40) % 5 == 0, "mid", y), 0.98)
    found = _stage(student, teacher, y)
    text = " ".join(found.warnings)
    assert "only 40 rows" in text
    assert "No row is of class 'mid'" in text
    assert "calibration error 0.180 against 0.000" in text
    assert found.by_class[2]["n_rows"] == 0
    assert "nan" not in str(found)


def test_one_class_has_no_area_under_the_curve():
    y = np.full(30, "low")
    assert np.isnan(_stage(_say(y), _say(y), y).models["student"]["roc_auc"])


@pytest.mark.parametrize(
    ("seen", "cv", "alpha", "said"),
    [
        (1.0, None, 1.0, True),
        (0.82, None, 1.0, False),
        (1.0, 5, 1.0, False),
        (1.0, None, 0.0, False),
    ],
)
def test_the_leak(seen, cv, alpha, said):
    model = _distil()
    model.cv, model.alpha_ = cv, alpha
    model.leak_ = {"accuracy_seen": seen, "accuracy_unseen": 0.8}
    model.leak_ |= {"entropy_seen": 0.05, "entropy_unseen": 0.5}
    found = _report(model)
    assert found.leak == model.leak_
    assert found.leak is not model.leak_
    assert any("by heart" in line for line in found.warnings) is said
    assert "entropy 0.050 nats" in str(found)


def test_trials_and_calibration_are_shown():
    model = _distil(X, Y, alpha=1.0)
    assert len(model.trials_) == 3
    text = str(_report(model))
    for trial in model.trials_:
        assert f"{trial['log_loss']:.4f}" in text
    assert text.count("chosen") == 1
    assert f"calibrated (by {model.calibration_:.3g})" in text


def test_no_edge_after_calibration_says_what_was_measured():
    y, teacher, baseline, student = _make_hits(100, 150, 120)
    model = _distil()
    model.student_, model.teacher_ = _Told(student), _Told(teacher)
    model.calibration_ = 0.5
    rows = np.arange(len(y))[:, None]
    found = distillation_report(model, rows, y, baseline=_Told(baseline))
    assert any("The teacher is measured as it is" in line for line in found.warnings)
    assert "underconfident" in str(found)


# --- shown ---------------------------------------------------------------------


def test_text_fits_100_columns():
    long = np.array(
        [f"a class with a rather long name, number {k}" * 2 for k in range(3)]
    )
    model = _distil(y=long[CODES[:200]])
    groups = np.array(["x" * 200, "y"])[CODES[200:] % 2]
    found = _report(
        model,
        y=long[CODES[200:]],
        groups=groups,
        baseline="fit",
        train=(X_TRAIN, long[CODES[:200]]),
    )
    found.descriptions = dict.fromkeys(found.descriptions, "A" * 90)
    widths = [len(line) for line in str(found).splitlines()]
    assert max(widths) <= 100
    assert "xxx..." in str(found)


def test_text_shows_the_figures(report):
    text = str(report)
    for name in report.models:
        figures = report.models[name]
        assert f"{figures['log_loss']:.4f}" in text
        assert f"{figures['bytes']:,d}" in text
    assert repr(report).startswith("<DistillationReport of 300 rows, teacher, baseline")


def test_dict_and_json(report):
    figures = report.to_dict()
    assert set(figures) > {"models", "share_recovered", "by_class", "warnings"}
    assert not any(name.startswith("_") for name in figures)

    def list_types(value):
        if isinstance(value, dict):
            return set().union(*map(list_types, value.values()), set())
        if isinstance(value, list):
            return set().union(*map(list_types, value), set())
        return {type(value)}

    assert list_types(figures) <= {float, int, str, bool, type(None)}
    assert json.loads(report.to_json())["models"] == figures["models"]


def test_json_has_no_nan(distilled):
    y = np.full(300, "low")
    loaded = json.loads(_report(distilled, y=y).to_json())
    assert loaded["models"]["student"]["roc_auc"] is None


def test_frames(report):
    frame = report.to_frame()
    assert list(frame.index) == ["teacher", "baseline", "student"]
    assert frame.loc["student", "accuracy"] == report.models["student"]["accuracy"]
    parts = report.to_frame(by="class")
    assert parts.index.names == ["class", "model"]
    assert parts.loc[("mid", "teacher"), "n_rows"] == (Y_TEST == "mid").sum()
    with pytest.raises(ValueError, match="by must be"):
        report.to_frame(by="row")


def test_frame_by_group_needs_groups(distilled):
    with pytest.raises(ValueError, match="Pass groups="):
        _report(distilled).to_frame(by="group")


def test_without_pandas(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install pandas, or use to_dict\(\)"):
        report.to_frame()


def test_a_report_can_be_kept(report):
    assert str(pickle.loads(pickle.dumps(report))) == str(report)
    assert isinstance(report, DistillationReport)


class _Reader(HTMLParser):
    """What of a page would be fetched, and whether every tag is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.sources, self.cells, self.alts = [], [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href"):
                self.sources.append(value)
            if name == "alt":
                self.alts.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.cells.append(data)


def _read_html(text):
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open
    return reader


def test_notebooks_get_tables(report):
    reader = _read_html(report._repr_html_())
    assert not reader.sources
    assert "a<b>" in reader.cells
    assert f"{report.models['student']['accuracy']:.4f}" in reader.cells


@pytest.fixture(scope="module")
def page(report, tmp_path_factory):
    pytest.importorskip("matplotlib")
    path = tmp_path_factory.mktemp("page") / "report.html"
    report.to_html(path)
    return path


def test_page_is_self_contained(page):
    text = page.read_text(encoding="utf-8")
    reader = _read_html(text)
    assert len(reader.sources) == len(reader.alts) == 4
    for source in reader.sources:
        kind, _, data = source.partition(",")
        assert kind == "data:image/svg+xml;base64"
        drawing = base64.b64decode(data).decode()
        # Nothing but fragments of its own is referred to.
        found = re.findall(r'(?:href|src)="([^"]*)"', drawing)
        assert all(reference.startswith("#") for reference in found)
    assert "@media (prefers-color-scheme: dark)" in text
    assert "a<b>" in reader.cells
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]


def test_page_is_the_same_every_time_whatever_the_style(report, page, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30}):
        report.to_html(str(tmp_path / "report.html"))
    assert (tmp_path / "report.html").read_bytes() == page.read_bytes()


def test_page_without_a_teachers_costs_or_a_students_size(tmp_path):
    pytest.importorskip("matplotlib")
    y, teacher, _, student = _make_hits(180, 80, 150)
    found = _stage(student, teacher, y, sample_weight=np.full(len(y), 2.0))
    found.models["student"]["bytes"] = None
    found.models["teacher"] |= {"latency_p50_us": None, "bytes": None}
    found.to_html(tmp_path / "report.html")
    reader = _read_html((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(reader.alts) == 3
    assert "Each row counts once" in reader.alts[0]


def test_a_page_that_fails_leaves_the_old_one(report, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    page = tmp_path / "report.html"
    page.write_text("old")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(_html, "_draw_pictures", lambda report: [])
    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        report.to_html(page)
    assert page.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_page_needs_matplotlib(report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"skdistill\[plot\]"):
        report.to_html(tmp_path / "report.html")
    assert not list(tmp_path.iterdir())
