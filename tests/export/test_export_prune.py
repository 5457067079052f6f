"""Smaller models that stay as good, or an error that says by how much they do not."""

import pickle
import warnings
from importlib import import_module
from typing import ClassVar

import numpy as np
import pytest
from _core import PLAIN
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier, DistilledRegressor, FunctionClassifier
from skdistill.export import OnnxClassifier, prune, slim, to_onnx
from skdistill.transfer import Munge

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.RandomState(0)
X = RNG.normal(size=(600, 5))
SCORES = X @ RNG.normal(size=(5, 3)) + 0.3 * RNG.normal(size=(600, 3))
CODES = SCORES.argmax(axis=1)
Y = np.array(["ant", "bee", "cow"])[CODES]


def make_distilled(solver="adam", **params):
    network = MLPClassifier((32, 16), max_iter=40, solver=solver)
    student = make_pipeline(StandardScaler(), network)
    params = {"random_state": 0, **params}
    return DistilledClassifier(RandomForestClassifier(20), student, **params).fit(X, Y)


@pytest.mark.parametrize(
    "solver",
    [
        pytest.param("adam", marks=pytest.mark.slow),
        pytest.param("sgd", marks=pytest.mark.slow),
        "lbfgs",
    ],
)
def test_units_of_a_network_are_removed(solver):
    distilled = make_distilled(solver=solver, augmenter=None)
    before = pickle.dumps(distilled.student_)

    pruned = prune(
        distilled, X, Y, sparsity=0.75, tolerance=0.04, epochs=60, random_state=0
    )

    network = pruned.estimator[-1]
    assert [w.shape for w in network.coefs_] == [(5, 14), (14, 7), (7, 3)]
    assert [b.shape for b in network.intercepts_] == [(14,), (7,), (3,)]
    assert network.hidden_layer_sizes == (14, 7)
    assert network.solver == solver
    assert not hasattr(network, "_optimizer")
    assert len(pickle.dumps(pruned.estimator)) < len(before) / 2
    assert pickle.dumps(distilled.student_) == before
    for scores, model in [
        (pruned.before, distilled.student_),
        (pruned.after, pruned.estimator),
    ]:
        proba = model.predict_proba(X)
        assert scores["accuracy"] == pytest.approx(accuracy_score(Y, model.predict(X)))
        assert scores["log_loss"] == pytest.approx(log_loss(Y, proba))


def test_a_network_of_dead_units_loses_nothing_but_them():
    network = MLPClassifier((6,), max_iter=30, random_state=0).fit(X, Y)
    # Two units that nothing reads, and one that reads nothing and says nothing.
    network.coefs_[1][[1, 4]] = 0
    network.coefs_[0][:, 2] = 0
    network.intercepts_[0][2] = -1
    pruned = prune(network, X, sparsity=0.5, epochs=0)
    assert pruned.estimator.coefs_[0].shape == (5, 3)
    np.testing.assert_allclose(
        pruned.estimator.predict_proba(X), network.predict_proba(X), atol=1e-12
    )
    assert pruned.before["accuracy"] == pruned.after["accuracy"] == 1


def test_training_in_between_recovers_what_pruning_lost():
    network = MLPClassifier((32, 16), max_iter=60, random_state=0).fit(X, Y)
    settings = {"sparsity": 0.7, "tolerance": 1, "random_state": 0}
    plain = prune(network, X, Y, epochs=0, **settings)
    trained = prune(network, X, Y, epochs=10, **settings)
    assert trained.after["log_loss"] < plain.after["log_loss"]
    # The same seed gives the same model.
    again = prune(network, X, Y, epochs=10, **settings)
    assert pickle.dumps(again.estimator) == pickle.dumps(trained.estimator)


class Turned(GaussianNB):
    """Calls every class by the name of the next."""

    def predict_proba(self, X):
        return np.roll(super().predict_proba(X), 1, axis=1)


