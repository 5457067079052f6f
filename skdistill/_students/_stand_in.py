"""What takes the place of students and scorers in scikit-learn's meta-estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags

from .._sklearn import _safe_indexing
from .._soft_data import SoftDataset
from ._weighted_copies import expand_rows


class StandIn(BaseEstimator):
    """Takes a student's place in a meta-estimator and fits it on soft targets.

    It holds the targets and weights of all rows. `fit` receives the numbers of its rows
    as `rows` or, where the meta-estimator passes on nothing else, as `sample_weight`;
    with `once`, a row that comes several times, as copies do, is learned once.
    Everything but `fit` is the student's own.
    """

    # Where metadata is routed, `rows` comes here.
    __metadata_request__fit = {"rows": True}

    def __init__(self, student, data, fit_part, once=False):
        self.student = student
        self.data = data.with_rows(np.empty((data.n_samples, 0)))
        self.fit_part = fit_part
        self.once = once

    def __getattr__(self, name):
        if name.startswith("_") or "student" not in vars(self):
            raise AttributeError(name)
        return getattr(vars(self).get("fitted_", self.student), name)

    def __sklearn_clone__(self):
        return StandIn(clone(self.student), self.data, self.fit_part, self.once)

    def __sklearn_tags__(self):
        return get_tags(self.student)

    def get_params(self, deep=True):
        return self.student.get_params(deep)

    def set_params(self, **params):
        self.student.set_params(**params)
        return self

    def fit(self, X, y, sample_weight=None, rows=None):
        rows = sample_weight if rows is None else rows
        if self.once:
            rows, first = np.unique(rows, return_index=True)
            X = _safe_indexing(X, first)
        with config_context(enable_metadata_routing=False):
            data = self.data.take(rows).with_rows(X)
            self.fitted_ = self.fit_part(clone(self.student), data)
        return self


class SoftScorer:
    """Scores a stand-in's student on the weighted copies of the rows."""

    def __init__(self, scorers: Any, data: SoftDataset):
        self.scorers = scorers
        self.data = data.with_rows(np.empty((data.n_samples, 0)))

    def __call__(self, estimator, X, y, sample_weight=None):
        # The weights are the numbers of the rows, as in `StandIn.fit`.
        data = self.data.take(sample_weight).with_rows(X)
        X, y, weight, _ = expand_rows(data)
        student, scorers = estimator.fitted_, self.scorers
        if not isinstance(scorers, dict):
            return scorers(student, X, y, sample_weight=weight)
        return {
            name: scorer(student, X, y, sample_weight=weight)
            for name, scorer in scorers.items()
        }
