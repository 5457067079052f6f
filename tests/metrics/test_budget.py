"""The best candidate inside the budget: made-up results, and a real search."""

import pickle

import numpy as np
import pytest
from _clock import hurry
from _core import PLAIN
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill.metrics import latency_scorer, size_scorer, within_budget

X, Y = make_classification(n_samples=120, n_features=6, random_state=0)


def _make_results(loss, latency=None, size=None):
    """As a search stores them: costs with their minus."""
    results = {
        "params": [{"max_depth": k} for k in range(len(loss))],
        "mean_test_neg_log_loss": np.array(loss),
    }
    if latency is not None:
        results["mean_test_latency"] = -np.array(latency)
    if size is not None:
        results["mean_test_bytes"] = -np.array(size)
    return results


# --- the choice ----------------------------------------------------------------

LOSS, LATENCY, SIZE = [-0.5, -0.4, -0.3, -0.2], [10, 60, 40, 90], [10, 20, 90, 80]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_latency_us": 1000}, 3),
        ({"max_latency_us": 60}, 2),
        ({"max_bytes": 80}, 3),
        ({"max_bytes": 79}, 1),
        # A limit itself is inside.
        ({"max_latency_us": 40, "max_bytes": 90}, 2),
        ({"max_latency_us": 40, "max_bytes": 89}, 0),
        ({"max_latency_us": 60, "max_bytes": 80}, 1),
    ],
)
def test_best_score_inside_the_limits(limits, expected):
    chosen = within_budget(**limits)(_make_results(LOSS, LATENCY, SIZE))
    assert chosen == expected
    assert isinstance(chosen, int)


def test_agrees_with_a_search_by_hand():
    rng = np.random.default_rng(0)
    for _ in range(200):
        loss, latency, size = rng.integers(-9, -1, 6), rng.random(6), rng.random(6)
        inside = [
            (-loss[k], k) for k in range(6) if latency[k] <= 0.7 and size[k] <= 0.7
        ]
        refit = within_budget(max_latency_us=0.7, max_bytes=0.7)
        results = _make_results(loss, latency, size)
        if inside:
            assert refit(results) == min(inside)[1]
        else:
            with pytest.raises(ValueError, match="No candidate of 6"):
                refit(results)


def test_a_score_of_minus_infinity_is_still_inside():
    results = _make_results([-0.1, -np.inf], [90, 10])
    assert within_budget(max_latency_us=50)(results) == 1


def test_other_keys():
    results = {
        "params": [{}, {}],
        "mean_test_score": [0.9, 0.8],
        "mean_test_p99": [-70.0, -30.0],
        "mean_test_size": [-1.0, -1.0],
    }
    refit = within_budget("score", 50, 10, latency_key="p99", bytes_key="size")
    assert refit(results) == 1


# --- nothing to choose ---------------------------------------------------------


def test_none_inside_shows_the_nearest_first():
    results = _make_results(
        [-0.5, -0.4, -0.3, -0.2, -0.1],
        [120, 55, 75, 20_000, 10],
        [100, 100, 150_000, 10, 2_000_000],
    )
    with pytest.raises(ValueError, match="No candidate of 5") as caught:
        within_budget(max_latency_us=50, max_bytes=100_000)(results)

    lines = str(caught.value).splitlines()
    assert "50 microseconds a row and 100,000 bytes" in lines[0]
    # 1.1, 1.5 (in both) and 2.4 times the limit.
    assert [line.split()[1] for line in lines[1:-1]] == ["1:", "2:", "0:"]
    assert lines[2].strip() == (
        "candidate 2: 75 microseconds a row, 150,000 bytes, neg_log_loss -0.3; "
        "{'max_depth': 2}"
    )
    assert "Raise the limits" in lines[-1]


@pytest.mark.parametrize(
    ("cost", "written"), [(999, "999"), (1000, "1,000"), (1.2345, "1.23"), (0.5, "0.5")]
)
def test_costs_are_written_without_powers_of_ten(cost, written):
    with pytest.raises(ValueError, match=f"budget of {written} bytes"):
        within_budget(max_bytes=cost)(_make_results([-0.5], size=[2000]))


def test_none_inside_shortens_long_parameters():
    results = _make_results([-0.5], size=[100])
    results["params"] = [{"student": [make_pipeline(StandardScaler())] * 20}]
    with pytest.raises(ValueError, match="No candidate") as caught:
        within_budget(max_bytes=1)(results)

    assert max(map(len, str(caught.value).splitlines())) < 180


