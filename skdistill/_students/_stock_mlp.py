"""From a stock MLPClassifier or MLPRegressor to a network of this package, and back.

What these need beside its public attributes is private to
scikit-learn. It is set in `move_to_stock`, and `check_release` raises before the fit
where a release has moved it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import check_random_state

from .._typing import AnyArray
from ._epochs import SGD, Adam
from ._losses import LogitLoss, SquaredError
from ._network import Network, SoftRows, split_layers


def list_sizes(student: Any) -> list[int]:
    """Return the units of each hidden layer."""
    return np.ravel(student.hidden_layer_sizes).astype(int).tolist()


def draw_network(
    student: Any, rows: SoftRows, dtype: Any
) -> tuple[Network, np.random.RandomState]:
    """Return the network before its first update, and the generator that drew it."""
    sizes = [rows.X.shape[1], *list_sizes(student), rows.loss.targets.shape[1]]
    network = Network(sizes, student.activation, dtype)
    rng = check_random_state(student.random_state)
    network.draw(rng)
    return network, rng


def take_network(student: Any) -> Network:
    """Return the network of a fitted student."""
    sizes = [len(student.coefs_[0]), *map(len, student.intercepts_)]
    network = Network(sizes, student.activation, student.coefs_[0].dtype)
    given = student.coefs_ + student.intercepts_
    for values, mine in zip(given, network.weights + network.intercepts, strict=True):
        mine[:] = values
    return network


def set_layers(student: Any, network: Network, dtype: Any) -> None:
    """Set the weights and intercepts of the student."""
    if not np.isfinite(network.params).all():
        raise ValueError(
            "The parameters of a network must stay finite; training made some of them "
            "infinite or NaN. Scale the columns, by a StandardScaler in front of the "
            f"student, or lower learning_rate_init={student.learning_rate_init}."
        )
    student.coefs_ = [weights.astype(dtype) for weights in network.weights]
    student.intercepts_ = [values.astype(dtype) for values in network.intercepts]


def move_to_stock(
    student: Any,
    classes: AnyArray,
    dtype: Any,
    network: Network,
    record: dict[str, Any],
    optimizer: Adam | SGD | None = None,
) -> Any:
    """Set what a fitted student has, with weights in the precision of its rows.

    `record` has attributes as the stock class names them. There are no classes where
    values are learned, and L-BFGS leaves no optimizer.
    """
    set_layers(student, network, dtype)
    outputs: dict[str, Any] = {"out_activation_": "identity"}
    if len(classes):
        binarizer = LabelBinarizer().fit(classes)
        outputs = {
            "classes_": binarizer.classes_,
            "_label_binarizer": binarizer,
            "out_activation_": "logistic" if len(classes) == 2 else "softmax",
        }
    vars(student).update(
        outputs,
        n_layers_=len(network.weights) + 1,
        n_outputs_=len(network.intercepts[-1]),
        _best_coefs=student.coefs_,
        _best_intercepts=student.intercepts_,
        **record,
    )
    if optimizer is not None:
        _set_optimizer(student, optimizer)
    return student


def _set_optimizer(student: Any, optimizer: Adam | SGD) -> None:
    """Let `partial_fit` go on from the moments; without them it begins new ones."""
    try:
        from sklearn.neural_network import _stochastic_optimizers as stock_optimizers
    except ImportError:
        return
    params, rate = student.coefs_ + student.intercepts_, student.learning_rate_init
    shapes, dtype = [coef.shape for coef in student.coefs_], params[0].dtype
    layers = [split_layers(m.astype(dtype), shapes) for m in optimizer.moments]
    moments = [weights + intercepts for weights, intercepts in layers]
    if student.solver == "adam":
        betas = student.beta_1, student.beta_2
        stock = stock_optimizers.AdamOptimizer(params, rate, *betas, student.epsilon)
        stock.t = optimizer.n_updates
        stock.ms, stock.vs = moments
    else:
        momentum = student.momentum, student.nesterovs_momentum
        given = params, rate, student.learning_rate, *momentum, student.power_t
        stock = stock_optimizers.SGDOptimizer(*given)
        stock.learning_rate, stock.velocities = optimizer.rate, moments[0]
    student._optimizer = stock


def check_release(kind: type) -> None:
    """Raise where a stock network does not serve what is moved into it."""
    X, student = np.eye(2), kind(hidden_layer_sizes=(2,), random_state=0)
    classifies = issubclass(kind, MLPClassifier)
    loss = LogitLoss(X[:, 1:]) if classifies else SquaredError(X[:, 1:])
    network, _ = draw_network(student, SoftRows(X, loss, None), np.float64)
    try:
        student.n_features_in_ = 2
        classes = np.arange(2 if classifies else 0)
        fitted = move_to_stock(student, classes, X.dtype, network, {})
        served = fitted.predict(X)
        expected = loss.serve(network.predict(X))
        if classifies:
            served = student.predict_proba(X)
        gap = abs(served.reshape(len(X), -1) - expected).max()
        why = f"what it serves differs by {gap:.1g}"
    except (AttributeError, TypeError) as error:
        gap, why = np.inf, str(error)
    if gap > 1e-9:
        raise RuntimeError(
            f"A student {kind.__name__} must serve the weights that are moved "
            f"into it; of scikit-learn {sklearn.__version__}, {why}. Use another "
            "release, or another student, such as LightGBM."
        )
