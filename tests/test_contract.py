"""The scikit-learn contract: common checks, meta-estimators, persistence of params."""

import numpy as np
import pytest
from _common_checks import parametrize_with_common_checks
from _core import PLAIN
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
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
)

from skdistill import DistilledClassifier


def small_mlp(**params):
    return MLPClassifier((8,), solver="lbfgs", max_iter=60, **params)


def small_vote():
    return VotingClassifier(
        [("lr", LogisticRegression()), ("tree", DecisionTreeClassifier(max_depth=3))],
        voting="soft",
    )


COMBINATIONS = {
    "logistic-logistic": DistilledClassifier(
        LogisticRegression(), LogisticRegression(), **PLAIN
    ),
    "defaults": DistilledClassifier(**PLAIN),
    "vote-pipeline": DistilledClassifier(
        small_vote(),
        make_pipeline(Normalizer(), small_mlp()),
        temperature=2.0,
        **PLAIN,
    ),
    "forest-lightgbm": DistilledClassifier(
        RandomForestClassifier(10),
        LGBMClassifier(n_estimators=10, min_child_samples=2, verbose=-1, n_jobs=1),
        **PLAIN,
    ),
    "boosting-tree": DistilledClassifier(
        HistGradientBoostingClassifier(max_iter=10),
        DecisionTreeClassifier(max_depth=4),
        **PLAIN,
    ),
}


# Weights that count in a loss don't count in these parts' own rules, so that two
# copies of a row and one row of weight 2 differ; `test_reasons_are_true` shows it
# for each part on its own.
ROW_COUNTERS = {
    "defaults": LGBMClassifier(
        n_estimators=10, min_child_samples=2, verbose=-1, n_jobs=1
    ),
    "forest-lightgbm": RandomForestClassifier(10),
    # 20 rows a leaf never split the few rows of the check.
    "boosting-tree": HistGradientBoostingClassifier(max_iter=10, min_samples_leaf=2),
}
REASON = (
    "boosting limits leaves by rows, and a forest draws "
    "its bootstrap by rows, whatever the weights"
)
EQUIVALENCE = "check_sample_weight_equivalence_on_dense_data"


def expected_failures(estimator):
    name = next(n for n, e in COMBINATIONS.items() if e is estimator)
    if name not in ROW_COUNTERS:
        return {}
    failures = {EQUIVALENCE: REASON}
    if estimator.__sklearn_tags__().input_tags.sparse:
        failures[EQUIVALENCE.replace("dense", "sparse")] = REASON
    return failures


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("small_default_teacher")
@parametrize_with_common_checks(COMBINATIONS, expected_failures)
def test_common_checks(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(ROW_COUNTERS))
def test_reasons_are_true(name):
    """The part that is blamed fails the same check without this package."""
    part = ROW_COUNTERS[name]
    check = check_sample_weight_equivalence_on_dense_data
    with pytest.raises(AssertionError, match="not equivalent"):
        check(type(part).__name__, part)


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(
        200, n_features=5, n_informative=4, n_redundant=1, random_state=0
    )
    return X, np.array(["no", "yes"])[y]


def distilled(**params):
    defaults = {"random_state": 0, "temperature": 2.0, "alpha": 0.8, **PLAIN}
    return DistilledClassifier(
        small_vote(), LogisticRegression(), **(defaults | params)
    )


def test_in_pipeline_and_column_transformer(data):
    X, y = data
    columns = ColumnTransformer([("scale", StandardScaler(), [0, 1, 2])])
    pipeline = make_pipeline(columns, distilled()).fit(X, y)
    alone = distilled().fit(columns.fit_transform(X), y)
    np.testing.assert_array_equal(
        pipeline.predict_proba(X), alone.predict_proba(columns.transform(X))
    )


@pytest.mark.parametrize("search", [GridSearchCV, HalvingGridSearchCV])
def test_in_searches(search, data):
    X, y = data
    grid = {"temperature": [1.0, 3.0], "student__C": [0.1, 1.0], "cv": [None, 2]}
    found = search(distilled(), grid, cv=2, scoring="neg_log_loss").fit(X, y)
    assert set(found.best_params_) == set(grid)
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()
    assert found.best_estimator_.score(X, y) > 0.7


@pytest.mark.parametrize(
    "wrap",
    [
        lambda est: CalibratedClassifierCV(est, cv=2),
        lambda est: StackingClassifier([("d", est)], LogisticRegression(), cv=2),
        lambda est: OneVsRestClassifier(est),
        lambda est: VotingClassifier([("d", est)], voting="soft"),
    ],
    ids=["calibrated", "stacking", "one-vs-rest", "voting"],
)
def test_in_meta_estimators(wrap, data):
    X, y = data
    fitted = wrap(distilled()).fit(X, y)
    proba = fitted.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert fitted.score(X, y) > 0.7


def test_as_teacher_of_another(data):
    X, y = data
    nested = DistilledClassifier(
        distilled(), DecisionTreeClassifier(max_depth=2), **PLAIN
    )
    assert nested.fit(X, y).score(X, y) > 0.6
    assert nested.teacher_.student_.coef_.shape == (1, 5)


def test_methods_before_fit_and_delegation(data):
    X, y = data
    est = distilled()
    for method in ("predict", "predict_proba", "predict_log_proba"):
        with pytest.raises(NotFittedError):
            getattr(est, method)(X)
    assert not hasattr(est, "decision_function")
    est.fit(X, y)
    np.testing.assert_array_equal(est.predict(X), est.student_.predict(X))
    np.testing.assert_array_equal(est.predict_proba(X), est.student_.predict_proba(X))
    np.testing.assert_allclose(np.exp(est.predict_log_proba(X)), est.predict_proba(X))
    np.testing.assert_array_equal(
        est.decision_function(X), est.student_.decision_function(X)
    )
    # Learned from the labels alone, a full tree is sure of its training rows.
    tree = DistilledClassifier(
        small_vote(), DecisionTreeClassifier(), alpha=0.0, **PLAIN
    )
    assert not hasattr(tree.fit(X, y), "decision_function")
    assert np.isneginf(tree.predict_log_proba(X)).any()
