"""Leaves of boosted students found again on a transfer set."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from _learners import SoftDataset, fit_student
from lightgbm import LGBMClassifier
from scipy.special import softmax
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from skdistill import DistilledClassifier
from skdistill._students._leaves import _RIDGE


def draw(n_classes, weighted=False):
    """Rows with labels of a linear teacher, the first 60 of them the user's."""
    X, _ = make_classification(600, 5, n_informative=4, n_redundant=0, random_state=0)
    rng = np.random.default_rng(0)
    targets = softmax(X @ rng.normal(size=(5, n_classes)), axis=1)
    weight = rng.uniform(0.2, 3, 600) if weighted else None
    classes = np.arange(n_classes)
    data = SoftDataset(X, targets, classes, targets.argmax(axis=1), weight)
    transfer = replace(data.take(np.arange(60, 600)), synthetic=True)
    return data.take(np.arange(60)), transfer, data


def make_student(**params):
    return LGBMClassifier(
        n_estimators=3, num_leaves=4, n_jobs=1, verbose=-1, random_state=0, **params
    )


def measure(model, data):
    share = np.full(600, 1 / 600)
    if data.weight is not None:
        share = data.weight / data.weight.sum()
    return -share @ (data.targets * np.log(model.predict_proba(data.X))).sum(axis=1)


def list_leaves(model):
    trees = model.booster_.dump_model()["tree_info"]
    return [
        (t, leaf) for t, tree in enumerate(trees) for leaf in range(tree["num_leaves"])
    ]


def list_splits(model):
    trees = model.booster_.trees_to_dataframe()
    return trees[["split_feature", "threshold"]].dropna().values.tolist()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_no_leaf_can_be_moved_to_advantage(n_classes, weighted):
    given, extra, both = draw(n_classes, weighted)
    grown = fit_student(make_student(), given)
    found = fit_student(make_student(), given, transfer=extra)
    leaves = list_leaves(found)
    assert list_leaves(grown) == leaves

    def ridge(model):
        moves = [
            model.booster_.get_leaf_output(*place)
            - grown.booster_.get_leaf_output(*place)
            for place in leaves
        ]
        return _RIDGE / n_classes / 2 * np.square(moves).sum()

    least = measure(found, both) + ridge(found)
    assert least < measure(grown, both) - 0.02
    for place in leaves:
        for step in (-0.05, 0.05):
            moved = copy.deepcopy(found)
            value = moved.booster_.get_leaf_output(*place)
            moved.booster_.set_leaf_output(*place, value + step)
            assert measure(moved, both) + ridge(moved) > least


def test_leaves_depend_on_the_shares_of_the_weights_alone():
    given, extra, both = draw(3, weighted=True)
    found = fit_student(make_student(), given, extra)
    scaled = [replace(data, weight=10 * data.weight) for data in (given, extra)]
    again = fit_student(make_student(), *scaled)
    assert list_splits(again) == list_splits(found)
    np.testing.assert_allclose(
        again.predict_proba(both.X), found.predict_proba(both.X), atol=1e-4
    )


def test_trees_of_a_distilled_student_grow_on_real_rows_alone():
    X, y = make_classification(300, 5, n_informative=4, n_redundant=0, random_state=0)
    teacher = FrozenEstimator(LogisticRegression().fit(X, y))
    given = {"temperature": 1, "random_state": 0}
    alone, more = (
        DistilledClassifier(teacher, make_student(), augmenter=augmenter, **given)
        .fit(X, y)
        .student_
        for augmenter in (None, "munge")
    )
    assert list_splits(more) == list_splits(alone)
    assert np.abs(more.predict_proba(X) - alone.predict_proba(X)).max() > 1e-3


def test_without_a_transfer_set_the_trees_stay_as_they_grew():
    _, _, both = draw(2)
    hard = np.eye(2)[both.y]
    data = SoftDataset(both.X, hard, both.classes, both.y)
    stock = make_student().fit(both.X, both.y)
    np.testing.assert_allclose(
        fit_student(make_student(), data).predict_proba(both.X),
        stock.predict_proba(both.X),
        atol=1e-12,
    )


@pytest.mark.parametrize(
    ("labelled", "synthetic"),
    [(None, False), (np.arange(60), False), (np.arange(60), True)],
)
def test_trees_grow_on_all_rows_where_the_given_ones_are_not_all_there_is(
    labelled, synthetic
):
    given, extra, both = draw(2)
    extra = replace(extra, synthetic=synthetic)
    train = replace(given, labelled=labelled)
    found = fit_student(make_student(), train, extra)
    grown = fit_student(make_student(), both)
    assert list_splits(found) == list_splits(grown)
    alone = fit_student(make_student(), given)
    assert list_splits(alone) != list_splits(grown)


@pytest.mark.parametrize(
    "params",
    [
        {"linear_tree": True},
        {"max_delta_step": 0.5},
        {"monotone_constraints": [1, 0, 0, 0, 0]},
        # Other names of these.
        {"linear_trees": True},
        {"max_tree_output": 0.5},
        {"max_leaf_output": 0.5},
        {"mc": [1, 0, 0, 0, 0]},
        {"monotone_constraint": [1, 0, 0, 0, 0]},
        {"monotonic_cst": [1, 0, 0, 0, 0]},
        {"boosting_type": "dart"},
        {"pred_early_stop": True, "pred_early_stop_margin": 1.0},
    ],
)
def test_leaves_that_something_constrains_are_left_alone(params):
    given, extra, both = draw(2)
    grown = fit_student(make_student(**params), both)
    found = fit_student(make_student(**params), given, transfer=extra)
    np.testing.assert_array_equal(
        found.predict_proba(both.X), grown.predict_proba(both.X)
    )
