"""The trade-off picture marks the front, and hides no name."""

from dataclasses import replace

import numpy as np
import pytest
from _drawn import (
    COSTS,
    MODELS,
    SCORES,
    X_TEST,
    X_TRAIN,
    Y_TEST,
    Y_TRAIN,
    get_points,
    make_distilled,
    sort_rows,
)
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill.inspection import TradeoffDisplay, distillation_report
from skdistill.metrics import latency_scorer, size_scorer, within_budget

pytest.importorskip("matplotlib").use("Agg")


def _find_front_by_hand(points):
    """Points (cost, score) that no other point dominates."""
    return {
        (cost, score)
        for cost, score in points
        if not any(
            other <= cost and that >= score and (other < cost or that > score)
            for other, that in points
        )
    }


def test_tradeoff_marks_the_front():
    display = TradeoffDisplay(
        MODELS, SCORES, COSTS, teacher=(0.97, 9000), baseline=(0.94, 180)
    ).plot()

    expected = [(40, 0.91), (70, 0.95), (180, 0.96), (9000, 0.97)]
    np.testing.assert_array_equal(display.front_, expected)
    np.testing.assert_array_equal(display.line_.get_xydata(), expected)
    on_front, others = display.scatter_
    np.testing.assert_array_equal(on_front.get_offsets(), expected[:3])
    np.testing.assert_array_equal(others.get_offsets(), [(400, 0.93)])
    np.testing.assert_array_equal(display.teacher_.get_offsets(), [(9000, 0.97)])
    np.testing.assert_array_equal(display.baseline_.get_offsets(), [(180, 0.94)])
    assert display.chosen_ is None
    assert display.ax_.get_xscale() == "log"


@pytest.mark.parametrize("seed", range(4))
def test_front_agrees_with_one_by_hand(seed):
    # Few values, so that there are equal scores and costs.
    rng = np.random.default_rng(seed)
    costs, scores = rng.integers(1, 6, 9), rng.integers(0, 5, 9)
    display = TradeoffDisplay(map(str, range(9)), scores, costs).plot()
    points = list(zip(costs.tolist(), scores.tolist(), strict=True))
    assert set(map(tuple, display.front_.tolist())) == _find_front_by_hand(points)


def test_tradeoff_of_losses_has_the_lower_front():
    display = TradeoffDisplay(
        ["a", "b", "c"], [0.5, 0.3, 0.4], [1, 2, 3], greater_is_better=False
    ).plot()
    np.testing.assert_array_equal(display.front_, [(1, 0.5), (2, 0.3)])


def _find_boxes(display):
    display.figure_.canvas.draw()
    return [text.get_window_extent() for text in display.texts_]


@pytest.mark.parametrize("sign", [1, -1], ids=["score", "loss"])
def test_tradeoff_writes_names_that_hide_nothing(sign):
    display = TradeoffDisplay(
        MODELS,
        sign * np.array(SCORES),
        COSTS,
        teacher=(sign * 0.97, 9000),
        score_name="accuracy",
        greater_is_better=sign > 0,
    ).plot()
    assert sorted(text.get_text() for text in display.texts_) == sorted(MODELS)
    assert display.ax_.get_ylabel() == "accuracy"

    boxes = _find_boxes(display)
    dots = display.ax_.transData.transform(
        np.column_stack([COSTS, sign * np.array(SCORES)])
    )
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:k])
        assert not any(box.contains(*dot) for dot in dots)
        assert (box.min >= display.ax_.bbox.min).all()
        assert (box.max <= display.ax_.bbox.max).all()


@pytest.mark.parametrize("n_models", [3, 5, 8, 10])
def test_tradeoff_names_never_overlap(n_models):
    rng = np.random.default_rng(n_models)
    costs = np.exp(rng.uniform(3, 6, n_models))
    display = TradeoffDisplay(
        [f"student {k}" for k in range(n_models)], rng.uniform(size=n_models), costs
    ).plot()
    boxes = _find_boxes(display)
    assert boxes
    for k, box in enumerate(boxes):
        assert not box.count_overlaps(boxes[:k])


@pytest.mark.parametrize("names", ["abcdefghij", ["a" * 60, "b" * 60, "c" * 60]])
def test_tradeoff_of_many_or_long_names_only_those_on_the_front(names):
    scores, costs = [0.9, 0.95, *[0.8] * 8], [10, 20, *range(100, 108)]
    n_models = len(names)
    display = TradeoffDisplay(names, scores[:n_models], costs[:n_models]).plot()
    assert [text.get_text()[0] for text in display.texts_] == ["a", "b"]


def test_tradeoff_of_equal_models_writes_one_name():
    display = TradeoffDisplay(["a", "b", "c"], [1, 1, 1], [5, 5, 5]).plot()
    assert [text.get_text() for text in display.texts_] == ["a (+2\u00a0equal)"]


@pytest.mark.parametrize("ratio", [1.5, 50, 1e6])
def test_tradeoff_has_plain_ticks_on_axes_of_any_length(ratio):
    display = TradeoffDisplay(["a", "b"], [1, 2], [110, 110 * ratio]).plot()
    display.figure_.canvas.draw()
    low, high = display.ax_.get_xlim()
    ticks = [
        label.get_text()
        for label in display.ax_.get_xticklabels(which="both")
        if label.get_text() and low <= label.get_position()[0] <= high
    ]
    assert len(ticks) >= 2
    assert not any("10^" in tick or "e" in tick for tick in ticks)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"costs": [40, 70, -180, 400]}, "cost -180 of 'large'"),
        ({"scores": [0.9, np.nan, 0.9, 0.9]}, "score nan and cost 70 of 'small'"),
        ({"teacher": (0.9, 0)}, "cost 0 of 'teacher'"),
        ({"baseline": (np.inf, 1)}, "score inf and cost 1 of 'baseline'"),
        ({"scores": [0.9]}, r"4 names and shapes \(1,\) and \(4,\)"),
        ({"names": [], "scores": [], "costs": []}, "at least one model"),
    ],
)
def test_tradeoff_refuses_bad_figures(changes, message):
    given = {"names": MODELS, "scores": SCORES, "costs": COSTS, **changes}
    with pytest.raises(ValueError, match=message):
        TradeoffDisplay(**given)


