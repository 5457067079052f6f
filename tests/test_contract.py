"""The scikit-learn contract: common checks, meta-estimators, persistence of params."""

import warnings

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdistill import DistilledClassifier


def small_mlp(**params):
    return MLPClassifier((8,), solver="lbfgs", max_iter=60, **params)


def small_vote():
    return VotingClassifier(
        [("lr", LogisticRegression()), ("tree", DecisionTreeClassifier(max_depth=3))],
        voting="soft",
    )


COMBINATIONS = {
    "defaults": DistilledClassifier(),
    "logistic-logistic": DistilledClassifier(
        LogisticRegression(), LogisticRegression()
    ),
    "vote-mlp": DistilledClassifier(small_vote(), small_mlp(), temperature=2.0),
    "forest-pipeline": DistilledClassifier(
        RandomForestClassifier(10), make_pipeline(StandardScaler(), small_mlp())
    ),
    "forest-lightgbm": DistilledClassifier(
        RandomForestClassifier(10),
        LGBMClassifier(n_estimators=10, min_child_samples=2, verbose=-1),
    ),
    "boosting-tree": DistilledClassifier(
        HistGradientBoostingClassifier(max_iter=10), DecisionTreeClassifier(max_depth=4)
    ),
}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(list(COMBINATIONS.values()))
def test_common_checks(estimator, check):
    check(estimator)
