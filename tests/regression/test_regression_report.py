"""The report on values, what is deployed of a regressor, and its costs."""

import json
import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from _values import ALONE, make_values
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import (
    mean_absolute_error,
    mean_pinball_loss,
    r2_score,
    root_mean_squared_error,
)
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skdistill import DistilledClassifier, DistilledRegressor, FunctionRegressor
from skdistill.export import slim
from skdistill.inspection import distillation_report, regression_report
from skdistill.metrics import latency_scorer, size_scorer, within_budget

X, Y = make_values(400)
TRAIN, TEST = (X[:250], Y[:250]), (X[250:], Y[250:])
WEIGHT = np.random.default_rng(0).integers(0, 3, 150).astype(float)
GROUPS = np.where(TEST[0][:, 0] > 0.5, "high", "low")


@pytest.fixture(scope="module")
def distilled():
    student = DecisionTreeRegressor(max_depth=4, random_state=0)
    est = DistilledRegressor(
        ExtraTreesRegressor(20), student, augmenter="munge", random_state=0
    )
    return est.set_params(alpha=1.0).fit(*TRAIN)


@pytest.fixture(scope="module")
def report(distilled):
    return regression_report(
        distilled,
        *TEST,
        sample_weight=WEIGHT,
        groups=GROUPS,
        baseline="fit",
        train=TRAIN,
        n_bootstrap=200,
        random_state=0,
    )


def test_figures_are_those_of_scikit_learn(distilled, report):
    rows, y = TEST
    tree = DecisionTreeRegressor(max_depth=4, random_state=0)
    models = {
        "teacher": distilled.teacher_,
        "baseline": tree.fit(*TRAIN),
        "student": distilled.student_,
    }
    assert list(report.models) == list(models)
    assert report.n_rows == np.count_nonzero(WEIGHT)
    said = distilled.teacher_.predict(rows)
    for name, model in models.items():
        served, found = model.predict(rows), report.models[name]
        given = {"sample_weight": WEIGHT}
        assert found["r2"] == pytest.approx(r2_score(y, served, **given))
        rmse = root_mean_squared_error(y, served, **given)
        assert found["rmse"] == pytest.approx(rmse)
        assert found["mae"] == pytest.approx(mean_absolute_error(y, served, **given))
        near = root_mean_squared_error(said, served, **given)
        assert found["rmse_to_teacher"] == pytest.approx(near)
    rmse = {name: figures["rmse"] for name, figures in report.models.items()}
    share = (rmse["baseline"] - rmse["student"]) / (rmse["baseline"] - rmse["teacher"])
    assert report.share_recovered["rmse"]["share"] == pytest.approx(share)
    gain = report.against_baseline["rmse"]
    assert gain["gain"] == pytest.approx(rmse["baseline"] - rmse["student"])
    assert gain["low"] < gain["gain"] < gain["high"]


def test_groups_and_costs(distilled, report):
    rows, y = TEST
    assert [part["name"] for part in report.by_group] == ["high", "low"]
    high = GROUPS == "high"
    rmse = root_mean_squared_error(
        y[high], distilled.predict(rows)[high], sample_weight=WEIGHT[high]
    )
    assert report.by_group[0]["student"]["rmse"] == pytest.approx(rmse)
    size = len(pickle.dumps(slim(distilled), protocol=5))
    assert report.models["student"]["bytes"] == pytest.approx(size, abs=100)
    assert report.ratios["smaller"] > 5


def test_the_text_and_the_json(report):
    text = str(report)
    assert "Distillation report on" in text
    assert "RMSE by group" in text
    assert max(map(len, text.split("\n"))) <= 100
    assert json.loads(report.to_json())["n_rows"] == report.n_rows


def test_stored_values_and_a_fitted_baseline():
    est = DistilledRegressor(student=Ridge(), **ALONE)
    est.fit(*TRAIN, teacher_prediction=TRAIN[1])
    with pytest.raises(ValueError, match="Pass teacher_prediction="):
        regression_report(est, *TEST)
    base = LinearRegression().fit(*TRAIN)
    found = regression_report(
        *(est, *TEST), teacher_prediction=TEST[1], baseline=base, n_bootstrap=50
    )
    assert found.models["teacher"]["rmse"] == 0
    assert found.models["teacher"]["bytes"] is None
    assert any("right on every row" in line for line in found.warnings)