@pytest.mark.parametrize(
    "augmenter", [None, pytest.param("munge", marks=pytest.mark.slow)]
)
def test_the_teacher_makes_the_targets_again(augmenter):
    """With a teacher that contradicts the student, training follows the teacher."""
    distilled = make_distilled(augmenter=augmenter)
    distilled.teacher_ = Turned().fit(X, Y)
    epochs = 50 if augmenter is None else 10
    pruned = prune(distilled, X, Y, sparsity=0.1, steps=1, tolerance=1, epochs=epochs)
    turned = np.roll(distilled.classes_, -1)[np.searchsorted(distilled.classes_, Y)]
    assert accuracy_score(turned, pruned.estimator.predict(X)) > 0.8


class Constant(ClassifierMixin, BaseEstimator):
    """Gives every row the same probabilities, and remembers how many it was asked."""

    asked: ClassVar[list[int]] = []

    def __init__(self, proba=(0.7, 0.2, 0.1)):
        self.proba = proba

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        self.asked.append(len(X))
        return np.tile(self.proba, (len(X), 1))


class Counted(Munge):
    """Remembers the rows that it was fitted on and those that it made."""

    calls: ClassVar[list[tuple[str, int]]] = []

    def fit(self, X, y=None):
        self.calls.append(("fit", len(X)))
        return super().fit(X, y)

    def sample_with_parents(self, n_samples, random_state=None):
        self.calls.append(("sample", n_samples))
        return super().sample_with_parents(n_samples, random_state)


@pytest.mark.parametrize("n_synthetic", ["auto", 700])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_as_many_rows_are_made_and_labelled_as_in_fit(n_synthetic, n_classes):
    Constant.asked.clear()
    Counted.calls.clear()
    proba = (0.7, 0.3) if n_classes == 2 else (0.7, 0.2, 0.1)
    distilled = DistilledClassifier(
        Constant(proba),
        MLPClassifier((8,), max_iter=2),
        augmenter=Counted(),
        n_synthetic=n_synthetic,
        calibrate=False,
        random_state=0,
    ).fit(X, Y if n_classes == 3 else Y == "ant")
    in_fit, labelled = list(Counted.calls), sum(Constant.asked)
    assert in_fit[-2] == ("fit", 600)
    Constant.asked.clear()
    Counted.calls.clear()
    prune(distilled, X, tolerance=1, epochs=0, random_state=0)
    assert Counted.calls == in_fit
    assert sum(Constant.asked) == labelled == 600 + in_fit[-1][1]


