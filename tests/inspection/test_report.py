"""The figures of the report are scikit-learn's."""

import functools
import pickle
import re
import sys

import numpy as np
import pytest
from _clock import tick
from _core import PLAIN
from _reports import (
    CODES,
    NAMES,
    TRAIN,
    X_TEST,
    X_TRAIN,
    Y_TEST,
    Y_TRAIN,
    FixedClassifier,
    X,
    Y,
    distil,
    make_proba,
    report_on,
    stage,
)
from scipy import sparse
from scipy.stats import entropy
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
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
from skdistill.export import to_onnx
from skdistill.transfer import Munge

pd = pytest.importorskip("pandas")


WEIGHT = np.random.default_rng(0).integers(0, 4, size=300).astype(float)


# --- figures -------------------------------------------------------------------


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["even", "weighted"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_are_those_of_scikit_learn(weight, n_classes):
    y = np.where(Y == "mid", "low", Y) if n_classes == 2 else Y
    model = distil(y=y[:200])
    found = report_on(model, y=y[200:], sample_weight=weight).models
    proba = model.student_.predict_proba(X_TEST)
    truth, given = y[200:], {"sample_weight": weight}
    label = model.student_.predict(X_TEST)
    scores = proba[:, 1] if n_classes == 2 else proba
    teacher = model.teacher_.predict_proba(X_TEST)
    kl = entropy(teacher.T, (proba * (1 - 1e-15) + 1e-15 / n_classes).T)
    expected = {
        "accuracy": accuracy_score(truth, label, **given),
        "balanced_accuracy": balanced_accuracy_score(truth, label, **given),
        "log_loss": log_loss(truth, proba, **given),
        "brier_score": brier_score_loss(
            truth == "low" if n_classes == 2 else truth, scores, **given
        ),
        "roc_auc": roc_auc_score(truth, scores, multi_class="ovr", **given),
        "kl_divergence": np.average(kl, weights=weight),
    }
    for name, value in expected.items():
        assert found["student"][name] == pytest.approx(value), name
    assert found["teacher"]["log_loss"] == pytest.approx(
        log_loss(truth, teacher, **given)
    )


def test_agreement_where_the_teacher_is_wrong_by_hand():
    y, key = ["high", "high", "low", "mid"], "agreement_where_teacher_wrong"
    # Wrong on the middle two, and with it on the second and the last.
    teacher = make_proba(["high", "low", "mid", "mid"])
    student = make_proba(["low", "low", "low", "mid"])
    found = stage(student, teacher, y).models
    assert found["student"]["agreement"] == 0.5
    assert found["student"][key] == 0.5
    assert found["teacher"][key] == 1
    weighted = stage(student, teacher, y, sample_weight=[1, 3, 1, 1]).models
    assert weighted["student"][key] == 0.75
    assert np.isnan(stage(student, make_proba(y), y).models["student"][key])


def test_calibration_error_by_hand():
    y = ["high"] * 8 + ["low"] * 2  # right in 8 of 10, confident by 0.9
    found = stage(make_proba(["high"] * 10, 0.9), make_proba(y), y).models["student"]
    assert found["calibration_error"] == pytest.approx(0.1)


def test_weights_are_rows_given_that_often(distilled):
    times = WEIGHT.astype(int)
    weighted = report_on(distilled, sample_weight=WEIGHT)
    repeated = report_on(
        distilled, np.repeat(X_TEST, times, 0), np.repeat(Y_TEST, times)
    )
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
    found = report_on(
        distilled, sample_weight=WEIGHT, teacher_proba=proba, groups=groups
    )
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
        (["a", None, 2], ["2", "a", "(missing)"]),
    ],
)
def test_groups_of_every_kind(values, names, as_column):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["g"] = np.zeros(len(frame))
    model = distil(frame[:200])
    test = frame[200:]
    groups = pd.Series(values * 100, index=test.index, dtype=object)
    if as_column:
        drop = FunctionTransformer(lambda table: table.assign(g=0.0))
        model = make_pipeline(drop, model)
        test, groups = test.assign(g=groups), "g"
    found = report_on(model, test, groups=groups)
    assert [part["name"] for part in found.by_group] == names


# --- the baseline --------------------------------------------------------------


