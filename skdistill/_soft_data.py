"""What a student is given: rows, soft targets or values, and weights.

With teacher probabilities p, true label y (one-hot), weight alpha of the teacher,
temperature T and q = softmax(log p / T), a student learns in its logits z

    alpha CE(q, softmax(z)) + (1 - alpha) / T² CE(y, softmax(T z))

and its logits are multiplied by T before they serve, and shifted so that each class
keeps the mean of alpha p + (1 - alpha) y, as it does by intercepts at T = 1. Where
alpha is 1 the second term is none, and at T = 1 both are the cross-entropy of one fixed
target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.utils import gen_batches
from sklearn.utils.class_weight import compute_class_weight

from ._checks import is_number
from ._frames import concat_rows, take_rows
from ._sklearn import _safe_indexing
from ._typing import AnyArray, FloatArray, IndexArray


@dataclass(frozen=True)
class SoftDataset:
    """Rows with a soft target each."""

    #: The rows, in the container that the user passed.
    X: Any
    #: The softened probabilities q; rows sum to 1; columns follow `classes`.
    targets: FloatArray
    classes: AnyArray
    #: True labels, for the mixture and for supervised preprocessing before a student.
    y: AnyArray
    weight: FloatArray | None = None
    #: Further metadata for the student's own `fit`, already routed.
    params: dict[str, Any] | None = None
    #: Positions of the training rows that the learner is fitted on; steps before it see
    #: all rows. None: all.
    labelled: IndexArray | None = None
    #: Whether the rows are a transfer set, all of which a sampler made.
    synthetic: bool = False
    temperature: float = 1.0
    #: Weight of the targets against the true labels in the loss. None: the targets are
    #: all that is learned.
    alpha: FloatArray | None = None

    @property
    def n_samples(self) -> int:
        return len(self.targets)

    @property
    def n_labelled(self) -> int:
        return self.n_samples if self.labelled is None else len(self.labelled)

    @property
    def weights(self) -> FloatArray:
        """Row weights, 1 where none are given."""
        return _or_ones(self.weight, self)

    @property
    def codes(self) -> IndexArray:
        """Position of each true label among the classes."""
        return np.searchsorted(self.classes, self.y)

    @property
    def labels(self) -> AnyArray:
        """True labels as numbers."""
        return self.codes

    def read_labels(self, labels: AnyArray) -> AnyArray:
        """Return true labels from such numbers."""
        return self.classes[labels]

    def join(self, transfer: SoftDataset | None) -> SoftDataset:
        """Return the labelled rows, followed by those of a transfer set."""
        train = self.take_labelled()
        if transfer is None or not transfer.n_samples:
            return train
        weight = alpha = None
        if train.weight is not None or transfer.weight is not None:
            weight = np.concatenate([d.weights for d in (train, transfer)])
        if train.alpha is not None or transfer.alpha is not None:
            alpha = np.concatenate([_or_ones(d.alpha, d) for d in (train, transfer)])
        params = train.params
        if params and transfer.params:
            params = {k: concat_rows(v, transfer.params[k]) for k, v in params.items()}
        return replace(
            train,
            X=concat_rows(train.X, transfer.X),
            targets=np.concatenate([train.targets, transfer.targets]),
            y=np.concatenate([train.y, transfer.y]),
            weight=weight,
            params=params,
            alpha=alpha,
        )

    def take(self, rows: IndexArray) -> SoftDataset:
        """Return the given rows."""
        return replace(
            self,
            X=_safe_indexing(self.X, rows),
            targets=self.targets[rows],
            y=self.y[rows],
            weight=None if self.weight is None else self.weight[rows],
            params=self.take_params(rows),
            alpha=None if self.alpha is None else self.alpha[rows],
        )

    def take_params(self, rows: IndexArray) -> dict[str, Any]:
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

    def harden(self) -> SoftDataset:
        """Return the true labels in the place of the soft targets."""
        targets = one_hot(self.codes, len(self.classes))
        return replace(self, targets=targets, temperature=1.0, alpha=None)

    def ask(self, model: Any) -> FloatArray:
        """Return what a fitted model serves of the rows."""
        return model.predict_proba(self.X)

    def measure(self, proba: FloatArray) -> float:
        """Return the mean loss of a student that serves `proba` before it is scaled."""
        losses = row_losses(self.targets, proba)
        if self.alpha is not None:
            hard = serve(proba, self.temperature)
            hard_losses = row_losses(one_hot(self.codes, len(self.classes)), hard)
            losses *= self.alpha
            losses += (1 - self.alpha) / self.temperature**2 * hard_losses
        return float(np.average(losses, weights=self.weight))

    def weigh_classes(self, class_weight: dict[Any, float] | str) -> SoftDataset:
        """Return the rows with a student's `class_weight` worked into them.

        "balanced" counts probabilities: copies of a row would be balanced whatever
        the classes' shares.
        """
        factors = weigh_classes(class_weight, self.classes, self.sum_classes())
        return self.scale_classes(factors)

    def sum_classes(self) -> FloatArray:
        """Return the weighted sum of the probabilities that are to be served."""
        mass, weight = np.zeros(len(self.classes)), self.weights
        codes = None if self.alpha is None else self.codes
        for rows in row_blocks(*self.targets.shape):
            proba = self._serve(rows)
            if self.alpha is not None and codes is not None:
                proba = self.alpha[rows, None] * proba
                proba[np.arange(len(proba)), codes[rows]] += 1 - self.alpha[rows]
            mass += weight[rows] @ proba
        return mass

    def scale_classes(self, factors: FloatArray) -> SoftDataset:
        """Return the rows with each class's probability multiplied by its factor.

        Copies of a row weighted by p_k w_k are a row of weight sum(p_k w_k) with
        probabilities in proportion to p_k w_k, which are softened afterwards. True
        labels weigh w_y.
        """
        targets, total = np.empty_like(self.targets), np.empty(self.n_samples)
        for rows in row_blocks(*targets.shape):
            scaled = self.targets[rows] * factors ** (1 / self.temperature)
            targets[rows] = scaled / scaled.sum(axis=1)[:, None]
            total[rows] = (self._serve(rows) * factors).sum(axis=1)
        alpha = self.alpha
        if alpha is not None:
            soft = alpha * total
            total = soft + (1 - alpha) * factors[self.codes]
            alpha = soft / total
        weight = self.weights * total
        return replace(self, targets=targets, weight=weight, alpha=alpha)

    def _serve(self, rows: slice) -> FloatArray:
        """Return targets as they were before they were softened."""
        targets = np.asarray(self.targets[rows], dtype=np.float64)
        return targets if self.temperature == 1 else serve(targets, self.temperature)


#: A transfer set or validation rows, of which there may be none.
MaybeRows = SoftDataset | None


def weigh_classes(
    class_weight: dict[Any, float] | str, classes: AnyArray, mass: FloatArray
) -> FloatArray:
    """Return the factor of each class; `mass` is the sum of its soft targets."""
    if class_weight == "balanced":
        mean = mass.sum() / len(classes)
        return np.divide(mean, mass, out=np.ones_like(mass), where=mass > 0)
    factors, labels = np.zeros(0), classes.tolist()
    if isinstance(class_weight, dict) and all(map(_is_weight, class_weight.values())):
        if all(label in labels for label in class_weight):
            # scikit-learn takes labels such as "1" and 0.5 for whole numbers.
            factors = np.array([class_weight.get(label, 1.0) for label in labels])
        else:
            with suppress(ValueError):
                factors = compute_class_weight(class_weight, classes=classes, y=classes)
    if not factors.any():
        raise ValueError(
            'class_weight must be "balanced" or a dict of weights of at least 0, by '
            f"the classes {labels}; received {class_weight!r}. Pass labels in the type "
            "of those of y."
        )
    return factors


def _is_weight(value: Any) -> bool:
    return is_number(value, 0) and value < np.inf


def _or_ones(values: FloatArray | None, data: SoftDataset) -> FloatArray:
    return np.ones(data.n_samples) if values is None else values


# Rows with values --------------------------------------------------------------------


@dataclass(frozen=True)
class ValueDataset(SoftDataset):
    """Rows with values for targets; there are no classes, and the temperature is 1.

    `targets` has shape (n_samples, n_outputs): where the teacher predicts f and y is
    the true value, alpha f + (1 - alpha) y. The squared error of this blend differs
    from the blend of both squared errors by what does not depend on the student.
    """

    @property
    def values(self) -> FloatArray:
        """The targets, as a vector where there is one column."""
        return self.targets[:, 0] if self.targets.shape[1] == 1 else self.targets

    @property
    def labels(self) -> FloatArray:
        return self.y

    def read_labels(self, labels: AnyArray) -> AnyArray:
        return labels

    def harden(self) -> ValueDataset:
        return replace(self, targets=as_columns(self.y))

    def ask(self, model: Any) -> FloatArray:
        return predict_values(model, self.X)

    def measure(self, served: FloatArray) -> float:
        """Return the mean squared error, over rows and outputs."""
        errors = ((served - self.targets) ** 2).mean(axis=1)
        return float(np.average(errors, weights=self.weight))

    def sum_classes(self) -> FloatArray:
        return np.empty(0)


def make_values(X: Any, targets: FloatArray, y: AnyArray, **rest: Any) -> ValueDataset:
    """Return a dataset without classes."""
    return ValueDataset(X, targets, np.empty(0), y, **rest)


def count_outputs(n_classes: int) -> int:
    """Return how many outputs a student has that gives two classes one margin."""
    return 1 if n_classes == 2 else n_classes


def as_columns(values: AnyArray) -> AnyArray:
    """Return values of shape (n_samples,) or (n_samples, n_outputs) as the latter."""
    return values.reshape(len(values), -1)


def predict_values(model: Any, X: Any) -> FloatArray:
    """Return what a regressor predicts, of shape (n_samples, n_outputs)."""
    return as_columns(np.asarray(model.predict(X), dtype=np.float64))


# Arrays of probabilities ------------------------------------------------------------

#: From so many classes on, labels are float32.
_MANY_CLASSES = 50

#: Cells of a table of labels that are computed at a time.
_CELLS = 2**16


def label_dtype(n_classes: int) -> type[np.floating]:
    """Return the type in which labels are kept."""
    return np.float32 if n_classes >= _MANY_CLASSES else np.float64


def row_blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Yield the rows of a table in blocks, so that its copies stay small."""
    if not n_rows:
        return iter(())
    return gen_batches(n_rows, max(1, _CELLS // max(1, n_columns)))


def one_hot(codes: IndexArray, n_classes: int) -> FloatArray:
    """Indicator matrix of shape (n_samples, n_classes)."""
    return np.eye(n_classes)[codes]


def soften(proba: FloatArray, temperature: float) -> FloatArray:
    """softmax(log(proba) / temperature), row by row; zeros stay zero."""
    if temperature == 1:
        return proba / proba.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        return softmax(np.log(proba) / temperature, axis=1)


def serve(softened: FloatArray, temperature: float) -> FloatArray:
    """Undo `soften`: multiply the logits by the temperature."""
    return soften(softened, 1.0 / temperature)


def row_losses(targets: FloatArray, proba: FloatArray) -> FloatArray:
    """Soft cross-entropy -sum(q log p) of each row, in nats; 0 log 0 is 0."""
    floor = np.finfo(np.float64).tiny
    return -(targets * np.log(np.maximum(proba, floor))).sum(axis=1)