SETTINGS = {
    "teacher": {"alpha": 1.0, "temperature": 1.0},
    "blended": {"alpha": 0.6, "temperature": 1.0},
    "softened": {"alpha": 1.0, "temperature": 3.0},
    "mixed": {"alpha": 0.6, "temperature": 3.0},
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("weighted", [False, True])
def test_it_learns_the_targets_of_fit(name, weighted):
    """Against a teacher that has changed since, for what stood there to show."""
    rng = np.random.RandomState(1)
    # Labels that the columns tell nothing of.
    y = np.repeat(["ant", "bee", "cow"], [300, 200, 100])
    weight = np.where(y == "cow", 4.0, 1.0) if weighted else None
    rows = rng.normal(size=(600, 2))
    distilled = DistilledClassifier(
        Constant(),
        MLPClassifier((8,), learning_rate_init=0.01, max_iter=150, random_state=0),
        augmenter=None,
        calibrate=False,
        random_state=0,
        **SETTINGS[name],
    ).fit(rows, y)
    distilled.teacher_ = Constant((0.1, 0.2, 0.7)).fit(rows, y)
    expected = clone(distilled).set_params(teacher=Constant((0.1, 0.2, 0.7)))
    if name == "mixed":
        # The mixture has no fixed target, which pruning needs: it learns the blend.
        expected.set_params(temperature=1.0)
    expected.fit(rows, y, sample_weight=weight)
    pruned = prune(
        *(distilled, rows, y), sample_weight=weight, tolerance=1, epochs=100, steps=1
    )
    served = pruned.estimator.predict_proba(rows)
    assert np.abs(served - distilled.predict_proba(rows)).max() > 0.1
    np.testing.assert_allclose(
        served.mean(axis=0), expected.predict_proba(rows).mean(axis=0), atol=0.02
    )


def test_rows_that_are_made_weigh_as_much_as_those_of_their_parents():
    """Four times all weights are the same weights, where no penalty has a size."""
    network = MLPClassifier((32,), max_iter=40, alpha=0)
    distilled = DistilledClassifier(
        GaussianNB(), network, augmenter=Munge(), n_synthetic=200, random_state=0
    ).fit(X, Y)
    given = {"tolerance": 1, "random_state": 0}
    served = [
        prune(
            *(distilled, X, Y), sample_weight=np.full(len(X), factor), **given
        ).estimator.predict_proba(X)
        for factor in (1.0, 4.0)
    ]
    np.testing.assert_allclose(*served, rtol=1e-5)


@pytest.mark.parametrize(
    ("scalar", "shift"), [(0.5, [0.0, 0.0, 0.0]), (1.0, [0.0, np.log(6), 0.0])]
)
def test_calibration_is_that_of_fit(scalar, shift):
    distilled = DistilledClassifier(
        *(Constant(), MLPClassifier((8,), learning_rate_init=0.01, max_iter=50)),
        augmenter=None,
        random_state=0,
    ).fit(X, Y)
    distilled.calibration_ = scalar
    distilled.calibration_shift_ = np.array(shift)
    pruned = prune(distilled, X, tolerance=1, epochs=60, steps=1, random_state=0)
    expected = np.array([0.7, 0.2, 0.1]) ** (1 / scalar) * np.exp(shift)
    served = pruned.estimator.predict_proba(X).mean(axis=0)
    np.testing.assert_allclose(served, expected / expected.sum(), atol=0.02)


def test_rows_of_some_classes_alone():
    """The others keep their column, and the priors theirs."""
    distilled = make_distilled(augmenter=None)
    some = Y != "cow"
    pruned = prune(
        *(distilled, X[some], Y[some]), tolerance=0.1, epochs=5, random_state=0
    )
    assert pruned.estimator.classes_.tolist() == ["ant", "bee", "cow"]
    assert pruned.estimator.predict_proba(X).shape == (600, 3)


def fit_without_a_teacher(student):
    proba = np.full((600, 3), 1 / 3)
    return DistilledClassifier(student=student, **PLAIN).fit(X, Y, teacher_proba=proba)


def fit_on_true_labels(student):
    return DistilledClassifier(
        GaussianNB(),
        student,
        alpha=0.0,
        temperature=1,
        augmenter=None,
        random_state=0,
        calibrate=False,
    ).fit(X, Y)


@pytest.mark.parametrize("fit", [fit_without_a_teacher, fit_on_true_labels])
def test_a_student_teaches_itself_where_its_targets_are_gone(fit):
    """Or where they are true labels alone, which it would overfit."""
    distilled = fit(MLPClassifier((16,), max_iter=10, random_state=0))
    settings = {"tolerance": 1, "epochs": 5, "random_state": 0}
    pruned = prune(distilled, X, Y, **settings)
    # As a model that never had a teacher.
    alone = prune(distilled.student_, X, Y, **settings)
    assert pickle.dumps(pruned.estimator) == pickle.dumps(alone.estimator)


def test_the_model_that_is_given_stays_as_it_is():
    distilled = make_distilled(augmenter=None)
    before = pickle.dumps(distilled)
    first, again = (
        prune(distilled, X, Y, tolerance=1, epochs=2).estimator for _ in range(2)
    )
    assert pickle.dumps(distilled) == before
    # Without a seed, that of the network counts.
    np.testing.assert_array_equal(first.predict_proba(X), again.predict_proba(X))


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_models_are_pruned_inside(frozen):
    model = MLPClassifier((16,), max_iter=30, random_state=0).fit(X, Y)
    if not frozen:
        model = RandomForestClassifier(10, random_state=0).fit(X, Y)
    pipeline = make_pipeline(StandardScaler(), FrozenEstimator(model)).fit(X, Y)
    for given in (FrozenEstimator(model), pipeline):
        pruned = prune(given, X, tolerance=1, epochs=1).estimator
        inside = (pruned[-1] if given is pipeline else pruned).estimator
        assert type(inside) is type(model)
        assert len(pickle.dumps(inside)) < 0.8 * len(pickle.dumps(slim(model)))


def test_a_search_and_a_pipeline_around_a_distilled_classifier():
    distilled = DistilledClassifier(
        GaussianNB(), MLPClassifier((8,), max_iter=10), random_state=0, **PLAIN
    )
    pipeline = make_pipeline(StandardScaler(), distilled)
    search = GridSearchCV(pipeline, {"distilledclassifier__alpha": [1.0]}, cv=2)
    pruned = prune(search.fit(X, Y), X, Y, tolerance=0.2, epochs=5)
    assert pruned.estimator[-1].coefs_[0].shape == (5, 4)


ROUNDS = {
    "forest": (RandomForestClassifier(10), lambda m: len(m.estimators_)),
    "extra": (ExtraTreesClassifier(10), lambda m: len(m.estimators_)),
    "bagging": (
        BaggingClassifier(n_estimators=10, max_features=0.8),
        lambda m: len(m.estimators_),
    ),
    "lightgbm": (
        LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1),
        lambda m: m.booster_.current_iteration(),
    ),
}


