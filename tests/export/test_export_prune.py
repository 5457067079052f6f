"""Smaller models that stay as good, or an error that says by how much they do not."""

import pickle

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from scipy.special import softmax
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill.export import prune
from skdistill.export._lesson import make_lesson
from skdistill.export._prune_net import choose_units, count_passes, plan_widths

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
    distilled = make_distilled(solver=solver)
    before = pickle.dumps(distilled.student_)

    pruned = prune(
        distilled, X, Y, sparsity=0.75, tolerance=0.04, passes=60, random_state=0
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
    pruned = prune(network, X, sparsity=0.5, passes=0)
    assert pruned.estimator.coefs_[0].shape == (5, 3)
    np.testing.assert_allclose(
        pruned.estimator.predict_proba(X), network.predict_proba(X), atol=1e-12
    )
    assert pruned.before["accuracy"] == pruned.after["accuracy"] == 1


def test_training_in_between_recovers_what_pruning_lost():
    network = MLPClassifier((32, 16), max_iter=60, random_state=0).fit(X, Y)
    settings = {"sparsity": 0.7, "tolerance": 1, "random_state": 0}
    plain = prune(network, X, Y, passes=0, **settings)
    trained = prune(network, X, Y, passes=10, **settings)
    assert trained.after["log_loss"] < plain.after["log_loss"]
    # The same seed gives the same model.
    again = prune(network, X, Y, passes=10, **settings)
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
    pruned = prune(distilled, X, Y, sparsity=0.1, steps=1, tolerance=1, passes=50)
    turned = np.roll(distilled.classes_, -1)[np.searchsorted(distilled.classes_, Y)]
    assert accuracy_score(turned, pruned.estimator.predict(X)) > 0.8


@pytest.mark.parametrize("augmenter", [None, "munge"])
def test_the_lesson_is_that_of_the_fit(augmenter):
    """Calibrated and blended labels at temperature 1, and as many synthetic rows."""
    distilled = make_distilled(augmenter=augmenter, alpha=0.6, calibrate=True)
    rows, targets = make_lesson(distilled, X, Y, 0)

    shares = np.bincount(CODES) / len(CODES)
    labels = 0.999 * distilled.teacher_.predict_proba(rows) + 0.001 * shares
    labels = softmax(np.log(labels) / distilled.calibration_, axis=1)
    labels[: len(X)] = 0.6 * labels[: len(X)] + 0.4 * np.eye(3)[CODES]
    np.testing.assert_allclose(targets, labels, atol=1e-12)
    np.testing.assert_array_equal(rows[: len(X)], X)
    assert len(rows) == (600 if augmenter is None else 600 + 10_000)
    again, _ = make_lesson(distilled, X, Y, 0)
    np.testing.assert_array_equal(rows, again)


def fit_without_a_teacher(student):
    proba = np.full((600, 3), 1 / 3)
    return DistilledClassifier(student=student).fit(X, Y, teacher_proba=proba)


def fit_on_true_labels(student):
    return DistilledClassifier(
        GaussianNB(), student, alpha=0.0, temperature=1, augmenter=None, random_state=0
    ).fit(X, Y)


def fit_with_weighed_classes(student):
    teacher = RandomForestClassifier(5, class_weight={"ant": 9, "bee": 1, "cow": 1})
    return DistilledClassifier(
        teacher, student, calibrate=True, augmenter=None, random_state=0
    ).fit(X, Y)


@pytest.mark.parametrize(
    "fit", [fit_without_a_teacher, fit_on_true_labels, fit_with_weighed_classes]
)
def test_a_student_teaches_itself_where_the_lesson_is_gone(fit):
    distilled = fit(MLPClassifier((8,), max_iter=10))
    rows, targets = make_lesson(distilled, X, None, 0)
    own = distilled.predict_proba(X)
    np.testing.assert_array_equal(rows, X)
    np.testing.assert_allclose(targets, 0.999 * own + 0.001 * own.mean(axis=0))


def test_true_labels_that_were_learned_are_learned_again():
    distilled = fit_on_true_labels(MLPClassifier((8,), max_iter=10))
    np.testing.assert_array_equal(make_lesson(distilled, X, Y, 0)[1], np.eye(3)[CODES])


def test_a_search_and_a_pipeline_around_a_distilled_classifier():
    distilled = DistilledClassifier(
        GaussianNB(), MLPClassifier((8,), max_iter=10), random_state=0
    )
    pipeline = make_pipeline(StandardScaler(), distilled)
    search = GridSearchCV(pipeline, {"distilledclassifier__alpha": [1.0]}, cv=2)
    pruned = prune(search.fit(X, Y), X, Y, tolerance=0.2, passes=5)
    assert pruned.estimator[-1].coefs_[0].shape == (5, 4)


ROUNDS = {
    "forest": (RandomForestClassifier(10), lambda m: len(m.estimators_)),
    "extra": (ExtraTreesClassifier(10), lambda m: len(m.estimators_)),
    "bagging": (
        BaggingClassifier(n_estimators=10, max_features=0.8),
        lambda m: len(m.estimators_),
    ),
    "histogram": (HistGradientBoostingClassifier(max_iter=10), lambda m: m.n_iter_),
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


def test_a_tree_loses_its_least_useful_leaves():
    tree = DecisionTreeClassifier(random_state=0).fit(X, Y)
    pruned = prune(tree, X, Y, sparsity=0.8, tolerance=0.2).estimator
    allowed = np.ceil(0.2 * tree.tree_.node_count)
    assert 0.3 * allowed < pruned.tree_.node_count <= allowed
    assert pruned.ccp_alpha == 0
    # One of the subtrees that scikit-learn's own path goes through.
    path = tree.cost_complexity_pruning_path(X, Y)
    sizes = [
        DecisionTreeClassifier(random_state=0, ccp_alpha=alpha).fit(X, Y)
        for alpha in path.ccp_alphas[:-1]
    ]
    largest = max(t.tree_.node_count for t in sizes if t.tree_.node_count <= allowed)
    assert pruned.tree_.node_count == largest


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
    pruned = prune(net, rows, CODES, passes=50, **settings)
    shapes = [tuple(p.shape) for p in pruned.estimator.module_.parameters()]
    assert shapes == [(14, 5), (14,), (7, 14), (3, 7), (3,)]
    assert net.module_[0][0].weight.shape == (32, 5)
    plain = prune(net, rows, CODES, passes=0, **settings | {"tolerance": 1})
    assert pruned.after["log_loss"] < plain.after["log_loss"]

    odd = skorch.NeuralNetClassifier(
        nn.Sequential(nn.LayerNorm(5), nn.Linear(5, 3)),
        criterion=nn.CrossEntropyLoss,
        max_epochs=1,
        verbose=0,
    ).fit(rows, CODES)
    with pytest.raises(TypeError, match="LayerNorm"):
        prune(odd, rows, CODES)


def test_small_tables_get_more_passes():
    assert count_passes(600, None) == 334
    assert count_passes(1_000_000, None) == 5
    assert count_passes(600, 3) == 3


def test_units_are_chosen_by_both_sides():
    incoming = np.array([[1.0, 10.0, 0.1, 3.0]])
    outgoing = np.array([[1.0], [0.01], [100.0], [1.0]])
    # Products: 1, .1, 10, 3.
    assert choose_units(incoming, outgoing, 2).tolist() == [2, 3]


def test_sparsity_is_a_share_of_the_weights():
    assert plan_widths([4, 64, 3], 0.75, 2) == [[32], [16]]
    assert plan_widths([4, 10, 3], 0.9, 1) == [[1]]
    assert plan_widths([4, 3, 3], 0.99, 1) == [[1]]
    sizes = [16, 64, 32, 26]
    ((first, second),) = plan_widths(sizes, 0.5, 1)
    left = 16 * first + first * second + second * 26
    whole = 16 * 64 + 64 * 32 + 32 * 26
    assert left / whole == pytest.approx(0.5, abs=0.02)
    assert first == pytest.approx(2 * second, abs=1)


def test_a_loss_past_the_tolerance_is_refused():
    model = MLPClassifier((32,), max_iter=40, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match=r"sparsity=0\.97 may cost at most") as error:
        prune(model, X, Y, sparsity=0.97, passes=0)
    assert "tolerance=0.002" in str(error.value)
    assert f"from {model.score(X, Y):.5f}" in str(error.value)


@pytest.mark.parametrize("sparsity", [0, 1, -0.5, 2])
def test_sparsity_is_checked(sparsity):
    with pytest.raises(ValueError, match=f"received {sparsity}"):
        prune(GaussianNB().fit(X, Y), X, sparsity=sparsity)


def test_steps_and_passes_are_checked():
    with pytest.raises(ValueError, match="steps=0"):
        prune(GaussianNB().fit(X, Y), X, steps=0)


def test_other_models_are_named():
    with pytest.raises(TypeError, match="received GaussianNB"):
        prune(GaussianNB().fit(X, Y), X)