def test_missing_keys_name_the_fix():
    with pytest.raises(ValueError, match=r"\['latency'\] not among .*'neg_log_loss'"):
        within_budget(max_latency_us=50)(_make_results([-0.5]))
    with pytest.raises(ValueError, match=r"'bytes': size_scorer\(\)"):
        within_budget("roc_auc", max_bytes=50)(_make_results([-0.5], size=[10]))


def test_a_cost_without_its_minus_is_refused():
    with pytest.raises(ValueError, match=r"scored with a minus.*'latency' with 30"):
        within_budget(max_latency_us=50)(_make_results([-0.5, -0.4], [10, -30]))


def test_nan_is_left_out_with_a_reason():
    results = _make_results([-0.5, np.nan, -0.3], [10, 10, np.nan])
    with pytest.warns(UserWarning, match="2 of 3 candidates have a NaN") as caught:
        assert within_budget(max_latency_us=50)(results) == 0

    message = str(caught[0].message)
    assert "candidate 1: ['neg_log_loss']; {'max_depth': 1}" in message
    assert "candidate 2: ['latency']; {'max_depth': 2}" in message
    assert "more" not in message


def test_many_nan_are_counted():
    results = _make_results([np.nan] * 6 + [-0.1], [1] * 7)
    with pytest.warns(UserWarning, match="and 3 more"):
        assert within_budget(max_latency_us=50)(results) == 6


def test_a_nan_is_not_shown_as_nearest():
    results = _make_results([np.nan, -0.3], [10, 90])
    with (
        pytest.warns(UserWarning, match="candidate 0"),
        pytest.raises(ValueError, match="No candidate of 2") as caught,
    ):
        within_budget(max_latency_us=50)(results)
    assert "candidate 0" not in str(caught.value)


def test_only_nan_is_an_error():
    with pytest.raises(ValueError, match="error_score='raise'"):
        within_budget(max_latency_us=50)(_make_results([np.nan], [10]))


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({}, ValueError, "refit='neg_log_loss'"),
        ({"max_bytes": 0}, ValueError, "max_bytes must be above 0; got 0"),
        ({"max_latency_us": -50}, ValueError, "above 0; got -50"),
        ({"max_latency_us": float("nan")}, ValueError, "got nan"),
        ({"max_bytes": "64k"}, TypeError, "number; got '64k'"),
        ({"score": "bytes", "max_bytes": 9}, ValueError, "three different keys"),
    ],
)
def test_refuses_bad_limits_before_the_search(params, error, message):
    with pytest.raises(error, match=message):
        within_budget(**params)


# --- a real search -------------------------------------------------------------


@pytest.fixture
def hurried(monkeypatch):
    hurry(monkeypatch)


def _make_search(refit, teacher=None):
    distilled = DistilledClassifier(
        RandomForestClassifier(10, random_state=0) if teacher is None else teacher,
        DecisionTreeClassifier(random_state=0),
        random_state=0,
        **PLAIN,
    )
    scoring = {
        "neg_log_loss": "neg_log_loss",
        "latency": latency_scorer(),
        "bytes": size_scorer(),
    }
    grid = {"student__max_leaf_nodes": [2, 4, 30]}
    return GridSearchCV(distilled, grid, scoring=scoring, refit=refit, cv=2)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("teacher", [None, LogisticRegression()])
def test_search_refits_the_best_inside(teacher):
    free = _make_search(False, teacher).fit(X, Y).cv_results_
    sizes, losses = -free["mean_test_bytes"], free["mean_test_neg_log_loss"]
    limit = float(sizes[1])
    expected = max((k for k in range(3) if sizes[k] <= limit), key=losses.__getitem__)

    search = _make_search(within_budget(max_bytes=limit, max_latency_us=1e9), teacher)
    search.fit(X, Y)

    assert sizes[2] > limit  # the budget leaves something out
    assert search.best_index_ == expected
    assert search.best_estimator_.student_.get_n_leaves() <= 4
    assert search.predict(X).shape == Y.shape


@pytest.mark.usefixtures("hurried")
def test_search_with_nothing_inside_raises():
    with pytest.raises(ValueError, match="'student__max_leaf_nodes': 2"):
        _make_search(within_budget(max_bytes=10)).fit(X, Y)


@pytest.mark.usefixtures("hurried")
def test_search_can_be_cloned():
    search = clone(_make_search(within_budget(max_bytes=1e9))).fit(X, Y)
    losses = search.cv_results_["mean_test_neg_log_loss"]
    assert search.best_index_ == np.argmax(losses)


def test_is_a_value():
    refit = within_budget("roc_auc", 50, 1000)
    assert pickle.loads(pickle.dumps(refit)) == refit
