"""`prune` of regressors: fewer units or trees, nearly the same values."""

import numpy as np
import pytest
from lightgbm import LGBMRegressor
from sklearn.ensemble import (
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledRegressor, FunctionRegressor
from skdistill.export import prune
from skdistill.transfer import Munge

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4))
SIGNAL = 1e3 + 50 * X[:, 0] + 20 * np.abs(X[:, 1])
Y = SIGNAL + RNG.normal(size=300)
PAIR = np.column_stack([Y, -X[:, 2]])


def distil(y, **params):
    network = MLPRegressor(hidden_layer_sizes=(24, 12), max_iter=40, random_state=0)
    student = make_pipeline(StandardScaler(), network)
    teacher = ExtraTreesRegressor(10, random_state=0)
    params = {"pilot": 0, "augmenter": None, "random_state": 0, **params}
    return DistilledRegressor(teacher, student, **params).fit(X, y)


@pytest.fixture(scope="module")
def distilled():
    return distil(Y)


def test_units_are_removed_and_scores_are_those_of_scikit_learn(distilled):
    pruned = prune(distilled, X, Y, tolerance=0.1, epochs=30, random_state=0)
    network = pruned.estimator[-1]
    assert type(network) is MLPRegressor
    assert network.hidden_layer_sizes == tuple(len(b) for b in network.intercepts_[:-1])
    n_weights = sum(w.size for w in network.coefs_)
    assert n_weights == pytest.approx(0.5 * (4 * 24 + 24 * 12 + 12), rel=0.1)
    for scores, model in (
        (pruned.before, distilled.student_),
        (pruned.after, pruned.estimator),
    ):
        values = model.predict(X)
        assert scores["rmse"] == pytest.approx(root_mean_squared_error(Y, values))
        assert scores["r2"] == pytest.approx(r2_score(Y, values))
    for key, value in MLPRegressor(hidden_layer_sizes=(24, 12)).get_params().items():
        if key not in ("hidden_layer_sizes", "max_iter", "random_state"):
            assert network.get_params()[key] == value


def test_training_repairs_what_removing_breaks(distilled):
    settings = {"tolerance": np.inf, "sparsity": 0.7, "random_state": 0}
    bare = prune(distilled, X, Y, epochs=0, **settings).after["rmse"]
    assert prune(distilled, X, Y, epochs=30, **settings).after["rmse"] < bare / 2


def test_it_learns_what_the_teacher_says(distilled):
    # True values that say the opposite change the score alone.
    settings = {"tolerance": np.inf, "epochs": 5, "random_state": 0}
    given = prune(distilled, X, -Y, **settings).estimator.predict(X)
    expected = prune(distilled, X, **settings).estimator.predict(X)
    assert distilled.alpha_ == 1
    np.testing.assert_allclose(given, expected)
    assert np.corrcoef(expected, SIGNAL)[0, 1] > 0.9


def test_without_labels_the_estimator_is_its_own_standard(distilled):
    pruned = prune(distilled.student_, X, tolerance=0.2, epochs=20, random_state=0)
    assert pruned.before == {"rmse": 0.0, "r2": 1.0}
    off = pruned.estimator.predict(X) - distilled.student_.predict(X)
    assert pruned.after["rmse"] == pytest.approx(np.sqrt(np.mean(off**2)))


def test_dead_units_cost_nothing():
    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=5, random_state=0).fit(
        X, Y
    )
    network.coefs_[1][::2] = 0
    expected = network.predict(X)
    found = prune(network, X, Y, epochs=0, tolerance=0).estimator
    assert found.coefs_[0].shape == (4, 4)
    np.testing.assert_allclose(found.predict(X), expected, rtol=1e-6)


def test_several_outputs_and_synthetic_rows():
    est = distil(PAIR, augmenter=Munge(), n_synthetic=1)
    pruned = prune(est, X, PAIR, tolerance=0.2, epochs=5, random_state=0)
    assert pruned.estimator.predict(X).shape == PAIR.shape
    assert len(pruned.estimator[-1].intercepts_[0]) < 24