@pytest.mark.parametrize("name", ROUNDS)
def test_fewer_trees(name):
    model, count = ROUNDS[name]
    model.set_params(random_state=0).fit(X, Y)
    pruned = prune(model, X, Y, sparsity=0.6, tolerance=0.2)
    assert count(model) == 10
    assert count(pruned.estimator) == 4
    assert len(pickle.dumps(pruned.estimator)) < 0.7 * len(pickle.dumps(model))
    proba = pruned.estimator.predict_proba(X)
    assert pruned.after["log_loss"] == pytest.approx(log_loss(Y, proba))
    if name in ("forest", "extra"):
        expected = np.mean([t.predict_proba(X) for t in model.estimators_[:4]], axis=0)
        np.testing.assert_allclose(proba, expected)
    elif name == "lightgbm":
        expected = model.predict_proba(X, num_iteration=4)
        np.testing.assert_array_equal(proba, expected)


def test_first_rounds_are_kept_as_they_are():
    model = GradientBoostingClassifier(n_estimators=10, random_state=0).fit(X, Y)
    pruned = prune(model, X, Y, sparsity=0.5, tolerance=0.2)
    staged = list(model.staged_predict_proba(X))
    np.testing.assert_allclose(pruned.estimator.predict_proba(X), staged[4])


