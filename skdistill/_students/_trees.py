"""Decision trees and forests: DecisionTree, ExtraTree, RandomForest, ExtraTrees.

The gini impurity of a node is 1 - |m|² for its mean target m, and the squared error
summed over the columns of the target is E|q|² - |m|². Their difference is a constant
of the rows, so that a split gains the same in both, and a regression tree grown on
one row a sample is the gini tree of the weighted copies. It is grown by
scikit-learn's regressors, with the same draws of rows and features as the
classifiers', and moved into a stock classifier: one output, class probabilities in
`tree_.value`, gini in `tree_.impurity`. Two classes need one column only.

Leaf sizes count rows, impurities are in gini units, and the bootstrap draws rows.
What differs from growing on copies: a node whose rows all have the same target is a
leaf (copies would be split further into leaves that predict the same), and under
`monotonic_cst` a node's impurity is that of the probabilities it serves.

"entropy" and "log_loss" are no sum over the columns: they are grown on copies, one a
row and class (`n_classes` times the rows in memory), with leaf sizes multiplied by
`n_classes` and, in a forest, the draws of the classifier. So are all trees where
scikit-learn has moved what `_rebuild_tree` reads: the state by which trees are pickled.
Targets that are certain need no copies: the stock fit learns them.

Soft rows are rarely pure: without a limit on depth or leaf size every leaf ends with
one row, and time and size grow with the nodes. At equal leaf sizes two classes cost
what hard labels cost; with more, a step adds `n_classes` numbers where hard labels
add one, which shows in ExtraTrees (twice the time at 26 classes) more than in trees
that sort their rows.

Source: Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees"
(1984), section 4.3 (gini as the variance of the class indicators).
"""

from __future__ import annotations

from functools import cache
from math import ceil
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.metrics import accuracy_score
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)
from sklearn.utils import check_array
from sklearn.utils.parallel import Parallel, delayed

from .._sklearn import validate_parameters
from .._soft_data import MaybeRows, SoftDataset
from .._typing import AnyArray, FloatArray, IndexArray
from .._warnings import warn_caller
from ._soft_learner import MANY_LABELS, TREES_WORSE, SoftLearner
from ._weighted_copies import LEAST_SHARE, expand_rows

#: Who grows the trees of whom.
_REGRESSORS: dict[type, type] = {
    DecisionTreeClassifier: DecisionTreeRegressor,
    ExtraTreeClassifier: ExtraTreeRegressor,
    RandomForestClassifier: RandomForestRegressor,
    ExtraTreesClassifier: ExtraTreesRegressor,
}


class TreeLearner(SoftLearner):
    """The stock trees and forests: a subclass may change its trees."""

    worse = TREES_WORSE

    def accepts(self, student: Any) -> bool:
        return type(student) in _REGRESSORS

    def count_useful_labels(self, student: Any) -> int:
        """A single tree is soon grown."""
        return MANY_LABELS if isinstance(student, DecisionTreeClassifier) else 0

    def check(self, student: Any, n_classes: int, n_samples: int) -> None:
        name = type(student).__name__
        if getattr(student, "class_weight", None) == "balanced_subsample":
            raise ValueError(
                "The class weights of a student must be the same for all its trees; "
                f"received class_weight='balanced_subsample' with {name}. Set "
                "class_weight='balanced'."
            )
        if student.monotonic_cst is not None and n_classes > 2:
            raise ValueError(
                "Monotonic constraints need two classes; received monotonic_cst with "
                f"{name} on {n_classes} classes. Set monotonic_cst=None."
            )

    def fit_rows(self, student: Any, rows: SoftDataset, validation: MaybeRows) -> Any:
        """Grow on soft targets by the cheapest exact fit."""
        if _is_certain(rows.targets):
            labels = rows.classes[rows.targets.argmax(axis=1)]
            params = rows.params or {}
            return student.fit(rows.X, labels, sample_weight=rows.weight, **params)
        # The regressors would name themselves in the message.
        validate_parameters(student)
        native = student.criterion == "gini" and has_native_fit()
        if isinstance(student, RandomForestClassifier | ExtraTreesClassifier):
            return _fit_forest(student, rows, native)
        if native:
            regressor = _fit_regressor(student, rows)
            return _make_classifier(student, regressor, rows.classes)
        X, y, weight, params = expand_rows(rows, least=LEAST_SHARE)
        return _fit_on_copies(student, X, y, weight, len(rows.classes), params)


