"""Students with a quantile loss are refused, wherever they stand, before any work."""

import pytest
from _values import make_values
from lightgbm import LGBMRegressor
from scipy.stats import uniform
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression, QuantileRegressor
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledRegressor

X, Y = make_values(60)
LINEAR = QuantileRegressor(quantile=0.9, alpha=0.1)
SHOWN = "QuantileRegressor(quantile=0.9)"


class Costly(RandomForestRegressor):
    """A teacher that must not be fitted for nothing."""

    def fit(self, X, y, sample_weight=None):
        raise AssertionError("the teacher was fitted before the mistake was noticed")


def refusal(student, **params):
    with pytest.raises(ValueError, match="whose quantile would be lost") as raised:
        DistilledRegressor(Costly(), student, **params).fit(X, Y)
    return str(raised.value)


@pytest.mark.parametrize(
    ("student", "received", "levels"),
    [
        (LINEAR, SHOWN, "(0.9,)"),
        (
            GradientBoostingRegressor(loss="quantile", alpha=0.1),
            "GradientBoostingRegressor(loss='quantile', alpha=0.1)",
            "(0.1,)",
        ),
        (
            HistGradientBoostingRegressor(loss="quantile", quantile=0.3),
            "HistGradientBoostingRegressor(loss='quantile', quantile=0.3)",
            "(0.3,)",
        ),
        (
            LGBMRegressor(objective="quantile", alpha=0.9),
            "LGBMRegressor(objective='quantile', alpha=0.9)",
            "(0.9,)",
        ),
        (
            LGBMRegressor(application="quantile"),
            "LGBMRegressor(application='quantile')",
            "(...)",
        ),
        (make_pipeline(StandardScaler(), LINEAR), SHOWN, "(0.9,)"),
        (TransformedTargetRegressor(LINEAR), SHOWN, "(0.9,)"),
        (GridSearchCV(LINEAR, {"alpha": [0.1, 1.0]}), SHOWN, "(0.9,)"),
        (BaggingRegressor(make_pipeline(LINEAR)), SHOWN, "(0.9,)"),
        (VotingRegressor([("q", LINEAR)]), SHOWN, "(0.9,)"),
        (StackingRegressor([("l", LinearRegression())], LINEAR), SHOWN, "(0.9,)"),
    ],
)
def test_a_quantile_loss_is_refused_before_any_teacher_is_fitted(
    student, received, levels
):
    text = refusal(student)
    assert f"received {received}" in text
    assert f"Pass quantiles={levels} with a teacher" in text
    assert "a student of squared error" in text


BOOSTED = HistGradientBoostingRegressor(quantile=0.2)
LOSSES = ["squared_error", "quantile"]


@pytest.mark.parametrize(
    ("student", "received"),
    [
        (GridSearchCV(BOOSTED, {"loss": LOSSES}), "loss='quantile', quantile=0.2"),
        (
            # One of several grids asks for it.
            GridSearchCV(
                make_pipeline(StandardScaler(), BOOSTED),
                [
                    {"histgradientboostingregressor__max_iter": [5, 9]},
                    {"histgradientboostingregressor__loss": LOSSES},
                ],
            ),
            "loss='quantile', quantile=0.2",
        ),
        (
            RandomizedSearchCV(
                TransformedTargetRegressor(BOOSTED),
                {"regressor": [LinearRegression(), LINEAR], "check_inverse": [False]},
            ),
            SHOWN,
        ),
        (
            make_pipeline(
                RandomizedSearchCV(
                    LGBMRegressor(alpha=0.7),
                    {"objective": ["l2", "quantile"], "reg_alpha": uniform(0, 1)},
                )
            ),
            "objective='quantile', alpha=0.7",
        ),
    ],
)
def test_a_search_that_tries_a_quantile_loss_is_refused(student, received):
    assert received in refusal(student)


def test_a_search_that_tries_other_losses_alone_is_learned():
    base = GradientBoostingRegressor(loss="quantile", n_estimators=3)
    search = GridSearchCV(base, {"loss": ["squared_error", "huber"]}, cv=2)
    est = DistilledRegressor(LinearRegression(), search, augmenter=None, random_state=0)
    assert est.fit(X, Y).student_.best_estimator_.loss != "quantile"


def test_losses_of_xgboost_and_catboost():
    xgboost = pytest.importorskip("xgboost")
    levels = [0.1, 0.9]
    student = xgboost.XGBRegressor(objective="reg:quantileerror", quantile_alpha=levels)
    assert "Pass quantiles=(0.1, 0.9) with" in refusal(student)
    catboost = pytest.importorskip("catboost")
    student = catboost.CatBoostRegressor(loss_function="Quantile:alpha=0.7")
    assert "Pass quantiles=(0.7,) with" in refusal(student)


def test_quantiles_are_learned_by_squared_error():
    assert SHOWN in refusal(LINEAR, quantiles=(0.9,))
    assert SHOWN in refusal(MultiOutputRegressor(LINEAR), quantiles=(0.1, 0.9))


@pytest.mark.parametrize(
    "student",
    [
        StackingRegressor([("q", LINEAR)], LinearRegression(), cv=2),
        GradientBoostingRegressor(loss="absolute_error", n_estimators=5),
    ],
    ids=["stacked columns", "absolute error"],
)
def test_other_losses_are_learned(student):
    teacher = RandomForestRegressor(5, random_state=0)
    est = DistilledRegressor(teacher, student, augmenter=None, random_state=0)
    assert type(est.fit(X, Y).student_) is type(student)
