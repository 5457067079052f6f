"""Helpers of scikit-learn that have no public equivalent, imported here alone.

- `_safe_indexing`: rows of an array, a list, a sparse matrix or a data frame;
- `_num_samples`: the number of rows of any of them, with scikit-learn's errors;
- `BaseSearchCV`: the base class of every search;
- `_validate_params`: what an estimator's `fit` says of its parameters, before it is
  called; without it, `fit` says it later;
- the state of a KDTree or BallTree, in which it counts what it was asked.
"""

from __future__ import annotations

from typing import Any

from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

__all__ = [
    "BaseSearchCV",
    "_num_samples",
    "_safe_indexing",
    "read_tree_state",
    "validate_parameters",
]


def validate_parameters(estimator: Any) -> None:
    """Raise InvalidParameterError, as `fit` of an estimator of scikit-learn would."""
    if hasattr(estimator, "_parameter_constraints") and hasattr(
        estimator, "_validate_params"
    ):
        estimator._validate_params()


def read_tree_state(tree: Any) -> tuple[Any, ...]:
    """Return the state of a KDTree or BallTree without its counts, where they stand."""
    state, first = tree.__getstate__(), 7
    counts = *tree.get_tree_stats(), tree.get_n_calls()
    end = first + len(counts)
    return state[:first] + state[end:] if state[first:end] == counts else state