@pytest.mark.parametrize("given", [True, False], ids=["student", "default student"])
def test_fit_fits_the_same_student_on_the_true_labels(given):
    # The most rows with which a network trains as it is set.
    train = X_TRAIN[:199], Y_TRAIN[:199]
    model = distil(*train) if given else distil(*train, student=None)
    found = report_on(model, baseline="fit", train=train, random_state=0)
    # With the seeds that the distilled student had.
    expected = clone(model.student_).fit(*train).predict_proba(X_TEST)
    assert found.models["baseline"]["log_loss"] == pytest.approx(
        log_loss(Y_TEST, expected)
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("noise", [0.5, pytest.param(0.0, marks=pytest.mark.slow)])
def test_a_network_trains_as_long_as_validation_rows_ask_for(noise):
    """Long training memorises noise; early stopping ends while clean labels help.

    The baseline is not weaker than either, nor than the network as it is set.
    """
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(800, 6))
    wrong = rng.random(800) < noise / 2
    y = np.where((rows[:, 0] * rows[:, 1] > 0) ^ wrong, "high", "low")
    train = rows[:400], y[:400]
    student = MLPClassifier((64,), max_iter=300, tol=0, learning_rate_init=0.01)
    model = distil(*train, student=student, augmenter=None, temperature=1, alpha=1)
    found = report_on(model, rows[400:], y[400:], baseline="fit", train=train)
    # Without a transfer set its epochs are as many updates as those of the student.
    epochs = model.student_.n_iter_
    lengths = [
        {"early_stopping": True},
        {"max_iter": epochs, "n_iter_no_change": epochs},
        {},
    ]
    losses = []
    for params in lengths:
        direct = clone(model.student_).set_params(**params).fit(*train)
        losses.append(log_loss(y[400:], direct.predict_proba(rows[400:])))
    assert found.models["baseline"]["log_loss"] < 1.02 * min(losses)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("library", "name", "params"),
    [
        ("lightgbm", "LGBMClassifier", {"early_stopping_round": 3, "verbose": -1}),
        ("xgboost", "XGBClassifier", {"early_stopping_rounds": 3}),
    ],
)
def test_a_student_whose_own_fit_holds_no_rows_out_stops_early(library, name, params):
    kind = getattr(pytest.importorskip(library), name)
    student = kind(n_estimators=300, learning_rate=0.5, n_jobs=1, **params)
    y, test = np.searchsorted(NAMES, Y_TRAIN), np.searchsorted(NAMES, Y_TEST)
    model = distil(X_TRAIN, y, student=student)
    found = report_on(model, X_TEST, test, baseline="fit", train=(X_TRAIN, y))
    # All rounds memorise the labels.
    whole = student.set_params(**{key: None for key in params if "early" in key})
    proba = whole.fit(X_TRAIN, y).predict_proba(X_TEST)
    assert found.models["baseline"]["log_loss"] < 0.9 * log_loss(test, proba)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_network_learns_the_only_row_of_a_class():
    rows = np.random.default_rng(0).normal(size=(420, 6))
    y = np.where(rows[:, 0] > 0, "high", "low")
    # A row far from the others, which decides nothing about them.
    rows[0], y[0] = 5, "mid"
    train = rows[:320], y[:320]
    model = distil(*train, student=MLPClassifier((4,), learning_rate_init=0.05))
    found = report_on(model, rows[320:], y[320:], baseline="fit", train=train)
    assert found.descriptions["baseline"] == "MLPClassifier"
    assert found.models["baseline"]["accuracy"] > 0.8


@pytest.mark.parametrize("routes", [False, True])
def test_fit_takes_weights(routes):
    weight = np.where(X_TRAIN[:, 0] > 0, 5.0, 1.0)
    model = distil(student=make_pipeline(StandardScaler(), DecisionTreeClassifier()))
    with config_context(enable_metadata_routing=routes):
        found = report_on(model, baseline="fit", train=(X_TRAIN, Y_TRAIN, weight))
    direct = clone(model.student_)
    direct.fit(X_TRAIN, Y_TRAIN, decisiontreeclassifier__sample_weight=weight)
    assert found.models["baseline"]["accuracy"] == direct.score(X_TEST, Y_TEST)


def test_fit_seeds_a_baseline_that_nothing_else_does():
    model = distil(random_state=None, student=DecisionTreeClassifier(splitter="random"))
    given = {"baseline": "fit", "train": TRAIN}
    reports = [report_on(model, **given, random_state=seed) for seed in (0, 0, 1)]
    one, same, other = (found.models["baseline"]["log_loss"] for found in reports)
    assert one == same != other


