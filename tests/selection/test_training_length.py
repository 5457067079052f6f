"""How long a network learns true labels, where validation rows choose."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier, DistilledRegressor

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:The teacher:UserWarning"
)


def make_rows(noise, n_rows):
    """A class is the sign of a product; of the labels a share `noise` is drawn."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 6))
    wrong = rng.random(n_rows) < noise / 2
    return X, ((X[:, 0] * X[:, 1] > 0) ^ wrong).astype(int)


@pytest.mark.slow
@pytest.mark.parametrize("wrap", [clone, lambda net: make_pipeline(net)])
def test_certain_labels_are_learned_longer_than_noisy_ones(wrap):
    """Noise is memorised by a long training, and the function itself by none."""
    n_updates = []
    for noise in (0.0, 0.6):
        X, y = make_rows(noise, 1600)
        net = MLPClassifier((32,), max_iter=100, learning_rate_init=0.01)
        distilled = DistilledClassifier(
            DecisionTreeClassifier(max_depth=1),
            make_pipeline(StandardScaler(), wrap(net)),
            n_synthetic=1600,
            random_state=0,
        )
        with warnings.catch_warnings():
            # A length that is chosen does not ask for more.
            warnings.simplefilter("error", ConvergenceWarning)
            distilled.fit(X[:600], y[:600])
        assert not distilled.distilled_
        network = distilled.student_[-1]
        network = getattr(network, "steps", [(None, network)])[-1][1]
        # The parameters are the student's own again.
        assert network.max_iter == 100
        n_updates.append(network.n_iter_)
        own = make_pipeline(StandardScaler(), clone(network)).fit(X[:600], y[:600])
        losses = [
            log_loss(y[600:], model.predict_proba(X[600:]))
            for model in (distilled, own)
        ]
        assert losses[0] < losses[1] + 0.01
    # At most as many updates as over the 2,200 rows of a transfer set.
    assert n_updates[1] < n_updates[0] <= np.ceil(100 * 11 / 3)


@pytest.mark.parametrize("n_rare", [0, 3])
def test_many_noisy_labels_are_learned_for_a_few_epochs(n_rare):
    """The other classes choose the length where one has a few rows."""
    X, y = make_rows(0.9, 6000)
    y[:n_rare] = 2
    network = MLPClassifier((64, 32), learning_rate_init=0.01, random_state=0)
    teacher = FrozenEstimator(DecisionTreeClassifier(max_depth=1).fit(X, y))
    # Rows that no teacher is asked for learn their true labels.
    distilled = DistilledClassifier(teacher, network, max_labels=300, random_state=0)
    chosen = distilled.fit(X[:3000], y[:3000]).student_
    assert chosen.n_iter_ < 10
    longer = clone(network).set_params(max_iter=20).fit(X[:3000], y[:3000])
    losses = [
        log_loss(y[3000:], model.predict_proba(X[3000:]), labels=model.classes_)
        for model in (chosen, longer)
    ]
    assert losses[0] < losses[1] - 0.01


def test_the_true_labels_alone_are_learned_as_the_student_is_set():
    X, y = make_rows(0.6, 600)
    network = MLPClassifier((8,), max_iter=7, random_state=0)
    distilled = DistilledClassifier(
        DecisionTreeClassifier(), network, alpha=0, augmenter=None
    ).fit(X, y)
    np.testing.assert_allclose(
        distilled.predict_proba(X), clone(network).fit(X, y).predict_proba(X), atol=1e-6
    )


@pytest.mark.parametrize("validated", [True, False])
def test_a_small_budget_of_labels_does_no_harm(validated):
    """Most training rows keep noisy true labels, which are not learned for long."""
    X, y = make_rows(0.6, 4000)
    teacher = RandomForestClassifier(30, min_samples_leaf=5, random_state=0)
    teacher = FrozenEstimator(teacher.fit(X[:1000], y[:1000]))
    network = MLPClassifier((32,), learning_rate_init=0.01, random_state=0)
    given = {"X_val": X[1000:1300], "y_val": y[1000:1300]} if validated else {}
    distilled = DistilledClassifier(
        teacher, network, max_labels=300, random_state=0
    ).fit(X[:1000], y[:1000], **given)
    assert sum(distilled.labels_asked_.values()) <= 300
    stopped = clone(network).set_params(early_stopping=True).fit(X[:1000], y[:1000])
    losses = [
        log_loss(y[1300:], model.predict_proba(X[1300:]))
        for model in (distilled, stopped)
    ]
    assert losses[0] < losses[1] + 0.01


@pytest.mark.slow
def test_values_of_a_small_table_are_learned_as_long_as_they_ask():
    """A smooth function without noise: 20 epochs of 300 rows are a fraction of it."""
    X = np.random.default_rng(0).uniform(-1, 1, (1300, 4))
    y = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2])
    network = MLPRegressor(hidden_layer_sizes=(32, 16), max_iter=20, random_state=0)
    forest = RandomForestRegressor(5, random_state=0)
    distilled = DistilledRegressor(forest, network, random_state=0)
    distilled.fit(X[:300], y[:300])
    assert not distilled.distilled_
    own = clone(network).fit(X[:300], y[:300])
    errors = [
        root_mean_squared_error(y[300:], model.predict(X[300:]))
        for model in (distilled, own)
    ]
    assert errors[0] < 0.5 * errors[1]
