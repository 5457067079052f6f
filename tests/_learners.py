"""Students that are taught without a fit around them: exact targets, rows held out.

`DistilledClassifier.fit` clips labels and draws hold-outs, so that nothing of it equals
a stock fit to the last digit. What the tests of the families need of the package's
private side is imported here.
"""

from functools import wraps

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

from skdistill._outofcore._spill import SoftStream
from skdistill._soft_data import SoftDataset
from skdistill._students._fit_student import (
    check_labels,
    find_family,
    fit_student,
    validation_fraction,
)
from skdistill._students._properties import check_student
from skdistill._students._sgd import has_native_fit

__all__ = [
    "SoftDataset",
    "SoftStream",
    "check_labels",
    "check_student",
    "cross_entropy",
    "fine_tune",
    "fit_copies",
    "fit_student",
    "hold_out",
    "learn",
    "make_soft",
    "move_lightgbm",
    "move_private",
    "move_sgd",
    "validation_fraction",
]


def make_soft(n_samples=120, n_classes=3, seed=0, weighted=False):
    """Rows with random soft targets that depend on the features."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_samples, 4))
    logits = X @ rng.normal(size=(4, n_classes)) + 0.3 * rng.normal(
        size=(n_samples, n_classes)
    )
    targets = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classes = np.array(["a", "b", "c", "d", "e"])[:n_classes]
    weight = rng.uniform(0.5, 2, n_samples) if weighted else None
    return SoftDataset(X, targets, classes, classes[targets.argmax(axis=1)], weight)


def learn(student, data):
    """Fit by the student's family, which leaves a temperature in its logits."""
    return find_family(student).fit(student, data)


def hold_out(data, share=0.2):
    """Rows to learn, and others."""
    rows = np.arange(data.n_samples)
    parts = train_test_split(rows, test_size=share, stratify=data.y, random_state=0)
    return tuple(map(data.take, parts))


def cross_entropy(targets, proba, weight=None):
    losses = -(targets * np.log(np.maximum(proba, 1e-300))).sum(axis=1)
    return np.average(losses, weights=weight)


def fit_copies(student, data, *, rescale=False):
    """Scikit-learn's own fit on one weighted copy a row and class.

    `rescale` divides by the sum of a row's shares, which is 1 but for rounding.
    """
    n_classes, shares = len(data.classes), data.targets
    if rescale:
        shares = shares / shares.sum(axis=1, keepdims=True)
    weight = 1.0 if data.weight is None else data.weight[:, None]
    return clone(student).fit(
        np.repeat(data.X, n_classes, axis=0),
        np.tile(data.classes, data.n_samples),
        sample_weight=(shares * weight).ravel(),
    )


def fine_tune(student, data, epochs):
    family = find_family(student)
    family.check_fine_tuning(student)
    return family.fine_tune(student, data, epochs)


def move_private(monkeypatch, kind):
    """Change the signature of a method that the family of `kind` overrides."""
    method = kind._encode_y

    def moved(self, *args, **kwargs):
        return method(self, *args, **kwargs)

    monkeypatch.setattr(kind, "_encode_y", moved)


def move_sgd(request, monkeypatch):
    """Let SGDClassifier learn in a way that a subclass cannot follow."""
    fit = SGDClassifier.partial_fit

    def moved(self, *args, **kwargs):
        if type(self) is not SGDClassifier:
            raise TypeError
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(SGDClassifier, "partial_fit", moved)
    has_native_fit.cache_clear()
    request.addfinalizer(has_native_fit.cache_clear)


def move_lightgbm(monkeypatch):
    """Let LightGBM keep its classes under another name until it is fitted."""
    lightgbm = pytest.importorskip("lightgbm")
    init = lightgbm.LGBMModel.__init__

    @wraps(init)
    def moved(self, *args, **kwargs):
        init(self, *args, **kwargs)
        del self._class_map

    monkeypatch.setattr(lightgbm.LGBMModel, "__init__", moved)
