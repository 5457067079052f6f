"""Trees, forests and histogram boosting on soft targets.

Checked against what is known without this package: the stock fit on weighted copies
(exact for a tree without bootstrap), the stock fit on hard labels, and the formula of
the gini impurity.
"""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from _learners import (
    SoftDataset,
    check_student,
    cross_entropy,
    fit_copies,
    fit_student,
)
from _trees import BOOSTING, CASES, make_soft
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier, export_text

from skdistill._students import _trees

TREES = {
    "tree": DecisionTreeClassifier(random_state=0),
    "random-tree": ExtraTreeClassifier(random_state=0),
    "forest": RandomForestClassifier(4, random_state=0),
    "random-forest": ExtraTreesClassifier(4, random_state=0),
}


def assert_same_trees(mine, theirs, atol=1e-12, counts=True):
    assert mine.node_count == theirs.node_count
    np.testing.assert_array_equal(mine.feature, theirs.feature)
    np.testing.assert_array_equal(mine.threshold, theirs.threshold)
    np.testing.assert_array_equal(mine.children_left, theirs.children_left)
    np.testing.assert_allclose(mine.value, theirs.value, rtol=0, atol=atol)
    np.testing.assert_allclose(mine.impurity, theirs.impurity, rtol=0, atol=atol)
    np.testing.assert_allclose(
        mine.weighted_n_node_samples, theirs.weighted_n_node_samples
    )
    if counts:
        np.testing.assert_array_equal(mine.n_node_samples, theirs.n_node_samples)


def members(model):
    return getattr(model, "estimators_", [model])


@pytest.fixture(params=[True, False], ids=["native", "public"])
def native(request, monkeypatch):
    """Trees moved from a regressor, and grown on weighted copies."""
    if not request.param:
        monkeypatch.setattr(_trees, "has_native_fit", lambda: False)
    return request.param


# Trees and forests


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"max_depth": 3},
        {"max_leaf_nodes": 9},
        {"min_impurity_decrease": 0.01},
        {"ccp_alpha": 0.01},
        {"min_weight_fraction_leaf": 0.103},
    ],
)
@pytest.mark.parametrize(("n_classes", "weighted"), CASES)
@pytest.mark.parametrize("kind", [DecisionTreeClassifier, ExtraTreeClassifier])
def test_gini_tree_is_the_tree_of_the_copies(kind, weighted, n_classes, params, native):
    """Values, gini and thresholds of every node, in units of the classifier.

    Leaves of some rows, for any column tells two rows apart equally well, and
    rounding decides which.
    """
    data = make_soft(n_classes=n_classes, weighted=weighted)
    student = kind(random_state=3, min_samples_leaf=5, **params)
    copies = clone(student).set_params(min_samples_leaf=5 * n_classes)
    copies = fit_copies(copies, data)
    fitted = fit_student(clone(student), data)
    assert_same_trees(fitted.tree_, copies.tree_, counts=False)
    np.testing.assert_allclose(
        fitted.feature_importances_, copies.feature_importances_, atol=1e-10
    )
    if native:
        counted = fitted.tree_.n_node_samples * n_classes
        np.testing.assert_array_equal(counted, copies.tree_.n_node_samples)
    assert fitted.get_params() == student.get_params()


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("name", TREES)
def test_full_grown_trees_know_their_rows_by_heart(name, n_classes, native):
    data = make_soft(n_classes=n_classes)
    student = clone(TREES[name])
    if hasattr(student, "bootstrap"):
        student.set_params(bootstrap=False)
    fitted = fit_student(student, data)
    np.testing.assert_allclose(fitted.predict_proba(data.X), data.targets, atol=1e-12)


@pytest.mark.parametrize(
    ("criterion", "n_classes"), [("gini", 2), ("gini", 3), ("entropy", 3)]
)
@pytest.mark.parametrize(
    "params",
    [
        {"min_samples_leaf": 12},
        {"min_samples_leaf": 0.11},
        {"min_samples_split": 31},
        {"min_samples_split": 0.2},
    ],
)
def test_leaf_sizes_count_rows(params, criterion, n_classes, native):
    """The leaves hold as many rows as the parameter says, and no more are kept."""
    data = make_soft(n_classes=n_classes)
    student = DecisionTreeClassifier(criterion=criterion, random_state=0, **params)
    fitted = fit_student(clone(student), data)
    rows = np.bincount(fitted.apply(data.X))
    (name, size), sizes = *params.items(), fitted.decision_path(data.X).sum(axis=0)
    least = size if size >= 1 else int(np.ceil(size * data.n_samples))
    if name == "min_samples_leaf":
        assert least <= rows[rows > 0].min() < 2 * least
    else:
        split = fitted.tree_.children_left >= 0
        assert np.asarray(sizes).ravel()[split].min() >= least
    copies = fit_copies(clone(student).set_params(**{name: least * n_classes}), data)
    assert_same_trees(fitted.tree_, copies.tree_, counts=False)
    assert fitted.get_params() == student.get_params()


