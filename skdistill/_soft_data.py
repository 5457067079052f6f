"""What a student is given: rows, soft targets and weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight

from ._frames import concat_rows, take_rows
from ._sklearn import _safe_indexing


@dataclass(frozen=True)
class SoftDataset:
    """Rows with a soft target each.

    Attributes
    ----------
    X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        The rows, in the container that the user passed.
    targets : ndarray of shape (n_samples, n_classes)
        Rows sum to 1; columns follow `classes`.
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    y : ndarray of shape (n_samples,)
        True labels, for supervised preprocessing in front of a student.
    weight : ndarray of shape (n_samples,) or None
        Row weights.
    params : dict
        Further metadata for the student's own `fit`, already routed.
    labelled : ndarray of int or None
        Of training rows, the positions of those that the learner is fitted on; steps
        before it see all rows. None: all.
    synthetic : bool
        Of a transfer set, whether a sampler made all its rows.
    """

    X: Any
    targets: NDArray[np.float64]
    classes: NDArray[Any]
    y: NDArray[Any]
    weight: NDArray[np.float64] | None = None
    params: dict[str, Any] | None = None
    labelled: NDArray[np.intp] | None = None
    synthetic: bool = False

    @property
    def n_samples(self) -> int:
        return len(self.targets)

    @property
    def n_labelled(self) -> int:
        return self.n_samples if self.labelled is None else len(self.labelled)

    def join(self, transfer: SoftDataset | None) -> SoftDataset:
        """Return the labelled rows, followed by those of a transfer set."""
        train = self.take_labelled()
        if transfer is None:
            return train
        weight = None
        if train.weight is not None or transfer.weight is not None:
            weight = np.concatenate([_weight_of(train), _weight_of(transfer)])
        return replace(
            train,
            X=concat_rows(train.X, transfer.X),
            targets=np.concatenate([train.targets, transfer.targets]),
            y=np.concatenate([train.y, transfer.y]),
            weight=weight,
        )

    def take(self, rows: NDArray[np.intp]) -> SoftDataset:
        """Return the given rows."""
        weight = None if self.weight is None else self.weight[rows]
        params = self.take_params(rows)
        return replace(
            self,
            X=_safe_indexing(self.X, rows),
            targets=self.targets[rows],
            y=self.y[rows],
            weight=weight,
            params=params,
        )

    def take_params(self, rows: NDArray[np.intp]) -> dict[str, Any]:
        """Return the metadata of the given rows."""
        given = self.params or {}
        return {k: take_rows(v, rows, self.n_samples) for k, v in given.items()}

    def take_labelled(self) -> SoftDataset:
        """Return the rows that the learner is fitted on."""
        if self.labelled is None:
            return self
        return replace(self.take(self.labelled), labelled=None)

    def with_rows(self, X: Any) -> SoftDataset:
        """Return the same targets for transformed rows."""
        return replace(self, X=X)

    def transform(self, transform: Callable[[Any], Any]) -> SoftDataset:
        """Return the same targets for the rows as they are transformed."""
        return self.with_rows(transform(self.X))

    def weigh_classes(self, class_weight: dict[Any, float] | str) -> SoftDataset:
        """Return the rows with a student's `class_weight` worked into them.

        Copies of a row weighted by q_k w_k are a row of weight sum(q_k w_k) with
        targets in proportion to q_k w_k. "balanced" counts soft targets: copies
        would be balanced whatever the classes' shares.
        """
        factors = weigh_classes(class_weight, self.classes, self.sum_classes())
        return self.scale_classes(factors)

    def sum_classes(self) -> NDArray[np.float64]:
        """Return the weighted sum of the targets."""
        return _weight_of(self) @ self.targets

    def scale_classes(self, factors: NDArray[np.float64]) -> SoftDataset:
        """Return the rows with each class's target multiplied by its factor."""
        scaled = self.targets * factors
        total = scaled.sum(axis=1)
        weight = _weight_of(self) * total
        return replace(self, targets=scaled / total[:, None], weight=weight)


def weigh_classes(
    class_weight: dict[Any, float] | str,
    classes: NDArray[Any],
    mass: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Factor of each class, of which soft targets sum to `mass`."""
    if not isinstance(class_weight, str):
        return compute_class_weight(class_weight, classes=classes, y=classes)
    mean = mass.sum() / len(classes)
    return np.divide(mean, mass, out=np.ones_like(mass), where=mass > 0)


def _weight_of(data: SoftDataset) -> NDArray[np.float64]:
    return np.ones(data.n_samples) if data.weight is None else data.weight
