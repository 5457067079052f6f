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
from .._parts import Parts
from .._progress import part_of_step, raise_interrupts
from .._students._fit_student import fit_student
from .._students._properties import (
    count_final_epochs,
    learns_in_epochs,
    limit_epochs,
    seed_torch,
)
from .._students._training_length import SUM_OF_LENGTHS, fit_chosen_length
from .._tasks import Shared, share_cores
from .._typing import FloatArray, IndexArray, Split
from ..transfer._transfer_set import count_rows, take_part
from ._candidates import Candidate, soften_rows, soften_transfer_set
from ._hold_outs import LENGTH_SHARE, Splits
from ._sampling import PILOT_RATIO

#: What a row costs the fit of an ensemble, if it labels a row at 1.
_FIT_COST = 10

#: So many transfer sets of a network get a second, longer pilot: the first ones of all
#: candidates take half of the row visits.
_N_ROUNDS, _FINALISTS = 2, 2

#: Where validation rows choose the length of a training, the pilot's lengths take at
#: most one final fit together. Certain labels are learned better until then; of noisy
#: ones only short lengths are tried.
_LENGTHS_SHARE = 1 / SUM_OF_LENGTHS

#: Of a round, which is half a final fit: a pilot of so many shares has a whole one.
_LONGEST = 1 / 2

#: Pilots on fewer rows cost next to nothing, and decide nothing.
_FEWEST = 100


@dataclass(frozen=True)
class Pilot:
    """How a candidate did on the held-out rows.

    Attributes
    ----------
    candidate : Candidate
        What was learned.
    served : ndarray of shape (n_rows, n_columns)
        What the student serves for the held-out rows.
    losses : ndarray of shape (n_rows,)
        Loss of each row; of classes the log loss in nats.
    to_end : bool
        Whether the student learned all rows of the pilots, as long as it wanted.
    finalist : bool
        Whether it is the second, longer pilot of its candidate.
    """

    candidate: Candidate
    served: FloatArray
    losses: FloatArray
    to_end: bool
    finalist: bool = False


@dataclass(frozen=True)
class PilotLabels:
    """The teacher's labels of what pilots learn, and of the held-out rows.

    Attributes
    ----------
    train, held_out : ndarrays of shape (n_rows, n_columns)
        Labels of the rows that pilots learn, and of those that score them.
    transfer : list of ndarrays of shape (n_rows, n_columns)
        Labels of the pilots' rows of the candidates that have some, in order; those of
        rows that candidates share are there once.
    """

    train: FloatArray
    held_out: FloatArray
    transfer: list[FloatArray]


@dataclass(frozen=True)
class PilotInputs:
    """What the pilots of a fit are run on.

    Attributes
    ----------
    parts, data, splits
        The fit's.
    candidates : list of Candidate
        At least one.
    labels : list of PilotLabels
        The teacher's labels, split by split.
    calibration : Calibration or None
        Of the labels.
    """

    parts: Parts
    data: Dataset
    splits: Splits
    candidates: list[Candidate]
    labels: list[PilotLabels]
    calibration: Calibration | None

    def find(self, pilot: Pilot) -> list[int]:
        """Return the position of a pilot's candidate, alone in a list."""
        name = pilot.candidate.name
        return [k for k, found in enumerate(self.candidates) if found.name == name]


def label_pilots(splits: Splits, oof: OutOfFold, learned: bool) -> list[PilotLabels]:
    """Return what the pilots of each split learn.

    Out-of-fold labels of `cv` are what the student will learn, so pilots learn them;
    without `cv`, pilots learn in-sample labels as the student will.

    Parameters
    ----------
    learned : bool
        Whether any pilot learns labels of training rows.
    """
    found = []
    for number, (train, held_out) in enumerate(splits.pilots):
        # Without tables only the first of the fold teachers has labelled its own rows.
        seen = number < len(oof.in_sample) and not splits.out_of_fold
        if learned:
            own = oof.in_sample[number] if seen else oof.take(train)
        else:
            # One row's labels stand for all, which take no memory.
            own = oof.take(held_out[:1])
            own = np.broadcast_to(own, (len(train), own.shape[1]))
        added = oof.transfer[number] if number < len(oof.transfer) else []
        found.append(PilotLabels(own, oof.take(held_out), added))
    return found


def run_pilots(given: PilotInputs, weight: FloatArray | None) -> list[Pilot]:
    """Fit one student a candidate and split, and score it on the true labels held out.

    The best transfer sets of a network are learned once more, for longer: successive
    halving (Jamieson and Talwalkar, 2016) in two rounds, each with the whole fall of
    the learning rate, since what a low rate gains decides.

    Parameters
    ----------
    given : PilotInputs
    weight : ndarray of shape (n_rows,) or None
        Weights of the held-out rows.
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

    Parameters
    ----------
    chosen : Pilot
        A finalist; they learn what it learned, as long as it did.
    """
    parts, data, found = given.parts, given.data, []
    for student in list_wider(parts.student, data.X, data.task.n_columns):
        wider = replace(given, parts=replace(parts, student=student))
        (pilot,) = _run_round(wider, given.find(chosen), _FINALISTS)
        units = "-".join(map(str, student[-1].hidden_layer_sizes))
        named = replace(pilot.candidate, name=f"{pilot.candidate.name}, {units} units")
        found.append((student, replace(pilot, candidate=named, finalist=True)))
    return found


