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
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier, export_text

from skdistill import DistilledClassifier
from skdistill._students import (
    SoftData,
    _hist,
    _trees,
    check_student,
    fit_student,
    split_rows,
    validation_fraction,
)
from skdistill._targets import cross_entropy

TREES = {
    "tree": DecisionTreeClassifier(random_state=0),
    "random-tree": ExtraTreeClassifier(random_state=0),
    "forest": RandomForestClassifier(4, random_state=0),
    "random-forest": ExtraTreesClassifier(4, random_state=0),
}

CASES = [(2, True), (4, False)]


def make_soft(n_samples=150, n_classes=3, seed=0, weighted=False):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_samples, 6))
    logits = 2 * X @ rng.normal(size=(6, n_classes)) + rng.normal(
        size=(n_samples, n_classes)
    )
    targets = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classes = np.array(["a", "b", "c", "d", "e"])[:n_classes]
    weight = rng.uniform(0.5, 2, n_samples) if weighted else None
    return SoftData(X, targets, classes, classes[targets.argmax(axis=1)], weight)


def make_hard(soft):
    n_classes = len(soft.classes)
    codes = soft.targets.argmax(axis=1)
    return SoftData(soft.X, np.eye(n_classes)[codes], soft.classes, soft.y, soft.weight)


def fit_copies(student, data):
    """Scikit-learn's own fit on one weighted copy a row and class."""
    n_classes = len(data.classes)
    weight = np.ones(data.n_samples) if data.weight is None else data.weight
    return clone(student).fit(
        np.repeat(data.X, n_classes, axis=0),
        np.tile(data.classes, data.n_samples),
        sample_weight=(data.targets * weight[:, None]).ravel(),
    )


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
    """Both routes of the trees and of the booster."""
    if not request.param:
        for module in (_trees, _hist):
            monkeypatch.setattr(module, "has_native_route", lambda: False)
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
    hard = make_hard(make_soft(n_classes=n_classes, weighted=weighted))
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
    hard = make_hard(make_soft(n_classes=n_classes, weighted=weighted))
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
    hard = make_hard(make_soft())
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
        bag = SoftData(data.X, data.targets, np.arange(n_classes), data.y, counts)
        alone = clone(tree).set_params(min_samples_leaf=4 * n_classes)
        assert_same_trees(tree.tree_, fit_copies(alone, bag).tree_, counts=False)
    mean = np.mean([t.predict_proba(data.X) for t in fitted.estimators_], axis=0)
    np.testing.assert_allclose(fitted.predict_proba(data.X), mean)


@pytest.mark.parametrize("name", TREES)
def test_routes_agree(name, monkeypatch):
    data = make_soft(weighted=True)
    student = clone(TREES[name]).set_params(min_samples_leaf=3)
    ours = fit_student(clone(student), data)
    monkeypatch.setattr(_trees, "has_native_route", lambda: False)
    public = fit_student(clone(student), data)
    for mine, theirs in zip(members(ours), members(public), strict=True):
        assert_same_trees(mine.tree_, theirs.tree_, counts=False)


def test_route_is_refused_where_internals_moved(monkeypatch):
    assert _trees.has_native_route()

    def moved(*args):
        raise TypeError

    monkeypatch.setattr(_trees, "_rebuild_tree", moved)
    _trees.has_native_route.cache_clear()
    assert not _trees.has_native_route()
    assert fit_student(clone(TREES["forest"]), make_soft()).n_classes_ == 3
    monkeypatch.undo()
    _trees.has_native_route.cache_clear()
    assert _trees.has_native_route()


