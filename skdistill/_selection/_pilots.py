"""Pilots: short fits of the student, one a candidate, scored on rows held out.

Pilots learn none of the held-out rows, whose true labels score them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import clone

from .._dataset import Dataset, draw_rows, split_rows
from .._labels._calibration import Calibration
from .._labels._cross_fit import OutOfFold
from .._labels._defaults import list_wider
from .._nets import seed_torch
from .._parts import Parts
from .._progress import part_of_step, raise_interrupts
from .._soft_data import MaybeRows, SoftDataset
from .._students._fit_student import fit_student
from .._students._properties import (
    count_final_epochs,
    learns_in_epochs,
    limit_epochs,
)
from .._students._training_length import SUM_OF_LENGTHS, fit_chosen_length
from .._tasks import Shared, share_cores
from .._typing import FloatArray, IndexArray, Split
from ..transfer._transfer_set import count_rows, take_part
from ._candidates import Candidate, soften_rows, soften_transfer_set
from ._hold_outs import LENGTH_SHARE, VALIDATION_SHARE, Splits
from ._sampling import PILOT_RATIO

#: What a row costs the fit of an ensemble, if it labels a row at 1.
_FIT_COST = 10

#: So many transfer sets of a network get a second, longer pilot: the first ones of all
#: candidates take half of the row visits.
_N_ROUNDS, _FINALISTS = 2, 2

#: Where validation rows choose the length of a training, the pilot's lengths take at
#: most one final fit together. Certain labels are learned better until then; for noisy
#: ones short lengths alone are tried.
_LENGTHS_SHARE = 1 / SUM_OF_LENGTHS

#: The shares of a round for which its only pilot is as long as a final fit: a round is
#: half of one.
_LONGEST = 1 / 2

#: Pilots on fewer rows cost next to nothing, and decide nothing.
_FEWEST = 100


@dataclass(frozen=True)
class Pilot:
    """How a candidate did on the held-out rows."""

    #: What was learned.
    candidate: Candidate
    #: What the student serves for the held-out rows, of shape (n_rows, n_columns).
    served: FloatArray
    #: Loss of each row; for classes the log loss in nats.
    losses: FloatArray
    #: Whether the student learned all rows of the pilots, as long as it wanted.
    to_end: bool
    #: Whether it is the second, longer pilot of its candidate.
    finalist: bool = False


@dataclass(frozen=True)
class PilotInputs:
    """What the pilots of a fit are run on."""

    parts: Parts
    data: Dataset
    splits: Splits
    #: At least one, with the rows that pilots learn.
    candidates: list[Candidate]
    #: The teacher's labels of rows and tables.
    oof: OutOfFold
    #: The calibration of the labels, or None.
    calibration: Calibration | None

    def find(self, pilot: Pilot) -> list[int]:
        """Return the position of a pilot's candidate, alone in a list."""
        name = pilot.candidate.name
        return [k for k, found in enumerate(self.candidates) if found.name == name]


def run_pilots(given: PilotInputs, weight: FloatArray | None) -> list[Pilot]:
    """Fit one student a candidate and split, and score it on the true labels held out.

    The best transfer sets of a network are learned once more, for longer: successive
    halving (Jamieson and Talwalkar, 2016) in two rounds, each with the whole fall of
    the learning rate, since what a low rate gains decides. `weight` is that of the
    held-out rows.
    """
    with part_of_step(0, 1 / _N_ROUNDS):
        pilots = _run_round(given, list(range(len(given.candidates))))
    augmented = [k for k, c in enumerate(given.candidates) if c.augmented]
    network = learns_in_epochs(given.parts.student)
    if given.splits.small or len(augmented) < 2 or not network:
        return pilots
    augmented.sort(key=lambda k: np.average(pilots[k].losses, weights=weight))
    finalists = augmented[:_FINALISTS]
    with part_of_step(1 / _N_ROUNDS, 1):
        for k, pilot in zip(finalists, _run_round(given, finalists), strict=True):
            pilots[k] = replace(pilot, finalist=True)
    return pilots


