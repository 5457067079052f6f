"""DistilledRegressor: the values that a student learns, and what decides on them."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from _common_checks import parametrize_with_common_checks
from _samplers import Echo
from _values import ALONE, Recorder, make_values
from lightgbm import LGBMRegressor
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_predict,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
)

from skdistill import DistilledClassifier, DistilledRegressor, FunctionRegressor

X, Y = make_values(200)
PAIR = np.column_stack([Y, 100 * X[:, 0] - Y])
WEIGHT = np.random.default_rng(0).integers(1, 4, len(Y)).astype(float)


RIDGE, RECORDER = Ridge(), Recorder()


def distil(teacher=RIDGE, student=RECORDER, X=X, y=Y, fit=None, **params):
    settings = {"random_state": 0, **ALONE, **params}
    est = DistilledRegressor(teacher, student, **settings)
    return est.fit(X, y, **(fit or {}))


# What is learned ---------------------------------------------------------------------


@pytest.mark.parametrize("y", [Y, PAIR], ids=["one", "two"])
@pytest.mark.parametrize("alpha", [1.0, 0.3, 0.0])
def test_targets_blend_the_values_of_teacher_and_rows(alpha, y):
    est = distil(alpha=alpha, y=y)
    said = Ridge().fit(X, y).predict(X)
    np.testing.assert_allclose(est.student_.y_, alpha * said + (1 - alpha) * y)
    assert est.alpha_ == alpha
    assert est.distilled_ == (alpha > 0)
    assert est.n_outputs_ == (1 if y is Y else 2)


def test_a_teacher_that_predicts_from_its_prior_too_is_fitted():
    """The mean of a Gaussian process is kernel ridge regression."""
    teacher = GaussianProcessRegressor(alpha=0.1, optimizer=None)
    est = distil(teacher, cv=KFold(3))
    same = KernelRidge(kernel="rbf", gamma=0.5, alpha=0.1)
    np.testing.assert_allclose(est.teacher_.predict(X), same.fit(X, Y).predict(X))
    said = cross_val_predict(same, X, Y, cv=KFold(3))
    np.testing.assert_allclose(est.student_.y_, said, rtol=1e-6)


@pytest.mark.parametrize(
    ("student", "ratio"),
    [
        (KernelRidge(), 4),
        (make_pipeline(StandardScaler(), KernelRidge()), 4),
        (GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=2), 20),
        (GridSearchCV(KernelRidge(), {"alpha": [1.0]}, cv=2), 4),
        (TransformedTargetRegressor(KernelRidge()), 4),
        (MultiOutputRegressor(KernelRidge()), 4),
        (KNeighborsRegressor(), 20),
    ],
)
def test_a_small_table_of_a_kernel_machine_has_fewer_rows_made(student, ratio):
    """Its fit takes the square of the rows, or more."""
    made = Echo()
    y = PAIR if isinstance(student, MultiOutputRegressor) else Y
    est = distil(student=student, augmenter=made, y=y)
    assert est.labels_asked_["transfer"] == ratio * len(Y)


def test_a_transfer_set_follows_with_the_teachers_values():
    given = np.random.default_rng(1).uniform(size=(7, 5))
    settings = {"augmenter": Echo(), "n_synthetic": 50, "alpha": 0.5}
    est = distil(fit={"X_unlabeled": given, "sample_weight": WEIGHT}, **settings)
    teacher = Ridge().fit(X, Y, WEIGHT)
    student = est.student_
    np.testing.assert_array_equal(student.X_[:207], np.concatenate([X, given]))
    assert len(student.X_) == 257
    np.testing.assert_allclose(student.y_[:200], (teacher.predict(X) + Y) / 2)
    np.testing.assert_allclose(student.y_[200:], teacher.predict(student.X_[200:]))
    # A synthetic row weighs what its parent does, one without a value the mean.
    np.testing.assert_allclose(student.sample_weight_[:200], WEIGHT)
    np.testing.assert_allclose(student.sample_weight_[200:207], WEIGHT.mean())
    np.testing.assert_allclose(student.sample_weight_[207:], WEIGHT[:50])
    assert est.augmenter_.p == 1


@pytest.mark.parametrize("cv", [3, KFold(4)])
def test_out_of_fold_values_are_those_of_cross_val_predict(cv):
    teacher = DecisionTreeRegressor(random_state=0)
    est = distil(teacher, cv=cv)
    expected = cross_val_predict(teacher, X, Y, cv=cv)
    np.testing.assert_array_equal(est.student_.y_, expected)
    np.testing.assert_array_equal(est.teacher_.predict(X), teacher.fit(X, Y).predict(X))


def test_fixed_teachers_and_stored_values_are_learned_alike():
    teacher = KNeighborsRegressor().fit(X, Y)
    said = teacher.predict(X)
    for fixed in (
        FrozenEstimator(teacher),
        FunctionRegressor(teacher.predict, batch_size=30),
        FunctionRegressor(lambda rows: pd.Series(teacher.predict(rows))),
    ):
        est = distil(fixed)
        np.testing.assert_array_equal(est.student_.y_, said)
        assert est.teacher_.predict(X).shape == (200,)
    stored = DistilledRegressor(None, Recorder(), **ALONE)
    stored.fit(X, Y, teacher_prediction=said)
    np.testing.assert_array_equal(stored.student_.y_, said)
    assert stored.teacher_ is None


def test_the_student_serves():
    est = distil(student=Ridge())
    np.testing.assert_array_equal(est.predict(X), est.student_.predict(X))
    assert est.score(X, Y) == est.student_.score(X, Y)
    assert type(pickle.loads(pickle.dumps(est.student_))) is Ridge


# What decides ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def piloted():
    rows, y = make_values(500)
    weight = np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
    student = DecisionTreeRegressor(max_depth=4, random_state=0)
    teacher = ExtraTreesRegressor(20)
    est = DistilledRegressor(teacher, student, cv=KFold(5), random_state=0)
    return est.fit(rows, y, sample_weight=weight), rows, y, weight


def test_pilots_are_scored_by_weighted_squared_errors(piloted):
    """The pilot of the true values is a stock fit without the first fold."""
    est, rows, y, weight = piloted
    by_name = {pilot["learns from"]: pilot for pilot in est.pilots_}
    # In-sample values of these trees are the true ones: no blend is tried.
    names = ["transfer set", "far transfer set", "training rows", "true labels"]
    assert list(by_name) == names
    held_out, others = slice(0, 100), slice(100, None)
    pilot = DecisionTreeRegressor(max_depth=4, random_state=0)
    pilot.fit(rows[others], y[others], weight[others])
    served = pilot.predict(rows[held_out])
    settings = {"sample_weight": weight[held_out]}
    assert by_name["true labels"] == {
        "learns from": "true labels",
        "alpha": 0.0,
        "rmse": pytest.approx(root_mean_squared_error(y[held_out], served, **settings)),
        "r2": pytest.approx(r2_score(y[held_out], served, **settings)),
        "chosen": not est.distilled_,
    }
    assert sum(other["chosen"] for other in est.pilots_) == 1


@pytest.mark.parametrize("y", [0, 1], ids=["one", "two"])
def test_validation_rows_choose_and_are_not_learned(y):
    """Pilots learn all of X, and are scored on X_val under its weights."""
    rows, one = make_values(600)
    both = np.column_stack([one, 3 * rows[:, 0]])
    target = [one, both][y]
    weight = np.random.default_rng(0).uniform(0.5, 2, 100)
    student = DecisionTreeRegressor(max_depth=5, random_state=0)
    teacher = FrozenEstimator(ExtraTreesRegressor(10).fit(rows[:500], target[:500]))
    est = DistilledRegressor(teacher, student, random_state=0)
    given = {"X_val": rows[500:], "y_val": target[500:], "sample_weight_val": weight}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        est.fit(rows[:500], target[:500], **given)
    direct = clone(student).fit(rows[:500], target[:500]).predict(rows[500:])
    pilot = next(p for p in est.pilots_ if p["learns from"] == "true labels")
    expected = r2_score(target[500:], direct, sample_weight=weight)
    assert pilot["r2"] == pytest.approx(expected)
    unseen = r2_score(target[500:], teacher.predict(rows[500:]), sample_weight=weight)
    assert est.memorization_["r2_out_of_fold"] == pytest.approx(unseen)


def test_memorised_values_are_told_by_r2(piloted):
    figures = piloted[0].memorization_
    assert set(figures) == {"r2_in_sample", "r2_out_of_fold"}
    # Trees without a bootstrap repeat the values of their own rows.
    assert figures["r2_in_sample"] == pytest.approx(1, abs=1e-9)
    assert 0.5 < figures["r2_out_of_fold"] < 0.95


def test_a_teacher_without_an_advantage_is_dropped_with_a_warning():
    rows, y = make_values(500)
    est = DistilledRegressor(DummyRegressor(), LinearRegression(), random_state=0)
    with pytest.warns(UserWarning, match="no better than the student trained directly"):
        est.fit(rows, y)
    assert not est.distilled_
    expected = LinearRegression().fit(rows, y)
    np.testing.assert_allclose(est.predict(rows), expected.predict(rows))


@pytest.mark.slow
def test_values_without_noise_are_learned_for_long():
    """A teacher of steps is better at first, a network of true values in the end."""
    rng = np.random.default_rng(0)
    rows = rng.uniform(-1, 1, (1640, 4))
    y = np.sin(4 * rows[:, 0]) * rows[:, 1] + np.cos(3 * rows[:, 2]) * rows[:, 3]
    given, new = (rows[:640], y[:640]), rows[640:]
    network = MLPRegressor(hidden_layer_sizes=(32,), max_iter=100, random_state=0)
    teacher = ExtraTreesRegressor(30, random_state=0)
    est = DistilledRegressor(teacher, network, n_synthetic=1280, random_state=0)
    est.fit(*given)
    assert not est.distilled_
    # As many updates as over a transfer set.
    direct = clone(network).set_params(max_iter=300).fit(*given)
    losses = [((y[640:] - m.predict(new)) ** 2).mean() for m in (est, direct)]
    assert losses[0] < losses[1]


def test_small_tables_compare_on_every_fold():
    est = DistilledRegressor(Ridge(), DecisionTreeRegressor(max_depth=3))
    est.set_params(random_state=0).fit(X, Y)
    names = [pilot["learns from"] for pilot in est.pilots_]
    assert names == ["transfer set", "true labels"]
    best = min(est.pilots_, key=lambda pilot: pilot["rmse"])
    assert best["chosen"]


def test_outputs_count_in_units_of_their_variance():
    """A second output in other units changes no figure and no choice."""
    rows, y = make_values(500)
    found = []
    for unit in (1.0, 1e4):
        both = np.column_stack([y, unit * (rows[:, 0] - y)])
        parts = KNeighborsRegressor(2), KNeighborsRegressor()
        est = DistilledRegressor(*parts, random_state=0).fit(rows, both)
        found.append([pilot["rmse"] for pilot in est.pilots_])
        assert est.predict(rows).shape == (500, 2)
    np.testing.assert_allclose(*found, rtol=1e-6)


def test_the_advice_names_how_the_student_was_trained_directly():
    """A network alone does not learn values with an offset."""
    rows, y = make_values(300)
    y = y + 1e6
    train, test = (rows[:180], y[:180]), (rows[180:], y[180:])
    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=300, random_state=0)
    with pytest.warns(UserWarning, match="The teacher is no better") as caught:
        DistilledRegressor(
            KNeighborsRegressor(100), network, n_synthetic=100, random_state=0
        ).fit(*train)
    said = " ".join(str(w.message) for w in caught)
    assert "alone, in a TransformedTargetRegressor with a StandardScaler." in said
    alone = clone(network).fit(*train)
    advised = TransformedTargetRegressor(network, transformer=StandardScaler())
    assert alone.score(*test) < 0 < advised.fit(*train).score(*test)


@pytest.mark.parametrize(
    ("student", "quantiles", "several"),
    [(Ridge(), None, True), (SGDRegressor(), None, False), (Ridge(), (0.5,), False)],
)
def test_tags_say_whether_it_takes_several_outputs(student, quantiles, several):
    est = DistilledRegressor(LinearRegression(), student, quantiles=quantiles)
    assert get_tags(est).target_tags.multi_output is several


def test_the_default_teacher_takes_heavy_tails_as_they_are():
    """The check of its scaler's inverse takes rounding for a fault."""
    rng = np.random.RandomState(0)
    rows = rng.normal(size=(120, 3))
    y = np.exp(12 * rows[:, 0] + rng.normal(size=120))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*strictly inverse")
        DistilledRegressor(None, Ridge(), augmenter=None, random_state=0).fit(rows, y)


