"""What a model costs to serve, as scikit-learn's searches ask for it."""

import pickle
import sys
import time

import numpy as np
import pandas as pd
import pytest
import sklearn
from _clock import hurry, tick
from _core import PLAIN
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill.export import OnnxClassifier, slim, to_onnx
from skdistill.metrics import latency_scorer, size_scorer

X, Y = make_classification(n_samples=120, n_features=6, random_state=0)


@pytest.fixture(autouse=True)
def _hurry(request, monkeypatch, all_timed_calls):
    """The fewest calls that a percentile allows, where times do not matter."""
    if "real_time" not in request.fixturenames:
        hurry(monkeypatch)


@pytest.fixture
def real_time():
    """Leave the clock alone."""


class Sleeper(ClassifierMixin, BaseEstimator):
    """Takes a known time for a call, and remembers what it was called with."""

    def __init__(self, seconds=0.0, slow_every=None):
        self.seconds = seconds
        self.slow_every = slow_every

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.calls_ = []
        return self

    def predict_proba(self, X):
        self.calls_.append(X)
        slow = self.slow_every and len(self.calls_) % self.slow_every == 0
        end = time.perf_counter() + self.seconds * (20 if slow else 1)
        while time.perf_counter() < end:
            pass
        return np.full((len(X), 2), 0.5)


class Noting(Sleeper):
    """Answers nothing, so that a call takes what the clock says."""

    def predict_proba(self, X):
        self.calls_.append(X)


def _make_distilled(student=None):
    return DistilledClassifier(
        RandomForestClassifier(20, random_state=0),
        DecisionTreeClassifier(max_depth=2) if student is None else student,
        random_state=0,
        **PLAIN,
    )


def _count_bytes(model):
    return len(pickle.dumps(model, protocol=pickle.HIGHEST_PROTOCOL))


# --- latency -------------------------------------------------------------------


@pytest.mark.usefixtures("real_time")
def test_latency_is_minus_microseconds_a_row():
    sleeper = Sleeper(seconds=0.002).fit(X, Y)

    # A busy machine can only add to the time.
    assert -20_000 < latency_scorer()(sleeper, X, Y) <= -2000
    assert -2_000 < latency_scorer(batch_size=10)(sleeper, X, Y) <= -200


@pytest.mark.usefixtures("real_time")
def test_latency_takes_the_percentile_of_the_calls():
    # One call in ten takes 20 ms instead of 1 ms.
    sleeper = Sleeper(seconds=0.001, slow_every=10).fit(X, Y)
    median, slow = latency_scorer()(sleeper, X), latency_scorer(95)(sleeper, X)

    assert slow <= -20_000
    assert median > -20_000


@pytest.mark.parametrize("percentile", [0, 50, 90, 98])
def test_latency_equals_the_percentile_of_the_clock(monkeypatch, percentile):
    """One reading is later than the one before by ever more: 1 us, 2 us, ..."""
    tick(monkeypatch, nanoseconds=2_000_000, step=1000)
    noting = Noting().fit(X, Y)
    latency = -latency_scorer(percentile)(noting, X[:1])

    n_calls = len(noting.calls_) - 5
    # The second of the readings around each call.
    times = 2000 + np.arange(3, 2 * n_calls + 3, 2) - 1
    assert latency == pytest.approx(np.percentile(times, percentile))


@pytest.mark.parametrize(
    ("percentile", "nanoseconds", "n_calls"),
    [(50, 10**9, 20), (99, 10**9, 100), (99.5, 10**9, 200), (50, 1, 1000)],
)
def test_latency_makes_calls_enough_for_its_percentile_and_not_too_many(
    monkeypatch, percentile, nanoseconds, n_calls
):
    tick(monkeypatch, nanoseconds=nanoseconds)
    noting = Noting().fit(X, Y)
    latency_scorer(percentile)(noting, X)

    # Five calls to warm up.
    assert len(noting.calls_) == n_calls + 5


def test_latency_takes_different_rows_in_turn():
    sleeper = Sleeper(seconds=0.001).fit(X, Y)
    latency_scorer(batch_size=50)(sleeper, X)
    warm_up, calls = sleeper.calls_[:5], sleeper.calls_[5:]

    assert {len(call) for call in warm_up + calls} == {50}
    np.testing.assert_array_equal(calls[0], X[:50])
    np.testing.assert_array_equal(calls[1], X[50:100])
    # After the last row comes the first.
    np.testing.assert_array_equal(calls[2], np.r_[X[100:], X[:30]])
    np.testing.assert_array_equal(calls[3], X[:50])


