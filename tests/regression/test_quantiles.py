"""Quantiles of a teacher in one student: learned, shifted, sorted and exported."""

import pickle
from functools import partial

import numpy as np
import pytest
from lightgbm import LGBMRegressor
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LinearRegression,
    PoissonRegressor,
    QuantileRegressor,
    TweedieRegressor,
)
from sklearn.metrics import d2_pinball_score, mean_pinball_loss, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor

from skdistill import DistilledRegressor, FunctionRegressor
from skdistill.export import OnnxRegressor, slim, to_onnx

LEVELS = (0.1, 0.5, 0.9)
#: Quantiles of the standard normal distribution.
NORMAL = np.array([-1.2815515655446004, 0.0, 1.2815515655446004])


def spread(X):
    return 0.3 + 0.7 * np.abs(X[:, 1])


def tell_quantiles(X):
    """The true ones of `draw`."""
    return 3 * X[:, :1] + spread(X)[:, None] * NORMAL


def draw(n_rows, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n_rows, 2))
    return X, 3 * X[:, 0] + spread(X) * rng.normal(size=n_rows)


X, Y = draw(400)
TRUE = FunctionRegressor(tell_quantiles)
ONCE = {"augmenter": None, "pilot": 0, "random_state": 0}


def make_teacher(**settings):
    return [
        HistGradientBoostingRegressor(
            loss="quantile", quantile=q, max_iter=5, max_leaf_nodes=5, **settings
        )
        for q in LEVELS
    ]


def fit(teacher=TRUE, student=None, rows=(X, Y), quantiles=LEVELS, **settings):
    student = LinearRegression() if student is None else student
    given = ONCE | {"quantiles": quantiles} | settings
    return DistilledRegressor(teacher, student, **given).fit(*rows)


STUDENTS = {
    "network": make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(8,), max_iter=20)
    ),
    "ridge": LinearRegression(),
    "tree": DecisionTreeRegressor(max_depth=3),
    "forest": RandomForestRegressor(3, max_depth=3),
    "LightGBM": MultiOutputRegressor(
        LGBMRegressor(n_estimators=5, num_leaves=4, n_jobs=1, verbose=-1)
    ),
    "histogram": MultiOutputRegressor(
        HistGradientBoostingRegressor(max_iter=5, max_leaf_nodes=4)
    ),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", STUDENTS)
def test_shift_is_the_conformal_quantile_of_held_out_rows(name):
    """And stands in the student: its order statistic of y less the quantile is 0."""
    rows, y = draw(99, seed=1)
    est = DistilledRegressor(TRUE, STUDENTS[name], quantiles=LEVELS, **ONCE)
    est.fit(X, Y, X_val=rows, y_val=y)
    scores = np.sort(y[:, None] - est.student_.predict(rows), axis=0)
    # Of 99 rows: the 10th, the 50th and the 90th.
    np.testing.assert_allclose(scores[[9, 49, 89], [0, 1, 2]], 0, atol=1e-5)
    assert est.predict(rows).shape == (99, 3)
    np.testing.assert_array_equal(
        est.predict(rows), np.sort(est.student_.predict(rows), axis=1)
    )


def test_weights_count_as_repeated_rows():
    rows, y = draw(99, seed=1)
    weight = np.random.default_rng(0).integers(1, 4, 99)
    given = {"X_val": rows, "y_val": y, "sample_weight_val": weight}
    est = DistilledRegressor(TRUE, LinearRegression(), quantiles=(0.5,), **ONCE)
    est.set_params(teacher=FunctionRegressor(lambda X: 3 * X[:, 0])).fit(X, Y, **given)
    residual = np.repeat(y - 3 * rows[:, 0], weight)
    assert est.quantile_shift_ == pytest.approx(np.median(residual), abs=0.05)


def test_coverage_of_the_next_row_is_exact_in_the_mean():
    """A student that is a constant: the shift is an order statistic."""
    levels = np.array([0.05, 0.3, 0.5, 0.8, 0.95])
    zero = FunctionRegressor(lambda X: np.zeros((len(X), 5)))
    shifts = []
    for seed in range(40):
        rows = np.zeros((219, 1)), np.random.default_rng(seed).uniform(size=219)
        est = fit(zero, DecisionTreeRegressor(), rows, levels, random_state=seed)
        shifts.append(est.quantile_shift_)
    # y is uniform: the mean of the k-th of 44 rows is k / 45.
    k = np.where(levels < 0.5, np.floor(45 * levels), np.ceil(45 * levels))
    np.testing.assert_allclose(np.mean(shifts, axis=0), k / 45, atol=0.035)