def test_a_student_that_scales_nothing_is_advised_as_it_is():
    rows, y = make_values(700)
    with pytest.warns(UserWarning, match="or the student alone.$"):
        DistilledRegressor(
            KNeighborsRegressor(100), Ridge(), n_synthetic=100, random_state=0
        ).fit(rows[:600], y[:600])


# Teachers, students and tables -------------------------------------------------------


def test_transformed_targets_as_teacher_and_student():
    y = np.exp(Y / 5)
    part = TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp)
    est = distil(part, part, y=y, fit={"sample_weight": WEIGHT})
    teacher = clone(part).fit(X, y, sample_weight=WEIGHT)
    student = clone(part).fit(X, teacher.predict(X), sample_weight=WEIGHT)
    np.testing.assert_allclose(est.predict(X), student.predict(X))


@pytest.mark.parametrize(
    "student",
    [
        Ridge(),
        SGDRegressor(random_state=0),
        DecisionTreeRegressor(max_depth=3, random_state=0),
        RandomForestRegressor(3, random_state=0),
        HistGradientBoostingRegressor(max_iter=3),
        KNeighborsRegressor(),
        MLPRegressor("poisson", (4,), max_iter=3, random_state=0),
        LGBMRegressor(boosting_type="dart", n_estimators=3, n_jobs=1, verbose=-1),
        LGBMRegressor(n_estimators=3, objective="mae", n_jobs=1, verbose=-1),
        GridSearchCV(Ridge(), {"alpha": [0.1, 10]}, cv=2),
        make_pipeline(StandardScaler(), Ridge()),
        MultiOutputRegressor(Ridge()),
    ],
    ids=lambda student: type(student).__name__,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_other_students_fit_all_rows_together(student):
    """By their own `fit`; of a Pipeline the last step alone sees the transfer set."""
    y = PAIR if isinstance(student, MultiOutputRegressor) else np.abs(Y)
    settings = {"augmenter": Echo(), "n_synthetic": 150}
    est = distil(Ridge(), student, y=y, **settings)
    teacher = Ridge().fit(X, y)
    rows = np.concatenate([X, X[:150]])
    said = np.concatenate([teacher.predict(X), teacher.predict(X[:150])])
    expected = clone(student)
    if hasattr(expected, "steps"):
        scaled = expected[0].fit(X).transform(rows)
        expected[-1].fit(scaled, said)
    else:
        expected.fit(rows, said)
    np.testing.assert_allclose(est.predict(X), expected.predict(X), atol=1e-10)


def test_tables_with_text_and_missing_values_have_defaults():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(X.copy(), columns=list("abcde"))
    table["kind"] = np.array(["low", "mid", "high"])[rng.integers(3, size=200)]
    table.loc[::9, "a"] = np.nan
    y = Y + 10 * (table["kind"] == "high")
    est = DistilledRegressor(pilot=0, random_state=0).fit(table, y)
    assert est.score(table, y) > 0.8
    assert [name for name, _ in est.student_.steps] == ["columns", "mlp"]
    assert type(est.student_[-1]) is MLPRegressor
    assert est.feature_names_in_.tolist() == list(table.columns)


def test_the_default_teacher_of_several_outputs():
    est = DistilledRegressor(student=Ridge(), random_state=0, **ALONE)
    est.fit(X, PAIR, sample_weight=WEIGHT)
    assert est.teacher_.predict(X).shape == PAIR.shape
    assert est.teacher_.score(X, PAIR) > 0.8


def test_sparse_rows_and_data_frames():
    sparse = csr_matrix(np.where(X > 0.5, X, 0))
    settings = {"augmenter": "munge", "n_synthetic": 60}
    est = distil(Ridge(), Ridge(), X=sparse, **settings)
    dense = distil(Ridge(), Ridge(), X=sparse.toarray(), **settings)
    assert est.score(sparse, Y) == pytest.approx(dense.score(sparse, Y), abs=0.1)
    frame = pd.DataFrame({"n": X[:, 3], "kind": np.where(X[:, 0] > 0.5, "a", "b")})
    encode = OneHotEncoder(handle_unknown="ignore")
    part = make_pipeline(encode, Ridge())
    est = distil(part, part, X=frame, augmenter="munge", n_synthetic=60)
    assert est.predict(frame).shape == (200,)


def test_chunks_are_learned_as_the_table_is():
    rows, _ = make_values(300, seed=1)
    student = make_pipeline(StandardScaler(), Ridge())
    whole, chunked = (
        distil(Ridge(), student, fit={"X_unlabeled": given})
        for given in (rows, [rows[:100], rows[100:]])
    )
    np.testing.assert_allclose(chunked.predict(X), whole.predict(X))


def test_metadata_is_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        teacher = Recorder().set_fit_request(sample_weight=True, tag="teacher_tag")
        student = Recorder().set_fit_request(sample_weight=False, tag=True)
        Recorder.fits.clear()
        est = distil(
            teacher, student, fit={"sample_weight": WEIGHT, "teacher_tag": 1, "tag": 2}
        )
    np.testing.assert_array_equal(est.teacher_.sample_weight_, WEIGHT)
    assert (est.teacher_.tag_, est.student_.tag_) == (1, 2)
    assert est.student_.sample_weight_ is None


# What is refused ---------------------------------------------------------------------

TWO = MultiOutputRegressor(LGBMRegressor())
REFUSED = {
    "classifier as teacher": (
        {"teacher": sklearn.linear_model.LogisticRegression()},
        {},
        TypeError,
        "The teacher must be a regressor, received LogisticRegression",
    ),
    "classifier as student": (
        {"student": sklearn.linear_model.LogisticRegression()},
        {},
        TypeError,
        "The student must be a regressor, received LogisticRegression",
    ),
    "class as student": (
        {"student": Ridge},
        {},
        TypeError,
        "The student must be a regressor, received Ridge. Pass an instance",
    ),
    "function as teacher": (
        {"teacher": np.sum},
        {},
        TypeError,
        r"Wrap it: FunctionRegressor\(func\)",
    ),
    "text in y": ({}, {"y": ["a"] * 200}, ValueError, "y must hold a finite number"),
    "NaN in y": (
        {},
        {"y": np.r_[Y[:-1], np.nan]},
        ValueError,
        "y must hold a finite number for every row",
    ),
    "two outputs of a student of one": (
        {"student": LGBMRegressor()},
        {"y": PAIR},
        ValueError,
        "With 2 outputs the student must learn several; received LGBMRegressor",
    ),
    "two outputs of a teacher of one": (
        {"teacher": make_pipeline(LGBMRegressor())},
        {"y": PAIR},
        ValueError,
        "With 2 outputs the teacher must learn several; received LGBMRegressor",
    ),
    "weights of a student without": (
        {"student": KNeighborsRegressor()},
        {"sample_weight": WEIGHT},
        TypeError,
        "the student's fit must take sample_weight; KNeighborsRegressor",
    ),
    "weights of a student around a Pipeline": (
        {"student": MultiOutputRegressor(make_pipeline(Ridge()))},
        {"sample_weight": WEIGHT, "y": PAIR},
        TypeError,
        "the student's fit must take sample_weight; MultiOutputRegressor",
    ),
    "weights of a teacher around a Pipeline": (
        {"teacher": TransformedTargetRegressor(make_pipeline(Ridge()))},
        {"sample_weight": WEIGHT},
        TypeError,
        "the teacher's fit must take sample_weight; TransformedTargetRegressor",
    ),
    "weights of a member around neighbours": (
        {
            "teacher": VotingRegressor(
                [("m", MultiOutputRegressor(KNeighborsRegressor()))]
            )
        },
        {"sample_weight": WEIGHT},
        TypeError,
        "the teacher's fit must take sample_weight; VotingRegressor",
    ),
    "stored values of another shape": (
        {"teacher": None},
        {"teacher_prediction": PAIR},
        ValueError,
        r"teacher_prediction must have one value a row and output, shape \(200,\), "
        r"received \(200, 2\)",
    ),
    "stored values and a teacher": (
        {"teacher": Ridge()},
        {"teacher_prediction": Y},
        ValueError,
        "teacher_prediction stands in for the teacher",
    ),
    "a teacher that predicts NaN": (
        {"teacher": FunctionRegressor(lambda rows: np.full(len(rows), np.nan))},
        {},
        ValueError,
        "The predict of the teacher|of the FunctionRegressor returns must be finite",
    ),
    "fine-tuning of a student that cannot": (
        {"fine_tune": 3},
        {},
        TypeError,
        r"Set fine_tune=0, or use MLPRegressor \(adam or sgd\)\.",
    ),
    "validation rows of other outputs": (
        {},
        {"X_val": X, "y_val": PAIR},
        ValueError,
        r"y_val must have as many outputs as y; received y_val of shape \(200, 2\)",
    ),
    "alpha": ({"alpha": 2}, {}, ValueError, "alpha must be"),
    "groups of no row": (
        {"quantiles": (0.5,), "cv": GroupKFold(3)},
        {},
        ValueError,
        "To give them, enable metadata routing",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_fix_and_change_nothing(name):
    params, fit, error, message = REFUSED[name]
    est = DistilledRegressor(**{"teacher": Ridge(), "student": Ridge(), **params})
    est.set_params(**ALONE)
    before = dict(vars(est))
    with pytest.raises(error, match=message):
        est.fit(X, fit.pop("y", Y) if "y" in (fit := dict(fit)) else Y, **fit)
    assert vars(est) == before


def test_a_classifier_of_values_names_the_regressor():
    parts = sklearn.linear_model.LogisticRegression(), DecisionTreeRegressor()
    with pytest.raises(ValueError, match="DistilledRegressor learns values"):
        DistilledClassifier(*parts).fit(X, Y)


@pytest.mark.parametrize(
    ("y", "weight", "received"),
    [
        (np.full(600, 7.5), None, r"7\.5, in all rows that count, 600"),
        (np.r_[np.arange(300.0), np.ones(300)], np.arange(600) // 300, r"1\.0, .* 300"),
        (np.tile([1.0, 2.0], (600, 1)), None, r"\[1\.0, 2\.0\], .* 600"),
    ],
    ids=["everywhere", "where weights are positive", "two outputs"],
)
def test_one_value_is_nothing_to_distil(y, weight, received):
    """And nothing else is said: the teacher has no advantage, as no model has."""
    rows = np.random.default_rng(0).normal(size=(600, 5))
    est = DistilledRegressor(Ridge(), DecisionTreeRegressor(), random_state=0)
    text = f"y holds one value, {received}: there is"
    with pytest.warns(UserWarning, match=text) as said:
        est.fit(rows, y, sample_weight=weight)
    assert len(said) == 1


# scikit-learn's contract -------------------------------------------------------------

COMBINATIONS = {
    "ridge-linear": DistilledRegressor(Ridge(), LinearRegression(), **ALONE),
    "forest-mlp": DistilledRegressor(
        RandomForestRegressor(5),
        MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", max_iter=60),
        **ALONE,
    ),
    "boosting-lightgbm": DistilledRegressor(
        HistGradientBoostingRegressor(max_iter=10),
        LGBMRegressor(n_estimators=5, min_child_samples=2, verbose=-1, n_jobs=1),
        **ALONE,
    ),
}

#: Parts whose own rules count rows, whatever the weights.
ROW_COUNTERS = {
    "forest-mlp": RandomForestRegressor(5),
    "boosting-lightgbm": HistGradientBoostingRegressor(max_iter=9, min_samples_leaf=2),
}


def expected_failures(estimator):
    name = next(n for n, e in COMBINATIONS.items() if e is estimator)
    if name not in ROW_COUNTERS:
        return {}
    check = "check_sample_weight_equivalence_on_{}_data"
    reason = f"so does {ROW_COUNTERS[name]} alone"
    return {check.format(kind): reason for kind in ("dense", "sparse")}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_common_checks(COMBINATIONS, expected_failures)
def test_common_checks_of_regressors(estimator, check):
    check(estimator)


def count_rows_too(estimator):
    check = "check_sample_weight_equivalence_on_{}_data"
    reason = "LightGBM limits leaves by rows"
    return {check.format(kind): reason for kind in ("dense", "sparse")}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_common_checks(
    {"defaults": DistilledRegressor(**ALONE)}, count_rows_too
)
def test_common_checks_of_the_default_regressor(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore")
def test_a_regressor_that_counts_rows_fails_on_its_own():
    part = ROW_COUNTERS["boosting-lightgbm"]
    with pytest.raises(AssertionError, match="not equivalent"):
        check_sample_weight_equivalence_on_dense_data(type(part).__name__, part)


def test_in_a_search_and_a_pipeline():
    grid = {"student__alpha": [0.1, 1e4], "alpha": [0.5, 1.0]}
    search = GridSearchCV(DistilledRegressor(Ridge(), Ridge(), **ALONE), grid, cv=2)
    found = make_pipeline(StandardScaler(), search).fit(X, Y)[-1]
    assert found.best_params_["student__alpha"] == 0.1
    nested = distil(found.best_estimator_, DecisionTreeRegressor(max_depth=2))
    assert type(nested.teacher_) is DistilledRegressor


def test_no_deprecation_fires():
    with warnings.catch_warnings():
        for category in (FutureWarning, DeprecationWarning):
            warnings.simplefilter("error", category)
        distil(Ridge(), LGBMRegressor(n_estimators=3, n_jobs=1, verbose=-1))
