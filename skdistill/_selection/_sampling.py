"""Candidates with the rows that their samplers make, for pilots or for the student."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from .._dataset import Dataset
from .._outofcore import Chunks
from .._outofcore._transfer_stream import TransferStream
from .._parts import Parts
from .._students._properties import learns_in_epochs
from .._typing import Split
from .._warnings import warn_caller
from ..transfer._transfer_set import TransferSet, count_rows, make_transfer_set
from ._candidates import Candidate, list_candidates
from ._hold_outs import Splits

#: Synthetic rows in a pilot: so many for each real one, and for networks, which visit a
#: row many times, a share of those in the final fit.
PILOT_RATIO, _PILOT_SHARE = 2, 1 / 3


def sample_candidates(
    estimator: Any, parts: Parts, data: Dataset, splits: Splits
) -> list[Candidate]:
    """Return the candidates with the rows that they need before a teacher is fitted.

    They are the rows of the pilots; no held-out row is a parent. An only candidate
    gets those that the student learns: a sampler that fails must do so early. Where
    the samplers of "auto" cannot work on the rows, the candidates are those without
    synthetic rows.
    """
    candidates = list_candidates(estimator, parts, data, splits)
    try:
        return _sample_rows(parts, data, splits, candidates)
    except (TypeError, ValueError) as error:
        if estimator.augmenter != "auto" or not candidates[0].augmented:
            raise
        warn_caller(
            'augmenter="auto" makes no synthetic rows, for these cannot be built '
            f"on: {_shorten(error)} Set augmenter=None to do without, or pass a "
            "sampler of your own."
        )
    parts = replace(parts, sampler=None)
    candidates = list_candidates(estimator, parts, data, splits)
    return _sample_rows(parts, data, splits, candidates)


def _shorten(error: Exception) -> str:
    """Return the first line of a message; some go on with all of the rows."""
    first = str(error).strip().partition("\n")[0]
    return f"{first.rstrip('.:')}."


def _sample_rows(
    parts: Parts, data: Dataset, splits: Splits, candidates: list[Candidate]
) -> list[Candidate]:
    if splits.only_compares:
        # What is learned needs no pilot.
        first, *others = candidates
        return [sample_rows_of(first, parts, data, splits), *others]
    if splits.plan.shared:
        first = next(candidate for candidate in candidates if candidate.augmented)
        most = splits.plan.transfer
        made = _sample_pilot_rows(first, parts, data, splits, most).pilot_rows
        return [replace(c, pilot_rows=made) if c.augmented else c for c in candidates]
    if splits.has_pilots(candidates):
        n_tables = len(splits.pilots) * sum(c.augmented for c in candidates)
        # Whole rows: a sampler makes none of a part. Without a limit it is infinite.
        most = float(np.floor(splits.plan.pilots / max(1, n_tables)))
        return [_sample_pilot_rows(c, parts, data, splits, most) for c in candidates]
    return [sample_rows_of(candidates[0], parts, data, splits)]


def list_pilot_tables(candidates: list[Candidate]) -> list[list[Any]]:
    """Return the tables that pilots learn beyond the training rows, split by split.

    One that several candidates share is there once.
    """
    given = [c.pilot_rows for c in candidates if c.pilot_rows]
    splits = zip(*given, strict=True)
    return [[rows.X for rows in {id(r): r for r in some}.values()] for some in splits]


def sample_rows_of(
    candidate: Candidate, parts: Parts, data: Dataset, splits: Splits
) -> Candidate:
    """Return a candidate with the transfer set that the student learns.

    No row that is held out of the student's fit is a parent.
    """
    split = student_split(candidate, parts, splits)
    own = data if split is None else data.take(split[0])
    make = (
        TransferStream if isinstance(parts.X_unlabeled, Chunks) else make_transfer_set
    )
    rows = make(
        None if candidate.sampler is None else clone(candidate.sampler),
        own.X,
        own.weight,
        parts.X_unlabeled,
        parts.n_synthetic,
        parts.seeds.sampler,
        most=splits.plan.transfer,
    )
    return replace(candidate, rows=rows)


def student_split(candidate: Candidate, parts: Parts, splits: Splits) -> Split | None:
    """Rows of the student's fit, and rows that end it or decide on its tuning."""
    needed = parts.fine_tune or candidate.validated
    return splits.validation if needed else None


def _sample_pilot_rows(
    candidate: Candidate, parts: Parts, data: Dataset, splits: Splits, most: float
) -> Candidate:
    """Return a candidate with at most so many rows for each split of the pilots."""
    network = learns_in_epochs(parts.student)
    if not candidate.augmented or (network and splits.tries_one_set):
        return candidate

    def sample(split: Split) -> TransferSet:
        own = data.take(split[0])
        count = count_rows(own.n_samples, parts.n_synthetic)
        unlabeled = parts.X_unlabeled
        if isinstance(unlabeled, Chunks):
            unlabeled = unlabeled.first
        if splits.small:
            # Together as many as the student learns.
            count = max(1, count // len(splits.pilots))
        elif network and not splits.plan.shared:
            count = max(1, round(_PILOT_SHARE * count))
        elif not network:
            count = min(count, PILOT_RATIO * own.n_samples)
        made = make_transfer_set(
            clone(candidate.sampler),
            *(own.X, own.weight, unlabeled, count, parts.seeds.sampler),
            most=most,
        )
        assert made is not None
        return made

    return replace(candidate, pilot_rows=tuple(map(sample, splits.pilots)))