def test_tree_reads_in_class_probabilities():
    data = make_soft()
    tree = fit_student(DecisionTreeClassifier(max_depth=2, random_state=0), data)
    root = tree.tree_.value[0, 0]
    np.testing.assert_allclose(root, data.targets.mean(axis=0))
    assert tree.tree_.impurity[0] == pytest.approx(1 - (root**2).sum())
    assert tree.tree_.value.shape == (7, 1, 3)
    assert tree.tree_.n_node_samples[0] == 150
    text = export_text(tree, show_weights=True, decimals=3)
    leaf = tree.predict_proba(data.X)[0]
    weights = ", ".join(f"{p:.3f}" for p in leaf * tree.tree_.n_node_samples[0])
    assert text.count("class:") == 4
    assert weights.count(",") == 2
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
    soft = fit_student(clone(student), make_soft(n_classes=2))
    rows = np.zeros((50, 6))
    rows[:, 0] = np.linspace(-2, 2, 50)
    assert (np.diff(soft.predict_proba(rows)[:, 1]) >= -1e-12).all()
    assert (np.diff(soft.predict_proba(rows[:, [3, 1, 2, 0, 4, 5]])[:, 1]) <= 0).all()
    hard = make_hard(make_soft(n_classes=2))
    ours = fit_student(clone(student), hard)
    stock = clone(student).fit(hard.X, hard.y)
    np.testing.assert_allclose(
        ours.predict_proba(hard.X), stock.predict_proba(hard.X), atol=1e-12
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("oob_score", [True, balanced_accuracy_score])
def test_out_of_bag_scores_are_scikit_learn_s(oob_score, n_classes, monkeypatch):
    monkeypatch.setattr(_trees, "_is_certain", lambda targets: False)
    hard = make_hard(make_soft(n_classes=n_classes))
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
    with pytest.warns(UserWarning, match="of 150 rows were drawn by every tree"):
        fitted = fit_student(forest, data)
    never = ~fitted.oob_decision_function_.any(axis=1)
    drawn = np.all(
        [np.bincount(rows, minlength=150) > 0 for rows in fitted.estimators_samples_],
        axis=0,
    )
    np.testing.assert_array_equal(never, drawn)
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
        few = SoftData(data.X, q, data.classes, data.y)
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


@pytest.mark.parametrize("name", TREES)
def test_trees_have_no_further_passes(name):
    for call in (_trees.check_tuning, lambda s: _trees.tune(s, make_soft(), 1)):
        with pytest.raises(TypeError, match=r"Set fine_tune=0, or use MLPClassifier"):
            call(TREES[name])


def test_balanced_forest_on_hard_labels_is_scikit_learn_s():
    hard = make_hard(make_soft())
    forest = clone(TREES["forest"]).set_params(class_weight="balanced")
    fitted = fit_student(clone(forest), hard)
    stock = clone(forest).fit(hard.X, hard.y)
    np.testing.assert_allclose(
        fitted.predict_proba(hard.X), stock.predict_proba(hard.X), atol=1e-9
    )


def test_distilled_tree_keeps_column_names():
    data = make_soft(n_classes=2)
    frame = pd.DataFrame(data.X, columns=list("uvwxyz"))
    model = DistilledClassifier(
        RandomForestClassifier(10, random_state=0),
        DecisionTreeClassifier(max_depth=2, random_state=0),
        random_state=0,
    ).fit(frame, data.y)
    text = export_text(model.student_, feature_names=list(frame.columns))
    assert any(f"--- {name} <=" in text for name in frame.columns)
    np.testing.assert_array_equal(
        model.student_.predict_proba(frame), model.predict_proba(frame)
    )


# Histogram boosting

BOOSTING = HistGradientBoostingClassifier(
    max_iter=8, min_samples_leaf=8, random_state=0, early_stopping=False
)


@pytest.mark.parametrize(("n_classes", "weighted"), CASES)
def test_boosting_on_hard_labels_is_the_stock_fit(n_classes, weighted):
    hard = make_hard(make_soft(n_classes=n_classes, weighted=weighted))
    fitted = fit_student(clone(BOOSTING), hard)
    stock = clone(BOOSTING).fit(hard.X, hard.y, sample_weight=hard.weight)
    np.testing.assert_array_equal(
        fitted.decision_function(hard.X), stock.decision_function(hard.X)
    )
    assert vars(fitted).keys() == vars(stock).keys()
    assert type(fitted._loss) is type(stock._loss)
    assert type(pickle.loads(pickle.dumps(fitted))) is HistGradientBoostingClassifier


@pytest.mark.parametrize(("n_classes", "weighted"), CASES)
@pytest.mark.parametrize(
    "params", [{}, {"l2_regularization": 3.0}, {"max_leaf_nodes": 4}, {"max_bins": 20}]
)
def test_boosting_learns_what_the_copies_learn(params, weighted, n_classes, native):
    # No multiple of max_bins: borders between two rows would be left to rounding.
    data = make_soft(n_samples=251, n_classes=n_classes, weighted=weighted)
    student = clone(BOOSTING).set_params(**params)
    copies = fit_copies(student.set_params(min_samples_leaf=8 * n_classes), data)
    student.set_params(min_samples_leaf=8)
    fitted = fit_student(clone(student), data)
    np.testing.assert_allclose(
        fitted.decision_function(data.X), copies.decision_function(data.X), atol=1e-4
    )
    assert fitted.get_params() == student.get_params()
    smallest = min(
        predictor.nodes["count"].min()
        for predictors in fitted._predictors
        for predictor in predictors
    )
    assert smallest >= 8 * (1 if native else n_classes)


@pytest.mark.parametrize(("n_classes", "weighted"), CASES)
def test_boosting_stops_by_the_soft_loss(n_classes, weighted, native):
    data = make_soft(n_samples=300, n_classes=n_classes, weighted=weighted)
    student = clone(BOOSTING).set_params(
        early_stopping=True, max_iter=300, learning_rate=0.3, n_iter_no_change=4
    )
    train, held_out = split_rows(data.targets.argmax(axis=1), 0.2, 0)
    inside, outside = data.take(train), data.take(held_out)
    fitted = fit_student(student, inside, outside)
    assert fitted.n_iter_ < 300
    assert fitted.early_stopping is True
    for scores, part in (
        (fitted.validation_score_, outside),
        (fitted.train_score_, inside),
    ):
        proba = fitted.predict_proba(part.X)
        served = -cross_entropy(part.targets, proba, part.weight)
        assert scores[-1] == pytest.approx(served, abs=1e-7)
    best = fitted.validation_score_.argmax()
    assert fitted.n_iter_ - best >= 4


def test_boosting_by_another_score(native):
    data = make_soft(n_samples=300)
    student = clone(BOOSTING).set_params(
        early_stopping=True, scoring="accuracy", max_iter=100, n_iter_no_change=2
    )
    train, held_out = split_rows(data.targets.argmax(axis=1), 0.2, 0)
    fitted = fit_student(student, data.take(train), data.take(held_out))
    assert fitted.n_iter_ < 100
    assert 0 < fitted.validation_score_[-1] < 1
    assert fitted.min_samples_leaf == 8


def test_boosting_that_follows_its_training_loss(native):
    """validation_fraction=None holds no rows back."""
    data = make_soft()
    student = clone(BOOSTING).set_params(
        early_stopping=True, validation_fraction=None, tol=0.5, n_iter_no_change=2
    )
    assert validation_fraction(student, 150) is None
    fitted = fit_student(student.set_params(max_iter=50), data)
    assert fitted.n_iter_ < 50
    served = -cross_entropy(data.targets, fitted.predict_proba(data.X))
    assert fitted.train_score_[-1] == pytest.approx(served, abs=1e-7)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_boosting_keeps_categories_and_frames(n_classes):
    data = make_soft(n_samples=240, n_classes=n_classes)
    frame = pd.DataFrame(data.X, columns=list("uvwxyz"))
    frame["town"] = pd.Categorical(
        np.array(["Ulm", "Rom", "Bonn"])[data.targets.argmax(axis=1)]
    )
    data = data.with_rows(frame)
    fitted = fit_student(clone(BOOSTING), data)
    np.testing.assert_array_equal(fitted.is_categorical_, [False] * 6 + [True])
    assert list(fitted.feature_names_in_) == list(frame.columns)
    plain = fit_student(clone(BOOSTING), data.with_rows(frame[list("uvwxyz")]))
    assert cross_entropy(data.targets, fitted.predict_proba(frame)) < cross_entropy(
        data.targets, plain.predict_proba(frame[list("uvwxyz")])
    )


def test_boosting_keeps_monotonic_constraints():
    data = make_soft(n_samples=240, n_classes=2)
    student = clone(BOOSTING).set_params(monotonic_cst=[1, 0, 0, 0, 0, 0])
    fitted = fit_student(student, data)
    rows = np.zeros((40, 6))
    rows[:, 0] = np.linspace(-2, 2, 40)
    assert (np.diff(fitted.predict_proba(rows)[:, 1]) >= 0).all()


def test_boosting_errors_name_the_student():
    with pytest.raises(ValueError, match="of HistGradientBoostingClassifier must"):
        fit_student(HistGradientBoostingClassifier(max_iter=0), make_soft())


def test_boosting_is_guarded(monkeypatch):
    assert _hist.has_native_route()
    _hist.check_tuning(BOOSTING)
    monkeypatch.setattr(HistGradientBoostingClassifier, "_get_loss", lambda self: None)
    assert not _hist.has_native_route()
    monkeypatch.delattr(HistGradientBoostingClassifier, "_encode_y")
    assert not _hist.has_native_route()
    with pytest.raises(TypeError, match=r"Set fine_tune=0, or use MLPClassifier"):
        _hist.check_tuning(BOOSTING)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_further_rounds_on_the_same_rows_are_a_warm_start(n_classes):
    hard = make_hard(make_soft(n_samples=240, n_classes=n_classes))
    fitted = fit_student(clone(BOOSTING), hard)
    before = fitted.decision_function(hard.X)
    tuned = _hist.tune(fitted, hard, 5)
    stock = clone(BOOSTING).set_params(warm_start=True).fit(hard.X, hard.y)
    stock.set_params(max_iter=13, learning_rate=0.1 * 0.1).fit(hard.X, hard.y)
    np.testing.assert_array_equal(
        tuned.decision_function(hard.X), stock.decision_function(hard.X)
    )
    assert tuned.n_iter_ == 13
    assert tuned.get_params() == fitted.get_params() == BOOSTING.get_params()
    assert fitted.n_iter_ == 8
    np.testing.assert_array_equal(fitted.decision_function(hard.X), before)
    assert type(tuned) is HistGradientBoostingClassifier


@pytest.mark.parametrize("n_classes", [2, 3])
def test_further_rounds_on_other_rows_start_from_what_is_served(n_classes):
    """A warm start on other rows would read them by bins of their own."""
    data = make_soft(n_samples=400, n_classes=n_classes)
    frame = pd.DataFrame(data.X, columns=list("uvwxyz"))
    towns = np.array(["Bonn", "Rom", "Ulm"])[data.targets.argmax(axis=1)]
    frame["town"] = pd.Categorical(towns)
    data = data.with_rows(frame)
    fitted = fit_student(clone(BOOSTING).set_params(max_iter=30), data)
    some = make_hard(data.take(np.flatnonzero(towns != "Bonn")[:100]))
    tuned = _hist.tune(fitted, some, 20)
    losses = [
        cross_entropy(some.targets, stage)
        for stage in tuned.staged_predict_proba(some.X)
    ]
    assert losses[29] == pytest.approx(
        cross_entropy(some.targets, fitted.predict_proba(some.X)), abs=1e-12
    )
    assert (np.diff(losses[29:]) < 0).all()
    assert len(losses) == 50
