"""How many rows teachers are asked for, and what for: `max_labels`, shared out once.

Rows that calibrate and choose come first, then rows beyond the training rows, which
show the teacher's function where no label could, and training rows last: they have a
true label, which those that are not asked for learn.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from .._dataset import Dataset, draw_rows
from .._nested import last_step
from .._outofcore import Chunks
from .._parts import Parts
from .._sklearn import _num_samples
from .._students._properties import learns_in_epochs, learns_mixtures
from .._typing import Split
from ..transfer._transfer_set import count_rows
from ._hold_outs import LabelPlan, Splits, limit_held_out

#: The most that pilots take of what is left for them and for training.
_PILOT_SHARE = 1 / 4

#: With fewer rows pilots decide nothing.
_FEWEST_PILOT_ROWS = 300

#: Rows for the candidates of a split; `cv` may ask for hundreds of splits.
_FEWEST_SPLIT_ROWS = 60


def limit_labels(estimator: Any, parts: Parts, data: Dataset, splits: Splits) -> Splits:
    """Cut the rows that are held out, and plan the others, by `max_labels`.

    Raises
    ------
    ValueError
        A student that cannot learn true labels beside softened ones.
    """
    if estimator.max_labels is None or parts.teacher is None:
        return splits
    _check_mixes(estimator, parts)
    hold_outs = splits.folds
    if data.validation is not None:
        hold_outs = [data.whole_split]
    n_held_out = sum(len(test) for _, test in hold_outs)
    held_out = limit_held_out(estimator.max_labels, n_held_out)
    plan = _share_out(estimator, parts, data, splits, held_out)
    n_labels, pilots = held_out, splits.pilots
    if splits.out_of_fold and data.validation is None:
        # The labels that choose are those that are learned.
        n_labels += plan.training
    if _needs_rows(parts, splits) and not plan.shared:
        pilots = pilots[: int(plan.pilots // _FEWEST_SPLIT_ROWS)]
    hold_outs = _cut(data, hold_outs, n_labels, parts.seeds.pilots)
    folds = hold_outs
    filled = [split for split in hold_outs if len(split[1])]
    if data.validation is not None:
        folds = _cut(data, splits.folds, plan.training, parts.seeds.pilots)
    return replace(
        splits,
        folds=[fold for fold in folds if len(fold[1])],
        pilots=filled[: len(pilots)],
        first=(filled or hold_outs)[0] if splits.first is not None else None,
        small=splits.small and bool(pilots),
        rates=splits.rates and bool(pilots),
        shifts=splits.shifts and bool(pilots),
        plan=plan,
    )


def _check_mixes(estimator: Any, parts: Parts) -> None:
    temperature = estimator.temperature
    if temperature not in ("auto", 1) and not learns_mixtures(parts.student):
        raise ValueError(
            "With max_labels, rows that no teacher is asked for learn their true "
            "labels, at a temperature other than 1 only where a student learns the "
            f"gradient of both; received temperature={temperature} with "
            f"{type(last_step(parts.student)).__name__}. Set temperature=1, or use "
            "MLPClassifier, LogisticRegression or LGBMClassifier."
        )


def _needs_rows(parts: Parts, splits: Splits) -> bool:
    """Whether pilots learn rows beyond the training rows."""
    needless = splits.small and learns_in_epochs(parts.student)
    needless = needless or splits.only_compares
    return bool(splits.pilots) and parts.sampler is not None and not needless


def _cut(data: Dataset, splits: list[Split], n_rows: float, seed: Any) -> list[Split]:
    """Return the splits with so many held-out rows together, or all."""
    total = sum(len(test) for _, test in splits)
    if n_rows >= total:
        return splits
    sizes = np.array([len(test) for _, test in splits])
    shares = n_rows * sizes // total
    if not shares[sizes > 0].all():
        # Many splits, of less than a row each: some of them, whole.
        order = check_random_state(seed).permutation(len(splits))
        shares[order] = np.where(np.cumsum(sizes[order]) <= n_rows, sizes[order], 0)
    cut = []
    for (train, test), share in zip(splits, shares, strict=True):
        codes = data.take_labels(test)[1]
        cut.append((train, test[draw_rows(codes, share, seed)]))
    return cut


def _share_out(
    estimator: Any, parts: Parts, data: Dataset, splits: Splits, held_out: float
) -> LabelPlan:
    """Share out what the held-out rows leave."""
    rest = estimator.max_labels - held_out
    n_training = 0 if parts.stored is not None else data.n_samples
    wanted = _count_transfer(parts, data)
    n_own, pilots, shared = 0, 0, False
    if data.validation is None and parts.refits:
        # Teachers of folds label their own rows for the pilots.
        own = splits.folds[: max(1, len(splits.pilots))]
        n_own = sum(len(train) for train, _ in own)
    if _needs_rows(parts, splits):
        spare = rest - wanted - n_training - n_own
        pilots = max(int(_PILOT_SHARE * rest), spare)
        shared = pilots > spare and _can_share(parts, data, splits)
        shared = shared and min(wanted, rest) >= _FEWEST_PILOT_ROWS
        pilots = 0 if shared or pilots < _FEWEST_PILOT_ROWS else pilots
    transfer = min(wanted, rest - pilots)
    training = min(n_training, rest - pilots - transfer)
    left = rest - pilots - transfer - training
    return LabelPlan(pilots, transfer, training, left >= n_own, shared)


def _can_share(parts: Parts, data: Dataset, splits: Splits) -> bool:
    """Whether pilots can learn the labels that the student learns.

    The labels of a fixed teacher are the same, and validation rows are no parents of
    the rows. A network on a quarter of them could not tell what it gains by all.
    """
    fixed = not parts.refits and data.validation is not None
    chunks = isinstance(parts.X_unlabeled, Chunks)
    return fixed and splits.chooses and learns_in_epochs(parts.student) and not chunks


def _count_transfer(parts: Parts, data: Dataset) -> float:
    """Return how many rows beyond the training rows the student is to learn."""
    unlabeled, n_given = parts.X_unlabeled, 0
    if unlabeled is not None:
        chunked = isinstance(unlabeled, Chunks)
        n_given = unlabeled.n_rows if chunked else _num_samples(unlabeled)
    if parts.sampler is None:
        return n_given
    n_real = data.n_samples + n_given
    return n_given + count_rows(n_real, parts.n_synthetic)