def run_wider(given: PilotInputs, chosen: Pilot) -> list[tuple[Any, Pilot]]:
    """Return wider default students, unfitted, each with its pilot.

    They learn what the chosen finalist learned, as long as it did.
    """
    parts, data, found = given.parts, given.data, []
    for student in list_wider(parts.student, data.X, data.task.n_outputs):
        wider = replace(given, parts=replace(parts, student=student))
        (pilot,) = _run_round(wider, given.find(chosen), _FINALISTS)
        units = "-".join(map(str, student[-1].hidden_layer_sizes))
        named = replace(pilot.candidate, name=f"{pilot.candidate.name}, {units} units")
        found.append((student, replace(pilot, candidate=named, finalist=True)))
    return found


def run_longer(given: PilotInputs, pilot: Pilot) -> Pilot:
    """Return a transfer set's pilot run for as long as true labels may be learned."""
    (longer,) = _run_round(given, given.find(pilot), _LONGEST)
    return replace(longer, finalist=True)


def _run_round(
    given: PilotInputs, wanted: list[int], n_shares: float | None = None
) -> list[Pilot]:
    """Run the pilots of the candidates at the given positions, in their order.

    They are `n_shares` to share the row visits of a round, or on a small table of a
    fold, by default as many as are run; the student's own fit on the true labels takes
    what it takes, and so do pilots of other students than networks on few rows.
    """
    parts, data, splits = given.parts, given.data, given.splits
    candidates = given.candidates
    tasks, n_calls = parts.tasks, len(wanted) * len(splits.pilots)
    n_threads = tasks.count_threads(n_calls)
    rivals = [candidates[k] for k in wanted]
    n_sharing = n_shares or max(1, sum(rival.shares for rival in rivals))
    n_sharing *= len(splits.pilots) if splits.small else _N_ROUNDS

    # What pilots do not need is not sent to workers.
    own = replace(parts, teacher=None, stored=None, sampler=None, X_unlabeled=None)
    shared = Shared(replace(given, parts=own))

    def list_calls() -> Iterator[Any]:
        for number, split in enumerate(splits.pilots):
            n_rows, n_visits = _share_out(parts, data, split, rivals, n_sharing)
            if splits.small:
                n_rows = len(split[0])
            chosen = draw_rows(data.codes[split[0]], n_rows, parts.seeds.pilots)
            for k in wanted:
                yield shared, number, k, split[0][chosen], n_visits, n_threads

    pilots = _collect(tasks.run(_run_pilot, list_calls(), n_calls), n_calls)
    step = len(wanted)
    return [_join_pilots(pilots[k::step]) for k in range(step)]


def _collect(run: Iterator[Pilot], n_pilots: int) -> list[Pilot]:
    """Return the pilots; each is as large a part of the work as another."""
    pilots = []
    with warnings.catch_warnings():
        # A pilot is meant to end before it converges.
        warnings.simplefilter("ignore")
        with raise_interrupts():
            for k in range(n_pilots):
                with part_of_step(k / n_pilots, (k + 1) / n_pilots):
                    pilots.append(next(run))
            # There are no more; workers learn that it has ended.
            pilots += run
    return pilots


def _join_pilots(pilots: list[Pilot]) -> Pilot:
    """Return the pilots of one candidate as one, on all of the held-out rows."""
    served, losses = (
        np.concatenate([getattr(pilot, name) for pilot in pilots])
        for name in ("served", "losses")
    )
    to_end = all(pilot.to_end for pilot in pilots)
    return Pilot(pilots[0].candidate, served, losses, to_end)


