"""The stages of `fit` that tie rooms together, in the order of the method."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ._dataset import Dataset, draw_rows
from ._labels._calibration import Calibration, calibrate_labels
from ._labels._class_weights import warn_of_weights_twice
from ._labels._cross_fit import OutOfFold, add_seen, cross_fit, label_seen
from ._labels._members import set_weights, weigh_labels, weigh_members
from ._labels._row_labels import RowLabels
from ._labels._teacher import Labeller, fit_clone
from ._nested import last_step
from ._nets import seed_torch
from ._outofcore._spill import SoftStream
from ._outofcore._transfer_stream import TransferStream
from ._parts import Parts
from ._progress import Progress, propagate
from ._selection._candidates import Candidate, soften_rows, soften_transfer_set
from ._selection._choice import Choice
from ._selection._hold_outs import Splits
from ._selection._sampling import list_pilot_tables, student_split
from ._soft_data import SoftDataset
from ._students._fit_student import fine_tune_student, fit_student
from ._students._properties import (
    learns_in_epochs,
    scale_logits,
    shift_logits,
    weigh_served,
)
from ._students._training_length import fit_chosen_length
from ._tasks import ONE_THREAD
from ._typing import FloatArray, IndexArray
from .transfer._transfer_set import TransferSet

#: Parts of a transfer set that each worker labels before the student is given them.
_PARTS_EACH = 4


def asks_early(parts: Parts, data: Dataset, splits: Splits) -> bool:
    """Whether the teacher that is kept labels rows before anything is chosen."""
    validates = data.validation is not None and splits.first is not None
    return validates or (bool(splits.pilots) and not parts.refits)


def name_steps(parts: Parts, data: Dataset, splits: Splits) -> tuple[str, ...]:
    """Names of the steps that take time."""
    early = asks_early(parts, data, splits)
    steps = [
        ("teacher", parts.refits and early),
        ("folds", parts.refits and splits.folds),
        ("validation", early),
        ("pilots", bool(splits.pilots)),
        ("teacher", parts.refits and not early),
        ("label", parts.stored is None),
        ("student", True),
    ]
    return tuple(name for name, runs in steps if runs)


def label_held_out(
    parts: Parts,
    data: Dataset,
    splits: Splits,
    candidates: list[Candidate],
    teacher: Labeller | None,
    progress: Progress,
) -> OutOfFold | None:
    """Label rows by teachers that were not fitted on them, and the rows of pilots.

    They are the teacher itself, for validation rows, and clones fitted on the folds.
    None where there are neither, nor pilots.
    """
    tables, folds, found = list_pilot_tables(candidates), splits.folds, None
    n_members = len(last_step(parts.teacher).estimators) if splits.weighs else 0
    if folds and parts.refits:
        with progress.step("folds", n_subtasks=len(folds)) as context:
            found, teachers = cross_fit(
                clone(parts.teacher),
                data,
                folds,
                parts.teacher_params,
                parts.seeds.teacher,
                tables if data.validation is None else None,
                tasks=parts.tasks,
                asked=parts.asked,
                n_members=n_members,
                labels_own=splits.plan.labels_own,
                context=context,
            )
            if teachers:
                found = _weigh_folds(parts, data, splits, found, teachers, tables)
            if splits.out_of_fold and found.in_sample and splits.plan.labels_own:
                labels, y = found.in_sample[0].values, data.y[splits.folds[0][0]]
                data.task.check_order(labels, y, parts.teacher)
    if not asks_early(parts, data, splits):
        return found
    with progress.step("validation"):
        teacher = teacher and replace(teacher, n_members=n_members)
        return _ask_teacher(parts, data, splits, teacher, tables, found)


def _weigh_folds(
    parts: Parts,
    data: Dataset,
    splits: Splits,
    found: OutOfFold,
    teachers: list[Labeller],
    tables: list[list[Any]],
) -> OutOfFold:
    """Weigh the members of the folds' teachers, which then label what they learned."""
    found = weigh_labels(data, found, parts.seeds.pilots)
    others = []
    for number, teacher in enumerate(teachers):
        teacher = weigh_members(teacher, found.weights)
        own = data.take(splits.folds[number][0]).X
        some = tables[number] if tables else []
        others.append(label_seen(teacher, own, some, splits.plan.labels_own))
    return add_seen(found, splits.folds, others)