@pytest.mark.parametrize("kind", ["classes", "values"])
def test_kept_leaves_of_a_distilled_lightgbm_say_what_all_trees_said(kind):
    given = {"n_estimators": 20, "num_leaves": 7, "verbose": -1, "n_jobs": 1}
    if kind == "classes":
        teacher, student = GaussianNB(), LGBMClassifier(**given)
        meta, y, ask = DistilledClassifier, Y, LGBMClassifier.predict_proba
    else:
        teacher, student = LinearRegression(), LGBMRegressor(**given)
        meta, y, ask = DistilledRegressor, SCORES[:, 0], LGBMRegressor.predict
    student = make_pipeline(StandardScaler(), student)
    settings = {"augmenter": "munge", "random_state": 0, "pilot": 0}
    distilled = meta(teacher, student, **settings).fit(X, y)
    pruned = prune(distilled, X, y, tolerance=9).estimator
    trees, all_trees = (
        [tree["tree_structure"]["threshold"] for tree in found["tree_info"]]
        for found in (
            model[-1].booster_.dump_model() for model in (pruned, distilled.student_)
        )
    )
    assert trees == all_trees[: len(all_trees) // 2]
    rows = pruned[0].transform(np.random.RandomState(1).normal(size=(500, 5)))
    said = ask(distilled.student_[-1], rows)
    first = ask(distilled.student_[-1], rows, num_iteration=10)
    off, off_first = (
        np.mean((found - said) ** 2) for found in (ask(pruned[-1], rows), first)
    )
    assert off < off_first / 2


@pytest.mark.parametrize("library", ["xgboost", "catboost"])
def test_other_boosting_libraries_keep_their_first_rounds(library):
    module = pytest.importorskip(library)
    if library == "xgboost":
        model = module.XGBClassifier(n_estimators=10, n_jobs=1).fit(X, CODES)
        expected = model.predict_proba(X, iteration_range=(0, 5))
    else:
        model = module.CatBoostClassifier(
            n_estimators=10, verbose=0, thread_count=1, allow_writing_files=False
        ).fit(X, CODES)
        expected = model.predict_proba(X, ntree_end=5)
    pruned = prune(model, X, CODES, sparsity=0.5, tolerance=0.2)
    np.testing.assert_allclose(pruned.estimator.predict_proba(X), expected, rtol=1e-6)


def test_rounds_after_the_best_one_are_not_counted():
    module = pytest.importorskip("xgboost")
    model = module.XGBClassifier(
        n_estimators=60, learning_rate=1.0, early_stopping_rounds=5, n_jobs=1
    )
    model.fit(X[:400], CODES[:400], eval_set=[(X[400:], CODES[400:])], verbose=False)
    served = model.best_iteration + 1
    assert 2 < served < model.get_booster().num_boosted_rounds()

    pruned = prune(model, X, CODES, sparsity=0.5, tolerance=1).estimator

    left = -(-served // 2)
    assert pruned.get_booster().num_boosted_rounds() == left
    expected = model.predict_proba(X, iteration_range=(0, left))
    np.testing.assert_allclose(pruned.predict_proba(X), expected, rtol=1e-6)
    # What is left has no best round, and is written whole.
    served = OnnxClassifier(to_onnx(pruned, X)).predict_proba(X)
    np.testing.assert_allclose(served, expected, atol=1e-6)


@pytest.mark.parametrize(("y", "temperature"), [(CODES, 3), (Y, 1)])
def test_a_distilled_net_is_pruned_at_its_temperature(y, temperature):
    torch = pytest.importorskip("torch")
    from _nets import make_net

    module = torch.nn.Sequential(
        torch.nn.Linear(5, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)
    )
    settings = {"lr": 0.02, "max_epochs": 60, "train_split": None}
    net = make_net(module=module, optimizer=torch.optim.Adam, **settings)
    rows = X.astype(np.float32)
    params = {**PLAIN, "temperature": temperature, "random_state": 0}
    distilled = DistilledClassifier(RandomForestClassifier(20), net, **params)
    distilled.fit(rows, y)
    before = distilled.predict_proba(rows)

    pruned = prune(distilled, rows, y, sparsity=0.1, tolerance=0.1, random_state=0)

    # Its targets are those of fit, so that little pruning changes little.
    found = pruned.estimator.predict_proba(rows)
    assert np.abs(found - before).mean() < 0.1
    accuracy = accuracy_score(CODES, found.argmax(axis=1))
    assert pruned.after["accuracy"] == pytest.approx(accuracy)
    assert pruned.before["accuracy"] == pytest.approx(distilled.score(rows, y))


def test_a_cache_has_no_labels_of_another_teacher(tmp_path):
    network = MLPClassifier((16,), max_iter=40)
    params = {**PLAIN, "memory": str(tmp_path), "random_state": 0}
    found = []
    for y in (CODES == 0, CODES != 0):
        distilled = DistilledClassifier(RandomForestClassifier(20), network, **params)
        distilled.fit(X, y)
        found.append(prune(distilled, X, tolerance=1, random_state=0))
    first, second = (pruned.estimator.predict(X) for pruned in found)
    assert np.mean(first == second) < 0.2


ASKED: list[int] = []


def answer(rows):
    ASKED.append(len(rows))
    return GaussianNB().fit(X, CODES).predict_proba(rows)


def test_a_cache_has_what_fit_asked_a_fixed_teacher(tmp_path):
    ASKED.clear()
    teacher = FunctionClassifier(answer, [0, 1, 2])
    network = MLPClassifier((8,), max_iter=20)
    params = {**PLAIN, "memory": str(tmp_path), "random_state": 0}
    distilled = DistilledClassifier(teacher, network, **params).fit(X, CODES)
    assert sum(ASKED) == len(X)
    prune(distilled, X, tolerance=1, epochs=1, random_state=0)
    assert sum(ASKED) == len(X)


@pytest.mark.slow
def test_nets_lose_units():
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    torch.manual_seed(0)
    nn = torch.nn
    module = nn.Sequential(
        nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Dropout(0.1)),
        nn.Linear(32, 16, bias=False),
        nn.Tanh(),
        nn.Linear(16, 3),
    )
    net = skorch.NeuralNetClassifier(
        module,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.01,
        max_epochs=15,
        verbose=0,
        train_split=None,
    )
    rows = X.astype(np.float32)
    net.fit(rows, CODES)
    settings = {"sparsity": 0.75, "tolerance": 0.05, "random_state": 0}
    pruned = prune(net, rows, CODES, epochs=50, **settings)
    shapes = [tuple(p.shape) for p in pruned.estimator.module_.parameters()]
    assert shapes == [(14, 5), (14,), (7, 14), (3, 7), (3,)]
    assert net.module_[0][0].weight.shape == (32, 5)
    plain = prune(net, rows, CODES, epochs=0, **settings | {"tolerance": 1})
    assert pruned.after["log_loss"] < plain.after["log_loss"]

    odd = skorch.NeuralNetClassifier(
        nn.Sequential(nn.LayerNorm(5), nn.Linear(5, 3)),
        criterion=nn.CrossEntropyLoss,
        max_epochs=1,
        verbose=0,
    ).fit(rows, CODES)
    with pytest.raises(TypeError, match="LayerNorm"):
        prune(odd, rows, CODES)


def test_a_module_that_is_refused_is_named_at_any_temperature():
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")

    net = skorch.NeuralNetClassifier(
        import_module("_nets").Net,
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=2,
        verbose=0,
    )
    rows, teacher = X[:, :4].astype(np.float32), RandomForestClassifier(5)
    model = DistilledClassifier(
        teacher, net, temperature=3, augmenter=None, random_state=0
    ).fit(rows, CODES)
    with pytest.raises(TypeError, match="'Net'"):
        prune(model, rows, CODES)


@pytest.mark.parametrize(
    ("n_rows", "epochs"), [(1, 1000), (150, 1000), (201, 500), (12_000, 17)]
)
def test_epochs_make_a_thousand_batches(n_rows, epochs):
    network = MLPClassifier((2,), max_iter=3, random_state=0).fit(X, Y)
    rows = np.resize(X, (n_rows, 5))
    settings = {"tolerance": 1, "steps": 1, "random_state": 0}
    chosen = prune(network, rows, **settings).estimator
    given = prune(network, rows, epochs=epochs, **settings).estimator
    assert pickle.dumps(chosen) == pickle.dumps(given)


@pytest.mark.parametrize("n_rows", [600, 601])
def test_probabilities_survive_whatever_the_number_of_rows(n_rows):
    """No batch of a few rows that are left over moves the network as far as others."""
    shares = {"n_informative": 8, "n_classes": 4, "weights": [0.75, 0.2, 0.03, 0.02]}
    rows, y = make_classification(
        *(1600, 12), n_clusters_per_class=1, random_state=1, **shares
    )
    network = MLPClassifier((32, 16), max_iter=60, random_state=0)
    model = make_pipeline(StandardScaler(), network).fit(rows[:n_rows], y[:n_rows])
    pruned = prune(
        model, rows[:n_rows], y[:n_rows], sparsity=0.1, steps=1, random_state=0
    )
    before, after = (
        log_loss(y[n_rows:], served.predict_proba(rows[n_rows:]))
        for served in (model, pruned.estimator)
    )
    assert after < before + 0.01


def test_units_are_chosen_by_both_sides():
    network = MLPClassifier((4,), max_iter=1).fit(X[:, :1], Y == "ant")
    network.coefs_ = [
        np.array([[1.0, 10.0, 0.1, 3.0]]),
        # Products: 1, .1, 10, 3.
        np.array([[1.0], [0.01], [100.0], [1.0]]),
    ]
    pruned = prune(network, X[:, :1], tolerance=1, epochs=0).estimator
    np.testing.assert_array_equal(pruned.coefs_[0], [[0.1, 3.0]])
    np.testing.assert_array_equal(pruned.coefs_[1], [[100.0], [1.0]])


@pytest.mark.parametrize(
    ("hidden", "sparsity", "steps", "left"),
    [((64,), 0.75, 2, (16,)), ((10,), 0.9, 1, (1,)), ((3,), 0.99, 1, (1,))],
)
def test_sparsity_is_a_share_of_the_weights(hidden, sparsity, steps, left):
    network = MLPClassifier(hidden, max_iter=1).fit(X, Y)
    settings = {"sparsity": sparsity, "steps": steps, "tolerance": 1, "epochs": 0}
    assert prune(network, X, **settings).estimator.hidden_layer_sizes == left


def test_layers_lose_the_same_share_of_their_units():
    network = MLPClassifier((64, 32), max_iter=1).fit(X, Y)
    pruned = prune(network, X, tolerance=1, epochs=0).estimator
    count = [sum(c.size for c in model.coefs_) for model in (network, pruned)]
    assert count[1] / count[0] == pytest.approx(0.5, abs=0.02)
    first, second = pruned.hidden_layer_sizes
    assert first == pytest.approx(2 * second, abs=1)


def test_a_loss_past_the_tolerance_is_refused():
    model = MLPClassifier((32,), max_iter=40, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match=r"sparsity=0\.97 may cost at most") as error:
        prune(model, X, Y, sparsity=0.97, epochs=0)
    assert "tolerance=0.002" in str(error.value)
    assert f"from {model.score(X, Y):.5f}" in str(error.value)


def test_a_rise_of_the_log_loss_is_said_where_the_accuracy_is_kept():
    """Boosting shrinks: its first rounds are right, and less sure."""
    far = np.abs(X[:, 0]) > 0.5
    rows, y = X[far], X[far, 0] > 0
    model = GradientBoostingClassifier(n_estimators=20, random_state=0).fit(rows, y)
    with pytest.warns(UserWarning, match="raised the log loss") as said:
        pruned = prune(model, rows, y, sparsity=0.9)
    assert len(said) == 1
    assert said[0].filename == __file__
    assert pruned.after["accuracy"] == 1
    assert f"{pruned.before['log_loss']:.5f} to" in str(said[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prune(model, rows, y, sparsity=0.1)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        *(("sparsity", value, f"received {value}") for value in (0, 1, -0.5, 2)),
        ("sparsity", "half", "received 'half'"),
        ("steps", 0, "steps=0"),
        ("steps", 1.5, "steps=1.5"),
        ("epochs", -1, "epochs=-1"),
        ("random_state", -1, "random_state must be"),
        ("sample_weight", np.full(len(X), -1.0), "must not be negative"),
        ("sample_weight", np.ones(3), "inconsistent numbers of samples"),
        ("y", Y[:3], "inconsistent numbers of samples"),
    ],
)
def test_parameters_are_checked(name, value, text):
    with pytest.raises(ValueError, match=text):
        prune(GaussianNB().fit(X, Y), X, **{name: value})


@pytest.mark.parametrize(
    "model",
    [
        GaussianNB(),
        DecisionTreeClassifier(),
        HistGradientBoostingClassifier(max_iter=2),
    ],
)
def test_other_models_are_named(model):
    with pytest.raises(TypeError, match=f"received {type(model).__name__}"):
        prune(model.fit(X, Y), X)


@pytest.mark.parametrize(
    ("library", "name", "params", "received"),
    [
        ("xgboost", "XGBClassifier", {"booster": "gblinear"}, "has no trees"),
        ("catboost", "CatBoostClassifier", {"grow_policy": "Depthwise"}, "grow_policy"),
        (
            "sklearn.neural_network",
            "MLPClassifier",
            {"hidden_layer_sizes": ()},
            "a network without a hidden layer",
        ),
    ],
)
def test_what_has_no_part_to_remove_is_named(library, name, params, received):
    make = getattr(pytest.importorskip(library), name)
    if library == "catboost":
        params = {**params, "iterations": 3, "verbose": 0, "allow_writing_files": False}
    model = make(**params).fit(X, CODES)
    with pytest.raises(TypeError, match=f"received .*{received}.* Fit it "):
        prune(model, X)
