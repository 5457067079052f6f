"""What the student may learn from: which rows, whose labels, at what temperature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._dataset import Dataset
from .._frames import take_rows
from .._labels._calibration import Calibration
from .._labels._row_labels import RowLabels
from .._nested import last_step
from .._outofcore._transfer_stream import TransferStream
from .._parts import Parts
from .._soft_data import SoftDataset
from .._students._fit_student import validation_fraction
from .._students._properties import (
    blends_labels,
    choose_temperature,
    count_final_epochs,
    learns_in_epochs,
    learns_mixtures,
    refits_leaves,
)
from .._students._training_length import can_choose_length, count_updates
from .._typing import FloatArray, IndexArray
from ..transfer import Munge, Spunge
from ..transfer._transfer_set import TransferSet, count_rows
from ._hold_outs import Splits


@dataclass(frozen=True)
class Candidate:
    """One soft dataset that the student may learn from."""

    #: For the report.
    name: str
    #: Makes the synthetic rows; unfitted.
    sampler: Any
    #: As in DistilledClassifier; where no label of a teacher counts (alpha 0) the
    #: temperature is 1.
    alpha: float
    temperature: float
    #: Whether rows are learned with the labels of a teacher that was fitted on them.
    in_sample: bool = True
    #: Whether validation rows end the student's fit.
    stops_early: bool = False
    #: The most updates of a network for which validation rows choose the epochs. None:
    #: they do not.
    n_updates: int | None = None
    #: Whether it may be chosen; else its pilot is only compared with the teacher.
    rival: bool = True
    #: Whether a network's updates are no more than it makes as it is set.
    in_time: bool = False
    #: Rows beyond the training rows that the student learns.
    rows: TransferSet | TransferStream | None = None
    #: The rows of them that pilots learn, one set for each split of the pilots.
    pilot_rows: tuple[TransferSet, ...] = ()

    @property
    def augmented(self) -> bool:
        """Whether synthetic rows are learned."""
        return self.sampler is not None

    @property
    def learned(self) -> str:
        """Name what the student learns, rows beyond the training rows included."""
        more = self.rows is not None and not self.augmented
        return f"{self.name} and X_unlabeled" if more else self.name

    @property
    def direct(self) -> bool:
        """Whether true labels are all that is learned."""
        return self.alpha == 0 and not self.augmented

    @property
    def as_set(self) -> bool:
        """Whether it is the student's own fit on the true labels."""
        return self.direct and not self.validated

    @property
    def shares(self) -> bool:
        """Whether its pilot takes a share of the row visits of all."""
        return self.n_updates is None and not self.as_set

    @property
    def validated(self) -> bool:
        """Whether validation rows end the student's fit, or choose its length."""
        return self.stops_early or self.n_updates is not None


def list_candidates(
    estimator: Any, parts: Parts, data: Dataset, splits: Splits
) -> list[Candidate]:
    """Return the candidates that the parameters leave open, the preferred one first."""
    student, alpha = parts.student, estimator.alpha
    alpha = 1.0 if alpha == "auto" else float(alpha)
    synthetic, plain = _choose_temperatures(estimator, alpha, parts, data, splits)
    stops = validation_fraction(student, data.n_samples) is not None
    few_rows = splits.small and not data.task.few_choose_length
    n_updates = None if stops or few_rows else _count_updates(parts, data)
    # The length of a fit over a transfer set is too long for noisy true labels.
    limit = n_updates if alpha > 0 and splits.plan.leaves_most(data.n_samples) else None
    own = Candidate("training rows", None, alpha, plain, stops_early=stops)
    candidates = [
        replace(
            own,
            name=name,
            sampler=sampler,
            temperature=synthetic,
            in_sample=in_sample,
            n_updates=limit if in_sample else None,
        )
        for name, sampler, in_sample in _list_samplers(parts, splits, data.n_samples)
    ]
    compared = data.task.learns_labels and blends_labels(student)
    blends = compared and splits.chooses and estimator.alpha == "auto"
    # Each of a network's short pilots costs the others part of their length, and where
    # many candidates are tried on few rows, one seems best by chance.
    network = learns_in_epochs(student)
    few_pilots = splits.small or (bool(candidates) and blends and network)
    if not candidates or (splits.chooses and not few_pilots):
        candidates.append(own)
    if blends and not few_pilots:
        # The mixture at another temperature needs a family that learns it.
        mixed = plain if learns_mixtures(student) else 1.0
        half = replace(own, name="half true labels", alpha=0.5, temperature=mixed)
        candidates.append(half)
    if blends or splits.rates or (compared and splits.chooses and alpha > 0):
        true = replace(
            own,
            name="true labels",
            alpha=0.0,
            temperature=1.0,
            n_updates=n_updates,
            rival=blends,
        )
        candidates += [true, *_stop_in_time(true, parts, data, splits)]
    return candidates