@pytest.mark.parametrize(("n_classes", "weighted"), CASES)
@pytest.mark.parametrize("name", TREES)
def test_hard_labels_give_the_stock_fit(name, weighted, n_classes):
    hard = make_soft(n_classes=n_classes, weighted=weighted).harden()
    fitted = fit_student(clone(TREES[name]), hard)
    stock = clone(TREES[name]).fit(hard.X, hard.y, sample_weight=hard.weight)
    assert pickle.dumps(fitted) == pickle.dumps(stock)


@pytest.mark.parametrize(("n_classes", "weighted"), CASES)
@pytest.mark.parametrize(
    "params", [{}, {"max_samples": 0.5}, {"max_samples": 40}, {"bootstrap": False}]
)
def test_forest_route_on_hard_labels_draws_what_scikit_learn_draws(
    params, weighted, n_classes, native, monkeypatch
):
    """Rows, features and leaves, where the soft route is forced on hard labels.

    Few nodes, for splits that are equally good by different counts are told apart
    by rounding.
    """
    monkeypatch.setattr(_trees, "_is_certain", lambda targets: False)
    hard = make_soft(n_classes=n_classes, weighted=weighted).harden()
    forest = RandomForestClassifier(5, max_leaf_nodes=5, random_state=1, **params)
    fitted = fit_student(clone(forest), hard)
    stock = clone(forest).fit(hard.X, hard.y, sample_weight=hard.weight)
    for mine, theirs in zip(fitted.estimators_, stock.estimators_, strict=True):
        assert_same_trees(mine.tree_, theirs.tree_, counts=native)
        assert mine.get_params() == theirs.get_params()
        assert vars(mine).keys() == vars(theirs).keys()
        np.testing.assert_array_equal(mine.classes_, theirs.classes_)
    for mine, theirs in zip(
        fitted.estimators_samples_, stock.estimators_samples_, strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", TREES)
def test_state_is_the_stock_state(name, native, monkeypatch):
    monkeypatch.setattr(_trees, "_is_certain", lambda targets: False)
    hard = make_soft().harden()
    frame = hard.with_rows(pd.DataFrame(hard.X, columns=list("uvwxyz")))
    student = clone(TREES[name])
    if hasattr(student, "oob_score"):
        student.set_params(bootstrap=True, oob_score=True, n_estimators=30)
    fitted = fit_student(clone(student), frame)
    stock = clone(student).fit(frame.X, frame.y)
    assert type(fitted) is type(stock)
    assert vars(fitted).keys() == vars(stock).keys()
    for key, value in vars(stock).items():
        if isinstance(value, int | str | float | None) and key != "oob_score_":
            assert vars(fitted)[key] == value, key
    np.testing.assert_array_equal(fitted.classes_, stock.classes_)
    np.testing.assert_array_equal(fitted.feature_names_in_, stock.feature_names_in_)


@pytest.mark.parametrize(("n_classes", "weighted"), CASES)
@pytest.mark.parametrize("criterion", ["gini", "entropy"])
@pytest.mark.parametrize("name", ["forest", "random-forest"])
def test_forest_trees_learn_the_rows_they_drew(
    name, criterion, weighted, n_classes, native
):
    """Each tree is the stock tree on weighted copies of its own rows."""
    data = make_soft(n_classes=n_classes, weighted=weighted)
    forest = clone(TREES[name]).set_params(criterion=criterion, min_samples_leaf=4)
    fitted = fit_student(clone(forest), data)
    assert len(fitted.estimators_) == 4
    for tree, drawn in zip(fitted.estimators_, fitted.estimators_samples_, strict=True):
        counts = np.bincount(drawn, minlength=data.n_samples).astype(float)
        if not forest.bootstrap:
            counts = data.weight
        bag = SoftDataset(data.X, data.targets, np.arange(n_classes), data.y, counts)
        alone = clone(tree).set_params(min_samples_leaf=4 * n_classes)
        assert_same_trees(tree.tree_, fit_copies(alone, bag).tree_, counts=False)
    mean = np.mean([t.predict_proba(data.X) for t in fitted.estimators_], axis=0)
    np.testing.assert_allclose(fitted.predict_proba(data.X), mean)


@pytest.mark.parametrize("name", TREES)
def test_routes_agree(name, monkeypatch):
    data = make_soft(weighted=True)
    student = clone(TREES[name]).set_params(min_samples_leaf=3)
    ours = fit_student(clone(student), data)
    monkeypatch.setattr(_trees, "has_native_fit", lambda: False)
    public = fit_student(clone(student), data)
    for mine, theirs in zip(members(ours), members(public), strict=True):
        assert_same_trees(mine.tree_, theirs.tree_, counts=False)


def test_route_is_refused_where_internals_moved(monkeypatch):
    assert _trees.has_native_fit()

    def moved(*args):
        raise TypeError

    monkeypatch.setattr(_trees, "_rebuild_tree", moved)
    _trees.has_native_fit.cache_clear()
    assert not _trees.has_native_fit()
    assert fit_student(clone(TREES["forest"]), make_soft()).n_classes_ == 3
    monkeypatch.undo()
    _trees.has_native_fit.cache_clear()
    assert _trees.has_native_fit()


def test_tree_reads_in_class_probabilities():
    data = make_soft()
    tree = fit_student(DecisionTreeClassifier(max_depth=2, random_state=0), data)
    root = tree.tree_.value[0, 0]
    np.testing.assert_allclose(root, data.targets.mean(axis=0))
    assert tree.tree_.impurity[0] == pytest.approx(1 - (root**2).sum())
    assert tree.tree_.value.shape == (7, 1, 3)
    assert tree.tree_.n_node_samples[0] == 150
    leaf = tree.predict_proba(data.X)[0]
    assert export_text(tree).count("class:") == 4
    path = tree.decision_path(data.X)
    np.testing.assert_array_equal(
        np.asarray(path.sum(axis=0)).ravel(), tree.tree_.n_node_samples
    )
    restored = pickle.loads(pickle.dumps(tree))
    np.testing.assert_array_equal(
        restored.predict_proba(data.X), tree.predict_proba(data.X)
    )
    np.testing.assert_array_equal(
        tree.predict(data.X[:1]), data.classes[[leaf.argmax()]]
    )


def test_plot_tree_shows_class_probabilities():
    pytest.importorskip("matplotlib").use("Agg")
    from sklearn.tree import plot_tree

    data = make_soft()
    tree = fit_student(DecisionTreeClassifier(max_depth=1, random_state=0), data)
    root = plot_tree(tree, proportion=True, precision=3)[0].get_text()
    shares = ", ".join(f"{p:.3f}" for p in data.targets.mean(axis=0))
    assert f"value = [{shares}]" in root
    assert f"gini = {tree.tree_.impurity[0]:.3f}" in root


@pytest.mark.parametrize("criterion", ["gini", "entropy"])
@pytest.mark.parametrize("name", [*TREES, "boosting"])
def test_the_seed_decides_every_byte(name, criterion):
    student = clone(TREES.get(name, BOOSTING))
    if name in TREES:
        student.set_params(criterion=criterion)
    pickles = {pickle.dumps(fit_student(clone(student), make_soft())) for _ in range(5)}
    assert len(pickles) == 1


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("criterion", ["gini", "entropy"])
def test_missing_values_and_sparse_rows(name, criterion):
    data = make_soft()
    student = clone(TREES[name]).set_params(max_depth=3, criterion=criterion)
    rng = np.random.RandomState(0)
    holes = data.X.copy()
    holes[rng.uniform(size=holes.shape) < 0.1] = np.nan
    student.set_params(max_features=None)
    fitted = fit_student(clone(student), data.with_rows(holes))
    assert np.isfinite(fitted.predict_proba(holes)).all()
    base = np.tile(data.targets.mean(axis=0), (150, 1))
    assert cross_entropy(data.targets, fitted.predict_proba(holes)) < 0.9 * (
        cross_entropy(data.targets, base)
    )
    zeros = np.where(data.X > 0.3, data.X, 0.0)
    dense = fit_student(clone(student), data.with_rows(zeros))
    sparse = fit_student(clone(student), data.with_rows(sp.csr_matrix(zeros)))
    np.testing.assert_allclose(
        sparse.predict_proba(sp.csr_matrix(zeros)), dense.predict_proba(zeros)
    )


@pytest.mark.parametrize("name", TREES)
def test_monotonic_constraint_holds_and_matches_scikit_learn(name, monkeypatch):
    monkeypatch.setattr(_trees, "_is_certain", lambda targets: False)
    student = clone(TREES[name]).set_params(monotonic_cst=[1, 0, 0, -1, 0, 0])
    student.set_params(max_leaf_nodes=6)
    check_student(student, 1.0, 2, 150)
    soft = fit_student(clone(student), make_soft(n_classes=2))
    rows = np.zeros((50, 6))
    rows[:, 0] = np.linspace(-2, 2, 50)
    assert (np.diff(soft.predict_proba(rows)[:, 1]) >= -1e-12).all()
    assert (np.diff(soft.predict_proba(rows[:, [3, 1, 2, 0, 4, 5]])[:, 1]) <= 0).all()
    hard = make_soft(n_classes=2).harden()
    ours = fit_student(clone(student), hard)
    stock = clone(student).fit(hard.X, hard.y)
    np.testing.assert_allclose(
        ours.predict_proba(hard.X), stock.predict_proba(hard.X), atol=1e-12
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("oob_score", [True, balanced_accuracy_score])
def test_out_of_bag_scores_are_scikit_learn_s(oob_score, n_classes, monkeypatch):
    monkeypatch.setattr(_trees, "_is_certain", lambda targets: False)
    hard = make_soft(n_classes=n_classes).harden()
    forest = RandomForestClassifier(
        40, max_leaf_nodes=4, oob_score=oob_score, random_state=0
    )
    fitted = fit_student(clone(forest), hard)
    stock = clone(forest).fit(hard.X, hard.y)
    np.testing.assert_allclose(
        fitted.oob_decision_function_, stock.oob_decision_function_, atol=1e-12
    )
    assert fitted.oob_score_ == stock.oob_score_


def test_rows_that_every_tree_drew():
    data = make_soft()
    forest = RandomForestClassifier(2, max_samples=1000, oob_score=True, random_state=0)
    with pytest.warns(UserWarning, match="rows were drawn by every tree") as caught:
        fitted = fit_student(forest, data)
    never = ~fitted.oob_decision_function_.any(axis=1)
    drawn = np.all(
        [np.bincount(rows, minlength=150) > 0 for rows in fitted.estimators_samples_],
        axis=0,
    )
    np.testing.assert_array_equal(never, drawn)
    assert str(caught[0].message).startswith(f"{drawn.sum()} of 150 rows")
    top = data.targets.argmax(axis=1)
    served = fitted.oob_decision_function_.argmax(axis=1)
    assert fitted.oob_score_ == accuracy_score(top, served)


@pytest.mark.parametrize("criterion", ["gini", "entropy"])
@pytest.mark.parametrize("name", ["forest", "random-forest"])
def test_forest_is_the_same_for_any_number_of_jobs(name, criterion):
    data = make_soft()
    forest = clone(TREES[name]).set_params(criterion=criterion, warm_start=True)
    one = fit_student(clone(forest), data)
    two = fit_student(clone(forest).set_params(n_jobs=2), data)
    np.testing.assert_array_equal(
        one.estimators_[3].tree_.value, two.estimators_[3].tree_.value
    )
    # What warm_start is for: more trees for the fitted forest.
    one.set_params(n_estimators=6).fit(data.X, data.y)
    assert len(one.estimators_) == 6
    assert one.predict_proba(data.X).shape == (150, 3)


def test_classes_without_a_likeliest_row_keep_their_column():
    data = make_soft()
    targets = data.targets.copy()
    targets[:, 2] = 0.0
    targets /= targets.sum(axis=1, keepdims=True)
    certain = np.eye(3)[np.arange(150) % 2]
    for q in (targets, certain):
        few = SoftDataset(data.X, q, data.classes, data.y)
        for student in (*TREES.values(), BOOSTING):
            fitted = fit_student(clone(student), few)
            proba = fitted.predict_proba(data.X)
            assert proba.shape == (150, 3)
            assert proba[:, 2].max() < 1e-6


@pytest.mark.parametrize(
    ("student", "n_classes", "match"),
    [
        (
            RandomForestClassifier(class_weight="balanced_subsample"),
            2,
            "'balanced_subsample' with RandomForestClassifier. Set class_weight='bal",
        ),
        (
            DecisionTreeClassifier(monotonic_cst=[1, 0]),
            3,
            "DecisionTreeClassifier on 3 classes. Set monotonic_cst=None",
        ),
    ],
)
def test_parameters_without_a_soft_meaning(student, n_classes, match):
    with pytest.raises(ValueError, match=match):
        check_student(student, 1.0, n_classes, 100)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"max_depth": 0}, "'max_depth' parameter of DecisionTreeClassifier"),
        ({"min_samples_leaf": 1.5}, "'min_samples_leaf' parameter of DecisionTree"),
    ],
)
def test_invalid_parameters_name_the_student(params, match):
    with pytest.raises(ValueError, match=match):
        fit_student(DecisionTreeClassifier(**params), make_soft())


def test_balanced_forest_on_hard_labels_is_scikit_learn_s():
    hard = make_soft().harden()
    forest = clone(TREES["forest"]).set_params(class_weight="balanced")
    fitted = fit_student(clone(forest), hard)
    stock = clone(forest).fit(hard.X, hard.y)
    np.testing.assert_allclose(
        fitted.predict_proba(hard.X), stock.predict_proba(hard.X), atol=1e-9
    )