def _is_certain(targets: FloatArray) -> bool:
    """Whether the targets are the hard labels of all classes."""
    certain = ((targets == 0) | (targets == 1)).all()
    return bool(certain and targets.any(axis=0).all())


@cache
def has_native_fit() -> bool:
    """Whether this scikit-learn lets a regression tree become a classifier's."""
    targets = np.array([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])
    rows = np.arange(3.0)[:, None]
    data = SoftDataset(rows, targets, np.arange(3), np.arange(3))
    tree = DecisionTreeClassifier()
    try:
        _make_classifier(tree, _fit_regressor(tree, data), data.classes)
        return np.allclose(tree.predict_proba(rows), targets)
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def _rebuild_tree(
    tree: Any,
    n_classes: int,
    values: FloatArray,
    fields: dict[str, AnyArray],
) -> Any:
    """Return a copy of a `tree_` with other values, and other fields of its nodes.

    `values` has the shape (n_nodes, n_classes), and each of the fields (n_nodes,).
    """
    maker, (n_features, _, _), state = tree.__reduce__()
    # By bytes: a copy of the records would leave random bytes between their fields,
    # and the same seed would give different pickles.
    nodes = np.frombuffer(bytearray(state["nodes"].tobytes()), state["nodes"].dtype)
    for name, column in fields.items():
        nodes[name] = column
    rebuilt = maker(n_features, np.array([n_classes], dtype=np.intp), 1)
    values = np.ascontiguousarray(values[:, None, :])
    rebuilt.__setstate__({**state, "nodes": nodes, "values": values})
    return rebuilt


def _move_tree(tree: Any, n_classes: int) -> Any:
    """Turn the `tree_` of a regressor into a classifier's."""
    values = tree.value[:, :, 0]
    if n_classes == 2:
        values = np.hstack([1.0 - values, values])
    gini = np.maximum(1.0 - (values**2).sum(axis=1), 0.0)
    return _rebuild_tree(tree, n_classes, values, {"impurity": gini})


def _fitted_state(estimator: Any) -> dict[str, Any]:
    """What `fit` has set."""
    unfitted = vars(type(estimator)())
    return {k: v for k, v in vars(estimator).items() if k not in unfitted}


def _fit_regressor(student: Any, data: SoftDataset, **overrides: Any) -> Any:
    """Fit the student's regressor; gini is `n_classes` times its squared error.

    The regressor averages the columns of the target; one column of two has half of
    the sum of both.
    """
    kind = _REGRESSORS[type(student)]
    n_classes = len(data.classes)
    given = student.get_params(deep=False)
    params = {k: v for k, v in given.items() if k in kind().get_params(deep=False)}
    params["criterion"] = "squared_error"
    for name in ("min_impurity_decrease", "ccp_alpha"):
        params[name] = given[name] / n_classes
    if isinstance(student, RandomForestClassifier | ExtraTreesClassifier):
        params |= {"warm_start": False, "oob_score": False}
    targets = data.targets[:, 1] if n_classes == 2 else data.targets
    metadata = {"sample_weight": data.weight, **(data.params or {})}
    return kind(**(params | overrides)).fit(data.X, targets, **metadata)


def _make_classifier(tree: Any, regressor: Any, classes: AnyArray) -> Any:
    """Give an unfitted classifier the tree of a regressor."""
    n_classes = len(classes)
    vars(tree).update(_fitted_state(regressor))
    tree.n_outputs_, tree.classes_ = 1, classes
    tree.n_classes_ = np.intp(n_classes)
    tree.tree_ = _move_tree(regressor.tree_, n_classes)
    return tree


def _fit_forest(forest: Any, data: SoftDataset, native: bool) -> Any:
    """Give an unfitted forest its trees, and what else its own fit would set."""
    if native:
        regressor = _fit_regressor(forest, data)
        # A forest's trees learn the positions of the classes.
        codes = np.arange(len(data.classes), dtype=np.float64)
        trees = regressor.estimators_
        # In place: the regression trees are not held in memory all at once.
        for i, grown in enumerate(trees):
            trees[i] = _make_classifier(_unfitted_tree(forest, grown), grown, codes)
    else:
        # One split at most: only the draws and the seeds of the trees are used.
        regressor = _fit_regressor(forest, data, max_depth=1, max_leaf_nodes=None)
        trees = _grow_trees(forest, regressor, data)
    vars(forest).update(_fitted_state(regressor))
    forest.estimator_, forest.estimators_ = forest.estimator, trees
    forest.n_outputs_ = 1
    forest.classes_, forest.n_classes_ = data.classes, len(data.classes)
    if forest.oob_score:
        _score_out_of_bag(forest, data)
    return forest


