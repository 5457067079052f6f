"""Networks and linear models as products of matrices.

Two columns of logits, -z and z, make a binary model's probabilities one sigmoid.
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
from ._table import Table

_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid", "identity": ""}
#: How networks end, by the activation of their outputs.
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
        One a layer, of shapes (n_in, n_out) and (n_out,).
    activation : {"Relu", "Tanh", "Sigmoid", ""}
        What is done between the layers.
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