def test_student_learns_the_quantiles_by_squared_error():
    """Where it can express them, they are the teacher's, whatever y is."""
    est = fit(student=DecisionTreeRegressor())
    learned = est.student_.predict(X) - est.quantile_shift_
    equal = np.isclose(learned, tell_quantiles(X)).all(axis=1)
    # All rows but the fifth that sets the shift.
    assert equal.sum() >= 320


def test_list_of_regressors_is_fitted_as_clones():
    teacher = make_teacher(random_state=0)
    est = fit(teacher)
    assert not hasattr(teacher[0], "_baseline_prediction")
    assert est.teacher_.predict(X).shape == (400, 3)
    fitted = est.teacher_.estimators_
    assert [member.quantile for member in fitted] == list(LEVELS)
    # It has seen the rows that were not held out.
    assert fit(tuple(teacher)).predict(X) == pytest.approx(est.predict(X))
    assert clone(est).fit(X, Y).predict(X) == pytest.approx(est.predict(X))


class StandIn(RandomForestRegressor):
    """A forest whose predict takes the levels, as quantile-forest's does."""

    def predict(self, X, quantiles=None):
        levels = 0.5 if quantiles is None else quantiles
        said = [tree.predict(X) for tree in self.estimators_]
        return np.quantile(said, levels, axis=0).T


def make_forest(name, **settings):
    if name == "stand-in":
        return StandIn(20, random_state=0, **settings)
    package = pytest.importorskip("quantile_forest")
    return package.RandomForestQuantileRegressor(20, random_state=0, **settings)


@pytest.mark.parametrize("name", ["stand-in", "quantile-forest"])
def test_forest_whose_predict_takes_the_levels(name):
    forest = make_forest(name, min_samples_leaf=5).fit(*draw(300, seed=1))
    teacher = FunctionRegressor(partial(forest.predict, quantiles=list(LEVELS)))
    rows, y = draw(300, seed=2)
    est = DistilledRegressor(
        teacher, DecisionTreeRegressor(max_depth=5), quantiles=LEVELS, **ONCE
    ).fit(X, Y, X_val=rows, y_val=y)
    said = forest.predict(X, quantiles=list(LEVELS))
    np.testing.assert_array_equal(est.teacher_.predict(X), said)
    learned = est.student_.predict(X) - est.quantile_shift_
    assert r2_score(said, learned) > 0.8
    again = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(again.predict(X), est.predict(X))


def test_forest_of_the_levels_is_fitted():
    forest = make_forest("quantile-forest", default_quantiles=list(LEVELS))
    est = fit(forest)
    said = est.teacher_.predict(X)
    expected = est.teacher_.predict(X, quantiles=list(LEVELS))
    np.testing.assert_array_equal(said, expected)
    assert not hasattr(forest, "estimators_")


def test_fitted_list_is_used_as_it_is():
    teacher = [m.fit(*draw(300, seed=3)) for m in make_teacher()]
    expected = np.column_stack([m.predict(X) for m in teacher])
    est = fit(teacher)
    np.testing.assert_array_equal(est.teacher_.predict(X), expected)
    kept = fit([FrozenEstimator(m) for m in teacher])
    np.testing.assert_array_equal(kept.predict(X), est.predict(X))
    # Stored quantiles are the same labels.
    stored = DistilledRegressor(None, LinearRegression(), quantiles=LEVELS, **ONCE)
    stored.fit(X, Y, teacher_prediction=expected)
    np.testing.assert_allclose(stored.predict(X), est.predict(X))


class Joint(RegressorMixin, BaseEstimator):
    """One model of all quantiles: those of y, whatever the row is."""

    def fit(self, X, y):
        self.quantiles_ = np.quantile(y, LEVELS)
        return self

    def predict(self, X):
        return np.tile(self.quantiles_, (len(X), 1))


def test_one_teacher_of_all_quantiles():
    est = fit(Joint())
    below = (Y[:, None] <= est.predict(X)).mean(axis=0)
    np.testing.assert_allclose(below, LEVELS, atol=0.1)