def _choose_temperatures(
    estimator: Any, alpha: float, parts: Parts, data: Dataset, splits: Splits
) -> tuple[float, float]:
    """Return the temperatures with a transfer set, and without one."""
    # Rows that no teacher is asked for learn their true labels.
    refused = splits.plan.limited and not learns_mixtures(parts.student)
    if alpha == 0 or refused:
        return 1.0, 1.0
    if estimator.temperature != "auto":
        return (float(estimator.temperature),) * 2
    # A transfer set shows the teacher's function where no label could, and needs no
    # softening for it (`benchmarks/quality/quality.py`).
    return 1.0, choose_temperature(parts.student, data.task.n_columns)


def _stop_in_time(
    true: Candidate, parts: Parts, data: Dataset, splits: Splits
) -> list[Candidate]:
    """Return a candidate that learns true labels of few rows for as long as they ask.

    As it is set, a network may memorise them: on german it does, and looks worse than
    any teacher. But a fifth of so few rows may choose a length that is worse, so that
    both are tried.
    """
    tries = splits.small and splits.chooses and true.as_set and not true.stops_early
    n_updates = _count_updates(parts, data) if tries else None
    if n_updates is None:
        return []
    name = "true labels, stopped in time"
    return [replace(true, name=name, n_updates=n_updates, in_time=True)]


def _count_updates(parts: Parts, data: Dataset) -> int | None:
    """Return the most updates of a network whose length validation rows choose.

    They are those that it makes over a transfer set. The longer a network learns noisy
    labels, the worse it becomes, but it learns certain ones ever better. A fifth of few
    rows often cannot tell when by their labels; by their values it can.
    """
    if not can_choose_length(parts.student, data.distinct_codes):
        return None
    n_rows = data.n_samples + count_rows(data.n_samples, parts.n_synthetic)
    n_epochs = count_final_epochs(parts.student, n_rows)
    return count_updates(last_step(parts.student), n_epochs or 1, n_rows)


def _list_samplers(
    parts: Parts, splits: Splits, n_rows: int
) -> list[tuple[str, Any, bool]]:
    """Name, sampler, and whether in-sample labels are learned as well.

    The best distance of synthetic rows from their parents depends on the noise of the
    labels. Near its training rows an ensemble repeats their labels, which is best
    where labels are certain and worst where they are noisy. So the candidates with
    rows further away do not learn in-sample labels either.
    """
    if parts.sampler is None:
        return []
    near = ("transfer set", parts.sampler, True)
    network = learns_in_epochs(parts.student)
    one = splits.tries_one_set if network else splits.small
    if one or not splits.chooses:
        return [near]
    wide = ("wide transfer set", Munge(p=0.5, n_neighbors=10), False)
    if splits.plan.shared:
        # One set has all labels. The last candidate within the error is learned: with
        # the training rows and their true labels, where they are most of the rows.
        both = ("wide transfer set and training rows", wide[1], True)
        return [wide, both] if splits.plan.leaves_most(n_rows) else [both, wide]
    far = ("far transfer set", Spunge(p=0.5), False)
    if network:
        return [near, wide, far]
    # Pilots of other students are as long as their fits. Trees that grow on real rows
    # take no harm from how near the others are.
    return [near] if refits_leaves(parts.student) else [near, far]


def drop_needless(
    candidates: list[Candidate], data: Dataset, memorization: dict[str, float] | None
) -> list[Candidate]:
    """Leave out the blend where the teacher's in-sample labels are the true ones.

    The alpha that parameters say stays.
    """
    if memorization is None or not data.task.repeats_labels(memorization):
        return candidates
    given = candidates[0].alpha
    return [candidate for candidate in candidates if candidate.alpha in (0.0, given)]


def soften_rows(
    data: Dataset,
    rows: IndexArray,
    labels: RowLabels,
    candidate: Candidate,
    calibration: Calibration | None,
    params: dict[str, Any],
) -> SoftDataset:
    """Turn labels of training rows, or of validation rows, into what is learned.

    `labels` has what the teacher says of `rows`, by their positions, and `params` what
    the student's `fit` is called with, for all training rows.
    """
    given = data.take(rows)
    own, weight = {}, given.weight
    if data.locate(rows)[0] is data:
        own = {k: take_rows(v, rows, data.n_samples) for k, v in params.items()}
        weight = own.pop("sample_weight", None)
    return data.task.make_soft(
        given.X,
        labels,
        given.y,
        alpha=candidate.alpha,
        temperature=candidate.temperature,
        calibration=calibration,
        weight=weight,
        params=own,
    )


def soften_transfer_set(
    data: Dataset,
    transfer: TransferSet,
    labels: FloatArray,
    candidate: Candidate,
    calibration: Calibration | None,
    *,
    weighted: bool,
) -> SoftDataset:
    """Turn labels of a transfer set into what the student learns.

    As `soften_rows`, but there are no true labels to blend in. `weighted`: whether the
    student is to have row weights at all.
    """
    return data.task.make_soft(
        transfer.X,
        RowLabels(np.arange(len(labels)), labels),
        None,
        alpha=1.0,
        temperature=candidate.temperature,
        calibration=calibration,
        weight=transfer.weight if weighted else None,
        synthetic=transfer.synthetic,
    )
