"""GradientBoostingClassifier: its trees are those of weighted copies."""

import numpy as np
import pytest
from _learners import (
    check_student,
    cross_entropy,
    fit_copies,
    fit_student,
    move_private,
)
from _trees import CASES, make_soft
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier

BOOSTING = GradientBoostingClassifier(n_estimators=12, random_state=0)

#: Settings under which nothing counts rows or copies. (`max_features` draws features
#: for nodes, and copies of one row make a node that is split in vain.)
ALIKE = [
    {},
    {"learning_rate": 0.5, "max_depth": 1},
    {"max_leaf_nodes": 5, "max_depth": None},
    {"min_weight_fraction_leaf": 0.11},
    {"min_impurity_decrease": 0.001},
    {"ccp_alpha": 0.001},
    {"init": "zero"},
]


@pytest.mark.parametrize(("n_classes", "weighted"), [*CASES, (2, False), (3, True)])
@pytest.mark.parametrize("params", ALIKE)
def test_trees_are_those_of_weighted_copies(params, n_classes, weighted):
    data = make_soft(n_classes=n_classes, weighted=weighted)
    student = clone(BOOSTING).set_params(**params)
    ours = fit_student(clone(student), data)
    copies = fit_copies(student, data)
    np.testing.assert_allclose(
        ours.predict_proba(data.X), copies.predict_proba(data.X), atol=1e-6
    )
    np.testing.assert_allclose(ours.train_score_, copies.train_score_, atol=1e-6)
    assert vars(ours).keys() == vars(copies).keys()
    assert ours.get_params() == student.get_params()
    for mine, theirs in zip(
        ours.estimators_.flat, copies.estimators_.flat, strict=True
    ):
        assert mine.tree_.n_node_samples[0] == data.n_samples
        assert theirs.tree_.n_node_samples[0] == data.n_samples * n_classes


@pytest.mark.parametrize(("n_classes", "weighted"), CASES)
@pytest.mark.parametrize("params", [{}, {"subsample": 0.5, "max_features": 2}])
def test_hard_labels_give_the_stock_fit(params, n_classes, weighted):
    hard = make_soft(n_classes=n_classes, weighted=weighted).harden()
    student = clone(BOOSTING).set_params(min_samples_leaf=3, **params)
    ours = fit_student(clone(student), hard)
    stock = clone(student).fit(hard.X, hard.y, sample_weight=hard.weight)
    np.testing.assert_allclose(
        ours.decision_function(hard.X), stock.decision_function(hard.X), atol=1e-9
    )
    assert vars(ours).keys() == vars(stock).keys()
    if params:
        np.testing.assert_allclose(ours.oob_scores_, stock.oob_scores_)


def test_sparse_rows():
    data = make_soft()
    dense = fit_student(clone(BOOSTING), data)
    sparse = fit_student(clone(BOOSTING), data.with_rows(csr_matrix(data.X)))
    np.testing.assert_allclose(
        sparse.predict_proba(data.X), dense.predict_proba(data.X), atol=1e-9
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.slow
def test_boosting_ends_by_scikit_learn_s_rule(n_classes):
    """The loss that counts is the deviance: twice the log loss of two classes."""
    data = make_soft(n_samples=300, n_classes=n_classes)
    train, held_out = data.take(np.arange(200)), data.take(np.arange(200, 300))
    student = clone(BOOSTING).set_params(
        n_estimators=200, n_iter_no_change=3, tol=0.01, learning_rate=0.3
    )
    fitted = fit_student(clone(student), train, validation=held_out)
    assert fitted.get_params() == student.get_params()
    assert len(fitted.estimators_) == fitted.n_estimators_ < 200
    whole = fit_student(clone(student).set_params(n_iter_no_change=None), train)
    factor = 2 if n_classes == 2 else 1
    losses = [
        factor * cross_entropy(held_out.targets, proba)
        for proba in whole.staged_predict_proba(held_out.X)
    ]
    recent, end = [np.inf] * 3, 0
    while losses[end] + 0.01 < max(recent):
        recent[end % 3] = losses[end]
        end += 1
    assert fitted.n_estimators_ == end + 1
    np.testing.assert_array_equal(
        fitted.predict_proba(data.X),
        list(whole.staged_predict_proba(data.X))[end],
    )


@pytest.mark.parametrize(
    "params", [{"loss": "exponential"}, {"init": DummyClassifier(strategy="uniform")}]
)
def test_other_settings_learn_weighted_copies(params):
    data = make_soft(n_classes=2)
    student = clone(BOOSTING).set_params(**params)
    check_student(student, 1, 2, 150)
    ours = fit_student(clone(student), data)
    copies = fit_copies(student, data, rescale=True)
    np.testing.assert_array_equal(
        ours.predict_proba(data.X), copies.predict_proba(data.X)
    )
    student.set_params(n_iter_no_change=2)
    with pytest.raises(ValueError, match="Switch early stopping off"):
        check_student(student, 1, 2, 150)


def test_where_private_names_moved_copies_are_learned(monkeypatch):
    data = make_soft()
    exact = fit_student(clone(BOOSTING), data)
    move_private(monkeypatch, GradientBoostingClassifier)
    copies = fit_student(clone(BOOSTING), data)
    assert copies.estimators_[0, 0].tree_.n_node_samples[0] == 3 * data.n_samples
    np.testing.assert_allclose(
        copies.predict_proba(data.X), exact.predict_proba(data.X), atol=1e-6
    )


def test_errors_name_the_student():
    with pytest.raises(ValueError, match="of GradientBoostingClassifier must"):
        fit_student(clone(BOOSTING).set_params(max_depth=0), make_soft())


@pytest.mark.parametrize("n_classes", [2, 3])
def test_it_stops_by_scikit_learns_rule_on_soft_targets(n_classes):
    """No loss is lower by `tol` than each of the last ones; that of two is doubled."""
    data = make_soft(n_classes=n_classes)
    train, held_out = data.take(np.arange(100)), data.take(np.arange(100, 150))
    student = clone(BOOSTING).set_params(n_estimators=60, learning_rate=0.3)
    whole = fit_student(clone(student), train)
    losses = [
        (2 if n_classes == 2 else 1) * cross_entropy(held_out.targets, proba)
        for proba in whole.staged_predict_proba(held_out.X)
    ]
    for tol in np.linspace(0.01, 0.2, 8):
        history, n_rounds = [np.inf] * 3, 0
        for loss in losses:
            n_rounds += 1
            if not any(loss + tol < last for last in history):
                break
            history = [*history[1:], loss]
        stopping = clone(student).set_params(n_iter_no_change=3, tol=tol)
        stopped = fit_student(stopping, train, None, held_out)
        assert stopped.n_estimators_ == n_rounds < 60