def _run_pilot(
    shared: Shared,
    number: int,
    k: int,
    rows: IndexArray,
    n_visits: float | None,
    n_threads: int | None,
) -> Pilot:
    """Fit candidate `k` on some rows of one split, and score it on those held out."""
    given: PilotInputs = shared.value
    parts, data, candidate = given.parts, given.data, given.candidates[k]
    own, held_out = given.splits.pilots[number]
    train, validation = _soften_pilot(given, number, candidate, rows)
    transfer = _soften_added(given, number, k, len(rows) / len(own))
    student = share_cores(clone(parts.student), n_threads)
    if n_visits is not None and candidate.shares:
        n_trained = train.n_labelled + (0 if transfer is None else transfer.n_samples)
        limit_epochs(student, max(1, round(n_visits / n_trained)))
    with seed_torch(parts.seeds.torch):
        if candidate.n_updates is None:
            student = fit_student(student, train, transfer, validation)
        else:
            assert validation is not None
            n_updates = round(_LENGTHS_SHARE * parts.pilot * candidate.n_updates)
            student = fit_chosen_length(
                *(student, train, transfer, validation, n_updates),
                learns_all=True,
                in_time=candidate.in_time,
            )
        # A net draws when it predicts, too.
        scorer = share_cores(student, n_threads, alone=True)
        served = data.task.serve(scorer, data.take(held_out).X)
    to_end = n_visits is None and len(rows) == len(own)
    to_end = to_end and candidate.n_updates is None
    losses = data.task.score(served, data.take_labels(held_out)[0])
    served = served.astype(data.task.dtype, copy=False)
    return Pilot(replace(candidate, pilot_rows=()), served, losses, to_end)


def _soften_pilot(
    given: PilotInputs, number: int, candidate: Candidate, rows: IndexArray
) -> tuple[SoftDataset, MaybeRows]:
    """Return what the pilot learns of the training rows, and what ends its fit.

    Out-of-fold labels of `cv` are what the student will learn, so pilots learn them;
    without `cv`, pilots learn in-sample labels as the student will.
    """
    data, oof, parts = given.data, given.oof, given.parts
    settings = (candidate, given.calibration, parts.student_params)
    # Without tables only the first of the fold teachers has labelled its own rows.
    seen = number < len(oof.in_sample) and not given.splits.out_of_fold
    labels = data.task.no_labels()
    if candidate.alpha > 0:
        labels = (oof.in_sample[number] if seen else oof).take(rows)
    train, validation = soften_rows(data, rows, labels, *settings), None
    if candidate.stops_early and candidate.augmented:
        held_out = given.splits.pilots[number][1]
        validation = soften_rows(data, held_out, oof.take(held_out), *settings)
    elif candidate.validated:
        # Rows that end a student's fit would score it too well.
        share = VALIDATION_SHARE if candidate.n_updates is None else LENGTH_SHARE
        groups = data.take_groups(rows)
        split = split_rows(data.codes[rows], share, parts.seeds.split, groups)
        train, validation = (train.take(part) for part in split)
    if not candidate.in_sample and not given.splits.out_of_fold:
        train = replace(train, labelled=np.arange(0))
    return train, validation


def _soften_added(given: PilotInputs, number: int, k: int, share: float) -> MaybeRows:
    """Return a share of the rows that the pilot learns beyond the training rows."""
    made = [c.pilot_rows[number] if c.pilot_rows else None for c in given.candidates]
    if (rows := made[k]) is None:
        return None
    # Labels of rows that candidates share are there once.
    tables = list(dict.fromkeys(id(some) for some in made if some is not None))
    labels = given.oof.transfer[number][tables.index(id(rows))]
    rows, labels = take_part(rows, labels, max(1, round(share * len(labels))))
    weighted = "sample_weight" in given.parts.student_params
    settings = (given.candidates[k], given.calibration)
    return soften_transfer_set(given.data, rows, labels, *settings, weighted=weighted)


def _share_out(
    parts: Parts,
    data: Dataset,
    split: Split,
    candidates: list[Candidate],
    n_shares: float,
) -> tuple[int, float | None]:
    """How many rows each pilot may have, and row visits if it learns in epochs.

    The epochs of a network are what costs, so its pilots are bounded by the share of
    those. For other students rows are what decides: a pilot has all of them, as long
    as the rows of all pilots are the share of what the final fit labels and learns; a
    row that the teacher is fitted on counts as ten.
    """
    n_real = n_final = data.n_samples
    if candidates[0].augmented:
        n_final += count_rows(n_real, parts.n_synthetic)
    epochs = count_final_epochs(parts.student, n_final)
    n_rows = len(split[0])
    if epochs is not None:
        return n_rows, parts.pilot * n_final * epochs / n_shares
    units = sum(c.in_sample + PILOT_RATIO * c.augmented for c in candidates)
    fit = _FIT_COST * n_real if parts.refits else 0
    share = parts.pilot * (fit + n_real + 2 * n_final) / units
    return min(n_rows, max(_FEWEST, int(share))), None