def test_a_network_is_compared_with_the_better_of_two_lengths():
    student = make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(8,), max_iter=150)
    )
    student.set_params(mlpregressor__learning_rate_init=0.02)
    est = DistilledRegressor(Ridge(), student, random_state=0, **ALONE).fit(*TRAIN)
    found = regression_report(
        *(est, *TEST), baseline="fit", train=TRAIN, n_bootstrap=50, random_state=0
    )
    # Standardised as the distilled one: better than the mean by far.
    assert found.models["baseline"]["r2"] > 0.3


def test_what_is_no_regressor_of_one_output_is_refused(distilled):
    labels = (Y.mean() < Y).astype(int)
    parts = LogisticRegression(), LogisticRegression()
    classifier = DistilledClassifier(*parts, augmenter=None).fit(X, labels)
    with pytest.raises(TypeError, match="needs a fitted DistilledRegressor"):
        regression_report(classifier, X, labels)
    with pytest.raises(TypeError, match="Use regression_report"):
        distillation_report(distilled, *TEST)
    both = np.column_stack([Y, Y])
    pair = DistilledRegressor(Ridge(), Ridge(), **ALONE).fit(X, both)
    with pytest.raises(ValueError, match="is of one output; got a student of 2"):
        regression_report(pair, X, Y)


def test_slim_regressors_serve_the_same_without_this_package(distilled):
    frame = pd.DataFrame(X, columns=list("abcde"))
    network = DistilledRegressor(Ridge(), random_state=0, pilot=0).fit(frame, Y)
    for est, rows in ((distilled, X), (network, frame)):
        slimmed = slim(est)
        assert type(slimmed).__module__.startswith("sklearn")
        np.testing.assert_array_equal(slimmed.predict(rows), est.predict(rows))
    search = GridSearchCV(clone(distilled), {"alpha": [0.5, 1.0]}, cv=2).fit(*TRAIN)
    assert type(slim(search)) is DecisionTreeRegressor
    assert len(pickle.dumps(slim(network))) < len(pickle.dumps(network.student_))


def test_costs_score_and_bound_regressors(distilled):
    assert latency_scorer()(distilled, X) < 0
    assert latency_scorer(deployment="onnx")(distilled, X.astype(np.float32)) < 0
    size = len(pickle.dumps(slim(distilled), protocol=5))
    assert size_scorer()(distilled, X) == pytest.approx(-size, abs=100)
    search = GridSearchCV(
        clone(distilled),
        {"student__max_depth": [2, 8]},
        scoring={"r2": "r2", "bytes": size_scorer()},
        refit=within_budget(score="r2", max_bytes=4000),
        cv=2,
    )
    assert search.fit(*TRAIN).best_params_ == {"student__max_depth": 2}


# Quantiles ---------------------------------------------------------------------------

LEVELS = (0.1, 0.5, 0.9)


@pytest.fixture(scope="module")
def of_quantiles():
    def ask(rows):
        return 10 * rows[:, 3:4] + np.array([5.0, 8, 12])

    student = DecisionTreeRegressor(max_depth=4, random_state=0)
    est = DistilledRegressor(
        FunctionRegressor(ask), student, quantiles=LEVELS, pilot=0, random_state=0
    )
    return est.fit(*TRAIN)


def test_figures_of_quantiles(of_quantiles):
    rows, y = TEST
    report = regression_report(
        of_quantiles, rows, y, sample_weight=WEIGHT, groups=GROUPS, n_bootstrap=50
    )
    served = {
        "teacher": of_quantiles.teacher_.predict(rows),
        "student": of_quantiles.predict(rows),
    }
    for name, values in served.items():
        figures = report.models[name]
        losses = [
            mean_pinball_loss(y, column, alpha=q, sample_weight=WEIGHT)
            for column, q in zip(values.T, LEVELS, strict=True)
        ]
        assert figures["pinball"] == pytest.approx(np.mean(losses))
        below = np.average(y[:, None] <= values, axis=0, weights=WEIGHT)
        inside = (values[:, 0] < y) & (y <= values[:, 2])
        assert figures["inside"] == pytest.approx(np.average(inside, weights=WEIGHT))
        for q, loss, share in zip(LEVELS, losses, below, strict=True):
            assert figures[f"pinball_{q}"] == pytest.approx(loss)
            assert figures[f"below_{q}"] == pytest.approx(share)
    teacher, student = (report.models[name]["pinball"] for name in served)
    gain = report.against_teacher["pinball"]["gain"]
    assert gain == pytest.approx(teacher - student)
    assert json.loads(report.to_json())["quantiles"] == list(LEVELS)
    text = str(report)
    assert "share of rows in 0.1 to 0.9" in text
    assert "Student's pinball loss against the teacher's" in text
    # Values that were moved are covered as never before.
    moved = regression_report(of_quantiles, rows, y + 3, n_bootstrap=20)
    assert any("quantile 0.9 has" in warning for warning in moved.warnings)