@pytest.fixture(scope="module")
def search():
    costs = {"latency": latency_scorer(), "bytes": size_scorer()}
    scoring = {"neg_log_loss": "neg_log_loss", **costs}
    grid = {"student__max_leaf_nodes": [2, 4, 30], "alpha": [1.0]}
    refit = within_budget(max_bytes=1e9)
    search = GridSearchCV(make_distilled(), grid, scoring=scoring, refit=refit, cv=2)
    return search.fit(X_TRAIN, Y_TRAIN)


@pytest.mark.parametrize(
    ("cost", "cost_name"), [("latency", "microseconds a row"), ("bytes", "bytes")]
)
def test_tradeoff_of_a_search(search, cost, cost_name):
    display = TradeoffDisplay.from_search(search, cost=cost, teacher=(-0.3, 1e6))
    results = search.cv_results_
    points = np.column_stack(
        [-results[f"mean_test_{cost}"], results["mean_test_neg_log_loss"]]
    )

    np.testing.assert_array_equal(sort_rows(get_points(display)), sort_rows(points))
    np.testing.assert_array_equal(
        display.chosen_.get_offsets(), points[[search.best_index_]]
    )
    assert display.names == [f"max_leaf_nodes={k}" for k in (2, 4, 30)]
    assert display.ax_.get_xlabel() == cost_name
    assert display.ax_.get_ylabel() == "neg_log_loss (mean over the splits)"


def test_tradeoff_of_a_search_names_the_axis(search):
    display = TradeoffDisplay.from_search(search, cost="bytes", cost_name="size")
    assert display.ax_.get_xlabel() == "size"


def test_tradeoff_names_of_candidates_stay_apart():
    class Search:
        cv_results_ = {
            "params": [
                {"student": DecisionTreeClassifier(), "student__max_depth": 1},
                {"student": StandardScaler(), "teacher__max_depth": 2},
            ],
            "mean_test_neg_log_loss": np.array([-0.5, -0.4]),
            "mean_test_latency": np.array([-10.0, -20.0]),
        }

    display = TradeoffDisplay.from_search(Search())
    assert display.names == [
        "student=DecisionTreeClassifier, student__max_depth=1",
        "student=StandardScaler, teacher__max_depth=2",
    ]
    assert display.chosen_ is None


def test_tradeoff_needs_a_search_with_both_scores(search):
    with pytest.raises(TypeError, match=r"fitted search.*got DecisionTreeClassifier"):
        TradeoffDisplay.from_search(DecisionTreeClassifier())
    with pytest.raises(ValueError, match=r"\['p99'\] not among"):
        TradeoffDisplay.from_search(search, cost="p99")


@pytest.fixture(scope="module")
def reports():
    def report(depth):
        model = make_distilled(max_depth=depth).fit(X_TRAIN, Y_TRAIN)
        given = {"baseline": "fit", "train": (X_TRAIN, Y_TRAIN)}
        return distillation_report(
            model, X_TEST, Y_TEST, **given, n_bootstrap=2, random_state=0
        )

    return {"flat": report(1), "deep": report(6)}


@pytest.mark.parametrize(
    ("score", "cost", "key"),
    [("log_loss", "latency", "latency_p50_us"), ("accuracy", "bytes", "bytes")],
)
def test_tradeoff_of_reports(reports, score, cost, key):
    display = TradeoffDisplay.from_reports(reports, score=score, cost=cost)
    students = [report.models["student"] for report in reports.values()]
    points = np.array([[figures[key], figures[score]] for figures in students])

    np.testing.assert_allclose(sort_rows(get_points(display)), sort_rows(points))
    for name, mark in (("teacher", display.teacher_), ("baseline", display.baseline_)):
        figures = reports["flat"].models[name]
        np.testing.assert_allclose(mark.get_offsets(), [[figures[key], figures[score]]])
    assert display.names == ["flat", "deep"]
    assert display.greater_is_better == (score == "accuracy")


def test_tradeoff_refuses_reports_that_do_not_compare(reports):
    other = replace(reports["flat"], n_rows=7)
    unsized = replace(reports["flat"], models={"student": {"log_loss": 0.3}})
    values = replace(reports["flat"], models={"student": {"rmse": 0.3, "bytes": 9}})
    for given, message in (
        ({}, r"one at least; got 0 of \[\] rows"),
        ({**reports, "other": other}, r"got 3 of \[7, 120\] rows"),
        ({"unsized": unsized}, r"\['unsized'\] have not.*leave it out"),
        ({"values": values}, "a report of values none of these scores: leave it out"),
    ):
        with pytest.raises(ValueError, match=message):
            TradeoffDisplay.from_reports(given)
    with pytest.raises(ValueError, match=r"score must be one of .*got 'f1'"):
        TradeoffDisplay.from_reports(reports, score="f1")
    with pytest.raises(ValueError, match=r"cost must be one of .*got 'euros'"):
        TradeoffDisplay.from_reports(reports, cost="euros")
