"""Parts that tell what they did, and rows that number themselves."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

#: The teacher's labels as they are, and a fit that repeats.
SEEDED = {"calibrate": False, "random_state": 0}


class Echo(BaseEstimator):
    """A sampler that gives its rows back in turn, and notes what it was fitted on."""

    fits = []

    def __init__(self, p=1):
        self.p = p

    def fit(self, X):
        Echo.fits.append(X)
        self.X_ = X
        return self

    def sample_with_parents(self, n_samples, random_state=None):
        parents = np.arange(n_samples) % len(self.X_)
        return self.X_[parents], parents

    def sample(self, n_samples, random_state=None):
        return self.sample_with_parents(n_samples)[0]


class Spy(ClassifierMixin, BaseEstimator):
    """A student that keeps its copies of rows, put together again."""

    fits = []

    def __init__(self, setting=0):
        self.setting = setting

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        # Copies of a row stand side by side or in blocks: add up by content.
        rows, row_of = np.unique(np.asarray(X), axis=0, return_inverse=True)
        mass = np.zeros((len(rows), len(self.classes_)))
        np.add.at(mass, (row_of, np.searchsorted(self.classes_, y)), sample_weight)
        self.rows_, self.mass_ = rows, mass
        self.given_ = np.asarray(X), np.asarray(y), np.asarray(sample_weight)
        Spy.fits.append(self)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class Counting(LogisticRegression):
    """A teacher that counts its fits, and notes the rows of each."""

    fits = []

    def fit(self, X, y, sample_weight=None):
        Counting.fits.append(len(X))
        return super().fit(X, y, sample_weight)


def numbers(X):
    return np.unique(X[:, 4]).astype(int)


def number_rows(class_sep=1.0):
    """520 rows of three classes; the last column numbers them."""
    X, y = make_classification(
        520,
        n_features=4,
        n_informative=4,
        n_redundant=0,
        n_classes=3,
        n_clusters_per_class=1,
        class_sep=class_sep,
        random_state=0,
    )
    return np.column_stack([X, np.arange(520)]), y


def forget_fits():
    for noting in (Echo, Spy, Counting):
        noting.fits.clear()
