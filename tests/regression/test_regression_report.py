"""The report on values, what is deployed of a regressor, and its costs."""

import json
import pickle
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import pytest
from _values import ALONE, make_values
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import (
    PredictionErrorDisplay,
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
PAIR = np.column_stack([Y, 1e3 * X[:, 0] - Y])
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


@pytest.mark.parametrize("quantiles", [None, [0.1, 0.9]])
def test_a_group_of_rows_of_weight_zero_has_no_figures(quantiles):
    student = DecisionTreeRegressor(max_depth=2)
    teacher = student if quantiles is None else [student, student]
    model = DistilledRegressor(teacher, student, quantiles=quantiles, augmenter=None)
    model.fit(*TRAIN)
    groups = np.where(WEIGHT > 0, "in", "out")
    given = {"sample_weight": WEIGHT, "groups": groups, "n_bootstrap": 2}
    found = regression_report(model, *TEST, **given)
    assert [part["n_rows"] for part in found.by_group] == [found.n_rows, 0]
    shared = found.by_group[0]["student"].items()
    assert dict(shared) == {key: found.models["student"][key] for key, _ in shared}
    assert set(found.by_group[1]["student"].values()) == {None}
    assert "out       0        -        -" in str(found)


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
    pair = DistilledRegressor(Ridge(), Ridge(), **ALONE).fit(X, PAIR)
    with pytest.raises(ValueError, match=r"y must have .* \(400, 2\), received \(400,"):
        regression_report(pair, X, Y)


def test_several_outputs():
    student = make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(6,), max_iter=60)
    )
    est = DistilledRegressor(ExtraTreesRegressor(20), student, random_state=0)
    est.set_params(augmenter=None, pilot=0.5).fit(X[:250], PAIR[:250])
    rows, y = X[250:], pd.DataFrame(PAIR[250:], columns=["near", "wide"])
    given = {"sample_weight": WEIGHT, "n_bootstrap": 50, "random_state": 0}
    report = regression_report(
        *(est, rows, y),
        baseline="fit",
        train=(X[:250], PAIR[:250]),
        groups=GROUPS,
        **given,
    )
    served, weights = est.predict(rows), {"sample_weight": WEIGHT}
    for k, name in enumerate(y):
        figures = report.by_output[k]["student"]
        assert report.by_output[k]["name"] == name
        pair = y[name], served[:, k]
        assert figures["r2"] == pytest.approx(r2_score(*pair, **weights))
        rmse = root_mean_squared_error(*pair, **weights)
        assert figures["rmse"] == pytest.approx(rmse)
        mae = mean_absolute_error(*pair, **weights)
        assert figures["mae"] == pytest.approx(mae)
    # Together, none counts more for its unit: R² is 1 less the squared RMSE.
    student = report.models["student"]
    assert student["r2"] == pytest.approx(1 - student["rmse"] ** 2)
    assert student["r2"] == pytest.approx(r2_score(y, served, **weights))
    gain = report.against_teacher["rmse"]
    assert gain["gain"] == report.models["teacher"]["rmse"] - student["rmse"]
    assert len(report.by_group) == 2
    text = " ".join(str(report).split())
    assert "By output" in text
    assert "RMSE in standard deviations by group" in text
    assert json.loads(report.to_json())["by_output"][1]["name"] == "wide"


def test_the_pilot_chosen_beside_what_became_of_it():
    tree = DecisionTreeRegressor(max_depth=4, random_state=0)
    est = DistilledRegressor(ExtraTreesRegressor(20), tree, random_state=0).fit(*TRAIN)
    report = regression_report(est, *TEST, n_bootstrap=20)
    (chosen,) = [pilot for pilot in report.pilots if pilot["chosen"]]
    assert (
        f"The RMSE that the pilot forecast is {chosen['rmse']:.5g}; the student's is "
        f"{report.models['student']['rmse']:.5g} on the rows of this report."
    ) in " ".join(str(report).split())


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


# Pictures ----------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch):
    """What scikit-learn's displays are given: kind, true values, predicted ones."""
    pytest.importorskip("matplotlib")
    draw, calls = PredictionErrorDisplay.from_predictions, []

    def record(y, served, **given):
        calls.append((given["kind"], y, served))
        return draw(y, served, **given)

    monkeypatch.setattr(PredictionErrorDisplay, "from_predictions", record)
    return calls


