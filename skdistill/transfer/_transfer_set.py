"""The rows beyond the training rows: unlabelled ones, and ones that a sampler makes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone

from .._checks import is_whole
from .._frames import check_same_table, concat_rows, take_chunk
from .._sklearn import _num_samples, _safe_indexing
from .._typing import FloatArray, IndexArray
from . import Munge

#: With fewer rows there are no pilots: a fifth of them decides nothing.
PILOT_ROWS = 500

#: Synthetic rows for each real one, at least; beyond the cap, more rows changed
#: nothing in the literature.
RATIO = 4
_MOST_RATIO = 20
_SMALL_RATIO, _SMALL = 20, 10_000
_MOST = 500_000


class Ratio(NamedTuple):
    """Synthetic rows for each real one; `few` where real ones are few."""

    usual: int = RATIO
    few: int = _SMALL_RATIO


@dataclass(frozen=True)
class TransferSet:
    """Rows for the teacher to label."""

    #: Unlabelled rows first, then synthetic ones.
    X: Any
    #: That of a synthetic row is its parent's.
    weight: FloatArray | None
    #: Fitted; None where no rows were made.
    sampler: Any = None
    #: Whether a sampler made all of the rows.
    synthetic: bool = False

    @property
    def n_rows(self) -> int:
        return _num_samples(self.X)

    def take(self, rows: IndexArray | slice) -> TransferSet:
        """Return some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        return replace(self, X=take_chunk(self.X, rows), weight=weight)


def check_augmenter(augmenter: Any, n_synthetic: Any) -> Any:
    """Return an unfitted sampler, or None where no row is to be made."""
    if n_synthetic != "auto" and not is_whole(n_synthetic, 1):
        raise ValueError(
            'n_synthetic must be "auto" or an integer of at least 1, received '
            f"{n_synthetic!r}. augmenter=None makes no rows."
        )
    if augmenter is None:
        return None
    if isinstance(augmenter, str):
        if augmenter not in ("auto", "munge"):
            raise ValueError(
                'augmenter must be None, "auto", "munge" or a sampler, received '
                f"{augmenter!r}. skdistill.transfer has samplers."
            )
        return Munge()
    if isinstance(augmenter, type) or not (
        hasattr(augmenter, "fit") and hasattr(augmenter, "sample")
    ):
        raise TypeError(
            "augmenter must be a sampler with fit(X) and sample(n_samples), received "
            f"{augmenter!r}. Pass an instance such as skdistill.transfer.Munge()."
        )
    return clone(augmenter)


def makes_rows(augmenter: Any, pilot: float) -> bool:
    """Whether the parameters of a DistilledClassifier have rows made, or tried."""
    return pilot > 0 if augmenter == "auto" else augmenter is not None


def choose_ratio(n_labels: int, n_classes: int, by_kernel: bool = False) -> Ratio:
    """Return how many rows are made for each real one.

    They have `n_labels` at most, where these are enough for more than `RATIO` rows: a
    row costs an ensemble the more, the more classes there are. The fit of a kernel
    machine takes the square of the rows and more: the many rows of a small table would
    cost it a hundred fits or more.
    """
    if by_kernel:
        return Ratio(few=RATIO)
    return Ratio(max(RATIO, min(_MOST_RATIO, n_labels // n_classes)))


def count_rows(n_real: int, n_synthetic: int | Ratio) -> int:
    """How many synthetic rows are built on so many real ones."""
    if not isinstance(n_synthetic, Ratio):
        return int(n_synthetic)
    few = min(n_synthetic.few * n_real, _SMALL)
    return min(max(n_synthetic.usual * n_real, few), _MOST)


def make_transfer_set(
    sampler: Any,
    X: Any,
    weight: FloatArray | None,
    X_unlabeled: Any,
    n_synthetic: int | Ratio,
    seed: Any,
    most: float = np.inf,
) -> TransferSet | None:
    """Build the transfer set on training rows and unlabelled ones.

    Without a sampler it is the unlabelled rows. Each of them weighs as much as a row of
    X on average. There are `most` rows at most: unlabelled ones, evenly spaced, come
    first.
    """
    if most < 1:
        return None
    if X_unlabeled is not None and _num_samples(X_unlabeled) >= most:
        X_unlabeled = _safe_indexing(
            X_unlabeled, space_evenly(_num_samples(X_unlabeled), int(most))
        )
        sampler = None
    base = X if X_unlabeled is None else concat_rows(X, X_unlabeled)
    n_given, n_real = _num_samples(X), _num_samples(base)
    if weight is not None:
        weight = np.append(weight, np.full(n_real - n_given, weight.mean()))
    if sampler is None and X_unlabeled is None:
        return None
    if sampler is None:
        return TransferSet(X_unlabeled, None if weight is None else weight[n_given:])
    count = min(count_rows(n_real, n_synthetic), most - n_real + n_given)
    rows, parents = sample_rows(sampler, base, int(count), seed)
    if weight is not None:
        mean = np.full(_num_samples(rows), weight.mean())
        made = mean if parents is None else weight[parents]
        weight = np.append(weight[n_given:], made)
    if X_unlabeled is not None:
        rows = concat_rows(X_unlabeled, rows)
    return TransferSet(rows, weight, sampler, synthetic=X_unlabeled is None)


def take_part(
    transfer: TransferSet, proba: FloatArray, n_rows: int
) -> tuple[TransferSet, FloatArray]:
    """Return rows spread evenly over a transfer set, with their labels."""
    if n_rows >= transfer.n_rows:
        # Pilots of a network learn all: each would have a copy.
        return transfer, proba
    rows = space_evenly(transfer.n_rows, n_rows)
    return transfer.take(rows), proba[rows]


def space_evenly(n_rows: int, n_taken: int) -> IndexArray:
    """Return the numbers of some of the rows, spread evenly over all."""
    return np.linspace(0, n_rows - 1, n_taken).astype(int)


def sample_rows(
    sampler: Any, X: Any, n_rows: int, seed: Any
) -> tuple[Any, IndexArray | None]:
    """Fit, and return rows and their parents; None where the sampler knows none."""
    # scikit-learn's mixtures draw by a parameter of theirs, in `fit` as well.
    own = "random_state" in sampler.get_params()
    if own and sampler.random_state is None:
        sampler.set_params(random_state=seed)
    sampler.fit(X)
    if hasattr(sampler, "sample_with_parents"):
        return sampler.sample_with_parents(n_rows, random_state=seed)
    rows = sampler.sample(n_rows) if own else sampler.sample(n_rows, random_state=seed)
    # They return the component of each row as well.
    rows = rows[0] if isinstance(rows, tuple) else rows
    # Samplers make arrays of lists.
    like = X if hasattr(X, "shape") else np.asarray(X)
    check_same_table(rows, like, f"The rows of {type(sampler).__name__}")
    return rows, None