def _unfitted_tree(forest: Any, grown: Any) -> Any:
    """Return a tree with the parameters of the forest and the seed of `grown`."""
    params = {name: getattr(forest, name) for name in forest.estimator_params}
    return type(forest.estimator)(**params | {"random_state": grown.random_state})


def _grow_trees(forest: Any, regressor: Any, data: SoftDataset) -> list[Any]:
    """Grow each tree of a forest on copies of the rows that the regressor drew."""
    n_samples, n_classes = data.targets.shape
    rows = SoftDataset(_as_float32(data.X), data.targets, data.classes, data.y)
    X, _, share, _ = expand_rows(rows, least=LEAST_SHARE)
    codes = np.tile(np.arange(n_classes, dtype=np.float64), n_samples)

    def grow(grown: Any, drawn: IndexArray) -> Any:
        weight: AnyArray | None = data.weight
        if forest.bootstrap:
            weight = np.bincount(drawn, minlength=n_samples)
        copies = share if weight is None else share * np.repeat(weight, n_classes)
        tree = _unfitted_tree(forest, grown)
        return _fit_on_copies(tree, X, codes, copies, n_classes, {})

    pairs = zip(regressor.estimators_, regressor.estimators_samples_, strict=True)
    run = Parallel(n_jobs=forest.n_jobs, verbose=forest.verbose, prefer="threads")
    return list(run(delayed(grow)(grown, drawn) for grown, drawn in pairs))


def _fit_on_copies(
    tree: Any, X: Any, y: Any, weight: Any, n_classes: int, params: dict[str, Any]
) -> Any:
    """Fit a tree on `n_classes` copies of each row, with leaf sizes in rows."""
    n_samples = len(y) // n_classes
    sizes = {name: getattr(tree, name) for name in _LEAST_SIZES}
    for name, size in sizes.items():
        n_rows = size if isinstance(size, Integral) else ceil(size * n_samples)
        tree.set_params(**{name: n_classes * int(max(n_rows, _LEAST_SIZES[name]))})
    tree.fit(X, y, sample_weight=weight, **params).set_params(**sizes)
    if has_native_fit():
        grown = tree.tree_
        rows = {"n_node_samples": grown.n_node_samples // n_classes}
        tree.tree_ = _rebuild_tree(grown, n_classes, grown.value[:, 0, :], rows)
    return tree


#: The parameters that count samples, with the least that scikit-learn makes of them.
_LEAST_SIZES = {"min_samples_leaf": 1, "min_samples_split": 2}


def _as_float32(X: Any) -> Any:
    """What a forest hands to its trees."""
    options = {"accept_sparse": "csr", "ensure_all_finite": False}
    return check_array(X, dtype=np.float32, **options)


def _score_out_of_bag(forest: Any, data: SoftDataset) -> None:
    """Set what scikit-learn's `oob_score` sets; the truth is the likeliest class."""
    X = _as_float32(data.X)
    proba = np.zeros(data.targets.shape)
    votes = np.zeros(data.n_samples, dtype=np.intp)
    pairs = zip(forest.estimators_, forest.estimators_samples_, strict=True)
    for tree, drawn in pairs:
        left_out = np.flatnonzero(np.bincount(drawn, minlength=data.n_samples) == 0)
        if len(left_out):
            proba[left_out] += tree.predict_proba(X[left_out])
            votes[left_out] += 1
    if not votes.all():
        warn_caller(
            f"{(votes == 0).sum()} of {data.n_samples} rows were drawn by every tree "
            "and have no out-of-bag probabilities. Raise n_estimators."
        )
    forest.oob_decision_function_ = proba / np.maximum(votes, 1)[:, None]
    truth = data.targets.argmax(axis=1).astype(np.float64)[:, None]
    score = forest.oob_score if callable(forest.oob_score) else accuracy_score
    forest.oob_score_ = score(truth, forest.oob_decision_function_.argmax(axis=1))
