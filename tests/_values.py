"""A student of values that shows what it learned, and rows to learn."""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import make_friedman1

#: The training rows with the teacher's own values, and nothing else.
ALONE = {"augmenter": None}


class Recorder(RegressorMixin, BaseEstimator):
    """Keeps what its `fit` is given, and predicts the mean."""

    fits = []

    def fit(self, X, y, sample_weight=None, tag=None):
        self.X_, self.y_, self.sample_weight_, self.tag_ = X, y, sample_weight, tag
        self.mean_ = np.average(y, axis=0, weights=sample_weight)
        Recorder.fits.append(self)
        return self

    def predict(self, X):
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        return np.full((n_rows, *np.shape(self.mean_)), self.mean_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.sparse = True
        return tags


def make_values(n_samples, noise=1.0, seed=0):
    return make_friedman1(n_samples, n_features=5, noise=noise, random_state=seed)