def test_default_teacher_and_seed():
    small = [q.set_params(max_iter=2) for q in make_teacher()]
    first, second = (fit(small).predict(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    est = fit(None, quantiles=(0.2, 0.7), rows=(X[:150], Y[:150]))
    members = est.teacher_[-1].estimators_
    assert [(m.objective, m.alpha) for m in members] == [
        ("quantile", 0.2),
        ("quantile", 0.7),
    ]


def test_pilots_are_judged_by_the_pinball_loss_of_true_values():
    rows, y = draw(500, seed=2)
    student = DecisionTreeRegressor(max_depth=3, random_state=0)
    est = DistilledRegressor(TRUE, student, quantiles=LEVELS, random_state=0)
    est.fit(*draw(600), X_val=rows, y_val=y)
    chosen = [pilot for pilot in est.pilots_ if pilot["chosen"]]
    assert chosen[0]["pinball"] <= min(p["pinball"] for p in est.pilots_) + 1e-3
    # A tree on the rows themselves has that of scikit-learn.
    (plain,) = [p for p in est.pilots_ if p["learns from"] == "training rows"]
    tree = clone(student).fit(draw(600)[0], tell_quantiles(draw(600)[0]))
    served = np.sort(tree.predict(rows), axis=1)
    losses = [mean_pinball_loss(y, served[:, k], alpha=q) for k, q in enumerate(LEVELS)]
    assert plain["pinball"] == pytest.approx(np.mean(losses), rel=1e-6)
    assert "true labels" not in [p["learns from"] for p in est.pilots_]
    score = [
        d2_pinball_score(y, column, alpha=q)
        for column, q in zip(est.predict(rows).T, LEVELS, strict=True)
    ]
    assert est.score(rows, y) == pytest.approx(np.mean(score))


def test_columns_that_differ_by_rounding_are_in_order():
    """Two equal trees, which split a tie on other columns, differ by as much."""

    def tell(rows):
        middle = 3 * rows[:, 0] + 20
        return np.column_stack([middle, *[np.nextafter(middle, -np.inf)] * 2])

    served = fit(FunctionRegressor(tell), LinearRegression()).student_.predict(X)
    shift = np.diff(served, axis=1)
    np.testing.assert_allclose(shift, np.tile(shift[0], (len(X), 1)), atol=1e-9)


@pytest.mark.parametrize("name", ["ridge", "tree", "forest"])
def test_onnx_sorts(name):
    pytest.importorskip("onnx")
    rows = X.astype(np.float32)
    crossing = FunctionRegressor(lambda X: X[:, :1] * [4, 0, -4] + [0, 1, 2])
    est = fit(crossing, STUDENTS[name], (rows, Y))
    assert (np.diff(est.student_.predict(rows)) < 0).any()
    model = OnnxRegressor(to_onnx(est, rows))
    served = model.predict(rows)
    np.testing.assert_allclose(served, est.predict(rows), atol=1e-5)
    assert (np.diff(served) >= 0).all()
    assert model.predict(rows[:0]).shape == (0, 3)
    # The student alone is what it is.
    alone = OnnxRegressor(to_onnx(slim(est), rows)).predict(rows)
    np.testing.assert_allclose(alone, est.student_.predict(rows), atol=1e-5)


def test_onnx_of_8_bits_and_missing_numbers():
    pytest.importorskip("onnx")
    rows = X.astype(np.float32)
    est = fit(
        student=make_pipeline(SimpleImputer(), LinearRegression()), rows=(rows, Y)
    )
    model = to_onnx(est, rows, Y, quantize="int8-weights", tolerance=0.1)
    served = OnnxRegressor(model).predict(rows)
    np.testing.assert_allclose(served, est.predict(rows), atol=0.1)
    missing = np.where(rows[:, [0, 0]] > 0, rows, np.nan)
    served = OnnxRegressor(to_onnx(est, rows)).predict(missing)
    np.testing.assert_allclose(served, est.predict(missing), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"quantiles": (0.5, 0.1)}, ValueError, "levels that rise within"),
        ({"quantiles": (0.5, 0.5)}, ValueError, "levels that rise within"),
        ({"quantiles": (0.0, 0.5)}, ValueError, "levels that rise within"),
        ({"quantiles": 0.5}, ValueError, "levels that rise within"),
        ({"quantiles": ()}, ValueError, "levels that rise within"),
        ({"alpha": 0.5}, ValueError, "received alpha=0.5"),
        ({"fine_tune": 3}, ValueError, "received fine_tune=3"),
        ({"max_labels": 100}, ValueError, "received max_labels=100"),
        (
            {"cv": [(np.arange(200), np.arange(200, 400))]},
            ValueError,
            "received cv=list. Pass a splitter",
        ),
        ({"teacher": make_teacher()[:2]}, ValueError, "one regressor a quantile, 3;"),
        ({"teacher": make_teacher()[::-1]}, ValueError, "of the quantile 0.9"),
        (
            {"teacher": [make_teacher()[0].fit(X, Y), *make_teacher()[1:]]},
            ValueError,
            "received 1 fitted ones of 3",
        ),
        ({"teacher": LinearRegression()}, ValueError, r"shape \(320, 3\), received"),
        (
            {"teacher": FunctionRegressor(lambda X: tell_quantiles(X)[:, :2])},
            ValueError,
            "With quantiles, the predict of the teacher",
        ),
        (
            {"teacher": FunctionRegressor(lambda X: tell_quantiles(X)[:, ::-1])},
            ValueError,
            "must rise with the quantiles",
        ),
        ({"rows": (X, np.column_stack([Y, Y]))}, ValueError, "Quantiles are of one"),
        ({"student": SVR()}, ValueError, "Wrap it in MultiOutputRegressor, or"),
        ({"student": KNeighborsRegressor()}, TypeError, "must take a shift of each"),
    ],
)
def test_refused(settings, error, said):
    with pytest.raises(error, match=said):
        fit(**settings)