@pytest.mark.parametrize(
    "convert",
    [np.asarray, pd.DataFrame, sparse.csr_matrix, lambda rows: rows.tolist()],
    ids=["array", "frame", "sparse", "list"],
)
def test_latency_keeps_the_container(convert):
    given = convert(X)
    model = LogisticRegression().fit(given, Y)
    sleeper = Sleeper().fit(given, Y)
    sleeper.predict_proba = lambda rows: (sleeper.calls_.append(rows), model)[0]
    latency_scorer(batch_size=3)(sleeper, given)

    assert {type(call) for call in sleeper.calls_} == {type(given)}
    assert latency_scorer()(model, given) < 0


def test_latency_is_that_of_the_student():
    student = Sleeper(seconds=0.001)
    distilled = _make_distilled().fit(X, Y)
    distilled.student_ = student.fit(X, Y)
    latency_scorer()(distilled, X)

    assert len(student.calls_) > 5


@pytest.mark.parametrize("model", [LinearSVC(), LinearRegression()])
def test_latency_of_what_only_predicts(model):
    assert latency_scorer()(model.fit(X, Y), X, Y) < 0


def test_latency_needs_a_prediction_and_rows():
    with pytest.raises(TypeError, match=r"predict_proba or predict.*StandardScaler"):
        latency_scorer()(StandardScaler().fit(X), X)
    with pytest.raises(ValueError, match="at least one row"):
        latency_scorer()(LogisticRegression().fit(X, Y), X[:0])


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"percentile": 100}, ValueError, r"\[0, 100\); got 100"),
        ({"percentile": -1}, ValueError, r"\[0, 100\); got -1"),
        ({"percentile": float("nan")}, ValueError, "got nan"),
        ({"percentile": "median"}, TypeError, "percentile='median'"),
        ({"batch_size": 0}, ValueError, "at least 1; got 0"),
        ({"batch_size": 1.5}, TypeError, "batch_size=1.5"),
    ],
)
def test_latency_refuses_bad_parameters_at_once(params, error, message):
    with pytest.raises(error, match=message):
        latency_scorer(**params)


# --- size ----------------------------------------------------------------------


#: Models, and what is deployed of each.
SIZED = {
    "model": (LogisticRegression(), lambda model: model),
    "frozen": (FrozenEstimator(LogisticRegression().fit(X, Y)), lambda frozen: frozen),
    "student": (_make_distilled(), lambda distilled: distilled.student_),
    "student that is a pipeline": (
        _make_distilled(make_pipeline(StandardScaler(), LogisticRegression())),
        lambda distilled: distilled.student_,
    ),
    "inside a pipeline": (
        Pipeline([("scale", StandardScaler()), ("model", _make_distilled())]),
        lambda pipeline: Pipeline(
            [("scale", pipeline[0]), ("model", pipeline[1].student_)]
        ),
    ),
    "search": (
        GridSearchCV(_make_distilled(), {"alpha": [0.5, 1.0]}, cv=2),
        lambda search: search.best_estimator_.student_,
    ),
}


@pytest.mark.parametrize("name", SIZED)
def test_size_is_minus_the_bytes_of_the_pickle_of_what_is_deployed(name):
    model, find_deployed = SIZED[name]
    model.fit(X, Y)
    expected = -_count_bytes(find_deployed(model))
    assert size_scorer()(model, X, Y) == size_scorer()(model) == expected


def test_size_of_what_cant_be_pickled_says_so():
    sleeper = Sleeper().fit(X, Y)
    sleeper.function = lambda: None
    with pytest.raises(TypeError, match=r"part of this Sleeper can't be pickled"):
        size_scorer()(sleeper)


# --- deployments ---------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    model = make_pipeline(StandardScaler(), MLPClassifier((32, 16), max_iter=30))
    return model.fit(X, Y)


def test_size_by_joblib_is_that_of_the_slim_object(network):
    size = -size_scorer()(network)
    # But for names that the pickle of what was loaded writes twice.
    assert size == pytest.approx(_count_bytes(slim(network)), rel=0.01)
    # The moments of the optimiser are twice as many numbers as the weights.
    assert size < 0.6 * _count_bytes(network)


