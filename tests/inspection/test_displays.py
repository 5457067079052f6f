"""The pictures show the numbers that they should; how they look is for eyes."""

import sys

import numpy as np
import pytest
from _core import PLAIN
from _drawn import (
    COSTS,
    MODELS,
    SCORES,
    X_TEST,
    X_TRAIN,
    Y_TEST,
    Y_TRAIN,
    X,
    Y,
    get_points,
    make_distilled,
    sort_rows,
)
from sklearn.calibration import calibration_curve
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier, DistilledRegressor
from skdistill.inspection import FidelityDisplay, ReliabilityDisplay, TradeoffDisplay
from skdistill.metrics import agreement_score, expected_calibration_error, kl_divergence

pytest.importorskip("matplotlib").use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

NAMES = np.array(["no", "yes"])


@pytest.fixture(scope="module")
def distilled():
    return make_distilled(max_depth=3).fit(X_TRAIN, NAMES[Y_TRAIN])


def _draw_proba(seed, n_samples=80, n_classes=3):
    return np.random.default_rng(seed).dirichlet(np.ones(n_classes), size=n_samples)


def _get_legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


# --- fidelity ------------------------------------------------------------------


def test_fidelity_shows_the_second_class(distilled):
    display = FidelityDisplay.from_estimator(distilled, X_TEST, NAMES[Y_TEST])
    teacher = distilled.teacher_.predict_proba(X_TEST)
    student = distilled.student_.predict_proba(X_TEST)

    np.testing.assert_array_equal(
        sort_rows(get_points(display)),
        sort_rows(np.column_stack([teacher[:, 1], student[:, 1]])),
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
        sort_rows(get_points(display)), sort_rows(np.array(expected))
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
    # 36 columns of cells between 0 and 1, whose rows are shifted by half a cell.
    places = display.density_.get_offsets()
    assert (places.min(), places.max()) == pytest.approx((0, 1), abs=1 / 35)
    assert len(np.unique(places[:, 0].round(6))) == 2 * 35 + 1
    assert display.colorbar_.ax.get_ylabel() == "rows"
    again = display.plot(kind="scatter")
    assert again is display
    assert display.density_ is display.colorbar_ is None
    assert len(get_points(display)) == 1500


def test_fidelity_kind_and_style():
    teacher, student = _draw_proba(0), _draw_proba(1)
    display = FidelityDisplay.from_predictions(teacher, student, kind="density")
    assert display.density_.get_array().sum() == 80
    # Any name of the colour replaces the default.
    display.plot(kind="scatter", c="red", s=7)
    for points in display.scatter_:
        assert points.get_sizes() == [7]
        np.testing.assert_array_equal(points.get_facecolor()[0, :3], [1, 0, 0])


def test_fidelity_shows_the_class_that_is_asked_for(distilled):
    figure = plt.figure()
    axes = figure.add_subplot()
    display = FidelityDisplay.from_estimator(distilled, X_TEST, label="no", ax=axes)
    assert display.ax_ is axes
    models = distilled.teacher_, distilled.student_
    expected = [model.predict_proba(X_TEST)[:, 0] for model in models]
    np.testing.assert_array_equal(
        sort_rows(get_points(display)), sort_rows(np.column_stack(expected))
    )


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
    message = rf"got DecisionTreeClassifier.*{display.__name__}.from_pred"
    with pytest.raises(TypeError, match=message):
        display.from_estimator(tree, X, Y)
    stored = DistilledClassifier(student=tree, random_state=0, **PLAIN)
    stored.fit(X_TRAIN, Y_TRAIN, teacher_proba=_draw_proba(0, 120, 2))
    message = rf"needs a teacher_.*{display.__name__}.from_pred"
    with pytest.raises(TypeError, match=message):
        display.from_estimator(stored, X, Y)
    with pytest.raises(NotFittedError):
        display.from_estimator(DistilledClassifier(), X, Y)


@pytest.mark.parametrize("display", [FidelityDisplay, ReliabilityDisplay])
def test_a_student_of_values_is_an_error(display):
    values = DistilledRegressor(
        LinearRegression(), LinearRegression(), augmenter=None, random_state=0
    ).fit(X_TRAIN, X_TRAIN[:, 0])
    message = "got a DistilledRegressor. Use regression_report"
    for model in (values, make_pipeline(StandardScaler(), values)):
        with pytest.raises(TypeError, match=message):
            display.from_estimator(model, X, Y)


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
        bounds = np.quantile(proba.max(axis=1), [0, 0.25, 0.5, 0.75, 1])
        inside = np.clip(np.searchsorted(bounds, proba.max(axis=1)) - 1, 0, 3)
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


# --- the convention ------------------------------------------------------------


def _make_all(ax=None):
    teacher, student = _draw_proba(0), _draw_proba(1)
    y = np.arange(80) % 3
    return [
        FidelityDisplay.from_predictions(teacher, student, ax=ax),
        ReliabilityDisplay.from_predictions(y, teacher, student, ax=ax),
        TradeoffDisplay(MODELS, SCORES, COSTS, chosen=1).plot(ax=ax),
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