def boosted(**params):
    return LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1, **params)


@pytest.mark.parametrize(
    "student",
    [
        PoissonRegressor(),
        TweedieRegressor(power=1.5),
        HistGradientBoostingRegressor(loss="poisson"),
        boosted(objective="poisson"),
        boosted(reg_sqrt=True),
        boosted(linear_tree=True),
        boosted(boosting="rf", subsample=0.5, subsample_freq=1),
        GridSearchCV(HistGradientBoostingRegressor(), {"loss": ["gamma"]}),
        MLPRegressor(loss="poisson"),
    ],
    ids=repr,
)
def test_a_student_whose_predictions_are_no_sums_takes_no_shift(student):
    """One number before a link or a transform is another one in each row."""
    student = MultiOutputRegressor(student)
    with pytest.raises(TypeError, match="must take a shift of each"):
        fit(student=student, rows=(X, np.exp(Y)))


def test_one_answer_for_all_validation_rows_has_their_weights():
    """The weighted median of y_val is 10; a teacher that says 5 knows less."""
    y_val = np.repeat([0.0, 10.0], 60)
    weight = np.where(y_val > 0, 1.0, 0.001)
    X_val = np.column_stack([np.full(120, 5 / 3), np.zeros(120)])
    median = FunctionRegressor(lambda rows: 3 * rows[:, 0])
    est = DistilledRegressor(median, LinearRegression(), quantiles=(0.5,), **ONCE)
    given = {"X_val": X_val, "y_val": y_val, "sample_weight_val": weight}
    with pytest.warns(UserWarning, match="no better than one answer for all rows on"):
        est.fit(X, Y, **given)


def test_list_without_quantiles_is_refused():
    with pytest.raises(TypeError, match="must be a regressor, received list"):
        fit(make_teacher(), quantiles=None)


def test_few_held_out_rows_warn():
    with pytest.warns(UserWarning, match="at least 9: the outer ones"):
        fit(rows=(X[:30], Y[:30]))


@pytest.mark.slow
def test_coverage_on_fresh_rows():
    """Within 3 points of nominal in the mean of five seeds, of which each is noisy."""
    rows, y = draw(20_000, seed=99)
    covered = []
    for seed in range(5):
        teacher = make_teacher()
        est = DistilledRegressor(
            teacher,
            DecisionTreeRegressor(max_depth=5),
            quantiles=LEVELS,
            random_state=seed,
        ).fit(*draw(1500, seed=seed))
        covered.append((y[:, None] <= est.predict(rows)).mean(axis=0))
    covered = np.mean(covered, axis=0)
    np.testing.assert_allclose(covered, LEVELS, atol=0.03)
    assert covered[2] - covered[0] == pytest.approx(0.8, abs=0.03)


def test_quantile_regression_of_scikit_learn_as_teacher():
    """A line's quantiles in a line are those of QuantileRegressor, shifted."""
    teacher = [QuantileRegressor(quantile=q, alpha=0) for q in LEVELS]
    est = fit(teacher)
    coef = [member.coef_ for member in est.teacher_.estimators_]
    np.testing.assert_allclose(est.student_.coef_, coef, atol=1e-6)
