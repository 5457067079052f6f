"""Networks and linear models as a handful of nodes.

Two columns of logits, -z and z, make a binary model's probabilities one sigmoid;
labels come from the logits, where saturated probabilities would tie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ..._typing import AnyArray
from ._emit_table import emit_table
from ._graph import Graph
from ._table import Table

_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid", "identity": ""}
#: Of networks, by the activation of their outputs.
_ENDINGS = {"softmax": "softmax", "logistic": "sigmoid", "identity": ""}

_SOFTMAX = (LogisticRegression, LogisticRegressionCV, LinearDiscriminantAnalysis)
_VALUES = (
    *(LinearRegression, Ridge, RidgeCV, Lasso, ElasticNet, BayesianRidge),
    *(HuberRegressor, SGDRegressor),
)


@dataclass(frozen=True)
class Dense:
    """A network: products with an activation between them, and what ends it.

    Attributes
    ----------
    weights, biases : list of ndarray
        Of each layer, shapes (n_in, n_out) and (n_out,).
    activation : str
        ONNX operator between the layers.
    ending : {"softmax", "sigmoid", "huber", ""}
        How logits become probabilities; sigmoid and huber class by class, normalised.
        "": outputs are values.
    """

    weights: list[AnyArray]
    biases: list[AnyArray]
    activation: str
    ending: str


def read_dense(learner: Any) -> Dense | None:
    """Read a network or linear model; None: it is another kind."""
    activation, ending = "", ""
    if isinstance(learner, MLPClassifier | MLPRegressor):
        weights, biases = list(learner.coefs_), list(learner.intercepts_)
        if learner.out_activation_ not in _ENDINGS:
            return None
        activation = _ACTIVATIONS[learner.activation]
        ending = _ENDINGS[learner.out_activation_]
    elif isinstance(learner, (*_SOFTMAX, SGDClassifier)):
        weights, biases = [learner.coef_.T], [learner.intercept_]
        endings = {"modified_huber": "huber", "log_loss": "sigmoid"}
        ending = endings.get(getattr(learner, "loss", ""), "softmax")
    elif isinstance(learner, _VALUES):
        weights = [np.atleast_2d(learner.coef_).T]
        biases = [np.broadcast_to(learner.intercept_, weights[0].shape[1])]
    elif isinstance(learner, MultiOutputRegressor):
        members = learner.estimators_
        if not all(isinstance(member, _VALUES) for member in members):
            return None
        weights = [np.column_stack([np.ravel(member.coef_) for member in members])]
        biases = [np.concatenate([np.ravel(m.intercept_) for m in members])]
    else:
        return None
    if ending and weights[-1].shape[1] == 1:
        weights[-1] = weights[-1] * [-1.0, 1.0]
        biases[-1] = np.asarray(biases[-1]) * [-1.0, 1.0]
        # softmax(0, z), for softmax(-z, z) would count the margin twice.
        ending = "sigmoid" if ending == "softmax" else ending
    return Dense(weights, biases, activation, ending)


def fold_first(table: Table, dense: Dense) -> Table:
    """Return what a first layer makes of the columns, before its activation."""
    return table.multiply(dense.weights[0], np.asarray(dense.biases[0]))


def emit_folded(graph: Graph, table: Table, dense: Dense, double: bool = False) -> str:
    """Append a first layer that has taken the preprocessing in.

    What follows is done in float32, or `double` as the layer itself may be.
    """
    hidden = emit_table(graph, fold_first(table, dense))
    if graph.dtype is not np.float32 and not double:
        hidden = graph.cast(hidden, np.float32)
        graph.dtype = np.float32
    return hidden


def emit_dense(
    graph: Graph, hidden: str, dense: Dense, classes: AnyArray, most_fused: float
) -> None:
    """Append what follows the first layer, up to label and probabilities.

    A last layer of up to `most_fused` weights is one node with its probabilities and
    its label, by which a row costs less; its weights can't be quantised.
    """
    small = dense.weights[-1].size <= most_fused
    if len(dense.weights) > 1 and small and _is_plain(dense, classes):
        hidden = emit_hidden(graph, hidden, dense, last=-1)
        if dense.activation:
            hidden = graph.add(dense.activation, [hidden])
        _emit_classifier(graph, hidden, dense, classes)
        return
    hidden = emit_hidden(graph, hidden, dense)
    _emit_probabilities(graph, hidden, dense)
    emit_label(graph, hidden, classes)


def emit_hidden(
    graph: Graph, hidden: str, dense: Dense, last: int | None = None
) -> str:
    """Append the products of the layers after the first one, up to `last`."""
    layers = list(zip(dense.weights, dense.biases, strict=True))
    for weights, biases in layers[1:last]:
        if dense.activation:
            hidden = graph.add(dense.activation, [hidden])
        hidden = graph.add("Gemm", [hidden, graph.hold(weights), graph.hold(biases)])
    return hidden


def _is_plain(dense: Dense, classes: AnyArray) -> bool:
    """Whether LinearClassifier has this ending and this type of label."""
    binary = dense.ending == "sigmoid" and len(classes) == 2
    return (binary or dense.ending == "softmax") and classes.dtype.kind in "iO"


def _emit_classifier(
    graph: Graph, hidden: str, dense: Dense, classes: AnyArray
) -> None:
    kind = "ints" if classes.dtype.kind == "i" else "strings"
    graph.add(
        *("LinearClassifier", [hidden], "label", "probabilities"),
        coefficients=dense.weights[-1].T.astype(np.float32).ravel().tolist(),
        intercepts=np.asarray(dense.biases[-1], dtype=np.float32).tolist(),
        multi_class=1,
        post_transform="SOFTMAX" if dense.ending == "softmax" else "LOGISTIC",
        **{f"classlabels_{kind}": classes.tolist()},
    )


def _emit_probabilities(graph: Graph, logits: str, dense: Dense) -> None:
    output = "probabilities"
    if dense.ending == "softmax":
        graph.add("Softmax", [logits], output, axis=1)
    elif dense.ending == "huber":
        graph.add("LpNormalization", [_emit_huber(graph, logits)], output, p=1)
    elif len(dense.biases[-1]) == 2:
        graph.add("Sigmoid", [logits], output)
    else:
        # One sigmoid a class, normalised: by their logarithms, since where all are
        # small a sigmoid's rounding would be divided by next to nothing.
        softplus = graph.add("Softplus", [graph.add("Neg", [logits])])
        graph.add("Softmax", [graph.add("Neg", [softplus])], output, axis=1)


def _emit_huber(graph: Graph, logits: str) -> str:
    """One probability a class, up to a common factor a row."""
    moved = graph.add("Add", [logits, graph.hold(np.float32(1))])
    # Not down to 0: a row of zeros stands for equal shares.
    bounds = [graph.hold(np.float32(1e-30)), graph.hold(np.float32(2))]
    return graph.add("Clip", [moved, *bounds])


def emit_label(graph: Graph, scores: str, classes: AnyArray) -> None:
    """Append the label with the highest score."""
    if classes.dtype.kind == "i" and (classes == np.arange(len(classes))).all():
        graph.add("ArgMax", [scores], "label", axis=1, keepdims=0)
        return
    best = graph.add("ArgMax", [scores], axis=1, keepdims=0)
    # Not in the type of the arithmetic, in which two labels could be equal.
    graph.add("Gather", [graph.hold_as(classes), best], "label")