def _ask_teacher(
    parts: Parts,
    data: Dataset,
    splits: Splits,
    teacher: Labeller | None,
    tables: list[list[Any]],
    found: OutOfFold | None,
) -> OutOfFold:
    """Return the labels of validation rows, tables of pilots and training rows."""
    labels, transfer = data.task.no_labels(), []
    if teacher is not None and data.validation is not None and splits.first is not None:
        rows = splits.first[1]
        labels = RowLabels(rows, teacher.label(data.take(rows).X, "validation"))
    asked = OutOfFold(labels if found is None else found.held_out.update(labels))
    if splits.weighs:
        asked = weigh_labels(data, asked, parts.seeds.pilots)
        teacher = teacher and weigh_members(teacher, asked.weights)
    if teacher is not None:
        purpose = "transfer" if splits.plan.shared else "pilots"
        transfer = [[teacher.label(X, purpose) for X in some] for some in tables]
    most = 0 if splits.out_of_fold and splits.plan.limited else splits.plan.training
    own = _label_own_rows(parts, data, teacher, most)
    in_sample = [own] if data.validation is not None else []
    return replace(asked, in_sample=in_sample, transfer=transfer, own=own)


def use_weights(
    parts: Parts, data: Dataset, teacher: Labeller | None, oof: OutOfFold | None
) -> tuple[Parts, Labeller | None]:
    """Give the teacher, fitted or not, the weights that were chosen."""
    if oof is None or oof.weights is None:
        return parts, teacher
    parts = replace(parts, teacher=set_weights(parts.teacher, oof.weights))
    return parts, teacher and weigh_members(teacher, oof.weights)


@ONE_THREAD
def calibrate_teacher(
    parts: Parts, data: Dataset, splits: Splits, oof: OutOfFold | None
) -> Calibration | None:
    """Fit the calibration on the rows with an out-of-fold label, if it is asked for."""
    if oof is None or not splits.calibrate:
        return None
    return calibrate_labels(data, oof, parts.teacher)


def keep_labels(
    oof: OutOfFold | None, splits: Splits, choice: Choice
) -> OutOfFold | None:
    """Return the out-of-fold labels that are learned; the others only take memory."""
    needless = choice.candidate.in_sample and not splits.out_of_fold
    if oof is None or (oof.own is None and needless):
        return None
    return replace(oof, in_sample=[], transfer=[])


def fit_teacher(parts: Parts, data: Dataset, progress: Progress) -> Labeller | None:
    """Fit the teacher, or take it as it is; None where there are its labels alone."""
    if parts.teacher is None:
        return None
    teacher, tasks = parts.teacher, parts.tasks
    given = (data.X, data.y, parts.teacher_params, parts.seeds.teacher)
    name = tasks.name(teacher, *(given if parts.refits else ()))
    if parts.refits:
        with progress.step("teacher") as context:
            fit = tasks.cache(fit_clone, by=["name"])
            teacher = fit(name, clone(teacher), *given, None, context)
    return Labeller(teacher, data.task, tasks, name, parts.asked)


def make_soft_data(
    parts: Parts,
    data: Dataset,
    splits: Splits,
    choice: Choice,
    teacher: Labeller | None,
    oof: OutOfFold | None,
    calibration: Calibration | None,
    progress: Progress,
) -> tuple[SoftDataset, SoftDataset | SoftStream | None, SoftDataset | None]:
    """Label the rows; clip, calibrate, blend and soften the labels.

    Return the training rows; those beyond them, which are labelled as they are learned
    where they are made block by block; and validation rows, or training rows that are
    held out of the student's fit.
    """
    candidate = choice.candidate
    if parts.stored is None and teacher is not None:
        with progress.step("label"):
            labels = _label_rows(parts, data, splits, candidate, teacher, oof)
            labelled = _label_transfer_set(candidate, teacher, choice.labels)
    else:
        labels, labelled = _label_rows(parts, data, splits, candidate, None, oof), None
    settings = (candidate, calibration)

    def soften(rows: IndexArray) -> SoftDataset:
        own = labels.take(rows)
        return soften_rows(data, rows, own, *settings, parts.student_params)

    rows, validation = np.arange(data.n_samples), None
    split = student_split(candidate, parts, splits)
    if split is not None:
        rows, validation = split[0], soften(split[1])
    train = soften(rows)
    if not candidate.in_sample:
        known = np.arange(0) if oof is None else oof.held_out.rows
        train = replace(train, labelled=np.flatnonzero(np.isin(rows, known)))
    if calibration is None:
        factors = weigh_served(parts.student, data.classes, data.task.priors)
        warn_of_weights_twice(parts.teacher, train, data.task.priors, factors)
    if labelled is None:
        return train, None, validation
    weighted = "sample_weight" in parts.student_params
    softened = (
        soften_transfer_set(data, *part, *settings, weighted=weighted)
        for part in labelled
    )
    if isinstance(candidate.rows, TransferStream):
        return train, SoftStream(softened), validation
    return train, next(softened), validation


