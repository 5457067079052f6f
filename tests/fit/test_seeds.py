"""The same seed gives the same bytes, whatever draws inside teacher and student."""

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import BaggingClassifier, BaggingRegressor, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from skorch import NeuralNetClassifier, NeuralNetRegressor
from skorch.dataset import ValidSplit

from skdistill import DistilledClassifier, DistilledRegressor

X, y = make_classification(200, 6, flip_y=0.2, random_state=0)
X = X.astype(np.float32)
PARAMS = {"augmenter": None, "pilot": 0}
TREE = DecisionTreeClassifier(max_depth=4, random_state=0)
RANDOM_TREE = DecisionTreeClassifier(splitter="random", max_features=2, max_depth=4)


def make_module(n_outputs=2, *ending):
    layers = torch.nn.Linear(6, 4), torch.nn.Linear(4, n_outputs)
    return torch.nn.Sequential(*layers, *ending)


def make_vector():
    return make_module(1, torch.nn.Flatten(0))


NET = NeuralNetClassifier(
    make_module,
    criterion=torch.nn.CrossEntropyLoss,
    train_split=None,
    max_epochs=2,
    verbose=0,
)
VALUES, VECTOR = (
    NeuralNetRegressor(module, train_split=None, max_epochs=2, verbose=0, **params)
    for module, params in ((make_module, {"module__n_outputs": 1}), (make_vector, {}))
)
BAG = {"n_estimators": 2, "n_jobs": 2, "max_samples": 0.5}

NETS = {
    "calibrated": (DistilledClassifier, TREE, CalibratedClassifierCV(NET, cv=2)),
    "bag": (DistilledClassifier, TREE, BaggingClassifier(NET, **BAG)),
    "search": (
        DistilledClassifier,
        TREE,
        GridSearchCV(NET, {"lr": [0.1, 0.2]}, cv=2, scoring="neg_log_loss"),
    ),
    "values": (DistilledRegressor, None, make_pipeline(StandardScaler(), VALUES)),
    "bag of values": (DistilledRegressor, None, BaggingRegressor(VECTOR, **BAG)),
    "teacher": (DistilledClassifier, NET, TREE),
    "teacher's member": (
        DistilledClassifier,
        VotingClassifier([("net", NET), ("tree", TREE)], voting="soft", n_jobs=2),
        TREE,
    ),
}


def serve(cls, teacher, student, seed=0, **params):
    distilled = cls(teacher, student, random_state=seed, **PARAMS, **params)
    values = cls is DistilledRegressor
    distilled.fit(X, X @ np.arange(6.0) if values else y)
    if hasattr(distilled.student_, "n_jobs"):
        # To serve so few rows no processes are started.
        distilled.student_.set_params(n_jobs=None)
    return distilled.predict(X) if values else distilled.predict_proba(X)


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.filterwarnings("ignore:The teacher:UserWarning")
def test_nets_draw_from_the_seed(kind):
    first, second, other = (serve(*NETS[kind], seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_nets_of_folds_draw_from_the_seed():
    params = {"cv": 2, "calibrate": True}
    with parallel_config("threading"):
        first, second, serial = (
            serve(DistilledClassifier, NET, TREE, n_jobs=n_jobs, **params)
            for n_jobs in (2, 2, None)
        )
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, serial)


def test_torch_s_generator_is_left_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    student = BaggingClassifier(NET, **BAG)
    DistilledClassifier(TREE, student, random_state=0, **PARAMS).fit(X, y)
    # A net draws where it predicts, too.
    DistilledClassifier(NET, TREE, random_state=0, **PARAMS).fit(X, y)
    assert torch.equal(torch.rand(3), expected)


SHUFFLED = StratifiedKFold(2, shuffle=True)
SPLIT = {
    "estimators of a search": GridSearchCV(
        make_pipeline(StandardScaler(), TREE),
        {"decisiontreeclassifier": [RANDOM_TREE, CalibratedClassifierCV(RANDOM_TREE)]},
        cv=2,
    ),
    "folds of a search": GridSearchCV(
        TREE, {"max_features": [1, 2, 3, 4, 5]}, cv=ShuffleSplit(1)
    ),
    "folds of calibration": CalibratedClassifierCV(TREE, cv=SHUFFLED),
    "repeated folds": CalibratedClassifierCV(
        TREE, cv=RepeatedStratifiedKFold(n_splits=2, n_repeats=2)
    ),
    "rows held out": CalibratedClassifierCV(TREE, cv=ShuffleSplit(2, test_size=0.3)),
    "share of a net": clone(NET).set_params(train_split=ValidSplit(0.5), max_epochs=1),
}


@pytest.mark.parametrize("kind", SPLIT)
def test_what_a_parameter_holds_draws_from_the_seed(kind):
    teacher, params = SPLIT[kind], {"calibrate": False}
    before = repr(teacher)
    student = LogisticRegression()
    first, second, *others = (
        serve(DistilledClassifier, teacher, student, seed=seed, **params)
        for seed in (0, 0, 1, 2, 3)
    )
    np.testing.assert_array_equal(first, second)
    assert not all(np.array_equal(first, other) for other in others)
    # The user's own objects stay as they are.
    assert repr(teacher) == before


def test_folds_of_cv_draw_from_the_seed():
    params = {"calibrate": False, "cv": SHUFFLED}
    first, second, other = (
        serve(DistilledClassifier, TREE, LogisticRegression(), seed=seed, **params)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)
    assert SHUFFLED.random_state is None
