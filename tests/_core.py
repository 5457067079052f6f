"""Students that show what they learned, and the formulas of the documentation."""

import numpy as np
from _samplers import Echo
from scipy.optimize import minimize_scalar, root
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin

#: Share of the class priors in the labels.
EPSILON = 1e-3

#: The training rows with the teacher's own labels, and nothing else.
PLAIN = {"augmenter": None, "calibrate": False}

#: What students other than networks may learn from.
WAYS = [
    "transfer set",
    "far transfer set",
    "training rows",
    "half true labels",
    "true labels",
]

#: What networks may learn from.
NET_WAYS = [
    "transfer set",
    "wide transfer set",
    "far transfer set",
    "true labels",
]


class Table(ClassifierMixin, BaseEstimator):
    """A student without a limit: it serves the soft targets that it learned.

    The last column of X numbers the rows; those that it did not learn get 1 / K.
    """

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        number = np.asarray(X)[:, -1].astype(int)
        self.rows_ = np.unique(number)
        self.mass_ = np.zeros((number.max() + 1, len(self.classes_)))
        codes = np.searchsorted(self.classes_, y)
        np.add.at(self.mass_, (number, codes), sample_weight)
        return self

    def predict_proba(self, X):
        number = np.asarray(X)[:, -1].astype(int)
        learned = np.isin(number, self.rows_)
        mass = np.ones((len(number), len(self.classes_)))
        mass[learned] = self.mass_[number[learned]]
        return mass / mass.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Columns(ClassifierMixin, BaseEstimator):
    """A teacher whose probabilities are the columns of X but for the last."""

    def __init__(
        self,
        class_weight=None,
        class_weights=None,
        is_unbalance=None,
        scale_pos_weight=None,
    ):
        self.class_weight = class_weight
        self.class_weights = class_weights
        self.is_unbalance = is_unbalance
        self.scale_pos_weight = scale_pos_weight

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return X[:, :-1]

    def predict(self, X):
        return self.classes_[X[:, :-1].argmax(axis=1)]


def add_numbers(X):
    """Append a column that numbers the rows."""
    return np.column_stack([X, np.arange(len(X))])


def clip(proba, y, weight=None):
    """Mix the class priors in; `y` has the codes of all training rows."""
    counts = np.bincount(y, weights=weight, minlength=np.shape(proba)[1])
    return (1 - EPSILON) * proba + EPSILON * counts / counts.sum()


def soften(proba, temperature):
    return softmax(np.log(proba) / temperature, axis=1)


def give_means(proba, wanted, weight=None):
    """Add to the logarithms what gives the classes these (weighted) means.

    But for a hundredth of a mean for each nat that is added.
    """
    wanted = wanted / wanted.sum()

    def miss(shift):
        served = softmax(np.log(proba) + shift, axis=1)
        pull = 0.01 * wanted * shift
        return np.average(served, axis=0, weights=weight) - wanted + pull

    shift = root(miss, np.zeros(len(wanted)), tol=1e-13).x
    return softmax(np.log(proba) + shift, axis=1)


def fit_calibration(proba, y, weight=None, prior=None, observed=False):
    """Return scalar and shifts, by solvers of its own.

    The scalar minimises the log loss and a normal prior of width .5 on its logarithm.
    It divides log(p / prior); shifts of a normal prior of width 1 hold the classes'
    mean probabilities. With `observed` these become the shares among the rows and one
    that is as the teacher has it, and shifts are free.
    """
    rows, logits, n_classes = np.arange(len(y)), np.log(proba), proba.shape[1]
    if prior is None:
        prior = np.bincount(y, weights=weight, minlength=n_classes)
    prior = prior / prior.sum()
    weight = np.ones(len(y)) if weight is None else weight * len(y) / weight.sum()
    wanted = np.average(proba, axis=0, weights=weight)
    ridge = 1 / len(y)
    if observed:
        counts = np.bincount(y, weights=weight, minlength=n_classes)
        wanted, ridge = (counts + wanted) / (len(y) + 1), 1e-12

    def solve(log_scalar):
        slope = np.exp(-log_scalar)
        scaled = slope * logits + (1 - slope) * np.log(prior)

        def miss(shift):
            served = softmax(scaled + shift, axis=1)
            return np.average(served, axis=0, weights=weight) - wanted + ridge * shift

        return scaled, root(miss, np.zeros(n_classes), tol=1e-12).x

    def measure(log_scalar):
        scaled, shift = solve(log_scalar)
        log_proba = log_softmax(scaled + shift, axis=1)
        return -weight @ log_proba[rows, y] + 0.5 * (log_scalar / 0.5) ** 2

    best = minimize_scalar(measure, bracket=(-0.5, 0.5), tol=1e-10).x
    scaled, shift = solve(best)
    return np.exp(best), (scaled + shift - logits / np.exp(best))[0]


def calibrate(proba, scalar, shift):
    """Return probabilities whose logarithms are divided and shifted."""
    return softmax(np.log(proba) / scalar + shift, axis=1)


def echo_rows(monkeypatch, *samplers):
    """Let public samplers give their rows back in turn, as `Echo` does."""
    for sampler in samplers:
        for name in ("fit", "sample_with_parents", "sample"):
            monkeypatch.setattr(sampler, name, vars(Echo)[name])