@pytest.mark.slow
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
    model = distil(rows[:200], student=net, teacher=GaussianNB())
    found = report_on(model, rows[200:], baseline="fit", train=(rows[:200], Y_TRAIN))
    assert found.models["baseline"]["parameters"] == 6 * 3 + 3
    assert found.descriptions["baseline"] == "NeuralNetClassifier"


def test_a_fitted_baseline_may_have_missed_a_class(distilled):
    seen = Y_TRAIN != "mid"
    base = GaussianNB().fit(X_TRAIN[seen], Y_TRAIN[seen])
    found = report_on(distilled, baseline=base)
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
        (
            {"baseline": None, "train": (X_TRAIN, Y_TRAIN)},
            *(ValueError, "train with baseline=None. Leave out train"),
        ),
        (
            {"baseline": GaussianNB(), "train": (X_TRAIN, Y_TRAIN)},
            *(ValueError, r"train with baseline=GaussianNB\(\.\.\.\)"),
        ),
        ({"baseline": GaussianNB()}, NotFittedError, "baseline must be fitted"),
        (
            {"baseline": GaussianNB().fit(X_TRAIN, CODES[:200])},
            ValueError,
            "classes of the baseline must be among",
        ),
        ({"baseline": StandardScaler().fit(X)}, TypeError, "needs predict_proba"),
        ({"groups": "g"}, ValueError, "X has no column names"),
        ({"groups": [1, 2]}, ValueError, "one value for each of the 300 rows; got 2"),
        ({"groups": X_TEST[:, 0]}, ValueError, "at most 100 groups; got 300"),
        ({"n_bootstrap": 0}, ValueError, "n_bootstrap must be"),
        ({"sample_weight": -WEIGHT}, ValueError, "sample_weight must"),
        ({"teacher_proba": np.ones((300, 1))}, ValueError, "teacher_proba must have"),
        (
            {"teacher_proba": np.full((300, 2), 0.5)},
            ValueError,
            r"teacher_proba must have .* shape \(300, 3\), received \(300, 2\)",
        ),
        ({"teacher_proba": np.ones((3, 3))}, ValueError, "inconsistent numbers"),
    ],
)
def test_what_is_no_report(distilled, params, error, message):
    with pytest.raises(error, match=message):
        report_on(distilled, **params)


def test_rows_that_are_no_rows_of_this_estimator(distilled):
    with pytest.raises(ValueError, match=r"got \['huge'\] as well"):
        report_on(distilled, y=np.where(Y_TEST == "low", "huge", Y_TEST))
    with pytest.raises(TypeError, match="got GaussianNB without one"):
        report_on(GaussianNB().fit(X_TRAIN, Y_TRAIN))
    with pytest.raises(NotFittedError):
        report_on(DistilledClassifier())
    frame = pd.DataFrame(X_TEST, columns=list("abcdef"))
    with pytest.raises(ValueError, match=r"X has the columns \['a', 'b'"):
        report_on(distilled, frame, groups="g")


# --- the teacher, and where the student stands ---------------------------------


def test_stored_probabilities_stand_in_for_a_teacher():
    teacher = GaussianNB().fit(X_TRAIN, Y_TRAIN)
    model = DistilledClassifier(student=DecisionTreeClassifier(max_depth=3), **PLAIN)
    model.fit(X_TRAIN, Y_TRAIN, teacher_proba=teacher.predict_proba(X_TRAIN))
    with pytest.raises(ValueError, match="teacher_ is None"):
        report_on(model)
    found = report_on(model, teacher_proba=teacher.predict_proba(X_TEST))
    assert found.models["teacher"]["accuracy"] == teacher.score(X_TEST, Y_TEST)
    assert found.models["teacher"]["bytes"] is None
    ratios = "smaller", "faster_one_row", "faster_batch"
    assert found.ratios == dict.fromkeys(ratios)
    assert found.descriptions["teacher"] == "stored"
    assert "Student against teacher:" not in str(found)


