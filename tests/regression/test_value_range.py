"""Students of counts and shares, whose teacher says a little less than 0."""

import importlib
import warnings

import numpy as np
import pytest
from lightgbm import LGBMRegressor
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    StackingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    GammaRegressor,
    LinearRegression,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler

from skdistill import DistilledRegressor, FunctionRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 5))
COUNTS = RNG.poisson(np.exp(1.2 * X[:, 0] + 0.5 * X[:, 1] - 0.5)).astype(float)
TEACHER = FrozenEstimator(LinearRegression().fit(X, COUNTS))
LABELS = TEACHER.predict(X)


def boost(**params):
    return LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1, **params)


def transform(func, inverse, model=None):
    model = Ridge() if model is None else model
    return TransformedTargetRegressor(model, func=func, inverse_func=inverse)


def optional(package, name, **params):
    if importlib.util.find_spec(package) is None:
        return None
    return getattr(importlib.import_module(package), name)(**params)


#: Students, and the true values: a gamma loss and a logarithm take none of 0.
LIMITED = {
    "glm": (PoissonRegressor(), COUNTS),
    "gamma": (GammaRegressor(), COUNTS + 0.1),
    "tweedie": (TweedieRegressor(power=1.5, link="log"), COUNTS),
    "pipeline": (make_pipeline(StandardScaler(), PoissonRegressor()), COUNTS),
    "search": (GridSearchCV(PoissonRegressor(), {"alpha": [0.1, 1]}, cv=2), COUNTS),
    "stack": (StackingRegressor([("a", PoissonRegressor())], cv=2), COUNTS),
    "lightgbm": (boost(objective="poisson"), COUNTS),
    "lightgbm tweedie": (boost(objective="tweedie"), COUNTS),
    "lightgbm gamma": (boost(objective="gamma"), COUNTS + 0.1),
    "hist": (HistGradientBoostingRegressor(loss="poisson", max_iter=5), COUNTS),
    "hist gamma": (
        HistGradientBoostingRegressor(loss="gamma", max_iter=5),
        COUNTS + 0.1,
    ),
    "forest": (
        RandomForestRegressor(3, criterion="poisson", max_depth=3, random_state=0),
        COUNTS,
    ),
    "square root": (transform(np.sqrt, np.square), COUNTS),
    "logarithm": (transform(np.log, np.exp), COUNTS + 0.1),
    "box-cox": (
        TransformedTargetRegressor(Ridge(), transformer=PowerTransformer("box-cox")),
        COUNTS + 0.1,
    ),
    **{
        f"xgboost {loss}": (
            optional("xgboost", "XGBRegressor", objective=loss, n_estimators=5),
            COUNTS + (loss == "reg:gamma"),
        )
        for loss in ("count:poisson", "reg:gamma", "reg:tweedie", "reg:logistic")
    },
    **{
        f"catboost {loss}": (
            optional(
                *("catboost", "CatBoostRegressor"),
                loss_function=loss,
                n_estimators=5,
                verbose=0,
                allow_writing_files=False,
            ),
            COUNTS,
        )
        for loss in ("Poisson", "Tweedie:variance_power=1.5")
    },
}


def distil(student, y, **params):
    settings = {"augmenter": None, "alpha": 1.0, "pilot": 0, "random_state": 0}
    settings = {"teacher": TEACHER, **settings, **params}
    est = DistilledRegressor(student=student, **settings)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        est.fit(X, y)
    return est, [w for w in said if "does not take all labels" in str(w.message)]


@pytest.mark.parametrize("name", LIMITED)
def test_labels_beyond_what_a_student_learns_are_those_of_the_border(name):
    student, y = LIMITED[name]
    if student is None:
        pytest.skip("the library is not installed")
    student = student.set_params(n_jobs=1) if "xgboost" in name else student
    labels = np.maximum(LABELS, y.min())
    if "logistic" in name:
        y = y / y.max()
        labels = np.clip(LABELS, 0, 1)
    est, (warning,) = distil(student, y)
    expected = clone(student).fit(X, labels)
    np.testing.assert_allclose(est.predict(X), expected.predict(X), rtol=1e-6)
    moved = np.abs(labels - LABELS)
    far, side = moved.argmax(), "highest" if "logistic" in name else "lowest"
    text = f"the {side} is {LABELS[far]:.4g}, and that of y {labels[far]:.4g}"
    assert text in str(warning.message)
    assert f"of {(moved > 0).sum()} of 600 rows" in str(warning.message)
    assert warning.filename == __file__


UNLIMITED = {
    "ridge": Ridge(),
    "normal": TweedieRegressor(power=0),
    "lightgbm": boost(),
    "hist": HistGradientBoostingRegressor(max_iter=5),
    "scaled": TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
    # No label is below -1.
    "logarithm of 1 + y": transform(lambda y: np.log1p(y / 9), lambda z: np.expm1(z)),
}


@pytest.mark.parametrize("name", UNLIMITED)
def test_other_students_learn_labels_as_they_are(name):
    student = UNLIMITED[name]
    if isinstance(student, TransformedTargetRegressor):
        student = student.set_params(check_inverse=False)
    est, said = distil(student, COUNTS)
    assert not said
    expected = clone(student).fit(X, LABELS)
    np.testing.assert_allclose(est.predict(X), expected.predict(X), rtol=1e-6)


def test_shares_of_0_and_of_1_are_learned_as_they_are():
    """Though no true value is as large: cross-entropy has both in its range."""
    labels = np.clip(LABELS, 0, 1)
    teacher = FunctionRegressor(lambda rows: np.clip(TEACHER.predict(rows), 0, 1))
    student = boost(objective="cross_entropy")
    est, said = distil(student, COUNTS / COUNTS.max() * 0.9, teacher=teacher)
    assert labels.min() == 0
    assert labels.max() == 1
    assert not said
    expected = clone(student).fit(X, labels)
    np.testing.assert_allclose(est.predict(X), expected.predict(X), rtol=1e-6)


def test_rows_in_chunks_have_the_same_border():
    fits = []
    for given in (X[300:], list(np.array_split(X[300:], 4))):
        est = DistilledRegressor(TEACHER, PoissonRegressor(), alpha=1.0, pilot=0)
        est.set_params(augmenter=None, random_state=0)
        with pytest.warns(UserWarning, match="does not take all labels") as said:
            est.fit(X[:300], COUNTS[:300], X_unlabeled=given)
        assert sum("does not take all" in str(w.message) for w in said) == 1
        fits.append(est.predict(X))
    np.testing.assert_allclose(fits[1], fits[0], rtol=1e-6)


def test_a_student_of_counts_gains_from_a_teacher_that_says_less_than_0():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1200, 5))
    y = rng.poisson(np.exp(1.2 * rows[:, 0] + 0.5 * rows[:, 1] - 0.5)).astype(float)
    teacher = GradientBoostingRegressor(random_state=0)
    student = transform(np.sqrt, np.square, LGBMRegressor(n_jobs=1, verbose=-1))
    distilled = DistilledRegressor(teacher, student, random_state=0)
    distilled.fit(rows[:800], y[:800])
    assert distilled.teacher_.predict(rows[:800]).min() < 0
    direct = clone(student).fit(rows[:800], y[:800])
    rest, expected = rows[800:], y[800:]
    error = root_mean_squared_error(expected, distilled.predict(rest))
    assert error < root_mean_squared_error(expected, direct.predict(rest))
