"""The steps of `fit` after the checks: plan, label, soften, teach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from ._labels import _teacher
from ._labels._calibration import Calibration
from ._outofcore import Chunks
from ._outofcore._spill import SoftStream
from ._outofcore._transfer_stream import TransferStream
from ._problem import Problem, Split
from ._progress import Progress
from ._selection import _pilots as _study
from ._selection._candidates import (
    Candidate,
    list_candidates,
    soften_labels,
    soften_transfer_set,
    stops_early,
)
from ._soft_data import SoftDataset
from ._students import fine_tune_student, fit_student, scale_logits, seed_torch
from ._typing import FloatArray
from ._unseen import Unseen, calibrate_teacher, measure_memorization
from .transfer._transfer_set import TransferSet, make_rows

#: Parts of a transfer set, each with its labels.
Labelled = Iterator[tuple[TransferSet, FloatArray]]

#: Parts that each worker labels before the student is given them.
_PARTS_EACH = 4


@dataclass(frozen=True)
class Plan:
    """What the student learns, and the figures that decided it.

    Attributes
    ----------
    candidate : Candidate
        Rows, labels and temperature.
    transfer : TransferSet, TransferStream or None
        Rows beyond the training rows.
    calibration : Calibration or None
        Of the labels.
    unseen : ndarray of shape (n_samples, n_classes) or None
        Labels by teachers that did not see the row, if those are to be learned; NaN
        where there is none.
    memorization, pilots
        As in DistilledClassifier.
    scale : float
        By which the student's logits are divided in the end.
    """

    candidate: Candidate
    transfer: TransferSet | TransferStream | None
    calibration: Calibration | None
    unseen: FloatArray | None
    memorization: dict[str, float] | None
    pilots: list[dict[str, Any]]
    scale: float


@dataclass(frozen=True)
class Lesson:
    """Training rows, rows held out and rows of the transfer set, with soft targets."""

    train: SoftDataset
    held_out: SoftDataset | None
    extra: SoftDataset | SoftStream | None


def make_plan(problem: Problem, progress: Progress) -> Plan:
    """Ask rows that a teacher did not see: how to calibrate, and what to learn."""
    pilot_sets, candidates = _study.make_pilot_sets(problem, list_candidates(problem))
    transfer = None
    if len(candidates) == 1:
        # A sampler that fails must do so before a teacher is fitted.
        transfer = _make_transfer_set(problem, candidates[0])
    unseen = _label_unseen(problem, pilot_sets, progress)
    calibration = memorization = None
    if unseen is not None:
        if problem.calibrate:
            calibration = calibrate_teacher(problem, unseen)
        if problem.pilot_split is not None:
            memorization = measure_memorization(problem, unseen)
            candidates = _study.drop_needless(candidates, memorization)
    candidate, report, scale = candidates[0], [], 1.0
    if len(candidates) > 1:
        with progress.step("pilots"):
            pilots = _try_candidates(
                problem, candidates, unseen, pilot_sets, calibration
            )
            advantage = None
            if unseen is not None:
                advantage = _study.find_advantage(
                    problem, pilots, unseen.proba, calibration
                )
            candidate = _study.choose_candidate(problem, pilots)
            report = _study.report_pilots(problem, pilots, candidate)
            scale = _study.calibrate_student(problem, pilots, candidate)
            _study.warn_of_harm(advantage, candidate)
        transfer = _make_transfer_set(problem, candidate)
    honest = None
    if unseen is not None and (problem.splits or not candidate.in_sample):
        honest = unseen.proba
    if candidate.alpha == 0 and transfer is None:
        calibration = None
    return Plan(candidate, transfer, calibration, honest, memorization, report, scale)


def _label_unseen(
    problem: Problem, pilot_sets: list[TransferSet], progress: Progress
) -> Unseen | None:
    """Label rows by teachers that did not see them."""
    splits = problem.splits
    if splits is None and problem.pilot_split is not None:
        splits = [problem.pilot_split]
    if splits is None or not problem.refits:
        return None
    with progress.step("folds", n_subtasks=len(splits)) as context:
        proba, firsts = _teacher.cross_label(
            clone(problem.teacher),
            problem.X,
            problem.y,
            splits,
            problem.teacher_params,
            problem.classes,
            others=tuple(rows.X for rows in pilot_sets),
            work=problem.work,
            context=context,
        )
    return Unseen(proba, firsts[0], firsts[1:])


def _try_candidates(
    problem: Problem,
    candidates: list[Candidate],
    unseen: Unseen | None,
    pilot_sets: list[TransferSet],
    calibration: Calibration | None,
) -> list[_study.Pilot]:
    assert problem.pilot_split is not None
    tried, judges = problem.pilot_split
    if unseen is not None:
        # Out-of-fold labels, where there are any, are what the student will learn.
        own = unseen.proba[tried] if problem.splits else unseen.own
        labels, added = unseen.proba, unseen.extra
    else:
        stored = problem.stored
        labels = _label_frozen(problem, problem.X) if stored is None else stored
        own = labels[tried]
        added = [_label_frozen(problem, rows.X) for rows in pilot_sets]
    extra = list(zip(pilot_sets, added, strict=True))
    return _study.run_pilots(
        problem, candidates, own, labels[judges], extra, calibration
    )


def label_rows(
    problem: Problem, plan: Plan, progress: Progress
) -> tuple[Any, FloatArray, tuple[TransferSet, FloatArray] | Labelled | None]:
    """Fit or take the teacher, and label the training rows and the transfer set.

    A transfer set that is made block by block is labelled as it is learned.
    """
    if problem.stored is not None:
        return problem.teacher, problem.stored, None
    transfer = plan.transfer
    tables = [problem.X]
    if isinstance(transfer, TransferSet):
        tables.append(transfer.X)
    with progress.step("teacher" if problem.refits else "label") as context:
        teacher, name = _take_teacher(problem, context)
        labels = [_label(problem, teacher, X, name) for X in tables]
    proba = labels[0]
    if plan.unseen is not None:
        proba = np.where(np.isnan(plan.unseen), proba, plan.unseen)
    if isinstance(transfer, TransferStream):
        return teacher, proba, _label_stream(problem, teacher, transfer, name)
    return teacher, proba, None if transfer is None else (transfer, labels[1])


def _take_teacher(problem: Problem, context: Any) -> tuple[Any, str | None]:
    """Fit the teacher, find it in the memory, or take it as it is."""
    teacher, work = problem.teacher, problem.work
    if isinstance(teacher, FrozenEstimator):
        return teacher, work.name(teacher)
    given = (teacher, problem.X, problem.y, problem.teacher_params)
    return _teacher.fit_teacher(*given, work=work, context=context)


def _label_stream(
    problem: Problem, teacher: Any, parts: TransferStream, name: str | None
) -> Labelled:
    """Yield each part of the transfer set with its labels."""
    rest = iter(parts)
    # Some parts at a time: workers that are done would go on to draw more of them,
    # however far behind the student is.
    n_parts = _PARTS_EACH * effective_n_jobs(problem.work.n_jobs)
    while group := list(islice(rest, n_parts)):
        labels = _teacher.label_chunks(
            teacher,
            [part.X for part in group],
            work=problem.work,
            name=name,
            n_chunks=len(group),
        )
        for part, proba in zip(group, labels, strict=True):
            yield part, _teacher.align(proba, teacher.classes_, problem.classes)


def _label_frozen(problem: Problem, X: Any) -> FloatArray:
    teacher = problem.teacher
    return _label(problem, teacher, X, problem.work.name(teacher))


def _label(problem: Problem, teacher: Any, X: Any, name: str | None) -> FloatArray:
    proba = _teacher.label_rows(teacher, X, work=problem.work, name=name)
    return _teacher.align(proba, teacher.classes_, problem.classes)


def _make_transfer_set(
    problem: Problem, candidate: Candidate
) -> TransferSet | TransferStream | None:
    """Build on training rows alone: rows that are held out must be no parents."""
    held_out = _hold_out(problem, candidate)
    data = problem if held_out is None else problem.take(held_out[0])
    make = TransferStream if isinstance(problem.X_unlabeled, Chunks) else make_rows
    return make(
        None if candidate.sampler is None else clone(candidate.sampler),
        data.X,
        data.weight,
        problem.X_unlabeled,
        problem.n_synthetic,
        problem.seeds.sampler,
        problem.ratio,
    )


def _hold_out(problem: Problem, candidate: Candidate) -> Split | None:
    """Rows to learn from, and rows that end or judge the student's fit."""
    needed = problem.fine_tune or stops_early(problem, candidate)
    return problem.held_out if needed else None