def test_columns_of_stored_probabilities_are_named_whatever_rows_weigh(distilled):
    stored = pd.DataFrame(make_proba(Y_TEST, 0.9), columns=NAMES)
    weight = np.r_[0.0, np.ones(len(Y_TEST) - 1)]
    given = {"teacher_proba": stored[NAMES[::-1]], "sample_weight": weight}
    found = report_on(distilled, **given).models["teacher"]
    assert found["log_loss"] == pytest.approx(-np.log(0.9))


def test_stored_probabilities_go_before_those_of_the_teacher(distilled):
    sure = make_proba(Y_TEST, 0.9)
    given = sure.astype(np.float32)
    found = report_on(distilled, teacher_proba=given).models["teacher"]
    assert found["log_loss"] == pytest.approx(-np.log(0.9))
    stored = len(pickle.dumps(distilled.teacher_, pickle.HIGHEST_PROTOCOL))
    assert found["bytes"] == pytest.approx(stored, rel=0.01)


def test_a_pipeline_is_measured_as_a_whole():
    models = LogisticRegression(), DecisionTreeClassifier(max_depth=3)
    inner = DistilledClassifier(*models, random_state=0, **PLAIN)
    model = make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), inner))
    search = GridSearchCV(model, {}, cv=2).fit(X_TRAIN, Y_TRAIN)
    found = report_on(search, baseline="fit", train=TRAIN)
    outer, (middle, own) = search.best_estimator_
    scaled, rows = (middle.transform(outer.transform(X)) for X in (X_TRAIN, X_TEST))
    direct = clone(own.student_).fit(scaled, Y_TRAIN)
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
    model = distil(sparse.csr_array(X_TRAIN))
    found = report_on(model, sparse.csr_array(X_TEST), sample_weight=WEIGHT)
    dense = report_on(distil(), sample_weight=WEIGHT)
    assert found.models["student"]["log_loss"] == pytest.approx(
        dense.models["student"]["log_loss"]
    )


# --- costs ---------------------------------------------------------------------


class Recorder(FixedClassifier):
    """Notes the number of rows of each call."""

    def predict_proba(self, X):
        self.calls = [*getattr(self, "calls", []), len(X)]
        return super().predict_proba(X)


@pytest.mark.usefixtures("all_timed_calls")
def test_times_are_those_of_the_calls(monkeypatch):
    # Each reading of the clock is later than the one before by ever more.
    tick(monkeypatch, nanoseconds=10**9, step=10**6)
    model = distil()
    proba = make_proba(Y_TEST)
    model.student_, model.teacher_ = Recorder(proba), FixedClassifier(proba)
    found = report_on(model, np.arange(300)[:, None]).models["student"]

    # The last one asks for what an exported model would be compared with.
    assert model.student_.calls == [300, *[1] * 25, *[300] * 8, 300]
    # The clock is read 50 times for the teacher, and once before each loop.
    times = 10**9 + 10**6 * (52 + 2 * np.arange(20))
    assert found["latency_p50_us"] == pytest.approx(np.percentile(times, 50) / 1000)
    assert found["latency_p99_us"] == pytest.approx(np.percentile(times, 99) / 1000)
    assert found["timed_calls"] == 20
    batch = 10**9 + 10**6 * 96
    assert found["rows_per_second"] == pytest.approx(300 / (batch / 1e9))


@pytest.mark.usefixtures("all_timed_calls")
def test_batches_have_1000_rows_at_most():
    model = distil()
    model.student_ = Recorder(np.tile(make_proba(Y_TEST), (4, 1)))
    model.teacher_ = FixedClassifier(model.student_.proba)
    report_on(model, np.arange(1200)[:, None], np.tile(Y_TEST, 4))
    assert set(model.student_.calls) == {1200, 1, 1000, 500}


def test_the_student_as_onnx(distilled, monkeypatch):
    pytest.importorskip("onnxruntime")
    found = report_on(distilled)
    student, text = found.models["student"], str(found)
    content = to_onnx(distilled, X_TEST).SerializeToString()
    assert student["onnx_bytes"] == pytest.approx(len(content), rel=0.02)
    assert student["onnx_latency_p50_us"] <= student["onnx_latency_p99_us"]
    assert student["onnx_rows_per_second"] > 0
    assert student["onnx_error"] is None
    assert re.search(f"bytes as ONNX +{student['onnx_bytes']:,}\n", text)

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = report_on(distilled)
    assert found.models["student"]["onnx_bytes"] is None
    assert "skdistill[onnx]" in found.models["student"]["onnx_error"]
    assert "ONNX" not in str(found)


