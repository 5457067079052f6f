"""What estimators share that come fitted."""

from __future__ import annotations

from sklearn.base import BaseEstimator

from ._version import Versioned


class FixedModel(Versioned, BaseEstimator):
    """An estimator whose `fit` checks it and changes nothing; it is never refitted."""

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        # What it serves decides which rows it takes.
        tags.input_tags.allow_nan = True
        tags.input_tags.string = tags.input_tags.categorical = True
        return tags