CAPTIONS = [
    f"{start} the {name}{end}"
    for start, end in (
        ("Values predicted by", " against the true ones."),
        ("True value minus that of", ", by the latter."),
    )
    for name in ("student", "teacher")
]


def assert_pictures(report, path, drawn, expected):
    """`expected`: what follows the captions, true values, and those of the models."""
    report.to_html(path)
    page = path.read_text()
    shown = [
        (caption + words, kind, y, served)
        for words, y, *both in expected
        for caption, (kind, served) in zip(
            CAPTIONS,
            product(("actual_vs_predicted", "residual_vs_predicted"), both),
            strict=True,
        )
    ]
    assert page.count("<img") == len(drawn) == len(shown)
    for (caption, *expected), found in zip(shown, drawn, strict=True):
        assert caption in page
        assert expected[0] == found[0]
        np.testing.assert_allclose(found[1:], expected[1:])


def test_pictures_of_values(distilled, report, tmp_path, drawn):
    counted = WEIGHT > 0
    rows, y = TEST[0][counted], TEST[1][counted]
    both = distilled.predict(rows), distilled.teacher_.predict(rows)
    assert_pictures(report, tmp_path / "page.html", drawn, [("", y, *both)])


def test_pictures_of_outputs(tmp_path, drawn):
    pair = DistilledRegressor(ExtraTreesRegressor(5), Ridge(), **ALONE).fit(X, PAIR)
    report = regression_report(pair, X, PAIR, n_bootstrap=20)
    both = pair.predict(X), pair.teacher_.predict(X)
    expected = [
        (f" Output {k}.", PAIR[:, k], *(values[:, k] for values in both))
        for k in range(2)
    ]
    assert_pictures(report, tmp_path / "page.html", drawn, expected)


def test_pictures_of_quantiles(of_quantiles, tmp_path, drawn):
    rows, y = TEST
    report = regression_report(of_quantiles, rows, y, n_bootstrap=20)
    both = of_quantiles.predict(rows), of_quantiles.teacher_.predict(rows)
    middle = " The middle quantile.", y, *(values[:, 1] for values in both)
    assert_pictures(report, tmp_path / "page.html", drawn, [middle])


def test_the_third_of_five_quantiles_is_pictured(tmp_path, drawn):
    rows, y = TEST
    teacher = FunctionRegressor(lambda rows: rows[:, [0]] + np.arange(5))
    levels = (0.1, 0.3, 0.5, 0.7, 0.9)
    est = DistilledRegressor(teacher, Ridge(), quantiles=levels, **ALONE).fit(*TRAIN)
    both = est.predict(rows), teacher.predict(rows)
    middle = " The middle quantile.", y, *(values[:, 2] for values in both)
    report = regression_report(est, rows, y, n_bootstrap=20)
    assert_pictures(report, tmp_path / "page.html", drawn, [middle])


def test_an_output_of_one_value_counts_in_its_own_unit():
    """The others count in their standard deviation, which this one has not."""
    rows, y = X[:250], np.column_stack([Y[:250], np.full(250, 7.0)])
    off = FunctionRegressor(lambda rows: np.column_stack([rows[:, 0], rows[:, 1] + 9]))
    est = DistilledRegressor(off, Ridge(), **ALONE).fit(rows, y)
    found = regression_report(est, rows, y, n_bootstrap=20).models["teacher"]
    errors = (off.predict(rows) - y) / [Y[:250].std(), 1.0]
    assert found["rmse"] == pytest.approx(np.sqrt((errors**2).mean()))


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


def test_a_single_quantile_has_no_width():
    median = FunctionRegressor(lambda rows: 10 * rows[:, 3] + 8)
    est = DistilledRegressor(median, Ridge(), quantiles=(0.5,), pilot=0, random_state=0)
    report = regression_report(est.fit(*TRAIN), *TEST, n_bootstrap=20)
    assert "share of rows below quantile 0.5" in str(report)
    assert "width" not in str(report)


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


def test_a_baseline_that_is_ahead_of_the_teacher_is_said(distilled):
    rows, y = TEST
    error = np.random.default_rng(0).normal(size=len(y)) * y.std()
    baseline = recall(rows, y + 0.5 * error)
    found = regression_report(
        distilled, rows, y, teacher_prediction=y + error, baseline=baseline
    )
    said = [line for line in found.warnings if "no advantage to hand on" in line]
    # Half the error in each row is half of every error.
    assert len(said) == len(found.share_recovered) > 1
    assert "trained directly (the baseline) in RMSE" in said[0]


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