def soften(
    problem: Problem,
    plan: Plan,
    proba: FloatArray,
    transfer: tuple[TransferSet, FloatArray] | Labelled | None,
) -> Lesson:
    """Clip, calibrate, blend and soften the labels."""

    def read(rows: NDArray[np.intp]) -> SoftDataset:
        labels = proba[rows]
        return soften_labels(problem, rows, labels, plan.candidate, plan.calibration)

    rows, held_out = np.arange(len(problem.y)), None
    split = _hold_out(problem, plan.candidate)
    if split is not None:
        rows, held_out = split[0], read(split[1])
    train = read(rows)
    if not plan.candidate.in_sample:
        train = replace(train, labelled=_find_unseen(plan, rows))
    settings = (plan.candidate, plan.calibration)
    if transfer is None:
        return Lesson(train, held_out, None)
    if isinstance(transfer, tuple):
        extra = soften_transfer_set(problem, *transfer, *settings)
        return Lesson(train, held_out, extra)
    stream = SoftStream(
        soften_transfer_set(problem, *part, *settings) for part in transfer
    )
    return Lesson(train, held_out, stream)


def _find_unseen(plan: Plan, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Positions among the rows of those that some teacher did not see."""
    if plan.unseen is None:
        return np.arange(0)
    return np.flatnonzero(~np.isnan(plan.unseen[rows, 0]))


def teach(
    problem: Problem, plan: Plan, lesson: Lesson, context: Any
) -> tuple[Any, dict[str, Any] | None]:
    """Fit the student, served at temperature 1, and tune it where asked to."""
    student = problem.student
    stops = stops_early(problem, plan.candidate)
    with (
        seed_torch(student, problem.seeds.net),
        _teacher.propagate(context, student),
    ):
        student = fit_student(
            student,
            lesson.train,
            lesson.extra,
            lesson.held_out if stops else None,
            plan.candidate.temperature,
        )
        scale_logits(student, 1 / plan.scale)
        if not problem.fine_tune or lesson.held_out is None:
            return student, None
        student, kept, (before, after) = fine_tune_student(
            student, lesson.train, lesson.held_out, problem.fine_tune
        )
    return student, {"kept": kept, "before": before, "after": after}
