"""The pictures show the numbers that they should; how they look is for eyes."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier, _scorers
from skdistill._displays._tradeoff import find_front
from skdistill.inspection import (
    FidelityDisplay,
    ReliabilityDisplay,
    TradeoffDisplay,
    distillation_report,
)
from skdistill.metrics import (
    agreement_score,
    expected_calibration_error,
    kl_divergence,
    latency_scorer,
    size_scorer,
    within_budget,
)

pytest.importorskip("matplotlib").use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

X, Y = make_classification(n_samples=240, n_features=6, flip_y=0.2, random_state=0)
X_TRAIN, X_TEST, Y_TRAIN, Y_TEST = X[:120], X[120:], Y[:120], Y[120:]
NAMES = np.array(["no", "yes"])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def distilled():
    model = DistilledClassifier(
        RandomForestClassifier(10, random_state=0),
        DecisionTreeClassifier(max_depth=3, random_state=0),
        random_state=0,
    )
    return model.fit(X_TRAIN, NAMES[Y_TRAIN])


def _draw_proba(seed, n_samples=80, n_classes=3):
    return np.random.default_rng(seed).dirichlet(np.ones(n_classes), size=n_samples)


def _get_points(display):
    return np.vstack([points.get_offsets() for points in display.scatter_])


def _sort_rows(points):
    return points[np.lexsort(points.T)]


def _get_legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


# --- fidelity ------------------------------------------------------------------


def test_fidelity_shows_the_second_class(distilled):
    display = FidelityDisplay.from_estimator(distilled, X_TEST, NAMES[Y_TEST])
    teacher = distilled.teacher_.predict_proba(X_TEST)
    student = distilled.student_.predict_proba(X_TEST)

    np.testing.assert_array_equal(
        _sort_rows(_get_points(display)),
        _sort_rows(np.column_stack([teacher[:, 1], student[:, 1]])),
    )
    same = teacher.argmax(axis=1) == student.argmax(axis=1)
    assert 0 < same.sum() < len(same)
    assert [len(points.get_offsets()) for points in display.scatter_] == [
        same.sum(),
        (~same).sum(),
    ]
    assert display.ax_.get_xlabel() == "teacher's probability of class yes"
    assert display.ax_.get_ylabel() == "student's probability of class yes"
    assert _get_legend(display) == ["same label", "other label", "student = teacher"]


def test_fidelity_writes_the_metrics():
    teacher, student = _draw_proba(0), _draw_proba(1)
    display = FidelityDisplay.from_predictions(teacher, student)

    assert display.ax_.get_title() == (
        f"agreement {agreement_score(teacher, student):.3f}, "
        f"KL {kl_divergence(teacher, student):.3g} nats, 80 rows"
    )


def test_fidelity_of_several_classes_shows_that_of_the_teacher():
    teacher, student = _draw_proba(0), _draw_proba(1)
    display = FidelityDisplay.from_predictions(teacher, student)
    expected = [(p.max(), q[p.argmax()]) for p, q in zip(teacher, student, strict=True)]

    np.testing.assert_array_equal(
        _sort_rows(_get_points(display)), _sort_rows(np.array(expected))
    )
    assert "the teacher's class" in display.ax_.get_ylabel()


def test_fidelity_of_a_chosen_class():
    teacher, student = _draw_proba(0), _draw_proba(1)
    display = FidelityDisplay.from_predictions(
        teacher, student, classes=["a", "b", "c"], label="a"
    )

    np.testing.assert_array_equal(display.teacher_proba, teacher[:, 0])
    np.testing.assert_array_equal(display.student_proba, student[:, 0])
    assert display.ax_.get_xlabel().endswith("class a")


def test_fidelity_without_disagreement_has_one_kind_of_point():
    proba = _draw_proba(0)
    display = FidelityDisplay.from_predictions(proba, proba)
    assert len(display.scatter_) == 1
    assert _get_legend(display) == ["same label", "student = teacher"]


def test_fidelity_counts_many_rows():
    teacher, student = _draw_proba(0, 1500, 2), _draw_proba(1, 1500, 2)
    display = FidelityDisplay.from_predictions(teacher, student)

    assert display.scatter_ is None
    assert display.density_.get_array().sum() == 1500
    assert display.colorbar_.ax.get_ylabel() == "rows"
    again = display.plot(kind="scatter")
    assert again is display
    assert display.density_ is display.colorbar_ is None
    assert len(_get_points(display)) == 1500


def test_fidelity_kind_and_style():
    teacher, student = _draw_proba(0), _draw_proba(1)
    display = FidelityDisplay.from_predictions(teacher, student, kind="density")
    assert display.density_.get_array().sum() == 80
    # Any name of the colour replaces the default.
    display.plot(kind="scatter", c="red", s=7)
    for points in display.scatter_:
        assert points.get_sizes() == [7]
        np.testing.assert_array_equal(points.get_facecolor()[0, :3], [1, 0, 0])


def test_fidelity_follows_pipelines_and_searches(distilled):
    plain = FidelityDisplay.from_estimator(distilled, X_TEST)
    alone = make_pipeline(distilled)
    scaler = StandardScaler().fit(X_TRAIN)
    pipeline = make_pipeline(scaler, distilled)
    search = GridSearchCV(distilled, {"alpha": [1.0]}, cv=2)
    search.fit(X_TRAIN, NAMES[Y_TRAIN])

    for model, rows in [
        (alone, X_TEST),
        (pipeline, scaler.inverse_transform(X_TEST)),
        (search, X_TEST),
    ]:
        display = FidelityDisplay.from_estimator(model, rows)
        np.testing.assert_allclose(display.teacher_proba, plain.teacher_proba)
        np.testing.assert_allclose(display.student_proba, plain.student_proba)


@pytest.mark.parametrize("display", [FidelityDisplay, ReliabilityDisplay])
def test_no_teacher_is_an_error(display):
    tree = DecisionTreeClassifier(random_state=0).fit(X, Y)
    message = rf"teacher_; got DecisionTreeClassifier.*{display.__name__}.from_pred"
    with pytest.raises(TypeError, match=message):
        display.from_estimator(tree, X, Y)
    stored = DistilledClassifier(student=tree, random_state=0)
    stored.fit(X_TRAIN, Y_TRAIN, teacher_proba=_draw_proba(0, 120, 2))
    with pytest.raises(TypeError, match="teacher_; got DistilledClassifier without"):
        display.from_estimator(stored, X, Y)


def test_fidelity_refuses_what_does_not_fit():
    teacher, student = _draw_proba(0), _draw_proba(1)
    draw = FidelityDisplay.from_predictions
    with pytest.raises(ValueError, match=r"classes \[0, 1, 2\]; got 'b'"):
        draw(teacher, student, label="b")
    with pytest.raises(ValueError, match="name the 3 columns"):
        draw(teacher, student, classes=["a", "b"])
    with pytest.raises(ValueError, match="got 'dense'"):
        draw(teacher, student, kind="dense")
    with pytest.raises(ValueError, match="same shape"):
        draw(teacher, student[:7])


# --- reliability ---------------------------------------------------------------


def test_reliability_is_that_of_both(distilled):
    y = NAMES[Y_TEST]
    display = ReliabilityDisplay.from_estimator(distilled, X_TEST, y, n_bins=5)

    for line, model, name in [
        (display.lines_[0], distilled.teacher_, "teacher"),
        (display.lines_[1], distilled, "student"),
    ]:
        proba = model.predict_proba(X_TEST)
        share, mean = calibration_curve(
            Y_TEST, proba[:, 1], n_bins=5, strategy="quantile"
        )
        np.testing.assert_allclose(line.get_xdata(), mean)
        np.testing.assert_allclose(line.get_ydata(), share)
        error = expected_calibration_error(y, proba, n_bins=5)
        assert f"{name}, ECE {error:.3f}" in _get_legend(display)
    assert display.ax_.get_ylabel() == "share of class yes"


def test_reliability_of_several_classes_is_that_of_the_confidence():
    y = np.random.default_rng(2).integers(3, size=80)
    teacher, student = _draw_proba(0), _draw_proba(1)
    display = ReliabilityDisplay.from_predictions(y, teacher, student, n_bins=4)

    for line, proba in zip(display.lines_, [teacher, student], strict=True):
        edges = np.quantile(proba.max(axis=1), [0, 0.25, 0.5, 0.75, 1])
        inside = np.clip(np.searchsorted(edges, proba.max(axis=1)) - 1, 0, 3)
        right = proba.argmax(axis=1) == y
        expected = [right[inside == k].mean() for k in range(4)]
        np.testing.assert_allclose(line.get_ydata(), expected)
    assert display.ax_.get_ylabel() == "share predicted right"


def test_reliability_of_a_chosen_class_and_uniform_bins():
    y = np.random.default_rng(2).integers(3, size=80)
    teacher, student = _draw_proba(0), _draw_proba(1)
    display = ReliabilityDisplay.from_predictions(
        y, teacher, student, classes=[0, 1, 2], label=2, strategy="uniform"
    )

    share, mean = calibration_curve(y == 2, student[:, 2], n_bins=10)
    np.testing.assert_allclose(display.student.prob_true, share)
    np.testing.assert_allclose(display.student.prob_pred, mean)


def test_reliability_tells_the_two_apart_without_colour(distilled):
    display = ReliabilityDisplay.from_estimator(distilled, X_TEST, NAMES[Y_TEST])
    teacher, student = display.lines_
    assert teacher.get_marker() != student.get_marker()
    assert teacher.get_linestyle() != student.get_linestyle()

    # Short names of matplotlib's parameters are taken as well.
    display.plot(ls=":", lw=5)
    assert {line.get_linestyle() for line in display.lines_} == {":"}
    assert {line.get_linewidth() for line in display.lines_} == {5}


# --- trade-off -----------------------------------------------------------------

MODELS = ["tree", "small", "large", "slow"]
SCORES, COSTS = [0.91, 0.95, 0.96, 0.93], [40, 70, 180, 400]


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
    display = TradeoffDisplay.from_results(
        MODELS, SCORES, COSTS, teacher=(0.97, 9000), baseline=(0.94, 180)
    )

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


def test_front_agrees_with_one_by_hand():
    rng = np.random.default_rng(0)
    for _ in range(200):
        # Few values, so that there are equal scores and costs.
        costs, scores = rng.integers(1, 6, 9), rng.integers(0, 5, 9)
        on_front = find_front(costs, scores)
        found = zip(costs[on_front].tolist(), scores[on_front].tolist(), strict=True)
        points = list(zip(costs.tolist(), scores.tolist(), strict=True))
        assert set(found) == _find_front_by_hand(points)


def test_tradeoff_of_losses_has_the_lower_front():
    display = TradeoffDisplay.from_results(
        ["a", "b", "c"], [0.5, 0.3, 0.4], [1, 2, 3], greater_is_better=False
    )
    np.testing.assert_array_equal(display.front_, [(1, 0.5), (2, 0.3)])


def test_tradeoff_writes_names_that_hide_nothing():
    display = TradeoffDisplay.from_results(
        MODELS, SCORES, COSTS, teacher=(0.97, 9000), score_name="accuracy"
    )
    assert [text.get_text() for text in display.texts_] == MODELS
    assert display.ax_.get_ylabel() == "accuracy"

    from matplotlib.text import Text

    display.figure_.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in display.texts_]
    dots = display.ax_.transData.transform(list(zip(COSTS, SCORES, strict=True)))
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:k])
        assert not any(box.contains(*dot) for dot in dots)
        assert (box.min >= display.ax_.bbox.min).all()
        assert (box.max <= display.ax_.bbox.max).all()


def test_tradeoff_of_many_names_only_those_on_the_front():
    scores = [0.9, 0.95, *[0.8] * 8]
    costs = [10, 20, *range(100, 108)]
    display = TradeoffDisplay.from_results(map(str, range(10)), scores, costs)
    assert [text.get_text() for text in display.texts_] == ["0", "1"]


def test_tradeoff_of_long_names_only_those_on_the_front():
    names = [letter * 60 for letter in "abc"]
    display = TradeoffDisplay.from_results(names, [0.9, 0.95, 0.8], [10, 20, 30])
    assert [text.get_text()[0] for text in display.texts_] == ["a", "b"]


def test_tradeoff_of_equal_models_writes_one_name():
    display = TradeoffDisplay.from_results(["a", "b", "c"], [1, 1, 1], [5, 5, 5])
    assert [text.get_text() for text in display.texts_] == ["a (+2\u00a0equal)"]


@pytest.mark.parametrize("ratio", [1.5, 50, 1e6])
def test_tradeoff_has_plain_ticks_on_axes_of_any_length(ratio):
    display = TradeoffDisplay.from_results(["a", "b"], [1, 2], [110, 110 * ratio])
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
        TradeoffDisplay.from_results(**given)


@pytest.fixture(scope="module")
def search():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_scorers, "_SECONDS", 0.0)
        model = DistilledClassifier(
            RandomForestClassifier(10, random_state=0),
            DecisionTreeClassifier(random_state=0),
            random_state=0,
        )
        scoring = {
            "neg_log_loss": "neg_log_loss",
            "latency": latency_scorer(),
            "bytes": size_scorer,
        }
        grid = {"student__max_leaf_nodes": [2, 4, 30], "alpha": [1.0]}
        refit = within_budget(max_bytes=1e9)
        return GridSearchCV(model, grid, scoring=scoring, refit=refit, cv=2).fit(
            X_TRAIN, Y_TRAIN
        )


@pytest.mark.parametrize(
    ("cost", "cost_name"), [("latency", "microseconds a row"), ("bytes", "bytes")]
)
def test_tradeoff_of_a_search(search, cost, cost_name):
    display = TradeoffDisplay.from_search(search, cost=cost, teacher=(-0.3, 1e6))
    results = search.cv_results_
    points = np.column_stack(
        [-results[f"mean_test_{cost}"], results["mean_test_neg_log_loss"]]
    )

    np.testing.assert_array_equal(_sort_rows(_get_points(display)), _sort_rows(points))
    np.testing.assert_array_equal(
        display.chosen_.get_offsets(), points[[search.best_index_]]
    )
    assert display.names == [f"max_leaf_nodes={k}" for k in (2, 4, 30)]
    assert display.ax_.get_xlabel() == cost_name


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
        model = DistilledClassifier(
            RandomForestClassifier(10, random_state=0),
            DecisionTreeClassifier(max_depth=depth, random_state=0),
            random_state=0,
        ).fit(X_TRAIN, Y_TRAIN)
        given = {"baseline": "fit", "train": (X_TRAIN, Y_TRAIN)}
        return distillation_report(
            model, X_TEST, Y_TEST, **given, n_bootstrap=2, random_state=0
        )

    with pytest.MonkeyPatch.context() as patch:
        for name in ("_SECONDS", "_BATCH_SECONDS"):
            patch.setattr(f"skdistill._report._measure.{name}", 0.0)
        return {"flat": report(1), "deep": report(6)}


@pytest.mark.parametrize(
    ("score", "cost", "key"),
    [("log_loss", "latency", "latency_p50_us"), ("accuracy", "bytes", "bytes")],
)
def test_tradeoff_of_reports(reports, score, cost, key):
    display = TradeoffDisplay.from_reports(reports, score=score, cost=cost)
    students = [report.models["student"] for report in reports.values()]
    points = np.array([[figures[key], figures[score]] for figures in students])

    np.testing.assert_allclose(_sort_rows(_get_points(display)), _sort_rows(points))
    for name, mark in (("teacher", display.teacher_), ("baseline", display.baseline_)):
        figures = reports["flat"].models[name]
        np.testing.assert_allclose(mark.get_offsets(), [[figures[key], figures[score]]])
    assert display.names == ["flat", "deep"]
    assert display.greater_is_better == (score == "accuracy")


def test_tradeoff_refuses_reports_that_do_not_compare(reports):
    other = replace(reports["flat"], n_rows=7)
    unsized = replace(reports["flat"], models={"student": {"log_loss": 0.3}})
    for given, message in (
        ({}, r"one at least; got 0 of \[\] rows"),
        ({**reports, "other": other}, r"got 3 of \[7, 120\] rows"),
        ({"unsized": unsized}, r"\['unsized'\] have not.*leave it out"),
    ):
        with pytest.raises(ValueError, match=message):
            TradeoffDisplay.from_reports(given)
    with pytest.raises(ValueError, match=r"score must be one of .*got 'f1'"):
        TradeoffDisplay.from_reports(reports, score="f1")
    with pytest.raises(ValueError, match=r"cost must be one of .*got 'euros'"):
        TradeoffDisplay.from_reports(reports, cost="euros")


# --- the convention ------------------------------------------------------------


def _make_all(ax=None):
    teacher, student = _draw_proba(0), _draw_proba(1)
    y = np.arange(80) % 3
    return [
        FidelityDisplay.from_predictions(teacher, student, ax=ax),
        ReliabilityDisplay.from_predictions(y, teacher, student, ax=ax),
        TradeoffDisplay.from_results(MODELS, SCORES, COSTS, chosen=1, ax=ax),
    ]


def test_displays_draw_on_given_axes():
    figure, ax = plt.subplots()
    for display in _make_all(ax):
        assert display.ax_ is ax
        assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]


def test_displays_draw_in_any_kind_of_figure():
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # A canvas that has no pixels, and a part of a figure; neither known to pyplot.
    figure = Figure()
    FigureCanvasSVG(figure)
    for display in _make_all(figure.subfigures(1, 2)[0].subplots()):
        assert display.figure_ in figure.subfigs
    assert plt.get_fignums() == []


def test_displays_draw_on_new_axes_each_time():
    for display in _make_all():
        first = display.ax_
        assert display.plot() is display
        assert display.ax_ is not first
        assert display.figure_ is display.ax_.figure


def test_displays_without_matplotlib_name_the_extra(monkeypatch, distilled):
    displays = _make_all()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    calls = [display.plot for display in displays] + [
        lambda: FidelityDisplay.from_estimator(distilled, X),
        lambda: ReliabilityDisplay.from_estimator(distilled, X, Y),
        lambda: TradeoffDisplay.from_search(None),
        _make_all,
    ]
    for call in calls:
        with pytest.raises(ImportError, match=r'pip install "skdistill\[plot\]"'):
            call()


def test_import_leaves_matplotlib_alone():
    code = (
        "import sys, skdistill.inspection, skdistill.metrics\n"
        "print([name for name in ('matplotlib', 'onnx') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