@pytest.mark.parametrize("names", [None, list("abcdef")])
def test_costs_as_onnx(monkeypatch, network, names):
    pytest.importorskip("onnxruntime")
    rows = X if names is None else pd.DataFrame(X, columns=names)
    model = clone(network).fit(rows, Y)
    expected = len(to_onnx(model, rows).SerializeToString())
    assert -size_scorer(deployment="onnx")(model, rows) == expected

    served = []
    predict = OnnxClassifier.predict_proba
    monkeypatch.setattr(
        OnnxClassifier,
        "predict_proba",
        lambda self, rows: served.append(rows) or predict(self, rows),
    )
    assert latency_scorer(batch_size=2, deployment="onnx")(model, rows) < 0
    # As a service has them.
    assert {type(batch) for batch in served} == {np.ndarray if names is None else dict}
    assert len(served[0]) == (2 if names is None else 6)


def test_onnx_takes_rows_that_are_sparse():
    pytest.importorskip("onnxruntime")
    rows = sparse.csr_array(X)
    model = LogisticRegression().fit(rows, Y)
    assert latency_scorer(deployment="onnx")(model, rows) < 0
    assert size_scorer(deployment="onnx")(model, rows) < 0


@pytest.mark.parametrize("make", [latency_scorer, size_scorer])
def test_deployments_that_are_refused(make, network, monkeypatch):
    with pytest.raises(ValueError, match=r"\['joblib', 'onnx'\]; got 'pickle'"):
        make(deployment="pickle")
    with pytest.raises(ValueError, match="got none"):
        make(deployment="onnx")(network, None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r'pip install "skdistill\[onnx\]"'):
        make(deployment="onnx")(network, X)


# --- in scikit-learn -----------------------------------------------------------

SCORING = {"loss": "neg_log_loss", "latency": latency_scorer(), "bytes": size_scorer()}


@pytest.fixture(params=[False, True], ids=["plain", "routing"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


def test_scorers_in_cross_validate(routing):
    scores = cross_validate(
        _make_distilled(), X, Y, scoring=SCORING, cv=2, return_estimator=True
    )

    sizes = [-_count_bytes(model.student_) for model in scores["estimator"]]
    assert scores["test_bytes"].tolist() == sizes
    assert (scores["test_latency"] < 0).all()
    assert np.isfinite(scores["test_loss"]).all()


@pytest.mark.parametrize("scorer", [latency_scorer(), size_scorer()])
def test_scorers_alone(routing, scorer):
    scores = cross_validate(_make_distilled(), X, Y, scoring=scorer, cv=2)
    assert (scores["test_score"] < 0).all()


@pytest.mark.slow
def test_scorers_in_a_parallel_search():
    grid = {"student__max_depth": [1, 5]}
    search = GridSearchCV(
        _make_distilled(), grid, scoring=SCORING, refit="bytes", cv=2, n_jobs=2
    ).fit(X, Y)

    assert search.best_params_ == {"student__max_depth": 1}
    assert (search.cv_results_["mean_test_latency"] < 0).all()


@pytest.mark.filterwarnings("error")
def test_weights_of_a_search_pass_the_costs_without_a_warning(routing):
    weight = np.random.default_rng(0).uniform(0.5, 1.0, size=len(Y))
    tree = DecisionTreeClassifier(random_state=0)
    if routing:
        tree.set_fit_request(sample_weight=True)
    scoring = {"latency": latency_scorer(), "bytes": size_scorer()}
    search = GridSearchCV(
        tree, {"max_depth": [1, 3]}, scoring=scoring, refit="bytes", cv=2
    ).fit(X, Y, sample_weight=weight)

    assert search.best_params_ == {"max_depth": 1}


@pytest.mark.parametrize("scorer", [latency_scorer(99, 10), size_scorer()])
def test_scorers_are_values(scorer):
    assert pickle.loads(pickle.dumps(scorer)) == scorer
    assert clone(scorer, safe=False) == scorer
    assert eval(repr(scorer)) == scorer


def test_a_search_that_kept_no_best_serves_nothing():
    search = GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1]}, refit=False)
    with pytest.raises(TypeError, match="refit=True"):
        size_scorer()(search.fit(X, Y))