def run_longer(given: PilotInputs, pilot: Pilot) -> Pilot:
    """Return a finalist's pilot run for as long as the true labels may be learned.

    Parameters
    ----------
    pilot : Pilot
        Of a transfer set.
    """
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

    def list_calls() -> Iterator[Any]:
        for number, split in enumerate(splits.pilots):
            said = given.labels[number]
            n_rows, n_visits = _share_out(parts, data, split, rivals, n_sharing)
            if splits.small:
                n_rows = len(split[0])
            chosen = draw_rows(data.codes[split[0]], n_rows, parts.seeds.pilots)
            task = _PilotTask(
                parts.student,
                parts.student_params,
                parts.seeds.split,
                parts.seeds.torch,
                data,
                split,
                chosen,
                said.train,
                said.held_out,
                given.calibration,
                splits.out_of_fold,
                n_visits,
                parts.pilot,
            )
            shared = Shared(task)
            rows = [c.pilot_rows[number] if c.pilot_rows else None for c in candidates]
            tables = dict.fromkeys(id(some) for some in rows if some is not None)
            labels = dict(zip(tables, said.transfer, strict=False))
            for k in wanted:
                candidate = replace(candidates[k], rows=rows[k], pilot_rows=())
                yield shared, Shared((candidate, labels.get(id(rows[k])))), n_threads

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


@dataclass(frozen=True)
class _PilotTask:
    """What every pilot of a fit needs; it travels to each worker once."""

    student: Any
    params: dict[str, Any]
    split_seed: Any
    torch_seed: int | None
    data: Dataset
    split: Split
    chosen: IndexArray
    labels: FloatArray
    held_out_labels: FloatArray
    calibration: Calibration | None
    out_of_fold: bool
    n_visits: float | None
    pilot: float


def _run_pilot(given: Shared, pair: Shared, n_threads: int | None) -> Pilot:
    task: _PilotTask = given.value
    candidate, labels = pair.value
    data, held_out = task.data, task.split[1]
    train, validation = _soften_pilot(task, candidate)
    transfer = None
    if labels is not None:
        n_added = max(1, round(len(task.chosen) / len(task.labels) * len(labels)))
        rows, labels = take_part(candidate.rows, labels, n_added)
        transfer = soften_transfer_set(
            data,
            rows,
            labels,
            candidate,
            task.calibration,
            weighted="sample_weight" in task.params,
        )
    student = share_cores(clone(task.student), n_threads)
    if task.n_visits is not None and candidate.shares:
        n_trained = train.n_labelled + (0 if transfer is None else transfer.n_samples)
        limit_epochs(student, max(1, round(task.n_visits / n_trained)))
    with seed_torch(student, task.torch_seed):
        if candidate.n_updates is None:
            student = fit_student(student, train, transfer, validation)
        else:
            assert validation is not None
            n_updates = round(_LENGTHS_SHARE * task.pilot * candidate.n_updates)
            student = fit_chosen_length(
                *(student, train, transfer, validation, n_updates), learns_all=True
            )
        # A net draws when it predicts, too.
        scorer = share_cores(student, n_threads, alone=True)
        served = data.task.serve(scorer, data.take(held_out).X)
    to_end = task.n_visits is None and len(task.chosen) == len(task.labels)
    to_end = to_end and candidate.n_updates is None
    candidate = replace(candidate, rows=None)
    losses = data.task.score(served, data.take_labels(held_out)[0])
    return Pilot(candidate, served, losses, to_end)


def _soften_pilot(task: _PilotTask, candidate: Candidate) -> tuple[Any, Any]:
    """Return what the pilot learns of the training rows, and what ends its fit."""
    data, (rows, held_out) = task.data, task.split
    rows = rows[task.chosen]
    settings = (candidate, task.calibration, task.params)
    train = soften_rows(data, rows, task.labels[task.chosen], *settings)
    validation = None
    if candidate.stops_early and candidate.augmented:
        validation = soften_rows(data, held_out, task.held_out_labels, *settings)
    elif candidate.validated:
        # Rows that end a student's fit would score it too well.
        share = 0.1 if candidate.n_updates is None else LENGTH_SHARE
        groups = data.take_groups(rows)
        split = split_rows(data.codes[rows], share, task.split_seed, groups)
        train, validation = (train.take(part) for part in split)
    if not candidate.in_sample and not task.out_of_fold:
        train = replace(train, labelled=np.arange(0))
    return train, validation


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
        n_final += count_rows(n_real, parts.n_synthetic, parts.ratio)
    epochs = count_final_epochs(parts.student, n_final)
    n_rows = len(split[0])
    if epochs is not None:
        return n_rows, parts.pilot * n_final * epochs / n_shares
    units = sum(c.in_sample + PILOT_RATIO * c.augmented for c in candidates)
    fit = _FIT_COST * n_real if parts.refits else 0
    share = parts.pilot * (fit + n_real + 2 * n_final) / units
    return min(n_rows, max(_FEWEST, int(share))), None