def _label_rows(
    parts: Parts,
    data: Dataset,
    splits: Splits,
    candidate: Candidate,
    teacher: Labeller | None,
    oof: OutOfFold | None,
) -> RowLabels:
    """Return out-of-fold labels where `cv` asks for them; else the teacher's.

    A candidate that does without in-sample labels has out-of-fold labels where there
    are any. Where true labels alone count there are none.
    """
    labels = data.task.no_labels()
    if candidate.alpha == 0:
        return labels
    if not splits.out_of_fold:
        most = splits.plan.training
        if candidate.rows is None:
            most += splits.plan.transfer
        known = None if oof is None else oof.own
        labels = _label_own_rows(parts, data, teacher, most, known)
    if oof is None:
        return labels
    if splits.out_of_fold or not candidate.in_sample:
        return labels.update(oof.held_out)
    return oof.held_out.update(labels)


def _label_own_rows(
    parts: Parts,
    data: Dataset,
    teacher: Labeller | None,
    most: float,
    known: RowLabels | None = None,
) -> RowLabels:
    """Return what is stored, or what the teacher says, of the training rows.

    The teacher is asked for those that are not known, until as many as `most` are.
    """
    if parts.stored is not None or teacher is None:
        assert parts.stored is not None
        return RowLabels(np.arange(data.n_samples), parts.stored)
    known = known or data.task.no_labels()
    rows = np.setdiff1d(np.arange(data.n_samples), known.rows)
    n_asked = most - len(known.rows)
    if not len(rows) or n_asked < 1:
        return known
    if n_asked < len(rows):
        rows = rows[draw_rows(data.codes[rows], n_asked, parts.seeds.split)]
    labels = known.update(RowLabels(rows, teacher.label(data.take(rows).X)))
    data.task.check_order(labels.values, data.y[labels.rows], teacher.teacher)
    return labels


def _label_transfer_set(
    candidate: Candidate, teacher: Labeller, labels: FloatArray | None
) -> Iterator[tuple[TransferSet, FloatArray]] | None:
    """Return the parts of the transfer set with their labels, if they are not known."""
    rows = candidate.rows
    if isinstance(rows, TransferStream):
        return _label_stream(rows, teacher)
    if rows is None:
        return None
    if labels is None:
        labels = teacher.label(rows.X, "transfer")
    return iter([(rows, labels)])


def _label_stream(
    parts: TransferStream, teacher: Labeller
) -> Iterator[tuple[TransferSet, FloatArray]]:
    rest = iter(parts)
    # Some parts at a time: workers that are done would go on to draw more of them,
    # however far behind the student is.
    n_parts = _PARTS_EACH * effective_n_jobs(teacher.tasks.n_jobs)
    while group := list(islice(rest, n_parts)):
        tables = [part.X for part in group]
        labels = teacher.label_chunks(tables, "transfer", len(group))
        yield from zip(group, labels, strict=True)


@ONE_THREAD
def train_student(
    parts: Parts,
    data: Dataset,
    choice: Choice,
    train: SoftDataset,
    transfer: SoftDataset | SoftStream | None,
    validation: SoftDataset | None,
    progress: Progress,
) -> tuple[Any, dict[str, Any] | None]:
    """Fit the student, served at temperature 1, and tune it where that is asked for.

    Return it, a stock estimator, and the `fine_tune_` of DistilledClassifier.
    """
    student, candidate = choice.student or parts.student, choice.candidate
    step = progress.shared_step if learns_in_epochs(student) else progress.step
    with (
        step("student") as context,
        seed_torch(parts.seeds.torch),
        propagate(context, student),
        warnings.catch_warnings(),
    ):
        if parts.default_student:
            # No user has set its `max_iter`.
            warnings.simplefilter("ignore", ConvergenceWarning)
        ends = validation if candidate.validated else None
        if candidate.n_updates is None or isinstance(transfer, SoftStream):
            student = fit_student(student, train, transfer, ends)
        else:
            assert ends is not None
            student = fit_chosen_length(
                *(student, train, transfer, ends, candidate.n_updates),
                learns_all=data.validation is None and not parts.fine_tune,
                in_time=candidate.in_time,
            )
        scale_logits(student, 1 / choice.student_calibration.temperature)
        shift_logits(student, choice.student_calibration.shift)
        choice.warn_if_worse(student)
        if not parts.fine_tune or validation is None:
            return student, None
        student, kept, (before, after) = fine_tune_student(
            student, train, validation, parts.fine_tune
        )
        return student, {"kept": kept, "before": before, "after": after}