def test_a_size_that_is_not_known_is_warned_of(distilled):
    teacher = make_pipeline(FunctionTransformer(lambda rows: rows), GaussianNB())
    model = distil(teacher=teacher)
    found = report_on(model)
    assert found.models["teacher"]["bytes"] is None
    assert found.ratios["smaller"] is None
    assert "The teacher can't be pickled, so its size is unknown." in found.warnings


def test_a_student_that_costs_more_is_warned_of():
    forest = RandomForestClassifier(30, random_state=0)
    found = report_on(distil(teacher=GaussianNB(), student=forest))
    assert found.ratios["smaller"] < 1
    assert any("larger than the teacher" in line for line in found.warnings)


def count_parameters(model):
    """The report's figure of a model that was fitted on codes."""
    model = report_on(distil_codes(), y=CODES[200:], baseline=model, n_bootstrap=1)
    return model.models["baseline"]["parameters"]


@functools.cache
def distil_codes():
    return distil(y=CODES[:200])


def test_parameters():
    mlp = MLPClassifier((4, 3), max_iter=5).fit(X[:50], CODES[:50])
    n_mlp = (6 * 4 + 4) + (4 * 3 + 3) + (3 * 3 + 3)
    line = LogisticRegression().fit(X, CODES)
    tree = DecisionTreeClassifier(max_depth=1).fit(X, CODES)
    assert count_parameters(mlp) == n_mlp
    assert count_parameters(make_pipeline(StandardScaler(), mlp).fit(X, CODES)) == n_mlp
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
    assert count_parameters(distil(y=CODES[:200], student=model)) == 4 * 3 * 3

    class Own(lightgbm.LGBMClassifier):
        """A class of the user's own."""

    own = Own(n_estimators=4, num_leaves=2, verbose=-1)
    assert count_parameters(own.fit(X, CODES)) == 4 * 3 * 3
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBClassifier(n_estimators=4, max_depth=1, n_jobs=1)
    assert count_parameters(model.fit(X, CODES)) == 4 * 3 * 3
    found = GridSearchCV(DecisionTreeClassifier(max_depth=1), {}, cv=2).fit(X, CODES)
    assert count_parameters(found) == 7


@pytest.mark.parametrize(
    ("seen", "cv", "alpha", "warned"),
    [
        (1.0, None, 1.0, True),
        (0.82, None, 1.0, False),
        (1.0, 5, 1.0, False),
        (1.0, None, 0.0, False),
    ],
)
def test_the_memorization(seen, cv, alpha, warned):
    model = distil()
    model.cv, model.alpha_ = cv, alpha
    model.memorization_ = {"accuracy_in_sample": seen, "accuracy_out_of_fold": 0.8}
    model.memorization_ |= {"entropy_in_sample": 0.05, "entropy_out_of_fold": 0.5}
    found = report_on(model)
    assert found.memorization == model.memorization_
    assert found.memorization is not model.memorization_
    assert any("memorised" in line for line in found.warnings) is warned
    assert "entropy 0.050 nats" in str(found)


@pytest.mark.parametrize("augmenter", [None, Munge()])
def test_the_candidate_is_what_the_student_learned(augmenter):
    model = distil(augmenter=augmenter, alpha=0.5)
    found = report_on(model)
    name = None if augmenter is None else "Munge"
    assert found.candidate == {
        **{"temperature": model.temperature_, "alpha": 0.5, "augmenter": name},
        "calibration": model.calibration_,
    }
    assert f"alpha 0.5, synthetic rows: {name or 'none'}." in str(found)
    assert found.labels_asked == model.labels_asked_
    assert f"asked for: training {len(X_TRAIN):,}" in " ".join(str(found).split())


def test_pilots_and_calibration_are_shown():
    model = distil(X, Y, alpha=1.0, augmenter="auto", calibrate="auto")
    assert len(model.pilots_) == 4
    text = " ".join(str(report_on(model)).split())
    for pilot in model.pilots_:
        assert f"{pilot['log_loss']:.4f}" in text
    (chosen,) = (pilot for pilot in model.pilots_ if pilot["chosen"])
    assert f"log loss that the pilot forecast is {chosen['log_loss']:.4f}" in text
    assert text.count("chosen") == 1
    assert f"calibrated probabilities (temperature {model.calibration_:.3g})" in text