@pytest.mark.parametrize(
    "model",
    [
        RandomForestRegressor(8, random_state=0),
        ExtraTreesRegressor(8, random_state=0),
        BaggingRegressor(n_estimators=8, random_state=0),
        GradientBoostingRegressor(n_estimators=8, random_state=0),
        LGBMRegressor(n_estimators=8, n_jobs=1, verbose=-1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_the_first_trees_are_kept(model):
    pruned = prune(model.fit(X, Y), X, Y, tolerance=np.inf).estimator
    # In all of these the first trees do not depend on how many follow.
    expected = type(model)(**{**model.get_params(), "n_estimators": 4}).fit(X, Y)
    np.testing.assert_allclose(pruned.predict(X), expected.predict(X))


@pytest.mark.parametrize(
    "ending",
    [
        "linear",
        *(pytest.param(e, marks=pytest.mark.slow) for e in ("relu", "no intercept")),
    ],
)
def test_nets_lose_units(ending):
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    torch.manual_seed(0)
    nn = torch.nn
    layers = [nn.Linear(4, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 16)]
    layers += [nn.Tanh(), nn.Linear(16, 1, bias=ending != "no intercept")]
    layers += [nn.ReLU()] if ending == "relu" else []
    settings = {"optimizer": torch.optim.Adam, "lr": 0.05, "max_epochs": 30}
    net = skorch.NeuralNetRegressor(
        nn.Sequential(*layers), **settings, train_split=None, verbose=0
    )
    # An activation serves values of its own range, and no intercept those around 0.
    y = {"linear": Y, "relu": (Y - 900) / 50, "no intercept": Y - 1e3}[ending]
    rows, y = X.astype(np.float32), y.astype(np.float32)[:, None]
    with torch.no_grad():
        if ending == "linear":
            layers[-1].bias += 1e3
    net.fit(rows, y)
    given = {"sparsity": 0.75, "random_state": 0, "tolerance": np.inf, "steps": 2}
    pruned = prune(net, rows, y[:, 0], epochs=120, **given)
    shapes = [tuple(p.shape) for p in pruned.estimator.module_.parameters()]
    assert shapes[:4] == [(15, 4), (15,), (8, 15), (8,)]
    assert net.module_[0].weight.shape == (32, 4)
    for scores, model in ((pruned.before, net), (pruned.after, pruned.estimator)):
        expected = root_mean_squared_error(y, model.predict(rows))
        assert scores["rmse"] == pytest.approx(expected, rel=1e-5)
    bare = prune(net, rows, y[:, 0], epochs=0, **given)
    assert pruned.after["rmse"] < bare.after["rmse"] / 2
    # The tolerance is in standard deviations of the values.
    lost = (bare.after["rmse"] - bare.before["rmse"]) / y.std()
    with pytest.raises(ValueError, match="of the standard deviation in rmse"):
        prune(net, rows, y[:, 0], epochs=0, **given | {"tolerance": lost * 0.99})
    prune(net, rows, y[:, 0], epochs=0, **given | {"tolerance": lost * 1.01})


def test_a_distilled_net_loses_units():
    """The student learns the teacher's values of the rows, by weighted rows too."""
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(4, 24), torch.nn.ReLU(), torch.nn.Linear(24, 1)
    )
    net = skorch.NeuralNetRegressor(
        module, optimizer=torch.optim.Adam, max_epochs=5, lr=0.01, verbose=0
    )
    rows, teacher = X.astype(np.float32), ExtraTreesRegressor(10, random_state=0)
    given = {"pilot": 0, "augmenter": None, "random_state": 0}
    est = DistilledRegressor(teacher, net, **given).fit(rows, X[:, 0] - X[:, 2])
    settings = {"tolerance": np.inf, "epochs": 40, "steps": 1, "random_state": 0}
    pruned = prune(est, rows, **settings, sample_weight=np.arange(300.0))
    first, _, last = pruned.estimator.module_
    assert first.weight.shape == (first.out_features, first.in_features) == (12, 4)
    assert last.weight.shape == (last.out_features, last.in_features) == (1, 12)
    assert all(p.grad is None for p in pruned.estimator.module_.parameters())
    said = est.teacher_.predict(rows)
    off = (np.ravel(pruned.estimator.predict(rows)) - said) ** 2
    assert off.mean() < ((est.predict(rows) - said) ** 2).mean()


def test_labels_are_asked_for_once_where_none_are_given():
    asked = []

    def tell(rows):
        asked.append(len(rows))
        return 1e3 + 50 * rows[:, 0]

    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=5, random_state=0)
    est = DistilledRegressor(FunctionRegressor(tell), network, pilot=0)
    est.set_params(augmenter=None).fit(X, Y)
    asked.clear()
    prune(est, X[:120], tolerance=10, epochs=1, random_state=0)
    assert sum(asked) == 120


def test_refused(distilled):
    with pytest.raises(ValueError, match="of the standard deviation in rmse; on the"):
        prune(distilled, X, Y, sparsity=0.9, epochs=0)
    counts = MLPRegressor("poisson", hidden_layer_sizes=(4,), max_iter=2).fit(X, Y)
    with pytest.raises(TypeError, match=r"loss='poisson'\. Fit it smaller"):
        prune(counts, X, Y)
    with pytest.raises(TypeError, match="received KNeighborsRegressor"):
        prune(KNeighborsRegressor().fit(X, Y), X, Y)