def test_baseline_of_quantiles_is_never_fitted(of_quantiles):
    with pytest.raises(ValueError, match="A student of true values has no quantiles"):
        regression_report(of_quantiles, *TEST, baseline="fit", train=TRAIN)


def recall(rows, values):
    """A regressor that has an answer for each of these rows."""
    known = {row.tobytes(): value for row, value in zip(rows, values, strict=True)}
    return FunctionRegressor(
        lambda X: np.array([known[row.tobytes()] for row in np.ascontiguousarray(X)])
    )


@pytest.mark.parametrize("behind", [1.005, 1.05])
def test_a_share_of_a_tiny_advantage_is_none(distilled, behind):
    """Beyond chance, for each row is worse; but half a percent is no advantage."""
    rows, y = TEST
    error = np.random.default_rng(0).normal(size=len(y)) * y.std()
    baseline = recall(rows, y + behind * error)
    found = regression_report(
        distilled, rows, y, teacher_prediction=y + error, baseline=baseline
    )
    share = found.share_recovered["rmse"]
    assert share["advantage_low"] > 0
    assert (share["share"] is None) == (behind == 1.005)
    said = "within chance" in str(found), "below 1% of the baseline's" in str(found)
    assert said == (False, behind == 1.005)


@pytest.mark.parametrize("n_rows", [2, 29])
def test_few_rows_of_values_harm_nothing(distilled, n_rows):
    rows, y = TEST[0][:n_rows], TEST[1][:n_rows]
    found = regression_report(distilled, rows, y, baseline=recall(rows, y))
    assert found.against_baseline["rmse"]["gain"] < 0
    (warning,) = found.warnings
    assert warning.startswith(f"There are only {n_rows} rows: with fewer than 30 any")
    text = " ".join(str(found).split())
    assert "fewer than 30 rows tell nothing of the advantage" in text
    assert "inf" not in text


def test_a_student_that_is_behind_its_teacher_is_named(distilled):
    """Beyond chance: the interval of the difference does not reach 0."""
    compare = partial(regression_report, distilled, *TEST, random_state=0)
    served = distilled.predict(TEST[0])
    found = compare(teacher_prediction=TEST[1])
    gain = found.against_teacher["rmse"]
    error = root_mean_squared_error(TEST[1], served)
    assert gain["gain"] == pytest.approx(-error)
    (line,) = [line for line in found.warnings if "behind the teacher" in line]
    assert line.startswith(
        f"The student is behind the teacher beyond chance: RMSE by {error:.4g} (95% "
        f"interval {-gain['high']:.4g} to {-gain['low']:.4g}) and MAE by "
    )
    same = compare(teacher_prediction=served)
    assert not any("behind" in line for line in same.warnings)


def test_no_share_is_less_than_nothing_of_equal_models(distilled):
    found = regression_report(
        distilled, *TEST, baseline=distilled.student_, random_state=0
    )
    assert found.share_recovered["rmse"]["share"] == 0
    assert "RMSE: 0% (95% interval 0% to 0%)" in str(found)


def test_a_report_on_one_row(distilled):
    found = regression_report(distilled, TEST[0][:1], TEST[1][:1])
    assert str(found).startswith("Distillation report on 1 row of values")
    assert repr(found).startswith("<RegressionReport of 1 row, ")


def test_a_teacher_that_was_dropped_is_named():
    x = np.random.default_rng(0).normal(size=(900, 3))
    y = x.sum(axis=1) + 0.1 * x[:, 0] ** 2
    stump = DecisionTreeRegressor(max_depth=1)
    model = DistilledRegressor(stump, Ridge(), random_state=0)
    with pytest.warns(UserWarning, match="no better than the student"):
        model.fit(x[:600], y[:600])
    errors = {p["learns from"]: p["rmse"] for p in model.pilots_}
    direct = errors.pop("true labels")
    best = min(errors, key=errors.get)
    found = regression_report(model, x[600:], y[600:])
    assert not found.distilled
    assert found.warnings[0] == (
        "The student learned nothing of the teacher, only the true labels: on held-out "
        f"training rows its pilot has RMSE {direct:.4g} with these, and at best "
        f"{errors[best]:.4g} with the teacher's labels ({best})."
    )
